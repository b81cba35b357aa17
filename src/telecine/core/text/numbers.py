"""Exact numbers that people write. Pure."""

import re
from fractions import Fraction

_LONGEST = 64
"""Characters; a float as a ratio takes up to 40."""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
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


def bytes_in(text: str) -> int | None:
    """The bytes that "8GB", "500 MiB" or "2g" mean; None when it means nothing.

    >>> bytes_in("2 KiB"), bytes_in("1.5kB"), bytes_in("much")
    (2048, 1500, None)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", text.strip().upper())
    return round(float(found[1]) * _UNITS[found[2]]) if found and found[2] in _UNITS else None
