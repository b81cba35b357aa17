"""`telecine inspect DATASET`: tasks and texts of labels with how long they hold, and the labels of each episode."""

from rich.console import Console

from telecine.cli.screen.layout import show_table
from telecine.inspection.dataset_summary import DatasetSummary

MOST_TEXTS = 40
MOST_EPISODES = 20
MOST_LABELS = 12
"""Of an episode, printed; --json has all."""


def show_labels(out: Console, page: DatasetSummary) -> None:
    """Nothing for a dataset with one task and no labels."""
    if len(page.texts) > 1:
        out.print()
        shown = page.texts[:MOST_TEXTS]
        texts = [(t.text, t.style, str(t.count), str(t.episodes), f"{t.seconds:.1f}") for t in shown]
        of_tasks = all(t.style == "task" for t in shown)
        columns = ("task" if of_tasks else "text", "what", "count", "episodes", "seconds")
        show_table(out, columns, [(text, "" if of_tasks else what, *more) for text, what, *more in texts])
        _more(out, len(page.texts) - MOST_TEXTS, "texts")
    if not page.labels:
        return
    out.print()
    rows = []
    for entry in page.labels[:MOST_EPISODES]:
        for label in entry.labels[:MOST_LABELS]:
            span = f"{label.start / page.fps:.2f} to {label.stop / page.fps:.2f}"
            span = f"{label.start / page.fps:.2f}" if label.is_event else span
            rows.append((str(entry.episode), span, label.style, label.text or "call of a tool"))
        if (more := len(entry.labels) - MOST_LABELS) > 0:
            rows.append((str(entry.episode), "", "", f"and {more} more; --json has all"))
    show_table(out, ("episode", "seconds", "label", "text"), rows)
    _more(out, len(page.labels) - MOST_EPISODES, "labelled episodes")


def _more(out: Console, more: int, what: str) -> None:
    if more > 0:
        out.print(f"[dim]... and {more} more {what}; --json has all[/dim]")
