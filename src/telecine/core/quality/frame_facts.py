"""What is kept of a frame: a small grey image and a few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.stats import Floats

Grey = npt.NDArray[np.uint8]
SMALL_PX = 60
"""About the shorter side of the small image."""
PRINT_SHAPE = (12, 16)
"""(height, width) of what is compared between episodes."""
SEAM = 24
"""A difference between two lines of pixels that an eye sees."""
FLAT = 2.0
_FACTOR_16 = 16
"""The largest square of pixels whose sum 16 bits hold."""


@dataclass(frozen=True, eq=False, slots=True)
class FrameFacts:
    """Of k frames. small: (k, height, width) float32. All others (k,).

    brightness: mean, 0 to 255. contrast: deviation. detail: how much of the difference between neighbouring pixels is
    in the finest steps, which blur takes away. seam: the largest part of a line of pixels that differs from the next.
    flat: the part of the frame's height, from below, that is one grey. flat_seam: the part of its width in which that
    ends from one line to the next.
    """

    small: npt.NDArray[np.float32]
    brightness: Floats
    contrast: Floats
    detail: Floats
    seam: Floats
    flat: Floats
    flat_seam: Floats

    def __len__(self) -> int:
        return len(self.brightness)

    @property
    def prints(self) -> npt.NDArray[np.float32]:
        """(k, 12, 16) float32, the frames scaled down."""
        return printed(self.small)


def frame_facts(frames: Sequence[Grey]) -> FrameFacts:
    """frames: k of (height, width) uint8, all of one size, at least one."""
    small, numbers = [], []
    for grey in frames:
        reduced = reduced_to_means(grey)
        small.append(reduced)
        numbers.append((float(reduced.mean()), float(reduced.std()), _detail(grey, reduced), _seam(grey), *_flat(grey)))
    columns = np.array(numbers, np.float64).T
    return FrameFacts(np.stack(small), *columns)


def reduced_to_means(grey: Grey) -> npt.NDArray[np.float32]:
    """Means of squares of pixels, so that the noise of sensor and encoder goes."""
    factor = max(round(min(grey.shape) / SMALL_PX), 2)
    height, width = (side // factor for side in grey.shape)
    cut = grey[: height * factor, : width * factor]
    across: npt.NDArray[Any] = cut[:, ::factor].astype(np.uint16 if factor <= _FACTOR_16 else np.uint32)
    for at in range(1, factor):  # a few sums of whole arrays; numpy's own sums of short runs take five times as long
        across += cut[:, at::factor]
    sums = across[::factor].copy()
    for at in range(1, factor):
        sums += across[at::factor]
    made: npt.NDArray[np.float32] = sums.astype(np.float32) / np.float32(factor * factor)
    return made


def _detail(grey: Grey, reduced: npt.NDArray[np.float32]) -> float:
    every = max(grey.shape[0] // 120, 1)
    lines = grey[::every].astype(np.int16)
    fine = np.diff(lines, axis=1).astype(np.float32).ravel()
    coarse = np.diff(reduced, axis=1).ravel()
    return float(fine @ fine) / max(fine.size, 1) / (float(coarse @ coarse) / max(coarse.size, 1) + 1.0)


def _seam(grey: Grey) -> float:
    every = max(grey.shape[1] // 80, 1)
    columns = grey[:, ::every].astype(np.int16)
    return float((np.abs(np.diff(columns, axis=0)) > SEAM).mean(axis=1).max()) if len(grey) > 1 else 0.0


def _flat(grey: Grey) -> tuple[float, float]:
    every = max(grey.shape[1] // 80, 1)
    lines = np.ascontiguousarray(grey[::-1, ::every])
    level = float(lines[0].mean())
    uneven = np.flatnonzero((lines.max(axis=1) > level + 2 * FLAT) | (lines.min(axis=1) < level - 2 * FLAT))
    top = int(uneven[0]) if uneven.size else len(lines)
    above = lines[top + 1 : top + 4].astype(np.float32)  # an encoder smears the lines between
    seam = float((np.abs(above - level) > SEAM / 2).mean(axis=1).max()) if len(above) else 0.0
    return top / len(lines), seam


def printed(small: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(k, height, width) images as (k, 12, 16), or as they are in a direction that is shorter."""
    for axis, parts in ((1, PRINT_SHAPE[0]), (2, PRINT_SHAPE[1])):
        size = small.shape[axis]
        if size > parts:
            at = np.linspace(0, size, parts, endpoint=False).round().astype(int)
            counts = np.diff([*at.tolist(), size]).astype(np.float32)
            shape = [1, 1, 1]
            shape[axis] = parts
            small = (np.add.reduceat(small, at, axis=axis) / counts.reshape(shape)).astype(np.float32)
    return small


def difference(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> Floats:
    """(k,) mean absolute differences of (k, height, width) images, or of one with k."""
    made: Floats = np.abs(a - b).mean(axis=(-2, -1), dtype=np.float64)
    return made
