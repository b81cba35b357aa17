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
from telecine.core.grid import Rows, Times
from telecine.sources.format import MissingExtra
from telecine.sources.messages.columns import Joined
from telecine.sources.messages.decoding.cursor import BeyondPrefix, at_each
from telecine.sources.messages.decoding.decoders import decoder_of
from telecine.sources.messages.decoding.protocol import Batch, Decoder, Definition
from telecine.sources.messages.decoding.types import type_name
from telecine.sources.messages.image_scan import ImageScan, byte_fields, image_scan_of, plain_fields
from telecine.sources.messages.model import LOG_TIME, Attachment, Contents, Decoded, Leaf, MessageClock, Topic
from telecine.sources.shared.compressed import ZSTD_MAGIC, expand

PARSED = ("json", "protobuf")
"""Encodings whose messages are parsed one by one, all fields at once."""
MOST_PARSED = 1 << 20
"""Numbers and texts of one topic that are kept after parsing."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Messages of one topic and type in one file. key: the container's own number."""

    key: int
    topic: str
    definition: Definition
    latched: bool = False


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

    def prefixes(self, keys: Sequence[int]) -> Iterator[Batch]:
        """All messages, the large ones perhaps only up to `Batch.held`, where that is cheaper than `batches`."""
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

    def __init__(self, channels: Sequence[Channel], parts: Sequence[_Part]) -> None:
        channel = next((c for c in channels if c.definition.data), channels[0])
        self.name, self.latched = channel.topic, any(c.latched for c in channels)
        self._others = {c.definition for c in channels if c.definition.data} - {channel.definition}
        self.type = type_name(channel.definition.name)
        self._definition = channel.definition
        self._parts = parts
        self._image_scan: ImageScan | None = None
        self._whole: Decoded | None = None
        self._most_parsed = MOST_PARSED

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
        parts = [part.store.times(part.keys, clock) for part in self._parts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @cached_property
    def _decoder(self) -> "Decoder | str":
        try:
            decoder = decoder_of(self._definition, self._samples)
            for other in self._others:
                if decoder_of(other, self._samples).leaves != decoder.leaves:
                    raise SourceError(f"its type changes within the recording: {self.type} is defined in two ways")
            return decoder
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
        if byte_fields(decoder.leaves) and set(paths).issubset(plain_fields(decoder.leaves)):
            if self._image_scan is None and rows is None:
                self._image_scan = image_scan_of(decoder, self._all, self.count)
            if self._image_scan is not None:
                return self._image_scan.part(paths, rows)
        if decoder.encoding in PARSED and not byte_fields(decoder.leaves):
            whole = self._parsed(decoder) if rows is None else self._whole
            if whole is not None:
                return ImageScan(whole, {}).part(paths, rows)
        return self._read(decoder, paths, rows)

    def _parsed(self, decoder: Decoder) -> Decoded | None:
        """All fields of all messages that a library parses one by one, kept for the next who asks; None: too many."""
        if self._whole is None and self.count * len(decoder.leaves) <= self._most_parsed:
            whole = self._read(decoder, [leaf.path for leaf in decoder.leaves], None)
            if sum(len(column.values) for column in whole.columns.values()) <= MOST_PARSED:
                self._whole = whole
            else:
                self._most_parsed = 0
        return self._whole

    def _read(self, decoder: Decoder, paths: Sequence[str], rows: Rows | None) -> Decoded:
        joined = Joined(
            [leaf for leaf in decoder.leaves if leaf.path in paths], self.count if rows is None else len(rows)
        )
        for batch in self._batches(rows):
            answer = decoder.decode(batch, paths)
            joined.add(batch.rows, answer.columns, answer.rows, answer.bad)
            joined.add_tail(answer.tail)
        return joined.decoded()

    def _all(self, prefixes: bool) -> Iterator[Batch]:
        return self._batches(None, prefixes=prefixes)

    def blobs(self, path: str, rows: Rows) -> Iterator[memoryview]:
        """See `Topic.blobs`."""
        decoder = self._checked([path])
        asked = np.asarray(rows, np.int64)
        different, repeats = np.unique(asked, return_counts=True)
        repeated = iter(repeats.tolist())
        scan = self._image_scan
        known = scan is not None and path in scan.spans
        for batch in self._batches(different):
            blobs = scan.blobs(batch, path) if scan is not None and known else decoder.blobs(batch, path)
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

    def _batches(self, rows: Rows | None, prefixes: bool = False) -> Iterator[Batch]:
        """Batches of all parts, with rows of the whole topic."""
        first = 0
        for part, count in zip(self._parts, self._counts, strict=True):
            mine = None if rows is None else rows[(rows >= first) & (rows < first + count)] - first
            if mine is None or len(mine):
                store = part.store
                for batch in store.prefixes(part.keys) if prefixes else store.batches(part.keys, mine):
                    yield _unpacked(replace(batch, rows=batch.rows + first), self._definition.encoding)
            first += count


def _unpacked(batch: Batch, encoding: str) -> Batch:
    """The batch with messages expanded that rosbag2 compressed one by one; no CDR message begins like zstd."""
    if encoding != "cdr" or not len(batch.rows):
        return batch
    packed = (batch.sizes > 4) & (at_each(batch.data, batch.starts, ">", "uint32") == int.from_bytes(ZSTD_MAGIC))
    if not packed.any():
        return batch
    if batch.held is not None:
        raise BeyondPrefix
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
    channels: dict[tuple[str, str, str], list[Channel]] = {}
    for number, store in enumerate(stores):
        for channel in store.channels:
            definition = channel.definition
            key = (channel.topic, type_name(definition.name), definition.encoding)
            channels.setdefault(key, []).append(channel)
            parts.setdefault(key, {}).setdefault(number, []).append(channel.key)
    topics: list[Topic] = [
        StoredTopic(channels[key], [_Part(stores[n], tuple(keys)) for n, keys in parts[key].items()])
        for key in sorted(parts)
    ]

    def close() -> None:
        for store in stores:
            store.close()

    return Contents(tuple(topics), attachments, metadata, notes, close)
