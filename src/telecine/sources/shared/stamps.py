"""Stamps that recorders store as arrays: which names are stamps, whose they are, and what unit they count.

A stamp says when, so it places samples and is never robot state. Nothing here reads a file.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from telecine.core.grid import SECOND, Times, grid_of
from telecine.core.recording import ClockKind

_STAMP = re.compile(
    r"t(?:_(?P<of_t>ns|us|ms|s))?|(?:(?P<of>.+)_)??(?:time_?stamps?|stamps?|times?|ts)"
    r"(?:_(?P<unit>ns|nsec|us|usec|ms|msec|s|sec))?"
)
_UNITS = {"ns": 1, "nsec": 1, "us": 1000, "usec": 1000, "ms": 10**6, "msec": 10**6, "s": SECOND, "sec": SECOND}
_LONG_UNITS = {"nanoseconds": 1, "microseconds": 1000, "milliseconds": 10**6, "seconds": SECOND, "second": SECOND}
_WORDS = {1: "nanoseconds", 1000: "microseconds", 10**6: "milliseconds", SECOND: "seconds"}
_EPOCH_S, _LATEST_S = 10**9, 1 << 33
"""Seconds since 1970 of the years 2001 and 2242: what lies between is a date."""
_SLOWEST_PERIOD_S = 5
"""Robots are sampled more often than this, so that fractions that step further count something smaller."""


def is_stamp(name: str) -> bool:
    """True for the name of an array that says when.

    >>> [is_stamp(n) for n in ("timestamp", "camera_timestamps", "time_ns", "t", "ts", "stamp_ms")]
    [True, True, True, True, True, True]
    >>> [is_stamp(n) for n in ("position", "time_to_goal", "tilt", "left", "lifetime", "points")]
    [False, False, False, False, False, False]
    """
    return _match(name) is not None


def _match(name: str) -> re.Match[str] | None:
    return _STAMP.fullmatch(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def owner_of(name: str) -> str:
    """Whose stamps an array of this name holds: "" for those of all that stands beside it.

    >>> owner_of("camera_timestamps"), owner_of("timestamp"), owner_of("joint_time_ns")
    ('camera', '', 'joint')
    """
    match = _match(name)
    return (match["of"] or "") if match else ""


@dataclass(frozen=True, eq=False, slots=True)
class Stamps:
    """When the rows of an array were, as the recorder stored it.

    times: (n,) int64 ns, non-decreasing. kind: `timestamp` since 1970, `duration` since some start.
    unit_ns: what one of the stored numbers counts.
    """

    times: Times
    kind: ClockKind
    unit_ns: int
    guessed: bool
    """Neither the name nor an attribute says the unit."""

    @property
    def unit(self) -> str:
        """The unit in words."""
        return _WORDS[self.unit_ns]


def stamps_of(name: str, values: Any, unit: str = "") -> Stamps | str:
    """The stamps that `values` (n,) numbers are, or why they are none.

    name: of the array. unit: as an attribute of the array says it, "" where none does.

    >>> found = stamps_of("timestamp", np.array([1.7e9, 1.7e9 + 0.5]))
    >>> found.kind, found.unit, np.diff(found.times).tolist()
    ('timestamp', 'seconds', [500000000])
    >>> stamps_of("t", np.arange(5))
    'it counts rows'
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "fiu" or not values.size:
        return "it is not one number for each row"
    if not np.isfinite(values).all():
        return "some of its values are no numbers"
    back = np.flatnonzero(np.diff(values.astype(np.float64)) < 0)
    if back.size:
        return f"its values go back at row {int(back[0]) + 1}"
    if values.size > 1 and values[0] == values[-1]:
        return "it stands still"
    stated = _stated_unit(name, unit)
    if stated is None and values.dtype.kind in "iu" and values.size > 1 and np.all(np.diff(values) == 1):
        return "it counts rows"
    unit_ns = stated or _likely_unit(values)
    seconds = float(values[-1]) * unit_ns / SECOND
    if abs(seconds) > _LATEST_S:
        return "its values are later than the year 2242"
    times = values.astype(np.int64) * unit_ns if values.dtype.kind in "iu" else _whole_ns(values, unit_ns)
    is_date = float(values[0]) * unit_ns / SECOND >= _EPOCH_S
    return Stamps(times, "timestamp" if is_date else "duration", unit_ns, stated is None and not is_date)


def times_of_seconds(seconds: Any) -> Times | None:
    """(n,) int64 ns since the first of (n,) seconds; None where they are not finite, no dates, or do not go up.

    >>> times_of_seconds([10.0, 10.5]).tolist(), times_of_seconds([1.0, 1.0])
    ([0, 500000000], None)
    """
    stamps = np.asarray(seconds, np.float64)
    if not stamps.size or not np.isfinite(stamps).all() or np.abs(stamps).max() > _LATEST_S:
        return None
    times = _on_their_grid(np.round((stamps - stamps[0]) * SECOND).astype(np.int64), stamps, SECOND)
    return times if (np.diff(times) > 0).all() else None


def _whole_ns(values: Any, unit_ns: int) -> Times:
    """Whole seconds apart from their fractions, which a product in floating point would cost nanoseconds."""
    whole = np.floor(values.astype(np.float64))
    rest = np.round((values.astype(np.float64) - whole) * unit_ns)
    return _on_their_grid(whole.astype(np.int64) * unit_ns + rest.astype(np.int64), values, unit_ns)


def _on_their_grid(times: Times, stored: Any, unit_ns: int) -> Times:
    """The ticks of the grid that `times` lie on as exactly as the stored floats can say, else `times`.

    Seconds since 1970 in 64 bits are told to 238 ns: of stamps that mean 20 Hz some come that much after a tick, which
    would show the sample before them.
    """
    grid = grid_of(times)
    if grid is None:
        return times
    ticks = grid.at(grid.nearest(times))
    finest_ns = float(np.spacing(np.abs(stored).max())) * unit_ns
    return ticks if np.abs(times - ticks).max() <= max(finest_ns, 1.0) else times


def _stated_unit(name: str, unit: str) -> int | None:
    match = _match(name)
    word = unit.strip().lower() or (match["unit"] or match["of_t"] if match else "") or ""
    return _UNITS.get(word) or _LONG_UNITS.get(word)


def _likely_unit(values: Any) -> int:
    """By size for dates; else by the usual step: robots are sampled between a thousand times and once a second."""
    first = abs(float(values[0]))
    for unit_ns in (1, 1000, 10**6, SECOND):
        if _EPOCH_S * SECOND <= first * unit_ns < _LATEST_S * SECOND:
            return unit_ns
    step = float(np.median(np.diff(values.astype(np.float64)))) if values.size > 1 else 0.0
    if values.dtype.kind == "f" and step < _SLOWEST_PERIOD_S:
        return SECOND
    return next((unit_ns for unit_ns in (1, 1000, 10**6) if step * unit_ns >= 10**6), 10**6)
