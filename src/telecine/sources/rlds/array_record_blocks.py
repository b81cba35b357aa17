"""Sizes that the chunks of an ArrayRecord file state, compared with the file before its library unpacks one.

ArrayRecord is a Riegeli file: chunks of records, each behind a header that says how many records there are and how many
bytes they are unpacked. The library allocates for both before it reads what is packed.
Source: https://github.com/google/riegeli/blob/master/doc/riegeli_records_file_format.md.

What this refuses to do: compare checksums, and look into packed data; the library does both.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import BinaryIO

from telecine.core.errors import SourceError, raised_as
from telecine.core.file_state import FileState
from telecine.core.text.numbers import counted
from telecine.sources.shared.confinement import open_regular
from telecine.sources.shared.fingerprint import file_state

PLAIN_BYTES, PLAIN_RATIO = 1 << 28, 8
"""A chunk, and what the library allocates for the places of its records, may have so many bytes and times the file."""
_BLOCK, _BLOCK_HEADER = 1 << 16, 24
_USABLE = _BLOCK - _BLOCK_HEADER
_BLOCK_NEXT = Struct("<16xQ")
"""Header of a block: hash, distance to the chunk that it interrupts, distance to the one behind that."""
_CHUNK = Struct("<8xQ8xQQ")
"""Header of a chunk: hash, size of its data, their hash, type (1 byte) and number of records (7), size unpacked."""
_KINDS = b"smprt"
"""Signature, metadata, padding, records, records transposed."""
_PLACE_BYTES = 8


def check_blocks(path: str) -> int:
    """How many records the chunks of a file say they have. Raises: SourceError where one asks for too much memory."""
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        return _checked(file_state(path))


@lru_cache(maxsize=64)
def _checked(state: FileState) -> int:
    path, total = state[0], 0
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        most = PLAIN_BYTES + PLAIN_RATIO * size
        for count, plain in _chunks(file, size):
            if plain + count * _PLACE_BYTES > most:
                text = (
                    f"a chunk of {counted(count, 'record')} and {counted(plain, 'byte')} unpacked is more than "
                    f"{most}, taken for damage"
                )
                raise SourceError(f"{path}: {text}")
            total += count
    return total


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """(records, bytes unpacked) of the chunks of a file of `size` bytes, those behind damage too."""
    at, end = 0, _usable(size)
    while at + _CHUNK.size <= end:
        packed, kind_and_count, plain = _CHUNK.unpack(_read(file, at, _CHUNK.size))
        count = kind_and_count >> 8
        behind = max(at + _CHUNK.size + packed, _usable(_place(at, starts=True) + count))
        is_chunk = kind_and_count & 255 in _KINDS
        if is_chunk:
            yield count, plain
        at = behind if is_chunk and behind <= end else _next_chunk(file, at, end)


def _next_chunk(file: BinaryIO, at: int, end: int) -> int:
    """Where the next chunk starts that the header of a block behind `at` knows; the end where none does."""
    for block in range(at // _USABLE + 1, -(-end // _USABLE)):
        file.seek(block * _BLOCK)
        (distance,) = _BLOCK_NEXT.unpack(file.read(_BLOCK_HEADER))
        found = _usable(block * _BLOCK + distance)
        if at < found <= end:
            return found
    return end


def _place(usable: int, *, starts: bool = False) -> int:
    """Where in the file the byte of that number is, not counting headers of blocks; of a chunk that starts there."""
    block, within = divmod(usable, _USABLE)
    return block * _BLOCK + (within + _BLOCK_HEADER if within or not starts else 0)


def _usable(place: int) -> int:
    """The contrary of `_place`; in the header of a block, the first byte behind it."""
    block, within = divmod(place, _BLOCK)
    return block * _USABLE + max(within - _BLOCK_HEADER, 0)


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    """So many bytes, over the header of a block if there is one."""
    data = b""
    while len(data) < count:
        file.seek(_place(at + len(data)))
        piece = file.read(min(count - len(data), _USABLE - (at + len(data)) % _USABLE))
        if not piece:
            raise OSError("it became shorter")
        data += piece
    return data
