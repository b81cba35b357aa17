"""Frames spoiled on purpose."""

from collections.abc import Callable
from typing import Any

import numpy as np

from telecine.video.frames.colour import Rgb


def blurred(rgb: Rgb) -> Rgb:
    """Means over a fourteenth of the frame's height, twice, which is about what a lens out of focus does."""
    reach = max(rgb.shape[0] // 28, 2)
    made = rgb.astype(np.float32)
    for axis in (0, 1, 0, 1):
        width = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        sums = np.cumsum(np.pad(made, width, mode="edge"), axis=axis, dtype=np.float64)
        count = made.shape[axis]
        upper = np.take(sums, np.arange(2 * reach, 2 * reach + count), axis=axis)
        lower = np.take(sums, np.arange(-1, count - 1), axis=axis)
        index: list[Any] = [slice(None)] * 3
        index[axis] = 0
        lower[tuple(index)] = 0
        made = ((upper - lower) / (2 * reach + 1)).astype(np.float32)
    return made.round().astype(np.uint8)


def torn(rgb: Rgb) -> Rgb:
    """What decoders show where packets were lost: green, which is YUV without any."""
    made = rgb.copy()
    made[round(rgb.shape[0] * 0.45) :] = (0, 135, 0)
    return made


def constant(level: int) -> Callable[[Rgb], Rgb]:
    """Frames of one grey, 0 to 255."""
    return lambda rgb: np.full_like(rgb, level)


def dimmed(rgb: Rgb) -> Rgb:
    """A quarter of the light."""
    return (rgb * 0.25).astype(np.uint8)


def brighter(rgb: Rgb) -> Rgb:
    """As much light again, and more."""
    return np.minimum(rgb.astype(np.uint16) * 2 + 40, 255).astype(np.uint8)


def shifted(rgb: Rgb) -> Rgb:
    """The lower half an eighth of the width aside, as where lines were lost on the way."""
    made = rgb.copy()
    half = rgb.shape[0] // 2
    made[half:] = np.roll(rgb[half:], rgb.shape[1] // 8, axis=1)
    return made


def mirrored(rgb: Rgb) -> Rgb:
    """Left is right."""
    return np.ascontiguousarray(rgb[:, ::-1])


def upside_down(rgb: Rgb) -> Rgb:
    """As a camera shows that is mounted so."""
    return np.ascontiguousarray(rgb[::-1, ::-1])
