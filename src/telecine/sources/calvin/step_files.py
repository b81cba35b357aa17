"""The npz files of CALVIN, one for each step: their arrays as columns, read without unpickling anything.

An npz file is a ZIP archive of npy files. Small arrays of all steps are read in one pass; a frame when it is asked for.
Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.sources.shared.confinement import Confinement, open_regular
from telecine.sources.shared.zip_members import read_member

_LARGEST_BYTES = 64 << 20
"""Of one array of one step."""
_LARGEST_STEP = 1 << 28
_LARGEST_FILE = 1 << 30
_SMALL = 256
"""Numbers of a step in an array that is read with those of all other steps."""
_DIGITS = (7, 6)
"""Of the number in a file's name: as the renderer writes it, and as `render_low_freq.py` does."""
_FAILURES = (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


class CalvinSteps:
    """The steps of one recording. members: name of an array -> (shape, type) of a step, as the first one has it."""

    def __init__(self, inside: Confinement, folder: str, numbers: range) -> None:
        self._inside, self._folder, self._numbers = inside, Path(folder), numbers
        self._digits = next((d for d in _DIGITS if self._named(numbers[0], d).is_file()), _DIGITS[0])
        if missing := sum(not self._place(n).is_file() for n in numbers):
            raise SourceError(
                f"{folder}: {missing} of the {counted(len(numbers), 'step')} {numbers[0]} to {numbers[-1]} are missing"
            )
        first = self._arrays(numbers[0], None)
        self.members: Mapping[str, tuple[tuple[int, ...], Any]] = {k: (v.shape, v.dtype) for k, v in first.items()}

    def __len__(self) -> int:
        return len(self._numbers)

    def column(self, name: str) -> "CalvinColumn":
        """One array of all steps."""
        shape, dtype = self.members[name]
        return CalvinColumn(self, name, (len(self), *shape), dtype)

    def _place(self, number: int) -> Path:
        return self._named(number, self._digits)

    def _named(self, number: int, digits: int) -> Path:
        return self._folder / f"episode_{number:0{digits}d}.npz"

    def is_small(self, name: str) -> bool:
        """True for what is read with those of all steps."""
        return int(np.prod(self.members[name][0])) <= _SMALL

    @cached_property
    def small(self) -> Mapping[str, Array]:
        """Name -> (steps, ...) of every small array. Raises: SourceError."""
        names = [name for name in self.members if self.is_small(name)]
        steps = [self._arrays(number, names) for number in self._numbers]
        return {name: np.stack([step[name] for step in steps]) for name in names}

    def read(self, row: int, name: str) -> Array:
        """An array of one step. Raises: SourceError."""
        return self._arrays(self._numbers[row], [name])[name]

    def _arrays(self, number: int, names: list[str] | None) -> dict[str, Array]:
        """The arrays of one step, all of them for None; of those that are named shape and type are checked."""
        place = Path(self._inside.check(self._place(number)))
        found = {}
        with (
            raised_as(SourceError, f"{place}: cannot be read", *_FAILURES),
            open_regular(place) as file,
            zipfile.ZipFile(file) as archive,
        ):
            entries = archive.namelist() if names is None else [f"{name}.npy" for name in names]
            if (size := sum(archive.getinfo(entry).file_size for entry in entries)) > _LARGEST_STEP:
                raise ValueError(f"a step has {counted(size, 'byte')}; more than {_LARGEST_STEP} are taken for damage")
            for entry in entries:
                found[entry.removesuffix(".npy")] = _member(archive, entry)
        for name in names or ():
            if (found[name].shape, found[name].dtype) != self.members[name]:
                raise SourceError(f"{place}: {name} is {found[name].dtype} of shape {found[name].shape}, unlike before")
        return found


class CalvinColumn:
    """One array of all steps, asked for as an array on disk is."""

    chunks = None

    def __init__(self, steps: CalvinSteps, name: str, shape: tuple[int, ...], dtype: Any) -> None:
        self._steps, self._name = steps, name
        self.shape, self.dtype = shape, dtype

    def __getitem__(self, rows: slice) -> Any:
        if self._steps.is_small(self._name):
            return self._steps.small[self._name][rows]
        return [self._steps.read(row, self._name) for row in range(*rows.indices(len(self._steps)))]


def _member(archive: zipfile.ZipFile, entry: str) -> Array:
    return _array(read_member(archive, entry, _LARGEST_BYTES))


def _array(data: bytes) -> Array:
    """The array of an npy file: what its header promises is there."""
    shape, by_columns, dtype, start = _header(data)
    if dtype.hasobject:
        raise ValueError("it holds objects, expected numbers")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size != len(data) - start:
        raise ValueError(f"an array of the shape {shape} holds {counted(len(data) - start, 'byte')} instead of {size}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if by_columns else "C")


def _header(data: bytes) -> tuple[tuple[int, ...], bool, Any, int]:
    """(shape, is it stored by columns, type, where its elements begin)."""
    stream, form = io.BytesIO(data), cast("Any", np.lib.format)  # numpy states no types for these
    major, _ = form.read_magic(stream)
    header = form.read_array_header_1_0 if major == 1 else form.read_array_header_2_0
    shape, by_columns, dtype = header(stream)
    return shape, by_columns, dtype, stream.tell()


def read_plain_npy(path: Path, unpickle: Callable[[bytes, Path], Any] | None) -> Any:
    """The array in an npy file; one of objects as the list of what `unpickle` makes of them. Raises: SourceError."""
    with raised_as(SourceError, f"{path}: cannot be read", *_FAILURES), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _LARGEST_FILE:
            raise ValueError(f"it is longer than {_LARGEST_FILE} bytes")
        data = file.read(size)
        *_, dtype, start = _header(data)
        if not dtype.hasobject:
            return _array(data)
    if unpickle is None:
        raise SourceError(f"{path}: holds objects, expected numbers")
    found = unpickle(data[start:], path)
    return found if isinstance(found, list) else [found]
