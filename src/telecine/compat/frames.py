"""Frames given one by one, as LeRobot's `add_frame` takes them: checked, buffered, and handed over as a recording.

Images go to one uncompressed file per camera beside the dataset until the episode is saved, so that memory holds
one of them at a time.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, PlanError
from telecine.core.grid import Grid
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.core.recording import Image, MemoryStream, Recording, Ref, Schema

CLOCK = "frame_time"
OWN = ("timestamp", "frame_index", "episode_index", "index", "task_index")
"""LeRobot's own columns, which it and telecine fill in."""


def parse_features(features: Mapping[str, Mapping[str, Any]]) -> tuple[FeatureColumn, ...]:
    """LeRobot's features, its own columns left out; cameras as (height, width, 3), dtype "video" or "image".

    Raises:
        PlanError: naming every feature that cannot be written.
    """
    problems: list[str] = []
    columns: list[FeatureColumn] = []
    for key, spec in features.items():
        if key in OWN:
            continue
        try:
            dtype, shape = str(spec["dtype"]), tuple(int(n) for n in spec["shape"])
            columns.append(_parsed(key, dtype, shape, _flat(spec.get("names"))))
        except (KeyError, TypeError) as error:
            problems.append(f"features.{key}: needs dtype, shape and names, got {spec!r} ({error!r})")
        except PlanError as error:
            problems.append(f"features.{key}: {error}")
    if problems:
        raise PlanError(f"the features have {len(problems)} mistake(s):\n  " + "\n  ".join(problems))
    return tuple(columns)


def _parsed(key: str, dtype: str, shape: tuple[int, ...], names: tuple[str, ...] | None) -> FeatureColumn:
    if dtype not in ("video", "image"):
        return FeatureColumn(key, dtype, shape, names)
    if not key.startswith(IMAGES):
        raise PlanError(f"cameras are named {IMAGES}NAME; rename it")
    if len(shape) == 3 and (names or ("",))[0].startswith("channel"):
        shape = (*shape[1:], shape[0])
    if len(shape) != 3 or shape[2] != 3:
        raise PlanError(f"shape {shape} is not (height, width, 3); only colour images can be stored")
    return FeatureColumn(key, dtype, shape, ("height", "width", "channels"))


def _flat(names: Any) -> tuple[str, ...] | None:
    """Names as one tuple; LeRobot also knows them grouped, {"motors": [...]}."""
    if isinstance(names, Mapping):
        names = [name for group in names.values() for name in (group if isinstance(group, list | tuple) else [group])]
    return None if names is None else tuple(str(name) for name in names)


def frames_plan(columns: Sequence[FeatureColumn], *, fps: int) -> Plan:
    """The plan for rows that are on the grid already: every feature is the stream of its own name.

    Raises:
        PlanError: naming every mistake in the features.
    """
    features: dict[str, Any] = {}
    for column in columns:
        if column.dtype in ("video", "image"):
            preset = "train" if column.dtype == "video" else "images"
            features[column.key] = {"from": column.key, "video": {"preset": preset}}
        else:
            features[column.key] = {"from": column.key, "dtype": column.dtype, "names": column.names}
    return make_plan(
        {
            "fps": fps,
            "clock": {"timeline": CLOCK, "phase": "0s"},
            "features": features,
            "task": {"from": "task"},
        }
    )


class FrameBuffer:
    """The frames of one episode so far, all checked."""

    def __init__(self, columns: Sequence[FeatureColumn], fps: int, folder: Path) -> None:
        self.count = 0
        self._columns = columns
        self._fps = fps
        self._tasks: list[str] = []
        self._values: dict[str, list[Any]] = {c.key: [] for c in columns if c.dtype not in ("video", "image")}
        cameras = [c for c in columns if c.dtype in ("video", "image")]
        self._images = {c.key: _Images(folder / f"{i}.rgb", c.shape) for i, c in enumerate(cameras)}

    def add(self, frame: Mapping[str, Any]) -> None:
        """Take a frame: a value per feature, and `task`.

        Raises:
            DatasetError: naming every value that does not fit the features; nothing of it is added then.
        """
        expected, given = {c.key for c in self._columns} | {"task"}, set(frame)
        problems = [f"{key}: missing" for key in sorted(expected - given)]
        problems += [f"{key}: no such feature" for key in sorted(given - expected)]
        checked: dict[str, Any] = {}
        for column in self._columns:
            if column.key in frame:
                try:
                    checked[column.key] = _checked(frame[column.key], column)
                except ValueError as error:
                    problems.append(f"{column.key}: {error}")
        if "task" in frame and not isinstance(frame["task"], str):
            problems.append(f"task: got {type(frame['task']).__name__}, expected a text")
        if problems:
            raise DatasetError("the frame does not fit the features: " + "; ".join(problems))
        for key, value in checked.items():
            (self._values[key] if key in self._values else self._images[key]).append(value)
        self._tasks.append(frame["task"])
        self.count += 1

    def recording(self, name: str) -> Recording:
        """The frames as streams with a sample at every tick, named like the features; closing it leaves the files."""
        ticks = Grid(0, self.count, Fraction(self._fps)).ticks()
        streams = [MemoryStream("task", "text", Schema("string"), {CLOCK: ticks}, self._tasks, "duration")]
        for column in self._columns:
            values: Any
            if column.key in self._images:
                values, kind, schema = self._images[column.key], "image", _image_schema(column)
            elif column.dtype == "string":
                values, kind, schema = self._values[column.key], "text", Schema("string")
            else:
                values, kind = np.stack(self._values[column.key]), "vector"
                schema = Schema(column.dtype, column.shape, column.names)
            streams.append(MemoryStream(column.key, kind, schema, {CLOCK: ticks}, values, "duration"))
        return Recording(Ref("frames", name), {s.name: s for s in streams})


def _image_schema(column: FeatureColumn) -> Schema:
    return Schema("uint8", column.shape, encoding="rgb24")


def _checked(value: Any, column: FeatureColumn) -> Any:
    """The value as it is buffered. Raises: ValueError saying what was got and what expected."""
    if column.dtype == "string":
        if not isinstance(value, str):
            raise ValueError(f"got {type(value).__name__}, expected a text")
        return value
    array = np.asarray(value)
    if column.dtype in ("video", "image"):
        return _rgb(array, column.shape)
    if array.dtype != np.dtype(column.dtype) or array.shape != column.shape:
        raise ValueError(f"got {array.dtype} {array.shape}, expected {column.dtype} {column.shape}")
    return array.copy()


def _rgb(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8 of an image with channels last or first, 0..255 or floats in [0, 1]."""
    if array.shape == (shape[2], *shape[:2]) and array.shape != shape:
        array = np.moveaxis(array, 0, -1)
    if array.shape != shape:
        raise ValueError(f"got {array.shape}, expected {shape} or {(shape[2], *shape[:2])}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"got {array.dtype}, expected uint8, or floats from 0 to 1")
    if not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"got floats from {array.min():.4g} to {array.max():.4g}, expected 0 to 1")
    out: npt.NDArray[np.uint8] = np.rint(array * 255).astype(np.uint8)
    return out


class _Images:
    """Images of one size in a file, read one at a time."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path = path
        self._height, self._width = shape[0], shape[1]
        self._size = int(np.prod(shape))
        self._count = 0

    def append(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Write an image behind the last. Raises: DatasetError when the disk is full."""
        try:
            with self._path.open("r+b" if self._count else "wb") as file:
                file.seek(self._count * self._size)
                file.write(rgb.data)
        except OSError as error:
            raise DatasetError(f"{self._path}: an image cannot be stored: {error.strerror or error}") from error
        self._count += 1

    def __getitem__(self, at: int) -> Image:
        with self._path.open("rb") as file:
            file.seek(at * self._size)
            return Image(file.read(self._size), "rgb24", self._width, self._height)
