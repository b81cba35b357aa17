"""Bits of a coded header, read from bytes that may be damaged, and written.

Every count and length in a header may be wrong, so whoever reads one checks it with `at_most` before using it.
"""

from typing import Final

LONGEST: Final = 4096
"""Bytes of a header that are read; intact parameter sets are far shorter."""


class HeaderError(ValueError):
    """A header ends too early or holds an impossible value; the message names it."""


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
        left = self._left - 1  # as `u` does, which would take twice as long for the most frequent field
        if left < 0:
            raise HeaderError("it ends too early")
        value = self._value >> left
        self._value -= value << left
        self._left = left
        return value == 1

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

    def rest(self) -> tuple[int, int]:
        """(the bits that are left as one number, how many they are)."""
        return self._value, self._left

    def at_end(self) -> bool:
        """Whether nothing but the stop bit and the zeros behind it are left."""
        return self._left > 0 and self._value == 1 << (self._left - 1)


class BitWriter:
    """Writes a header from its first bit, in the terms in which `Bits` reads it."""

    __slots__ = ("_size", "_value")

    def __init__(self) -> None:
        self._value = self._size = 0

    def u(self, value: int, n: int) -> None:
        """An unsigned number, 0 <= value < 2**n, as n bits."""
        self._value = self._value << n | value
        self._size += n

    def flag(self, value: bool) -> None:
        """One bit."""
        self.u(int(value), 1)

    def ue(self, value: int) -> None:
        """An unsigned Exp-Golomb number, 0 <= value."""
        self.u(value + 1, 2 * (value + 1).bit_length() - 1)

    def se(self, value: int) -> None:
        """A signed Exp-Golomb number."""
        self.ue(2 * value - 1 if value > 0 else -2 * value)

    def closed(self) -> bytes:
        """All bits, a stop bit, and zeros up to the end of the byte (rbsp_trailing_bits, 7.3.2.11)."""
        after = 7 - self._size % 8
        return ((self._value << 1 | 1) << after).to_bytes((self._size + 1 + after) // 8, "big")


def at_most(value: int, limit: int, what: str) -> int:
    """`value`, or HeaderError when it is above the `limit` that the standard sets."""
    if value > limit:
        raise HeaderError(f"{what} is {value}, at most {limit} can be")
    return value
