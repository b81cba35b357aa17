"""Text from files as people may see it: nothing in it moves the cursor, sets a colour or turns the line around.

Names in recordings are written by strangers. A control sequence in one would be obeyed by the terminal, and a
bidirectional control shows another name than it is (CVE-2021-42574).
"""

import unicodedata

from telecine.core.text.secrets import scrubbed

_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of control, format and surrogate characters, and of the separators that end a line."""
_JOINERS = "\u200c\u200d"
"""Format characters that words and emoji need."""


def visible(text: str, keep: str = "") -> str:
    r"""The text with its hidden characters escaped as Python does, but those in `keep`.

    >>> visible("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    if text.isprintable():
        return text
    return "".join(
        ch if ch in keep or ch in _JOINERS or unicodedata.category(ch) not in _HIDDEN else _escaped(ch) for ch in text
    )


def safe(text: str, keep: str = "") -> str:
    """`visible`, and without secrets: what was typed, or a server's answer, may be an address with a password."""
    return visible(scrubbed(text), keep)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
