"""Exact numbers that people write. Pure."""

import re
from fractions import Fraction

_LONGEST = 64
"""Characters; a float as a ratio takes up to 40."""
_HUGE = re.compile(r"e[+-]?[\d_]{3,}", re.IGNORECASE)


def fraction_of(text: str) -> Fraction:
    """The number in a text such as "30", "29.97", "30000/1001" or "1e9".

    Raises: ValueError when it is none, or one of so many digits that they alone would fill the memory.

    >>> fraction_of("29.97")
    Fraction(2997, 100)
    """
    if len(text) > _LONGEST or _HUGE.search(text):
        raise ValueError(f"{text[:_LONGEST]!r} is no number of a plausible size")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a number") from None


def counted(number: int, noun: str) -> str:
    """The number with its noun, whose plural ends in s.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
