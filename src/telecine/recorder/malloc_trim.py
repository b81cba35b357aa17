"""Memory that was freed and that the C library holds.

With a few numbers held at every step between frames that are freed, a process grows by up to their size: seen
with glibc 2.36, whose heap then holds thousands of free pieces of a frame's size. PyTorch asks for frames with an
alignment, and what was freed of such is hardly found again before 2.38 (bug 14581, the likely cause).
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from mmap import PAGESIZE
from pathlib import Path

EVERY_BYTES = 64 << 20
"""Of frames, between two measurements of the process's memory; measuring costs 20 us, giving back about 1 ms."""
GROWN_BYTES = 32 << 20


class HeapTrimmer:
    """Gives freed memory back to the system when the process has grown while frames were allocated and freed."""

    def __init__(self) -> None:
        self._seen = 0
        self._least: int | None = None

    def passed(self, size_bytes: int) -> bool:
        """Count frames that were freed; True when memory was given back."""
        self._seen += size_bytes
        if self._seen < EVERY_BYTES:
            return False
        self._seen, trim = 0, _trim()
        if trim is None:
            return False
        used = _resident()
        if self._least is not None and used < self._least + GROWN_BYTES:
            return False
        trim(0)
        self._least = _resident()
        return True


@cache
def _trim() -> Callable[[int], int] | None:
    """Glibc's malloc_trim; None elsewhere."""
    if sys.platform != "linux":  # pragma: no cover
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found


def _resident() -> int:
    """Bytes of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGESIZE
