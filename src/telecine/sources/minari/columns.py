"""The columns of a Minari episode, flattened: a member of a dict or tuple is a column, with a path as its name.

Boxes are stored flat, and the space, or the field's own metadata, says their shape.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.sources.shared.held_arrays import HeldArray

_DEEPEST = 16
_TEXTS = (pa.types.is_string, pa.types.is_large_string)
_BYTES = (pa.types.is_binary, pa.types.is_large_binary)


@dataclass(frozen=True, slots=True)
class MinariColumn:
    """One value of each step. values: (rows, ...) numbers, or objects for texts and bytes; None: `problem` says why."""

    name: str
    values: HeldArray | None
    is_text: bool = False
    problem: str = ""


def columns_of(table: pa.Table, spaces: Mapping[str, Mapping[str, Any]]) -> Iterator[MinariColumn]:
    """Every column of a table of one chunk. spaces: column -> the space that it is of."""
    for field in table.schema:
        if field.name != "episode_id":
            chunked = table.column(field.name)
            array = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
            yield from _flattened(f"/{field.name}", array, field, spaces.get(field.name, {}), 0)


def _flattened(name: str, array: Any, field: pa.Field, space: Mapping[str, Any], depth: int) -> Iterator[MinariColumn]:
    if pa.types.is_struct(array.type) and depth < _DEEPEST:
        for number in range(array.type.num_fields):
            inner = array.type.field(number)
            below = _subspace(space, inner.name)
            yield from _flattened(f"{name}/{inner.name}", array.field(number), inner, below, depth + 1)
    else:
        yield _column(name, array, field, space)


def _subspace(space: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The space of a member of a Dict, by its key, or of a Tuple, by its number."""
    inside = space.get("subspaces")
    if isinstance(inside, list) and name.isdecimal() and int(name) < len(inside):
        found = inside[int(name)]
    else:
        found = inside.get(name) if isinstance(inside, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _column(name: str, array: Any, field: pa.Field, space: Mapping[str, Any]) -> MinariColumn:
    kind = array.type
    if any(is_kind(kind) for is_kind in (*_TEXTS, *_BYTES)):
        is_text = any(is_kind(kind) for is_kind in _TEXTS)
        missing: Any = "" if is_text else b""
        found = np.array([missing if value is None else value for value in array.to_pylist()], object)
        return MinariColumn(name, HeldArray(found), is_text)
    width, flat = 1, array
    while pa.types.is_fixed_size_list(flat.type):
        width, flat = width * flat.type.list_size, flat.flatten()
    if not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type) or pa.types.is_boolean(flat.type)):
        return MinariColumn(name, None, problem=f"columns of the type {kind} are not read")
    if flat.null_count or len(flat) != len(array) * width:
        return MinariColumn(name, None, problem="some of its values are missing")
    numbers = np.asarray(flat.to_numpy(zero_copy_only=False))
    shape = _shape(field, space, width) if pa.types.is_fixed_size_list(kind) else ()
    return MinariColumn(name, HeldArray(numbers.reshape(len(array), *shape)))


def _shape(field: pa.Field, space: Mapping[str, Any], width: int) -> tuple[int, ...]:
    """Of one step, as far as what is stated holds as many numbers."""
    stated: Any = space.get("shape")
    if b"shape" in (field.metadata or {}):
        stated = field.metadata[b"shape"].decode("utf-8", "replace").split(",")
    try:
        shape = tuple(int(n) for n in stated or ())
    except (TypeError, ValueError):
        shape = ()
    return shape if shape and min(shape) > 0 and int(np.prod(shape, dtype=object)) == width else (width,)
