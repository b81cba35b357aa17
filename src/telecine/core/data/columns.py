"""Samples into one column of the dataset: concatenation, exact casts, no NaN."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telecine.core.align import Weights, linear, slerp
from telecine.core.data.arrow import numbers
from telecine.core.episode import FeatureColumn
from telecine.core.errors import AlignError, PlanError
from telecine.core.grid import Times
from telecine.core.naming import joined_names
from telecine.core.plan.bind import BoundFeature
from telecine.core.recording import Array
from telecine.core.text.numbers import counted, counted_of

_EXACT = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


def column_of(bound: BoundFeature) -> FeatureColumn:
    """The column that a bound feature becomes. Raises: PlanError for a type that LeRobot does not know."""
    feature = bound.feature
    if bound.is_text:
        return FeatureColumn(feature.key, "string", (1,))
    schemas = [s.stream.schema for s in bound.sources]
    dtype = feature.dtype or _common([s.dtype for s in schemas], feature.key)
    fractions = feature.how in ("linear", "slerp") or feature.reference or bound.element_map
    if fractions and dtype not in ("float32", "float64"):
        dtype = "float32"
    if len(bound.sources) == 1 and len(schemas[0].shape) > 1:
        return FeatureColumn(feature.key, dtype, schemas[0].shape, feature.names)
    widths = [len(s.columns) if s.columns is not None else (s.stream.schema.shape or (1,))[0] for s in bound.sources]
    return FeatureColumn(feature.key, dtype, (sum(widths),), feature.names or _names(bound, widths))


def _common(dtypes: Sequence[str], key: str) -> str:
    if any(d not in _EXACT and not d.startswith("float") for d in dtypes):
        raise PlanError(f"features.{key}: {', '.join(dtypes)} is not a number type LeRobot knows; set `dtype`")
    return dtypes[0] if dtypes[0] in _EXACT and len(set(dtypes)) == 1 else "float32"


def _names(bound: BoundFeature, widths: list[int]) -> tuple[str, ...] | None:
    """Names of the elements as the streams give them, or None unless all differ.

    Of several streams those without names are called after themselves, and names that two of them share get the part of
    the stream's name in front in which they differ: left_j1, right_j1.
    """
    known: list[tuple[str, ...] | None] = []
    elements: list[Sequence[int]] = []
    for source, width in zip(bound.sources, widths, strict=True):
        elements.append(range(width) if source.columns is None else source.columns)
        names = source.stream.schema.names
        complete = names is not None and len(names) == (source.stream.schema.shape or (1,))[0]
        known.append(tuple(names[e] for e in elements[-1]) if names is not None and complete else None)
    if len(known) > 1:
        known = list(joined_names([s.stream.name for s in bound.sources], known, elements))
    joined = [name for names in known for name in names or ()]
    return tuple(joined) if len(set(joined)) == len(joined) == sum(widths) else None


def blended(before: Array, after: Array, weight: Weights, *, how: Literal["linear", "slerp"], where: str) -> Array:
    """(m, ...) float64 between two samples a row. Raises: AlignError for quaternions that are not unit length."""
    a, b = before.astype(np.float64), after.astype(np.float64)
    if how == "linear":
        return linear(a, b, weight)
    for q in (a, b):
        norms = np.linalg.norm(q, axis=1)
        if np.any(np.abs(norms - 1) > 1e-3):
            worst = float(norms[np.argmax(np.abs(norms - 1))])
            raise AlignError(f"{where}: slerp needs unit quaternions, found one of length {worst:.4g}; use hold")
    return slerp(a, b, weight)


def side_by_side(parts: Sequence[Array], bound: BoundFeature) -> Array:
    """(m, w) of the (m, ...) parts of a vector, with what the plan does to their values."""
    flat = [np.reshape(p, (len(p), -1)) for p in parts]
    joined: Array = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
    mapping = bound.element_map
    return joined if mapping is None else mapping.apply(joined)


def reference_elements(column: FeatureColumn, reference: FeatureColumn) -> list[int]:
    """Which elements of `reference` belong to those of `column`: by name where both have names, else by position.

    Raises: PlanError when they do not fit, and for quaternions, of which a difference is no rotation.
    """
    own, other = column.names, reference.names
    where = f"features.{column.key}.relative_to"
    if own and any(re.search(r"(^|[._])q?w$", name) for name in own):
        raise PlanError(f"{where}: {', '.join(own)} hold a quaternion; the difference of two is no rotation")
    if own is not None and other is not None and set(own) <= set(other):
        return [other.index(name) for name in own]
    if column.shape == reference.shape and (own is None or other is None):
        return list(range(column.shape[0]))
    raise PlanError(
        f"{where}: the elements {own or column.shape} are not among {other or reference.shape} of {reference.key}; "
        "give both the same `names`, or the same streams"
    )


def column_array(parts: Sequence[Array], column: FeatureColumn, ticks: Times, where: str) -> pa.Array:
    """The Arrow array of `column` from (m, ...) arrays, side by side, in LeRobot's layout.

    Raises: AlignError for NaN, infinity, or values that the column's type cannot hold exactly.
    """
    flat = [np.reshape(p, (len(ticks), -1)) for p in parts]
    joined = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
    label = f"{where}: {column.key}"
    if joined.shape[1] != int(np.prod(column.shape)):
        raise AlignError(f"{label}: rows hold {counted(joined.shape[1], 'number')}, expected {column.shape}")
    _check_finite(joined, ticks, label)
    return nested(_cast(joined, column.dtype, ticks, label), column.shape)


def _check_finite(values: Array, ticks: Times, label: str) -> None:
    if not np.issubdtype(values.dtype, np.floating):
        return
    bad = ~np.isfinite(values)
    if bad.any():
        row, element = (int(i) for i in np.argwhere(bad)[0])
        raise AlignError(
            f"{label}: {counted_of(int(bad.any(axis=1).sum()), len(ticks), 'row', 'holds', 'hold')} NaN or "
            "infinity, first at "
            f"{(int(ticks[row]) - int(ticks[0])) / 1e9:.3f} s in element {element}; training would get NaN loss"
        )


def _cast(values: Array, dtype: str, ticks: Times, label: str) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        made: Array = values.astype(np.dtype(dtype))
    exact = np.isfinite(made) if dtype.startswith("float") else made.astype(values.dtype) == values
    if not exact.all():
        row = int(np.argwhere(~exact)[0][0])
        raise AlignError(
            f"{label}: {values[row][~exact[row]][0]!r} at {(int(ticks[row]) - int(ticks[0])) / 1e9:.3f} s "
            f"does not fit {dtype}; choose another `dtype`"
        )
    return made


def nested(values: npt.NDArray[Any], shape: tuple[int, ...]) -> pa.Array:
    """(m, prod(shape)) values as Arrow: plain for shape (1,), fixed_size_list for (n,), nested lists beyond."""
    made = numbers(values.reshape(-1))
    if shape == (1,):
        return made
    if len(shape) == 1:
        return pa.FixedSizeListArray.from_arrays(made, shape[0])
    for size in reversed(shape):
        offsets = np.arange(0, len(made) + 1, size, dtype=np.int32)
        made = pa.ListArray.from_arrays(numbers(offsets), made)
    return made
