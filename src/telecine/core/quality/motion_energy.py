"""How much each frame of a camera differs from the one before, and the stretches of a recording worth decoding."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from telecine.core.grid import SECOND, Times
from telecine.core.quality.frame_facts import Grey, reduced_to_means
from telecine.core.quality.motion_lag import LONGEST_NS, Energies, Paths
from telecine.core.stats import Floats

NOISE = 2.0
"""Of 255, of a pixel of the small image: less is taken for the noise of sensor and encoder."""
STRETCH_NS = 7 * SECOND
"""A stretch is about so long, beside the lags looked for at both ends."""
MOST_STRETCHES = 8
"""Of one recording: of a longer one, those with most motion, from its beginning to its end."""
MOST_REPEATS = 8


def energies(times: Times, frames: Iterable[Grey]) -> Energies:
    """Of n frames, each held only until the next has come. times: (n,) int64 ns; frames: (height, width) uint8.

    Where a slower camera's frames are repeated, only the first of each counts.

    Raises: ValueError when the size changes.
    """
    values: list[float] = []
    same: list[bool] = []
    before: npt.NDArray[np.float32] | None = None
    for grey in frames:
        small = reduced_to_means(grey)
        if before is not None:
            if small.shape != before.shape:
                raise ValueError(f"the frame size changes from {before.shape} to {small.shape}, in parts")
            change = np.abs(small - before)
            same.append(not change.any())
            values.append(float(np.maximum(change - NOISE, 0).mean(dtype=np.float64)))
        before = small
    return _once(times, np.array(values, np.float64), np.array(same, np.bool_))


def _once(times: Times, values: Floats, same: npt.NDArray[np.bool_]) -> Energies:
    """Without the frames that repeat one before, where most frames are repeated as often."""
    fresh = np.flatnonzero(~same) + 1
    apart = np.diff(fresh)
    apart = apart[apart <= MOST_REPEATS]
    usual = int(np.median(apart)) if apart.size else 1
    if usual < 2:
        return Energies(times, values)
    kept = np.zeros(len(times), np.bool_)
    kept[fresh] = True
    kept[np.maximum(fresh - usual, 0)] = True
    at = np.flatnonzero(kept)
    whole = np.concatenate([[0.0], np.cumsum(values)])
    return Energies(times[at], np.diff(whole[at]))


def stretches_of(start_ns: int, stop_ns: int, joints: Paths, most: int = MOST_STRETCHES) -> list[tuple[int, int]]:
    """[start, stop) in ns of stretches between two moments, with what the lags at their ends need.

    At most `most`, in equal parts of the time; where a part is longer than a stretch, where the joints move most.
    """
    count = min(max((stop_ns - start_ns) // STRETCH_NS, 1), most)
    edges = np.linspace(start_ns, stop_ns, count + 1).astype(np.int64).tolist()
    made = []
    for first, last in pairwise(edges):
        if last - first > 2 * STRETCH_NS:
            first = _most_motion(first, last - STRETCH_NS, joints)
            last = first + STRETCH_NS
        made.append((max(first - LONGEST_NS, start_ns), min(last + LONGEST_NS, stop_ns)))
    return made


def _most_motion(first: int, last: int, joints: Paths) -> int:
    """When a stretch has to begin, between two moments, to have as much motion as it can."""
    starts = np.arange(first, last + 1, SECOND // 2, dtype=np.int64)
    steps = np.abs(np.diff(joints.values, axis=0))
    moved = np.concatenate([[0.0], np.cumsum((steps / (joints.values.std(axis=0) + 1e-12)).sum(axis=1))])
    gained = np.interp(starts + STRETCH_NS, joints.times, moved) - np.interp(starts, joints.times, moved)
    return int(starts[int(gained.argmax())])
