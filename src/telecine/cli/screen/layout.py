"""How text is laid out for people: tables that never cut a name, at any width."""

import textwrap
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from telecine.cli.screen import loudness
from telecine.core.text.visible import visible

_GAP = "  "
_EMPTY = frozenset({"", "0", "-", "0.0 ms"})


def show_table(out: Console, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A line per row where they fit in the width of `out`; else the first cell on a line of its own, the rest below.

    Columns, but the first, that say nothing in any row are left out. Cells are plain text, from wherever it comes.
    """
    if loudness.quiet():
        return
    cells = [[visible(cell) for cell in row] for row in rows]
    told = [k for k in range(len(headers)) if k == 0 or any(row[k] not in _EMPTY for row in cells)]
    heads, cells = [headers[k] for k in told], [[row[k] for k in told] for row in cells]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= out.width:
        out.print(Text(_line(heads, widths), "bold"), soft_wrap=True)
        for row in cells:
            out.print(Text(_line(row, widths)), soft_wrap=True)
        return
    for row in cells:
        out.print(Text(row[0]), soft_wrap=True)
        parts = [_labelled(head, cell) for head, cell in zip(heads[1:], row[1:], strict=True) if cell not in _EMPTY]
        for line in _wrapped(parts, out.width - len(_GAP)):
            out.print(Text(_GAP + line), soft_wrap=True)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _labelled(head: str, cell: str) -> str:
    """A cell that says by itself what it is stands alone."""
    return cell if head in _SELF_EVIDENT else f"{head} {cell}"


_SELF_EVIDENT = frozenset({"what", "more", "size", "rate", "cameras", "task"})


def _wrapped(parts: Iterable[str], width: int) -> list[str]:
    return textwrap.wrap(", ".join(parts), max(width, 20), break_long_words=False, break_on_hyphens=False)
