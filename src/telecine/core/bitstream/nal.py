"""NAL units of H.264 and H.265 in Annex B form: where they begin, and the parameter sets among them.

Reads a packet up to its first slice only: everything that copy-or-encode needs is before or in it.
"""

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeAlias, TypeVar

from telecine.core.bitstream.bits import Bits, HeaderError
from telecine.core.dataclass import dataclass
from telecine.core.recording import Buffer

START = b"\0\0\1"
_FIRST_BYTES = 1024
"""Bytes searched first: more than a slice header, often also the parameter sets of a keyframe."""
_HEADER = 128
"""Bytes from the first slice on that are always there, if the packet has them."""


Leading: TypeAlias = tuple[bytes, Sequence[tuple[int, int]], int]
"""The front of a packet: (data, units, slice). A plain tuple, because one is made for every packet.

data: (the start of) the packet.
units: (begin, end) of each NAL unit before the first slice, half-open, without start code.
slice: where the NAL unit of the first slice begins, -1 when the packet has none.
"""


def leading(packet: Buffer, is_slice: bytes) -> Leading:
    """NAL units up to the first slice; `is_slice[first byte]` is 1 for the units that carry pictures."""
    data = bytes(packet[:_FIRST_BYTES])
    found = _leading(data, is_slice)
    if len(packet) > _FIRST_BYTES and (found[2] < 0 or found[2] + _HEADER > _FIRST_BYTES):
        found = _leading(bytes(packet), is_slice)
    return found


def _leading(data: bytes, is_slice: bytes) -> Leading:
    begin = data.find(START) + 3
    if begin == 2:
        return data, (), -1
    units: list[tuple[int, int]] = []
    while begin < len(data):
        if is_slice[data[begin]]:
            return data, units, begin
        after = data.find(START, begin)
        end = len(data) if after < 0 else after
        units.append((begin, begin + len(data[begin:end].rstrip(b"\0"))))
        begin = end + 3
    return data, units, -1


def payload(data: bytes) -> bytes:
    """The bytes of a NAL unit without the escapes that keep start codes out (7.4.1.1)."""
    return data.replace(b"\0\0\3", b"\0\0") if b"\0\0\3" in data else data


_START_CODE_LIKE = re.compile(rb"\0\0(?=[\0-\3])")


def escaped(payload: bytes) -> bytes:
    """The payload with escapes wherever it looks like a start code (7.4.1.1): the counterpart of `payload`."""
    return _START_CODE_LIKE.sub(b"\0\0\3", payload)


def has_recovery_point(sei: bytes) -> int | None:
    """Where the payload of a recovery point begins in an unescaped SEI message list (payload type 6), or None."""
    at = 0
    while at + 2 < len(sei):
        numbers = []
        for _ in range(2):
            value = 0
            while at < len(sei) and sei[at] == 255:
                value, at = value + 255, at + 1
            if at >= len(sei):
                return None
            numbers.append(value + sei[at])
            at += 1
        if numbers[0] == 6:
            return at
        at += numbers[1]
    return None


def nothing_shown(packet: Buffer, found: Leading) -> str:
    """What is wrong with a packet that has no slice."""
    if not len(packet):
        return "it is empty"
    return "it holds no frame" if found[1] or found[2] >= 0 else "it holds no start code, so it is not in Annex B form"


def vui_colour(bits: Bits) -> tuple[bool, int]:
    """(full range, matrix_coeffs) from the front of the VUI (H.264 E.1.1, H.265 E.2.1)."""
    if bits.flag() and bits.u(8) == 255:
        bits.u(32)
    if bits.flag():
        bits.flag()
    if not bits.flag():
        return False, 2
    bits.u(3)
    full_range = bits.flag()
    return full_range, bits.u(24) & 255 if bits.flag() else 2


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """A parsed parameter set of the lowest rank, which builds on no other."""

    RANK: ClassVar[int] = 0
    id: int

    @property
    def key(self) -> tuple[int, int]:
        """Rank and id."""
        return self.RANK, self.id

    @property
    def parent(self) -> tuple[int, int] | None:
        """Rank and id of the set that this one builds on."""
        return None


@dataclass(frozen=True, slots=True)
class DependentSet(ParameterSet):
    """A parameter set that builds on one of the rank below: the one with the id `parent_id`."""

    parent_id: int

    @property
    def parent(self) -> tuple[int, int]:
        """Rank and id of the set that this one builds on."""
        return self.RANK - 1, self.parent_id


P = TypeVar("P", bound=ParameterSet)


@dataclass(frozen=True, slots=True)
class Active(Generic[P]):
    """A parameter set as sent and as understood."""

    raw: bytes
    parsed: P


def poc_msb(lsb: int, lsb_before: int, msb_before: int, bits: int) -> int:
    """The high part of a picture order count of which `bits` low bits are sent (H.264 8.2.1.1, H.265 8.3.1).

    lsb_before, msb_before: low and high part of the picture before that this one is counted from.
    """
    size = 1 << bits
    if lsb < lsb_before and lsb_before - lsb >= size // 2:
        return msb_before + size
    if lsb > lsb_before and lsb - lsb_before > size // 2:
        return msb_before - size
    return msb_before


class ParameterSets(Generic[P]):
    """The parameter sets in force. A set whose content changes takes those that build on it away, as in FFmpeg."""

    def __init__(self, parse: Callable[[bytes], P]) -> None:
        self._parse = parse
        self.active: dict[tuple[int, int], Active[P]] = {}
        self._known: dict[bytes, P] = {}

    def add(self, raw: bytes) -> P:
        """Put the NAL unit `raw` in force. HeaderError when it cannot be read."""
        parsed = self._known.get(raw)
        if parsed is None:
            if len(self._known) >= 64:  # a stream that never repeats itself must not fill the memory
                self._known.clear()
            parsed = self._known[raw] = self._parse(raw)
        old = self.active.get(parsed.key)
        if old is None or old.raw != raw:
            self._drop(parsed.key)
            self.active[parsed.key] = Active(raw, parsed)
        return parsed

    def _drop(self, key: tuple[int, int]) -> None:
        self.active.pop(key, None)
        for other in [k for k, v in self.active.items() if v.parsed.parent == key]:
            self._drop(other)

    def parsed(self, key: tuple[int, int], name: str) -> P:
        """The set in force for `key`. HeaderError naming it as `name` when there is none."""
        found = self.active.get(key)
        if found is None:
            raise HeaderError(f"it needs {name} {key[1]}, which was not sent before it")
        return found.parsed
