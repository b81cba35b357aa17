"""Whether stored statistics are those of the data. Computed here with plain numpy, not with what wrote them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.row_witness import allowed, slack_of
from telecine.core.stats import QUANTILES, STATISTICS, Floats
from telecine.core.text.numbers import percent_text
from telecine.dataset.verify.finding_log import FindingLog

ReportProblem = Callable[[str, str, str], None]
"""Takes code, where and message of a finding."""
_CODE = "verify-stats"


class PooledStats:
    """Sums over episodes that a dataset's statistics are compared with."""

    def __init__(self) -> None:
        self.count = 0
        self.parts = 0
        self.low: Floats = np.empty(0)
        self.high: Floats = np.empty(0)
        self.lowest: Floats | None = None
        """(5, width): the least of the episodes' stored quantiles; those of the dataset lie between."""
        self.highest: Floats | None = None
        self._values = 0
        self._sum: Floats = np.empty(0)
        self._squares: Floats = np.empty(0)
        self._origin: Floats = np.empty(0)

    def add(self, values: npt.NDArray[Any], stored: Mapping[str, Any]) -> None:
        """Count in (n, *shape) values of an episode, and the quantiles it has in store."""
        quantiles = _quantiles(stored, _flat(values).shape[1:])
        self.add_run(values, 1, None if quantiles is None else quantiles[:, None])

    def add_run(self, values: npt.NDArray[Any], parts: int, quantiles: Floats | None) -> None:
        """Count in (n, *shape) values of so many episodes, and their (5, episodes, width) quantiles in store."""
        flat = _flat(values)
        if not self.count:
            self._origin, self.low, self.high = flat[0], flat[0], flat[0]
            self._sum, self._squares = np.zeros_like(flat[0]), np.zeros_like(flat[0])
        shifted = flat - self._origin  # keeps a small spread far from zero exact
        self._sum = self._sum + shifted.sum(axis=0)
        self._squares = self._squares + (shifted**2).sum(axis=0)
        self.low, self.high = np.minimum(self.low, flat.min(axis=0)), np.maximum(self.high, flat.max(axis=0))
        self.count += len(values)
        self.parts += parts
        self._values += len(flat)
        if quantiles is not None:
            least, most = quantiles.min(axis=1), quantiles.max(axis=1)
            self.lowest = least if self.lowest is None else np.minimum(self.lowest, least)
            self.highest = most if self.highest is None else np.maximum(self.highest, most)

    @property
    def moments(self) -> dict[str, Floats]:
        """min, max, mean and std of everything."""
        mean = self._sum / self._values
        std = np.sqrt(np.maximum(self._squares / self._values - mean**2, 0))
        return {"min": self.low, "max": self.high, "mean": mean + self._origin, "std": std}


def check_column(where: str, values: npt.NDArray[Any], stored: Mapping[str, Any], report: ReportProblem) -> None:
    """Compare the stored statistics of an episode's column with its (n, *shape) values."""
    if any(name not in stored for name in STATISTICS):
        return  # reported once per file, by the check of the columns
    flat = _flat(values)
    moments = {"min": flat.min(axis=0), "max": flat.max(axis=0), "mean": flat.mean(axis=0), "std": flat.std(axis=0)}
    if not _moments_agree(where, moments, len(values), stored, report):
        return
    quantiles = _quantiles(stored, flat.shape[1:])
    if quantiles is None:
        report(_CODE, where, f"found quantiles of another shape than {flat.shape[1:]}")
        return
    spread = moments["max"] - moments["min"]
    for (name, share), found in zip(QUANTILES.items(), quantiles, strict=True):
        # Any rule for quantiles is allowed: at least, and at most, that share of the values is up to there.
        slack = slack_of(found, spread)
        below = np.mean(flat < found - slack, axis=0) - 1.5 / len(flat)
        up_to = np.mean(flat <= found + slack, axis=0) + 1.5 / len(flat)
        single = (len(values) == 1) & (np.abs(found - moments["mean"]) <= slack)  # LeRobot: the mean of one row
        if not np.all(((below <= share) & (share <= up_to)) | single):
            report(
                _CODE, where, f"{name}: found {_short(found)}, expected the {percent_text(share)} quantile of the rows"
            )


def check_form(where: str, stored: Any, shape: tuple[int, ...], log: FindingLog, *, stale: bool) -> bool:
    """Whether a numeric column's statistics of the whole dataset are all there, as finite numbers of their shape."""
    report: ReportProblem = log.warning if stale else log.error
    missing = sorted(set(STATISTICS) - set(stored)) if isinstance(stored, dict) else list(STATISTICS)
    if missing:
        log.error(_CODE, where, f"found no {', '.join(missing)}: training would not normalise, or stop")
        return False
    for name in STATISTICS:
        value, expected = floats(stored[name]), (1,) if name == "count" else shape
        if value is None or value.shape != expected or not np.isfinite(value).all():
            found = "no finite numbers" if value is None or value.shape == expected else f"shape {value.shape}"
            report(_CODE, where, f"{name}: found {found}, expected numbers of shape {expected}")
            return False
    return True


def check_pooled(where: str, pool: PooledStats, stored: Mapping[str, Any], log: FindingLog, *, stale: bool) -> None:
    """Compare a column's statistics of the whole dataset, whose form is right, with the sum over all rows."""
    report: ReportProblem = log.warning if stale else log.error
    if not _moments_agree(where, pool.moments, pool.count, stored, report):
        return
    quantiles = _quantiles(stored, pool.low.shape)
    assert quantiles is not None  # their form is right
    # Rules for quantiles differ by bins, and by the distance of neighbours where there are few values.
    slack = 2 * (pool.high - pool.low) * (1 / 5000 + pool.parts / pool.count) + 1e-6 * (1 + np.abs(quantiles))
    inside = np.ones(quantiles.shape, bool)
    if pool.lowest is not None and pool.highest is not None:
        inside = (quantiles >= pool.lowest - slack) & (quantiles <= pool.highest + slack)
    if not np.all(inside) or np.any(np.diff(quantiles, axis=0) < -slack[1:]):
        name = list(QUANTILES)[int(np.argmin(inside.all(axis=1)))]
        found = _short(quantiles[list(QUANTILES).index(name)])
        report(_CODE, where, f"{name}: found {found}, expected a value between those of the episodes")


def _moments_agree(
    where: str, expected: Mapping[str, Floats], count: int, stored: Mapping[str, Any], report: ReportProblem
) -> bool:
    """Report the first of count, min, max, mean and std that is wrong."""
    if stored["count"] != [count]:
        report(_CODE, where, f"count: found {stored['count']}, expected [{count}]")
        return False
    for name, value in expected.items():
        found = floats(stored[name])
        if found is None or found.shape != value.shape:
            shape = "no numbers" if found is None else f"shape {found.shape}"
            report(_CODE, where, f"{name}: found {shape}, expected numbers of shape {value.shape}")
            return False
        if not np.all(np.abs(found - value) <= allowed(name, expected["min"], expected["max"])):
            report(_CODE, where, f"{name}: found {_short(found)}, expected {_short(value)} as in the rows")
            return False
    return True


def _quantiles(stored: Mapping[str, Any], shape: tuple[int, ...]) -> Floats | None:
    """(5, *shape) stored quantiles, or None when they have another shape."""
    found = [floats(stored.get(name)) for name in QUANTILES]
    good = [value for value in found if value is not None and value.shape == shape and np.isfinite(value).all()]
    return np.stack(good) if len(good) == len(QUANTILES) else None


def floats(value: Any) -> Floats | None:
    """A nested list of numbers as an array, None when it is anything else."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def _flat(values: npt.NDArray[Any]) -> Floats:
    columns = values[:, None] if values.ndim == 1 else values
    return columns.reshape(-1, columns.shape[-1]).astype(np.float64)


def _short(values: Floats) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values.ravel()[:4])
    return f"[{shown}{', ...' if values.size > 4 else ''}]"
