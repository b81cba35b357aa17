"""Streams of a Rerun recording. Each reads the chunks of its own entity and component, when first asked.

Numbers and texts stay in memory once read. Images and packets do while they total at most 64 MiB; beyond that
they are read from the file, chunk by chunk, each time they are asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from telecine.core.errors import SourceError
from telecine.core.grid import Rows
from telecine.core.recording import Array, Buffer, Image, Schema, Stream
from telecine.core.video import Flags
from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.chunks import CACHE_BYTES, PROPERTIES, Chunks, ComponentColumn
from telecine.sources.rrd.columns import ArrowLeaf, Blobs
from telecine.sources.rrd.image_formats import RawFormat, codec_of, encoding_of, raw_format
from telecine.sources.rrd.order import ChunkSamples, order_of
from telecine.sources.shared.sample_order import Order, Ordered, pick

_NAMES = ("SeriesLines:names", "SeriesPoints:names")
_IMAGES = ("Image", "DepthImage", "SegmentationImage")
_TEXTS = ("TextDocument:text", "TextLog:text")
_HIDDEN = ("VideoStream:codec", "VideoStream:is_keyframe")
"""Read as part of the video stream."""


def streams_of(chunks: Chunks) -> dict[str, Stream]:
    """Every stream of a recording by name, nothing read yet."""
    found: dict[str, Stream] = {}
    components: dict[str, set[str]] = {}
    for column in chunks.columns:
        components.setdefault(column.entity, set()).add(column.component)
    for column in chunks.columns:
        if not column.entity.startswith(PROPERTIES) and column.component not in _HIDDEN:
            for stream in _streams_of(chunks, column, components[column.entity]):
                found.setdefault(stream.name, stream)
    return found


def _streams_of(chunks: Chunks, column: ComponentColumn, beside: set[str]) -> Iterator[Stream]:
    archetype, _, field = column.component.rpartition(":")
    if column.component == "VideoStream:sample":
        yield _VideoPackets(chunks, column, "VideoStream:codec")
    elif column.component == "EncodedImage:blob":
        yield _CodedImages(chunks, column, "EncodedImage:media_type")
    elif archetype in _IMAGES and field == "buffer":
        yield _RawImages(chunks, column, f"{archetype}:format")
    elif archetype in _IMAGES and field == "format":
        return
    else:
        for leaf in arrow.leaves(column.type):
            if leaf.kind == "number":
                names = next((n for n in _NAMES if n in beside), None)
                yield _Vectors(chunks, column, leaf, names if column.component == "Scalars:scalars" else None)
            elif leaf.kind == "text" and _is_logged_text(column):
                yield _Texts(chunks, column, leaf)


def _is_logged_text(column: ComponentColumn) -> bool:
    """Texts that somebody logged, not labels and media types of Rerun's own archetypes."""
    return column.component in _TEXTS or not column.archetype.startswith("rerun.")


class _Samples(Ordered):
    """What all streams share: a column, and the order of its samples."""

    def __init__(self, chunks: Chunks, column: ComponentColumn, leaf: ArrowLeaf | None = None) -> None:
        self._chunks = chunks
        self._column = column
        self._leaf = leaf or ArrowLeaf("blob", "uint8")
        self.name = ".".join([column.name, *self._leaf.path])

    def _batches(self, *beside: str) -> Iterator[pa.RecordBatch]:
        return self._chunks.batches(self._column.entity, [self._column.component, *beside])

    def _values(self) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
        """Chunks that hold the column, with the column; its type is checked."""
        for batch in self._batches():
            if self._column.component not in batch.schema.names:
                continue
            values = batch.column(self._column.component)
            if values.type != self._column.type:
                self._check_type(values.type)
            yield batch, values

    def _check_type(self, kind: pa.DataType) -> None:
        for leaf in arrow.leaves(kind):
            same = (leaf.path, leaf.kind) == (self._leaf.path, self._leaf.kind)
            if same and (leaf.kind != "number" or np.can_cast(leaf.dtype, self._leaf.dtype, "same_kind")):
                return
        raise SourceError(f"{self.name}: its type changes from {self._column.type} to {kind} within the recording")


def _part(batch: pa.RecordBatch, there: Flags) -> ChunkSamples:
    """Row ids and stamps of the rows that hold a sample."""
    stamps = {clock: (kind, values[there]) for clock, (kind, values) in arrow.clocks(batch).items()}
    return ChunkSamples(arrow.row_ids(batch)[there], stamps)


class _Vectors(_Samples):
    """Numbers: every instance of a row, flattened."""

    kind: Literal["vector"] = "vector"

    def __init__(self, chunks: Chunks, column: ComponentColumn, leaf: ArrowLeaf, names: str | None) -> None:
        super().__init__(chunks, column, leaf)
        self._names = names

    @cached_property
    def _read(self) -> tuple[Order, Rows, Array]:
        """Order, (n + 1,) offsets by position in the file, flat values."""
        parts: list[ChunkSamples] = []
        widths: list[Rows] = [np.zeros(1, np.int64)]
        flats: list[Array] = [np.zeros(0, self._leaf.dtype)]
        for batch, values in self._values():
            there, bounds, flat = arrow.numbers(values, self._leaf)
            parts.append(_part(batch, there))
            widths.append(np.diff(bounds))
            flats.append(flat)
        return order_of(parts), np.cumsum(np.concatenate(widths)), np.concatenate(flats)

    @property
    def _order(self) -> Order:
        return self._read[0]

    @cached_property
    def schema(self) -> Schema:
        order, bounds, _ = self._read
        first = int(order.arrival[0]) if order.arrival.size else None
        width = 0 if first is None else int(bounds[first + 1] - bounds[first])
        names = self._element_names()
        return Schema(self._leaf.dtype, (width,), names if names and len(names) == width else None)

    def _element_names(self) -> tuple[str, ...] | None:
        if self._names is None:
            return None
        for batch in self._chunks.batches(self._column.entity, [self._names]):
            column = batch.column(self._names) if self._names in batch.schema.names else None
            for row in range(0 if column is None else len(column)):
                if found := arrow.names(column, row):
                    return tuple(found)
        return None

    def take(self, rows: Rows, clock: str) -> Array:
        order = self._on(clock)
        _, bounds, flat = self._read
        positions = order.by_stamp(clock)[rows]
        (width,) = self.schema.shape
        starts = bounds[positions]
        odd = np.flatnonzero(bounds[positions + 1] - starts != width)
        if odd.size:
            at, other = int(order.times(clock)[rows[odd[0]]]), int((bounds[positions + 1] - starts)[odd[0]])
            raise SourceError(
                f"{self.name}: {odd.size} of {len(rows)} samples do not have {width} values like the first "
                f"(one at {clock} {at} has {other}); log one entity per width, or pick a span where it is constant"
            )
        return flat[starts[:, None] + np.arange(width)]


class _Texts(_Samples):
    """Strings."""

    kind: Literal["text"] = "text"
    schema = Schema("string")

    @cached_property
    def _read(self) -> tuple[Order, list[str]]:
        parts: list[ChunkSamples] = []
        found: list[str] = []
        for batch, values in self._values():
            there, strings = arrow.texts(values, self._leaf)
            parts.append(_part(batch, there))
            found += strings
        return order_of(parts), found

    @property
    def _order(self) -> Order:
        return self._read[0]

    def take(self, rows: Rows, clock: str) -> Sequence[str]:
        positions = self._on(clock).by_stamp(clock)[rows]
        found = self._read[1]
        return [found[position] for position in positions.tolist()]


class _Payloads(_Samples):
    """Byte strings with a companion component that describes them, per row or static."""

    def __init__(self, chunks: Chunks, column: ComponentColumn, companion: str) -> None:
        super().__init__(chunks, column)
        self._companion = companion

    @cached_property
    def _read(self) -> tuple[Order, list[Any], list[Blobs] | None, bytes]:
        """Order, companion by position in the file, the data if small, and the first bytes of the first sample."""
        parts: list[ChunkSamples] = []
        companions: list[Any] = []
        static: Any = None
        cached: list[Blobs] | None = []
        head, total = b"", 0
        for batch in self._batches(self._companion):
            beside = batch.column(self._companion) if self._companion in batch.schema.names else None
            if self._column.component not in batch.schema.names:
                values = [] if beside is None else arrow.scalar_values(beside, arrow.present(beside))
                static = next((v for v in reversed(values) if v is not None), static)
                continue
            there, data = arrow.blobs(batch.column(self._column.component))
            parts.append(_part(batch, there))
            companions += [None] * len(data) if beside is None else arrow.scalar_values(beside, there)
            head = head or (bytes(data[0][:64]) if len(data) else b"")
            total += batch.nbytes
            if cached is not None:
                cached.append(data)
            if total > CACHE_BYTES:
                cached = None
        return order_of(parts), _filled(companions, static), cached, head

    @property
    def _order(self) -> Order:
        return self._read[0]

    def _parts(self) -> Iterable[Blobs]:
        cached = self._read[2]
        if cached is not None:
            return cached
        name = self._column.component
        return (arrow.blobs(batch.column(name))[1] for batch in self._batches() if name in batch.schema.names)


def _filled(companions: list[Any], static: Any) -> list[Any]:
    """Gaps filled with the value before, else the static one, else the first there is."""
    last = static if static is not None else next((value for value in companions if value is not None), None)
    filled = []
    for value in companions:
        last = last if value is None else value
        filled.append(last)
    return filled


class _VideoPackets(_Payloads):
    """Coded video, one access unit per sample."""

    kind: Literal["video"] = "video"

    @cached_property
    def schema(self) -> Schema:
        """Read from the companion alone, so that asking for the codec does not load the packets."""
        companions: list[Any] = []
        for batch in self._chunks.batches(self._column.entity, [self._companion]):
            if self._companion in batch.schema.names:
                beside = batch.column(self._companion)
                companions += arrow.scalar_values(beside, arrow.present(beside))
        return Schema("uint8", (0, 0, 0), encoding=codec_of(companions, self.name))

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        wanted = self._on(clock).arrived(clock)[start:stop]
        return (data for _, data in pick(wanted, self._parts()))


class _CodedImages(_Payloads):
    """Images as files: JPEG, PNG ..."""

    kind: Literal["image"] = "image"

    @cached_property
    def schema(self) -> Schema:
        _, companions, _, head = self._read
        return Schema("uint8", (0, 0, 0), encoding=encoding_of(head, companions[0] if companions else None, self.name))

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        companions = self._read[1]
        for position, data in pick(self._on(clock).by_stamp(clock)[rows], self._parts()):
            yield Image(data, encoding_of(bytes(data[:64]), companions[position], self.name))


class _RawImages(_Payloads):
    """Images as pixels."""

    kind: Literal["image"] = "image"

    @cached_property
    def schema(self) -> Schema:
        companions = self._read[1]
        if not companions:
            return Schema("uint8", (0, 0, 0))
        form = raw_format(companions[0], self.name)
        return Schema(form.dtype, (form.height, form.width, form.channels), encoding=form.encoding)

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        companions = self._read[1]
        known: dict[int, RawFormat] = {}
        for position, data in pick(self._on(clock).by_stamp(clock)[rows], self._parts()):
            value = companions[position]
            form = known.get(id(value)) or known.setdefault(id(value), raw_format(value, self.name))
            if len(data) != form.size_bytes:
                raise SourceError(
                    f"{self.name}: an image of {form.width} x {form.height} in {form.encoding} has "
                    f"{len(data)} bytes, expected {form.size_bytes}"
                )
            yield Image(data, form.encoding, form.width, form.height, form.matrix)
