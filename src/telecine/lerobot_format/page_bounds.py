"""Pages of Parquet that unpack to more than any sound one, whatever the file's footer says of their column.

Arrow allocates what a page's own header says, and fills it with what comes out. So the headers are read first, of
columns whose bytes could unpack to so much.
Format: https://github.com/apache/parquet-format, parquet.thrift (PageHeader: 2 unpacked, 3 packed bytes).
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from telecine.core.text.numbers import counted
from telecine.lerobot_format.parquet_footer import FooterChunk
from telecine.lerobot_format.thrift_compact import ThriftError, ThriftStruct, read_struct

_RATIOS = {0: 1, 1: 22, 2: 1032, 5: 256, 7: 256}
"""The most that a byte unpacks to, by Parquet's numbers: none, Snappy, gzip, LZ4; 32,768 for others, such as zstd."""
_HEADER_BYTES = (1 << 9, 1 << 16)
"""Of one page's header: of nearly all, and of one that holds a long least and greatest value."""


def page_fault(raw: BinaryIO, chunks: Iterable[FooterChunk], most: int) -> str:
    """Names a column with a page that unpacks to more than `most` bytes; "" for none. Raises: OSError."""
    for chunk in chunks:
        if chunk.packed * _RATIOS.get(chunk.codec, 1 << 15) > most:
            size = max(_unpacked(raw, chunk), default=0)
            if size > most:
                return f"a page of {chunk.path} unpacks to {counted(size, 'byte')}; more than {most} are damage"
    return ""


def _unpacked(raw: BinaryIO, chunk: FooterChunk) -> Iterator[int]:
    """What each page of a column says that it unpacks to, as far as headers can be followed."""
    at, stop = chunk.start, chunk.start + chunk.packed
    while at < stop:
        try:
            header, size = _header(raw, at)
            unpacked, packed = int(header[2].value), int(header[3].value)
        except (ThriftError, KeyError, TypeError):
            return  # Arrow says what is wrong with it
        yield unpacked
        at += size + max(packed, 0)


def _header(raw: BinaryIO, at: int) -> tuple[ThriftStruct, int]:
    for size in _HEADER_BYTES:
        raw.seek(at)
        try:
            return read_struct(memoryview(raw.read(size)), 0)
        except ThriftError as error:
            failed = error
    raise failed
