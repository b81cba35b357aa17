"""Counts of colour values of sampled frames: all that LeRobot's image statistics need, in 6 KB per camera.

256 counts per channel give minimum, maximum, mean, deviation and quantiles exactly, are summed over episodes
without loss, and cost a tenth of keeping the pixels.
"""

import numpy as np
import numpy.typing as npt

from telecine.core.grid import Rows

_SMALL = 100
_MOST = 10_000
_SIDE_PX = 150
_MOST_HELD = 1 << 21
"""Values that are counted together."""
_PAIRS_FROM = 1 << 19
"""From so many values on, making and adding up a table of all pairs pays."""


def sample_indices(n: int) -> Rows:
    """(m,) int64, increasing: which of an episode's n frames count for its statistics.

    LeRobot's own rule (`lerobot.datasets.compute_stats.sample_indices` 0.6), so that its tools, which compute
    statistics again from the frames, look at the same ones.
    """
    if n < _SMALL:
        return np.arange(n, dtype=np.int64)
    return np.round(np.linspace(0, n - 1, max(_SMALL, min(int(n**0.75), _MOST)))).astype(np.int64)


def pixel_stride(height: int, width: int) -> int:
    """Every how many pixels are counted in both directions: LeRobot's rule, 1 below 300 px."""
    longer = max(height, width)
    return 1 if longer < 2 * _SIDE_PX else longer // _SIDE_PX


class Histogram:
    """How often each 8-bit value occurs in each channel of the frames added so far.

    sampled: number of frames added.
    """

    __slots__ = ("_counts", "_held", "sampled")

    def __init__(self) -> None:
        self._counts: npt.NDArray[np.int64] = np.zeros((3, 256), np.int64)
        self._held: list[npt.NDArray[np.uint8]] = []
        self.sampled = 0

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """(3, 256) int64, red, green, blue, over every `pixel_stride`-th pixel."""
        self._count()
        return self._counts

    def _count(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._counts += _counted(np.concatenate(held, axis=1))

    def add(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Count one frame, (height, width, 3) uint8."""
        height, width = rgb.shape[:2]
        stride = pixel_stride(height, width)
        planes = np.ascontiguousarray(rgb[::stride, ::stride].transpose(2, 0, 1)).reshape(3, -1)
        self._held.append(planes)
        self.sampled += 1
        if planes.size * len(self._held) >= _MOST_HELD:
            self._count()


def _counted(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """(channels, 256) counts of (channels, n) values. Many are counted two at a time, which takes half as long."""
    if planes.size < _PAIRS_FROM or planes.shape[1] % 2:
        return np.array([np.bincount(plane, minlength=256) for plane in planes])
    pairs = [np.bincount(plane.view(np.uint16), minlength=1 << 16).reshape(256, 256) for plane in planes]
    return np.array([pair.sum(axis=0) + pair.sum(axis=1) for pair in pairs])
