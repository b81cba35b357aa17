"""`telecine inspect DATASET`: one page about a finished dataset."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen import loudness
from telecine.cli.screen.label_tables import show_labels
from telecine.cli.screen.lag_table import show_lag
from telecine.cli.screen.layout import show_facts, show_table
from telecine.cli.screen.next_steps import after_dataset, command, frames_not_compared, show_steps
from telecine.cli.screen.progress import Bar
from telecine.cli.screen.tables import console, escape, print_json, show_findings
from telecine.commands.inspect import inspect
from telecine.commands.stores import stores
from telecine.core.findings import has_errors
from telecine.core.text.numbers import counted
from telecine.inspection.dataset_card import card_findings, dataset_card
from telecine.inspection.dataset_summary import DatasetSummary, EpisodeSummary
from telecine.lerobot_format.paths import VERSION
from telecine.sources.shared.confinement import check_dataset, links_followed

MOST_SHOWN = 40
MOST_FILES = 3


def run(
    root: str, *, png: Path | None, json: bool, card: bool = False, checks: Sequence[str] = (), reading: dict[str, Any]
) -> Outcome:
    """Done when there are no errors. card: print the dataset's card instead of the page. reading: more of `inspect`."""
    if card:
        with stores() as here, links_followed(reading["follow_links"]):
            place = here.dataset(root)
            check_dataset(place)
            text = here.done(dataset_card(Path(place)))
        print_json({"card": text}) if json else sys.stdout.write(text)
        return Outcome(True, card_findings(text, root))
    with Bar(quiet=json) as bar:
        page = inspect(root, png=png, checks=checks, progress=bar, **reading)
    assert isinstance(page, DatasetSummary)
    if json:
        print_json(page.to_dict())
    else:
        _show(console(), page)
    for path in () if json else page.drawn:
        console().print(f"wrote {escape(path)}", soft_wrap=True)
    return Outcome(not has_errors(page.findings), page.findings)


def _tasks(episode: EpisodeSummary) -> str:
    """Its tasks with their numbers."""
    return "; ".join(f"{n}: {text}" for n, text in zip(episode.task_numbers, episode.tasks, strict=True))


def _show_tables(out: Console, page: DatasetSummary) -> None:
    rows = [
        ("Dataset", page.root),
        ("LeRobot", page.version),
        ("Robot", page.robot_type or "not given"),
        ("Episodes", str(len(page.episodes))),
        ("Frames", f"{page.frames} ({page.frames / page.fps:.1f} s at {page.fps} fps)"),
    ]
    for column in page.columns:
        if column.dtype not in ("video", "image"):
            names = f": {', '.join(column.names)}" if column.names else ""
            rows.append((column.key, f"{column.dtype} {list(column.shape)}{names}"))
    rows += [(c.key, f"{c.codec} {c.width}x{c.height}, {c.fps:g} fps") for c in page.cameras]
    rows += [(f"Task {index}", task) for index, task in enumerate(page.tasks[:MOST_SHOWN])]
    for made in page.frame_tables[:MOST_FILES]:
        rows.append(("Frame table", f"{made.path}: {counted(made.rows, 'row')}, columns {', '.join(made.columns)}"))
    if len(page.frame_tables) > MOST_FILES:
        rows.append(("", f"and {len(page.frame_tables) - MOST_FILES} more; --json has all"))
    show_facts(out, rows)
    out.print()
    most = len(page.episodes) if loudness.verbose() else MOST_SHOWN
    episodes = [
        (
            str(e.index),
            str(e.length),
            f"{e.seconds:.1f}",
            _tasks(e),
            ", ".join(c.removeprefix("look-") for c in e.verdicts),
        )
        for e in page.episodes[:most]
    ]
    show_table(out, ("episode", "rows", "seconds", "task", "noticed"), episodes)
    if len(page.episodes) > most:
        out.print(f"[dim]... and {counted(len(page.episodes) - most, 'more episode')}; -v shows all[/dim]")
    show_labels(out, page)


def _show(out: Console, page: DatasetSummary) -> None:
    if page.version and not loudness.quiet():
        _show_tables(out, page)
    show_lag(out, page.lag)
    show_findings(out, page.findings)
    verdict = "[bold red]needs repair[/bold red]" if has_errors(page.findings) else "[bold]nothing broken[/bold]"
    worth = sum(f.severity != "info" for f in page.findings)
    found = f"; {counted(worth, 'thing') if worth else 'nothing'} to look at"
    is_filmed = page.cameras and page.version == VERSION and not has_errors(page.findings)
    seen = ", frames sampled" if is_filmed and page.sampled else ""
    unseen = f"; {frames_not_compared(page.root)}" if is_filmed and not page.sampled else ""
    out.print(f"{verdict}{seen}{found}{escape(unseen)}", soft_wrap=True)
    if has_errors(page.findings):
        show_steps(out, [("what can be saved of it", command("telecine", "repair", page.root))])
    else:
        show_steps(out, after_dataset(Path(page.root), inspected=True))
