"""A file of a store that is read where it lies: only the parts that somebody asks for, each once while it is cached."""

import io
from collections import OrderedDict
from typing import Any

from telecine.storage.store import FileStore, StoredFile

BLOCK = 64 << 10
"""Bytes; small reads take whole blocks, neighbours in one request."""
_HELD = 64
_LARGE = 1 << 20
"""Reads of so much are made as they are, and not held."""


class RangedFile(io.RawIOBase):
    """A file to be read and sought in. Reading raises StoreError, and FileNotFoundError when it went away."""

    def __init__(self, store: FileStore, file: StoredFile) -> None:
        super().__init__()
        self._store, self._file, self._at = store, file, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"there is no byte {start + offset} in a file")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, unless the file ends before."""
        if self.closed:
            raise ValueError("it is closed")
        view = memoryview(buffer).cast("B")
        stop = min(self._at + len(view), self._file.size_bytes)
        if stop <= self._at:
            return 0
        found = self._read(self._at, stop)
        view[: len(found)] = found
        self._at = stop
        return len(found)

    def _read(self, start: int, stop: int) -> bytes:
        if stop - start >= _LARGE:
            return self._range(start, stop)
        first, last = start // BLOCK, (stop - 1) // BLOCK
        missing = [number for number in range(first, last + 1) if number not in self._blocks]
        if missing:
            at = missing[0] * BLOCK
            data = self._range(at, min((missing[-1] + 1) * BLOCK, self._file.size_bytes))
            for number in range(missing[0], missing[-1] + 1):
                self._blocks[number] = data[number * BLOCK - at : (number + 1) * BLOCK - at]
        found = b"".join(self._blocks[number] for number in range(first, last + 1))
        for number in range(first, last + 1):
            self._blocks.move_to_end(number)
        while len(self._blocks) > _HELD:
            self._blocks.popitem(last=False)
        return found[start - first * BLOCK : stop - first * BLOCK]

    def _range(self, start: int, stop: int) -> bytes:
        return self._store.get_range(self._file.key, start, stop, tag=self._file.tag)
