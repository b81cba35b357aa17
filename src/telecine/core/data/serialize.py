"""Our frozen values as plain JSON, and back by their type hints. Never anything that JSON could not hold safely."""

import types
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """A value as dicts, lists, strings and numbers; a dataclass is a dict of its fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "values": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: to_plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(entry) for entry in value]
    return value


def from_plain(kind: type[T], value: Any) -> T:
    """The dataclass `kind` that `to_plain` made `value` of; fields that are not there take their defaults.

    Fields whose value is of their type already are taken as they are.

    Raises: KeyError, TypeError or ValueError when the value is not of that type.
    """
    hints = _hints(cast("Hashable", kind))
    return kind(**{name: _of(hints[name], entry) for name, entry in value.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _of(hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        return value if isinstance(value, hint) else from_plain(hint, value)
    if hint is Fraction:
        return Fraction(value)
    origin, args = get_origin(hint), get_args(hint)
    if origin is np.ndarray or origin is npt.NDArray:  # an alias of its own from numpy 2.5 on
        return np.array(value["values"], value["dtype"])
    if origin is tuple:
        kinds = [args[0]] * len(value) if args[1:] == (...,) else args
        return tuple(_of(kind, entry) for kind, entry in zip(kinds, value, strict=True))
    if origin is Mapping and is_dataclass(args[1]):
        return {key: _of(args[1], entry) for key, entry in value.items()}
    if origin in (Union, types.UnionType):
        known = [arg for arg in args if arg is not type(None)]
        return None if value is None else _of(known[0], value)
    return value
