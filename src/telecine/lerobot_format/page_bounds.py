"""Pages of Parquet that unpack to more than any sound one, whatever the file's footer says of their column.

Arrow allocates what a page's own header says, and fills it with what comes out. So the headers are read first, in
columns of texts and images whose bytes could unpack to so much. Those of numbers are not looked at: Arrow ends the
process when it is asked for the place of one whose statistics do not fit the schema.
Format: https://github.com/apache/parquet-format, parquet.thrift (PageHeader: 2 unpacked, 3 packed bytes).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet as pq

from telecine.lerobot_format.thrift_compact import ThriftError, read_struct

_RATIOS = {"UNCOMPRESSED": 1, "SNAPPY": 22, "LZ4": 256, "GZIP": 1032}
"""The most that a byte unpacks to; 32,768 for others, such as zstd."""
_HEADER_BYTES = 1 << 16
"""Of one page's header, which may hold the least and the greatest value."""


def page_fault(path: Path, most: int) -> str:
    """Names a column with a page that unpacks to more than `most` bytes; "" for none. Raises: OSError, Arrow's."""
    with pq.ParquetFile(path) as file, path.open("rb") as raw:
        for chunk in text_chunks(file.metadata):
            if chunk.total_compressed_size * _RATIOS.get(chunk.compression, 1 << 15) > most:
                size = max(_unpacked(raw, chunk), default=0)
                if size > most:
                    return f"a page of {chunk.path_in_schema} unpacks to {size} bytes; more than {most} are damage"
    return ""


def text_chunks(metadata: Any) -> Iterator[Any]:
    """What the footer says of each column of texts or images, in every row group."""
    schema = metadata.schema
    texts = [number for number in range(len(schema)) if schema.column(number).physical_type == "BYTE_ARRAY"]
    for group in range(metadata.num_row_groups):
        yield from map(metadata.row_group(group).column, texts)


def _unpacked(raw: BinaryIO, chunk: Any) -> Iterator[int]:
    """What each page of a column says that it unpacks to, as far as headers can be followed."""
    starts = [at for at in (chunk.dictionary_page_offset, chunk.data_page_offset) if at]
    at = min(starts, default=0)
    stop = at + chunk.total_compressed_size
    while at < stop:
        raw.seek(at)
        try:
            header, size = read_struct(memoryview(raw.read(_HEADER_BYTES)), 0)
            unpacked, packed = int(header[2].value), int(header[3].value)
        except (ThriftError, KeyError, TypeError):
            return  # Arrow says what is wrong with it
        yield unpacked
        at += size + max(packed, 0)
