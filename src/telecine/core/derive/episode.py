"""Derived columns of an episode that is ready for the writer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.data.columns import nested
from telecine.core.derive.derived import column_of, compute, meanings_of
from telecine.core.derive.functions import Meaning, RowBlock, Rows, Toolbox
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.plan.derived import Derived


def numbers_of(rows: pa.Table, columns: Sequence[FeatureColumn]) -> dict[str, Rows]:
    """Key -> (n, w) of the vectors and single numbers among the columns."""
    found: dict[str, Rows] = {}
    for column in columns:
        if column.dtype in ("string", "language") or len(column.shape) != 1:
            continue
        data = rows.column(column.key).combine_chunks()
        flat = data if column.shape == (1,) else arrow.elements(data)
        found[column.key] = arrow.to_numpy(flat).reshape(-1, column.shape[0])
    return found


def meanings(columns: Sequence[FeatureColumn], units: Mapping[str, str] = {}) -> dict[str, Meaning]:
    """What the columns are, as far as their names say it."""
    return {c.key: Meaning(c.names, units.get(c.key, ""), key=c.key) for c in columns}


def with_derived(episode: Episode, derived: Sequence[Derived], tools: Toolbox) -> Episode:
    """The episode with these columns; one of a name that is there takes its place.

    Raises: PlanError for what cannot be computed.
    """
    if not derived:
        return episode
    count = episode.grid.count
    rows = RowBlock(np.zeros(1, np.int64), count, float(episode.grid.fps), tools.robot)
    made = compute(derived, numbers_of(episode.rows, episode.columns), rows, tools)
    about = meanings_of(derived, meanings(episode.columns), tools)
    columns = {column.key: column for column in episode.columns}
    arrays: dict[str, Any] = {key: episode.rows.column(key) for key in columns}
    for one in derived:
        values = made[one.key]
        column = columns[one.key] = column_of(one, values.shape[1], str(values.dtype), about[one.key])
        arrays[one.key] = nested(np.ascontiguousarray(values), column.shape)
    arrays |= {key: episode.rows.column(key) for key in ("timestamp", "task")}
    return replace(episode, rows=pa.table(arrays), columns=tuple(columns.values()))
