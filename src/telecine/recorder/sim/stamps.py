"""When frames are stamped in recordings in which each stream has its own times: late, off by chance, drifting."""

import zlib
from dataclasses import dataclass

import numpy as np

from telecine.core.grid import Times


@dataclass(frozen=True, slots=True)
class StampErrors:
    """What is wrong with the stamps of a camera, in ns.

    late: how much later than they were taken frames are stamped; negative: sooner. jitter: the most by which each is
    off, by chance, either way. drift: how much more the last is late than the first.
    """

    late: int = 0
    jitter: int = 0
    drift: int = 0

    def stamped(self, times: Times, camera: str, seed: int) -> Times:
        """(n,) int64 ns, non-decreasing: the stamps of frames taken at `times`; the same for the same seed."""
        if self == StampErrors():
            return times
        rng = np.random.default_rng([seed, zlib.crc32(camera.encode())])
        off = rng.integers(-self.jitter, self.jitter + 1, len(times))
        late = np.round(np.linspace(0, self.drift, len(times))).astype(np.int64) + self.late
        return np.sort(times + late + off).astype(np.int64)
