"""The records of an MCAP file: what stands where, found by stepping over their headers. Reads no chunk's content.

Everything is taken from the data section itself; the summary is used only for what it repeats. So files without
summary, index or footer, and files that were cut, are read in the same way as whole ones.
Source: https://mcap.dev/spec.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from telecine.core.recording import Array
from telecine.sources.shared.truncation import EndState, LoggedTimes, with_times

MAGIC = b"\x89MCAP0\r\n"
_HEADER = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_CHUNK = struct.Struct("<QQQI")
RECORD_BYTES = _HEADER.size
MESSAGE_BYTES = _MESSAGE.size
_LEAST_BYTES, _MOST_BYTES = 1 << 12, 1 << 18
_RAW_BYTES = 1 << 22
"""Messages outside chunks are read in blocks of this size."""

FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX = 2, 3, 4, 5, 6, 7
ATTACHMENT, STATISTICS, METADATA = 9, 11, 12


@dataclass(frozen=True, slots=True)
class SchemaRecord:
    """A message type: its name, how its definition is written, and the definition."""

    id: int
    name: str
    encoding: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    """A topic of one sender."""

    id: int
    schema_id: int
    topic: str
    encoding: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    """Where an attached file is: `size_bytes` bytes from `at`."""

    name: str
    media_type: str
    log_time_ns: int
    at: int
    size_bytes: int


McapChunkIndex = dict[int, tuple[Array, Array]]
"""Channel id -> log times (n,) uint64, offsets of the message records in the block (n,) uint64."""


@dataclass(slots=True)
class McapBlock:
    """Messages that are read together: the records of a chunk, or of a stretch of the file outside chunks.

    at, stored_bytes: where the (compressed) records are in the file; size_bytes: expanded. entries: what the
    message index says, None when there is none. crc: of the expanded records; 0: not known. whole: False when the
    file ends within.
    """

    at: int
    stored_bytes: int
    size_bytes: int
    compression: str = ""
    crc: int = 0
    entries: McapChunkIndex | None = None
    whole: bool = True


@dataclass(slots=True)
class McapLayout:
    """Everything outside chunks, and how the file ends.

    whole_bytes: up to the last whole record. problem: what is wrong behind it ("": nothing). counts: messages by
    channel as the statistics say, None without them.
    """

    size_bytes: int
    blocks: list[McapBlock] = field(default_factory=list)
    schemas: dict[int, SchemaRecord] = field(default_factory=dict)
    channels: dict[int, ChannelRecord] = field(default_factory=dict)
    attachments: list[AttachmentRecord] = field(default_factory=list)
    metadata: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    counts: dict[int, int] | None = None
    state: EndState = "open"
    whole_bytes: int = 0
    records: int = 0
    problem: str = ""
    times: LoggedTimes | None = None
    """When messages were logged, as far as the file is known."""


def walk(file: IO[bytes], size_bytes: int) -> McapLayout:
    """What the file holds. Never raises for damage: `state` and `problem` say so. The file must begin with MAGIC."""
    layout = McapLayout(size_bytes, whole_bytes=len(MAGIC))
    raw: _Raw | None = None
    window = _Window(file)
    for opcode, at, length in _records(window, size_bytes, layout):
        if opcode in (SCHEMA, CHANNEL, MESSAGE):
            raw = raw or _Raw(at - RECORD_BYTES)
            if opcode == MESSAGE and length >= MESSAGE_BYTES:
                logged_ns = raw.add(at, window.read(at, MESSAGE_BYTES))
                layout.times = with_times(layout.times, logged_ns, logged_ns)
            raw.end = at + length
        if raw and (opcode not in (SCHEMA, CHANNEL, MESSAGE) or raw.end - raw.at > _RAW_BYTES):
            layout.blocks += raw.block()
            raw = None
        if opcode != MESSAGE:
            _keep(window, layout, (opcode, at, length))
    if raw:
        layout.blocks += raw.block()
    return layout


class _Window:
    """Reads small pieces of a file in order; more at a time while they follow each other closely."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._held, self._at, self._step = file, b"", 0, _LEAST_BYTES

    def read(self, at: int, count: int) -> bytes:
        """`count` bytes from `at`, fewer at the end of the file."""
        start = at - self._at
        if start < 0 or start + count > len(self._held):
            near = 0 <= start <= len(self._held)
            self._step = min(self._step * 2, _MOST_BYTES) if near else _LEAST_BYTES
            self._file.seek(at)
            self._held, self._at, start = self._file.read(max(count, self._step)), at, 0
        return self._held[start : start + count]


class _Raw:
    """Messages outside chunks, while they are collected."""

    def __init__(self, at: int) -> None:
        self.at, self.end = at, at
        self._seen: dict[int, list[tuple[int, int]]] = {}

    def add(self, at: int, start: bytes) -> int:
        """Its log time, in ns."""
        channel, _, log_time, _ = _MESSAGE.unpack_from(start)
        self._seen.setdefault(channel, []).append((log_time, at - RECORD_BYTES - self.at))
        return int(log_time)

    def block(self) -> list[McapBlock]:
        if not self._seen:
            return []
        tables = {channel: np.array(pairs, np.uint64) for channel, pairs in self._seen.items()}
        entries = {channel: (table[:, 0], table[:, 1]) for channel, table in tables.items()}
        size = self.end - self.at
        return [McapBlock(self.at, size, size, entries=entries)]


def _records(window: _Window, size_bytes: int, layout: McapLayout) -> Iterator[tuple[int, int, int]]:
    """(opcode, where its content begins, length) of every record; sets how the file ends.

    All are whole but the last, when the file ends within a chunk.
    """
    at = len(MAGIC)
    while True:
        start = window.read(at, RECORD_BYTES)
        if not start:
            layout.state, layout.problem = "open", "it has no end marker"
            return
        if start.startswith(MAGIC) and layout.state == "complete":
            return
        if len(start) < RECORD_BYTES:
            cut = layout.state != "complete"
            layout.state, layout.problem = "cut" if cut else "garbage", f"it ends within the record at byte {at}"
            return
        opcode, length = _HEADER.unpack(start)
        if opcode == 0 or layout.state == "complete":
            layout.state, layout.problem = "garbage", f"there is no record at byte {at}"
            return
        if at + RECORD_BYTES + length > size_bytes:
            layout.state, layout.problem = "cut", f"it ends within the record at byte {at}"
            if opcode == CHUNK:  # what it holds may still be saved
                yield opcode, at + RECORD_BYTES, length
            return
        yield opcode, at + RECORD_BYTES, length
        if opcode == FOOTER:
            layout.state = "complete"
        at += RECORD_BYTES + length
        layout.records += 1
        layout.whole_bytes = at


def _keep(window: _Window, layout: McapLayout, record: tuple[int, int, int]) -> None:
    """Take from a record outside chunks what matters later. One that cannot be read makes the file damaged."""
    opcode, at, length = record
    try:
        match opcode:
            case 3 | 4 | 11 | 12 | 7:
                _keep_small(layout, opcode, window.read(at, length))
            case 6:
                start = window.read(at, 64)
                layout.blocks.append(_chunk(start, at, length, layout.size_bytes))
                first_ns, last_ns, *_ = _CHUNK.unpack_from(start)
                if last_ns:  # none without messages
                    layout.times = with_times(layout.times, first_ns, last_ns, whole=layout.blocks[-1].whole)
            case 9:
                layout.attachments.append(_attachment(window.read(at, min(length, _MOST_BYTES)), at, length))
    except (ValueError, struct.error, IndexError, UnicodeDecodeError):
        layout.problem = layout.problem or f"the record at byte {at - RECORD_BYTES} is damaged"


def _keep_small(layout: McapLayout, opcode: int, content: bytes) -> None:
    fields = Fields(content)
    match opcode:
        case 3:
            schema = schema_record(content)
            layout.schemas.setdefault(schema.id, schema)
        case 4:
            channel = channel_record(content)
            layout.channels.setdefault(channel.id, channel)
        case 7:
            _keep_index(layout, content)
        case 11:
            fields.skip(8 + 2 + 4 + 4 + 4 + 4 + 8 + 8)
            table = np.frombuffer(fields.sized(), np.dtype([("id", "<u2"), ("count", "<u8")]))
            layout.counts = {int(row["id"]): int(row["count"]) for row in table}
        case _:
            layout.metadata.append((fields.text(), fields.texts()))


def _keep_index(layout: McapLayout, content: bytes) -> None:
    """A message index belongs to the chunk before it."""
    if not layout.blocks:
        return
    (channel,) = struct.unpack_from("<H", content)
    (size,) = struct.unpack_from("<I", content, 2)
    if size % 16 or size != len(content) - 6:
        raise ValueError("an index of another size")
    pairs: Array = np.frombuffer(content, "<u8", size // 8, 6).reshape(-1, 2)
    block = layout.blocks[-1]
    block.entries = block.entries or {}
    if len(pairs):
        times, offsets = pairs[:, 0], pairs[:, 1]
        if (offsets[1:] < offsets[:-1]).any():
            # readers may not rely on order: the spec asks for log time, some writers give file order
            order = np.argsort(offsets, kind="stable")
            times, offsets = times[order], offsets[order]
        block.entries[channel] = (times, offsets)


def _chunk(start: bytes, at: int, length: int, file_bytes: int) -> McapBlock:
    _, _, size, crc = _CHUNK.unpack_from(start)
    fields = Fields(start, _CHUNK.size)
    compression = fields.text()
    (stored,) = struct.unpack_from("<Q", start, fields.at)
    content = at + fields.at + 8
    if content + stored != at + length:
        raise ValueError("a chunk of another size than its record")
    whole = at + length <= file_bytes
    return McapBlock(content, min(stored, file_bytes - content), size, compression, crc, whole=whole)


def _attachment(start: bytes, at: int, length: int) -> AttachmentRecord:
    fields = Fields(start)
    (log_time,) = struct.unpack_from("<Q", start)
    fields.skip(16)
    name, media_type = fields.text(), fields.text()
    (size,) = struct.unpack_from("<Q", start, fields.at)
    if fields.at + 8 + size + 4 > length:
        raise ValueError("an attachment beyond its record")
    return AttachmentRecord(name, media_type, log_time, at + fields.at + 8, size)


def schema_record(content: bytes) -> SchemaRecord:
    """From the content of a schema record; ValueError or struct.error when damaged."""
    fields = Fields(content, 2)
    return SchemaRecord(int.from_bytes(content[:2], "little"), fields.text(), fields.text(), fields.sized())


def channel_record(content: bytes) -> ChannelRecord:
    """From the content of a channel record; ValueError or struct.error when damaged."""
    number, schema = struct.unpack_from("<HH", content)
    fields = Fields(content, 4)
    return ChannelRecord(number, schema, fields.text(), fields.text(), fields.texts())


class Fields:
    """Reads the strings and maps of a record, one after the other."""

    def __init__(self, content: bytes, at: int = 0) -> None:
        self._content, self.at = content, at

    def skip(self, count: int) -> None:
        """Step over numbers."""
        self.at += count

    def sized(self) -> bytes:
        """Bytes with a u32 length in front."""
        (size,) = struct.unpack_from("<I", self._content, self.at)
        start = self.at + 4
        if start + size > len(self._content):
            raise ValueError("a string beyond its record")
        self.at = start + size
        return self._content[start : self.at]

    def text(self) -> str:
        """A string."""
        return self.sized().decode("utf-8", "replace")

    def texts(self) -> dict[str, str]:
        """A map of strings."""
        inner = Fields(self.sized())
        found = {}
        while inner.at < len(inner._content):
            key = inner.text()
            found[key] = inner.text()
        return found
