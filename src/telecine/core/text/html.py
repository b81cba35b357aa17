"""Tables in HTML, which notebooks show in place of a value's text. Pure."""

from collections.abc import Iterable, Sequence

MOST = 50
"""Rows shown; more would slow a notebook down."""


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with everything escaped; the rows after the first 50 are counted.

    >>> table("c", ["a"], [["<b>"]])
    '<table><caption>c</caption><tr><th>a</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """
    from html import escape  # its table of 2,000 names is not for those who show no notebook

    listed = [list(row) for row in rows]
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in listed[:MOST])
    more = f"<tr><td>... and {len(listed) - MOST} more</td></tr>" if len(listed) > MOST else ""
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}{more}</table>"
