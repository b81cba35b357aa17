"""Frames given one by one, as LeRobot's `add_frame` takes them: checked, recorded, and handed over as a recording."""

import logging
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, PlanError
from telecine.core.findings import Finding
from telecine.core.grid import Grid, tick_at
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.core.recording import MemoryStream, Recording, Ref, Schema
from telecine.core.text.numbers import counted
from telecine.recorder.episode import LiveEpisode
from telecine.recorder.options import RecorderOptions
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.format import CLOCK
from telecine.sources.recorder_spool.source import recording_of

_LOG = logging.getLogger("telecine.compat")

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
        raise PlanError(f"the features have {counted(len(problems), 'mistake')}:\n  " + "\n  ".join(problems))
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


class FrameEpisode:
    """The frames of one episode so far, all checked, recorded in `folder` as the recorder does."""

    def __init__(self, columns: Sequence[FeatureColumn], fps: int, folder: Path) -> None:
        self._columns, self._fps = columns, fps
        self._tasks: list[str] = []
        cameras = {c.key: "train" if c.dtype == "video" else "images" for c in columns if c.dtype in ("video", "image")}
        options = RecorderOptions(
            fps,
            names={c.key: c.names for c in columns if c.names and c.key not in cameras},
            video={key: {"preset": preset} for key, preset in cameras.items()} or None,
        )
        self._live = LiveEpisode("frames", folder, options, on_finding=_log, label="frames")

    @property
    def count(self) -> int:
        """Frames so far."""
        return len(self._tasks)

    def add(self, frame: Mapping[str, Any]) -> None:
        """Take a frame: a value per feature, and `task`.

        Raises:
            DatasetError: naming every value that does not fit the features, or the disk is full; nothing of it is
                added then.
        """
        values = _checked_frame(frame, self._columns)
        try:
            self._live.add(tick_at(self.count, self._fps), values)
        except PlanError as error:
            raise DatasetError(f"the frame does not fit the features: {error}") from error
        self._tasks.append(frame["task"])

    def recording(self, name: str) -> Recording:
        """All of it as streams with a sample at every tick, named like the features. No frame can be added then.

        Raises: DatasetError when something could not be written.
        """
        path = str(self._live.finish({}))
        ticks = Grid(0, self.count, Fraction(self._fps)).ticks()
        task = MemoryStream("task", "text", Schema("string"), {CLOCK: ticks}, self._tasks, "duration")
        streams = recording_of(Ref("frames", name), layout.scan(path), path).streams
        return Recording(Ref("frames", name), {**streams, "task": task})

    def close(self) -> None:
        """Remove what was recorded. May be called again."""
        self._live.abandon()


def _log(finding: Finding) -> None:
    """Offline, frames come faster than they can be coded, which is no news."""
    _LOG.log(logging.INFO if finding.code == "record-behind" else logging.WARNING, "%s", finding)


def _checked_frame(frame: Mapping[str, Any], columns: Sequence[FeatureColumn]) -> dict[str, Any]:
    """The values by feature. Raises: DatasetError naming every one that does not fit."""
    expected, given = {c.key for c in columns} | {"task"}, set(frame)
    problems = [f"{key}: missing" for key in sorted(expected - given)]
    problems += [f"{key}: no such feature" for key in sorted(given - expected)]
    checked: dict[str, Any] = {}
    for column in columns:
        if column.key in frame:
            try:
                checked[column.key] = _checked(frame[column.key], column)
            except ValueError as error:
                problems.append(f"{column.key}: {error}")
    if "task" in frame and not isinstance(frame["task"], str):
        problems.append(f"task: got {type(frame['task']).__name__}, expected a text")
    if problems:
        raise DatasetError("the frame does not fit the features: " + "; ".join(problems))
    return checked


def _checked(value: Any, column: FeatureColumn) -> Any:
    """The value as it is recorded. Raises: ValueError saying what was got and what expected."""
    if column.dtype == "string":
        if not isinstance(value, str):
            raise ValueError(f"got {type(value).__name__}, expected a text")
        return value
    array = np.asarray(value)
    if column.dtype in ("video", "image"):
        return _rgb(array, column.shape)
    if array.dtype != np.dtype(column.dtype) or array.shape != column.shape:
        raise ValueError(f"got {array.dtype} {array.shape}, expected {column.dtype} {column.shape}")
    return array


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
