"""Arrow columns of Rerun's chunks as numpy arrays and byte views, without copying payloads.

Every component column is a list per row: its instances. Rows that are null or empty hold no sample. Buffers are
viewed with `np.frombuffer`: pyarrow's `to_numpy` and `pa.array` import pandas, which takes a CPU second.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telecine.core.dataclass import dataclass
from telecine.core.grid import Times
from telecine.core.recording import ClockKind
from telecine.core.video import Flags

Offsets: TypeAlias = npt.NDArray[np.int64]
RowIds: TypeAlias = npt.NDArray[np.uint64]
"""(n, 2): Rerun's 128-bit row ids, which grow in order of logging, high half first."""

ROW_ID = "rerun.controls.RowId"


@dataclass(frozen=True, slots=True)
class ArrowLeaf:
    """What lies at the bottom of a component's type."""

    kind: Literal["number", "text", "blob", "other"]
    """other: of a type that is not read."""
    dtype: str
    """numpy name for numbers, "string", "uint8" for blobs, or the name of the type."""
    path: tuple[str, ...] = ()
    """Fields to follow through structs."""


def leaves(kind: pa.DataType) -> list[ArrowLeaf]:
    """All leaves of the type of a component column: several when it holds structs."""
    if not _is_list(kind):
        return [ArrowLeaf("other", str(kind))]
    return _leaves(kind.value_type, (), 1)


def _leaves(kind: pa.DataType, path: tuple[str, ...], depth: int) -> list[ArrowLeaf]:
    types = pa.types
    if types.is_struct(kind):
        return [leaf for part in kind for leaf in _leaves(part.type, (*path, part.name), depth)]
    if _is_list(kind):
        deeper = depth + (not types.is_fixed_size_list(kind))
        if deeper > depth and kind.value_type == pa.uint8():
            return [ArrowLeaf("blob", "uint8", path)]
        return _leaves(kind.value_type, path, deeper)
    if types.is_binary(kind) or types.is_large_binary(kind):
        return [ArrowLeaf("blob", "uint8", path)]
    if types.is_string(kind) or types.is_large_string(kind):
        return [ArrowLeaf("text", "string", path)]
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return [ArrowLeaf("number", _dtype(kind), path)]
    return [ArrowLeaf("other", str(kind), path)]


def numbers(column: pa.Array, leaf: ArrowLeaf) -> tuple[Flags, Offsets, npt.NDArray[Any]]:
    """(rows that hold a sample, (k + 1,) offsets, flat values of those k rows in leaf.dtype).

    Null numbers inside a row become NaN; a row with a null integer or bool holds no sample.
    """
    there, offsets, array = _descend(column, leaf.path)
    values = _primitive(array)
    if array.null_count:
        nulls = ~_validity(array)
        if values.dtype.kind == "f":
            values = np.where(nulls, np.asarray(np.nan, values.dtype), values)
        else:
            there &= _none_in(nulls, offsets)
    starts, stops = offsets[:-1][there], offsets[1:][there]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(stops - starts)])
    if there.all() and len(there):
        flat = values[offsets[0] : offsets[-1]]
    else:
        flat = np.concatenate([values[a:b] for a, b in zip(starts, stops, strict=True)] or [values[:0]])
    return there, bounds, flat.astype(leaf.dtype, copy=True)


def texts(column: pa.Array, leaf: ArrowLeaf) -> tuple[Flags, list[str]]:
    """(rows that hold a sample, their strings); several strings in one row are joined by line ends."""
    there, offsets, array = _descend(column, leaf.path)
    found = [
        "\n".join(text for text in array.slice(a, b - a).to_pylist() if text is not None)
        for a, b in zip(offsets[:-1][there].tolist(), offsets[1:][there].tolist(), strict=True)
    ]
    return there, found


def names(column: pa.Array, row: int) -> list[str]:
    """The strings of one row."""
    value = column[row].as_py()
    return [] if value is None else [str(item) for item in value]


@dataclass(frozen=True, slots=True)
class Blobs:
    """Byte strings of the rows of one chunk that hold a sample: views of Arrow's memory, nothing copied."""

    data: memoryview
    starts: Offsets
    stops: Offsets

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> memoryview:
        return self.data[int(self.starts[row]) : int(self.stops[row])]

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that are kept alive."""
        return len(self.data)


def blobs(column: pa.Array) -> tuple[Flags, Blobs]:
    """(rows that hold a sample, the first byte string of each)."""
    there = present(column)
    first = _offsets(column)[:-1][there]
    inner = column.values
    if len(inner) == 0:
        return np.zeros(len(column), np.bool_), Blobs(memoryview(b""), first[:0], first[:0])
    bounds = _offsets(inner)
    return there, Blobs(_bytes_of(inner), bounds[first], bounds[first + 1])


def _bytes_of(array: pa.Array) -> memoryview:
    """All bytes of a list<uint8> or binary array, as its offsets count them."""
    if _is_list(array.type):
        return _primitive(array.values).data.cast("B")
    return memoryview(array.buffers()[2] or b"").cast("B")


def present(column: pa.Array) -> Flags:
    """(n,) bool: rows that are neither null nor empty."""
    offsets = _offsets(column)
    there: Flags = offsets[1:] > offsets[:-1]
    return there & _validity(column) if column.null_count else there


def row_ids(batch: pa.RecordBatch) -> RowIds:
    """(n, 2) uint64."""
    column = batch.column(ROW_ID)
    flat = np.frombuffer(column.buffers()[1] or b"", ">u8", 2 * len(column), 16 * column.offset)
    return flat.reshape(-1, 2).astype(np.uint64)


def clocks(batch: pa.RecordBatch) -> dict[str, tuple[ClockKind, Times]]:
    """Every timeline of a chunk with its stamps: (n,) int64 ns, or counts for a sequence."""
    found: dict[str, tuple[ClockKind, Times]] = {}
    for index, part in enumerate(batch.schema):
        if (part.metadata or {}).get(b"rerun:kind") == b"index":
            kind: ClockKind = "sequence"
            if pa.types.is_timestamp(part.type):
                kind = "timestamp"
            elif pa.types.is_duration(part.type):
                kind = "duration"
            found[part.name] = (kind, _fixed(batch.column(index), np.int64))
    return found


def scalar_values(column: pa.Array, rows: Flags) -> Sequence[Any]:
    """The first instance of each of `rows`, as a Python value; None where there is none."""
    found = zip(column.to_pylist(), rows.tolist(), strict=True)
    return [value[0] if value else None for value, wanted in found if wanted]


def _descend(column: pa.Array, path: Sequence[str]) -> tuple[Flags, Offsets, pa.Array]:
    """(rows with a sample, (n + 1,) offsets of the rows into the leaf array, leaf array)."""
    there = present(column)
    offsets, array = _offsets(column), column.values
    steps = list(path)
    while True:
        kind = array.type
        if pa.types.is_struct(kind):
            if array.null_count:
                there &= _none_in(~_validity(array), offsets)
            array = array.field(steps.pop(0))
        elif pa.types.is_fixed_size_list(kind):
            if array.null_count:
                there &= _none_in(~_validity(array), offsets)
            offsets = (offsets + array.offset) * kind.list_size
            array = array.values
        elif _is_list(kind):
            offsets, array = _offsets(array)[offsets], array.values
        else:
            break
    return there & (offsets[1:] > offsets[:-1]), offsets, array


def _none_in(flags: Flags, offsets: Offsets) -> Flags:
    """(n,) bool: rows without a flagged item."""
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(flags)])
    none: Flags = sums[offsets[1:]] == sums[offsets[:-1]]
    return none


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _offsets(array: pa.Array) -> Offsets:
    """(len + 1,) int64 positions in the child array, which for lists of fixed size is `.values` unsliced."""
    kind = array.type
    if pa.types.is_fixed_size_list(kind):
        first: int = array.offset
        return np.arange(first, first + len(array) + 1, dtype=np.int64) * int(kind.list_size)
    types = pa.types
    wide = types.is_large_list(kind) or types.is_large_binary(kind) or types.is_large_string(kind)
    dtype: np.dtype[Any] = np.dtype(np.int64 if wide else np.int32)
    buffer: Any = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.zeros(len(array) + 1, np.int64)
    count, start = len(array) + 1, array.offset * dtype.itemsize
    return np.frombuffer(buffer, dtype, count, start).astype(np.int64, copy=False)


def _validity(array: pa.Array) -> Flags:
    buffer = array.buffers()[0]
    if buffer is None:
        return np.ones(len(array), np.bool_)
    return _bits(buffer, array)


def _bits(buffer: pa.Buffer, array: pa.Array) -> Flags:
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def _primitive(array: pa.Array) -> npt.NDArray[Any]:
    if pa.types.is_boolean(array.type):
        return _bits(array.buffers()[1] or pa.py_buffer(b""), array)
    return _fixed(array, np.dtype(_dtype(array.type)))


def _fixed(array: pa.Array, dtype: Any) -> npt.NDArray[Any]:
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * np.dtype(dtype).itemsize)


def _dtype(kind: pa.DataType) -> str:
    return {"halffloat": "float16", "float": "float32", "double": "float64"}.get(str(kind), str(kind))
