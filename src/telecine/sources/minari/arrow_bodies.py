"""Arrow files whose bodies are compressed: what they unpack to, added up before anything is unpacked.

Each buffer of a compressed body begins with the length that it unpacks to, and Arrow allocates that. Format: Arrow
Columnar Format 1.5, "IPC File Format" and "Compression"; Message.fbs; FlatBuffers' internals (tables, vectors).
"""

from struct import error as struct_error
from struct import unpack_from
from typing import Any, BinaryIO

import pyarrow as pa

from telecine.core.text.numbers import counted

_MAGIC_BYTES = 8
_DICTIONARY, _BATCH = 2, 3
"""Kinds of header: of a dictionary, whose field 1 is a batch, and of a batch of rows."""
_BUFFERS, _COMPRESSION = 2, 3
"""Fields of a batch."""
_BUFFER_BYTES, _LENGTH_BYTES = 16, 8


def read_arrow(file: BinaryIO, most: int) -> pa.Table:
    """All rows of an Arrow file, whose messages are read one after the other.

    Raises: ValueError, for bodies that unpack to more than `most` bytes; pyarrow's errors; OSError.
    """
    file.seek(_MAGIC_BYTES)
    count = 0
    for message in pa.ipc.MessageReader.open_stream(file):
        try:
            count += _unpacked(message.metadata.to_pybytes(), message.body)
        except (struct_error, IndexError) as error:
            raise ValueError(f"the header of a message is damaged: {error}") from error
        if count > most:
            raise ValueError(f"its columns unpack to {counted(count, 'byte')}; more than {most} are taken for damage")
    file.seek(0)
    stated = pa.ipc.open_file(file).num_record_batches
    file.seek(_MAGIC_BYTES)
    with pa.ipc.open_stream(file) as stream:
        batches = list(stream)
        if len(batches) != stated:
            raise ValueError(
                f"it has {counted(len(batches), 'batch', 'batches')} of rows, and its footer says {stated}"
            )
        return pa.Table.from_batches(batches, stream.schema)


def _unpacked(header: bytes, body: Any) -> int:
    """Bytes that the buffers of a message unpack to; 0 for one that is not compressed."""
    message = _inner(header, 0)
    kind_at = _field(header, message, 1)
    kind = header[kind_at] if kind_at else 0
    if kind not in (_DICTIONARY, _BATCH):
        return 0
    batch = _inner(header, _field(header, message, 2))
    if kind == _DICTIONARY:
        batch = _inner(header, _field(header, batch, 1))
    at = _field(header, batch, _BUFFERS)
    if not at or not _field(header, batch, _COMPRESSION):
        return 0
    vector = _inner(header, at)
    (count,) = unpack_from("<I", header, vector)
    places = [unpack_from("<qq", header, vector + 4 + _BUFFER_BYTES * n) for n in range(count)]
    view = memoryview(body)
    return sum(max(unpack_from("<q", view, start)[0], 0) for start, length in places if length >= _LENGTH_BYTES)


def _inner(data: bytes, at: int) -> int:
    """Where what an offset at `at` names begins."""
    return at + int(unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 when it has its default."""
    described = table - int(unpack_from("<i", data, table)[0])
    at = 4 + 2 * number
    (size,) = unpack_from("<H", data, described)
    offset = int(unpack_from("<H", data, described + at)[0]) if at + 2 <= size else 0
    return table + offset if offset else 0
