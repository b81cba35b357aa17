"""What a Parquet file's footer says of its columns, without Arrow, which ends the process over some damaged ones.

Nothing is made of what nobody asks for, so a footer takes no more memory than its bytes.
Format: https://github.com/apache/parquet-format, parquet.thrift (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData).
"""

from collections.abc import Callable
from typing import BinaryIO, NamedTuple, TypeVar

from telecine.lerobot_format.thrift_compact import (
    I64,
    ThriftError,
    ends_named,
    passed,
    text,
    walk_list,
    walk_struct,
    whole_number,
)

T = TypeVar("T")

_MAGIC, _TAIL_BYTES = b"PAR1", 8
_GROUPS, _COLUMNS, _METADATA = 4, 1, 3
"""Fields of the footer, of a row group, of a column in one."""
_TYPE, _ENCODINGS, _PATH, _CODEC, _VALUES, _UNPACKED, _PACKED, _DATA_PAGE, _DICTIONARY_PAGE = 1, 2, 3, 4, 5, 6, 7, 9, 11
_ASKED = frozenset({_TYPE, _CODEC, _VALUES, _UNPACKED, _PACKED, _DATA_PAGE, _DICTIONARY_PAGE})
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
    footer = raw.read(length)
    chunks: list[FooterChunk] = []
    with ends_named():
        walk_struct(footer, 0, {_GROUPS: lambda at, kind: _groups(footer, at, kind, chunks)})
    return chunks


def _groups(footer: bytes, at: int, kind: int, chunks: list[FooterChunk]) -> int:
    """Where the row groups end; each column of each is added to `chunks`."""
    group = -1

    def one_group(at: int, kind: int) -> int:
        nonlocal group
        del kind
        group += 1
        return walk_struct(footer, at, {_COLUMNS: lambda at, kind: walk_list(footer, at, kind, one_column)})

    def one_column(at: int, kind: int) -> int:
        del kind
        return walk_struct(footer, at, in_column)

    def metadata(at: int, kind: int) -> int:
        del kind
        chunk, at = _chunk(footer, at, group, lists)
        chunks.append(chunk)
        return at

    in_column, lists = {_METADATA: metadata}, _Lists(footer)
    return walk_list(footer, at, kind, one_group)


class _Lists:
    """What the lists of columns say: nearly all columns have one of a few, so each different one is parsed once."""

    def __init__(self, footer: bytes) -> None:
        self._footer = footer
        self._paths: dict[bytes, str] = {}
        self._dictionaries: dict[bytes, bool] = {}

    def path(self, at: int, kind: int) -> tuple[str, int]:
        """(the path of a column, where it ends)."""
        stop = passed(self._footer, at, kind)
        raw = self._footer[at:stop]
        if raw not in self._paths:
            self._paths[raw] = ".".join(self._items(at, kind, text))
        return self._paths[raw], stop

    def has_dictionary(self, at: int, kind: int) -> tuple[bool, int]:
        """(whether encodings are those of a dictionary, where they end)."""
        stop = passed(self._footer, at, kind)
        raw = self._footer[at:stop]
        if raw not in self._dictionaries:
            self._dictionaries[raw] = not _DICTIONARIES.isdisjoint(self._items(at, kind, whole_number))
        return self._dictionaries[raw], stop

    def _items(self, at: int, kind: int, read: Callable[[bytes, int, int], tuple[T, int]]) -> list[T]:
        found: list[T] = []

        def item(at: int, kind: int) -> int:
            value, at = read(self._footer, at, kind)
            found.append(value)
            return at

        walk_list(self._footer, at, kind, item)
        return found


def _chunk(footer: bytes, at: int, group: int, lists: _Lists) -> tuple[FooterChunk, int]:
    """(a column, where it ends). A loop of its own, because a file may have some thousand of them."""
    numbers: dict[int, int] = {}
    path, has_dictionary, number = "", False, 0
    while head := footer[at]:
        at += 1
        kind = head & 15
        if step := head >> 4:
            number += step
        else:
            number, at = whole_number(footer, at, I64)
        if number in _ASKED:
            numbers[number], at = whole_number(footer, at, kind)
        elif number == _ENCODINGS:
            has_dictionary, at = lists.has_dictionary(at, kind)
        elif number == _PATH:
            path, at = lists.path(at, kind)
        else:
            at = passed(footer, at, kind)
    asked = numbers.get
    starts = [start for start in (asked(_DATA_PAGE, 0), asked(_DICTIONARY_PAGE, 0)) if start > 0]
    sizes = (asked(_CODEC, 0), asked(_VALUES, 0), asked(_UNPACKED, 0), asked(_PACKED, 0))
    return FooterChunk(group, path, asked(_TYPE) == _TEXT, has_dictionary, *sizes, min(starts, default=0)), at + 1
