"""Our frozen values as plain JSON, and back by their type hints. Never anything that JSON could not hold safely.

What is read back may have been damaged, or written by somebody else: a value of another type than the hint is refused.
"""

import json
import re
import types
import warnings
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
_FRACTION = re.compile(r"-?\d{1,40}(/\d{1,40})?")
_WORDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    float: "a number",
    int: "a whole number",
    bool: "true or false",
}


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


def from_json(kind: type[T], text: bytes | str) -> T:
    """The dataclass `kind` in a JSON document. Raises: TypeError or ValueError when it is none."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deep") from error
    return from_plain(kind, value)


def from_plain(kind: type[T], value: Any) -> T:
    """The dataclass `kind` that `to_plain` made `value` of; fields that are not there take their defaults.

    Fields whose value is of their type already are taken as they are.

    Raises: TypeError or ValueError when the value is not of that type.
    """
    return _dataclass(kind, value, "")


def _dataclass(kind: type[T], value: Any, place: str) -> T:
    if not isinstance(value, Mapping):
        _refuse(dict, value, place)
    hints, required = _fields_of(cast("Hashable", kind))
    if unknown := value.keys() - hints.keys():
        raise ValueError(f"{_prefix(place)}unknown: {', '.join(sorted(unknown))}")
    entries = {name: _of(hints[name], entry, _below(place, name)) for name, entry in value.items()}
    if missing := required - entries.keys():
        raise ValueError(f"{_prefix(place)}missing: {', '.join(sorted(missing))}")
    return kind(**entries)


@cache
def _fields_of(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """(hint by name, names of the fields that have no default)."""
    required = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return get_type_hints(kind), frozenset(required)


def _of(hint: Any, value: Any, place: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is np.ndarray or origin is npt.NDArray:  # an alias of its own from numpy 2.5 on
        return _array(value, place)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            _refuse(list, value, place)
        kinds = [args[0]] * len(value) if args[1:] == (...,) else args
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(_of(kind, entry, _below(place, number)) for number, (kind, entry) in pairs)
    if origin in (Mapping, dict):
        if not isinstance(value, Mapping):
            _refuse(dict, value, place)
        return {key: _of(args[1], entry, _below(place, key)) for key, entry in value.items()}
    if origin is Literal:
        if not isinstance(value, str) or value not in args:
            raise ValueError(f"{place}: is none of {', '.join(args)}")
        return value
    if origin in (Union, types.UnionType):
        return _one_of(args, value, place)
    return _of_class(hint, value, place)


def _of_class(hint: type, value: Any, place: str) -> Any:
    if isinstance(value, hint) and not (isinstance(value, bool) and hint is int):
        return value
    if hint is Fraction:
        return _fraction(value, place)
    if is_dataclass(hint):
        return _dataclass(hint, value, place)
    if hint is not float or type(value) is not int:  # JSON has one kind of number
        _refuse(hint, value, place)
    return value


def _one_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not type(None))
    for kind in others:
        with suppress(TypeError, ValueError):
            return _of(kind, value, place)
    return _of(last, value, place)


def _fraction(value: Any, place: str) -> Fraction:
    if not isinstance(value, str) or not _FRACTION.fullmatch(value):
        raise ValueError(f"{place}: is no fraction")
    try:
        return Fraction(value)
    except ZeroDivisionError as error:
        raise ValueError(f"{place}: is divided by zero") from error


def _array(value: Any, place: str) -> npt.NDArray[Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("dtype"), str):
        _refuse(dict, value, place)
    kind = np.dtype(value["dtype"])
    if kind.kind not in "biuf" or "values" not in value:
        raise ValueError(f"{place}: is no array of numbers")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # numpy 1 cuts such numbers, and only warns
            return np.array(value["values"], kind)
    except (OverflowError, DeprecationWarning) as error:
        raise ValueError(f"{place}: has a number too large for {kind}") from error


def _refuse(hint: Any, value: Any, place: str) -> NoReturn:
    found = "null" if value is None else _WORDS.get(type(value), type(value).__name__)
    raise TypeError(f"{_prefix(place)}expected {_WORDS.get(hint, hint.__name__)}, found {found}")


def _below(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)


def _prefix(place: str) -> str:
    return f"{place}: " if place else ""
