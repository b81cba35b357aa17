"""A file whose messages lie in chunks, read, expanded, and cached within a memory budget: MCAP files and ROS bags.

Each camera of a recording is read by itself, after its stamps: chunks that are not cached are expanded once more.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import IO, Protocol, TypeVar, cast

from telecine.core.errors import SourceError
from telecine.core.recording import Array
from telecine.sources.format import MissingExtra
from telecine.sources.shared.buffer_pool import BufferPool, MemoryBudget
from telecine.sources.shared.compressed import Raw, expand_into
from telecine.sources.shared.truncation import CUT_FIX

CHUNK_BUDGET = MemoryBudget(320 << 20)
"""For the expanded chunks of all files."""


class StoredChunk(Protocol):
    """Where a chunk is in the file, and what it expands to. whole: False when the file ends within."""

    at: int
    stored_bytes: int
    size_bytes: int
    compression: str
    whole: bool


B = TypeVar("B", bound=StoredChunk)


class ChunkFile:
    """An open file; `label` is what errors call it."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        self._file, self._label = cast("BufferedReader", file), label
        self._cached: dict[int, Array] = {}
        self._positions: dict[int, tuple[Array, int]] = {}
        self._compressed = bytearray()
        self._pool = BufferPool()
        # Freed before the next is there, memory goes back to the system, and taking it again costs more than expanding.
        self._latest: deque[tuple[int, Array]] = deque(maxlen=2)

    def close(self) -> None:
        """Close the file; what was read stays."""
        CHUNK_BUDGET.release(self)
        self._cached, self._positions = {}, {}
        self._latest.clear()
        self._file.close()

    def expanded(self, block: B, damage_of: Callable[[B, Array], str] | None = None) -> Array:
        """(n,) uint8 of a chunk.

        damage_of: what is wrong with the expanded bytes, "" when nothing is; asked whenever they are read.

        Raises:
            SourceError: it cannot be read or expanded, or is damaged.
        """
        if block.at in self._cached:
            return self._cached[block.at]
        for at, data in self._latest:
            if at == block.at:
                return data
        raw = self._raw(block)
        caches = block.whole and CHUNK_BUDGET.reserve(self, block.size_bytes)
        pool = self._pool if caches else BufferPool(0)
        try:
            data = expand_into(pool, block.compression, raw, block.size_bytes, partly=not block.whole)
        except MissingExtra:
            raise
        except SourceError as error:
            raise SourceError(f"{self._label}: the chunk at byte {block.at} is damaged: {error}; {CUT_FIX}") from error
        if why := damage_of(block, data) if damage_of else "":
            raise SourceError(f"{self._label}: the chunk at byte {block.at} is damaged: {why}; {CUT_FIX}")
        if caches:
            self._cached[block.at] = data
            self._positions[block.at] = pool.buffer, pool.used - len(data)
        else:
            self._latest.append((block.at, data))
        return data

    def place(self, block: StoredChunk) -> tuple[Array, int] | None:
        """(buffer, first byte) of an expanded chunk that is cached until the file is closed; else None."""
        return self._positions.get(block.at)

    def _raw(self, block: StoredChunk) -> Raw:
        """What is in the file; valid until the next call."""
        if len(self._compressed) < block.stored_bytes:
            self._compressed = bytearray(block.stored_bytes)
        buffer = memoryview(self._compressed)[: block.stored_bytes]
        with self._reading():
            self._file.seek(block.at)
            return buffer[: self._file.readinto(buffer)]

    def bytes_at(self, at: int, count: int) -> bytes:
        """Bytes of the file.

        Raises:
            SourceError: it cannot be read (any more).
        """
        with self._reading():
            self._file.seek(at)
            return self._file.read(count)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: closed
            raise SourceError(f"{self._label}: cannot be read: {error}") from error
