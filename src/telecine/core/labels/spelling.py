"""Texts that mean one thing and are written in several ways: "Pick up the cube" and "pick up the cube.". Pure."""

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

from telecine.core.findings import Finding
from telecine.core.text.pages import page

_ALIKE = 0.93
"""Of two texts of 12 characters or more: from here on, one is likely a slip of the other."""
_MOST = 200
"""Texts beyond which only equal letters count: all pairs would take too long."""


def spelling_variants(texts: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of two or more different texts that are likely one.

    >>> spelling_variants(["Pick it up", "pick it up.", "put it down"])
    [('Pick it up', 'pick it up.')]
    """
    groups: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        groups.setdefault(_letters(text), []).append(text)
    forms = list(groups)
    if len(forms) <= _MOST:
        for position, form in enumerate(forms):
            near = next((other for other in forms[:position] if form in groups and _alike(form, other)), None)
            if near is not None and near in groups:
                groups[near] += groups.pop(form)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _letters(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _alike(one: str, other: str) -> bool:
    """A slip in the letters; other numbers, or one word for another, are other texts."""
    if min(len(one), len(other)) < 12 or re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    differing = set(one.split()) ^ set(other.split())
    slip = len(differing) == 2 and SequenceMatcher(a=min(differing), b=max(differing)).ratio() > 0.8
    return slip and SequenceMatcher(None, one, other).ratio() >= _ALIKE


def spelling_findings(texts: Mapping[str, Iterable[str]], where: str) -> list[Finding]:
    """A warning for each group of variants. texts: by what they are, such as `task` or `subtask`."""
    found = []
    for what, own in texts.items():
        for group in spelling_variants(own):
            text = f"{what}: {', '.join(map(repr, group))} are likely one text, and a policy learns them as several"
            found.append(
                Finding("label-spelling", "warning", where, text, f"give them one spelling ({page('labels')})")
            )
    return found
