"""Arrow arrays of plain values and back, by their buffers.

`pyarrow.array` and `Array.to_numpy` do the same, but import pandas wherever that is installed: half a second and
60 MB for commands that never use it. Nulls are refused here, because nothing telecine writes has any.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.recording import Array


def numbers(values: Array) -> pa.Array:
    """(n,) numbers or bools as an Arrow array of their type; numbers are not copied."""
    flat = np.ascontiguousarray(values)
    data = np.packbits(flat, bitorder="little") if flat.dtype == np.bool_ else flat
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(data)], null_count=0)


def to_numpy(flat: pa.Array) -> Array:
    """The numbers or bools of an Arrow array without nulls, (n,); numbers are not copied."""
    kind, data = flat.type, flat.buffers()[1]
    first, last = flat.offset, flat.offset + len(flat)
    if pa.types.is_boolean(kind):
        bits = np.frombuffer(data or b"", np.uint8)
        return np.unpackbits(bits, bitorder="little")[first:last].astype(np.bool_)
    return np.frombuffer(data or b"", _dtype(kind))[first:last]


def elements(lists: pa.Array) -> pa.Array:
    """What the lists of an Arrow array without nulls hold, one level down, in order; nothing is copied.

    `Array.flatten` does the same, but imports pyarrow.compute: a tenth of a second.
    """
    if pa.types.is_fixed_size_list(lists.type):
        size = lists.type.list_size
        return lists.values.slice(lists.offset * size, len(lists) * size)
    offsets = to_numpy(lists.offsets)
    return lists.values.slice(offsets[0], offsets[-1] - offsets[0]) if len(lists) else lists.values.slice(0, 0)


def stacked(lists: pa.Array) -> Array:
    """Nested lists of numbers, all of one shape and without nulls, as (n, *shape).

    Raises: ValueError: their shapes differ.
    """
    shape = [len(lists)]
    while pa.types.is_list(lists.type) or pa.types.is_fixed_size_list(lists.type):
        inner = elements(lists)
        shape.append(len(inner) // max(len(lists), 1))
        lists = inner
    return to_numpy(lists).reshape(shape)


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the types of `schema`, whose columns it has in this order.

    `Table.cast` imports pyarrow.compute, a tenth of a second, also where there is nothing to change.

    Raises: pa.ArrowException, ValueError: values that other types cannot hold.
    """
    return table if table.schema.equals(schema) else table.cast(schema)


def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Python values as an Arrow array of `kind`: numbers, bools, text, bytes, lists and structs of these.

    None makes a null of a number, bool, text or bytes.

    Raises: TypeError, ValueError: a value does not fit, or a list or struct is None.
    """
    if any(value is None for value in values) and not pa.types.is_nested(kind):
        return _with_nulls(values, kind)
    if pa.types.is_list(kind):
        inner = array([item for value in values for item in value], kind.value_type)
        return pa.Array.from_buffers(kind, len(values), [None, _offsets(map(len, values), np.int32)], children=[inner])
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        children = [array([value[f.name] for value in values], f.type) for f in fields]
        return pa.StructArray.from_arrays(children, fields=fields)
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        # A file's name need not be UTF-8; Arrow's text has to be.
        data = [value.encode(errors="backslashreplace") if isinstance(value, str) else value for value in values]
        width = np.int64 if pa.types.is_large_binary(kind) else np.int32
        buffers = [None, _offsets(map(len, data), width), pa.py_buffer(b"".join(data))]
        return pa.Array.from_buffers(kind, len(data), buffers)
    return numbers(np.array(values, _dtype(kind)))


def _with_nulls(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    filler: Any = "" if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else 0
    filled = array([filler if value is None else value for value in values], kind)
    valid = np.packbits([value is not None for value in values], bitorder="little")
    buffers = [pa.py_buffer(valid), *filled.buffers()[1:]]
    return pa.Array.from_buffers(kind, len(values), buffers)


def table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Records as a table of `schema`. Raises: KeyError, TypeError or ValueError for records that do not fit."""
    return pa.Table.from_arrays([array([row[f.name] for row in rows], f.type) for f in schema], schema=schema)


def _dtype(kind: pa.DataType) -> np.dtype[Any]:
    """NumPy's type of a number, which `to_pandas_dtype` needs pandas for."""
    names = {"halffloat": "float16", "float": "float32", "double": "float64"}
    return np.dtype(names.get(str(kind), str(kind)))


def _offsets(lengths: Any, width: Any) -> pa.Buffer:
    sizes = np.fromiter(lengths, np.int64)
    return pa.py_buffer(np.concatenate([[0], np.cumsum(sizes)]).astype(width))
