"""CRC-32 as zlib computes it, by ISA-L where that package is installed: some twenty times faster."""

import zlib
from collections.abc import Callable
from functools import cache

from telecine.core.recording import Buffer


def crc32(data: Buffer, start: int = 0) -> int:
    """Checksum of `data` (a contiguous buffer), continued from the checksum `start` of what came before it.

    Returns:
        The CRC-32 of ISO 3309 (RFC 1952, section 8), in [0, 2**32).

    Example:
        >>> crc32(b"56789", crc32(b"1234")) == crc32(b"123456789") == 0xCBF43926
        True
    """
    isal = _isal()
    return int(isal(data, start)) if isal else zlib.crc32(data, start)


@cache
def _isal() -> Callable[[Buffer, int], int] | None:
    """ISA-L's function, or None."""
    try:
        from isal.isal_zlib import crc32 as fast
    except ImportError:
        return None
    fast_crc32: Callable[[Buffer, int], int] = fast
    return fast_crc32
