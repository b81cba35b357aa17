"""Whether frames are those that stored statistics were made of, or those of others. Pure.

Statistics of an episode's frames are a witness beside the metadata that says where the frames are: two episodes whose
videos were exchanged keep their statistics. They tell apart only what differs in its mean colours or their spread.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.stats import Floats, camera_stats

CODING_ERROR = 0.06
"""How far a codec, and the sampling of frames for statistics, may move mean and std of an episode (levels 0 to 1)."""
NEAR_ERROR = 0.02
"""The same where others' statistics fit at least `_NEARER` times as well: 5 of 255 levels."""
_NEARER = 4
_SOFTEST = 0.6
"""What a codec leaves at least of the deviation of frames that are all detail: of uniform noise in red, green and blue
0.72 through 4:2:0 alone, 0.68 as `train` and 0.71 as LeRobot's AV1 encode it."""
_PIXELS = 150
"""About so many along the longer side of a frame tell its moments."""


@dataclass(frozen=True, eq=False, slots=True)
class FrameWitness:
    """What statistics say of an episode's frames, and of those that they could be taken for.

    own: (6,) means and deviations of the channels, 0 to 1. others: (n, 6) the same. names: whose these are, n of them.
    count: how many of the episode's frames, evenly spread, `own` was made of.
    """

    own: Floats
    others: Floats
    names: Sequence[str]
    count: float = np.inf


def looks_of(histogram: npt.NDArray[np.int64], sampled: int) -> Floats:
    """(6,) means and deviations of sampled frames, from (3, 256) counts of their levels."""
    moments = camera_stats(histogram, sampled).moments
    return np.concatenate([moments.mean.ravel(), moments.std.ravel()])


def frame_moments(rgb: npt.NDArray[np.uint8]) -> Floats:
    """(6,) means of the channels of a frame, (height, width, 3), and of their squares, 0 to 1."""
    stride = max(1, max(rgb.shape[:2]) // _PIXELS)
    planes = rgb[::stride, ::stride].reshape(-1, 3).T.astype(np.float64, order="C") / 255.0
    return np.concatenate([planes.mean(axis=1), (planes**2).mean(axis=1)])


def looks_of_moments(moments: Floats) -> Floats:
    """(6,) means and deviations over frames, from their (n, 6) moments."""
    mean, square = np.split(moments.mean(axis=0), 2)
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))])


def looks_of_some(moments: Floats, count: float) -> Floats:
    """(2, 6) least and greatest means and deviations that `count` of these frames, evenly spread, can have.

    moments: (n, 6) of frames in their order. What a camera shows for less than two parts of `count` may be in none of
    the frames taken, or in those of two parts.
    """
    size = len(moments)
    if count >= size:
        return np.stack([looks_of_moments(moments)] * 2)
    part = size / int(count)
    windows = [
        moments[max(0, int(np.floor(middle - part))) : int(np.ceil(middle + part)) + 1]
        for middle in (np.arange(int(count)) + 0.5) * part
    ]
    low, high = (np.mean([end(window, axis=0) for window in windows], axis=0) for end in (np.min, np.max))
    deviations = (low[3:] - high[:3] ** 2, high[3:] - low[:3] ** 2)
    return np.stack(
        [np.concatenate([end[:3], np.sqrt(np.maximum(d, 0))]) for end, d in zip((low, high), deviations, strict=True)]
    )


def frames_problem(found: Floats, witness: FrameWitness, moments: Floats | None = None) -> str:
    """Why frames with these means and deviations, (6,), are not the witness's; "" when they may be.

    moments: (n, 6) of the single frames, where they are known: then statistics of few frames may be further off.
    """
    off, near = _distances(found, witness)
    if off > NEAR_ERROR and near.min(initial=np.inf) <= off / _NEARER:
        whose = witness.names[int(near.argmin())]
        return f"its statistics are not those of its frames, which are like those of {whose}: {_both(witness, found)}"
    may_be = moments is not None and _may_be_of(witness, moments)
    if off > CODING_ERROR and not may_be and not is_softened(found, witness.own):
        return f"its statistics are not those of its frames: {_both(witness, found)}"
    return ""


def is_softened(found: Floats, stored: Floats) -> bool:
    """Whether frames with these means and deviations, (6,), are the stored ones less the detail that a codec takes.

    >>> noise = np.array([0.5, 0.5, 0.5, 0.29, 0.29, 0.29])
    >>> is_softened(noise * (1, 1, 1, 0.7, 0.7, 0.7), noise), is_softened(noise * (1, 1, 1, 0.5, 0.5, 0.5), noise)
    (True, False)
    >>> is_softened(noise * 0.7, noise)
    False
    """
    same_means = np.all(np.abs(found - stored)[:3] <= NEAR_ERROR)
    return bool(same_means and np.all((found[3:] <= stored[3:]) & (found[3:] >= _SOFTEST * stored[3:])))


def may_be_others(found: Floats, witness: FrameWitness) -> bool:
    """Whether a few frames with these means and deviations, (6,), are reason enough to look at more of them."""
    off, near = _distances(found, witness)
    return off > NEAR_ERROR and (off > CODING_ERROR or bool(near.min(initial=np.inf) < off))


def _distances(found: Floats, witness: FrameWitness) -> tuple[float, Floats]:
    """How far from its own, and (n,) from those of others."""
    return float(np.abs(found - witness.own).max()), np.abs(witness.others - found).max(axis=1)


def _may_be_of(witness: FrameWitness, moments: Floats) -> bool:
    low, high = looks_of_some(moments, witness.count)
    return bool(np.all((witness.own >= low - CODING_ERROR) & (witness.own <= high + CODING_ERROR)))


def _both(witness: FrameWitness, found: Floats) -> str:
    stored, seen = (", ".join(f"{value:.3f}" for value in values) for values in (witness.own, found))
    return f"found means and deviations {stored}, expected {seen} as in the frames"
