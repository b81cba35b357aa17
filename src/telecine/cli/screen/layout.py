"""How text is laid out for people: tables that never cut a name, at any width."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import PurePosixPath

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from telecine.cli.screen import loudness
from telecine.core.text.visible import visible

_GAP = "  "
_EMPTY = frozenset({"", "0", "-", "0.0 ms", "0.00 ms"})
_MANY = 3
"""Rows from which on what all have in common is told once."""
_NARROWEST = 20


def show_table(out: Console, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A line per row where they fit in the width of `out`; else the first cell on a line of its own, the rest below.

    Columns, but the first, that say nothing in any row are left out; what is equal in all of three rows or more is told
    once, below. Cells are plain text, from wherever it comes.
    """
    cells = [[visible(cell) for cell in row] for row in rows]
    if loudness.quiet() or not cells:
        return
    told = [k for k in range(len(headers)) if k == 0 or any(row[k] not in _EMPTY for row in cells)]
    equal = [k for k in told[1:] if len(cells) >= _MANY and len({row[k] for row in cells}) == 1]
    differ = [k for k in told if k not in equal]
    _show_rows(out, [headers[k] for k in differ], [[row[k] for k in differ] for row in cells])
    common = ", ".join(_labelled(headers[k], cells[0][k]) for k in equal)
    for line in _wrapped(f"each: {common}", out.width) if common else ():
        out.print(Text(line), soft_wrap=True)


def show_facts(out: Console, rows: Iterable[tuple[str, str]]) -> None:
    """Names and values beside one another; what does not fit goes on below the value. Cells are plain text."""
    cells = [(visible(name), visible(value)) for name, value in rows]
    indent = max((cell_len(name) for name, _ in cells), default=0) + len(_GAP)
    for name, value in cells:
        lines = _wrapped(value, out.width - indent) or [""]
        for lead, line in zip((name, *[""] * len(lines)), lines, strict=False):
            out.print(Text((lead + " " * (indent - cell_len(lead)) + line).rstrip()), soft_wrap=True)


def show_indented(out: Console, text: str, indent: int) -> None:
    """Text from wherever, broken between words only, each line so many spaces from the left."""
    for line in _wrapped(visible(text), out.width - indent):
        out.print(Text(" " * indent + line), soft_wrap=True)


def show_sentence(out: Console, markup: str) -> None:
    """A sentence, in a terminal broken between words, what follows further in.

    One with a command in it is broken by the terminal alone, so that the command can be copied whole.
    """
    text = out.render_str(markup)
    if not out.is_terminal or _COMMAND.search(text.plain):
        out.print(text, soft_wrap=True)
        return
    for paragraph in text.split("\n"):
        further = " " * (len(paragraph.plain) - len(paragraph.plain.lstrip(" ")) + len(_GAP))
        for number, line in enumerate(paragraph.divide(_breaks(paragraph.plain, out.width, len(further)))):
            line.rstrip()
            out.print(Text(further) + line if number else line, soft_wrap=True)


def _breaks(text: str, width: int, indent: int) -> list[int]:
    """Where the second and later lines of a text begin, each so much further in; a long word is not broken.

    >>> _breaks("one two three", 8, 2), _breaks("  a-long-word", 6, 2)
    ([8], [])
    """
    found, start, room = list[int](), 0, width
    for word in re.finditer(r"\S+", text):
        if cell_len(text[start : word.end()]) > room and text[start : word.start()].strip():
            found.append(word.start())
            start, room = word.start(), max(width - indent, _NARROWEST)
    return found


_COMMAND = re.compile(r"\b(?:telecine|pip install|lerobot-train) |--[a-z-]+ [\"']")


def short_labels(labels: Sequence[str]) -> list[str]:
    """Labels of recordings without the folder that all are in: the file stays, and what is named in it.

    >>> short_labels(["in/a.hdf5#/data/demo_0", "in/b.hdf5#/data/demo_0"])
    ['a.hdf5#/data/demo_0', 'b.hdf5#/data/demo_0']
    >>> short_labels(["in/x/take.bag", "in/y/take.bag"])
    ['x/take.bag', 'y/take.bag']
    """
    if any("://" in label for label in labels):
        return list(labels)
    paths = [PurePosixPath(label.replace("\\", "/")) for label in labels]
    folders = [PurePosixPath(str(path).partition("#")[0]).parent.parts for path in paths]
    alike = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    count = sum(1 for _ in alike)
    return [str(PurePosixPath(*path.parts[count:])) for path in paths]


def _show_rows(out: Console, heads: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= out.width:
        out.print(Text(_line(heads, widths), "bold"), soft_wrap=True)
        out.print(Text("\n".join(_line(row, widths) for row in cells)), soft_wrap=True)  # at once: there may be many
        return
    for row in cells:
        out.print(Text(_labelled(heads[0], row[0]) if heads[0] in _NUMBERS else row[0]), soft_wrap=True)
        parts = zip(heads[1:], row[1:], strict=True)
        told = (_labelled(head, cell) for head, cell in parts if cell not in _EMPTY or (cell and head in _NUMBERS))
        show_indented(out, ", ".join(told), len(_GAP))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _labelled(head: str, cell: str) -> str:
    """A cell that says by itself what it is stands alone."""
    return cell if head in _SELF_EVIDENT else f"{head} {cell}"


_SELF_EVIDENT = frozenset({"what", "more", "size", "rate", "cameras", "decision", "text"})
_NUMBERS = frozenset({"episode"})
"""Headers of numbers that are names, so that zero says something."""


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, _NARROWEST), break_long_words=False, break_on_hyphens=False)
