"""Tasks that say nothing, and one task that is spelled in several ways."""

import re
from collections.abc import Iterator, Sequence

from telecine.core.findings import Finding
from telecine.core.text.numbers import counted

PLACEHOLDERS = frozenset((
    "task", "todo", "tbd", "test", "testing", "none", "null", "nan", "n/a", "na", "unknown", "untitled", "default",
    "dummy", "placeholder", "string", "xxx", "foo", "bar", "asdf", "instruction", "description", "lorem ipsum",
    "single task", "my task", "no task", "task description", "task 0", "task 1",
))  # fmt: skip
"""Texts that tools and people leave where a task was asked for."""
FIX = "telecine edit DATASET OUT --task ... says what was done"


def task_findings(tasks: Sequence[Sequence[str]], lengths: Sequence[int]) -> Iterator[Finding]:
    """Episodes whose task is empty or a placeholder. tasks: of each episode."""
    for number, (texts, length) in enumerate(zip(tasks, lengths, strict=True)):
        empty = not texts or any(not text.strip() for text in texts)
        named = [text for text in texts if _plain(text) in PLACEHOLDERS]
        if empty or named:
            text = "the task is empty" if empty else f"the task {named[0]!r} is a placeholder"
            place = {"episode": number, "rows": (0, length), "key": "task"}
            yield Finding("look-task", "warning", f"episode {number}", text, FIX, **place)  # type: ignore[arg-type]


def spelling_findings(tasks: Sequence[Sequence[str]], lengths: Sequence[int]) -> Iterator[Finding]:
    """Tasks that differ only in case, spaces and punctuation; each rarer spelling with its first episode."""
    first: dict[str, int] = {}
    count: dict[str, int] = {}
    for number, texts in enumerate(tasks):
        for text in texts:
            first.setdefault(text, number)
            count[text] = count.get(text, 0) + 1
    groups: dict[str, list[str]] = {}
    for text in first:
        groups.setdefault(_plain(text), []).append(text)
    for plain, spellings in groups.items():
        usual = max(spellings, key=lambda text: (count[text], -first[text]))
        for text in sorted(set(spellings) - {usual}, key=first.__getitem__) if plain else ():
            number = first[text]
            said = f"the task {text!r} of {counted(count[text], 'episode')} is spelled {usual!r} in {count[usual]}"
            place = {"episode": number, "rows": (0, lengths[number]), "key": "task"}
            yield Finding("look-spelling", "warning", f"episode {number}", said, FIX, **place)  # type: ignore[arg-type]


def _plain(text: str) -> str:
    """Without case, spaces and punctuation at its ends or between words; what stands within numbers stays."""
    return " ".join(re.findall(r"[^\W_]+(?:[.,/][^\W_]+)*", text.casefold())) or text.strip().casefold()
