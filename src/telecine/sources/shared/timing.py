"""When the steps of a recording were, which its arrays share."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from telecine.core.grid import Grid, Rows, Times
from telecine.core.recording import ClockKind

STEP = "step"
TIME = "time"
TIMESTAMP, ELAPSED = "timestamp", "elapsed"
"""The clocks of stamps that are dates, and of those that count from some start."""
SHORT = 10_000
"""Steps up to which their times are kept for the next array."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When each step was: always on the clock `step`, which counts; on `time` where the rate is known."""

    fps: Fraction | None = None
    stamps: Times | None = None
    """(steps,) int64 ns on the clock `clock`, where the recorder kept them."""
    clock: str = TIMESTAMP
    kind: ClockKind = "timestamp"

    def clocks(self) -> Mapping[str, ClockKind]:
        """What `times` knows."""
        known: dict[str, ClockKind] = {STEP: "sequence"}
        if self.fps is not None:
            known[TIME] = "duration"
        if self.stamps is not None:
            known[self.clock] = self.kind
        return known

    def times(self, clock: str, steps: Rows) -> Times | None:
        """(n,) int64 for steps, in their order; None for a clock it does not have."""
        if clock == STEP:
            return steps
        if clock == TIME and self.fps is not None:
            return Grid(0, 0, self.fps).at(steps)
        if clock == self.clock and self.stamps is not None:
            return self.stamps[steps]
        return None


@lru_cache(maxsize=64)
def counted_times(steps: int, fps: Fraction | None, clock: str) -> Times | None:
    """As `Timing.times` of the first steps, made once for the arrays of many short episodes: not to be changed."""
    times = Timing(fps).times(clock, np.arange(steps, dtype=np.int64))
    if times is not None:
        times.flags.writeable = False
    return times
