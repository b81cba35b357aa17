"""Are the stamps of one stream nanoseconds that go on? Pure: stamps in, the reason for a refusal out."""

import math
import operator
from collections import deque
from statistics import median_low
from typing import Any

import numpy as np

from telecine.core.errors import PlanError
from telecine.core.grid import SECOND
from telecine.core.resample.overlap import LONGEST_NS

LATE_NS = SECOND
"""A sample may come this much later than its stamp, measured by the newest stamp of its stream."""
_UNITS = {3: "microseconds", 6: "milliseconds", 9: "seconds"}
_FACTORS = {3: "1_000", 6: "1_000_000", 9: "1_000_000_000"}
_MOST_FASTER = 300.0
"""A stream of unknown rate may be this much faster than the dataset: 9 kHz at 30 fps."""
_DECLARED_FACTOR = 100.0
_RECENT_STEPS = 32
_AUTO_PERIODS, _AUTO_LEAST_NS = 5, SECOND // 4


def stamp_of(key: str, time_ns: Any) -> int:
    """The stamp as an integer. Raises: PlanError for anything that is none, such as seconds as a float."""
    try:
        return operator.index(time_ns)
    except TypeError:
        pass
    meant = ""
    if isinstance(time_ns, float | np.floating) and math.isfinite(time_ns):
        meant = f"; if these are seconds, pass int({float(time_ns):.6f} * 1e9)"
    raise PlanError(
        f"{key}: time_ns is {time_ns!r} ({type(time_ns).__name__}), expected integer nanoseconds, as from "
        f"time.monotonic_ns() or time.time_ns(){meant}"
    )


class StampCheck:
    """The stamps of one stream so far. Not for several threads at once.

    fps: of the dataset; None for streams without a rate, such as text, whose unit of time is not checked.
    newest_ns: the latest stamp; None before the first. count: samples that were accepted. unit_problem: why the last
        sample was refused for its unit of time, "" when it was not.
    """

    __slots__ = ("_declared_hz", "_first", "_fps", "_key", "_steps", "count", "newest_ns", "unit_problem")

    def __init__(self, key: str, fps: int | None, declared_hz: float | None) -> None:
        self._key, self._fps, self._declared_hz = key, fps, declared_hz
        self._steps: deque[int] = deque(maxlen=_RECENT_STEPS)
        self._first: list[int] = []
        self.newest_ns: int | None = None
        self.count = 0
        self.unit_problem = ""

    def check(self, stamp_ns: int, others_ns: int | None) -> None:
        """Nothing, when the stamp may follow. others_ns: the newest stamp of all streams of the episode, if any.

        Raises: PlanError with what was probably meant; the sample is not to be taken then.
        """
        if self.newest_ns is None:
            if others_ns is not None and abs(stamp_ns - others_ns) > LONGEST_NS:
                raise PlanError(
                    f"{self._key}: timestamp {stamp_ns} is {_apart(stamp_ns, others_ns)} from those of the other "
                    "streams; take all timestamps from one clock"
                )
            return
        behind = self.newest_ns - stamp_ns
        if behind > LATE_NS:
            raise PlanError(
                f"{self._key}: timestamp {stamp_ns} is {behind / SECOND:.3f} s older than the newest of its stream; "
                f"samples up to {LATE_NS / SECOND:g} s late are sorted in; this one was not taken"
            )
        if -behind > LONGEST_NS:
            raise PlanError(
                f"{self._key}: timestamp {stamp_ns} is {_apart(stamp_ns, self.newest_ns)} after the one before; "
                "the clock jumped; this sample was not taken"
            )
        if self.count == 2 and (rate := self._declared_hz or self._fps) is not None:
            self.unit_problem = self._wrong_unit(stamp_ns, rate)
            if self.unit_problem:
                raise PlanError(f"{self._key}: {self.unit_problem}; this sample was not taken")

    def _wrong_unit(self, third_ns: int, rate: float) -> str:
        """What is wrong with the unit of the first three stamps, "" when nothing is."""
        stamps = sorted([*self._first, third_ns])
        step = float(np.median(np.diff(stamps)))
        period = SECOND / rate
        slower = step / period
        faster = period / step if step else math.inf
        most_faster, most_slower = (_DECLARED_FACTOR,) * 2 if self._declared_hz else (_MOST_FASTER, math.inf)
        if faster < most_faster and slower < most_slower:
            return ""
        of = f"the declared {rate:g} Hz" if self._declared_hz else f"{rate} fps, those of the dataset,"
        meant = (
            "are they in a finer unit than nanoseconds, or is the declared rate wrong?"
            if slower > 1
            else _meant(stamps, step, period)
        )
        return f"its first timestamps are {step:g} ns apart, but {of} are {period:.0f} ns; {meant}"

    def take(self, stamp_ns: int) -> None:
        """Count the sample."""
        if self.count < 2:
            self._first.append(stamp_ns)
        self.count += 1
        self.unit_problem = ""
        if self.newest_ns is not None and stamp_ns > self.newest_ns:
            self._steps.append(stamp_ns - self.newest_ns)
        if self.newest_ns is None or stamp_ns > self.newest_ns:
            self.newest_ns = stamp_ns

    @property
    def auto_limit_ns(self) -> int:
        """For how long the stream may be quiet: five of its own periods, at least 250 ms (`Rate.auto_limit_ns`)."""
        period = median_low(self._steps) if self._steps else 0
        return max(_AUTO_PERIODS * period, _AUTO_LEAST_NS)


def _apart(one: int, other: int) -> str:
    return f"{abs(one - other) / (24 * 3600 * SECOND):.1f} days"


def _meant(stamps: list[int], step: float, period: float) -> str:
    """The unit in which the stamps probably are: by the date that they would be, else by their steps."""
    dated = next((u for u in _UNITS if _is_date(stamps[0] * 10**u)), None)
    power = dated or (min(_UNITS, key=lambda u: abs(math.log10(period / step) - u)) if step else 9)
    return (
        f"they look like {_UNITS[power]}: pass nanoseconds, time_ns * {_FACTORS[power]}, "
        "or time.monotonic_ns() and time.time_ns()"
    )


def _is_date(stamp_ns: int) -> bool:
    """Between 2001 and 2096, as ns since the Unix epoch."""
    return 10**18 <= stamp_ns <= 4 * 10**18
