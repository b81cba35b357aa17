"""Pickles of plain containers and numpy arrays (of objects: as lists), read without running anything that they name.

A pickle is a program: it may name any function and call it. Here the few names that numpy's arrays need stand for
classes of our own, which only note what they are given; every other name is refused, and so is what would make the
reader take memory that the file does not hold. Arrays are then made of the noted bytes, checked against their shape.

Formats: https://docs.python.org/3/library/pickletools.html; numpy `core/src/multiarray/methods.c`, `array_reduce`.
"""

import io
import pickle  # nosec B403  # only names of our own, see `_Reader`
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.sources.pickles.pickle_program import check_program
from telecine.sources.shared.confinement import open_regular

LARGEST_BYTES = 1 << 30
_DEEPEST = 32
_SPREAD, _SPARE_BYTES = 8, 1 << 22
"""What a pickle holds may take, in times of its bytes and beyond: it may name one object many times."""
_NUMBER_BYTES = 8
_KINDS = "biuf"
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
        check_program(data)
        most = _SPREAD * len(data) + _SPARE_BYTES
        return _plain(_Reader(data, most).load(), 0, most, {})[0]
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    except _FAILURES as error:
        raise SourceError(f"{path}: is no pickle that can be read: {type(error).__name__}: {error}") from error


class _NotedDtype:
    """In place of numpy.dtype: its code, and the byte order of its state."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code = _text(code)
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])
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
        self.state = state

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
        self.parts = (data, dtype, shape, _text(order))

    def made(self) -> Array:
        return _array(*self.parts)


def _text(value: Any) -> str:
    """The value, which has to be a text: others could be spread out without end by writing them."""
    if not isinstance(value, str):
        raise SourceError(f"it has a {type(value).__name__} where an array's type is named")
    return value


def _array(data: Any, dtype: Any, shape: Any, order: str) -> Array:
    if not isinstance(dtype, _NotedDtype) or not isinstance(shape, tuple) or len(shape) > _DEEPEST:
        raise SourceError("an array without a type or a shape is damaged")
    of_type = dtype.made()
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, bytes | bytearray) or not all(isinstance(n, int) and 0 <= n < 1 << 63 for n in shape):
        raise SourceError("an array of objects is not read")
    size = int(np.prod(shape, dtype=object)) * of_type.itemsize
    if size != len(raw):
        raise SourceError(f"an array of the shape {shape} holds {counted(len(raw), 'byte')} instead of {size}")
    found: Array = np.frombuffer(bytes(raw), of_type).reshape(shape, order="F" if order == "F" else "C")
    return found.astype(of_type.newbyteorder("="), copy=False)


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
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("collections", "OrderedDict"): dict,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _NotedArray for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _NotedScalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _NotedBuffer for core in ("core", "_core")},
}
_ONLY_NAMED = ("numpy", "ndarray")


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes, most_bytes: int) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._left_bytes = most_bytes

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for here: a function of our own, never a class, whose attributes a pickle could set."""
        if (module, name) == _ONLY_NAMED:
            return name
        found = _NAMES.get((module, name))
        if found is None:
            raise SourceError(
                f"it names {module}.{name}, which is no plain container and no array; nothing of it was run"
            )

        def make(*arguments: Any) -> Any:
            """Called as often as the pickle likes, with what it holds once: copies are counted."""
            made = found(*arguments)
            self._left_bytes -= len(made) if isinstance(made, bytes | dict) else 0
            if self._left_bytes < 0:
                raise SourceError("it makes far more of its bytes than there are")
            return made

        return make


Plain = tuple[Any, int]
"""A value, and about how many bytes it takes where everything that it names stands by itself."""


def _plain(value: Any, depth: int, most: int, known: dict[int, Plain]) -> Plain:
    """The value with arrays in place of what was noted; each object once, however often it is named.

    known: what was made of objects, by their id. Raises: SourceError for what is not plain, or more than `most` bytes.
    """
    if depth > _DEEPEST:
        raise SourceError(f"containers within containers, more than {_DEEPEST} deep, are not read")
    if id(value) in known:
        return known[id(value)]
    made: Any
    if isinstance(value, _NotedArray | _NotedScalar | _NotedBuffer):
        made = value.made()
        made, size = _plain(made, depth + 1, most, known) if isinstance(made, list) else (made, int(made.nbytes))
    elif isinstance(value, dict):
        parts = {_key(key): _plain(item, depth + 1, most, known) for key, item in value.items()}
        made, size = {key: part for key, (part, _) in parts.items()}, sum(part for _, part in parts.values())
    elif isinstance(value, list | tuple):
        items = [_plain(item, depth + 1, most, known) for item in value]
        made, size = [part for part, _ in items], sum(part for _, part in items)
    elif value is None or isinstance(value, bool | int | float | str | bytes):
        made, size = value, len(value) if isinstance(value, str | bytes) else 0
    else:
        raise SourceError(f"it holds a {type(value).__name__.removeprefix('_Noted')}, which is no plain value")
    size += _NUMBER_BYTES
    if size > most:
        raise SourceError(f"it names the same objects so often that they take more than {counted(most, 'byte')}")
    known[id(value)] = made, size
    return made, size


def _key(key: Any) -> str:
    if key is None or isinstance(key, str | int | float | bytes):
        return str(key)
    raise SourceError(f"a dict with a key that is a {type(key).__name__} is not read")
