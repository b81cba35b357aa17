"""Statistics of neighbouring episodes against their rows, all at once: which are to be looked at one by one."""

from collections.abc import Mapping, Sequence

import numpy as np

from telecine.core.row_witness import Counts, rows_differ
from telecine.core.stats import QUANTILES, STATISTICS, Floats
from telecine.core.video import Flags
from telecine.dataset.values import Values
from telecine.dataset.verify.statistics import PooledStats
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.run_statistics import RunStatistics

_MOST_ROWS = 1 << 14
_MOST_VALUES = 1 << 22

Stored = Mapping[str, Mapping[str, Floats]]
"""Feature -> name -> (episodes, width)."""


def most_rows(metadata: DatasetMeta, columns: Sequence[str]) -> int:
    """Rows that are checked together: fewer where they are wide."""
    width = sum(int(np.prod(metadata.features[key].shape)) for key in columns)
    return min(_MOST_ROWS, _MOST_VALUES // max(width, 1))


def stored_arrays(numbers: Mapping[str, Values], own: RunStatistics) -> Stored | None:
    """The stored statistics of these features; None where some are of a form that has to be looked at one by one."""
    found: dict[str, Mapping[str, Floats]] = {}
    for key, values in numbers.items():
        arrays = own.arrays(key, _width(values))
        if arrays is None:
            return None
        found[key] = arrays
    return found


def statistics_may_be_wrong(numbers: Mapping[str, Values], lengths: Counts, stored: Stored) -> Flags:
    """(episodes,) false for those whose statistics are those of their rows; (n, *shape) numbers by feature."""
    odd = np.zeros(len(lengths), np.bool_)
    for key, values in numbers.items():
        if len(stored[key]) < len(STATISTICS):
            continue  # reported once per file, by the check of the columns
        flat = values.reshape(-1, _width(values))
        odd |= stored[key]["count"][:, 0] != lengths
        odd |= rows_differ(flat, lengths * (len(flat) // len(values)), stored[key])
    return odd


def pool_run(pools: dict[str, PooledStats], numbers: Mapping[str, Values], episodes: int, stored: Stored) -> None:
    """Count in the values of so many episodes; a feature that has others than finite ones cannot be judged any more."""
    for key in list(pools):
        values = numbers.get(key)
        if values is None or not np.isfinite(values).all():
            del pools[key]
            continue
        there = [stored[key][name] for name in QUANTILES if name in stored[key]]
        quantiles = np.stack(there) if len(there) == len(QUANTILES) and np.isfinite(there).all() else None
        pools[key].add_run(values, episodes, quantiles)


def _width(values: Values) -> int:
    return 1 if values.ndim == 1 else int(values.shape[-1])
