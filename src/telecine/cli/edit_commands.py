"""The commands that edit, merge and compare datasets: flags typed here, work done in `edit.py`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telecine.cli.help.command import add
from telecine.cli.recording_flags import FailOn, FollowLinks, Json

if TYPE_CHECKING:
    from telecine.cli.exit_codes import Outcome

Run = Callable[["Callable[[], Outcome]", Sequence[str] | None], None]
"""Runs a command and exits with its code."""


def register(app: typer.Typer, _run: Run) -> None:
    """Add the commands to the program."""
    _edit(app, _run)
    _merge(app, _run)
    _diff(app, _run)


def _edit(app: typer.Typer, _run: Run) -> None:

    @add(app)
    def edit(
        dataset: Annotated[Path, typer.Argument(help="A LeRobot v3.0 dataset, whoever wrote it.")],
        out: Annotated[Path | None, typer.Argument(help="Folder of the new dataset; none with --in-place.")] = None,
        in_place: Annotated[bool, typer.Option("--in-place", help="Replace the dataset, in one step.")] = False,
        delete: Annotated[list[str] | None, typer.Option(metavar="EPISODES", help="e.g. 3,7-9")] = None,
        keep: Annotated[list[str] | None, typer.Option(metavar="EPISODES", help="Leave out all others.")] = None,
        where: Annotated[str | None, typer.Option(metavar="EXPR", help="e.g. 'success == true and rows >= 30'")] = None,
        trim: Annotated[list[str] | None, typer.Option(metavar="EPISODE:A..B", help="e.g. 4:1.5s..6.2s")] = None,
        split: Annotated[list[str] | None, typer.Option(metavar="EPISODE:TIME", help="e.g. 5:3.2s")] = None,
        task: Annotated[list[str] | None, typer.Option(metavar="EPISODES=TEXT", help="Or OLD TEXT=NEW TEXT.")] = None,
        task_map: Annotated[Path | None, typer.Option(help="YAML file of old task text: new one.")] = None,
        success: Annotated[
            list[str] | None, typer.Option(metavar="EPISODES=VALUE", help="true, false or unknown")
        ] = None,
        outcome: Annotated[list[str] | None, typer.Option(metavar="EPISODES=WORD")] = None,
        tag: Annotated[list[str] | None, typer.Option(metavar="EPISODES=WORD,...")] = None,
        labels: Annotated[list[Path] | None, typer.Option(help="CSV or JSON; see telecine help labels.")] = None,
        rename: Annotated[list[str] | None, typer.Option(metavar="OLD=NEW", help="A feature's key.")] = None,
        drop: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Leave a feature out.")] = None,
        add: Annotated[list[str] | None, typer.Option(metavar="KEY=EXPR", help="A computed column.")] = None,
        functions: Annotated[Path | None, typer.Option(help="Python file of functions for --add; it is run.")] = None,
        urdf: Annotated[Path | None, typer.Option(help="Robot for forward kinematics in --add.")] = None,
        order: Annotated[str | None, typer.Option(metavar="EPISODES", help="All that stay, as wanted.")] = None,
        edits: Annotated[list[Path] | None, typer.Option("--edit", help="YAML, JSON or CSV; repeatable.")] = None,
        into: Annotated[str | None, typer.Option(metavar="NAME=SHARE,...", help="e.g. train=0.9,val=0.1")] = None,
        seed: Annotated[int, typer.Option(help="Of --into.")] = 0,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be copied and re-encoded.")] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the dataset at OUT.")] = False,
        follow_links: FollowLinks = False,
        json: Json = False,
        fail_on: FailOn = None,
    ) -> None:
        """Make a dataset of another one: episodes left out, cut, named.

        Frames that stay are the same bits; only what a cut goes through is re-encoded. Numbers mean the source's
        episodes.
        """
        from telecine.cli.edit import run

        flags = {
            "delete": delete, "keep": keep, "where": where, "trim": trim, "split": split, "task": task,
            "task_map": task_map, "success": success, "outcome": outcome, "tag": tag, "rename": rename, "drop": drop,
            "order": order, "labels": labels, "add": add,
            "functions": functions, "urdf": urdf,
        }  # fmt: skip
        how = {"in_place": in_place, "into": into, "seed": seed, "dry_run": dry_run, "overwrite": overwrite}
        how["follow_links"] = follow_links
        _run(lambda: run(dataset, out, json=json, edits=edits or [], **how, **flags), fail_on)


def _merge(app: typer.Typer, _run: Run) -> None:
    @add(app)
    def merge(
        datasets: Annotated[list[Path], typer.Argument(metavar="DATASET... OUT", help="The new one last.")],
        rename: Annotated[list[str] | None, typer.Option(metavar="DATASET:OLD=NEW", help="A feature's key.")] = None,
        require_equal: Annotated[bool, typer.Option("--require-equal", help="Refuse other features.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen.")] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the dataset at OUT.")] = False,
        follow_links: FollowLinks = False,
        json: Json = False,
        fail_on: FailOn = None,
    ) -> None:
        """Make one dataset of several.

        No video is touched; features that not all of them have are left out, and named.
        """
        from telecine.cli.edit import run_merge

        how = {"rename": rename or [], "require_equal": require_equal, "dry_run": dry_run, "overwrite": overwrite}
        how["follow_links"] = follow_links
        _run(lambda: run_merge(datasets, json=json, **how), fail_on)


def _diff(app: typer.Typer, _run: Run) -> None:
    @add(app)
    def diff(
        a: Annotated[Path, typer.Argument(help="A LeRobot v3.0 dataset.")],
        b: Annotated[Path, typer.Argument(help="Another one.")],
        frames: Annotated[bool, typer.Option(help="Compare videos too.")] = True,
        follow_links: FollowLinks = False,
        json: Json = False,
        fail_on: FailOn = None,
    ) -> None:
        """Say what differs between two datasets, by content.

        Exit code 1 when something does.
        """
        from telecine.cli.edit import run_diff

        _run(lambda: run_diff(a, b, frames=frames, follow_links=follow_links, json=json), fail_on)
