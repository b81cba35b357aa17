"""Numbers and texts of a Rerun recording as streams, and what all of its streams share.

Each reads the chunks of its own entity and component when first asked, and keeps what it read.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa

from telecine.core.errors import SourceError
from telecine.core.grid import Rows
from telecine.core.naming import GENERAL_WORDS
from telecine.core.recording import Array, Schema
from telecine.core.text.numbers import counted, counted_of
from telecine.core.video import Flags
from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.chunks import LAYER, Chunks, ComponentColumn
from telecine.sources.rrd.columns import ArrowLeaf
from telecine.sources.rrd.order import ChunkSamples, order_of
from telecine.sources.shared.sample_order import Order, Ordered

_SCALARS = ("Scalars:scalars", "Scalar:scalar")


class Samples(Ordered):
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


def part_of(batch: pa.RecordBatch, there: Flags) -> ChunkSamples:
    """Row ids and stamps of the rows that hold a sample."""
    stamps = {clock: (kind, values[there]) for clock, (kind, values) in arrow.clocks(batch).items()}
    layer = int((batch.schema.metadata or {}).get(LAYER, 0))
    return ChunkSamples(arrow.row_ids(batch)[there], stamps, layer)


def _lowest(parts: Sequence[ChunkSamples]) -> int | None:
    ids = [tuple(part.ids[np.lexsort((part.ids[:, 1], part.ids[:, 0]))[0]].tolist()) for part in parts if len(part.ids)]
    high, low = min(ids, default=(0, 0))
    return high << 64 | low if ids else None


def _name_of(entity: str) -> tuple[str, ...] | None:
    """What the last part of the path calls one number, without what LeRobot puts in front; None for a general word."""
    name = re.sub(r"^(action|observation|observation\.state)\.(?=.)", "", entity.rpartition("/")[2])
    return None if name.lower() in GENERAL_WORDS else (name,)


class Vectors(Samples):
    """Numbers: every instance of a row, flattened."""

    kind: Literal["vector"] = "vector"

    def __init__(self, chunks: Chunks, column: ComponentColumn, leaf: ArrowLeaf, names: str | None) -> None:
        super().__init__(chunks, column, leaf)
        self._names = names

    @cached_property
    def _read(self) -> tuple[Order, Rows, Array, int | None]:
        """Order, (n + 1,) offsets by position in the file, flat values, and the lowest row id."""
        parts: list[ChunkSamples] = []
        widths: list[Rows] = [np.zeros(1, np.int64)]
        flats: list[Array] = [np.zeros(0, self._leaf.dtype)]
        for batch, values in self._values():
            there, bounds, flat = arrow.numbers(values, self._leaf)
            parts.append(part_of(batch, there))
            widths.append(np.diff(bounds))
            flats.append(flat)
        return order_of(parts, self.name), np.cumsum(np.concatenate(widths)), np.concatenate(flats), _lowest(parts)

    @property
    def _order(self) -> Order:
        return self._read[0]

    def first_logged(self) -> int | None:
        """The row id of the first sample, as a number."""
        return self._read[3]

    @cached_property
    def schema(self) -> Schema:
        """What the first sample is."""
        order, bounds, _, _ = self._read
        first = int(order.arrival[0]) if order.arrival.size else None
        width = 0 if first is None else int(bounds[first + 1] - bounds[first])
        names = self._element_names()
        return Schema(self._leaf.dtype, (width,), names if names and len(names) == width else None)

    def _element_names(self) -> tuple[str, ...] | None:
        """As logged; a single number of Rerun's Scalars is called after its entity."""
        if self._names is None:
            return _name_of(self._column.entity) if self._column.component in _SCALARS else None
        for batch in self._chunks.batches(self._column.entity, [self._names]):
            column = batch.column(self._names) if self._names in batch.schema.names else None
            for row in range(0 if column is None else len(column)):
                if found := arrow.names(column, row):
                    return tuple(found)
        return None

    def take(self, rows: Rows, clock: str) -> Array:
        """The samples at `rows`."""
        order = self._on(clock)
        _, bounds, flat, _ = self._read
        positions = order.by_stamp(clock)[rows]
        (width,) = self.schema.shape
        starts = bounds[positions]
        odd = np.flatnonzero(bounds[positions + 1] - starts != width)
        if odd.size:
            at, other = int(order.times(clock)[rows[odd[0]]]), int((bounds[positions + 1] - starts)[odd[0]])
            raise SourceError(
                f"{self.name}: {counted_of(odd.size, len(rows), 'sample', 'does', 'do')} not have "
                f"{counted(width, 'value')} like the first "
                f"(one at {clock} {at} has {other}); log one entity per width, or pick a span where it is constant"
            )
        return flat[starts[:, None] + np.arange(width)]


class Texts(Samples):
    """Strings."""

    kind: Literal["text"] = "text"
    schema = Schema("string")

    @cached_property
    def _read(self) -> tuple[Order, list[str]]:
        parts: list[ChunkSamples] = []
        found: list[str] = []
        for batch, values in self._values():
            there, strings = arrow.texts(values, self._leaf)
            parts.append(part_of(batch, there))
            found += strings
        return order_of(parts, self.name), found

    @property
    def _order(self) -> Order:
        return self._read[0]

    def take(self, rows: Rows, clock: str) -> Sequence[str]:
        """The samples at `rows`."""
        positions = self._on(clock).by_stamp(clock)[rows]
        found = self._read[1]
        return [found[position] for position in positions.tolist()]
