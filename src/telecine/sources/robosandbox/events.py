"""events.jsonl of a RoboSandbox run as arrays: one line per control step that the recorder kept.

Written line by line while the simulation runs, so a killed run ends within a line: that line is left out and said
so. Anything else that is not as the recorder writes it is an error with its line number.
Format: `LocalRecorder` of github.com/amarrmb/robosandbox, commit 0a4d084.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.errors import SourceError, raised_as
from telecine.core.grid import SECOND, Times
from telecine.core.text.numbers import counted

Line = Mapping[str, Any]
_POSE = (("xyz", 3), ("quat_xyzw", 4))


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """Vectors that some or all lines hold."""

    times: Times
    values: npt.NDArray[np.float64]
    """(len(times), width)."""


@dataclass(frozen=True, eq=False, slots=True)
class Events:
    """All whole lines of one file.

    times: (n,) ns since the simulation's last reset, non-decreasing.
    joints: (n, dof) in rad. gripper: (n, grippers), opening as the recorder has it, or None.
    action: None when no line holds one; its width is that of joints and gripper when it was recorded by name.
    """

    times: Times
    joints: Series
    gripper: Series | None
    end_effector: Series | None
    objects: Mapping[str, Series]
    action: Series | None
    torn: bool
    """The last line was cut off and left out."""

    @property
    def state(self) -> Series:
        """Joints, then gripper."""
        parts = [self.joints.values] + ([self.gripper.values] if self.gripper is not None else [])
        return Series(self.times, np.concatenate(parts, axis=1))


@dataclass(slots=True)
class _Collected:
    """Times and vectors of one series while lines are read."""

    times: list[int] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)

    def add(self, time_ns: int, value: list[float], where: str) -> None:
        if self.values and len(value) != len(self.values[0]):
            raise SourceError(f"{where} holds {counted(len(value), 'number')}, the lines before {len(self.values[0])}")
        self.times.append(time_ns)
        self.values.append(value)

    def series(self) -> Series:
        return Series(np.array(self.times, np.int64), np.array(self.values, np.float64))


def read_events(path: Path) -> Events:
    """Every whole line of `path`. Raises: SourceError naming the line that is not as expected."""
    series: dict[str, _Collected] = {}
    times: list[int] = []
    by_name: set[bool] = set()
    lines, torn = _lines(path)
    for number, line in lines:
        where = f"{path.name} line {number}"
        time_ns = _time(line, where)
        if times and time_ns < times[-1]:
            raise SourceError(
                f"{where}: t goes back from {times[-1] / 1e9:.3f} s to {time_ns / 1e9:.3f} s; "
                "the simulation was reset within the run, so split the run there"
            )
        times.append(time_ns)
        for key, value in _vectors(line, where):
            series.setdefault(key, _Collected()).add(time_ns, value, f"{where}: {key}")
        if isinstance(line.get("action"), dict):
            by_name.add(True)
        elif line.get("action") is not None:
            by_name.add(False)
    return _events(path, np.array(times, np.int64), series, by_name, torn)


def _events(path: Path, times: Times, series: dict[str, _Collected], by_name: set[bool], torn: bool) -> Events:
    found = {key: collected.series() for key, collected in series.items()}
    for key in ("robot_joints", "gripper_width"):
        if key in found and found[key].times.size != times.size:
            raise SourceError(f"{path.name}: {key} is in {found[key].times.size} of {counted(times.size, 'line')}")
    if len(by_name) > 1:
        raise SourceError(f"{path.name}: action is recorded by name in some lines and as a list in others")
    empty = Series(times, np.empty((times.size, 0)))
    return Events(
        times=times,
        joints=found.get("robot_joints", empty),
        gripper=found.get("gripper_width"),
        end_effector=found.get("ee_pose"),
        objects={key.removeprefix("objects/"): s for key, s in found.items() if key.startswith("objects/")},
        action=found.get("action"),
        torn=torn,
    )


def _lines(path: Path) -> tuple[Iterator[tuple[int, Line]], bool]:
    """(number, line) of every whole line, and whether the file ends within one."""
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        content = path.read_bytes()
    raw = content.split(b"\n")
    last = raw.pop()
    torn = False
    if last.strip():  # no line break at the end: whole when the writer was somebody else, or cut off
        torn = _parsed(last) is None
        raw += [] if torn else [last]
    return _whole(path, raw), torn


def _whole(path: Path, raw: Sequence[bytes]) -> Iterator[tuple[int, Line]]:
    for number, text in enumerate(raw, 1):
        if not text.strip():
            continue
        line = _parsed(text)
        if line is None:
            raise SourceError(f"{path.name} line {number} is not a JSON object: {text[:60]!r}")
        yield number, line


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):  # ValueError: not JSON, not UTF-8, absurdly long numbers
        return None
    return line if isinstance(line, dict) else None


def _time(line: Line, where: str) -> int:
    seconds = line.get("t")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < 1e9:
        raise SourceError(f"{where}: t is {seconds!r}, expected seconds of simulated time")
    return round(seconds * SECOND)


def _vectors(line: Line, where: str) -> Iterator[tuple[str, list[float]]]:
    """(series, numbers) of everything measured in a line."""
    yield "robot_joints", numbers(line.get("robot_joints"), f"{where}: robot_joints")
    if line.get("gripper_width") is not None:
        yield "gripper_width", numbers(line["gripper_width"], f"{where}: gripper_width")
    if line.get("ee_pose") is not None:
        yield "ee_pose", _pose(line["ee_pose"], f"{where}: ee_pose")
    objects = line.get("objects")
    for name, pose in (objects if isinstance(objects, dict) else {}).items():
        yield f"objects/{name}", _pose(pose, f"{where}: objects.{name}")
    action = line.get("action")
    if isinstance(action, dict):
        parts = [numbers(action.get(key), f"{where}: action.{key}") for key in ("joints", "gripper") if key in action]
        yield "action", [n for part in parts for n in part]
    elif action is not None:
        yield "action", numbers(action, f"{where}: action")


def _pose(value: Any, where: str) -> list[float]:
    if not isinstance(value, dict):
        raise SourceError(f"{where} is {value!r}, expected xyz and quat_xyzw")
    parts = [numbers(value.get(key), f"{where}.{key}", width) for key, width in _POSE]
    return [n for part in parts for n in part]


def numbers(value: Any, where: str, width: int | None = None) -> list[float]:
    """A number or a list of them. NaN is kept: alignment names the rows that would hold it."""
    items = value if isinstance(value, list) else [value]
    good = all(isinstance(n, int | float) and not isinstance(n, bool) for n in items)
    if not good or not items or (width is not None and len(items) != width):
        expected = "numbers" if width is None else f"{counted(width, 'number')}"
        raise SourceError(f"{where} is {str(value)[:60]}, expected {expected}")
    try:
        return [float(n) for n in items]
    except OverflowError:
        return [math.inf if not isinstance(n, float) else n for n in items]
