"""Statistics of a dataset's features, as LeRobot's normalisation reads them. Pure; never sees a file.

Per episode they follow LeRobot 0.6.1 (`datasets/compute_stats.py`): population std, quantiles from 5000 bins,
n-D features reduced over all but the last axis, camera frames per channel in [0, 1]. Over a dataset, min, max, mean
and std are pooled exactly; the quantiles are bounds, as LeRobot aggregates them after 0.6.1, which takes the mean: the
least of the episodes' up to the median, the greatest above it. Strings have no statistics, and NaN does not occur here:
the writer refuses it before.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.depth import DepthScale

Floats = npt.NDArray[np.float64]

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
STATISTICS = ("min", "max", "mean", "std", "count", *QUANTILES)
"""Names of the statistics, in LeRobot's order."""

EPISODE_BINS = 5000
BLOCK = 64
"""Elements whose histograms are held at a time."""
_PADDING = 1e-10
_TARGETS = np.array(list(QUANTILES.values()))
_LOWER = sum(share <= 0.5 for share in QUANTILES.values())


@dataclass(frozen=True, eq=False, slots=True)
class Moments:
    """What can be pooled exactly. All arrays float64: (width,), or (channels, 1, 1) for frames."""

    low: Floats
    high: Floats
    mean: Floats
    std: Floats
    count: int
    """Rows, or sampled frames; the weight when pooling."""

    def pooled(self, other: "Moments") -> "Moments":
        """The moments of both together (Chan, Golub and LeVeque 1979: no cancellation, whatever the mean)."""
        count = self.count + other.count
        share = other.count / count
        step = other.mean - self.mean
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        variance = (1 - share) * self.std**2 + share * other.std**2 + share * (1 - share) * step**2
        return Moments(low, high, np.clip(self.mean + share * step, low, high), np.sqrt(variance), count)


@dataclass(frozen=True, eq=False, slots=True)
class Stats:
    """Statistics of one feature. quantiles: (5, *shape of the moments) float64, in the order of `QUANTILES`."""

    moments: Moments
    quantiles: Floats

    def pooled(self, other: "Stats") -> "Stats":
        """Statistics of both together: exact moments; of quantiles the outer ones, by which those of all are bounded.

        The rule of `aggregate_feature_stats` in LeRobot's compute_stats.py at commit 7427f318.
        """
        lower, upper = np.minimum(self.quantiles, other.quantiles), np.maximum(self.quantiles, other.quantiles)
        outer = np.concatenate([lower[:_LOWER], upper[_LOWER:]])
        return Stats(self.moments.pooled(other.moments), outer)

    def plus(self, step: float) -> "Stats":
        """Statistics of the same values, each greater by `step`."""
        m = self.moments
        moved = Moments(m.low + step, m.high + step, m.mean + step, m.std, m.count)
        return Stats(moved, self.quantiles + step)

    def lists(self) -> dict[str, list[Any]]:
        """As stats.json and meta/episodes hold them: nested lists, in the order of `STATISTICS`."""
        m = self.moments
        values = [m.low, m.high, m.mean, m.std, np.array([m.count]), *self.quantiles]
        return {name: value.tolist() for name, value in zip(STATISTICS, values, strict=True)}


def constant(value: float, count: int) -> Stats:
    """Statistics of a column of shape (1,) in which all `count` rows have one value."""
    values = np.array([float(value)])
    return Stats(Moments(values, values, values, np.zeros(1), count), np.repeat(values[None], len(QUANTILES), axis=0))


def column_stats(values: npt.NDArray[Any]) -> Stats:
    """Statistics of one episode's column: (n, *shape) or (n,) of numbers or bool, n >= 1, all finite."""
    flat = _flat(values)
    moments = _moments(flat, len(values))
    if len(flat) == 1:
        return Stats(moments, np.repeat(moments.mean[None], len(QUANTILES), axis=0))
    blocks = []
    for start in range(0, flat.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        low, high = moments.low[block], moments.high[block]
        blocks.append(_quantiles(_histogram(flat[:, block], low, high, EPISODE_BINS), low, high))
    return Stats(moments, np.concatenate(blocks, axis=1))


def camera_stats(histogram: npt.NDArray[np.int64], sampled: int, depth: DepthScale | None = None) -> Stats:
    """Statistics of frames from how often each 8-bit level occurs.

    histogram: (3, 256) counts of colours or (1, 4096) of depth codes, at least one in each channel; sampled: frames
        that went into it. Statistics are in [0, 1] for colours, in the unit of `depth` for its codes.
    """
    levels = np.arange(histogram.shape[1], dtype=np.float64) if depth is None else depth.levels(depth.unit)
    scale = 255.0 if depth is None else 1.0
    total = histogram.sum(axis=1)
    low = levels[np.argmax(histogram > 0, axis=1)]
    high = levels[::-1][np.argmax(histogram[:, ::-1] > 0, axis=1)]
    mean = np.clip((histogram @ levels) / total, low, high)
    spread = levels[None] - mean[:, None]
    std = np.sqrt(np.sum(histogram * spread**2, axis=1) / total)
    counts = np.zeros((len(histogram), EPISODE_BINS), np.int64)
    for channel, (of_levels, bins) in enumerate(zip(histogram, _bins(levels, low, high, EPISODE_BINS), strict=True)):
        np.add.at(counts[channel], bins, of_levels)
    quantiles = _quantiles(counts, low, high)
    low, high, mean, std = (_frame(values, scale) for values in (low, high, mean, std))
    moments = Moments(low, high, mean, std, sampled)
    return Stats(moments, np.stack([_frame(quantile, scale) for quantile in quantiles]))


def _flat(values: npt.NDArray[Any]) -> Floats:
    """(n, *shape) as (n * all but the last axis, last axis) float64."""
    columns = values[:, None] if values.ndim == 1 else values
    return columns.reshape(-1, columns.shape[-1]).astype(np.float64, copy=False)


def _moments(flat: Floats, count: int) -> Moments:
    low, high = flat.min(axis=0), flat.max(axis=0)
    constant = low == high  # sums of equal values round; state exactly what they are
    mean = np.where(constant, low, np.clip(flat.mean(axis=0), low, high))
    std = np.sqrt(np.mean((flat - mean) ** 2, axis=0))
    return Moments(low, high, mean, np.where(constant, 0.0, std), count)


def _bins(values: Floats, low: Floats, high: Floats, bins: int) -> Iterator[npt.NDArray[np.int64]]:
    """The bin of each of (n,) values in `bins` equal bins of each range low - 1e-10 .. high + 1e-10."""
    for bottom, top in zip(low - _PADDING, high + _PADDING, strict=True):
        width = (top - bottom) / bins or 1.0
        yield np.clip((values - bottom) / width, 0, bins - 1).astype(np.int64)


def _histogram(flat: Floats, low: Floats, high: Floats, bins: int) -> npt.NDArray[np.int64]:
    """(width, bins) counts of the columns of (n, width) values, each between its own low and high."""
    bottom, top = low - _PADDING, high + _PADDING
    width = (top - bottom) / bins
    scaled = flat - bottom
    scaled /= np.where(width > 0, width, 1.0)
    where = np.clip(scaled, 0, bins - 1, out=scaled).astype(np.int64)
    where += bins * np.arange(flat.shape[1])
    return np.bincount(where.ravel(), minlength=bins * flat.shape[1]).reshape(-1, bins)


def _quantiles(counts: npt.NDArray[np.int64], low: Floats, high: Floats) -> Floats:
    """(5, width) from (width, bins) counts: linear inside the bin that a quantile falls into.

    LeRobot's rule, `RunningQuantileStats._compute_single_quantile`: in the first bin its lower edge counts.
    """
    bottom, top = low - _PADDING, high + _PADDING
    width = (top - bottom) / counts.shape[1]
    sums = counts.cumsum(axis=1)
    found = np.empty((len(_TARGETS), len(low)))
    for column, running in enumerate(sums):
        targets = _TARGETS * running[-1]
        where = np.searchsorted(running, targets)
        before = np.where(where > 0, running[np.maximum(where - 1, 0)], 0)
        inside = (targets - before) / (running[where] - before)
        found[:, column] = bottom[column] + width[column] * np.where(where > 0, where + inside, 0)
    return np.clip(found, low, high)


def _frame(values: Floats, scale: float) -> Floats:
    """(channels,) levels as (channels, 1, 1), divided by `scale`."""
    return values.reshape(-1, 1, 1) / scale
