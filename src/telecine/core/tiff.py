"""Pixels of the plain TIFF files in which LeRobot keeps depth: one channel, not compressed, uint16 or float32. Pure.

Format: TIFF 6.0 (Adobe, 1992), baseline grayscale in strips, with SampleFormat (tag 339) for floats.
"""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.text.numbers import counted

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _CHANNELS, _COUNTS, _FORMAT = 256, 257, 258, 259, 273, 277, 279, 339
_SIZES = {3: ("H", 2), 4: ("I", 4)}
"""Of SHORT and LONG, the types that these tags have."""
_DTYPES = {(16, 1): "u2", (32, 3): "f4"}
MOST_PIXELS = 1 << 26


def is_tiff(data: bytes) -> bool:
    """Whether these bytes start a TIFF file."""
    return data[:4] in (b"II*\0", b"MM\0*")


def tiff_pixels(data: bytes) -> npt.NDArray[Any]:
    """(height, width) uint16 or float32. Raises: ValueError for what is another kind of file, or not whole."""
    if not is_tiff(data):
        raise ValueError("no TIFF file")
    order = "<" if data[:2] == b"II" else ">"
    try:
        tags = _tags(data, order)
        width, height, (bits,) = tags[_WIDTH][0], tags[_HEIGHT][0], tags[_BITS]
        offsets, counts = tags[_OFFSETS], tags[_COUNTS]
    except (struct.error, KeyError, IndexError, ValueError) as error:
        raise ValueError(f"a TIFF file whose header is damaged or has several channels ({error!r})") from error
    kind = _DTYPES.get((bits, tags.get(_FORMAT, (1,))[0]))
    if kind is None or tags.get(_COMPRESSION, (1,))[0] != 1 or tags.get(_CHANNELS, (1,))[0] != 1:
        raise ValueError("a TIFF file that is compressed, or holds other numbers than uint16 or float32 of one channel")
    if not 0 < width * height <= MOST_PIXELS:
        raise ValueError(f"a TIFF file of {width} x {height} pixels")
    strips = b"".join(data[start : start + count] for start, count in zip(offsets, counts, strict=True))
    if len(strips) != width * height * bits // 8:
        raise ValueError(
            f"a TIFF file with {counted(len(strips), 'byte')} of pixels, expected {width * height * bits // 8}"
        )
    return np.frombuffer(strips, order + kind).reshape(height, width).astype(kind)


def _tags(data: bytes, order: str) -> dict[int, tuple[int, ...]]:
    """The values of the first image's tags that are whole numbers."""
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    found: dict[int, tuple[int, ...]] = {}
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, at)
        code, size = _SIZES.get(kind, ("", 0))
        if code and 0 < values <= len(data) // size:
            (where,) = (at + 8,) if values * size <= 4 else struct.unpack_from(order + "I", data, at + 8)
            found[tag] = struct.unpack_from(f"{order}{values}{code}", data, where)
    return found
