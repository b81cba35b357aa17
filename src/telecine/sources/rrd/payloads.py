"""Images and video packets of a Rerun recording as streams.

They stay in memory while they total at most 64 MiB; beyond that they are read from the file, chunk by chunk, each
time they are asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.grid import Rows
from telecine.core.recording import LABELS, Buffer, Image, Schema
from telecine.core.text.numbers import counted
from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.chunks import CACHE_BYTES, Chunks, ComponentColumn
from telecine.sources.rrd.columns import Blobs
from telecine.sources.rrd.image_formats import RawFormat, codec_of, encoding_of, raw_format
from telecine.sources.rrd.order import ChunkSamples, order_of
from telecine.sources.rrd.samples import Samples, part_of
from telecine.sources.shared.sample_order import Order, pick


@dataclass(frozen=True, slots=True)
class Payload:
    """Byte strings of one column, and what the components beside them say of each.

    beside: component -> one value per sample, by position in the file.
    cached: the byte strings, if they are small. head: the first bytes of the first.
    """

    order: Order
    beside: Mapping[str, list[Any]]
    cached: list[Blobs] | None
    head: bytes


class Payloads(Samples):
    """Byte strings with companion components that describe them, per row or static."""

    def __init__(self, chunks: Chunks, column: ComponentColumn, *companions: str) -> None:
        super().__init__(chunks, column)
        self._companions = companions

    @cached_property
    def _read(self) -> Payload:
        parts: list[ChunkSamples] = []
        beside: dict[str, list[Any]] = {name: [] for name in self._companions}
        static: dict[str, Any] = {}
        cached: list[Blobs] | None = []
        head, total = b"", 0
        for batch in self._batches(*self._companions):
            there = [name for name in self._companions if name in batch.schema.names]
            if self._column.component not in batch.schema.names:
                static |= {name: value for name in there if (value := _last(batch.column(name))) is not None}
                continue
            rows, data = arrow.blobs(batch.column(self._column.component))
            parts.append(part_of(batch, rows))
            for name, values in beside.items():
                values += arrow.scalar_values(batch.column(name), rows) if name in there else [None] * len(data)
            head = head or (bytes(data[0][:64]) if len(data) else b"")
            total += batch.nbytes
            if cached is not None:
                cached.append(data)
            if total > CACHE_BYTES:
                cached = None
        filled = {name: _filled(values, static.get(name)) for name, values in beside.items()}
        return Payload(order_of(parts, self.name), filled, cached, head)

    @property
    def _order(self) -> Order:
        return self._read.order

    def _picked(self, wanted: Rows) -> Iterator[tuple[int, memoryview]]:
        """(position, byte string) of each of the `wanted` positions."""
        return pick(wanted, self._parts())

    def _parts(self) -> Iterable[Blobs]:
        cached = self._read.cached
        if cached is not None:
            return cached
        name = self._column.component
        return (arrow.blobs(batch.column(name))[1] for batch in self._batches() if name in batch.schema.names)


def _last(column: Any) -> Any:
    values = arrow.scalar_values(column, arrow.present(column))
    return next((value for value in reversed(values) if value is not None), None)


def _filled(values: list[Any], static: Any) -> list[Any]:
    """Gaps filled with the value before, else the static one, else the first there is."""
    last = static if static is not None else next((value for value in values if value is not None), None)
    filled = []
    for value in values:
        last = last if value is None else value
        filled.append(last)
    return filled


class VideoPackets(Payloads):
    """Coded video, one access unit per sample."""

    kind: Literal["video"] = "video"

    @cached_property
    def schema(self) -> Schema:
        """Read from the companion alone, so that asking for the codec does not load the packets."""
        (codec,) = self._companions
        logged: list[Any] = []
        for batch in self._chunks.batches(self._column.entity, [codec]):
            if codec in batch.schema.names:
                beside = batch.column(codec)
                logged += arrow.scalar_values(beside, arrow.present(beside))
        return Schema("uint8", (0, 0, 0), encoding=codec_of(logged, self.name))

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) in order of arrival."""
        wanted = self._on(clock).arrived(clock)[start:stop]
        return (data for _, data in self._picked(wanted))


class CodedImages(Payloads):
    """Images as files: JPEG, PNG ..."""

    kind: Literal["image"] = "image"

    @cached_property
    def schema(self) -> Schema:
        """What the first sample is."""
        (media_types,) = self._read.beside.values()
        head = self._read.head
        return Schema(
            "uint8", (0, 0, 0), encoding=encoding_of(head, media_types[0] if media_types else None, self.name)
        )

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """The samples at `rows`."""
        (media_types,) = self._read.beside.values()
        for position, data in self._picked(self._on(clock).by_stamp(clock)[rows]):
            yield Image(data, encoding_of(bytes(data[:64]), media_types[position], self.name))


class RawImages(Payloads):
    """Images as pixels; of a SegmentationImage, labels."""

    kind: Literal["image"] = "image"

    @cached_property
    def schema(self) -> Schema:
        """What the first sample is."""
        (formats,) = self._read.beside.values()
        unit = LABELS if self._column.component.startswith("SegmentationImage:") else None
        if not formats:
            return Schema("uint8", (0, 0, 0), unit=unit)
        form = raw_format(formats[0], self.name)
        return Schema(form.dtype, (form.height, form.width, form.channels), unit=unit, encoding=form.encoding)

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """The samples at `rows`."""
        (formats,) = self._read.beside.values()
        known: dict[int, RawFormat] = {}
        for position, data in self._picked(self._on(clock).by_stamp(clock)[rows]):
            value = formats[position]
            form = known.get(id(value)) or known.setdefault(id(value), raw_format(value, self.name))
            if len(data) != form.size_bytes:
                raise SourceError(
                    f"{self.name}: an image of {form.width} x {form.height} in {form.encoding} has "
                    f"{counted(len(data), 'byte')}, expected {form.size_bytes}"
                )
            yield Image(data, form.encoding, form.width, form.height, form.matrix)
