"""Which of many recordings are read to know what all of them hold."""

from collections.abc import Sequence

from telecine.core.findings import Finding
from telecine.core.recording import Ref
from telecine.core.text.numbers import counted_of

MOST_INSPECTED = 1000
"""Of more recordings so many are read, unless all are asked for."""


def sampled(refs: Sequence[Ref], most: int = MOST_INSPECTED) -> tuple[Ref, ...]:
    """At most `most` of them, evenly over all, the first and the last among them; always the same ones."""
    if len(refs) <= most:
        return tuple(refs)
    last = len(refs) - 1
    return tuple(refs[number * last // (most - 1)] for number in range(most))


def sampling_finding(all_of_them: int, taken: int, where: str) -> Finding:
    """Says that only some were read."""
    text = (
        f"{counted_of(taken, all_of_them, 'recording', 'was', 'were')} read, evenly over all; the others may "
        "hold something else"
    )
    return Finding("inspect-sampled", "info", where, text, "read all with --all (in Python: all=True)")
