"""Texts and images in Parquet that are stored once and read many times, counted before they are spread out.

A column of texts has a dictionary of its values; a row holds the number of one. Read as texts, each row gets a copy: a
value of 100 MB in ten rows, a few kB on disk, takes a gigabyte. Here the rows stay numbers, and are added up.
Format: https://parquet.apache.org/docs/file-format/data-pages/encodings/ (RLE_DICTIONARY).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telecine.lerobot_format.page_bounds import page_fault, text_chunks

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
        return page_fault(path, _MOST_PAGE + more) or _fault(path, more)
    except (OSError, pa.ArrowException):
        return ""


def _fault(path: Path, more: int) -> str:
    """more: bytes that large files may have beyond the bounds."""
    most = MOST_BYTES + more
    with pq.ParquetFile(path) as file:
        groups = file.metadata.num_row_groups
        chunks = list(text_chunks(file.metadata))
        names = sorted({chunk.path_in_schema for chunk in chunks if _may_grow(chunk, most)})
    stored = sum(max(chunk.total_uncompressed_size, 0) for chunk in chunks)
    if stored > _MOST_STORED + more:
        return f"its texts have {stored} bytes, packed in far fewer; that is taken for damage"
    count = 0
    for name in names:
        with pq.ParquetFile(path, read_dictionary=[name]) as file:
            for group in range(groups):
                table = file.read_row_group(group, [name], use_threads=False)
                count += sum(_bytes_of(chunk) for column in table.columns for chunk in column.chunks)
                if count > most:
                    return f"its texts ({', '.join(names)}) have {count} bytes or more; more than {most} are damage"
    return ""


def _may_grow(chunk: Any, most: int) -> bool:
    """Whether a chunk of a column could have more bytes than an eighth of the bound, if each value were its longest."""
    has_dictionary = any("DICTIONARY" in encoding for encoding in chunk.encodings)
    return has_dictionary and chunk.num_values * max(chunk.total_uncompressed_size, 0) > most // 8


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
