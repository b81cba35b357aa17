"""Rows that are no array on disk, asked for as one is: values in memory, and a file for each frame of a camera."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.sources.shared.confinement import confined, open_regular


class ImageFiles:
    """One file for each row. A row whose name is no text is missing: reading it is an error that names it.

    folder: which the files must not lead out of; names: relative to it.
    """

    chunks = None

    def __init__(self, folder: str, names: Sequence[Any]) -> None:
        self._inside, self._folder, self._names = confined(folder), Path(folder), names
        self.shape = (len(names),)
        longest = max((self._size(name) for name in names), default=1)
        self.dtype = np.dtype(f"S{max(longest, 1)}")

    def _size(self, name: Any) -> int:
        place = self._folder / str(name)
        return place.stat().st_size if place.is_file() else 0

    def __getitem__(self, rows: slice) -> list[bytes]:
        return [self._read(number) for number in range(*rows.indices(len(self._names)))]

    def _read(self, number: int) -> bytes:
        name = self._names[number]
        if not isinstance(name, str):
            raise SourceError(f"step {number} has no frame of this camera")
        path = self._inside.check(self._folder / name)
        with raised_as(SourceError, f"{name}: cannot be read", OSError), open_regular(path) as file:
            return file.read()


class HeldArray:
    """Values in memory, asked for as an array on disk is."""

    chunks = None

    def __init__(self, values: Any) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, rows: Any) -> Any:
        return self._values[rows]
