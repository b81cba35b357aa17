"""Rows of a camera that can be copied: the fewest changes, each where copying bears it best."""

import numpy as np

from telecine.core.copying.decide import copy_obstacle, decide
from telecine.core.copying.match import Windows, fewest_changes, refreshed, settle
from telecine.core.copying.splice import Splice
from telecine.core.grid import Rows
from telecine.core.video import PacketIndex, VideoSettings


def steady_rows(allowed: Windows, frames: Rows, index: PacketIndex, settings: VideoSettings) -> Rows:
    """(m,) int64 rows within `allowed` that let most be copied; what each tick wants where nothing can be.

    allowed: windows of positions in a stream's times; frames: (n,) int64, increasing, the display position of the
    frame that each of its times is of.
    """
    if copy_obstacle(index, settings):
        return allowed.wanted
    keys = np.searchsorted(frames, np.sort(index.display[index.keyframe]))
    repeats = None if index.repeats is None else index.repeats[np.argsort(index.display)][frames]
    rows = settle(refreshed(fewest_changes(allowed), allowed), allowed, np.unique(keys), repeats)
    return rows if isinstance(decide(frames[rows], index, settings), Splice) else allowed.wanted
