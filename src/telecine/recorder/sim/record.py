"""A simulated robot to record from: no hardware, no display, no GPU (extra `sim`: MuJoCo).

Read `expert.py` (what is done), then `play.py` (how), then `recordings.py` (what comes out).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from telecine.recorder.sim.expert import TASKS
from telecine.recorder.sim.opengl import Render
from telecine.recorder.sim.play import Play
from telecine.recorder.sim.recordings import About, SimFormat, target

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
    on_episode: Callable[[Played], None] = lambda _: None,
) -> list[Played]:
    """Record episodes of a scripted task; failed ones are labelled. The same seed gives the same recordings.

    size: (width, height) in px, even. on_episode: is called with each episode as it is finished.

    Raises: SourceError when MuJoCo or a writer's library is missing or `out` is in use; DatasetError likewise.
    """
    return list(_record(out, kind, (task, episodes, seed, seconds), fps, size, render, on_episode))


def _record(
    out: Path,
    kind: SimFormat,
    wanted: tuple[str, int, int, float],
    fps: int,
    size: tuple[int, int],
    render: Render,
    on_episode: Callable[[Played], None],
) -> Iterator[Played]:
    task, episodes, seed, seconds = wanted
    writer = None
    try:
        for number in range(episodes):
            attempt = TASKS[task](seed + number, seconds)
            play = Play(attempt, fps=fps, size=size, render=render)
            try:
                writer = writer or target(kind, out, fps, play.names)
                count = max(round(seconds * fps), 1)
                path = writer.write(play, play.steps(count), About(number, attempt.task, seed + number, fps))
            finally:
                play.close()
            played = Played(path, attempt.task, seed + number, count, play.success, play.reason)
            on_episode(played)
            yield played
    finally:
        if writer is not None:
            writer.close()
