"""What is done when: segments of an episode, each with rows and a text, as a text for each step."""

from collections.abc import Mapping, Sequence
from typing import Any

Notes = tuple[tuple[str, str], ...]


def segment_texts(
    segments: Sequence[Mapping[str, Any]], steps: int, keys: tuple[str, str, str]
) -> tuple[tuple[str, ...], Notes]:
    """(a text for each step, "" where no segment is; () without any segment, notes on those that do not fit).

    keys: of the first row, of the row behind the last, and of the text. Of segments that overlap the later one counts.

    >>> segment_texts([{"a": 0, "b": 2, "t": "pick"}, {"a": 3, "b": 9, "t": "place"}], 4, ("a", "b", "t"))
    (('pick', 'pick', '', 'place'), (('source-incomplete', '1 of 2 segments end behind the last of 4 steps'),))
    """
    texts = [""] * steps
    bad = late = 0
    for segment in segments:
        start, stop, text = (segment.get(key, -1) for key in keys)
        if not _is_row(start) or not _is_row(stop) or not isinstance(text, str) or not start < stop or start >= steps:
            bad += 1
            continue
        late += stop > steps
        texts[start:stop] = [text.strip()] * (min(stop, steps) - start)
    notes = []
    if late:
        notes.append(("source-incomplete", f"{late} of {len(segments)} segments end behind the last of {steps} steps"))
    if bad:
        notes.append(
            ("source-incomplete", f"{bad} of {len(segments)} segments name no rows of the episode, or no text")
        )
    return (tuple(texts) if any(texts) else (), tuple(notes))


def _is_row(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
