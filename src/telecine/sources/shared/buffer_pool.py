"""Memory that chunks are expanded into, taken from the system in large pieces.

A chunk of a megabyte in memory of its own costs the system more to give than a codec to fill: it comes in pages of
4 KB. What is given out here is never given out again; views of it stay valid as long as anyone holds them.
"""

import threading
from weakref import WeakKeyDictionary

import numpy as np

from telecine.core.recording import Array

PIECE_BYTES = 32 << 20
"""From 4 MB on numpy asks for large pages; the two ends of a piece have small ones."""


class BufferPool:
    """Parts of large buffers, one after the other. piece_bytes: of a buffer, 0: each part has one of its own."""

    def __init__(self, piece_bytes: int = PIECE_BYTES) -> None:
        self._piece_bytes = piece_bytes
        self.buffer: Array = np.zeros(0, np.uint8)
        """The one that the latest part is of."""
        self.used = 0
        """So much of it is given out."""

    def take(self, size: int) -> Array:
        """(size,) uint8 of any content."""
        if self.used + size > len(self.buffer):
            self.buffer, self.used = np.empty(max(size, self._piece_bytes), np.uint8), 0
        self.used += size
        return self.buffer[self.used - size : self.used]


class Allowance:
    """So many bytes may be kept, by all that this process has open together. What owners took ends with them."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._taken: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._one_at_a_time = threading.Lock()

    def take(self, owner: object, size: int) -> bool:
        """True when `owner` may keep `size` more bytes."""
        with self._one_at_a_time:
            if self.taken_bytes + size > self._most_bytes:
                return False
            self._taken[owner] = self._taken.get(owner, 0) + size
            return True

    @property
    def taken_bytes(self) -> int:
        """By all owners that there are."""
        return sum(self._taken.values())

    def give_back(self, owner: object) -> None:
        """It keeps nothing any more."""
        with self._one_at_a_time:
            self._taken.pop(owner, None)
