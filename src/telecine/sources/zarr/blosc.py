"""Is this a whole frame of Blosc 1? Asked before c-blosc is, which reads as far as the frame's own size.

c-blosc checks all offsets and lengths inside a frame against the frame's own length; numcodecs never compares that
with the bytes that it has, so a larger number there makes it read whatever lies behind them, or ends the process.
Layout: "Blosc Chunk Format" (c-blosc, README_CHUNK_FORMAT.rst). What this refuses to do: look into the streams.
"""

from struct import Struct

import numpy as np

from telecine.core.text.numbers import counted, counted_of

MOST_BYTES = 1 << 30
"""Of what is compressed together, unpacked."""
_HEAD = Struct("<BBBBIII")
_VERSION, _STORED = 2, 0x02


def blosc_fault(frame: bytes | memoryview) -> str:
    """What makes a frame unfit for c-blosc, or nothing."""
    if len(frame) < _HEAD.size:
        return f"a frame of {counted(len(frame), 'byte')} is shorter than its header"
    version, _, flags, width, unpacked, block, packed = _HEAD.unpack_from(frame)
    if version != _VERSION:
        return f"version {version} of the format, {_VERSION} is known"
    if packed > len(frame):
        return f"a frame says it has {counted(packed, 'byte')}, {len(frame)} are there"
    if unpacked > MOST_BYTES:
        return f"a frame says it unpacks to {counted(unpacked, 'byte')}; more than {MOST_BYTES} are taken for damage"
    if flags & _STORED:
        return (
            "" if packed == unpacked + _HEAD.size else f"{counted(packed, 'byte')} cannot store {unpacked} as they are"
        )
    if not unpacked:
        return ""
    if not width or not 0 < block <= unpacked:
        return f"blocks of {counted(block, 'byte')}, elements of {width}, in a frame of {unpacked}"
    return _blocks_fault(frame, -(-unpacked // block), packed)


def _blocks_fault(frame: bytes | memoryview, count: int, packed: int) -> str:
    """That every block begins behind the table of blocks and before the end of the frame."""
    table = _HEAD.size + 4 * count
    if table > packed:
        return f"{counted(count, 'block does', 'blocks do')} not fit into {counted(packed, 'byte')}"
    starts = np.frombuffer(frame, "<u4", count, _HEAD.size)
    outside = (starts < table) | (starts > packed - 4)
    return (
        f"{counted_of(int(outside.sum()), count, 'block', 'begins', 'begin')} outside of the frame"
        if outside.any()
        else ""
    )
