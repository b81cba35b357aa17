"""`telecine finalize`."""

from pathlib import Path
from typing import TYPE_CHECKING

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen.next_steps import after_dataset, show_steps
from telecine.cli.screen.tables import console, escape, print_json, show_findings, show_rejected
from telecine.commands.shards import finalize
from telecine.core.text.numbers import counted, counted_of

if TYPE_CHECKING:
    from rich.console import Console

    from telecine.conversion.shards.finalize import Finalized

_SHOWN = 20


def run(out: str, *, dry_run: bool, workers: int | None, json: bool) -> Outcome:
    """Done when the dataset is there, or with `dry_run`."""
    made = finalize(out, dry_run=dry_run, workers=workers)
    if json:
        print_json(made.to_dict())
    else:
        show_finalized(console(), made, dry_run=dry_run)
        show_steps(console(), after_dataset(Path(out)) if made.published else [])
    return Outcome(made.ok, made.findings)


def show_finalized(out: "Console", made: "Finalized", *, dry_run: bool) -> None:
    """The parts that are not done with their commands, findings, rejected recordings, and what there is now."""
    waiting = [part for part in made.parts if part.what != "done"]
    for part in waiting[:_SHOWN]:
        why = f": {escape(part.why)}" if part.why else ""
        out.print(f"[yellow]{part.what}[/yellow] {part.shard}{why}\n  {escape(part.command)}", soft_wrap=True)
    if len(waiting) > _SHOWN:
        out.print(f"[dim]... and {len(waiting) - _SHOWN} more; --json has all[/dim]")
    show_findings(out, made.findings)
    show_rejected(out, made.rejected)
    done = made.count("done")
    if made.published:
        counts = f"{counted(made.episodes, 'episode')}, {counted(made.rows, 'row')}"
        out.print(f"[bold]{counts}[/bold] -> {escape(made.root)}", soft_wrap=True)
        if made.left:
            out.print(f"[dim]the parts stay in {escape(made.left)}; remove that folder when you like[/dim]")
    else:
        note = "; nothing was written" if dry_run else ""
        out.print(
            f"[bold]{counted_of(done, made.shards, 'part', 'is', 'are')} done[/bold], "
            f"{counted(made.episodes, 'episode')}{note}"
        )
