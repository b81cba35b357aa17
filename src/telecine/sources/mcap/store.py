"""The messages of one MCAP file: chunks expanded when needed, their checksums and message indexes checked."""

import re
import struct
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import IO

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.grid import Rows, Times
from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.sources.format import MissingExtra
from telecine.sources.mcap.prefix_scan import (
    HEADER_BYTES,
    PREFIX_BYTES,
    PrefixScan,
    channels,
    fits,
    gathered,
    lengths,
    sent,
    within,
)
from telecine.sources.mcap.records import (
    CHANNEL,
    MESSAGE,
    MESSAGE_BYTES,
    RECORD_BYTES,
    SCHEMA,
    McapBlock,
    McapChunkIndex,
    McapLayout,
    channel_record,
    schema_record,
)
from telecine.sources.messages.decoding.protocol import Batch, Definition
from telecine.sources.messages.model import LOG_TIME, MessageClock
from telecine.sources.messages.store import Channel
from telecine.sources.shared.checksum import crc32
from telecine.sources.shared.chunk_file import CHUNK_BUDGET, ChunkFile
from telecine.sources.shared.truncation import lost_behind

_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<BQHIQ")
_LATCHED = re.compile(r"durability:\s*(1\b|transient_local)")
PREFIXES_BYTES = 128 << 20
"""Beginnings of messages are held while those of a file total at most this; channels beyond are read chunk by chunk."""
_FEW, _FIRST = 8, 128
"""So many messages, and any of the first ones, are read without a pass over the file."""


class McapStore:
    """A `Store` over an open MCAP file. recover: chunks that are damaged are left out and counted in `lost`."""

    def __init__(self, file: IO[bytes], layout: McapLayout, label: str, recover: bool) -> None:
        self.label = label
        self.lost: list[str] = []
        self._file, self._layout, self._recover = ChunkFile(file, label), layout, recover
        self._intact: set[int] = set()
        self._known: dict[tuple[MessageClock | int, ...], Times] = {}
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
        asked = (clock, *keys)
        if asked not in self._known:
            self._known[asked] = self._logged(keys) if clock == LOG_TIME else self._published(keys)
        return self._known[asked]

    def _logged(self, keys: Sequence[int]) -> Times:
        parts = [_in_order(block.entries or {}, keys)[1] for block in self._blocks]
        times: Times = np.concatenate([np.zeros(0, np.uint64), *parts]).astype(np.int64)
        return times

    def _published(self, keys: Sequence[int]) -> Times:
        if len(keys) == 1:
            return self._prefix_scan.sent(keys[0]) if keys[0] in self._counts else np.zeros(0, np.int64)
        found: list[Times] = [np.zeros(0, np.int64)]
        for number, block in enumerate(self._blocks):
            offsets, times = _in_order(block.entries or {}, keys)
            if len(offsets):
                found.append(sent(self._records(number, self._expanded(number), (keys, offsets, times))))
        return np.concatenate(found)

    def batches(self, keys: Sequence[int], rows: Rows | None) -> Iterator[Batch]:
        """See `Store.batches`: one batch for each chunk, or small messages of several."""
        scan = self._scan_of(keys, rows)
        if scan is not None and scan.holds_whole(keys[0]):
            for batch in scan.batches(keys[0], rows):
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
                data, positions = self._expanded(number), mine + first
                if scan is not None:  # which has checked all of them
                    sizes = scan.sizes(keys[0])[positions]
                else:
                    sizes = lengths(self._records(number, data, (keys, offsets[mine], times[mine])))
                yield Batch(positions, data, offsets[mine] + HEADER_BYTES, sizes)
            first += len(offsets)

    def prefixes(self, keys: Sequence[int]) -> Iterator[Batch]:
        """See `Store.prefixes`."""
        scan = self._scan_of(keys, None)
        if scan is None or not scan.holds(keys[0]):
            yield from self.batches(keys, None)
            return
        for batch in scan.batches(keys[0], None):
            yield Batch(*batch, None if scan.holds_whole(keys[0]) else PREFIX_BYTES)

    def _scan_of(self, keys: Sequence[int], rows: Rows | None) -> PrefixScan | None:
        """The beginnings of the messages of a channel; they take one pass, which few `rows` are not worth."""
        if len(keys) != 1 or keys[0] not in self._counts:
            return None
        few = rows is not None and (len(rows) <= _FEW or int(rows[-1]) < _FIRST)
        if few and "_prefix_scan" not in self.__dict__:
            return None
        return self._prefix_scan

    @cached_property
    def _counts(self) -> dict[int, int]:
        """Messages of each channel that has any."""
        counts: dict[int, int] = {}
        for block in self._blocks:
            for key, (times, _) in (block.entries or {}).items():
                counts[key] = counts.get(key, 0) + len(times)
        return {key: count for key, count in counts.items() if count}

    @cached_property
    def _prefix_scan(self) -> PrefixScan:
        scan = PrefixScan(self._counts, min(PREFIXES_BYTES, CHUNK_BUDGET.most_bytes))
        for number, block in enumerate(self._blocks):
            entries = {key: pair for key, pair in (block.entries or {}).items() if len(pair[0])}
            if entries and not scan.add(self._expanded(number), entries, self._file.place(block)):
                raise self._misfit(number)
        return scan

    def _records(self, number: int, data: Array, which: tuple[Sequence[int], Rows, Array]) -> Array:
        """(n, 31) the beginnings of message records; checks that the message index is right about them."""
        keys, offsets, times = which
        records = gathered(data, offsets, HEADER_BYTES)
        if records is None or not np.isin(channels(records), keys).all() or not fits(records, times):
            raise self._misfit(number)
        if not within(data, offsets, lengths(records)):
            raise self._misfit(number)
        return records

    def _misfit(self, number: int) -> SourceError:
        return SourceError(
            f"{self.label}: the message index of the chunk at byte {self._blocks[number].at} does not fit its "
            "messages; use --recover to read without the index"
        )

    def _expanded(self, number: int) -> Array:
        """(n,) uint8 records of a block, checked; at least 8 bytes long."""
        return self._file.expanded(self._blocks[number], self._damage_of)

    def _damage_of(self, block: McapBlock, data: Array) -> str:
        """Whether a block has its checksum, computed once."""
        if block.crc and block.whole and block.at not in self._intact:
            if crc32(data.data) != block.crc:
                return "its checksum does not fit its bytes"
            self._intact.add(block.at)
        return ""

    def bytes_at(self, at: int, count: int) -> bytes:
        """Bytes of the file; see `ChunkFile.bytes_at`."""
        return self._file.bytes_at(at, count)

    def _indexed(self) -> list[McapBlock]:
        """All blocks with entries: the file's own message indexes where they are complete, else by reading on."""
        self._blocks = blocks = self._layout.blocks
        if self._recover or not _is_complete(self._layout):
            for number, block in enumerate(blocks):
                self._scan(number, block)
        unknown = {key for block in blocks for key in block.entries or {}} - self._layout.channels.keys()
        for key in sorted(unknown):
            self.lost.append(f"messages of the channel {key}, which the file does not define")
        return blocks

    def _scan(self, number: int, block: McapBlock) -> None:
        """Find the messages of a block by stepping through its records."""
        try:
            data = self._expanded(number)
        except SourceError as error:
            if not self._recover or isinstance(error, MissingExtra):
                raise
            count = sum(len(offsets) for _, offsets in (block.entries or {}).values())
            what = f"{counted(count, 'message')}" if block.entries else "messages"
            self.lost.append(f"{what} in the damaged chunk at byte {block.at}")
            block.entries = {}
            return
        block.entries, end = scan(data, self._layout)
        if end < len(data) and block.whole:
            self.lost.append(lost_behind(self.label, block.at, end, self._recover))


def _is_complete(layout: McapLayout) -> bool:
    """True when the message indexes hold exactly the messages that the statistics count, all of known channels."""
    if layout.counts is None or any(block.entries is None for block in layout.blocks):
        return False
    found: dict[int, int] = {}
    for block in layout.blocks:
        for channel, (times, _) in (block.entries or {}).items():
            found[channel] = found.get(channel, 0) + len(times)
    counted = {channel: count for channel, count in layout.counts.items() if count}
    return found == counted and found.keys() <= layout.channels.keys()


def scan(data: Array, layout: McapLayout) -> tuple[McapChunkIndex, int]:
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


def _learn(opcode: int, content: bytes, layout: McapLayout) -> None:
    try:
        if opcode == SCHEMA:
            schema = schema_record(content)
            layout.schemas.setdefault(schema.id, schema)
        else:
            channel = channel_record(content)
            layout.channels.setdefault(channel.id, channel)
    except (ValueError, struct.error):
        return  # its messages will be named as those of an unknown channel


def _in_order(entries: McapChunkIndex, keys: Sequence[int]) -> tuple[Rows, Array]:
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
