"""A simulated robot to record from: no hardware, no display, no GPU (extra `sim`: MuJoCo).

Read `expert.py` (what is done), then `play.py` (how), then `recordings.py` (what comes out).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from telecine.core.errors import PlanError
from telecine.core.grid import SECOND
from telecine.recorder.sim.expert import TASKS, Attempt
from telecine.recorder.sim.opengl import Render
from telecine.recorder.sim.play import Play, SimStep
from telecine.recorder.sim.recordings import About, SimFormat, Target, target
from telecine.recorder.sim.spoil import (
    IN_FILES,
    KINDS,
    STAMPS,
    Spoil,
    Spoiled,
    late_frames,
    place_of,
    spoiled_count,
    spoiled_task,
    spoils_of,
    stretch_of,
)
from telecine.recorder.sim.spoil_files import spoil_files
from telecine.recorder.sim.spoil_where import Where
from telecine.recorder.sim.stamps import StampErrors
from telecine.video.frames.colour import Rgb

__all__ = ["TASKS", "Played", "Render", "SimFormat", "record"]


@dataclass(frozen=True, slots=True)
class Played:
    """One episode that was recorded."""

    path: Path
    task: str
    seed: int
    steps: int
    success: bool
    reason: str
    spoiled: tuple[Spoiled, ...] = ()
    """The defects that were made in it on purpose."""


def record(
    out: Path,
    *,
    kind: SimFormat = "dataset",
    task: str = "pick",
    episodes: int = 3,
    seed: int = 0,
    seconds: float = 6.0,
    fps: int = 30,
    size: tuple[int, int] = (320, 240),
    render: Render = "auto",
    spoil: Sequence[Spoil] = (),
    on_episode: Callable[[Played], None] = lambda _: None,
) -> list[Played]:
    """Record episodes of a scripted task; failed ones are labelled. The same seed gives the same recordings.

    size: (width, height) in px, even. spoil: defects to make on purpose; a copy is of the episode before.
    on_episode: is called with each episode as it is finished.

    Raises: SourceError when MuJoCo or a writer's library is missing or `out` is in use; DatasetError likewise.
    """
    played: list[Played] = []
    count = max(round(seconds * fps), 1)
    asked = {"kind": kind, "task": task, "episodes": episodes, "seed": seed, "seconds": seconds, "size": list(size)}
    command = {"command": "record sim", **asked, "fps": fps, "render": render, "spoil": list(map(repr, spoil))}
    before: Mapping[str, Rgb] = {}
    files_only = [one.kind for one in spoil if one.kind in IN_FILES]
    if files_only and kind != "dataset":
        raise PlanError(f"--spoil {files_only[0]} is made in the files of a dataset; leave out --as {kind}")
    own_times = [one.kind for one in spoil if one.kind in ("jitter", "drift")]
    if own_times and kind in ("dataset", "run"):
        raise PlanError(
            f"--spoil {own_times[0]} is made in timestamps that each stream has for itself: --as rrd, or mcap"
        )
    with ExitStack() as stack:
        writer: Target | None = None
        for number in range(episodes):
            wanted = spoils_of(spoil, number, episodes)
            own_seed = seed + number - (number > 0 and any(one.kind == "copy" for one in wanted))
            attempt = TASKS[task](own_seed, seconds)
            steps = _rows(wanted, count, fps)
            with closing(Play(attempt, fps=fps, size=size, render=render)) as play:
                if writer is None:
                    writer = stack.enter_context(target(kind, out, command, fps=fps, names=play.names))
                where = _where(attempt, (steps, fps), before)
                made, spoiled = _spoiled(play.steps(steps), wanted, where, kind)
                last = _Last(made)
                text = attempt.task
                for one in wanted:
                    text = spoiled_task(one.kind, text)
                path = writer.write(play, iter(last), About(number, text, own_seed, fps, _stamps(wanted)))
                before = last.frames
            told = tuple(replace(one, episode=number, rows=place_of(one.kind, where)) for one in spoiled)
            played.append(Played(path, attempt.task, own_seed, steps, play.success, play.reason, told))
            on_episode(played[-1])
    if files_only:
        spoil_files(out, [one for episode in played for one in episode.spoiled])
    return played


def _stamps(wanted: Sequence[Spoil]) -> StampErrors:
    late, jitter, drift = (sum(one.late_ns for one in wanted if one.kind == kind) for kind in STAMPS)
    return StampErrors(late, jitter, drift)


def _rows(wanted: Sequence[Spoil], count: int, fps: int) -> int:
    for one in wanted:
        count = spoiled_count(one.kind, count, fps)
    return count


def _where(attempt: Attempt, rows: tuple[int, int], before: Mapping[str, Rgb]) -> Where:
    """rows: (how many, a second)."""
    count, fps = rows
    planned = np.array([attempt.commands(row / fps) for row in range(count)])
    return Where(count, fps, *stretch_of(count), planned, before)


def _spoiled(
    steps: Iterator[SimStep], wanted: Sequence[Spoil], where: Where, kind: SimFormat
) -> tuple[Iterator[SimStep], list[Spoiled]]:
    """The steps with all that was asked for, and what that is; where, is known when they have been played."""
    spoiled = []
    for one in wanted:
        if one.kind in STAMPS:
            if kind in ("dataset", "run"):  # one time for all: it can only be late by whole rows
                steps = late_frames(steps, round(one.late_ns * where.fps / SECOND))
            continue
        code, key, _, make = KINDS[one.kind]
        steps = make(steps, where)
        spoiled.append(Spoiled(one.kind, code, 0, key, (0, 0)))
    return steps, spoiled


class _Last:
    """Steps that pass by, and the frames of the last one."""

    def __init__(self, steps: Iterator[SimStep]) -> None:
        self._steps = steps
        self.frames: Mapping[str, Rgb] = {}

    def __iter__(self) -> Iterator[SimStep]:
        for step in self._steps:
            self.frames = step.frames
            yield step
