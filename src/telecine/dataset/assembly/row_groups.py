"""A Parquet file of row groups that were encoded before: their bytes are copied, but for columns with new values.

What a file says of a column's part in a row group holds in any file that has the same column, but for where it is. So
rows of an input that stay together cost reading and writing them, and no decoding, compressing or memory.

Source: parquet.thrift of Apache Parquet (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData). Refuses files of other
writers than pyarrow: what readers know of a writer's faults, they know by its name, which is one for a whole file.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from telecine.dataset.rolling_files import TableFile, parquet_writer
from telecine.lerobot_format.thrift_compact import (
    BINARY,
    I64,
    LIST,
    STRUCT,
    ThriftError,
    ThriftStruct,
    Value,
    read_struct,
    write_struct,
)

MAGIC = b"PAR1"
_WRITER = b"parquet-cpp-arrow"
_OFFSETS = (9, 10, 11)
"""Fields of ColumnMetaData: where a column's data, index and dictionary begin."""
_BLOOM = (14, 15)
"""Where its Bloom filter is, which is not copied; neither are page indexes."""
_NAMES = (4, 9)
"""Fields of SchemaElement that do not say how values are stored: name and number."""


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """How Parquet stores a column: `layout` says it but for names, `paths` has the name of each part with values."""

    layout: tuple[str, ...]
    paths: tuple[tuple[bytes, ...], ...]
    first: int
    """Number of the first of its parts in a row group."""


@dataclass(frozen=True, eq=False)
class ParquetFooter:
    """The table of contents of a Parquet file, and the file, open for reading."""

    content: ThriftStruct
    file: Any

    @classmethod
    def read(cls, file: Any) -> "ParquetFooter | None":
        """That of an open file; None when it is none of pyarrow's. Raises: OSError."""
        end = file.seek(0, 2)
        file.seek(max(end - 8, 0))
        size, magic = int.from_bytes(file.read(4), "little"), file.read(4)
        if magic != MAGIC or size > end - 12:
            return None
        file.seek(end - 8 - size)
        try:
            content, _ = read_struct(memoryview(file.read(size)), 0)
            is_ours = content[6].value.startswith(_WRITER)
        except (ThriftError, KeyError, AttributeError):
            return None
        return cls(content, file) if is_ours else None

    @cached_property
    def columns(self) -> Mapping[str, ColumnLayout]:
        """By name, in order."""
        elements: list[ThriftStruct] = self.content[2].value[1]
        found: dict[str, ColumnLayout] = {}
        at, first = 1, 0  # element 0 is the root
        while at < len(elements):
            stop, paths = _paths(elements, at, ())
            layout = tuple(repr([v for v in sorted(e.items()) if v[0] not in _NAMES]) for e in elements[at:stop])
            found[elements[at][4].value.decode()] = ColumnLayout(layout, tuple(paths), first)
            at, first = stop, first + len(paths)
        return found

    def parts(self, group: int, column: str) -> list[ThriftStruct]:
        """ColumnMetaData of each part of a column in a row group."""
        where = self.columns[column]
        chunks = self.content[4].value[1][group][1].value[1]
        return [chunk[3].value for chunk in chunks[where.first : where.first + len(where.paths)]]


def _paths(elements: list[ThriftStruct], at: int, above: tuple[bytes, ...]) -> tuple[int, list[tuple[bytes, ...]]]:
    """(where the children of an element end, the names of those with values)."""
    element = elements[at]
    here = (*above, element[4].value)
    if 5 not in element:
        return at + 1, [here]
    paths: list[tuple[bytes, ...]] = []
    at += 1
    for _ in range(element[5].value):
        at, more = _paths(elements, at, here)
        paths += more
    return at, paths


@dataclass(frozen=True, eq=False, slots=True)
class CopiedGroup:
    """A row group of another file as it is, but for the columns of `new`.

    names: by column of the new file, its name in the other one, for all that are not in `new`.
    """

    footer: ParquetFooter
    number: int
    names: Mapping[str, str]
    new: pa.Table


class RowGroupFile(TableFile):
    """A Parquet file of row groups: new ones, and copied ones."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = schema
        self._footer = footer_of(schema)
        self._groups: list[ThriftStruct] = []
        self._rows = 0
        self._is_sound = True
        self._sink = path.open("wb")
        self._sink.write(MAGIC)

    def write(self, group: pa.Table | CopiedGroup) -> None:
        """Add one row group. Raises: OSError."""
        self._is_sound = False
        if isinstance(group, CopiedGroup):
            self._copy(group)
        else:
            footer = _encoded(group)
            parts = [(footer, part) for name in self._schema.names for part in footer.parts(0, name)]
            self._add(parts, group.num_rows)
        self._is_sound = True

    def close(self) -> None:
        """Write the footer, unless a row group could not be written. Raises: OSError."""
        try:
            if self._is_sound:
                own = {3: Value(I64, self._rows), 4: Value(LIST, (STRUCT, self._groups))}
                footer = write_struct(self._footer.content | own)
                self._sink.write(footer + struct.pack("<I", len(footer)) + MAGIC)
        finally:
            self._sink.close()

    def _copy(self, group: CopiedGroup) -> None:
        new = _encoded(group.new)
        parts: list[tuple[ParquetFooter, ThriftStruct]] = []
        for name in self._schema.names:
            if name in new.columns:
                parts += ((new, part) for part in new.parts(0, name))
            else:
                parts += ((group.footer, part) for part in group.footer.parts(group.number, group.names[name]))
        self._add(parts, group.new.num_rows)

    def _add(self, parts: list[tuple[ParquetFooter, ThriftStruct]], rows: int) -> None:
        """A row group of columns that others hold, in the order of the schema."""
        paths = [path for column in self._footer.columns.values() for path in column.paths]
        start = self._sink.tell()
        made: list[ThriftStruct] = []
        for (footer, part), path in zip(parts, paths, strict=True):
            first = min(part[number].value for number in _OFFSETS if number in part)
            moved = self._sink.tell() - first
            footer.file.seek(first)
            data = footer.file.read(part[7].value)
            if len(data) < part[7].value:
                raise OSError("a file of rows ends before what its footer says")
            self._sink.write(data)
            own = {n: Value(I64, part[n].value + moved) for n in _OFFSETS if n in part}
            own[3] = Value(LIST, (BINARY, list(path)))
            kept = {number: value for number, value in part.items() if number not in _BLOOM}
            made.append({2: Value(I64, 0), 3: Value(STRUCT, kept | own)})
        unpacked, packed = (sum(chunk[3].value[number].value for chunk in made) for number in (6, 7))
        group = {2: unpacked, 3: rows, 5: start, 6: packed}
        self._groups.append(
            {1: Value(LIST, (STRUCT, made)), **{number: Value(I64, value) for number, value in group.items()}}
        )
        self._rows += rows


def footer_of(schema: pa.Schema) -> ParquetFooter:
    """That of a file of these columns without a row."""
    return _encoded(pa.Table.from_batches([], schema))  # `empty_table` would import pandas


def _encoded(table: pa.Table) -> ParquetFooter:
    """The table as a Parquet file in memory, of one row group."""
    sink = pa.BufferOutputStream()
    with parquet_writer(sink, table.schema) as writer:
        writer.write_table(table, row_group_size=max(table.num_rows, 1))
    footer = ParquetFooter.read(pa.BufferReader(sink.getvalue()))
    assert footer is not None
    return footer
