"""Memory that chunks are expanded into, taken from the system in large pieces.

A chunk of a megabyte in memory of its own costs the system more to give than a codec to fill: it comes in pages of
4 KB. A part is given out once and never reused; views of it stay valid as long as anyone holds them.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import numpy as np

from telecine.core.recording import Array

PIECE_BYTES = 32 << 20
"""From 4 MB on numpy asks for large pages; the two ends of a piece have small ones."""


class BufferPool:
    """Parts of large buffers, one after the other. piece_bytes: of a buffer; 0: each part has its own."""

    def __init__(self, piece_bytes: int = PIECE_BYTES) -> None:
        self._piece_bytes = piece_bytes
        self.buffer: Array = np.zeros(0, np.uint8)
        """The buffer of the latest part."""
        self.used = 0
        """How many of its bytes are given out."""

    def take(self, size: int) -> Array:
        """(size,) uint8 of any content."""
        if self.used + size > len(self.buffer):
            self.buffer, self.used = np.empty(max(size, self._piece_bytes), np.uint8), 0
        self.used += size
        return self.buffer[self.used - size : self.used]


class MemoryBudget:
    """A limit on the bytes that all owners in this process cache together. What an owner reserved ends with it."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._reserved: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._one_at_a_time = threading.Lock()

    def reserve(self, owner: object, size: int) -> bool:
        """True when `owner` may cache `size` more bytes."""
        with self._one_at_a_time:
            if self.reserved_bytes + size > self.most_bytes:
                return False
            self._reserved[owner] = self._reserved.get(owner, 0) + size
            return True

    @contextmanager
    def at_most(self, most_bytes: int) -> Iterator[None]:
        """Inside, no more than this is cached anew, and never more than the limit."""
        before, self.most_bytes = self.most_bytes, min(most_bytes, self.most_bytes)
        try:
            yield
        finally:
            self.most_bytes = before

    @property
    def reserved_bytes(self) -> int:
        """By all owners together."""
        return sum(self._reserved.values())

    def release(self, owner: object) -> None:
        """Forget what `owner` reserved."""
        with self._one_at_a_time:
            self._reserved.pop(owner, None)
