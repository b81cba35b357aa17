"""Ticks of an episode in exact integer nanoseconds. Refuses floating-point time, but to compare what is stored."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass

Times = npt.NDArray[np.int64]
"""(n,) int64 nanoseconds."""
Rows = npt.NDArray[np.int64]
"""(n,) int64 positions in a stream; `align.MISSING` (-1) where there is none."""

SECOND = 10**9
ON_GRID_NS = 100_000
"""How far a stamp may be from a tick and still lie on it: LeRobot's tolerance for its timestamps."""


def tick_at(number: int, fps: int) -> int:
    """When tick `number` of a grid from 0 is: round(number * 1e9 / fps) ns, halves rounded up."""
    return (2 * number * SECOND + fps) // (2 * fps)


@dataclass(frozen=True, slots=True)
class Grid:
    """`count` ticks from `start_ns` at `fps`: tick i = start + round(i * 1e9 / fps), halves rounded up.

    Integer arithmetic only, so a tick is never more than half a nanosecond off, at any length.
    """

    start_ns: int
    count: int
    fps: Fraction

    def __post_init__(self) -> None:
        if self.fps <= 0 or self.count < 0:
            raise ValueError(f"a grid needs fps > 0 and count >= 0, got fps {self.fps} and count {self.count}")

    def ticks(self) -> Times:
        """(count,) int64 ns, increasing."""
        return self.at(np.arange(self.count, dtype=np.int64))

    def at(self, numbers: Rows) -> Times:
        """(n,) int64 ns: the ticks of these numbers, which may lie outside of [0, count)."""
        whole, rest = divmod(SECOND * self.fps.denominator, self.fps.numerator)
        return self.start_ns + numbers * whole + (2 * numbers * rest + self.fps.numerator) // (2 * self.fps.numerator)

    def nearest(self, times: Times) -> Rows:
        """(n,) int64: the numbers of the ticks nearest to these stamps, which may lie outside of [0, count)."""
        return np.asarray(np.rint((times - self.start_ns) * (float(self.fps) / SECOND)), np.int64)

    @property
    def tolerance_ns(self) -> int:
        """How far a stamp may be from a tick and still lie on it; at most a hundredth of the period."""
        return min(ON_GRID_NS, int(SECOND / self.fps / 100))

    @property
    def stop_ns(self) -> int:
        """Where the tick after the last would be: the episode's rows stand for [start_ns, stop_ns)."""
        return int(self.at(np.array(self.count)))

    @classmethod
    def between(cls, start_ns: int, stop_ns: int, fps: Fraction) -> "Grid":
        """The longest grid from `start_ns` whose last tick is not after `stop_ns` (both ends included)."""
        if stop_ns < start_ns:
            return cls(start_ns, 0, fps)
        enough = int((stop_ns - start_ns) * fps / SECOND) + 2
        ticks = cls(start_ns, enough, fps).ticks()
        return cls(start_ns, int(np.searchsorted(ticks, stop_ns, side="right")), fps)


def off_rows_s(seconds: npt.NDArray[Any], fps: float, rows: npt.NDArray[Any] | None = None) -> npt.NDArray[np.float64]:
    """(n,) seconds that stored times are off row / fps, both as float32: so LeRobot compares them.

    seconds: (n,). rows: (n,) which rows they are of; 0 to n - 1 where not given. Behind 2048 s float32 is coarser than
    the 0.1 ms that times may be off, and still exact for LeRobot: the frame's own time is rounded in the same way.
    """
    numbers = np.arange(seconds.size) if rows is None else rows
    with np.errstate(over="ignore"):
        stored = seconds.astype(np.float32).astype(np.float64)
    return np.asarray(np.abs(stored - (numbers / float(fps)).astype(np.float32)))


def grid_of(times: Times) -> Grid | None:
    """The grid that stamps lie on, from the first to the last of them; None when they lie on none.

    times: (n,) int64 ns, non-decreasing. Tried are whole and half rates and those of television (30000/1001), so
    that a sensor's own clock is rarely taken for a grid. Some ticks may be without a stamp, as where samples were lost.
    """
    steps = np.diff(times)
    moves = steps[steps > 0]
    if not moves.size:
        return None
    hz = SECOND / float(np.median(moves))
    fitting: list[tuple[int, Grid]] = []
    for fps in (Fraction(round(2 * hz), 2), Fraction(round(hz) * 1000, 1001)):
        if fps > 0:
            numbers = Grid(int(times[0]), 0, fps).nearest(times)
            grid = Grid(int(times[0]), int(numbers[-1]) + 1, fps)
            fitting.append((int(np.abs(times - grid.at(numbers)).max()), grid))
    return next((grid for off, grid in sorted(fitting, key=lambda f: f[0])[:1] if off <= grid.tolerance_ns), None)
