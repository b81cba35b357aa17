"""What is done when: segments of an episode, each with rows and a text, as labels of subtasks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from telecine.core.grid import Times
from telecine.core.label import Label, TimedLabels
from telecine.core.text.numbers import counted, counted_of
from telecine.sources.shared.timing import Timing

Notes = tuple[tuple[str, str], ...]


def segment_labels(
    segments: Sequence[Mapping[str, Any]], steps: int, keys: tuple[str, str, str]
) -> tuple[tuple[Label, ...], Notes]:
    """(subtasks of rows [start, stop), notes on the segments that do not fit).

    keys: of the first row, of the row behind the last, and of the text.

    >>> segment_labels([{"a": 0, "b": 2, "t": "pick"}, {"a": 3, "b": 9, "t": "place"}], 4, ("a", "b", "t"))[1]
    (('source-incomplete', '1 of 2 segments ends behind the last of 4 steps'),)
    """
    labels: list[Label] = []
    bad = late = 0
    for segment in segments:
        start, stop, text = (segment.get(key, -1) for key in keys)
        fits = _is_row(start) and _is_row(stop) and isinstance(text, str) and text.strip() and start < stop
        if not fits or start >= steps:
            bad += 1
            continue
        late += stop > steps
        labels.append(Label(start, min(stop, steps), "subtask", text.strip()))
    notes = []
    if late:
        notes.append(
            (
                "source-incomplete",
                f"{counted_of(late, len(segments), 'segment', 'ends', 'end')} behind the last of "
                f"{counted(steps, 'step')}",
            )
        )
    if bad:
        notes.append(
            (
                "source-incomplete",
                f"{counted_of(bad, len(segments), 'segment', 'names', 'name')} no rows of it, or no text",
            )
        )
    return tuple(labels), tuple(notes)


def timed_labels(labels: Sequence[Label], timing: Timing, steps: int) -> tuple[TimedLabels, ...]:
    """Labels of rows on every clock of the rows, since a plan may choose any."""
    found = []
    for clock in timing.clocks() if labels else ():
        times = timing.times(clock, np.arange(steps))
        if times is not None and times.size == steps:
            found.append(TimedLabels(clock, tuple(_timed(label, times) for label in labels)))
    return tuple(found)


def _timed(label: Label, times: Times) -> Label:
    """The last row holds as long as the one before."""
    last = int(times[-1] - times[-2]) if times.size > 1 else 1
    stop = int(times[label.stop]) if label.stop < times.size else int(times[-1]) + max(last, 1)
    return replace(label, start=int(times[label.start]), stop=stop)


def _is_row(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
