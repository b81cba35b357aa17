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


@dataclass(frozen=True, eq=False, slots=True)
class FrameWitness:
    """What statistics say of an episode's frames, and of those that they could be taken for.

    own: (6,) means and deviations of the channels, 0 to 1. others: (n, 6) the same. names: whose these are, n of them.
    """

    own: Floats
    others: Floats
    names: Sequence[str]


def looks_of(histogram: npt.NDArray[np.int64], sampled: int) -> Floats:
    """(6,) means and deviations of sampled frames, from (3, 256) counts of their levels."""
    moments = camera_stats(histogram, sampled).moments
    return np.concatenate([moments.mean.ravel(), moments.std.ravel()])


def frames_problem(found: Floats, witness: FrameWitness) -> str:
    """Why frames with these means and deviations, (6,), are not the witness's; "" when they may be."""
    off, near = _distances(found, witness)
    if off > NEAR_ERROR and near.min(initial=np.inf) <= off / _NEARER:
        whose = witness.names[int(near.argmin())]
        return f"its statistics are not those of its frames, which are like those of {whose}: {_both(witness, found)}"
    if off > CODING_ERROR and not is_softened(found, witness.own):
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


def _both(witness: FrameWitness, found: Floats) -> str:
    stored, seen = (", ".join(f"{value:.3f}" for value in values) for values in (witness.own, found))
    return f"found means and deviations {stored}, expected {seen} as in the frames"
