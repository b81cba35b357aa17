"""Statistics of relative actions: `action - observation.state` of the same row, in a file of their own.

Policies that learn how far to go from where the robot is normalise by these, not by those of the action in stats.json.
Subtracted element by element, by position, as LeRobot's `to_relative_actions` does.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.plan.model import STATE
from telecine.core.stats import Stats, column_stats
from telecine.dataset.reader import Dataset
from telecine.dataset.values import to_numpy
from telecine.lerobot_format.paths import RELATIVE_STATS


def relative_keys(root: Path) -> tuple[str, ...]:
    """The features that the dataset at `root` has such statistics of; none where the file is missing or damaged."""
    try:
        content = json.loads((root / RELATIVE_STATS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(content) if isinstance(content, dict) else ()


def no_difference(columns: Mapping[str, FeatureColumn], key: str) -> str:
    """Why the reference cannot be subtracted from a feature, "" when it can."""
    own, reference = columns.get(key), columns.get(STATE)
    if own is None or reference is None:
        return f"there is no {STATE if own else key}"
    if own.shape != reference.shape or len(own.shape) != 1:
        return f"{key} has shape {list(own.shape)}, {STATE} {list(reference.shape)}"
    return ""


def write_relative_stats(root: Path, keys: Iterable[str]) -> None:
    """meta/telecine/relative_stats.json of the dataset at `root`, in the form of stats.json; no file without keys.

    Features from which nothing can be subtracted any more are left out. Reads two columns of all rows.

    Raises: DatasetError when rows cannot be read; OSError.
    """
    dataset = Dataset(root)
    columns = {column.key: column for column in dataset.features}
    found = {key: _relative_stats(dataset, columns, key) for key in keys if not no_difference(columns, key)}
    if found:
        body = {key: stats.lists() for key, stats in found.items()}
        (root / RELATIVE_STATS).write_text(json.dumps(body, indent=4, allow_nan=False), encoding="utf-8")


def _relative_stats(dataset: Dataset, columns: Mapping[str, FeatureColumn], key: str) -> Stats:
    pooled: Stats | None = None
    for run, rows in dataset.runs([key, STATE]):
        if isinstance(rows, DatasetError):
            raise rows
        mine, reference = (to_numpy(rows.column(name), columns[name]) for name in (key, STATE))
        values = mine.astype(np.float64) - reference
        for own in np.split(values, np.cumsum([episode.length for episode in run])[:-1]):
            stats = column_stats(own)
            pooled = stats if pooled is None else pooled.pooled(stats)
    if pooled is None:
        raise DatasetError(f"{dataset.root}: it has no rows")
    return pooled
