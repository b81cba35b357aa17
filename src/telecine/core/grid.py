"""Ticks of an episode in exact integer nanoseconds. Refuses floating-point time."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
"""(n,) int64 nanoseconds."""
Rows = npt.NDArray[np.int64]
"""(n,) int64 positions in a stream; `align.MISSING` (-1) where there is none."""

SECOND = 10**9


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
        i = np.arange(self.count, dtype=np.int64)
        whole, rest = divmod(SECOND * self.fps.denominator, self.fps.numerator)
        return self.start_ns + i * whole + (2 * i * rest + self.fps.numerator) // (2 * self.fps.numerator)

    @property
    def stop_ns(self) -> int:
        """Where the tick after the last would be: the episode's rows stand for [start_ns, stop_ns)."""
        return int(replace(self, count=self.count + 1).ticks()[-1])

    @classmethod
    def between(cls, start_ns: int, stop_ns: int, fps: Fraction) -> "Grid":
        """The longest grid from `start_ns` whose last tick is not after `stop_ns` (both ends included)."""
        if stop_ns < start_ns:
            return cls(start_ns, 0, fps)
        enough = int((stop_ns - start_ns) * fps / SECOND) + 2
        ticks = cls(start_ns, enough, fps).ticks()
        return cls(start_ns, int(np.searchsorted(ticks, stop_ns, side="right")), fps)
