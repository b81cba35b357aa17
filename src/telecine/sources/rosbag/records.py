"""The records of a ROS 1 bag: connections and chunks, found by stepping through the file.

The index at the end of a bag is used only to know that the bag was closed: real bags have indexes with wrong offsets,
or none.
Source: https://wiki.ros.org/Bags/Format/2.0.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.sources.shared.truncation import EndState, LoggedTimes, with_times

MAGIC = b"#ROSBAG V2.0\n"
MESSAGE, BAG, INDEX, CHUNK, CHUNK_INFO, CONNECTION = 2, 3, 4, 5, 6, 7
_U32 = struct.Struct("<I")
_TIME = struct.Struct("<II")
LONGEST_HEADER = 1 << 20
USUAL_HEADER = 1 << 12
SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Connection:
    """One sender of a topic; definition is the text of its message type."""

    id: int
    topic: str
    type: str
    definition: bytes
    latching: bool


BagChunkIndex = dict[int, Array]
"""Connection id -> (n, 3) int64: time in ns, first byte and size of each message in the block, in order."""


@dataclass(slots=True)
class BagBlock:
    """The records of a chunk, or one stretch of records outside chunks. whole: False when the file ends within."""

    at: int
    stored_bytes: int
    size_bytes: int
    compression: str
    whole: bool = True
    entries: BagChunkIndex = field(default_factory=dict)


@dataclass(slots=True)
class BagLayout:
    """Everything outside chunks, and how the file ends; see mcap_records.Layout."""

    size_bytes: int
    blocks: list[BagBlock] = field(default_factory=list)
    connections: dict[int, Connection] = field(default_factory=dict)
    state: EndState = "open"
    whole_bytes: int = 0
    records: int = 0
    problem: str = ""
    times: LoggedTimes | None = None
    """When messages were logged, as far as the indexes behind chunks say."""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """(first byte, bytes) of zeros between records, which crashed recorders leave and rosbag's own tools skip."""


def walk(file: IO[bytes], size_bytes: int) -> BagLayout:
    """What the file holds. Never raises for damage: `state` and `problem` say so. The file must begin with MAGIC."""
    layout = BagLayout(size_bytes, whole_bytes=len(MAGIC))
    promised: dict[bytes, int] = {}
    found = {CHUNK_INFO: 0, CONNECTION: 0}
    for start, header, at, size in _records(file, layout):
        opcode = opcode_of(header)
        whole = at + size <= size_bytes
        if opcode == CHUNK:
            compression = header.get(b"compression", b"none").decode("latin-1")
            expanded = _number(header, b"size")
            layout.blocks.append(BagBlock(at, min(size, size_bytes - at), expanded, compression, whole))
        elif opcode == MESSAGE and whole:
            _outside(layout, start, at + size)
        elif opcode == CONNECTION and whole:
            file.seek(at)
            learn(layout, header, file.read(size))
        elif opcode == INDEX and whole:
            file.seek(at)
            _date(layout, file.read(size))
        elif opcode == BAG:
            names = (b"index_pos", b"conn_count", b"chunk_count")
            promised = {name: _number(header, name) for name in names if name in header}
        if opcode in found and start >= promised.get(b"index_pos", 0):
            found[opcode] += 1
    _judge(layout, promised, found)
    return layout


def _date(layout: BagLayout, entries: bytes) -> None:
    """The times in an index record: entries of time (two u32) and offset (u32)."""
    if not entries or len(entries) % _ENTRY_BYTES:
        return
    table = np.frombuffer(entries, "<u4").reshape(-1, 3).astype(np.int64)
    times: Array = table[:, 0] * SECOND + table[:, 1]
    layout.times = with_times(layout.times, int(times.min()), int(times.max()))


_ENTRY_BYTES = 12


def _judge(layout: BagLayout, promised: dict[bytes, int], found: dict[int, int]) -> None:
    """A bag was closed when its first record says where the index is, and the index is there."""
    if layout.state == "open" and promised.get(b"index_pos"):
        if (found[CONNECTION], found[CHUNK_INFO]) == (promised.get(b"conn_count"), promised.get(b"chunk_count")):
            layout.state, layout.problem = "complete", ""
        else:
            layout.state, layout.problem = "cut", "it ends before the end of its index"


def _outside(layout: BagLayout, start: int, end: int) -> None:
    """A message outside chunks; neighbours are read together."""
    last = layout.blocks[-1] if layout.blocks else None
    if last and last.compression == "none" and last.at + last.stored_bytes == start and last.size_bytes < 1 << 22:
        last.stored_bytes = last.size_bytes = end - last.at
    else:
        layout.blocks.append(BagBlock(start, end - start, end - start, "none"))


def _records(file: IO[bytes], layout: BagLayout) -> Iterator[tuple[int, dict[bytes, bytes], int, int]]:
    """(where it begins, header fields, where its data begins, size of the data); the last may be a cut chunk."""
    at = len(MAGIC)
    while at < layout.size_bytes:
        try:
            header, data_at, size = _record_in(file, at)
        except (EOFError, ValueError) as error:
            if skipped := _zeros(file, at, layout.size_bytes):
                layout.gaps.append((at, skipped))
                at += skipped
                continue
            if isinstance(error, EOFError):
                layout.state, layout.problem = "cut", f"it ends within the record at byte {at}"
            else:
                layout.state, layout.problem = "garbage", f"there is no record at byte {at} ({error})"
            return
        yield at, header, at + data_at, size
        if at + data_at + size > layout.size_bytes:
            layout.state, layout.problem = "cut", f"it ends within the record at byte {at}"
            return
        at += data_at + size
        layout.records += 1
        layout.whole_bytes = at
    layout.state, layout.problem = "open", "it was not closed: it has no index"


def _zeros(file: IO[bytes], at: int, stop: int) -> int:
    """How many zeros stand at `at` in front of the next record; 0 where no record follows them."""
    file.seek(at)
    count = 0
    while at + count < stop and (part := file.read(1 << 16)):
        rest = part.lstrip(b"\0")
        count += len(part) - len(rest)
        if rest:
            break
    for end in range(count, max(count - 4, 0), -1):  # a record may begin with the zeros of a length such as 256
        with suppress(ValueError, EOFError):
            _record_in(file, at + end)
            return end
    return 0


def _record_in(file: IO[bytes], at: int) -> tuple[dict[bytes, bytes], int, int]:
    """`record_at` a byte of a file, whose data begins so many bytes behind it. Raises: as `record_at`."""
    file.seek(at)
    raw = file.read(USUAL_HEADER)
    if len(raw) == USUAL_HEADER and (length := _u32(raw, 0)[0]) <= LONGEST_HEADER:
        raw += file.read(max(length + 8 - len(raw), 0))
    return record_at(raw, 0)


def record_at(raw: bytes | memoryview, at: int) -> tuple[dict[bytes, bytes], int, int]:
    """(header fields, where the data begins, its size) of the record at `at`; the data may be beyond `raw`.

    Raises:
        EOFError: raw ends within the header.
        ValueError: no record.
    """
    (length,) = _u32(raw, at)
    if length > LONGEST_HEADER:
        raise ValueError(f"a header of {counted(length, 'byte')}")
    header = fields(bytes(raw[at + 4 : at + 4 + length]), length)
    if opcode_of(header) not in range(MESSAGE, CONNECTION + 1):
        raise ValueError("an unknown kind of record")
    (size,) = _u32(raw, at + 4 + length)
    return header, at + 8 + length, size


def _u32(raw: bytes | memoryview, at: int) -> tuple[int]:
    if at + 4 > len(raw):
        raise EOFError
    return (int(_U32.unpack_from(raw, at)[0]),)


def fields(raw: bytes, length: int) -> dict[bytes, bytes]:
    """Name -> value of a header of `length` bytes; EOFError when raw is shorter, ValueError when it is none."""
    if len(raw) < length:
        raise EOFError
    found, at = {}, 0
    while at < length:
        (size,) = _u32(raw, at)
        name, equals, value = raw[at + 4 : at + 4 + size].partition(b"=")
        if not equals or at + 4 + size > length:
            raise ValueError("a field beyond its header")
        found[name] = value
        at += 4 + size
    return found


def opcode_of(header: dict[bytes, bytes]) -> int:
    """The kind of a record; 0 for none."""
    opcode = header.get(b"op", b"")
    return opcode[0] if len(opcode) == 1 else 0


def _number(header: dict[bytes, bytes], name: bytes) -> int:
    return int.from_bytes(header.get(name, b"")[:8], "little")


def learn(layout: BagLayout, header: dict[bytes, bytes], data: bytes) -> None:
    """Remember a connection; one that cannot be read is left out, and its messages are named as lost."""
    try:
        written = fields(data, len(data))
    except (ValueError, EOFError):
        return
    number = _number(header, b"conn")
    layout.connections.setdefault(
        number,
        Connection(
            number,
            (header.get(b"topic") or written.get(b"topic", b"")).decode("utf-8", "replace"),
            written.get(b"type", b"").decode("utf-8", "replace"),
            written.get(b"message_definition", b""),
            written.get(b"latching") == b"1",
        ),
    )


def scan(data: Array, layout: BagLayout) -> tuple[BagChunkIndex, int]:
    """The messages among the records in `data` and where whole records end; connections are added to `layout`."""
    raw, at = memoryview(data.data), 0
    found: dict[int, list[tuple[int, int, int]]] = {}
    while at < len(raw):
        try:
            header, start, size = record_at(raw, at)
        except (ValueError, EOFError):
            break
        if start + size > len(raw):
            break
        opcode = opcode_of(header)
        if opcode == MESSAGE:
            stamp = header.get(b"time", b"")
            if len(stamp) != _TIME.size:
                break
            seconds, nanos = _TIME.unpack(stamp)
            found.setdefault(_number(header, b"conn"), []).append((seconds * SECOND + nanos, start, size))
        elif opcode == CONNECTION:
            learn(layout, header, bytes(raw[start : start + size]))
        at = start + size
    return {number: np.array(rows, np.int64) for number, rows in found.items()}, at
