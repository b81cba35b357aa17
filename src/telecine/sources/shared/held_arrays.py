"""Rows that are no array on disk, asked for as one is: values in memory, and a file for each frame of a camera."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.text.numbers import counted, counted_of
from telecine.sources.shared.arrays import ArrayPart
from telecine.sources.shared.confinement import confined, open_regular
from telecine.sources.shared.timing import Timing

_MOST_NAMED = 5


def frames_of_steps(
    name: str, folder: str, files: Mapping[int, str], steps: int, timing: Timing
) -> tuple[ArrayPart, str]:
    """A camera whose frames are files, each at the step that it is of, and what is missing; "" where nothing is.

    files: step -> name in `folder`. A step whose file is not there has no frame: none moves to another step.
    Raises: SourceError where no step has one.
    """
    there = [step for step in sorted(files) if 0 <= step < steps and _size(Path(folder) / files[step]) >= 0]
    if not there:
        raise SourceError(f"none of its {counted(steps, 'step')} has a frame")
    rows = None if len(there) == steps else np.array(there, np.int64)
    part = ArrayPart(name, ImageFiles(folder, [files[step] for step in there]), 0, len(there), timing, rows)
    behind = sum(step >= steps for step in files)
    said = [f"{counted(behind, 'frame')} behind the last of {counted(steps, 'step')} left out"] if behind else []
    if rows is not None:
        gone = sorted(set(range(steps)) - set(there))
        named = ", ".join(map(str, gone[:_MOST_NAMED])) + (" ..." if len(gone) > _MOST_NAMED else "")
        said.append(
            f"{counted_of(len(gone), steps, 'step', 'has', 'have')} no frame ({named}): the one before stands "
            "in, within its limit"
        )
    return part, f"{name}: {'; '.join(said)}" if said else ""


class ImageFiles:
    """One file for each row. folder: which the files must not lead out of; names: relative to it."""

    chunks = None

    def __init__(self, folder: str, names: Sequence[str]) -> None:
        self._inside, self._folder, self._names = confined(folder), Path(folder), names
        self.shape = (len(names),)
        longest = max((_size(self._folder / name) for name in names), default=1)
        self.dtype = np.dtype(f"S{max(longest, 1)}")

    def __getitem__(self, rows: slice) -> list[bytes]:
        return [self._read(number) for number in range(*rows.indices(len(self._names)))]

    def _read(self, number: int) -> bytes:
        name = self._names[number]
        path = self._inside.check(self._folder / name)
        with raised_as(SourceError, f"{name}: cannot be read", OSError), open_regular(path) as file:
            return file.read()


def _size(place: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return place.stat().st_size if place.is_file() else -1
    except (OSError, ValueError):
        return -1


class HeldArray:
    """Values in memory, asked for as an array on disk is."""

    chunks = None

    def __init__(self, values: Any) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, rows: Any) -> Any:
        return self._values[rows]
