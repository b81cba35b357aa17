"""`telecine edit`, `telecine merge` and `telecine diff`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from telecine.cli.exit_codes import Outcome
from telecine.cli.tables import bytes_text, console, print_json, show_findings
from telecine.editing.edit import EditReport, edit

Texts = Annotated[list[str] | None, typer.Option()]


def run(
    dataset: Path,
    out: Path | None,
    *,
    edits: Sequence[Path],
    flags: dict[str, Any],
    in_place: bool,
    dry_run: bool,
    overwrite: bool,
    json: bool,
) -> Outcome:
    """Done when the new dataset is there, or would be; leaving episodes out on purpose is no failure."""
    made = edit(dataset, out, edits=edits, in_place=in_place, dry_run=dry_run, overwrite=overwrite, **flags)
    return shown(made, json=json)


def shown(made: EditReport, *, json: bool) -> Outcome:
    """What an edit or a merge did, printed."""
    if json:
        print_json(made.to_dict())
    else:
        _show(console(), made)
    return Outcome(made.ok, made.findings)


def _show(out: Console, made: EditReport) -> None:
    if made.dropped:
        few = ", ".join(made.dropped[:12]) + (" ..." if len(made.dropped) > 12 else "")
        out.print(f"left out: {len(made.dropped)} episodes ({few})")
    verb = "are" if made.written else "would be"
    out.print(
        f"videos: {made.linked_files} files {verb} linked, {made.copied_frames} frames copied, "
        f"{made.encoded_frames} coded again; new files take about {bytes_text(made.new_bytes)}"
    )
    show_findings(out, made.findings)
    if not made.written:
        out.print(f"{made.episodes} episodes, {made.rows} rows; nothing was written")
        return
    out.print(f"{made.episodes} episodes, {made.rows} rows -> {escape(made.root)}, verified")
    out.print(f"to see what changed: telecine diff {escape(made.inputs[0])} {escape(made.root)}", soft_wrap=True)
