"""`telecine edit`, `telecine merge` and `telecine diff`."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen.next_steps import (
    after_dataset,
    command,
    frames_not_compared,
    show_steps,
    viewing,
    without_dry_run,
)
from telecine.cli.screen.tables import console, print_json, show_findings
from telecine.commands.edit import edit
from telecine.commands.stores import stores
from telecine.core.text.numbers import bytes_text, counted
from telecine.editing.edit import EditReport
from telecine.sources.shared.confinement import check_dataset, links_followed


def run(dataset: Path, out: Path | None, *, json: bool, **how: Any) -> Outcome:
    """Done when the new datasets are there, or would be; leaving episodes out on purpose is no failure."""
    made = edit(dataset, out, **how)
    if isinstance(made, EditReport):
        return shown(made, json=json)
    if json:
        print_json(made.to_dict())
    else:
        for name, part in made.parts.items():
            console().print(f"[bold]{escape(name)}[/bold] (seed {made.seed})")
            _show(console(), part)
    return Outcome(made.ok, tuple(finding for part in made.parts.values() for finding in part.findings))


def run_merge(paths: list[Path], *, json: bool, **how: Any) -> Outcome:
    """Done when the new dataset is there, or would be."""
    from telecine.commands.edit import merge

    return shown(merge(paths[:-1], paths[-1], **how), json=json)


def run_diff(a: Path, b: Path, *, frames: bool, follow_links: bool, json: bool) -> Outcome:
    """Done when nothing differs."""
    from telecine.editing.diff import diff

    with stores() as here, links_followed(follow_links):
        root, other = here.dataset(a), here.dataset(b)
        check_dataset(root)
        check_dataset(other)
        found = here.done(diff(root, other, frames=frames))
    if json:
        print_json(found.to_dict())
        return Outcome(found.equal)
    out = console()
    for name, values in found.to_dict()["episodes"].items():
        if values:
            more = " ..." if len(values) > 20 else ""
            out.print(f"episodes {name}: {escape('; '.join(map(_place, values[:20])))}{more}")
    for name, keys in found.features.items():
        if keys:
            out.print(f"features {name}: {escape(', '.join(map(str, keys)))}")
    if found.statistics:
        out.print(f"statistics differ: {escape(', '.join(found.statistics))}")
    for key, count in found.frames.items():
        out.print(
            f"{escape(key)}: {counted(count.same_bits, 'frame')} the same bits, {count.same_pixels} the same pixels, "
            f"{count.different} different"
        )
    out.print("equal in content" if found.equal else "they differ")
    if not found.equal:
        show_steps(out, [viewing(b, "look at the second in the browser")])
    return Outcome(found.equal)


def _place(entry: int | dict[str, Any]) -> str:
    """An episode, or one that is another one there, with the rows [start, stop) that are left of it.

    >>> _place(3), _place({"a": 0, "b": 1, "rows": [30, 239]}), _place({"a": 2, "b": 2, "what": {"labels": {}}})
    ('3', '0, now 1, rows 30 to 238', '2, now 2: labels')
    >>> _place({"a": 4, "b": [{"b": 3, "rows": [0, 9]}, {"b": 4, "rows": [9, 20]}]})
    '4, now 3, rows 0 to 8, and 4, rows 9 to 19'
    """
    if isinstance(entry, int):
        return str(entry)
    there = entry["b"] if isinstance(entry["b"], list) else [entry]
    parts = [
        f"{one['b']}, rows {one['rows'][0]} to {one['rows'][1] - 1}" if "rows" in one else f"{one['b']}"
        for one in there
    ]
    what = f": {', '.join(_change(*change) for change in entry['what'].items())}" if "what" in entry else ""
    return f"{entry['a']}, now {', and '.join(parts)}{what}"


def _change(name: str, values: dict[str, Any]) -> str:
    """What a fact of an episode was and is; labels are too many to say.

    >>> _change("success", {"a": None, "b": True}), _change("tasks", {"a": ["pick"], "b": ["place", "pick"]})
    ('success unknown -> true', 'tasks pick -> place, pick')
    """
    if name == "labels":
        return name
    said = (", ".join(map(str, v)) if isinstance(v, list) else v for v in (values["a"], values["b"]))
    return f"{name} " + " -> ".join(
        "unknown" if v is None else str(v) if v not in (True, False) else str(v).lower() for v in said
    )


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
        out.print(f"left out: {counted(len(made.dropped), 'episode')} ({few})")
    verb = "would be" if not made.written else "is" if made.linked_files == 1 else "are"
    out.print(
        f"videos: {counted(made.linked_files, 'file')} {verb} linked, {counted(made.copied_frames, 'frame')} copied, "
        f"{made.encoded_frames} re-encoded; new files take about {bytes_text(made.new_bytes)}"
    )
    show_findings(out, made.findings)
    if not made.written:
        out.print(f"{_counts(made)}; nothing was written")
        show_steps(out, without_dry_run() if made.ok else [])
        return
    filmed = made.linked_files + made.copied_frames + made.encoded_frames > 0
    frames = f"; {frames_not_compared(made.root)}" if filmed else ""
    out.print(f"{_counts(made)} -> {escape(made.root)}, verified{escape(frames)}", soft_wrap=True)
    changed = (
        [("what changed", command("telecine", "diff", made.inputs[0], made.root))] if len(made.inputs) == 1 else []
    )
    show_steps(out, [*changed, *after_dataset(Path(made.root))])


def _counts(made: EditReport) -> str:
    return f"{counted(made.episodes, 'episode')}, {counted(made.rows, 'row')}"
