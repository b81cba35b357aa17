"""The columns of a dataset as features: what the files hold decides, info.json adds names. Pure."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telecine.core.episode import FeatureColumn
from telecine.core.label import LANGUAGE
from telecine.core.labels.columns import LABEL_COLUMNS, as_language, language_type
from telecine.core.text.numbers import counted
from telecine.dataset.values import to_arrow, to_numpy, unwrap_extensions
from telecine.lerobot_format.metadata import INDEX_KEYS, FeatureMeta
from telecine.lerobot_format.schema import LEAVES, arrow_type

_NAMES = {"float": "float32", "double": "float64", "halffloat": "float32", "large_string": "string"}
"""Arrow's names by LeRobot's; half floats are stored as float32, which holds them exactly."""


def declared_columns(features: Iterable[FeatureMeta]) -> tuple[FeatureColumn, ...]:
    """The columns in Parquet, but indices and frames, as info.json declares them; dtypes may be unknown ones."""
    own = (f for f in features if f.key not in INDEX_KEYS and not f.is_camera)
    return tuple(FeatureColumn(f.key, f.dtype, f.shape or (1,), f.names) for f in own)


def is_image(kind: pa.DataType) -> bool:
    """Whether a column holds frames: struct<bytes, path>."""
    return pa.types.is_struct(kind) and {kind.field(i).name for i in range(kind.num_fields)} == {"bytes", "path"}


def column_of(key: str, kind: pa.DataType, first: Any, declared: FeatureMeta | None) -> FeatureColumn | None:
    """The feature of a column of this Arrow type whose first value is `first`; None when it cannot be one.

    declared: as info.json has it, for its names.
    """
    if key in LANGUAGE and (pa.types.is_list(kind) or pa.types.is_null(kind)):
        return LABEL_COLUMNS[key]
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    leaf, depth = kind, 0
    while pa.types.is_list(leaf) or pa.types.is_large_list(leaf) or pa.types.is_fixed_size_list(leaf):
        leaf, depth = leaf.value_type, depth + 1
    if pa.types.is_dictionary(leaf):
        leaf = leaf.value_type
    dtype = _NAMES.get(str(leaf), str(leaf))
    shape = _shape(first, depth)
    if dtype not in LEAVES or shape is None or (dtype == "string" and depth):
        return None
    names = declared.names if declared and len(shape) == 1 else None
    return FeatureColumn(key, dtype, shape, names if names and len(names) == shape[0] else None)


def _shape(first: Any, depth: int) -> tuple[int, ...] | None:
    """The shape of a value that is nested `depth` deep; one value alone is (1,)."""
    shape: list[int] = []
    for _ in range(depth):
        if not isinstance(first, list) or not first:
            return None
        shape.append(len(first))
        first = first[0]
    return tuple(shape) or (1,)


def as_stored(table: pa.Table, columns: tuple[FeatureColumn, ...]) -> pa.Table:
    """The columns with the Arrow types that LeRobot v3.0 stores them in.

    Raises: ValueError naming the column and what is in it instead, e.g. nulls or lists of different lengths.
    """
    arrays = {}
    bare_table = unwrap_extensions(table)
    for column in columns:
        data = bare_table.column(column.key)
        try:
            arrays[column.key] = _stored(data, column)
        except (ValueError, pa.ArrowException) as error:
            raise ValueError(f"{column.key}: {error}, expected {column.dtype} {list(column.shape)}") from error
    return pa.table(arrays)


def _stored(data: pa.ChunkedArray, column: FeatureColumn) -> Any:
    if column.dtype == "language":
        return _language(data, column)
    if column.dtype == "string":
        if data.null_count:
            raise ValueError(f"{counted(data.null_count, 'null')}")
        return data if data.type == pa.string() else data.cast(pa.string())
    if column.shape == (1,) and not _is_number(data.type):
        data = _single(data)
    if "halffloat" in str(data.type):
        data = data.cast(arrow_type(column))
    return to_arrow(np.ascontiguousarray(to_numpy(data, column)), column)


def _language(data: pa.ChunkedArray, column: FeatureColumn) -> pa.Array:
    """A column of language, whoever wrote it, in the type that telecine writes; no list is one without entries.

    Raises: ValueError.
    """
    if column.key not in LANGUAGE:
        raise ValueError("a column of language that LeRobot does not have")
    is_whole = data.type == language_type(column.key) and not data.null_count
    return data if is_whole else as_language(data, column.key)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _single(data: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of one value as values: what some tools store for shape [1], and LeRobot cannot load."""
    lengths = set(pc.unique(pc.list_value_length(data)).to_pylist())
    if lengths != {1}:
        raise ValueError(f"lists of lengths {', '.join(map(str, sorted(lengths)[:3]))}")
    return pc.list_flatten(data)
