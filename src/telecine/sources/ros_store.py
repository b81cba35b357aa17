"""One file of recorded messages, as the containers give it, and topics over one or several of them.

A container implements `Store`: it knows its channels and hands out serialised messages in batches, without knowing what
is in them. `contents_of` joins the channels of all parts of a recording to topics that decode.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import Array
from telecine.core.time import Rows, Times
from telecine.sources.compressed import ZSTD_MAGIC, expand
from telecine.sources.format import MissingExtra
from telecine.sources.ros_columns import concatenated, empty
from telecine.sources.ros_cursor import at_each
from telecine.sources.ros_decoders import Decoder, Definition, decoder_of
from telecine.sources.ros_messages import (
    LOG_TIME,
    Attachment,
    Column,
    Contents,
    Decoded,
    Failure,
    Leaf,
    MessageClock,
    Topic,
)
from telecine.sources.ros_types import type_name

KEEP_BYTES = 64 << 20
"""Expanded chunks are kept while those of a file total at most this; beyond that they are expanded each time."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Messages of one topic and type in one file. key: the container's own number."""

    key: int
    topic: str
    definition: Definition
    latched: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Serialised messages: rows (k,) increasing, message i in the sizes[i] bytes of `data` (uint8) from starts[i]."""

    rows: Rows
    data: Array
    starts: Rows
    sizes: Rows

    def part(self, which: Rows) -> "Batch":
        """Some of the messages."""
        return Batch(self.rows[which], self.data, self.starts[which], self.sizes[which])


class Store(Protocol):
    """One file. Rows count the messages of the channels asked for, in the order of the file."""

    @property
    def label(self) -> str:
        """How errors call the file."""
        ...

    @property
    def channels(self) -> Sequence[Channel]:
        """All of them, those without messages too."""
        ...

    def times(self, keys: Sequence[int], clock: MessageClock) -> Times:
        """(n,) int64 ns of all messages of these channels."""
        ...

    def batches(self, keys: Sequence[int], rows: Rows | None) -> Iterator[Batch]:
        """The messages at `rows` (increasing), or all, in order. Memory does not grow with their number.

        Raises:
            SourceError: the file is damaged there.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@dataclass(frozen=True, slots=True)
class _Part:
    store: Store
    keys: tuple[int, ...]


class StoredTopic:
    """A `Topic` over the channels of one name and type in all parts of a recording."""

    def __init__(self, channel: Channel, parts: Sequence[_Part], latched: bool) -> None:
        self.name, self.latched = channel.topic, latched
        self.type = type_name(channel.definition.name)
        self._definition = channel.definition
        self._parts = parts

    @property
    def encoding(self) -> str:
        """What the decoder found, or the label when there is none."""
        return self._decoder.encoding if isinstance(self._decoder, Decoder) else self._definition.encoding

    @cached_property
    def _counts(self) -> list[int]:
        return [len(part.store.times(part.keys, LOG_TIME)) for part in self._parts]

    @property
    def count(self) -> int:
        """All messages."""
        return sum(self._counts)

    @property
    def unreadable(self) -> str:
        """See `Topic.unreadable`."""
        return "" if isinstance(self._decoder, Decoder) else self._decoder

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """See `Topic.leaves`."""
        return self._decoder.leaves if isinstance(self._decoder, Decoder) else ()

    def times(self, clock: MessageClock) -> Times:
        """See `Topic.times`."""
        return np.concatenate([part.store.times(part.keys, clock) for part in self._parts])

    @cached_property
    def _decoder(self) -> "Decoder | str":
        try:
            return decoder_of(self._definition, self._samples)
        except MissingExtra:
            raise
        except SourceError as error:
            return str(error)

    def _samples(self, most: int) -> list[bytes]:
        """The first messages."""
        found: list[bytes] = []
        for batch in self._batches(np.arange(min(most, self.count))):
            ends = batch.starts + batch.sizes
            found += [batch.data[a:b].tobytes() for a, b in zip(batch.starts.tolist(), ends.tolist(), strict=True)]
        return found

    def read(self, paths: Sequence[str], rows: Rows | None = None) -> Decoded:
        """See `Topic.read`."""
        decoder = self._checked(paths)
        found: list[Mapping[str, Column]] = []
        good: list[Rows] = [np.zeros(0, np.int64)]
        failures: list[Failure] = []
        for batch in self._batches(rows):
            answer = decoder.decode(batch.data, batch.starts, batch.sizes, paths)
            if len(answer.rows):
                found.append(answer.columns)
                good.append(batch.rows[answer.rows])
            failures += [Failure(int(batch.rows[place]), why) for place, why in answer.bad.items()]
        columns = {leaf.path: empty(leaf) for leaf in decoder.leaves if leaf.path in paths}
        if found:
            columns = {path: concatenated([one[path] for one in found]) for path in columns}
        failures.sort(key=lambda failure: failure.row)
        return Decoded(np.concatenate(good), columns, tuple(failures))

    def blobs(self, path: str, rows: Rows) -> Iterator[memoryview]:
        """See `Topic.blobs`."""
        decoder = self._checked([path])
        asked = np.asarray(rows, np.int64)
        different, repeats = np.unique(asked, return_counts=True)
        repeated = iter(repeats.tolist())
        for batch in self._batches(different):
            blobs = decoder.blobs(batch.data, batch.starts, batch.sizes, path)
            for row, blob in zip(batch.rows.tolist(), blobs, strict=True):
                if isinstance(blob, str):
                    raise SourceError(f"{self.name}: message {row} cannot be read: {blob}")
                for _ in range(next(repeated)):
                    yield blob

    def _checked(self, paths: Sequence[str]) -> Decoder:
        if not isinstance(self._decoder, Decoder):
            raise SourceError(f"{self.name}: {self._decoder}")
        known = {leaf.path for leaf in self._decoder.leaves}
        for path in paths:
            if path not in known:
                raise SourceError(f"{self.name}: its messages ({self.type}) have no field {path!r}")
        return self._decoder

    def _batches(self, rows: Rows | None) -> Iterator[Batch]:
        """Batches of all parts, with rows of the whole topic."""
        first = 0
        for part, count in zip(self._parts, self._counts, strict=True):
            mine = None if rows is None else rows[(rows >= first) & (rows < first + count)] - first
            if mine is None or len(mine):
                for batch in part.store.batches(part.keys, mine):
                    yield _unpacked(replace(batch, rows=batch.rows + first), self._definition.encoding)
            first += count


def _unpacked(batch: Batch, encoding: str) -> Batch:
    """The batch with messages expanded that rosbag2 compressed one by one; no CDR message begins like zstd."""
    if encoding != "cdr" or not len(batch.rows):
        return batch
    packed = (batch.sizes > 4) & (at_each(batch.data, batch.starts, ">", "uint32") == int.from_bytes(ZSTD_MAGIC))
    if not packed.any():
        return batch
    found = []
    for start, size, one in zip(batch.starts.tolist(), batch.sizes.tolist(), packed.tolist(), strict=True):
        raw = batch.data[start : start + size].tobytes()
        try:
            found.append(expand("zstd", raw, None) if one else raw)
        except SourceError:
            found.append(b"")  # too short for any type: the message fails, the topic does not
    sizes = np.array([len(one) for one in found], np.int64)
    return Batch(batch.rows, np.frombuffer(b"".join(found), np.uint8), np.cumsum(sizes) - sizes, sizes)


def contents_of(
    stores: Sequence[Store],
    *,
    attachments: tuple[Attachment, ...] = (),
    metadata: tuple[tuple[str, Mapping[str, str]], ...] = (),
    notes: tuple[tuple[str, str], ...] = (),
) -> Contents:
    """The recording whose parts are `stores`, in order of time."""
    parts: dict[tuple[str, str, str], dict[int, list[int]]] = {}
    firsts: dict[tuple[str, str, str], Channel] = {}
    latched: set[tuple[str, str, str]] = set()
    for number, store in enumerate(stores):
        for channel in store.channels:
            definition = channel.definition
            key = (channel.topic, type_name(definition.name), definition.encoding)
            if key not in firsts or not firsts[key].definition.data:
                firsts[key] = channel
            if channel.latched:
                latched.add(key)
            parts.setdefault(key, {}).setdefault(number, []).append(channel.key)
    topics: list[Topic] = [
        StoredTopic(firsts[key], [_Part(stores[n], tuple(keys)) for n, keys in parts[key].items()], key in latched)
        for key in sorted(parts)
    ]

    def close() -> None:
        for store in stores:
            store.close()

    return Contents(tuple(topics), attachments, metadata, notes, close)
