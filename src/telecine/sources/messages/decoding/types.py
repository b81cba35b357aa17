"""Message types as trees, read from the definitions that recordings carry (.msg text or IDL), by rosbags' parsers.

Refuses types that refer to something undefined, and wide strings, of which no two writers agree on the bytes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from telecine.core.errors import SourceError
from telecine.core.text.numbers import counted
from telecine.sources.format import MissingExtra
from telecine.sources.messages.model import Leaf

DEEPEST = 40
"""Levels of nested types; a definition that goes deeper refers to itself."""

MOST_LEAVES = 20_000
"""Fields of a type, those of nested types as well; a few kB of definitions can have millions."""
MOST_BYTES = 1 << 32
"""Of a fixed array; no message is as large."""
_LONGEST_TEXT = 1 << 20
_NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', re.DOTALL)
_SHIFT = re.compile(r"<<(?!\s*\d{1,2}\s*[;,)|&^])")
"""A shift that is not by a number below 100, at the end of its expression."""
_MOST_OPERATORS = 1000
_LONG_NUMBER = re.compile(r"\d{40}")

_SEPARATOR = re.compile(r"^={3,}[ \t]*$", re.MULTILINE)
"""Between the types of one definition; not all writers give it the 80 characters of rosbag2."""

_CONSTANT = re.compile(r"^[ \t]*[\w/]+[ \t]+\w+[ \t]*=.*$", re.MULTILINE)
"""A constant of a .msg, which no message carries; rosbags 0.11 takes one with spaces or small letters for a field."""

_IDL_PART = re.compile(r"^={3,}[ \t]*\nIDL: .*$", re.MULTILINE)
"""In front of each type of an IDL definition (mcap.dev/spec/registry, ros2idl)."""
_PREPROCESSOR = re.compile(r"^[ \t]*#.*$", re.MULTILINE)

_DTYPES = {
    "bool": "bool", "byte": "uint8", "octet": "uint8", "char": "uint8", "int8": "int8", "uint8": "uint8",
    "int16": "int16", "uint16": "uint16", "int32": "int32", "uint32": "uint32", "int64": "int64", "uint64": "uint64",
    "float32": "float32", "float64": "float64",
}  # fmt: skip
_WIDTHS = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
           "float32": 4, "float64": 8}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NumberType:
    """A number of `width` bytes; dtype is numpy's name."""

    dtype: str
    width: int


@dataclass(frozen=True, slots=True)
class TextType:
    """A string of bytes."""


@dataclass(frozen=True, slots=True)
class StructType:
    """A message: named fields in order."""

    fields: "tuple[tuple[str, Node], ...]"


@dataclass(frozen=True, slots=True)
class ArrayType:
    """`size` items, or as many as the count in front of them when None.

    least: bytes that an item has at least; alike: items hold numbers only, so that all have one layout.
    """

    item: "NumberType | TextType | StructType"
    size: int | None
    least: int
    alike: bool


Node: TypeAlias = NumberType | TextType | StructType | ArrayType
Definitions: TypeAlias = Mapping[str, tuple[Any, Any]]
"""rosbags' Typesdict: type name -> (constants, fields)."""


def leaves(node: Node, path: str = "", size: int | None = 1) -> Iterator[Leaf]:
    """Every leaf below `node`, in order of definition, named as described in `model.py`."""
    match node:
        case NumberType(dtype=dtype):
            yield Leaf(path, dtype, size)
        case TextType():
            yield Leaf(path, "string", size)
        case ArrayType(item=item, size=count):
            yield from leaves(item, f"{path}[]", None if size is None or count is None else size * count)
        case StructType(fields=fields):
            for name, inner in fields:
                yield from leaves(inner, f"{path}.{name}" if path else name, size)


def type_name(name: str) -> str:
    """`sensor_msgs/Image`, `sensor_msgs::msg::dds_::Image_` and `sensor_msgs/msg/Image` as the last of them."""
    if "::" in name:
        parts = [part.removesuffix("_") for part in name.split("::")]
        name = "/".join(part for part in parts if part != "dds")
    parts = name.split("/")
    return f"{parts[0]}/msg/{parts[1]}" if len(parts) == 2 and all(parts) else name


@cache
def parse(name: str, text: str, idl: bool = False) -> StructType:
    """The type `name`, defined in `text` together with the types it uses.

    Raises:
        SourceError: the definition cannot be read or is not complete.
    """
    return tree(_typesdict(type_name(name), text, idl), type_name(name))


def _typesdict(name: str, text: str, idl: bool) -> Definitions:
    typesys = _typesys()
    if len(text) > _LONGEST_TEXT:
        raise SourceError(
            f"the definition of {name} has {counted(len(text), 'character')}; {_LONGEST_TEXT} are read at most"
        )
    text = text.replace("\r\n", "\n")
    if idl:
        return _idl_types(typesys, name, text)
    try:
        known: Definitions = typesys.get_types_from_msg(_CONSTANT.sub("", _SEPARATOR.sub("=" * 80, text)), name)
    except _errors(typesys) as error:
        raise _unparsed(name, error) from error
    return known


def _idl_types(typesys: Any, name: str, text: str) -> Definitions:
    """The types of all parts of an IDL definition, as rosbag2 and Foxglove put them together; standard types stand in.

    A part that cannot be read costs its own types; that is an error only where no standard type has their name.
    """
    _check_constants(name, text)
    known: dict[str, tuple[Any, Any]] = {}
    failed: Exception | None = None
    for part in _IDL_PART.split(text):
        try:
            known |= typesys.get_types_from_idl(_PREPROCESSOR.sub("", part)) if part.strip() else {}
        except _errors(typesys) as error:
            failed = error
    standard_types: Definitions = typesys.get_typestore(typesys.Stores.LATEST).fielddefs
    known = {**standard_types, **known}
    if name not in known and failed is not None:
        raise _unparsed(name, failed) from failed
    return known


def _check_constants(name: str, text: str) -> None:
    """Rosbags calculates constants while it parses, however large they become. Raises: SourceError."""
    code = _NO_CODE.sub(" ", text)
    if _SHIFT.search(code) or _LONG_NUMBER.search(code) or code.count("*") + code.count("<<") > _MOST_OPERATORS:
        raise SourceError(f"the definition of {name} has constants that are too large to calculate")


def _errors(typesys: Any) -> tuple[type[Exception], ...]:
    return (typesys.TypesysError, ValueError, RecursionError, KeyError, AttributeError, IndexError)


def _unparsed(name: str, error: Exception) -> SourceError:
    first = str(error).strip().splitlines()[:1]
    return SourceError(f"the definition of {name} cannot be read: {first[0][:200] if first else error!r}")


def standard(name: str, ros1: bool = False) -> StructType:
    """A type of the standard packages of ROS 2 (or ROS 1), for recordings that carry no definitions.

    Raises:
        SourceError: not one of them.
    """
    typesys = _typesys()
    store = typesys.Stores.ROS1_NOETIC if ros1 else typesys.Stores.LATEST
    known: Definitions = typesys.get_typestore(store).fielddefs
    if type_name(name) not in known:
        raise SourceError(f"the recording does not define {name}, and it is no standard type")
    return tree(known, type_name(name))


def tree(known: Definitions, name: str) -> StructType:
    """The type `name` with all that it is made of. Raises: SourceError, for one with more than MOST_LEAVES fields."""
    if _leaf_count(known, name, 0, {}) > MOST_LEAVES:
        raise SourceError(f"the definition of {name} has more than {MOST_LEAVES} fields, which is taken for damage")
    return _struct(known, name, 0)


def _leaf_count(known: Definitions, name: str, depth: int, counts: dict[str, int]) -> int:
    """Fields of a type, each nested type counted once and kept in `counts`."""
    if depth > DEEPEST:
        raise SourceError(f"the definition of {name} refers to itself")
    if name not in counts:
        count = 0
        for _, desc in known[name][1] if name in known else ():
            kind, what = (int(desc[1][0][0]), desc[1][0][1]) if int(desc[0]) >= 3 else (int(desc[0]), desc[1])
            count += max(_leaf_count(known, what, depth + 1, counts), 1) if kind == 2 else 1  # empty types cost too
        counts[name] = min(count, MOST_LEAVES + 1)
    return counts[name]


_TIMES = {
    "builtin_interfaces/msg/Time": StructType((("sec", NumberType("int32", 4)), ("nanosec", NumberType("uint32", 4)))),
    "builtin_interfaces/msg/Duration": StructType(
        (("sec", NumberType("int32", 4)), ("nanosec", NumberType("uint32", 4)))
    ),
}


def _struct(known: Definitions, name: str, depth: int) -> StructType:
    if name in _TIMES:
        return _TIMES[name]
    if depth > DEEPEST:
        raise SourceError(f"the definition of {name} refers to itself")
    if name not in known:
        raise SourceError(f"the definition does not say what {name} is")
    return StructType(tuple((field, _node(known, desc, depth)) for field, desc in known[name][1]))


def _node(known: Definitions, desc: Any, depth: int) -> Node:
    kind, what = int(desc[0]), desc[1]
    if kind >= 3:  # 3: fixed array, 4: sequence; rosbags.interfaces.Nodetype
        item = _node(known, what[0], depth)
        assert not isinstance(item, ArrayType)
        size, least = int(what[1]) if kind == 3 else None, max(_least(item), 1)
        if size is not None and not 0 <= size * least <= MOST_BYTES:
            raise SourceError(f"an array of {counted(size, 'element')} is not plausible")
        return ArrayType(item, size, least, _alike(item))
    if kind == 2:
        return _struct(known, what, depth + 1)
    if what[0] == "string":
        return TextType()
    if what[0] not in _DTYPES:
        raise SourceError(f"fields of type {what[0]} cannot be read")
    dtype = _DTYPES[what[0]]
    return NumberType(dtype, _WIDTHS[dtype])


def _least(node: Node) -> int:
    """Bytes that any value takes at least, padding left out."""
    match node:
        case NumberType(width=width):
            return width
        case TextType():
            return 4
        case ArrayType(size=size, least=least):
            return 4 if size is None else size * least
        case StructType(fields=fields):
            return sum(_least(inner) for _, inner in fields)


def _alike(node: Node) -> bool:
    """True for numbers, fixed arrays of numbers, and messages of nothing else."""
    match node:
        case NumberType():
            return True
        case TextType():
            return False
        case ArrayType(item=item, size=size):
            return isinstance(item, NumberType) and size is not None
        case StructType(fields=fields):
            return bool(fields) and all(_alike(inner) for _, inner in fields)


def _typesys() -> Any:
    try:
        from rosbags import typesys
    except ModuleNotFoundError as error:
        raise MissingExtra("reading ROS messages needs: pip install 'telecine[ros]'") from error
    return typesys
