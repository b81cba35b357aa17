"""A file whose messages lie in chunks, read, expanded, and kept while they are few: MCAP files and ROS bags."""

from collections.abc import Callable
from typing import IO, Protocol, TypeVar

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
    """An open file; `label` is what errors call it."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        self._file, self._label = file, label
        self._kept: dict[int, Array] = {}
        self._kept_bytes = 0

    def close(self) -> None:
        """Close the file; what was read stays."""
        self._kept = {}
        self._file.close()

    def expanded(self, block: B, damage_of: Callable[[B, bytes], str] | None = None) -> Array:
        """(n,) uint8 of a chunk.

        damage_of: what is wrong with the expanded bytes, "" when nothing is; asked whenever they are read.

        Raises:
            SourceError: it cannot be read or expanded, or is damaged.
        """
        if block.at in self._kept:
            return self._kept[block.at]
        raw = self.bytes_at(block.at, block.stored_bytes)
        try:
            found = expand(block.compression, raw, block.size_bytes if block.whole else None, partly=not block.whole)
        except MissingExtra:
            raise
        except SourceError as error:
            raise SourceError(f"{self._label}: the chunk at byte {block.at} is damaged: {error}; {CUT_FIX}") from error
        if why := damage_of(block, found) if damage_of else "":
            raise SourceError(f"{self._label}: the chunk at byte {block.at} is damaged: {why}; {CUT_FIX}")
        data = np.frombuffer(found, np.uint8)
        if self._kept_bytes + len(data) <= KEEP_BYTES:
            self._kept[block.at] = data
            self._kept_bytes += len(data)
        return data

    def bytes_at(self, at: int, count: int) -> bytes:
        """Bytes of the file.

        Raises:
            SourceError: it cannot be read (any more).
        """
        try:
            self._file.seek(at)
            return self._file.read(count)
        except (OSError, ValueError) as error:  # ValueError: closed
            raise SourceError(f"{self._label}: cannot be read: {error}") from error
