"""The messages of one MCAP file: chunks expanded when needed, their checksums and message indexes checked."""

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import IO

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import Array
from telecine.core.time import Rows, Times
from telecine.sources.chunk_file import ChunkFile
from telecine.sources.ends import CUT_FIX
from telecine.sources.format import MissingExtra
from telecine.sources.mcap_records import (
    CHANNEL,
    MESSAGE,
    MESSAGE_BYTES,
    RECORD_BYTES,
    SCHEMA,
    Block,
    Entries,
    Layout,
    channel_record,
    schema_record,
)
from telecine.sources.mcap_small import SMALL_BYTES, SmallMessages
from telecine.sources.ros_decoders import Definition
from telecine.sources.ros_messages import LOG_TIME, MessageClock
from telecine.sources.ros_store import KEEP_BYTES, Batch, Channel

_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<BQHIQ")
_HEADERS = np.dtype([("opcode", "u1"), ("length", "<u8"), ("channel", "<u2"), ("sequence", "<u4"),
                     ("log_time", "<u8"), ("publish_time", "<u8")])  # fmt: skip
_LATCHED = re.compile(r"durability:\s*(1\b|transient_local)")


class McapStore:
    """A `Store` over an open MCAP file. recover: chunks that are damaged are left out and told in `lost`."""

    def __init__(self, file: IO[bytes], layout: Layout, label: str, recover: bool) -> None:
        self.label = label
        self.lost: list[str] = []
        self._file, self._layout, self._recover = ChunkFile(file, label), layout, recover
        self._checked: set[int] = set()
        self._intact: set[int] = set()
        self._published: dict[tuple[int, ...], Times] = {}
        self._blocks = self._indexed()

    @property
    def channels(self) -> Sequence[Channel]:
        """Those with a definition of their own; ids without one are named in `lost`."""
        return [
            Channel(
                record.id,
                record.topic,
                self._definition(record.schema_id, record.encoding),
                bool(_LATCHED.search(record.metadata.get("offered_qos_profiles", ""))),
            )
            for record in sorted(self._layout.channels.values(), key=lambda record: record.id)
        ]

    def _definition(self, schema_id: int, encoding: str) -> Definition:
        schema = self._layout.schemas.get(schema_id)
        if schema is None:
            return Definition("", encoding, "", b"")
        return Definition(schema.name, encoding, schema.encoding, schema.data)

    def close(self) -> None:
        """Close the file; what was read stays."""
        self._file.close()

    def times(self, keys: Sequence[int], clock: MessageClock) -> Times:
        """See `Store.times`. Publish times stand in the messages: they take one pass over the file."""
        if clock != LOG_TIME:
            return self._publish_times(tuple(keys))
        parts = [_in_order(block.entries or {}, keys)[1] for block in self._blocks]
        return np.concatenate([np.zeros(0, np.int64), *(times.astype(np.int64) for times in parts)])

    def _publish_times(self, keys: tuple[int, ...]) -> Times:
        if keys not in self._published:
            found: list[Times] = [np.zeros(0, np.int64)]
            for number, block in enumerate(self._blocks):
                offsets, _ = _in_order(block.entries or {}, keys)
                if len(offsets):
                    found.append(_headers(self._expanded(number), offsets)["publish_time"].astype(np.int64))
            self._published[keys] = np.concatenate(found)
        return self._published[keys]

    def batches(self, keys: Sequence[int], rows: Rows | None) -> Iterator[Batch]:
        """See `Store.batches`: one batch for each chunk, or small messages of several."""
        if len(keys) == 1 and self._starts_small(keys[0]) and self._small.wants(keys[0]):
            for batch in self._small.batches(keys[0], rows):
                yield Batch(*batch)
            return
        first = 0
        for number, block in enumerate(self._blocks):
            offsets, times = _in_order(block.entries or {}, keys)
            mine: Rows = np.arange(len(offsets))
            if rows is not None:
                low, high = np.searchsorted(rows, [first, first + len(offsets)])
                mine = rows[low:high] - first
            if len(mine):
                data = self._expanded(number)
                starts, sizes, _ = self._places(number, data, (keys, offsets[mine], times[mine]))
                yield Batch(mine + first, data, starts, sizes)
            first += len(offsets)

    def _starts_small(self, key: int) -> bool:
        """False when the first message is that of a camera, for which the pass of `_small` is not worth it."""
        for number, block in enumerate(self._blocks):
            times, offsets = (block.entries or {}).get(key, ((), ()))
            if len(times):
                first = _headers(self._expanded(number), np.asarray(offsets[:1], np.int64))
                return int(first["length"][0]) <= SMALL_BYTES
        return False

    @cached_property
    def _small(self) -> SmallMessages:
        """Filled in one pass, which also gives all publish times."""
        counts: dict[int, int] = {}
        for block in self._blocks:
            for key, (times, _) in (block.entries or {}).items():
                counts[key] = counts.get(key, 0) + len(times)
        small = SmallMessages(counts, KEEP_BYTES)
        published: dict[int, list[Times]] = {key: [] for key in counts}
        for number, block in enumerate(self._blocks):
            data = self._expanded(number) if block.entries else None
            for key, (times, offsets) in (block.entries or {}).items():
                if data is not None and len(times):
                    which = ([key], offsets.astype(np.int64), times)
                    starts, sizes, sent = self._places(number, data, which)
                    published[key].append(sent)
                    if small.wants(key):
                        small.add(key, data, starts, sizes)
        self._published = {(key,): np.concatenate(sent) for key, sent in published.items() if sent}
        return small

    def _places(self, number: int, data: Array, which: tuple[Sequence[int], Rows, Array]) -> tuple[Rows, Rows, Times]:
        """Where serialised messages begin, their sizes, and when they were sent; the message index is checked."""
        keys, offsets, times = which
        records = _headers(data, offsets)
        sizes = records["length"].astype(np.int64) - MESSAGE_BYTES
        starts = offsets + RECORD_BYTES + MESSAGE_BYTES
        if number not in self._checked:  # scanned blocks are right by themselves
            fits = (offsets >= 0) & (starts + sizes <= len(data)) & (sizes >= 0) & (records["opcode"] == MESSAGE)
            fits &= (records["log_time"] == times) & _among(records["channel"], keys)
            if not fits.all():
                raise SourceError(
                    f"{self.label}: the message index of the chunk at byte {self._blocks[number].at} does not fit its "
                    "messages; use --recover to read without the index"
                )
        return starts, sizes, records["publish_time"].astype(np.int64)

    def _expanded(self, number: int) -> Array:
        """(n,) uint8 records of a block, checked; at least 8 bytes long."""
        return self._file.expanded(self._blocks[number], self._damage_of)

    def _damage_of(self, block: Block, data: bytes) -> str:
        """What its checksum says of a block, once."""
        if block.crc and block.whole and block.at not in self._intact:
            if zlib.crc32(data) != block.crc:
                return "its checksum does not fit its bytes"
            self._intact.add(block.at)
        return ""

    def bytes_at(self, at: int, count: int) -> bytes:
        """Bytes of the file; see `ChunkFile.bytes_at`."""
        return self._file.bytes_at(at, count)

    def _indexed(self) -> list[Block]:
        """All blocks with entries: the file's own message indexes where they are complete, else by reading on."""
        self._blocks = blocks = self._layout.blocks
        if self._recover or not _is_complete(self._layout):
            for number, block in enumerate(blocks):
                self._scan(number, block)
        unknown = {key for block in blocks for key in block.entries or {}} - self._layout.channels.keys()
        for key in sorted(unknown):
            self.lost.append(f"messages of the channel {key}, which the file does not define")
        return blocks

    def _scan(self, number: int, block: Block) -> None:
        """Find the messages of a block by stepping through its records."""
        try:
            data = self._expanded(number)
        except SourceError as error:
            if not self._recover or isinstance(error, MissingExtra):
                raise
            count = sum(len(offsets) for _, offsets in (block.entries or {}).values())
            what = f"{count} messages" if block.entries else "messages"
            self.lost.append(f"{what} in the damaged chunk at byte {block.at}")
            block.entries = {}
            return
        block.entries, end = scan(data, self._layout)
        self._checked.add(number)
        if end < len(data) and block.whole:
            problem = f"the chunk at byte {block.at} holds no record at its byte {end}"
            if not self._recover:
                raise SourceError(f"{self.label}: {problem}; {CUT_FIX}")
            self.lost.append(f"what follows where {problem}")


def _among(channels: Array, keys: Sequence[int]) -> Array:
    return channels == keys[0] if len(keys) == 1 else np.isin(channels, keys)


def _headers(data: Array, offsets: Rows) -> Array:
    """(n,) the headers of message records, those beyond `data` moved into it."""
    last = len(data) - _HEADERS.itemsize
    if last < 0:
        return np.zeros(len(offsets), _HEADERS)
    inside: Rows = np.clip(offsets, 0, last)
    found: Array = np.ndarray((last + 1,), f"V{_HEADERS.itemsize}", data, 0, (1,))[inside]  # as bytes: 20 times faster
    return found.view(_HEADERS)


def _is_complete(layout: Layout) -> bool:
    """True when the message indexes hold exactly the messages that the statistics count, all of known channels."""
    if layout.counts is None or any(block.entries is None for block in layout.blocks):
        return False
    found: dict[int, int] = {}
    for block in layout.blocks:
        for channel, (times, _) in (block.entries or {}).items():
            found[channel] = found.get(channel, 0) + len(times)
    told = {channel: count for channel, count in layout.counts.items() if count}
    return found == told and found.keys() <= layout.channels.keys()


def scan(data: Array, layout: Layout) -> tuple[Entries, int]:
    """The messages among the records in `data` and where whole records end; channels met are added to `layout`."""
    raw, size = memoryview(data.data), len(data)
    found: dict[int, list[tuple[int, int]]] = {}
    at, record, message = 0, _RECORD.unpack_from, _MESSAGE.unpack_from
    while at + RECORD_BYTES <= size:
        opcode, length = record(raw, at)
        end = at + RECORD_BYTES + length
        if opcode == 0 or end > size:
            break
        if opcode == MESSAGE:
            if length < MESSAGE_BYTES:
                break
            _, _, channel, _, log_time = message(raw, at)
            found.setdefault(channel, []).append((log_time, at))
        elif opcode in (SCHEMA, CHANNEL):
            _learn(opcode, bytes(raw[at + RECORD_BYTES : end]), layout)
        at = end
    tables = {channel: np.array(pairs, np.uint64) for channel, pairs in found.items()}
    return {channel: (table[:, 0], table[:, 1]) for channel, table in tables.items()}, at


def _learn(opcode: int, content: bytes, layout: Layout) -> None:
    try:
        if opcode == SCHEMA:
            schema = schema_record(content)
            layout.schemas.setdefault(schema.id, schema)
        else:
            channel = channel_record(content)
            layout.channels.setdefault(channel.id, channel)
    except (ValueError, struct.error):
        return  # its messages will be named as those of an unknown channel


def _in_order(entries: Entries, keys: Sequence[int]) -> tuple[Rows, Array]:
    """(offsets int64, log times uint64) of the messages of these channels in a block, in the order of the file."""
    there = [entries[key] for key in keys if key in entries]
    if not there:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    if len(there) == 1:
        times, offsets = there[0]
        return offsets.astype(np.int64), times
    times = np.concatenate([pair[0] for pair in there])
    offsets = np.concatenate([pair[1] for pair in there]).astype(np.int64)
    order = np.argsort(offsets, kind="stable")
    return offsets[order], times[order]
