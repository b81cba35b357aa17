"""What is kept of a frame: a small grey image and a few numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.stats import Floats
from telecine.core.video import Flags

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


def frame_facts(frames: Sequence[Grey]) -> FrameFacts:
    """frames: k of (height, width) uint8, all of one size, at least one."""
    small = np.stack([reduced_to_means(grey) for grey in frames])
    brightness = small.mean(axis=(1, 2), dtype=np.float64)
    contrast = np.sqrt(_squares(small - brightness.astype(np.float32)[:, None, None]))
    detail = np.array([_fine(grey) for grey in frames]) / (_squares(np.diff(small, axis=2)) + 1.0)
    lines = (np.array(grey[:, :: max(grey.shape[1] // 80, 1)], order="C") for grey in frames)
    seam, flat, flat_seam = np.array([(_seam(some), *_flat(some)) for some in lines], np.float64).T
    return FrameFacts(small, brightness, contrast, detail, seam, flat, flat_seam)


def reduced_to_means(grey: Grey) -> npt.NDArray[np.float32]:
    """Means of squares of pixels, so that the noise of sensor and encoder goes."""
    factor = max(round(min(grey.shape) / SMALL_PX), 2)
    height, width = (side // factor for side in grey.shape)
    cut = grey[: height * factor, : width * factor]
    down: npt.NDArray[Any] = cut[::factor].astype(np.uint16 if factor <= _FACTOR_16 else np.uint32)
    for at in range(1, factor):  # a few sums of whole arrays; numpy's own sums of short runs take five times as long
        down += cut[at::factor]
    sums = down[:, ::factor].copy()
    for at in range(1, factor):
        sums += down[:, at::factor]
    made: npt.NDArray[np.float32] = sums.astype(np.float32) / np.float32(factor * factor)
    return made


def _squares(values: npt.NDArray[np.float32]) -> Floats:
    """(k,) means of the squares of (k, height, width)."""
    made: Floats = np.einsum("kij,kij->k", values, values).astype(np.float64) / max(values[0].size, 1)
    return made


def _fine(grey: Grey) -> float:
    """How much neighbouring pixels differ, squared; of some lines."""
    lines = grey[:: max(grey.shape[0] // 60, 1)]
    steps = _apart(lines[:, 1:], lines[:, :-1]).astype(np.float32)
    return float(np.vdot(steps, steps)) / max(steps.size, 1)


def _apart(a: Grey, b: Grey) -> Grey:
    """By how much bytes differ, without a detour through larger numbers."""
    made: Grey = np.maximum(a, b) - np.minimum(a, b)
    return made


def _seam(lines: Grey) -> float:
    """lines: (height, some columns)."""
    seen = (_apart(lines[1:], lines[:-1]) > SEAM).sum(axis=1)
    return int(seen.max(initial=0)) / int(lines.shape[1])


def _flat(lines: Grey) -> tuple[float, float]:
    """lines: (height, some columns)."""
    count, width = lines.shape
    level = float(lines[-1].mean())
    if not _within(lines[-1], level, 2 * FLAT).all():
        return 0.0, 0.0  # nearly always, and then nothing else has to be looked at
    even = _within(lines, level, 2 * FLAT).ravel()[::-1]
    at = int(even.argmin())
    top = count if even[at] else at // width
    above = lines[max(count - top - 4, 0) : max(count - top - 1, 0)]  # an encoder smears the one between
    seam = width - int(_within(above, level, SEAM / 2).sum(axis=1).min(initial=width))
    return top / count, seam / width


def _within(values: Grey, level: float, reach: float) -> Flags:
    """Where bytes are at most so far from a level, by bounds that are bytes too."""
    low, high = max(math.ceil(level - reach), 0), min(math.floor(level + reach), 255)
    return np.asarray((values >= low) & (values <= high))


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
