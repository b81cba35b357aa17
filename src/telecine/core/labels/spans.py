"""Labels moved: from the times of a recording to rows, cut with an episode, and new ones over old. Pure.

The laws: cutting commutes with adding (trim, then label, is label, then trim), and what is cut keeps its text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from telecine.core.grid import Times
from telecine.core.label import PERSISTENT, Label


def cut(labels: Iterable[Label], start: int, stop: int) -> tuple[Label, ...]:
    """The labels of rows [start, stop), counted from `start`; what reaches beyond is clipped.

    >>> cut([Label(0, 50, "subtask", "reach")], 20, 40)[0].stop
    20
    """
    found = []
    for label in labels:
        first, last = max(label.start, start), min(label.stop, stop)
        if first < last and (not label.is_event or label.start >= start):
            found.append(replace(label, start=first - start, stop=last - start))
    return in_order(found)


def over(old: Iterable[Label], new: Sequence[Label]) -> tuple[Label, ...]:
    """`new` labels, and what stays of `old` ones beside them: no row has two of one selector."""
    staying, added = list(old), [_as_stored(label) for label in new]
    for label in added:
        if label.kind.exclusive:
            staying = [p for one in staying for p in (_beside(one, label) if one.selector == label.selector else [one])]
    return in_order((*staying, *added))


def without(old: Iterable[Label], style: str, start: int, stop: int) -> tuple[Label, ...]:
    """`old` labels but those of a style in rows [start, stop)."""
    gone = Label(start, stop, style)
    return in_order(p for one in old for p in (_beside(one, gone) if one.style == style else [one]))


def _as_stored(label: Label) -> Label:
    return replace(label, stop=label.start + 1) if label.is_event else label


def _beside(label: Label, gone: Label) -> Iterable[Label]:
    """The parts of a label outside of the rows of another one."""
    before = replace(label, stop=min(label.stop, gone.start))
    after = replace(label, start=max(label.start, gone.stop))
    return (part for part in (before, after) if part.start < part.stop)


def in_order(labels: Iterable[Label]) -> tuple[Label, ...]:
    """By start, style and role, as LeRobot's writer sorts them; neighbours that say the same are one."""
    joined: list[Label] = []
    for label in sorted(labels, key=lambda one: (*one.selector, one.text or "", one.start, one.stop)):
        last = joined[-1] if joined else None
        same = last is not None and replace(last, start=label.start, stop=label.stop) == label
        if last is not None and same and not label.is_event and last.stop >= label.start:
            joined[-1] = replace(last, stop=max(last.stop, label.stop))
        elif not (last is not None and same and (last.start, last.stop) == (label.start, label.stop)):
            joined.append(label)
    return tuple(sorted(joined, key=lambda one: (one.start, *one.selector, one.text or "")))


def until_next(labels: Sequence[Label], is_open: Sequence[bool]) -> list[Label]:
    """The labels, those that are open with the start of the next of their selector as stop, where it lies before.

    >>> [one.stop for one in until_next([Label(0, 9, "plan", "a"), Label(4, 9, "plan", "b")], [True, True])]
    [4, 9]
    """
    starts: dict[tuple[str, str, str], list[int]] = {}
    for label in labels:
        starts.setdefault(label.selector, []).append(label.start)
    made = []
    for label, shortened in zip(labels, is_open, strict=True):
        later = [s for s in starts[label.selector] if label.start < s < label.stop] if shortened else []
        made.append(replace(label, stop=min(later)) if later and label.kind.exclusive else label)
    return made


def at_ticks(labels: Iterable[Label], ticks: Times) -> tuple[tuple[Label, ...], tuple[Label, ...]]:
    """(labels of rows, those that no row has) from labels of ns. ticks: (n,) int64 ns, rising.

    Row k has a label when start <= tick k < stop; an event goes to the first row at or behind it.
    """
    found: list[Label] = []
    lost: list[Label] = []
    for label in labels:
        first, last = (int(row) for row in np.searchsorted(ticks, [label.start, label.stop]))
        if label.is_event and first < len(ticks) and (first or label.start == ticks[0]):
            last = first + 1
        elif label.is_event:
            last = first
        (found if first < last else lost).append(replace(label, start=first, stop=last) if first < last else label)
    return in_order(found), tuple(lost)


def open_rows(labels: Iterable[Label], count: int) -> dict[str, int]:
    """Style -> rows behind the end of a label in which LeRobot still finds it, because it knows no end but the next."""
    found: dict[str, int] = {}
    lasting = [one for one in labels if one.kind.column == PERSISTENT and one.kind.exclusive]
    for label in lasting:
        later = [one.start for one in lasting if one.selector == label.selector and one.start >= label.stop]
        if gap := min(later, default=count) - label.stop:
            found[label.style] = found.get(label.style, 0) + gap
    return found
