"""Pickles of plain containers and numpy arrays (of objects: as lists), read without running anything that they name.

A pickle is a program: it may name any function and call it. Here the few names that numpy's arrays need stand for
classes of our own, which only note what they are given; every other name is refused, and so is what would make the
reader take memory that the file does not hold. Arrays are then made of the noted bytes, checked against their shape.

Formats: https://docs.python.org/3/library/pickletools.html; numpy `core/src/multiarray/methods.c`, `array_reduce`.
"""

import io
import pickle  # nosec B403  # only names of our own, see `_Reader`
import pickletools  # nosec B403  # reads, and runs nothing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.recording import Array
from telecine.sources.shared.confinement import open_regular

LARGEST_BYTES = 1 << 30
_MOST_STEPS = 4_000_000
"""Of the program that a pickle is."""
_DEEPEST = 32
_KINDS = "biuf"
_REFUSED = ("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "INST", "OBJ", "NEWOBJ_EX", "NEXT_BUFFER")
_FAILURES = (
    pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError,
    MemoryError, RecursionError, UnicodeDecodeError,
)  # fmt: skip


def load_plain(path: Path) -> Any:
    """What is in a file: dicts, lists, tuples, texts, numbers, numpy arrays. Raises: SourceError for anything else."""
    return plain_of(read_whole(path), path)


def read_whole(path: Path) -> bytes:
    """The bytes of a file of bounded size. Raises: SourceError."""
    with raised_as(SourceError, f"{path}: cannot be read", OSError), open_regular(path) as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise SourceError(f"{path}: is longer than {LARGEST_BYTES} bytes")
    return data


def plain_of(data: bytes, path: Path) -> Any:
    """What a pickle of the file `path` holds; see `load_plain`."""
    try:
        _check_program(data)
        return _plain(_Reader(io.BytesIO(data), encoding="latin1").load(), 0)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    except _FAILURES as error:
        raise SourceError(f"{path}: is no pickle that can be read: {type(error).__name__}: {error}") from error


def _check_program(data: bytes) -> None:
    """Refuse what is not plain, and places in the memo that only cost memory; `genops` refuses false lengths."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data), 1):
        if count > _MOST_STEPS:
            raise SourceError(f"a pickle of more than {_MOST_STEPS} steps is not read")
        if opcode.name in _REFUSED:
            raise SourceError(f"a pickle with {opcode.name} is not read: it names objects outside of the file")
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(str(argument)) <= count:
            raise SourceError(f"a pickle that keeps something at place {argument} after {count} steps is damaged")


class _NotedDtype:
    """In place of numpy.dtype: its code, and the byte order of its state."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code = str(code)
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])
        if state[3] is not None:
            raise SourceError("an array of records is not read")

    def made(self) -> Any:
        code = self.code if self.code[:1] in "<>=|" or self.order not in ("<", ">") else self.order + self.code
        found = np.dtype(code) if len(code) < 8 and "," not in code else None
        if found is None or found.kind not in _KINDS:
            raise SourceError(f"an array of the type {self.code[:40]!r} is not read")
        return found


class _NotedArray:
    """In place of an array: what it is made of."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = tuple(state)

    def made(self) -> Any:
        _, shape, dtype, by_columns, data = self.state
        if isinstance(dtype, _NotedDtype) and dtype.code.startswith("O") and isinstance(data, list):
            return data  # of objects, which are made plain as those of any list
        return _array(data, dtype, shape, "F" if by_columns else "C")


class _NotedScalar:
    """In place of one number of numpy."""

    def __init__(self, dtype: Any, data: Any = b"") -> None:
        self.dtype, self.data = dtype, data

    def made(self) -> Any:
        return _array(self.data, self.dtype, (), "C")[()]


class _NotedBuffer:
    """In place of `numpy.core.numeric._frombuffer`, of pickles of protocol 5."""

    def __init__(self, data: Any, dtype: Any, shape: Any, order: Any) -> None:
        self.parts = (data, dtype, shape, str(order))

    def made(self) -> Array:
        return _array(*self.parts)


def _array(data: Any, dtype: Any, shape: Any, order: str) -> Array:
    if not isinstance(dtype, _NotedDtype) or not isinstance(shape, tuple):
        raise SourceError("an array without a type or a shape is damaged")
    of_type = dtype.made()
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, bytes | bytearray) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise SourceError("an array of objects is not read")
    size = int(np.prod(shape, dtype=object)) * of_type.itemsize
    if size != len(raw):
        raise SourceError(f"an array of the shape {shape} holds {len(raw)} bytes instead of {size}")
    found: Array = np.frombuffer(bytes(raw), of_type).reshape(shape, order="F" if order == "F" else "C")
    return found.astype(of_type.newbyteorder("="), copy=False)


class _NotedClass:
    """In place of `numpy.ndarray`, which is only named."""


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    """In place of `_codecs.encode`, by which pickles of protocol 2 hold bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise SourceError("a pickle whose bytes are coded as no other is not read")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """In place of `bytes`, by which old protocols hold none."""
    return b""


_NAMES: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _NotedDtype,
    ("numpy", "ndarray"): _NotedClass,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("collections", "OrderedDict"): dict,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _NotedArray for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _NotedScalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _NotedBuffer for core in ("core", "_core")},
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for here."""
        found = _NAMES.get((module, name))
        if found is None:
            raise SourceError(
                f"it names {module}.{name}, which is no plain container and no array; nothing of it was run"
            )
        return found


def _plain(value: Any, depth: int) -> Any:
    """The value with arrays in place of what was noted. Raises: SourceError for what is not plain."""
    if depth > _DEEPEST:
        raise SourceError(f"containers within containers, more than {_DEEPEST} deep, are not read")
    if isinstance(value, _NotedArray | _NotedScalar | _NotedBuffer):
        made = value.made()
        return _plain(made, depth + 1) if isinstance(made, list) else made
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    raise SourceError(f"it holds a {type(value).__name__.removeprefix('_Noted')}, which is no plain value")
