"""Some statistics of all episodes as arrays: a witness of what their rows and frames were when they were written."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.dataclass import dataclass
from telecine.core.errors import DatasetError
from telecine.core.stats import Floats
from telecine.core.text.numbers import counted
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.paths import V2_EPISODE_STATS, VERSION
from telecine.lerobot_format.read import read_episodes_table


@dataclass(frozen=True, eq=False, slots=True)
class EpisodeStatistics:
    """Statistics of one feature. rows: where in `values` each episode is. values: (n, width), names side by side."""

    rows: Mapping[int, int]
    values: Floats

    def of(self, episode: int) -> Floats | None:
        """(width,) of one episode, None where it has none."""
        row = self.rows.get(episode)
        return None if row is None else self.values[row]


NONE = EpisodeStatistics({}, np.empty((0, 0)))
_NOT_THERE = (DatasetError, OSError, pa.ArrowException, ValueError, TypeError, KeyError, AttributeError)
"""What reading raises where statistics are not there, or not as they should be."""


def episode_statistics(dataset: DatasetMeta, key: str, names: Sequence[str]) -> EpisodeStatistics:
    """The named statistics of a feature; `NONE` where they are not there for all episodes, finite and of one shape."""
    is_v3 = dataset.info.get("codebase_version") == VERSION
    try:
        found = _of_table(dataset.root, key, names) if is_v3 else _of_lines(dataset.root, key, names)
    except _NOT_THERE:
        return NONE
    return found if np.isfinite(found.values).all() else NONE


def _of_table(root: Path, key: str, names: Sequence[str]) -> EpisodeStatistics:
    return _part(read_episodes_table(root, set(_columns((key,), names)).__contains__), key, names)


def _columns(keys: Iterable[str], names: Sequence[str]) -> Iterator[str]:
    return (f"stats/{key}/{name}" for key in keys for name in names)


def _part(table: pa.Table, key: str, names: Sequence[str]) -> EpisodeStatistics:
    columns = [table.column(f"stats/{key}/{name}").combine_chunks() for name in names]
    parts = [stacked_numbers(column).reshape(len(column), -1) for column in columns]
    return EpisodeStatistics(_rows(table.column("episode_index").to_pylist()), np.concatenate(parts, axis=1))


def all_statistics(dataset: DatasetMeta, keys: Sequence[str], names: Sequence[str]) -> dict[str, EpisodeStatistics]:
    """`episode_statistics` of several features, by one look into the table where there is one that has all of them."""
    if len(keys) > 1 and dataset.info.get("codebase_version") == VERSION:
        with suppress(*_NOT_THERE):
            table = read_episodes_table(dataset.root, set(_columns(keys, names)).__contains__)
            found = {key: _part(table, key, names) for key in keys}
            if all(np.isfinite(one.values).all() for one in found.values()):
                return found
    return {key: episode_statistics(dataset, key, names) for key in keys}


def stacked_numbers(column: pa.Array) -> Floats:
    """(n, *shape) of nested lists of numbers. Raises: ValueError for anything else."""
    inner = column
    while pa.types.is_list(inner.type) or pa.types.is_fixed_size_list(inner.type):
        if inner.null_count:
            raise ValueError("nulls")
        inner = arrow.elements(inner)
    if inner.null_count or not (pa.types.is_floating(inner.type) or pa.types.is_integer(inner.type)):
        raise ValueError(f"{inner.type} with {counted(inner.null_count, 'null')}")
    return arrow.stacked(column).astype(np.float64)


def _of_lines(root: Path, key: str, names: Sequence[str]) -> EpisodeStatistics:
    """Version 2.1: meta/episodes_stats.jsonl."""
    lines = (root / V2_EPISODE_STATS).read_text(encoding="utf-8").splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    rows = [np.concatenate([np.ravel(record["stats"][key][name]) for name in names]) for record in records]
    values = np.stack(rows).astype(np.float64) if rows else np.empty((0, 0))
    return EpisodeStatistics(_rows(int(record["episode_index"]) for record in records), values)


def _rows(episodes: Iterable[int]) -> dict[int, int]:
    return {episode: row for row, episode in enumerate(episodes)}
