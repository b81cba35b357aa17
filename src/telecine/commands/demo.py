"""`telecine.demo` and `telecine.record_sim`: what `telecine demo` and `telecine record sim` do, with the same words."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from telecine.conversion.pipeline import Options, convert
from telecine.conversion.report import Report
from telecine.core.errors import DatasetError
from telecine.core.plan.model import make_plan
from telecine.core.progress import Progress
from telecine.core.proposal.text import plan_yaml
from telecine.dataset.claimed_folder import claimed, is_claimable
from telecine.inspection.recordings import inspect_many
from telecine.recorder.sim import record as sim
from telecine.recorder.sim.spoil import parse_spoil
from telecine.samples.recordings import write_demo_recordings


def demo(
    out: str | Path = "telecine-demo",
    *,
    episodes: int = 3,
    seconds: float = 8.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Make sample recordings in `out`/recordings, convert them to `out`/dataset by `out`/plan.yaml, verify.

    Args:
        out: a folder that is not there yet, or empty.
        episodes: recordings to make.
        seconds: length of each, in s.
        seed: the same seed makes the same recordings.
        progress: gets how far the conversion is, in bytes.

    Returns:
        The report of the conversion.

    Raises:
        DatasetError: `out` holds something, or its disk refuses; the same command then works again.
        SourceError: rerun-sdk (extra `rrd`) is not installed.

    >>> import telecine as tc
    >>> tc.demo("demo", episodes=1, seconds=1).ok
    True
    """
    folder = Path(out)
    command = {"command": "demo", "episodes": episodes, "seconds": seconds, "seed": seed}
    if not is_claimable(folder, command):
        raise DatasetError(f"{out} exists and is not empty; name another folder: telecine demo FOLDER")
    recordings = folder / "recordings"
    with claimed(folder, command):
        write_demo_recordings(recordings, episodes=episodes, seconds=seconds, seed=seed)
        proposal = inspect_many([recordings]).proposal
        (folder / "plan.yaml").write_text(plan_yaml(proposal), encoding="utf-8")
        plan, options = make_plan(proposal.body), Options(overwrite=True)
        return convert([recordings], folder / "dataset", plan, options, progress=progress, choices=proposal.choices)


def record_sim(
    out: str | Path,
    *,
    kind: Literal["dataset", "run", "rrd", "mcap"] = "dataset",
    task: Literal["pick", "handover"] = "pick",
    episodes: int = 3,
    seed: int = 0,
    seconds: float = 6.0,
    fps: int = 30,
    size: tuple[int, int] = (320, 240),
    render: Literal["auto", "rays", "gl"] = "auto",
    spoil: Sequence[str] = (),
    on_episode: Callable[[sim.Played], None] = lambda _: None,
) -> list[sim.Played]:
    """Record a scripted robot in simulation: no hardware, no display, no GPU. Failed episodes are labelled.

    Args:
        out: the dataset to make, or the folder for recordings.
        kind: a LeRobot dataset, or recordings to convert (`--as` on the command line).
        task: one arm picks a cube, or two hand over a bar.
        episodes: how many.
        seed: of the first episode; the same seed, the same episodes.
        seconds: length of an episode, in s.
        fps: control steps and frames a second.
        size: (width, height) of both cameras in px, even.
        render: rays need no graphics library; auto: gl where MUJOCO_GL names one.
        spoil: defects to make on purpose, such as "frozen", "dark@2" (in episode 2; else the middle one) or "lag=80ms"
            (cameras late in all episodes; jitter and drift of their stamps likewise); all are in
            https://telecine-robotics.github.io/telecine/quality/.
        on_episode: is called with each episode as it is finished.

    Returns:
        One value per episode: path, task, seed, steps, success and the reason, and what was spoiled in which rows.

    Raises:
        SourceError: MuJoCo (extra `sim`) or a writer's library is not installed, or `out` is in use.
        DatasetError: likewise for a dataset, and when the disk refuses; finished recordings stay, and the same command
            works again.

    >>> import telecine as tc
    >>> [played.steps for played in tc.record_sim("runs", kind="run", episodes=1, seconds=2, size=(64, 48))]
    [60]
    """
    return sim.record(
        Path(out),
        kind=kind,
        task=task,
        episodes=episodes,
        seed=seed,
        seconds=seconds,
        fps=fps,
        size=size,
        render=render,
        spoil=[parse_spoil(text) for text in spoil],
        on_episode=on_episode,
    )
