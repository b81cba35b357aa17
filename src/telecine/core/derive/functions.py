"""The functions of derived columns: what each computes, what its elements are called, and what undoes it. Pure.

Arguments are columns of (n, w) numbers, n rows of whole episodes one after the other, and constants. What looks at
other rows (`shift`, `difference`, `delta`, `velocity`, `unwrap` ...) never looks into another episode.
"""

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.derive import rotations
from telecine.core.derive.kinematics import POSE, Robot, forward_kinematics

Rows = npt.NDArray[Any]
PLAIN, RAD = "", "rad"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the elements of a value are; None or "" where nobody knows."""

    names: tuple[str, ...] | None = None
    units: str = ""
    frame: str = ""
    """What the values are in, or relative to."""
    key: str = ""
    """Of a column as it is."""


@dataclass(frozen=True, eq=False, slots=True)
class RowBlock:
    """The rows that are computed together.

    starts: (episodes,) first row of each; count: of all rows.
    """

    starts: npt.NDArray[np.int64]
    count: int
    fps: float
    robot: Robot | None = None

    @property
    def bounds(self) -> tuple[Rows, Rows]:
        """((n,) first row, (n,) last row) of the episode of each row."""
        lengths = np.diff(np.append(self.starts, self.count))
        return np.repeat(self.starts, lengths), np.repeat(self.starts + lengths - 1, lengths)

    def later(self, values: Rows, rows: int) -> Rows:
        """The values so many rows later (earlier if negative); at an end those of the last (first) row."""
        lasts = np.append(self.starts[1:], self.count) - 1
        made, far = np.empty_like(values), min(abs(rows), self.count)
        if rows >= 0:
            made[: self.count - far] = values[far:]
        else:
            made[far:] = values[: self.count - far]
        for row in range(min(far, int((lasts - self.starts).max(initial=0)) + 1)):  # those that left their episode
            to = np.maximum(lasts - row, self.starts) if rows > 0 else np.minimum(self.starts + row, lasts)
            made[to] = values[lasts if rows > 0 else self.starts]
        return made


@dataclass(frozen=True, slots=True)
class Function:
    """One function. run: (rows, *arguments) -> value. about: (meanings of the arguments) -> that of the value."""

    run: Callable[..., Rows]
    about: Callable[..., Meaning] = lambda first=Meaning(), *_: first
    undone_by: str = ""
    """The function that gives the first argument back from the value and the other arguments."""


def _named(*names: str, units: str = "") -> Callable[..., Meaning]:
    return lambda first=Meaning(), *_: Meaning(names, units, first.frame)


def _difference(rows: RowBlock, x: Rows) -> Rows:
    return np.asarray(x - rows.later(x, -1))


def _velocity(rows: RowBlock, x: Rows) -> Rows:
    """Between the neighbours of a row; of the first and last row to the one beside it."""
    made = (rows.later(x, 1) - rows.later(x, -1)).astype(_float(x), copy=False)
    made *= rows.fps / 2
    lasts = np.append(rows.starts[1:], rows.count) - 1
    for ends in (rows.starts, lasts):
        made[ends] *= 2
    return made


def _float(x: Rows) -> Any:
    return x.dtype if np.issubdtype(x.dtype, np.floating) else np.float64


def _accumulate(rows: RowBlock, x: Rows, first: Rows) -> Rows:
    """What `delta` made x of: the value of `first` in an episode's first row, and the changes up to each row."""
    sums = np.cumsum(x, axis=0, dtype=np.float64)
    before = np.concatenate([np.zeros((1, x.shape[1])), sums[:-1]])
    start = rows.bounds[0]
    return np.asarray(np.broadcast_to(first, x.shape)[start] + before - before[start]).astype(_float(x))


def _unwrap(rows: RowBlock, x: Rows) -> Rows:
    bounds = [*rows.starts.tolist(), rows.count]
    parts = [np.unwrap(x[a:b], axis=0) for a, b in pairwise(bounds)]
    return np.concatenate(parts)


def _wrap(x: Rows, period: float = 2 * np.pi) -> Rows:
    return np.asarray((x + period / 2) % period - period / 2)


def _normalized(x: Rows, low: float, high: float) -> Rows:
    """What is `low` becomes 0, `high` 1."""
    return np.asarray((x - low) / (high - low))


def _concat(rows: RowBlock, *parts: Any) -> Rows:
    wide = [np.broadcast_to(np.asarray(p), (rows.count, np.shape(p)[-1] if np.ndim(p) else 1)) for p in parts]
    return np.concatenate(wide, axis=1)


def _all_names(*parts: Meaning) -> Meaning:
    known = [name for part in parts for name in part.names or ()]
    complete = all(part.names for part in parts) and len(set(known)) == len(known)
    units = {part.units for part in parts}
    return Meaning(tuple(known) if complete else None, units.pop() if len(units) == 1 else "")


def _kinematics(rows: RowBlock, angles: Rows, link: str) -> Rows:
    if rows.robot is None:
        raise ValueError("forward_kinematics needs the robot; give its URDF with --urdf FILE")
    return forward_kinematics(rows.robot, angles, link)


def _of(function: Callable[..., Rows], about: Any = None, undone_by: str = "") -> Function:
    """A function that does not look at other rows."""
    run = lambda rows, *arguments: function(*arguments)  # noqa: E731, ARG005
    return Function(run, undone_by=undone_by) if about is None else Function(run, about, undone_by)


def _per_second(first: Meaning = Meaning(), *_: Meaning) -> Meaning:
    return replace(first, units=f"{first.units}/s" if first.units else "")


_QUAT, _SIX = _named(*POSE[3:]), _named("r11", "r21", "r31", "r12", "r22", "r32")
FUNCTIONS: Mapping[str, Function] = {
    "abs": _of(np.abs), "sqrt": _of(np.sqrt), "exp": _of(np.exp), "log": _of(np.log), "sign": _of(np.sign),
    "sin": _of(np.sin), "cos": _of(np.cos), "atan2": _of(np.arctan2, _named("angle", units=RAD)),
    "minimum": _of(np.minimum), "maximum": _of(np.maximum),
    "norm": _of(lambda x: np.linalg.norm(x, axis=1, keepdims=True), _named("norm")),
    "sum": _of(lambda x: np.sum(x, axis=1, keepdims=True), _named("sum")),
    "mean": _of(lambda x: np.mean(x, axis=1, keepdims=True), _named("mean")),
    "clip": _of(np.clip),
    "where": _of(np.where, lambda *parts: parts[1] if len(parts) > 1 and parts[1].names else Meaning()),
    "wrap": _of(_wrap),
    "unwrap": Function(_unwrap, undone_by="wrap"),
    "concat": Function(_concat, _all_names),
    "shift": Function(lambda rows, x, count: rows.later(x, int(count))),
    "difference": Function(_difference),
    "delta": Function(lambda rows, x: rows.later(x, 1) - x, undone_by="accumulate"),
    "accumulate": Function(_accumulate),
    "velocity": Function(_velocity, _per_second),
    "relative": _of(np.subtract, lambda x, ref: replace(x, frame=ref.key or ref.frame, key=""), "absolute"),
    "absolute": _of(np.add, undone_by="relative"),
    "normalize": _of(_normalized, lambda x, *_: replace(x, units="0 to 1"), "denormalize"),
    "denormalize": _of(lambda x, low, high: x * (high - low) + low, lambda x, *_: replace(x, units=""), "normalize"),
    "quat_continuous": Function(lambda rows, q: rotations.continuous(q, rows.starts), undone_by="quat_unit"),
    "quat_unit": _of(rotations.unit, undone_by="quat_unit"),
    "quat_from_wxyz": _of(lambda q: q[:, [1, 2, 3, 0]], _QUAT, "quat_to_wxyz"),
    "quat_to_wxyz": _of(lambda q: q[:, [3, 0, 1, 2]], _named("qw", "qx", "qy", "qz"), "quat_from_wxyz"),
    "quat_multiply": _of(rotations.multiply, _QUAT),
    "quat_inverse": _of(rotations.inverse, _QUAT, "quat_inverse"),
    "quat_relative": _of(lambda q, ref: rotations.multiply(rotations.inverse(ref), q), _QUAT, "quat_absolute"),
    "quat_absolute": _of(lambda q, ref: rotations.multiply(ref, q), _QUAT, "quat_relative"),
    "quat_rotate": _of(rotations.rotate, lambda q, v: replace(v, frame=q.frame)),
    "quat_to_6d": _of(rotations.to_6d, _SIX, "quat_from_6d"),
    "quat_from_6d": _of(rotations.from_6d, _QUAT, "quat_to_6d"),
    "quat_to_axis_angle": _of(rotations.to_axis_angle, _named("rx", "ry", "rz", units=RAD), "quat_from_axis_angle"),
    "quat_from_axis_angle": _of(rotations.from_axis_angle, _QUAT, "quat_to_axis_angle"),
    "quat_to_euler": _of(rotations.to_euler, _named("angle1", "angle2", "angle3", units=RAD), "quat_from_euler"),
    "quat_from_euler": _of(rotations.from_euler, _QUAT, "quat_to_euler"),
    "forward_kinematics": Function(_kinematics, lambda *_: Meaning(POSE, "m", "base of the URDF")),
}  # fmt: skip
"""By name."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What expressions may use beside columns: functions of the person's own, and a robot.

    functions: of (n, w) arrays and constants, from a file named on the command line. about: flag -> name and digest of
    its file, to be noted. paths: flag -> the file as it was typed.
    """

    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    robot: Robot | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> Mapping[str, Function]:
        """All functions by name; one's own never hide ours."""
        return {name: _of(function, lambda *_: Meaning()) for name, function in self.functions.items()} | dict(
            FUNCTIONS
        )


NO_TOOLS = Toolbox()
