"""Beginnings of all messages of an MCAP file, collected in one pass.

Chunks hold cameras and joints together, and each topic is read by itself: without this, every topic would expand all
images once more, only to find stamps beside them. Small messages are held whole, of large ones the first bytes: what
stands in front of the image. What is held is bounded; channels beyond that are read chunk by chunk.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from telecine.core.grid import Rows, Times
from telecine.core.recording import Array
from telecine.sources.mcap.records import MESSAGE, MESSAGE_BYTES, RECORD_BYTES, McapChunkIndex
from telecine.sources.shared.buffer_pool import BufferPool

HEADER_BYTES = RECORD_BYTES + MESSAGE_BYTES
"""In front of every serialised message."""
SMALL_BYTES = 4096
"""Messages up to this size are held whole."""
PREFIX_BYTES = 512
"""So much is held of larger ones."""
_BATCH = 8192
_LENGTH, _CHANNEL, _LOGGED, _SENT = (1, "<u8"), (9, "<u2"), (15, "<u8"), (23, "<u8")
"""Where the numbers of a message record are, and their types."""


@dataclass(slots=True)
class _Held:
    """Of one channel. sizes: (n,) of its messages; sent: (n,) publish times; count: how many are known yet.

    pieces: where messages are, as (buffer, (k,) starts), in order; None when there is no space for them.
    """

    sizes: Rows
    sent: Times
    pieces: list[tuple[Array, Rows]] | None
    count: int = 0
    cut: bool = False


class PrefixScan:
    """Collects chunk by chunk, up to `most_bytes` in all. counts: how many messages each channel has."""

    def __init__(self, counts: Mapping[int, int], most_bytes: int) -> None:
        self._left_bytes = most_bytes
        self._held = {
            key: _Held(np.empty(count, np.int64), np.empty(count, np.int64), []) for key, count in counts.items()
        }
        self._spaces = BufferPool()

    def holds(self, key: int) -> bool:
        """True when the beginnings of all messages of a channel are there."""
        return key in self._held and self._held[key].pieces is not None

    def holds_whole(self, key: int) -> bool:
        """True when all messages of a channel are there, none cut."""
        return self.holds(key) and not self._held[key].cut

    def sizes(self, key: int) -> Rows:
        """(n,) bytes of each message of a channel."""
        return self._held[key].sizes

    def sent(self, key: int) -> Times:
        """(n,) publish times."""
        return self._held[key].sent

    def add(self, data: Array, entries: McapChunkIndex, position: tuple[Array, int] | None) -> bool:
        """The messages of a chunk with the records `data`; False: they are not where its `entries` say.

        position: (buffer, first byte) of data, when it stays in memory anyway.
        """
        keys = list(entries)
        counts = [len(times) for times, _ in entries.values()]
        offsets: Rows = np.concatenate([offsets for _, offsets in entries.values()]).astype(np.int64)
        records = gathered(data, offsets, HEADER_BYTES)
        if records is None or not (channels(records) == np.repeat(keys, counts)).all():
            return False
        if not fits(records, np.concatenate([times for times, _ in entries.values()])):
            return False
        sizes, sent_at = lengths(records), sent(records)
        if not within(data, offsets, sizes):
            return False
        found: dict[int, tuple[Rows, Rows]] = {}
        stop = 0
        for key, count in zip(keys, counts, strict=True):
            here, held = slice(stop, stop := stop + count), self._held[key]
            now = slice(held.count, held.count + count)
            held.sizes[now], held.sent[now], held.count = sizes[here], sent_at[here], now.stop
            if held.pieces is None:
                continue
            starts = offsets[here] + HEADER_BYTES
            if position is not None:
                held.pieces.append((position[0], starts + position[1]))
                continue
            held.cut = held.cut or int(sizes[here].max()) > SMALL_BYTES
            found[key] = starts, sizes[here]
        self._hold(data, found)
        return True

    def _hold(self, data: Array, found: Mapping[int, tuple[Rows, Rows]]) -> None:
        """Keep the beginnings of messages of a chunk: all of it where they are most of it."""
        needed = {key: int(_kept(sizes).sum()) for key, (_, sizes) in found.items()}
        whole = sum(needed.values()) > len(data) // 2
        if whole and (space := self._space(len(data))) is not None:
            space[:] = data
            for key, (starts, _) in found.items():
                self._put(key, starts + (self._spaces.used - len(data)))
            return
        for key, (starts, sizes) in found.items():
            space = self._space(needed[key])
            if space is None:
                self._held[key].pieces = None
                continue
            there = _kept(sizes)
            space[:] = _together(data, starts, there)
            self._put(key, np.cumsum(there) - there + (self._spaces.used - len(space)))

    def _space(self, size: int) -> Array | None:
        """Memory for `size` bytes; None when there is no more."""
        if size > self._left_bytes:
            return None
        self._left_bytes -= size
        return self._spaces.take(size)

    def _put(self, key: int, starts: Rows) -> None:
        pieces = self._held[key].pieces
        assert pieces is not None
        pieces.append((self._spaces.buffer, starts))

    def batches(self, key: int, rows: Rows | None) -> Iterator[tuple[Rows, Array, Rows, Rows]]:
        """(rows, bytes, starts, true sizes) of the messages at `rows` (increasing), or of all, a few MB at a time."""
        held, first = self._held[key], 0
        for buffer, starts in _batched(held.pieces or []):
            mine: Rows = np.arange(first, first + len(starts))
            if rows is not None:
                low, high = np.searchsorted(rows, [first, first + len(starts)])
                mine = rows[low:high]
            if len(mine):
                yield mine, buffer, starts[mine - first], held.sizes[mine]
            first += len(starts)


def _batched(pieces: Sequence[tuple[Array, Rows]]) -> Iterator[tuple[Array, Rows]]:
    """The same in fewer: those in one buffer put together while they are few messages."""
    for _, group in groupby(pieces, lambda piece: id(piece[0])):
        waiting: list[Rows] = []
        for buffer, starts in group:
            waiting.append(starts)
            if sum(map(len, waiting)) >= _BATCH:
                yield buffer, np.concatenate(waiting)
                waiting = []
        if waiting:
            yield buffer, np.concatenate(waiting)


def _kept(sizes: Rows) -> Rows:
    """How much is held of messages of these sizes."""
    return np.where(sizes <= SMALL_BYTES, sizes, PREFIX_BYTES)


def _together(data: Array, starts: Rows, sizes: Rows) -> Array:
    """Pieces of `data`, one behind the other."""
    size = int(sizes[0])
    if size and (sizes == size).all():
        rows: Array = np.ndarray((len(data) - size + 1,), f"V{size}", data, 0, (1,))[starts]
        return rows.view(np.uint8)
    return np.concatenate([data[a:b] for a, b in zip(starts.tolist(), (starts + sizes).tolist(), strict=True)])


def gathered(data: Array, offsets: Rows, width: int) -> Array | None:
    """(n, width) the first bytes of the records at `offsets`; None when some are beyond `data`."""
    if int(offsets.min(initial=0)) < 0 or int(offsets.max(initial=0)) + width > len(data):
        return None
    rows: Array = np.ndarray((len(data) - width + 1,), f"V{width}", data, 0, (1,))[offsets]
    return rows.view(np.uint8).reshape(len(offsets), width)


def column(records: Array, field: tuple[int, str]) -> Array:
    """(n,) a number out of message records."""
    at, dtype = field
    found: Array = records[:, at : at + int(dtype[2])].view(dtype)
    return found[:, 0]


def fits(records: Array, times: Array) -> bool:
    """True when these are records of messages, logged at `times`."""
    return bool(((records[:, 0] == MESSAGE) & (column(records, _LOGGED) == times)).all())


def channels(records: Array) -> Array:
    """(n,) the channels of message records."""
    return column(records, _CHANNEL)


def within(data: Array, offsets: Rows, sizes: Rows) -> bool:
    """True when messages of these sizes end within `data` and do not lie upon each other."""
    order = np.argsort(offsets, kind="stable")
    starts, ends = offsets[order], (offsets + (sizes + HEADER_BYTES))[order]
    return bool((sizes >= 0).all() and (ends[:-1] <= starts[1:]).all() and int(ends[-1]) <= len(data))


def lengths(records: Array) -> Rows:
    """(n,) bytes of the serialised messages in records."""
    return column(records, _LENGTH).astype(np.int64) - MESSAGE_BYTES


def sent(records: Array) -> Times:
    """(n,) publish times in records."""
    return column(records, _SENT).astype(np.int64)
