"""Columns between Arrow, as Parquet holds them, and numpy, as statistics need them. Pure."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.text.numbers import counted
from telecine.lerobot_format.schema import LEAVES, arrow_type

Values = npt.NDArray[Any]


def unwrap_extensions(table: pa.Table) -> pa.Table:
    """The table with extension types undone, which columns of several dimensions get once `datasets` is imported."""
    for position, field in enumerate(table.schema):
        if isinstance(field.type, pa.BaseExtensionType):
            chunks = [chunk.storage for chunk in table.column(position).chunks]
            column = pa.chunked_array(chunks, field.type.storage_type)
            table = table.set_column(position, pa.field(field.name, field.type.storage_type), column)
    return table


def to_numpy(data: pa.ChunkedArray, column: FeatureColumn) -> Values:
    """(n, *shape) values of a numeric column, (n,) for shape (1,).

    Raises:
        ValueError: what the column holds instead, e.g. nulls, another type, lists of another length.
    """
    array = data.combine_chunks() if data.num_chunks != 1 else data.chunk(0)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    shape = () if column.shape == (1,) else column.shape
    array = _without_nulls(array)
    for size in shape:
        array = _without_nulls(_elements(array, size))
    if array.type != LEAVES[column.dtype]:
        raise ValueError(f"{data.type}")
    return arrow.to_numpy(array).reshape((-1, *shape))


def coded_frames(column: pa.ChunkedArray) -> Iterator[bytes]:
    """The files in a column of images. Raises: DatasetError where a row has none."""
    for cell in column.to_pylist():
        if not cell or not cell.get("bytes"):
            raise DatasetError("found no bytes, expected a coded frame")
        yield cell["bytes"]


def to_arrow(values: Values, column: FeatureColumn) -> pa.Array:
    """The Parquet column of (n, *shape) values, or (n,) for shape (1,)."""
    kind = arrow_type(column)
    array = arrow.numbers(values.reshape(-1).astype(column.dtype, copy=False))
    if column.shape == (1,):
        return array
    if len(column.shape) == 1:
        return pa.FixedSizeListArray.from_arrays(array, type=kind)
    for depth in range(len(column.shape) - 1, -1, -1):
        lists = len(values) * math.prod(column.shape[:depth])
        offsets = np.arange(lists + 1, dtype=np.int32) * column.shape[depth]
        array = pa.ListArray.from_arrays(arrow.numbers(offsets), array)
    return array.cast(kind)


def _without_nulls(array: pa.Array) -> pa.Array:
    if array.null_count:
        raise ValueError(f"{counted(array.null_count, 'null')}")
    return array


def _elements(array: pa.Array, size: int) -> pa.Array:
    """The elements of lists that all have `size` of them."""
    kind = array.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise ValueError(f"{kind} instead of a list")
    if pa.types.is_fixed_size_list(kind):
        lengths = {kind.list_size}
    else:
        lengths = set(np.diff(arrow.to_numpy(_without_nulls(array).offsets)).tolist())
    if lengths - {size}:
        raise ValueError(f"lists of lengths {', '.join(map(str, sorted(lengths)[:3]))}")
    return arrow.elements(_without_nulls(array))
