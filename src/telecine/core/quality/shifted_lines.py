"""Frames of which the lower lines stand aside: lines were lost on the way, or a buffer was overwritten.

Only of cameras that stand: where others of an episode's frames show the same above and below.
"""

from typing import Any

import numpy as np

from telecine.core.video import Flags

Small = np.ndarray[Any, np.dtype[np.float32]]
LOWER = (0.5, 0.3)
"""Parts of the height, from below, that are compared."""
APART, TIMES = 3.0, 3.0
"""Mean difference, of 255, of the lower lines from what they usually show; so many times that of other frames, where
a camera stands."""
CLOSER = 0.25
"""What they differ by aside, as a part of what they differ by where they are."""
IN_PLACE = 0.8
"""What the upper lines differ by where they are, as a part of what they differ by that much aside."""
FARTHEST = 0.3
"""Part of the width that lines are looked for aside."""


def usual_frame(small: Small) -> Small:
    """(height, width) the middle one of three frames, the first, one half-way and the last, of each pixel."""
    first, middle, last = small[0], small[len(small) // 2], small[-1]
    made: Small = np.maximum(np.minimum(first, middle), np.minimum(np.maximum(first, middle), last))
    return made


def shifted_frames(small: Small, others: Small) -> Flags:
    """(k,) true where the lower lines are those of most others, aside, and the upper ones are not.

    small, others: (k, height, width), (n, height, width) of one camera and episode; n at least 1.
    """
    usual = usual_frame(others)
    off = _lines_off(small, usual)
    known = off if others is small else _lines_off(others, usual)
    found = np.zeros(len(small), np.bool_)
    for part in LOWER:
        top = round((1 - part) * small.shape[1])
        if TIMES * float(np.median(known[:, top:].mean(axis=1))) < APART:
            for row in np.flatnonzero((off[:, top:].mean(axis=1) > APART) & ~found).tolist():
                found[row] = _stands_aside(small[row], usual, top)
    return found


def _lines_off(small: Small, usual: Small) -> Small:
    """(k, height) mean differences of lines, by every other column."""
    made: Small = np.abs(small[:, :, ::2] - usual[:, ::2]).mean(axis=2)
    return made


def _stands_aside(image: Small, usual: Small, top: int) -> bool:
    below, by = min(((_off(image[top:], usual[top:], by), by) for by in _ways(image.shape[1])), default=(np.inf, 0))
    lower, upper = _off(image[top:], usual[top:], 0), _off(image[:top], usual[:top], 0)
    return below < CLOSER * lower and upper < IN_PLACE * _off(image[:top], usual[:top], by)


def _ways(width: int) -> list[int]:
    """By how many columns lines may stand aside."""
    return [sign * by for by in range(2, int(FARTHEST * width) + 1) for sign in (1, -1)]


def _off(lines: Small, usual: Small, by: int) -> float:
    """The mean difference of lines from `usual`, which is moved to the right by so many columns."""
    width = lines.shape[1]
    own, other = slice(max(by, 0), width + min(by, 0)), slice(max(-by, 0), width - max(by, 0))
    return float(np.abs(lines[:, own] - usual[:, other]).mean(dtype=np.float64))
