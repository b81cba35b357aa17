"""Numbers that people write, and how numbers are written for them. Pure."""

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


def counted(number: int | Fraction, noun: str, plural: str | None = None) -> str:
    """The number with its noun, and with the verb that follows where that has to agree.

    plural: what follows other numbers than one; unless given, the noun with an s.

    >>> counted(1, "row"), counted(2, "row"), counted(1, "row is", "rows are")
    ('1 row', '2 rows', '1 row is')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"


def counted_of(number: int, total: int, noun: str, verb: str, verbs: str) -> str:
    """How many of all, with the verb that follows.

    >>> counted_of(1, 2, "row", "is", "are"), counted_of(2, 2, "row", "is", "are"), counted_of(1, 1, "row", "is", "are")
    ('1 of 2 rows is', '2 of 2 rows are', '1 of 1 row is')
    """
    return f"{number} of {counted(total, noun)} {verb if number == 1 else verbs}"


def percent_text(share: float, digits: int = 0) -> str:
    """A share of one as per cent.

    >>> percent_text(0.256), percent_text(0.256, 1)
    ('26 %', '25.6 %')
    """
    return f"{100 * share:.{digits}f} %"


def bytes_in(text: str) -> int | None:
    """The bytes that "8GB", "500 MiB" or "2g" mean; None when it means nothing.

    >>> bytes_in("2 KiB"), bytes_in("1.5kB"), bytes_in("much")
    (2048, 1500, None)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", text.strip().upper())
    return round(float(found[1]) * _UNITS[found[2]]) if found and found[2] in _UNITS else None


def bytes_text(size: float) -> str:
    """A size in the largest unit of which there is one.

    >>> bytes_text(999), bytes_text(12_345_678)
    ('999 B', '12.3 MB')
    """
    units = ["GB", "MB", "kB", "B"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop()
    return f"{size:.0f} B" if units[-1] == "B" else f"{size:.1f} {units[-1]}"


def duration_text(seconds: float) -> str:
    """A time to wait or to look at, as people say it.

    >>> duration_text(0.4), duration_text(36), duration_text(80), duration_text(7300)
    ('0 s', '36 s', '1 min 20 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
