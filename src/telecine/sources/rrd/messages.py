"""Whether a message of an .rrd file can be decoded without harm.

rerun-sdk is built to abort the process when Arrow data contradicts itself, so one flipped bit on a disk could end a
conversion of a thousand recordings (seen with 0.33 and 0.41). Here a message is unpacked and its Arrow structure
checked with pyarrow, which raises, plus what pyarrow tolerates and Arrow's Rust code does not.

A message with data is a protobuf `ArrowMsg`: 2 compression (1 none, 2 LZ4 block), 3 uncompressed size, 4 encoding,
5 payload (an Arrow IPC stream). Unknown encodings pass: rerun-sdk judges them.
"""

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, BinaryIO

import pyarrow as pa

from telecine.core.text.numbers import counted
from telecine.sources.rrd.framing import CHUNK, END, frames

_LZ4 = 2
_ARROW_IPC = 1
_LZ4_MOST = 255
"""An LZ4 block cannot grow more than this when unpacked; a greater size in the file is a lie."""
_SPAN = struct.Struct("<qq")
_ID_LEAST_BYTES = 16
"""Of the id of a chunk, which is 38 long; a shorter one could be anything in a schema."""
_SOUND_SCHEMAS = 256
"""So many are remembered; a recording has one for each entity and combination of components."""


def first_damaged(file: BinaryIO, size_bytes: int) -> tuple[int, int, str] | None:
    """(whole messages before it, its start in the file, what is wrong) of the first damaged message, or None.

    Reads the file once, one message at a time.
    """
    sound: set[bytes] = set()
    for count, frame in enumerate(f for f in frames(file, size_bytes) if f.kind == CHUNK):
        file.seek(frame.start)
        problem = problem_of(file.read(frame.length), sound)
        if problem:
            return count, frame.start - 16, problem
    return None


def damaged_contents(file: BinaryIO, size_bytes: int) -> str:
    """What is wrong with the table of contents, or "".

    Arrow schemas and data in protobuf: 1 manifest { 2 schema { 1 IPC }, 4 data { 2 IPC, 3 compression, 4 size } }.
    """
    sound: set[bytes] = set()
    for frame in frames(file, size_bytes):
        if frame.kind != END:
            continue
        file.seek(frame.start)
        try:
            for manifest in _messages(memoryview(file.read(frame.length)), 1):
                for part in _messages(manifest, 2):
                    for schema in _messages(part, 1):
                        _check_stream(pa.py_buffer(schema), sound)
                for part in _messages(manifest, 4):
                    parts = dict(_fields(part))
                    packed = {2: parts.get(3, 0), 3: parts.get(4, 0)}
                    for payload in _messages(part, 2):
                        _check_stream(_unpacked(payload, packed), sound)
        except (ValueError, OSError, pa.ArrowException) as error:
            return str(error).splitlines()[0][:200] or type(error).__name__
    return ""


def _messages(data: memoryview, number: int) -> Iterator[memoryview]:
    """Every field `number` that holds bytes."""
    for found, value in _fields(data):
        if found == number and isinstance(value, memoryview):
            yield value


def problem_of(message: bytes, sound: set[bytes]) -> str:
    """What is wrong with the payload of a message with data, or "". sound: schemas that are; gets more."""
    try:
        parts = dict(_fields(memoryview(message)))
        payload = parts.get(5, b"")
        if isinstance(payload, int) or parts.get(4, _ARROW_IPC) != _ARROW_IPC:
            return "" if isinstance(payload, memoryview) else "its payload is a number"
        _check_stream(_unpacked(payload, parts), sound)
    except (ValueError, OSError, pa.ArrowException) as error:
        return str(error).splitlines()[0][:200] or type(error).__name__
    return ""


def _unpacked(payload: memoryview | bytes, parts: dict[int, int | memoryview]) -> pa.Buffer:
    if parts.get(2, 0) != _LZ4:
        return pa.py_buffer(payload)
    size = parts.get(3, 0)
    if not isinstance(size, int) or size > _LZ4_MOST * len(payload) + 64:
        raise ValueError(f"{counted(len(payload), 'packed byte')} cannot unpack to {size}")
    return _lz4().decompress(pa.py_buffer(payload), size)


@cache
def _lz4() -> Any:
    return pa.Codec("lz4_raw")


def _check_stream(stream: pa.Buffer, sound: set[bytes]) -> None:
    schema = None
    for message in pa.ipc.MessageReader.open_stream(stream):
        if schema is None:
            if message.type != "schema":  # pyarrow would take any other for one, and end the process
                raise ValueError(f"its columns start with a message of type {message.type}, not with their schema")
            schema = pa.ipc.read_schema(message)
            _check_schema(message.metadata.to_pybytes(), schema, sound)
        elif message.type == "record batch":
            _check_buffers(memoryview(message.metadata), 0 if message.body is None else message.body.size)
            batch = pa.ipc.read_record_batch(message, schema)
            batch.validate()
            for column in batch.columns:
                _check_offsets(column)


def _check_schema(metadata: bytes, schema: pa.Schema, sound: set[bytes]) -> None:
    """ValueError for a schema that arrow-rs aborts on. Those of one entity differ in the id of their chunk alone."""
    own_id = (schema.metadata or {}).get(b"rerun:id", b"")
    rest = metadata.replace(own_id, bytes(len(own_id))) if len(own_id) >= _ID_LEAST_BYTES else metadata
    if rest in sound:
        return
    _check_types(memoryview(metadata))
    if "\0" in schema.to_string(show_field_metadata=False, show_schema_metadata=False) or _has_zero(schema):
        raise ValueError("a column name holds a zero byte")
    if len(sound) >= _SOUND_SCHEMAS:
        sound.clear()
    sound.add(rest)


def _has_zero(schema: pa.Schema) -> bool:
    """Whether Rerun's own names of a column, from which it makes the column's, hold a zero byte."""
    metadata = (pair for field in schema for pair in (field.metadata or {}).items())
    return any(key.startswith(b"rerun:") and b"\0" in value for key, value in metadata)


def _check_buffers(metadata: memoryview, body_bytes: int) -> None:
    """ValueError unless every buffer lies aligned inside the body (RecordBatch.buffers, Message.fbs)."""
    header = _indirect(metadata, _field(metadata, _indirect(metadata, 0), 2))
    vector = _indirect(metadata, _field(metadata, header, 2))
    count = int.from_bytes(metadata[vector : vector + 4], "little")
    stop = vector + 4 + 16 * count
    if stop > len(metadata):
        raise ValueError("a message that states more columns than it holds")
    for offset, length in _SPAN.iter_unpack(metadata[vector + 4 : stop]):
        if offset < 0 or length < 0 or offset + length > body_bytes or offset % 8:
            raise ValueError("a column points outside its message")


_OFFSET_BYTES = {
    **dict.fromkeys((pa.lib.Type_LARGE_LIST, pa.lib.Type_LARGE_STRING, pa.lib.Type_LARGE_BINARY), 8),
    **dict.fromkeys((pa.lib.Type_LIST, pa.lib.Type_MAP, pa.lib.Type_STRING, pa.lib.Type_BINARY), 4),
    pa.lib.Type_DENSE_UNION: 4,
}
_LISTS = (pa.lib.Type_LIST, pa.lib.Type_LARGE_LIST, pa.lib.Type_MAP, pa.lib.Type_FIXED_SIZE_LIST)
_PARTS = (pa.lib.Type_STRUCT, pa.lib.Type_DENSE_UNION, pa.lib.Type_SPARSE_UNION)


def _check_offsets(array: pa.Array) -> None:
    """ValueError for offsets that end within a number, which pyarrow ignores and arrow-rs aborts on."""
    kind = array.type.id
    width = _OFFSET_BYTES.get(kind)
    if width is not None:
        offsets = array.buffers()[2 if kind == pa.lib.Type_DENSE_UNION else 1]
        if offsets is not None and offsets.size % width:
            raise ValueError(f"a column whose {counted(offsets.size, 'byte')} of offsets end within a number")
    if kind in _PARTS:
        for index in range(array.type.num_fields):
            _check_offsets(array.field(index))
    elif kind in _LISTS:
        _check_offsets(array.values)


_MOST = {bytes([kind]): most for kind, most in ((3, 2), (8, 1), (10, 3), (11, 2), (14, 1), (18, 3))}
"""Type (Schema.fbs: FloatingPoint, Date, Timestamp, Interval, Union, Duration) -> its last precision or unit."""


def _check_types(metadata: memoryview) -> None:
    """ValueError for a precision, unit or mode that does not exist, which pyarrow reads over and arrow-rs aborts on."""
    schema = _indirect(metadata, _field(metadata, _indirect(metadata, 0), 2))
    left, seen = list(_tables(metadata, schema, 1)), 0
    while left:
        field, seen = left.pop(), seen + 1
        if field >= len(metadata) or seen > len(metadata):
            raise ValueError("a schema whose columns lie outside of it, or in each other")
        left += _tables(metadata, field, 5)
        kind, details = _slot(metadata, field, 2), _slot(metadata, field, 3)
        most = _MOST.get(metadata[kind : kind + 1].tobytes()) if kind and details else None
        if most is None:
            continue
        unit = _slot(metadata, _indirect(metadata, details), 0)
        value = int.from_bytes(metadata[unit : unit + 2], "little") if unit else 0
        if value > most:
            raise ValueError(f"a column of a type with unit {value}, which does not exist")


def _tables(data: memoryview, table: int, index: int) -> Iterator[int]:
    """Where each table of a field that is a list of tables is."""
    at = _slot(data, table, index)
    if at:
        vector = _indirect(data, at)
        count = int.from_bytes(data[vector : vector + 4], "little")
        if vector + 4 + 4 * count > len(data):
            raise ValueError("a message that states more columns than it holds")
        for number in range(count):
            yield _indirect(data, vector + 4 + 4 * number)


def _indirect(data: memoryview, at: int) -> int:
    return at + int.from_bytes(data[at : at + 4], "little")


def _field(data: memoryview, table: int, index: int) -> int:
    """Where a field of a flatbuffer table is, which has to be there."""
    at = _slot(data, table, index)
    if not at:
        raise ValueError("a record batch without columns")
    return at


def _slot(data: memoryview, table: int, index: int) -> int:
    """Where a field of a flatbuffer table is; 0 for one that is not there."""
    vtable = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    if vtable < 0 or 4 + 2 * index >= int.from_bytes(data[vtable : vtable + 2], "little"):
        return 0
    slot = vtable + 4 + 2 * index
    offset = int.from_bytes(data[slot : slot + 2], "little")
    return table + offset if offset else 0


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of every field of a protobuf message, not descending."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, at = _varint(data, at)
            case 5:
                length = 4
            case wire:
                raise ValueError(f"wire type {wire} does not exist")
        if length > len(data) - at:
            raise ValueError(f"a field of {counted(length, 'byte')} in a message of {len(data)}")
        yield tag >> 3, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")
