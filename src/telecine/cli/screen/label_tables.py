"""`telecine inspect DATASET`: tasks and texts of labels with how long they hold, and the labels of each episode."""

from rich.console import Console
from rich.table import Table

from telecine.cli.screen.tables import escape
from telecine.inspection.dataset_summary import DatasetSummary

MOST_TEXTS = 40
MOST_EPISODES = 20
MOST_LABELS = 12
"""Of an episode, printed; --json has all."""


def show_labels(out: Console, page: DatasetSummary) -> None:
    """Nothing for a dataset with one task and no labels."""
    if len(page.texts) > 1:
        table = Table("what", "text", "count", "episodes", "seconds", box=None, pad_edge=False)
        for one in page.texts[:MOST_TEXTS]:
            table.add_row(one.style, escape(one.text), str(one.count), str(one.episodes), f"{one.seconds:.1f}")
        out.print(table)
        _more(out, len(page.texts) - MOST_TEXTS, "texts")
    if not page.labels:
        return
    table = Table("episode", "seconds", "label", "text", box=None, pad_edge=False)
    for entry in page.labels[:MOST_EPISODES]:
        for label in entry.labels[:MOST_LABELS]:
            span = f"{label.start / page.fps:.2f} to {label.stop / page.fps:.2f}"
            span = f"{label.start / page.fps:.2f}" if label.is_event else span
            table.add_row(str(entry.episode), span, label.style, escape(label.text or "call of a tool"))
        if (more := len(entry.labels) - MOST_LABELS) > 0:
            table.add_row(str(entry.episode), "", "", f"and {more} more; --json has all")
    out.print(table)
    _more(out, len(page.labels) - MOST_EPISODES, "labelled episodes")


def _more(out: Console, more: int, what: str) -> None:
    if more > 0:
        out.print(f"[dim]... and {more} more {what}; --json has all[/dim]")
