"""`telecine record sim`."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from telecine.cli.exit_codes import Outcome
from telecine.cli.tables import console, escape, print_json
from telecine.commands.demo import record_sim
from telecine.commands.plan_flags import size_of
from telecine.recorder.sim.record import Played, Render, SimFormat


def run(
    out: Path,
    kind: SimFormat,
    task: Literal["pick", "handover"],
    episodes: tuple[int, int, float],
    size: str,
    *,
    fps: int,
    render: Render,
    json: bool,
) -> Outcome:
    """Always done: episodes in which the robot failed are recordings too. episodes: (count, first seed, seconds)."""
    screen = console()
    width, height = size_of(size)
    count, seed, seconds = episodes
    played = record_sim(
        out,
        kind=kind,
        task=task,
        episodes=count,
        seed=seed,
        seconds=seconds,
        fps=fps,
        size=(width, height),
        render=render,
        on_episode=lambda one: None if json else _tell(screen, one),
    )
    if json:
        print_json({"out": str(out), "episodes": [{**vars_of(p), "path": str(p.path)} for p in played]})
    else:
        good = sum(p.success for p in played)
        screen.print(f"[bold]{len(played)} episodes, {good} successful[/bold] -> {escape(str(out))}", soft_wrap=True)
        screen.print(f"next: {escape(_next(out, kind))}", soft_wrap=True)
    return Outcome(True)


def vars_of(played: Played) -> dict[str, object]:
    """Plain values for JSON."""
    names = ("task", "seed", "steps", "success", "reason")
    return {name: getattr(played, name) for name in names}


def _tell(screen: Console, played: Played) -> None:
    mark = "success" if played.success else "[yellow]failed[/yellow]"
    screen.print(f"seed {played.seed}: {mark}, {escape(played.task)}: {escape(played.reason)}, {played.steps} steps")


def _next(out: Path, kind: SimFormat) -> str:
    if kind == "dataset":
        return f"telecine inspect {out} --png {out}-pictures"
    return f"telecine convert {out} {out}-dataset"
