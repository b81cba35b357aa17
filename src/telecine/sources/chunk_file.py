"""A file whose messages lie in chunks, read, expanded, and kept while they are few: MCAP files and ROS bags."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import IO, Protocol, TypeVar, cast

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import Array
from telecine.sources.compressed import expand
from telecine.sources.ends import CUT_FIX
from telecine.sources.format import MissingExtra
from telecine.sources.ros_store import KEEP_BYTES


class Stored(Protocol):
    """Where a chunk is in the file, and what it expands to. whole: False when the file ends within."""

    at: int
    stored_bytes: int
    size_bytes: int
    compression: str
    whole: bool


B = TypeVar("B", bound=Stored)


class ChunkFile:
    """An open file; `label` is what errors call it. blocks: all that will be asked for, kept when they are small."""

    def __init__(self, file: IO[bytes], label: str, blocks: Iterable[Stored]) -> None:
        self._file, self._label = cast("BufferedReader", file), label
        self._keeps = sum(block.size_bytes for block in blocks) <= KEEP_BYTES
        self._kept: dict[int, Array] = {}
        self._met: set[int] = set()
        self._compressed = bytearray()
        # Freed before the next is there, memory goes back to the system, and taking it again costs more than expanding.
        self._latest: deque[tuple[int, Array]] = deque(maxlen=2)

    def close(self) -> None:
        """Close the file; what was read stays."""
        self._kept = {}
        self._latest.clear()
        self._file.close()

    def expanded(self, block: B, damage_of: Callable[[B, bytes], str] | None = None) -> Array:
        """(n,) uint8 of a chunk.

        damage_of: what is wrong with the expanded bytes, "" when nothing is; asked whenever they are read.

        Raises:
            SourceError: it cannot be read or expanded, or is damaged.
        """
        if block.at in self._kept:
            return self._kept[block.at]
        for at, data in self._latest:
            if at == block.at:
                return data
        raw = self._raw(block)
        try:
            found = expand(block.compression, raw, block.size_bytes if block.whole else None, partly=not block.whole)
        except MissingExtra:
            raise
        except SourceError as error:
            raise SourceError(f"{self._label}: the chunk at byte {block.at} is damaged: {error}; {CUT_FIX}") from error
        if why := damage_of(block, found) if damage_of else "":
            raise SourceError(f"{self._label}: the chunk at byte {block.at} is damaged: {why}; {CUT_FIX}")
        data = np.frombuffer(found, np.uint8)
        self._latest.append((block.at, data))
        if block.at in self._met and self._keeps:
            self._kept[block.at] = data
        self._met.add(block.at)
        return data

    def _raw(self, block: Stored) -> bytes | memoryview:
        """What is in the file; valid until the next call where it is compressed."""
        if block.compression in ("", "none"):
            return self.bytes_at(block.at, block.stored_bytes)
        if len(self._compressed) < block.stored_bytes:
            self._compressed = bytearray(block.stored_bytes)
        room = memoryview(self._compressed)[: block.stored_bytes]
        with self._told():
            self._file.seek(block.at)
            return room[: self._file.readinto(room)]

    def bytes_at(self, at: int, count: int) -> bytes:
        """Bytes of the file.

        Raises:
            SourceError: it cannot be read (any more).
        """
        with self._told():
            self._file.seek(at)
            return self._file.read(count)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: closed
            raise SourceError(f"{self._label}: cannot be read: {error}") from error
