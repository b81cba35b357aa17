"""How large each packet of an MP4 is, from the file's own index: without reading, or decoding, a single one.

The index is that of ISO/IEC 14496-12: `stsz` has the sizes, `stss` the keyframes, `ctts` is there where frames are
shown in another order than they are stored. A file whose index is not plainly this has none here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import error, unpack_from

import numpy as np
import numpy.typing as npt

from telecine.core.video import Flags

MOST_BYTES = 1 << 26
"""A larger index is not looked at: it would be of some ten million frames."""


@dataclass(frozen=True, eq=False, slots=True)
class PacketSizes:
    """Of n frames in display order. sizes: (n,) int64 bytes. keys: (n,) true for keyframes."""

    sizes: npt.NDArray[np.int64]
    keys: Flags


def packet_sizes(path: Path) -> PacketSizes | None:
    """Of the file's video track, None where it has several, reordered frames, or no such index."""
    try:
        index = _index(path)
        tracks = [track for track in _inside(index, b"trak") if _is_video(track)]
        return _sizes(tracks[0]) if len(tracks) == 1 else None
    except (OSError, ValueError, IndexError, KeyError, error):
        return None


def _index(path: Path) -> bytes:
    """What the `moov` box holds. Raises: OSError, ValueError."""
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            size, kind = unpack_from(">I4s", head)
            start = 16 if size == 1 else 8
            size = unpack_from(">Q", head, 8)[0] if size == 1 else size
            if kind == b"moov":
                if not start < size <= MOST_BYTES:
                    break
                file.seek(start - len(head), 1)
                return file.read(size - start)
            if size < start:
                break
            file.seek(size - len(head), 1)
    raise ValueError("there is no index")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _inside(data: bytes, kind: bytes) -> list[bytes]:
    return [body for found, body in _boxes(data) if found == kind]


def _is_video(track: bytes) -> bool:
    return _inside(_inside(track, b"mdia")[0], b"hdlr")[0][8:12] == b"vide"


def _sizes(track: bytes) -> PacketSizes | None:
    media = _inside(_inside(track, b"mdia")[0], b"minf")[0]
    table = dict(_boxes(_inside(media, b"stbl")[0]))
    if b"ctts" in table:
        return None
    same, count = unpack_from(">II", table[b"stsz"], 4)
    if same or not count or 12 + 4 * count > len(table[b"stsz"]):
        return None
    sizes = np.frombuffer(table[b"stsz"], ">u4", count, 12).astype(np.int64)
    keys = np.ones(count, np.bool_)
    if b"stss" in table:
        (listed,) = unpack_from(">I", table[b"stss"], 4)
        numbers = np.frombuffer(table[b"stss"], ">u4", listed, 8).astype(np.int64) - 1
        keys[:] = False
        keys[numbers[(numbers >= 0) & (numbers < count)]] = True
    return PacketSizes(sizes, keys)
