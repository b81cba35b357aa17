"""`telecine record sim`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen import loudness
from telecine.cli.screen.next_steps import Step, after_dataset, command, show_steps
from telecine.cli.screen.tables import console, escape, print_json
from telecine.commands.demo import record_sim
from telecine.commands.plan_flags import size_of
from telecine.core.text.numbers import counted
from telecine.recorder.sim.record import Played, SimFormat


def run(
    out: Path,
    kind: SimFormat,
    task: Literal["pick", "handover"],
    episodes: tuple[int, int, float],
    size: str,
    *,
    about: dict[str, Any],
    json: bool,
) -> Outcome:
    """Always done: episodes in which the robot failed are recordings too.

    episodes: (count, first seed, seconds). about: fps, render and spoil of `record_sim`.
    """
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
        size=(width, height),
        **about,
        on_episode=lambda one: None if json else _tell(screen, one),
    )
    if json:
        print_json({"out": str(out), "episodes": [{**vars_of(p), "path": str(p.path)} for p in played]})
    else:
        good = sum(p.success for p in played)
        screen.print(
            f"[bold]{counted(len(played), 'episode')}, {good} successful[/bold] -> {escape(str(out))}", soft_wrap=True
        )
        show_steps(screen, _next(out, kind))
    return Outcome(True)


def vars_of(played: Played) -> dict[str, object]:
    """Plain values for JSON."""
    names = ("task", "seed", "steps", "success", "reason")
    return {**{name: getattr(played, name) for name in names}, "spoiled": [asdict(one) for one in played.spoiled]}


def _tell(screen: Console, played: Played) -> None:
    if played.success and not played.spoiled and loudness.quiet():
        return
    mark = "success" if played.success else "[yellow]failed[/yellow]"
    screen.print(
        f"seed {played.seed}: {mark}, {escape(played.task)}: {escape(played.reason)}, {counted(played.steps, 'step')}"
    )
    for one in played.spoiled:
        place = f"{one.key or 'all'}, rows {one.rows[0]} to {one.rows[1] - 1}"
        screen.print(f"  spoiled on purpose: {one.kind} in {place} (inspect should say {one.code})")


def _next(out: Path, kind: SimFormat) -> list[Step]:
    if kind == "dataset":
        return after_dataset(out)
    return [("make a dataset of them", command("telecine", "convert", out, f"{out}-dataset"))]
