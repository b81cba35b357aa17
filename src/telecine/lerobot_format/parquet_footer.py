"""What a Parquet file's footer says of its columns, without Arrow, which ends the process over some damaged ones.

Nothing is made of what nobody asks for, so a footer takes no more memory than its bytes.
Format: https://github.com/apache/parquet-format, parquet.thrift (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData).
"""

from functools import partial
from typing import BinaryIO, NamedTuple

from telecine.lerobot_format.thrift_compact import ThriftError, text, walk_list, walk_struct, whole_number

_MAGIC, _TAIL_BYTES = b"PAR1", 8
_GROUPS, _COLUMNS, _METADATA = 4, 1, 3
"""Fields of the footer, of a row group, of a column in one."""
_TYPE, _ENCODINGS, _PATH, _CODEC, _VALUES, _UNPACKED, _PACKED, _DATA_PAGE, _DICTIONARY_PAGE = 1, 2, 3, 4, 5, 6, 7, 9, 11
_TEXT, _DICTIONARIES = 6, frozenset({2, 8})


class FooterChunk(NamedTuple):
    """A column of a row group, as the footer states it; sizes in bytes."""

    group: int
    path: str
    is_text: bool
    """Texts, or bytes of varying length."""
    has_dictionary: bool
    codec: int
    """Parquet's number of its compression."""
    values: int
    unpacked: int
    packed: int
    start: int
    """Where its first page begins in the file."""


def footer_chunks(raw: BinaryIO) -> list[FooterChunk]:
    """Every column of every row group, in order. Raises: ThriftError for what is no footer; OSError."""
    size = raw.seek(0, 2)
    raw.seek(max(size - _TAIL_BYTES, 0))
    tail = raw.read(_TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length > size - _TAIL_BYTES:
        raise ThriftError("it does not end as Parquet does")
    raw.seek(size - _TAIL_BYTES - length)
    reader = _Footer(memoryview(raw.read(length)))
    walk_struct(reader.data, 0, {_GROUPS: reader.groups})
    return reader.chunks


class _Footer:
    """Walks a footer from field to field; each method takes a value and says where it ends."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.chunks: list[FooterChunk] = []
        self._group = -1

    def groups(self, at: int, kind: int) -> int:
        return walk_list(self.data, at, kind, self._one_group)

    def _one_group(self, at: int, kind: int) -> int:
        del kind
        self._group += 1
        return walk_struct(self.data, at, {_COLUMNS: self._columns})

    def _columns(self, at: int, kind: int) -> int:
        return walk_list(self.data, at, kind, self._column)

    def _column(self, at: int, kind: int) -> int:
        del kind
        return walk_struct(self.data, at, {_METADATA: self._metadata})

    def _metadata(self, at: int, kind: int) -> int:
        del kind
        numbers: dict[int, int] = {}
        encodings: list[int] = []
        names: list[str] = []

        def number(field: int, at: int, kind: int) -> int:
            numbers[field], at = whole_number(self.data, at, kind)
            return at

        def encoding(at: int, kind: int) -> int:
            found, at = whole_number(self.data, at, kind)
            encodings.append(found)
            return at

        def name(at: int, kind: int) -> int:
            found, at = text(self.data, at, kind)
            names.append(found)
            return at

        asked = (_TYPE, _CODEC, _VALUES, _UNPACKED, _PACKED, _DATA_PAGE, _DICTIONARY_PAGE)
        at = walk_struct(
            self.data,
            at,
            {
                **{field: partial(number, field) for field in asked},
                _ENCODINGS: lambda at, kind: walk_list(self.data, at, kind, encoding),
                _PATH: lambda at, kind: walk_list(self.data, at, kind, name),
            },
        )
        starts = [numbers[field] for field in (_DATA_PAGE, _DICTIONARY_PAGE) if numbers.get(field, 0) > 0]
        self.chunks.append(
            FooterChunk(
                self._group,
                ".".join(names),
                numbers.get(_TYPE) == _TEXT,
                not _DICTIONARIES.isdisjoint(encodings),
                numbers.get(_CODEC, 0),
                numbers.get(_VALUES, 0),
                numbers.get(_UNPACKED, 0),
                numbers.get(_PACKED, 0),
                min(starts, default=0),
            )
        )
        return at
