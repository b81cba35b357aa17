"""What was typed, for commands that say how to go on: the same once more, with or without a flag."""

from collections.abc import Sequence

_words: tuple[str, ...] = ()


def remember(words: Sequence[str]) -> None:
    """Keep the words behind `telecine`, for the rest of this process."""
    global _words  # as what was typed is: one command a process
    _words = tuple(words)


def typed(*, more: Sequence[str] = (), without: str = "") -> list[str]:
    """The command as it was typed, without a flag and with others; empty where it was not typed.

    >>> remember(["convert", "in", "out", "--dry-run"])
    >>> typed(without="--dry-run", more=["--recover"])
    ['telecine', 'convert', 'in', 'out', '--recover']
    >>> remember([])
    """
    if not _words:
        return []
    words = [word for word in _words if word != without]
    return ["telecine", *words, *(word for word in more if word not in words)]
