"""Texts and images in Parquet that are stored once and read many times, counted before they are spread out.

A column of texts has a dictionary of its values; a row holds the number of one. Read as texts, each row gets a copy: a
value of 100 MB in ten rows, a few kB on disk, takes a gigabyte. Here the rows stay numbers, and are added up.
Format: https://parquet.apache.org/docs/file-format/data-pages/encodings/ (RLE_DICTIONARY).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telecine.core.text.numbers import counted
from telecine.lerobot_format.page_bounds import page_fault
from telecine.lerobot_format.parquet_footer import FooterChunk, footer_chunks
from telecine.lerobot_format.thrift_compact import ThriftError

MOST_BYTES = 1 << 28
"""Of all texts and images of a file, as they are read; more only where the file itself is large."""
_MOST_PAGE = 1 << 28
"""Of one page, unpacked."""
_MOST_STORED = 1 << 26
"""As they are stored, unpacked, each value of a dictionary once."""
_RATIO = 8
"""How many times a file's size either may be beyond that."""


def text_fault(path: Path) -> str:
    """Why a Parquet file must not be read: its texts or pages, with the columns; "" when it may, or cannot be read.

    Whoever reads a damaged file says what is wrong with it.
    """
    try:
        more = _RATIO * path.stat().st_size
        with path.open("rb") as raw:
            chunks = footer_chunks(raw)
            pages = page_fault(raw, chunks, _MOST_PAGE + more)
        return pages or _fault(path, [chunk for chunk in chunks if chunk.is_text], more)
    except ThriftError as error:
        return _footer_fault(path, error)
    except (OSError, pa.ArrowException):
        return ""


def _footer_fault(path: Path, error: ThriftError) -> str:
    """Of a footer that only Arrow can follow, so that nothing in the file can be counted before it is read."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return ""
    return f"its footer cannot be followed ({error}), which is taken for damage"


def _fault(path: Path, chunks: Sequence[FooterChunk], more: int) -> str:
    """chunks: those of texts. more: bytes that large files may have beyond the bounds."""
    most = MOST_BYTES + more
    groups = max((chunk.group for chunk in chunks), default=-1) + 1
    names = sorted({chunk.path for chunk in chunks if _may_grow(chunk, most)})
    stored = sum(max(chunk.unpacked, 0) for chunk in chunks)
    if stored > _MOST_STORED + more:
        return f"its texts have {counted(stored, 'byte')}, packed in far fewer; that is taken for damage"
    count = 0
    for name in names:
        with pq.ParquetFile(path, read_dictionary=[name]) as file:
            for group in range(groups):
                table = file.read_row_group(group, [name], use_threads=False)
                count += sum(_bytes_of(chunk) for column in table.columns for chunk in column.chunks)
                if count > most:
                    return (
                        f"its texts ({', '.join(names)}) have {counted(count, 'byte')} or more; more than "
                        f"{most} are damage"
                    )
    return ""


def _may_grow(chunk: FooterChunk, most: int) -> bool:
    """Whether a chunk of a column could have more bytes than an eighth of the bound, if each value were its longest."""
    return chunk.has_dictionary and chunk.values * max(chunk.unpacked, 0) > most // 8


def _bytes_of(array: Any) -> int:
    """Of all values in dictionaries, as if each were there by itself."""
    return sum(
        int(pc.sum(pc.take(pc.cast(pc.binary_length(leaf.dictionary), pa.int64()), leaf.indices)).as_py() or 0)
        for leaf in _leaves(array)
        if pa.types.is_dictionary(leaf.type)
    )


def _leaves(array: Any) -> Iterator[Any]:
    kind = array.type
    if pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _leaves(array.field(number))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(array.values)
    elif pa.types.is_map(kind):
        yield from (leaf for part in (array.keys, array.items) for leaf in _leaves(part))
    elif isinstance(array, pa.ExtensionArray):
        yield from _leaves(array.storage)
    else:
        yield array
