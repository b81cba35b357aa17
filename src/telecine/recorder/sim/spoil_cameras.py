"""Cameras spoiled on purpose, as generators over the steps of an episode."""

from collections.abc import Callable
from dataclasses import replace

from telecine.recorder.sim.play import SimStep
from telecine.recorder.sim.spoil_images import brighter
from telecine.recorder.sim.spoil_where import CAMERA, Make, Steps, Where, brief
from telecine.video.frames.colour import Rgb


def image(change: Callable[[Rgb], Rgb], *, whole: bool = False) -> Make:
    """Frames of one camera changed, in the stretch or in the whole episode."""

    def make(steps: Steps, where: Where) -> Steps:
        for row, step in enumerate(steps):
            inside = whole or where.start <= row < where.stop
            yield _shown(step, change(step.frames[CAMERA])) if inside else step

    return make


def frozen(steps: Steps, where: Where) -> Steps:
    """One frame stands in the stretch."""
    return _held(steps, where.start, where.stop)


def frozen_briefly(steps: Steps, where: Where) -> Steps:
    """One frame stands for some rows in which the robot moves."""
    return _held(steps, *brief(where))


def flash(steps: Steps, where: Where) -> Steps:
    """One frame is much brighter."""
    for row, step in enumerate(steps):
        yield _shown(step, brighter(step.frames[CAMERA])) if row == (where.start + where.stop) // 2 else step


def frozen_all(steps: Steps, where: Where) -> Steps:
    """The first frame stands in all rows."""
    return _held(steps, 0, where.count)


def _held(steps: Steps, start: int, stop: int) -> Steps:
    held: Rgb | None = None
    for row, step in enumerate(steps):
        held = step.frames[CAMERA] if row == start else held
        yield _shown(step, held) if held is not None and start <= row < stop else step


def first_frame(steps: Steps, where: Where) -> Steps:
    """The first frame is the last of the episode before."""
    first = next(steps)
    yield replace(first, frames=where.before or first.frames)
    yield from steps


def cameras(steps: Steps, where: Where) -> Steps:
    """Each camera shows what another one does."""
    del where
    for step in steps:
        names = list(step.frames)
        yield replace(step, frames=dict(zip(names, [step.frames[n] for n in reversed(names)], strict=True)))


def _shown(step: SimStep, rgb: Rgb) -> SimStep:
    return replace(step, frames={**step.frames, CAMERA: rgb})
