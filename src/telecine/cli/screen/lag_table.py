"""What `--lag` measured, as a table."""

from collections.abc import Sequence

from rich.console import Console

from telecine.cli.screen.layout import show_table
from telecine.inspection.lag_row import LagRow


def show_lag(out: Console, rows: Sequence[LagRow]) -> None:
    """A line for each camera and for the action; nothing without any."""
    if rows:
        out.print()
        show_table(out, ("lag of", "measured"), ((row.stream, row.text) for row in rows))
