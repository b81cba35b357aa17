"""AV1 headers (AV1 bitstream specification 5.3 - 5.9): format and keyframes, without decoding.

A packet is a temporal unit in the low-overhead form: it shows exactly one frame, so display order is decode order.
"""

from typing import NamedTuple

from telecine.core.bitstream.access_unit import LARGEST_PX, MATRICES, AccessUnit, Entry, pixel_format
from telecine.core.bitstream.bits import LONGEST, Bits, HeaderError, at_most
from telecine.core.dataclass import dataclass
from telecine.core.recording import Buffer
from telecine.core.text.numbers import counted
from telecine.core.video import FrameFormat

_SEQUENCE, _DELIMITER, _HEADER, _FRAME = 1, 2, 3, 6
_KEY = 0


class Obu(NamedTuple):
    """An open bitstream unit: [begin, end) in the packet, its payload starting at `body`."""

    kind: int
    begin: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence header, as far as it matters here."""

    format: FrameFormat
    reduced: bool
    """A still picture with shortened headers."""


def obus(data: Buffer) -> list[Obu]:
    """The units of a packet. HeaderError when their sizes do not fit it."""
    found, at = [], 0
    while at < len(data):
        header = data[at]
        if header & 0x80:
            raise HeaderError("obu_forbidden_bit is set, so it is not AV1 in low-overhead form")
        body = at + 1 + (header >> 2 & 1)
        size = len(data) - body
        if header & 2:
            size, body = _leb128(data, body)
        if size < 0 or body + size > len(data):
            raise HeaderError("a unit is longer than the packet")
        found.append(Obu(header >> 3 & 15, at, body, body + size))
        at = body + size
    return found


def _leb128(data: Buffer, at: int) -> tuple[int, int]:
    """(value, position after it)."""
    value = 0
    for i, byte in enumerate(data[at : at + 8]):
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, at + i + 1
    raise HeaderError("a unit has no size")


def sequence(body: bytes) -> Sequence:
    """What a sequence header holds (5.5). HeaderError when it cannot be read."""
    bits = Bits(body)
    profile = at_most(bits.u(3), 2, "seq_profile")
    bits.flag()
    reduced = bits.flag()
    if reduced:
        bits.u(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.u(4) + 1, bits.u(4) + 1
    width, height = bits.u(width_bits) + 1, bits.u(height_bits) + 1
    _skip_tools(bits, reduced=reduced)
    name, matrix = _colour(bits, profile)
    at_most(max(width, height), LARGEST_PX, "the frame size")
    return Sequence(FrameFormat("av1", width, height, name, MATRICES.get(matrix, "other")), reduced)


def _skip_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.flag():
        bits.u(64)
        if bits.flag():
            bits.ue()
        if bits.flag():
            delay_bits = bits.u(5) + 1
            bits.u(42)
    display_delay = bits.flag()
    for _ in range(bits.u(5) + 1):
        bits.u(12)
        if bits.u(5) > 7:
            bits.flag()
        if delay_bits and bits.flag():
            bits.u(2 * delay_bits + 1)
        if display_delay and bits.flag():
            bits.u(4)


def _skip_tools(bits: Bits, *, reduced: bool) -> None:
    if not reduced and bits.flag():
        bits.u(7)
    bits.u(3)
    if not reduced:
        bits.u(4)
        order_hint = bits.flag()
        if order_hint:
            bits.u(2)
        screen_content = bits.flag() or bits.flag()
        if screen_content and not bits.flag():
            bits.flag()
        if order_hint:
            bits.u(3)
    bits.u(3)


def _colour(bits: Bits, profile: int) -> tuple[str, int]:
    """(pixel format, matrix_coefficients) from color_config (5.5.2)."""
    high = bits.flag()
    depth = 8 + 2 * high + (2 if profile == 2 and high and bits.flag() else 0)
    mono = profile != 1 and bits.flag()
    primaries, transfer, matrix = (bits.u(8), bits.u(8), bits.u(8)) if bits.flag() else (2, 2, 2)
    if mono:
        return pixel_format(0, depth, full_range=bits.flag()), matrix
    if (primaries, transfer, matrix) == (1, 13, 0):  # sRGB in three planes
        return pixel_format(3, depth, full_range=True, rgb=True), matrix
    full_range = bits.flag()
    chroma = {0: 1, 1: 3, 2: 2}[profile]
    if profile == 2 and depth == 12:
        chroma = 3 if not bits.flag() else 1 if bits.flag() else 2
    return pixel_format(chroma, depth, full_range=full_range, rgb=matrix == 0), matrix


class Av1:
    """Reads packet after packet of one stream, in decode order."""

    def __init__(self) -> None:
        self._raw = b""
        self._sequence: Sequence | None = None
        self._count = -1

    def read(self, packet: Buffer) -> AccessUnit:
        """What the packet's headers hold; never raises."""
        self._count += 1
        try:
            return self._unit(packet)
        except HeaderError as error:
            return AccessUnit(self._count, problem=f"its headers cannot be read: {error}")

    def _unit(self, packet: Buffer) -> AccessUnit:
        shown, entry = 0, "none"
        for obu in obus(packet):
            if obu.kind == _SEQUENCE:
                self._begin(bytes(packet[obu.body : min(obu.end, obu.body + LONGEST)]))
            elif obu.kind in (_HEADER, _FRAME):
                kind, visible = self._frame(packet[obu.body : obu.body + 1])
                shown += visible
                if kind == _KEY:
                    entry = "key" if visible and entry == "none" else "open"
        problem = (
            "" if shown == 1 else f"it shows {counted(shown, 'frame')} instead of one" if len(packet) else "it is empty"
        )
        assert self._sequence is not None or shown == 0
        fmt = None if self._sequence is None else self._sequence.format
        return AccessUnit(self._count, entry == "key", _known(entry), format=fmt, problem=problem)

    def _begin(self, body: bytes) -> None:
        if body != self._raw:
            self._sequence = sequence(body)
            self._raw = body

    def _frame(self, head: Buffer) -> tuple[int, bool]:
        """(frame_type, shown) of a frame header (5.9.2); -1 for one that shows an earlier frame."""
        if self._sequence is None:
            raise HeaderError("it needs a sequence header, which was not sent before it")
        if self._sequence.reduced:
            return _KEY, True
        if not len(head):
            raise HeaderError("it ends too early")
        if head[0] & 0x80:
            return -1, True
        return head[0] >> 5 & 3, bool(head[0] & 0x10)


def _known(entry: str) -> Entry:
    return "key" if entry == "key" else "open" if entry == "open" else "none"
