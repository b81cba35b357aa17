"""Where in an episode a defect is made on purpose, and the steps that it changes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from telecine.recorder.sim.play import SimStep
from telecine.recorder.sim.scene import Vector
from telecine.video.frames.colour import Rgb

CAMERA = "front"
"""The one that is spoiled where one is."""
BRIEF_ROWS = 5
"""Rows for which something stands that stands for a moment only."""


@dataclass(frozen=True, eq=False, slots=True)
class Where:
    """Where in an episode of `count` rows a stretch is spoiled, [start, stop), and what the joints are going to do."""

    count: int
    fps: int
    start: int
    stop: int
    planned: Vector
    """(count, width)."""
    before: Mapping[str, Rgb]
    """The last frames of the episode before."""
    changed: list[int] = field(default_factory=list)
    """Rows that were changed, where that is only known afterwards."""


def brief(where: Where) -> tuple[int, int]:
    """The rows of a short defect within the stretch, in the middle of clear motion."""
    speed = np.abs(np.diff(where.planned[:, :-1], axis=0)).sum(axis=1)
    around = 2 * BRIEF_ROWS
    first, last = where.start, max(where.stop - BRIEF_ROWS, where.start + 1)
    slowest = [float(speed[max(row - around, 0) : row + BRIEF_ROWS + around].min()) for row in range(first, last)]
    start = first + int(np.argmax(slowest))
    return start, start + BRIEF_ROWS


Steps = Iterator[SimStep]
Make = Callable[[Steps, Where], Steps]
