"""A simulated robot to record from: no hardware, no display, no GPU (extra `sim`: MuJoCo).

Read `expert.py` (what is done), then `play.py` (how), then `recordings.py` (what comes out).
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from telecine.recorder.sim.expert import TASKS
from telecine.recorder.sim.opengl import Render
from telecine.recorder.sim.play import Play
from telecine.recorder.sim.recordings import About, SimFormat, Target, target

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
    played: list[Played] = []
    count = max(round(seconds * fps), 1)
    asked = {"kind": kind, "task": task, "episodes": episodes, "seed": seed, "seconds": seconds, "size": list(size)}
    command = {"command": "record sim", **asked, "fps": fps, "render": render}
    with ExitStack() as stack:
        writer: Target | None = None
        for number in range(episodes):
            attempt = TASKS[task](seed + number, seconds)
            with closing(Play(attempt, fps=fps, size=size, render=render)) as play:
                if writer is None:
                    writer = stack.enter_context(target(kind, out, command, fps=fps, names=play.names))
                path = writer.write(play, play.steps(count), About(number, attempt.task, seed + number, fps))
            played.append(Played(path, attempt.task, seed + number, count, play.success, play.reason))
            on_episode(played[-1])
    return played
