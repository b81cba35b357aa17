"""Bits of a coded header, read from bytes that nobody vouches for.

Every count and length in a header may be a lie, so whoever reads one checks it with `at_most` before using it.
"""

from typing import Final

LONGEST: Final = 4096
"""Bytes of a header that are looked at; no honest parameter set comes near it."""


class HeaderError(ValueError):
    """A header ends too early or says something that cannot be; the message says what."""


class Bits:
    """Reads a header from its first bit; the names `u`, `ue` and `se` are those of the H.264 standard (7.2)."""

    __slots__ = ("_left", "_value")  # _value holds the bits that are left, without those already read

    def __init__(self, data: bytes) -> None:
        self._left = 8 * len(data)
        self._value = int.from_bytes(data, "big")

    def u(self, n: int) -> int:
        """The next n bits as an unsigned number."""
        left = self._left - n
        if left < 0:
            raise HeaderError("it ends too early")
        value = self._value >> left
        self._value -= value << left
        self._left = left
        return value

    def flag(self) -> bool:
        """The next bit."""
        return self.u(1) == 1

    def ue(self) -> int:
        """An unsigned Exp-Golomb number, below 2**33."""
        length = self._value.bit_length()
        left = 2 * length - self._left - 1
        if left < 0:
            raise HeaderError("it ends too early")
        if length - left > 33:
            raise HeaderError("it holds a number of more than 32 bits")
        value = self._value >> left
        self._value -= value << left
        self._left = left
        return value - 1

    def se(self) -> int:
        """A signed Exp-Golomb number."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def at_most(value: int, limit: int, what: str) -> int:
    """`value`, or HeaderError when it is above the `limit` that the standard sets."""
    if value > limit:
        raise HeaderError(f"{what} is {value}, at most {limit} can be")
    return value
