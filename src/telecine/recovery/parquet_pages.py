"""Parquet files that were never closed: their pages are found by walking, and a footer is written for them.

A writer that dies, or whose `finalize()` is never called, leaves column pages without the table of contents at the
end, which readers need. Each page states its own size and number of values; the order of columns is known from the
dataset's features. So a footer can be made for every row group that is whole, and pyarrow then reads the file as if
it had been closed. Nothing is decoded here.

Source: parquet.thrift of Apache Parquet (PageHeader, FileMetaData). Refuses columns whose number of values per row is
not fixed: where one ends is unknown.
"""

import io
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.errors import DatasetError, raised_as
from telecine.lerobot_format.thrift_compact import (
    BINARY,
    I32,
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
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_PLAIN, _DICTIONARY_ENCODED = 0, (2, 8)
_BYTES = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}
"""Of a value in a plain page; levels, which tell nulls and lists, come on top."""
_COPY_BYTES = 1 << 20
_LARGEST_PAGE = 1 << 30
_CODECS = {"snappy": 1, "zstd": 6, "gzip": 2, "lz4_raw": 7, "brotli": 4}
_PHYSICAL = {
    "BOOLEAN": 0, "INT32": 1, "INT64": 2, "INT96": 3, "FLOAT": 4, "DOUBLE": 5, "BYTE_ARRAY": 6,
    "FIXED_LEN_BYTE_ARRAY": 7,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParquetPage:
    """One page: bytes [start, stop) of the file, header included."""

    start: int
    body: int
    stop: int
    kind: int
    values: int
    """0 for a dictionary."""
    unpacked_bytes: int
    """Of the body, when decompressed, as its header says."""
    encoding: int


@dataclass(frozen=True, slots=True)
class ParquetLeaf:
    """A column of the file as Parquet counts them, and how many values each row has in it."""

    path: tuple[str, ...]
    physical: str
    per_row: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a file without footer holds."""

    rows: int
    groups: int
    lost_bytes: int
    """Bytes after the last whole row group."""


def recover(path: Path, schema: pa.Schema, per_row: Mapping[str, int], target: Path) -> Recovered:
    """Write `target`: the whole row groups of `path`, and a footer with their positions.

    schema: of the file, as its writer had it. per_row: values per row of each column of the schema.

    Raises:
        DatasetError: there is not one whole row group of this schema in the file.
    """
    template = _template(schema)
    leaves = _leaves(template, per_row)
    with (
        raised_as(DatasetError, f"{path}: cannot be read", OSError, ValueError),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        with memoryview(mapped) as data:
            if data[:4] != MAGIC:
                raise DatasetError(f"{path}: does not begin as a Parquet file")
            groups = _row_groups(list(_pages(data)), leaves)
            if not groups:
                raise DatasetError(f"{path}: no row group in it is whole and of the dataset's features")
            codec = _codec(data, groups[0][1])
        stop = groups[-1][1][-1][-1].stop
        footer = _footer(template, leaves, groups, codec)
        file.seek(0)
        with target.open("wb") as sink:
            _copy(file, sink, stop)
            sink.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
        return Recovered(sum(rows for rows, _ in groups), len(groups), len(mapped) - stop)


def _template(schema: pa.Schema) -> bytes:
    """A closed file of this schema without rows, which shows how the schema is stored."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schema):
        pass
    return sink.getvalue()


def _leaves(template: bytes, per_row: Mapping[str, int]) -> list[ParquetLeaf]:
    stored = pq.ParquetFile(io.BytesIO(template)).schema
    columns = [stored.column(i) for i in range(len(stored))]
    paths = [tuple(column.path.split(".")) for column in columns]
    names = _first_names(stored.to_arrow_schema(), [column.path for column in columns])
    return [
        ParquetLeaf(path, column.physical_type, per_row[name])
        for path, column, name in zip(paths, columns, names, strict=True)
    ]


def _first_names(schema: pa.Schema, paths: Sequence[str]) -> list[str]:
    """The schema's column that each leaf belongs to; names may hold dots, which separate levels too."""
    return [max((n for n in schema.names if p == n or p.startswith(f"{n}.")), key=len) for p in paths]


def _pages(data: memoryview) -> Iterator[ParquetPage]:
    """The pages from the start on, up to the first that is not whole."""
    at = len(MAGIC)
    while at < len(data):
        try:
            page = _page(data, at)
        except ThriftError:
            return
        if page is None or page.stop > len(data):
            return
        yield page
        at = page.stop


def _page(data: memoryview, at: int) -> ParquetPage | None:
    head, body = read_struct(data, at)
    kind, unpacked, packed = (_int(head, number) for number in (1, 2, 3))
    own = head.get({_DATA: 5, _DATA_V2: 8, _DICTIONARY: 7}.get(kind, -1))
    if own is None or own.kind != STRUCT or packed < 0 or not 0 <= unpacked <= _LARGEST_PAGE:
        return None
    values = 0 if kind == _DICTIONARY else _int(own.value, 1)
    encoding = _int(own.value, 4 if kind == _DATA_V2 else 2)
    return ParquetPage(at, body, body + packed, kind, values, unpacked, encoding) if values >= 0 else None


def _int(struct: ThriftStruct, number: int) -> int:
    found = struct.get(number)
    return found.value if found is not None and isinstance(found.value, int) else -1


RowGroup = tuple[int, list[list[ParquetPage]]]
"""Rows, and the pages of each leaf."""


def _row_groups(pages: Sequence[ParquetPage], leaves: Sequence[ParquetLeaf]) -> list[RowGroup]:
    groups: list[RowGroup] = []
    at = 0
    while at < len(pages):
        found = _row_group(pages, at, leaves)
        if found is None:
            break
        groups.append(found)
        at += sum(map(len, found[1]))
    return groups


def _row_group(pages: Sequence[ParquetPage], at: int, leaves: Sequence[ParquetLeaf]) -> RowGroup | None:
    """The row group that starts with page `at`: the fewest rows with which every column has all its values."""
    values, stop = 0, at + (pages[at].kind == _DICTIONARY)
    while stop < len(pages) and pages[stop].kind != _DICTIONARY:
        values += pages[stop].values
        stop += 1
        rows, rest = divmod(values, leaves[0].per_row)
        columns = None if rest or not rows else _columns(pages, at, leaves, rows)
        if columns is not None:
            return rows, columns
    return None


def _columns(
    pages: Sequence[ParquetPage], at: int, leaves: Sequence[ParquetLeaf], rows: int
) -> list[list[ParquetPage]] | None:
    columns = []
    for leaf in leaves:
        wanted, values, stop = rows * leaf.per_row, 0, at
        if stop < len(pages) and pages[stop].kind == _DICTIONARY:
            stop += 1
        while values < wanted and stop < len(pages) and pages[stop].kind != _DICTIONARY:
            values += pages[stop].values
            stop += 1
        if values != wanted or not _is_column(pages[at:stop], leaf):
            return None
        columns.append(list(pages[at:stop]))
        at = stop
    return columns


def _is_column(pages: Sequence[ParquetPage], leaf: ParquetLeaf) -> bool:
    """Whether the pages can be one column of this type: what keeps neighbours apart that have as many values."""
    has_dictionary = pages[0].kind == _DICTIONARY
    data = pages[has_dictionary:]
    if has_dictionary != any(page.encoding in _DICTIONARY_ENCODED for page in data):
        return False
    size = _BYTES.get(leaf.physical)
    plain = [page for page in data if page.encoding == _PLAIN]
    return size is None or all(0 <= p.unpacked_bytes - size * p.values <= 64 + p.values // 2 for p in plain)


def _codec(data: memoryview, columns: Sequence[Sequence[ParquetPage]]) -> int:
    """Parquet's number of the compression, found by trying, since only the footer names it."""
    pages = [page for column in columns for page in column if page.kind != _DATA_V2]
    odd = [page for page in pages if page.stop - page.body != page.unpacked_bytes]
    for name, number in _CODECS.items() if odd or not pages else ():
        codec = pa.Codec(name)
        page = min(odd or pages, key=lambda p: p.unpacked_bytes)
        try:
            codec.decompress(data[page.body : page.stop], page.unpacked_bytes)
        except (OSError, pa.ArrowException):
            continue
        return number
    return 0


def _footer(template: bytes, leaves: Sequence[ParquetLeaf], groups: Sequence[RowGroup], codec: int) -> bytes:
    """The template's footer with other row groups."""
    size = int.from_bytes(template[-8:-4], "little")
    meta, _ = read_struct(memoryview(template), len(template) - 8 - size)
    row_groups = [_group(leaves, rows, columns, codec) for rows, columns in groups]
    meta[3] = Value(I64, sum(rows for rows, _ in groups))
    meta[4] = Value(LIST, (STRUCT, row_groups))
    return write_struct(meta)


def _group(
    leaves: Sequence[ParquetLeaf], rows: int, columns: Sequence[Sequence[ParquetPage]], codec: int
) -> ThriftStruct:
    chunks = [_chunk(leaf, pages, codec) for leaf, pages in zip(leaves, columns, strict=True)]
    total = sum(page.body - page.start + page.unpacked_bytes for pages in columns for page in pages)
    return {1: Value(LIST, (STRUCT, chunks)), 2: Value(I64, total), 3: Value(I64, rows)}


def _chunk(leaf: ParquetLeaf, pages: Sequence[ParquetPage], codec: int) -> ThriftStruct:
    data = next(page for page in pages if page.kind != _DICTIONARY)
    meta: ThriftStruct = {
        1: Value(I32, _PHYSICAL[leaf.physical]),
        2: Value(LIST, (I32, sorted({page.encoding for page in pages}))),
        3: Value(LIST, (BINARY, [part.encode() for part in leaf.path])),
        4: Value(I32, codec),
        5: Value(I64, sum(page.values for page in pages)),
        6: Value(I64, sum(page.body - page.start + page.unpacked_bytes for page in pages)),
        7: Value(I64, pages[-1].stop - pages[0].start),
        9: Value(I64, data.start),
    }
    if pages[0].kind == _DICTIONARY:
        meta[11] = Value(I64, pages[0].start)
    return {2: Value(I64, 0), 3: Value(STRUCT, meta)}


def _copy(source: Any, sink: Any, size: int) -> None:
    """The first `size` bytes."""
    left = size
    while left:
        part = source.read(min(left, _COPY_BYTES))
        if not part:
            raise OSError("the file became shorter while it was read")
        sink.write(part)
        left -= len(part)
