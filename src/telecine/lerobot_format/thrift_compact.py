"""Thrift's compact protocol, as far as Parquet uses it: values from bytes and back. Pure.

    struct  {field number: Value}      list  Value with `kind` LIST and (kind of the elements, [...])

Source: thrift-compact-protocol.md of Apache Thrift. Whatever the bytes say, nothing bigger than they are is made.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from telecine.core.text.numbers import counted

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_DEEPEST = 16
_SHORT_LIST = 15


class Value(NamedTuple):
    """A value and its wire type: int, bytes, dict (struct), or (element type, list)."""

    kind: int
    value: Any


ThriftStruct = dict[int, Value]
Bytes: TypeAlias = bytes | memoryview


Visit: TypeAlias = Callable[[int, int], int]
"""(where a value starts, its wire type) -> where it ends."""


class ThriftError(ValueError):
    """The bytes are no struct."""


def read_struct(data: memoryview, at: int) -> tuple[ThriftStruct, int]:
    """(the struct that starts at `at`, where it ends). Raises: ThriftError."""
    with ends_named():
        return _struct(data, at, 0)


@contextmanager
def ends_named() -> Iterator[None]:
    """Inside it, to read behind the end of the bytes is a ThriftError."""
    try:
        yield
    except (IndexError, RecursionError) as error:
        raise ThriftError("it does not end") from error


def walk_struct(data: bytes, at: int, visit: Mapping[int, Visit], depth: int = 0) -> int:
    """Where the struct that starts at `at` ends; `visit` takes fields by number, the rest is passed over, not made.

    Raises: ThriftError; IndexError where it does not end, see `ends_named`, as all that walks.
    """
    if depth > _DEEPEST:
        raise ThriftError("it is nested too deeply")
    number = 0
    while head := data[at]:
        at += 1
        if step := head >> 4:
            number += step
        else:
            number, at = _zigzag(data, at)
        taken = visit.get(number)
        at = passed(data, at, head & 15, depth) if taken is None else taken(at, head & 15)
    return at + 1


def walk_list(data: bytes, at: int, kind: int, item: Visit) -> int:
    """Where a list ends, each element of which `item` takes. Raises: ThriftError, also for what is no list."""
    if kind != LIST:
        raise ThriftError(f"type {kind} where a list should be")
    inner, size, at = _list_head(data, at)
    for _ in range(size):
        at = item(at, inner)
    return at


def whole_number(data: bytes, at: int, kind: int) -> tuple[int, int]:
    """(a number, where it ends). Raises: ThriftError, also for what is none."""
    if not I16 <= kind <= I64:
        raise ThriftError(f"type {kind} where a number should be")
    value = data[at]
    if value < 128:
        return value >> 1 ^ -(value & 1), at + 1
    return _zigzag(data, at)


def text(data: bytes, at: int, kind: int) -> tuple[str, int]:
    """(a text, where it ends). Raises: ThriftError, also for what is none."""
    if kind != BINARY:
        raise ThriftError(f"type {kind} where a text should be")
    size, at = _varint(data, at)
    found, at = _bytes(data, at, size)
    return found.decode("utf-8", "replace"), at


def passed(data: bytes, at: int, kind: int, depth: int = 0) -> int:
    """Where a value ends that nobody asks for; nearly all of a footer is such. Raises: ThriftError."""
    if I16 <= kind <= I64:
        while data[at] > 127:
            at += 1
        return at + 1
    if kind == BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind in _SIZES:
        return at + _SIZES[kind]
    if kind in (LIST, SET):
        return _passed_list(data, at, depth + 1)
    if kind == STRUCT:
        return _passed_struct(data, at, depth + 1)
    raise ThriftError(f"type {kind} is not used by Parquet")


def _passed_struct(data: bytes, at: int, depth: int) -> int:
    """Where a struct ends of which nobody asks for a field; most have numbers and booleans only."""
    if depth > _DEEPEST:
        raise ThriftError("it is nested too deeply")
    while head := data[at]:
        at += 1
        if head < 16:  # the field's number is not told by a step
            at = passed(data, at, I64)
        kind = head & 15
        if I16 <= kind <= I64:
            while data[at] > 127:
                at += 1
            at += 1
        elif kind > FALSE:
            at = passed(data, at, kind, depth)
    return at + 1


_SIZES = {TRUE: 0, FALSE: 0, BYTE: 1, DOUBLE: 8}
"""Bytes of values that always have as many; booleans are in the type of their field."""


def _passed_list(data: bytes, at: int, depth: int) -> int:
    """Where a list ends of which nobody asks for an element; booleans take a byte each in one."""
    if depth > _DEEPEST:
        raise ThriftError("it is nested too deeply")
    inner, size, at = _list_head(data, at)
    if inner in (TRUE, FALSE):
        return at + size
    if I16 <= inner <= I64:
        for _ in range(size):
            while data[at] > 127:
                at += 1
            at += 1
        return at
    for _ in range(size):
        at = passed(data, at, inner, depth)
    return at


def write_struct(struct: ThriftStruct) -> bytes:
    """The struct as bytes, fields in increasing order."""
    out = bytearray()
    last = 0
    for number in sorted(struct):
        kind, value = struct[number]
        step = number - last
        out += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _zigzag_bytes(number)
        out += b"" if kind in (TRUE, FALSE) else _value_bytes(kind, value)
        last = number
    return bytes(out) + b"\0"


def _struct(data: memoryview, at: int, depth: int) -> tuple[ThriftStruct, int]:
    if depth > _DEEPEST:
        raise ThriftError("it is nested too deeply")
    found: ThriftStruct = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if not head:
            return found, at
        kind, step = head & 15, head >> 4
        if step:
            number += step
        else:
            number, at = _zigzag(data, at)
        value, at = _value(data, at, kind, depth)
        found[number] = Value(kind, value)


def _value(data: memoryview, at: int, kind: int, depth: int) -> tuple[Any, int]:
    match kind:
        case 1 | 2:
            return kind == TRUE, at
        case 3:
            return data[at], at + 1
        case 4 | 5 | 6:
            return _zigzag(data, at)
        case 7:
            return _bytes(data, at, 8)
        case 8:
            size, at = _varint(data, at)
            return _bytes(data, at, size)
        case 9 | 10:
            return _list(data, at, depth)
        case 12:
            return _struct(data, at, depth + 1)
    raise ThriftError(f"type {kind} is not used by Parquet")


def _list_head(data: Bytes, at: int) -> tuple[int, int, int]:
    """(kind of the elements, how many, where the first is)."""
    head = data[at]
    at += 1
    kind, size = head & 15, head >> 4
    if size == _SHORT_LIST:
        size, at = _varint(data, at)
    if size > len(data) - at:  # every element takes a byte or more
        raise ThriftError(f"a list of {size} in {counted(len(data) - at, 'byte')}")
    return kind, size, at


def _list(data: memoryview, at: int, depth: int) -> tuple[tuple[int, list[Any]], int]:
    kind, size, at = _list_head(data, at)
    items = []
    for _ in range(size):
        # Booleans take a byte of their own in lists.
        item, at = (data[at] == TRUE, at + 1) if kind in (TRUE, FALSE) else _value(data, at, kind, depth + 1)
        items.append(item)
    return (kind, items), at


def _bytes(data: Bytes, at: int, size: int) -> tuple[bytes, int]:
    if size > len(data) - at:
        raise ThriftError(f"{counted(size, 'byte')} where {len(data) - at} are left")
    return bytes(data[at : at + size]), at + size


def _varint(data: Bytes, at: int) -> tuple[int, int]:
    value = data[at]
    if value < 128:
        return value, at + 1
    value &= 127
    for shift in range(7, 70, 7):
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at + 1
    raise ThriftError("a number does not end")


def _zigzag(data: Bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at


def _value_bytes(kind: int, value: Any) -> bytes:
    match kind:
        case 3:
            return bytes([value])
        case 4 | 5 | 6:
            return _zigzag_bytes(value)
        case 7:
            return bytes(value)
        case 8:
            return _varint_bytes(len(value)) + bytes(value)
        case 9 | 10:
            inner, items = value
            size = len(items)
            head = bytes([size << 4 | inner]) if size < _SHORT_LIST else bytes([0xF0 | inner]) + _varint_bytes(size)
            if inner in (TRUE, FALSE):
                return head + bytes(TRUE if item else FALSE for item in items)
            return head + b"".join(_value_bytes(inner, item) for item in items)
        case _:
            return write_struct(value)


def _zigzag_bytes(value: int) -> bytes:
    return _varint_bytes(value << 1 if value >= 0 else (-value << 1) - 1)


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
