"""The outer framing of .rrd files, so that a damaged one is known before anybody decodes it.

rerun-sdk reads a cut file up to the cut without a word (until 0.38) or refuses it whole (since 0.39), and a
length that lies can end the process. This module walks from message to message by their headers and finds how much
is whole. It decodes no message and allocates nothing by numbers found in the file.

Layout of "RRF2" (Rerun 0.23 and later; read from files of 0.32 .. 0.41): 12 bytes "RRF2", version[4],
compression, serializer, 0, 0; then messages of a 16-byte header (kind u64 LE, length u64 LE) and a payload; kind 0
ends the stream, its payload is the table of contents; behind it at most a footer of 12 + 20 n bytes that ends with
"RRF2FOOT" and n (u32 LE).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Literal

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.text.numbers import counted

MAGIC = b"RRF2"
HEADER_BYTES = 12
FRAME = struct.Struct("<QQ")
END, STORE_INFO, CHUNK = 0, 1, 2
_LAST_PLAUSIBLE_KIND = 31
"""Kinds above 3 do not exist yet; a few are let through so that a newer file is judged by rerun-sdk, not here."""
_FOOTER_MAGIC = b"RRF2FOOT"
_FOOTER_LEAST_BYTES = 32
_FOOTER_LOOK_BYTES = 256
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Walk:
    """What walking over a file showed.

    state:
        "complete"  an end marker, and nothing wrong behind it
        "open"      whole messages without an end marker: still being written, or the recorder was stopped
        "cut"       the file ends inside a message
        "garbage"   bytes that are no message
    """

    state: Literal["complete", "open", "cut", "garbage"]
    size_bytes: int
    whole_bytes: int
    """End of the last whole message: [0, whole_bytes) can be read."""
    messages: int
    """Whole messages with data."""
    footer: bool = False
    problem: str = ""
    """What is wrong and where, for "cut" and "garbage"."""


@dataclass(frozen=True, slots=True)
class MessageFrame:
    """One message: payload at [start, start + length) of the file."""

    kind: int
    start: int
    length: int


def check_magic(head: bytes, name: str) -> None:
    """Pass when `head` (the first bytes of a file) can be read.

    Raises:
        SourceError: it cannot, with the reason.
    """
    if not head:
        raise SourceError(f"{name}: the file is empty (0 bytes)")
    if head[:3] != MAGIC[:3]:
        raise SourceError(
            f"{name}: not a Rerun recording: it starts with {head[:4]!r}, expected {MAGIC!r}; "
            "if it is another format, give it its own suffix"
        )
    if len(head) >= 4 and head[:4] in (b"RRF0", b"RRF1"):
        raise SourceError(
            f"{name}: written by Rerun before 0.23, which today's rerun-sdk cannot read; "
            "convert it with Rerun 0.22's viewer or record it again"
        )
    if len(head) >= 4 and head[:4] != MAGIC:
        raise SourceError(f"{name}: a newer file format ({head[:4]!r}) than this telecine knows; update telecine")


def frames(file: BinaryIO, size_bytes: int) -> Iterator[MessageFrame]:
    """Messages from the start as long as they are whole and plausible, the end marker included."""
    at = HEADER_BYTES
    while at + FRAME.size <= size_bytes:
        file.seek(at)
        kind, length = FRAME.unpack(file.read(FRAME.size))
        if kind > _LAST_PLAUSIBLE_KIND or length > size_bytes - at - FRAME.size:
            return
        yield MessageFrame(kind, at + FRAME.size, length)
        if kind == END:
            return
        at += FRAME.size + length


def walk(file: BinaryIO, size_bytes: int, name: str) -> Walk:
    """How much of a file of `size_bytes` is whole; `name` is what errors call it.

    Raises:
        SourceError: not a file of this format at all.
    """
    file.seek(0)
    head = file.read(HEADER_BYTES)
    check_magic(head, name)
    if len(head) < HEADER_BYTES:
        return Walk("cut", size_bytes, 0, 0, problem=f"it ends inside its header, after {counted(len(head), 'byte')}")
    whole, messages, last = HEADER_BYTES, 0, None
    for last in frames(file, size_bytes):
        whole = last.start + last.length
        messages += last.kind == CHUNK
    file.seek(whole)
    if last is not None and last.kind == END:
        return _behind_end(file, size_bytes, last, messages)
    return _behind_messages(file.read(FRAME.size), size_bytes, whole, messages)


def _behind_end(file: BinaryIO, size_bytes: int, end: MessageFrame, messages: int) -> Walk:
    stop = end.start + end.length
    whole, rest_bytes = end.start - FRAME.size, size_bytes - stop
    file.seek(stop)
    rest = file.read(_FOOTER_LOOK_BYTES)
    footer_bytes = _footer_bytes(rest)
    if rest_bytes == footer_bytes and (footer_bytes or not end.length):
        return Walk("complete", size_bytes, whole, messages, footer=bool(footer_bytes))
    if rest[footer_bytes : footer_bytes + 4] == MAGIC:
        at = stop + footer_bytes
        problem = f"another file was appended at byte {at}; `rerun rrd merge FILE -o NEW_FILE` makes one file of both"
        return Walk("garbage", size_bytes, whole, messages, problem=problem)
    if rest_bytes < _FOOTER_LEAST_BYTES and (any(rest) or not rest):
        return Walk("cut", size_bytes, whole, messages, problem="it ends inside its table of contents")
    problem = f"{counted(rest_bytes, 'byte')}, no footer, behind the end marker at byte {stop}"
    return Walk("garbage", size_bytes, whole, messages, problem=problem)


def _footer_bytes(rest: bytes) -> int:
    """Length of the footer that `rest` starts with, 0 if it starts with none."""
    at = rest.find(_FOOTER_MAGIC)
    entries = int.from_bytes(rest[at + 8 : at + 12], "little")
    return at + 12 if at >= 0 and len(rest) >= at + 12 and at == 20 * entries else 0


def _behind_messages(rest: bytes, size_bytes: int, whole: int, messages: int) -> Walk:
    if not rest:
        return Walk("open", size_bytes, whole, messages)
    if len(rest) < FRAME.size:
        problem = f"it ends inside a message header at byte {whole}"
        return Walk("cut", size_bytes, whole, messages, problem=problem)
    kind, length = FRAME.unpack(rest)
    if kind > _LAST_PLAUSIBLE_KIND:
        problem = f"no message at byte {whole} (kind {kind}, expected 0 .. 3)"
        return Walk("garbage", size_bytes, whole, messages, problem=problem)
    have = size_bytes - whole - FRAME.size
    problem = f"the message at byte {whole} says it has {counted(length, 'byte')}, {have} are there"
    return Walk("cut", size_bytes, whole, messages, problem=problem)


def trim(source: BinaryIO, target: BinaryIO, whole_bytes: int) -> None:
    """Copy [0, whole_bytes) of `source`."""
    source.seek(0)
    left = whole_bytes
    while left:
        part = source.read(min(left, _COPY_BYTES))
        if not part:
            raise SourceError(
                f"the file became shorter while it was copied: {counted(left, 'byte is', 'bytes are')} missing"
            )
        target.write(part)
        left -= len(part)


def copy_store_infos(source: BinaryIO, size_bytes: int, target: BinaryIO) -> None:
    """Write a small file that names the same recordings as `source` but holds no data."""
    source.seek(0)
    target.write(source.read(HEADER_BYTES))
    for frame in frames(source, size_bytes):
        if frame.kind == STORE_INFO:
            source.seek(frame.start - FRAME.size)
            target.write(source.read(FRAME.size + frame.length))
