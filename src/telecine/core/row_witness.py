"""Whether rows are those that the statistics stored with them were made of, for many short episodes at once."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.stats import QUANTILES, Floats
from telecine.core.video import Flags

Counts = npt.NDArray[np.int64]
_TOGETHER = 1.25
"""The longest episode of those that are compared together, by the shortest: what is added to it costs as much."""
_SHARES = np.array(list(QUANTILES.values()))


def rows_differ(values: npt.NDArray[Any], lengths: Counts, stored: Mapping[str, Floats]) -> Flags:
    """(episodes,) true where statistics may not be those of an episode's rows; none is missed that are not.

    values: (n, width) numbers of all rows, one episode after the other. lengths: (episodes,) of at least 1.
    stored: name -> (episodes, width); names that it does not have are not compared.
    """
    odd = np.zeros(len(lengths), np.bool_)
    starts = np.cumsum(lengths) - lengths
    with np.errstate(over="ignore", invalid="ignore"):
        for alike in _alike(lengths):
            counts = lengths[alike]
            rows = starts[alike, None] + np.minimum(np.arange(counts.max()), counts[:, None] - 1)
            own = {name: value[alike] for name, value in stored.items()}
            odd[alike] = _differ(values[rows].astype(np.float64), counts, own)
    return odd


def allowed(name: str, low: Floats, high: Floats) -> Floats:
    """How far a stored statistic may be from that of rows whose least and greatest values are these.

    LeRobot sums in float32, for std squares of the values; min and max are exact but for their type.
    """
    scale = np.maximum(np.abs(low), np.abs(high))
    exact: Floats = 1e-5 * scale + 1e-6
    if name in ("min", "max"):
        return exact
    return exact + 1e-3 * ((high - low) if name == "mean" else scale)


def slack_of(quantile: Floats, spread: Floats) -> Floats:
    """How far from a stored quantile a value may be that counts as equal: about a bin of LeRobot's on each side."""
    slack: Floats = 2 * spread / 5000 + 1e-6 * (1 + np.abs(quantile))
    return slack


def _alike(lengths: Counts) -> Iterator[Counts]:
    """Episodes of about one length, by their numbers."""
    order = np.argsort(lengths, kind="stable")
    rising, start = lengths[order], 0
    while start < len(order):
        stop = int(np.searchsorted(rising, rising[start] * _TOGETHER, "right"))
        yield order[start:stop]
        start = stop


def _differ(values: Floats, counts: Counts, stored: Mapping[str, Floats]) -> Flags:
    """(episodes,) as `rows_differ`. values: (episodes, rows, width), of which each episode has its own count."""
    count = counts[:, None]
    origin = values[:, :1]
    shifted = values - origin  # keeps a small spread far from zero exact
    behind = np.arange(values.shape[1]) >= count
    shifted[behind] = 0
    mean = shifted.sum(axis=1) / count
    std = np.sqrt(np.maximum(np.einsum("erw,erw->ew", shifted, shifted) / count - mean**2, 0))
    shifted[behind] = np.inf
    rising = np.ascontiguousarray(shifted.swapaxes(1, 2))
    rising.sort(axis=-1)
    rising += origin.swapaxes(1, 2)
    low, high = rising[:, :, 0], _at(rising, count - 1)[:, :, 0]
    own = {"min": low, "max": high, "mean": mean + origin[:, 0], "std": std}
    good = np.ones(len(counts), np.bool_)
    for name, value in own.items():
        if name in stored:
            good &= (np.abs(stored[name] - value) <= allowed(name, low, high)).all(axis=1)
    if all(name in stored for name in QUANTILES):
        good &= _quantiles_fit(rising, count, np.stack([stored[name] for name in QUANTILES], axis=-1), high - low)
    return ~good


def _quantiles_fit(rising: Floats, count: Counts, found: Floats, spread: Floats) -> Flags:
    """(episodes,) true where each quantile has its share of the values below it, by any rule.

    rising: (episodes, width, rows) sorted values. found: (episodes, width, quantiles). spread: (episodes, width).
    """
    slack = slack_of(found, spread[:, :, None])
    # So many values may be less, and must be as much at most, but for one and a half.
    most, least = np.floor(_SHARES * count + 1.5 - 1e-9), np.ceil(_SHARES * count - 1.5 + 1e-9)
    above = _at(rising, np.minimum(most, count - 1)) >= found - slack
    below = _at(rising, np.maximum(least, 1) - 1) <= found + slack
    fits: Flags = ((above | (most >= count)[:, None]) & (below | (least < 1)[:, None])).all(axis=(1, 2))
    return fits


def _at(rising: Floats, places: npt.NDArray[Any]) -> Floats:
    """(episodes, width, n) values at the (episodes, n) places of each episode."""
    return np.take_along_axis(rising, places.astype(np.int64)[:, None, :], axis=2)
