"""What the two cameras of the demo see: a table with a board of squares, the arm, the cube and the tray.

A pinhole camera and the painter's algorithm: everything is drawn from far to near. Deterministic: no noise.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from telecine.core.stats import Floats
from telecine.samples.arm import CUBE_M, PickTask, Pose, cube_at, pose, reached
from telecine.samples.draw import Canvas, FillColour, fill_polygon, fill_rod, write

WIDTH, HEIGHT = 320, 240
COLOURS: dict[str, FillColour] = {
    "red": (222, 52, 44), "green": (52, 176, 72), "blue": (52, 104, 226), "yellow": (238, 196, 40)
}  # fmt: skip
_WHITE, _ORANGE, _STEEL, _DARK = (232, 232, 236), (240, 130, 36), (150, 158, 170), (58, 62, 72)
_TRAY_M = 0.17
_SQUARE_M = 0.08
_TABLE_CORNER_M, _TABLE_SQUARES = (-0.16, -0.48), (10, 12)
_NEAR_M = 0.02
_FAR_SQUARES = 2000


@dataclass(frozen=True, eq=False, slots=True)
class CameraView:
    """A pinhole camera: `axes` are (3, 3) rows right, down, forward; `focal_px` the focal length."""

    at: Floats
    axes: Floats
    focal_px: float

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """((k, 2) px, (k,) depth in m) of (k, 3) points."""
        local = (points - self.at) @ self.axes.T
        depth = local[:, 2]
        pixels = local[:, :2] * (self.focal_px / np.maximum(depth, _NEAR_M))[:, None]
        return pixels + np.array([WIDTH / 2, HEIGHT / 2]), depth


def view_towards(at: Floats, target: Floats, up: Floats, focal_px: float) -> CameraView:
    """A camera at `at` that looks at `target`, with `up` above in the frame."""
    forward = (target - at) / np.linalg.norm(target - at)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return CameraView(at, np.stack([right, np.cross(forward, right), forward]), focal_px)


FRONT = view_towards(np.array([1.10, -0.46, 0.72]), np.array([0.17, 0.01, 0.225]), np.array([0.0, 0, 1]), 296.0)


def front_frame(task: PickTask, time: float, colour: str, label: str) -> Canvas:
    """(240, 320, 3) uint8 of the camera that stands before the table."""
    state = reached(task, np.array([time]))[0]
    frame = _front_background().copy()
    arm = pose(state[:7])
    things = [*_tray(task), *_shadows(task, time, arm), *_cube(task, time, colour, FRONT), *_arm(arm, state[7])]
    _paint(frame, FRONT, things)
    write(frame, label, (4, 4))
    return frame


def wrist_frame(task: PickTask, time: float, colour: str, label: str) -> Canvas:
    """(240, 320, 3) uint8 of the camera at the hand, which looks along the fingers."""
    state = reached(task, np.array([time]))[0]
    arm = pose(state[:7])
    across, points = arm.axes[:, 1], arm.axes[:, 2]
    view = view_towards(arm.tip - 0.13 * points + 0.075 * across, arm.tip + 0.02 * points, across, 210.0)
    frame = _table(view)
    _paint(frame, view, [*_tray(task), *_cube(task, time, colour, view), *_hand(arm, state[7])])
    write(frame, label, (4, 4))
    return frame


@dataclass(frozen=True, eq=False, slots=True)
class _Thing:
    """A flat polygon (radius_m 0) or a rod between two points."""

    points: Floats
    colour: FillColour
    radius_m: float = 0.0
    opacity: float = 1.0
    layer: int = 1
    """0: lies on the table, under everything else."""


def _paint(frame: Canvas, view: CameraView, things: list[_Thing]) -> None:
    """Draw all that is before the camera, from far to near."""
    seen = [(thing, *view.project(thing.points)) for thing in things]
    seen.sort(key=lambda s: (s[0].layer, -float(np.mean(s[2]))))
    for thing, pixels, depth in seen:
        if float(depth.min()) < _NEAR_M:
            continue
        if not thing.radius_m:
            fill_polygon(frame, pixels, thing.colour, thing.opacity)
            continue
        radii = thing.radius_m * view.focal_px / depth
        fill_rod(frame, pixels, (float(radii[0]), float(radii[1])), thing.colour)


def _square(middle: npt.ArrayLike, side_m: float, turn: float = 0.0) -> Floats:
    """(4, 3) corners of a level square."""
    angles = turn + np.pi / 4 + np.arange(4) * np.pi / 2
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(4)], axis=1) * side_m / np.sqrt(2)
    return np.asarray(np.asarray(middle, np.float64) + ring)


def _tray(task: PickTask) -> Iterator[_Thing]:
    yield _Thing(_square((*task.tray, 0.0), _TRAY_M), _DARK, layer=-2)
    yield _Thing(_square((*task.tray, 0.0), 0.88 * _TRAY_M), (214, 218, 224), layer=-1)


def _shadows(task: PickTask, time: float, arm: Pose) -> Iterator[_Thing]:
    """On the table, larger and fainter the higher the thing is."""
    middle, turn = cube_at(task, time)
    for at, size in ((middle, CUBE_M), (arm.wrist, 0.07), (arm.elbow, 0.08)):
        shadow = _square((at[0] - 0.25 * at[2], at[1] + 0.1 * at[2], 0), size * (1.15 + at[2]), turn)
        yield _Thing(shadow, (20, 18, 16), opacity=0.4 * min(max(1 - 1.5 * float(at[2]), 0.15), 1), layer=0)


def _cube(task: PickTask, time: float, colour: str, view: CameraView) -> Iterator[_Thing]:
    """The top and the sides that face the camera, each lit by its own direction."""
    middle, turn = cube_at(task, time)
    top = _square(middle + np.array([0, 0, CUBE_M / 2]), CUBE_M, turn)
    bottom = top - np.array([0, 0, CUBE_M])
    base = np.array(COLOURS[colour])
    for i in range(4):
        j = (i + 1) % 4
        side = np.stack([top[i], top[j], bottom[j], bottom[i]])
        outward = side.mean(axis=0) - middle
        if outward @ (view.at - side[0]) > 0:
            yield _Thing(side, _lit(base, 0.62 + 0.22 * math.cos(math.atan2(outward[1], outward[0]) - 0.6)))
    yield _Thing(top, _lit(base, 1.0))


def _lit(base: npt.NDArray[np.int64], light: float) -> FillColour:
    r, g, b = np.clip(base * light, 0, 255).astype(int).tolist()
    return (r, g, b)


def _arm(arm: Pose, opening: float) -> Iterator[_Thing]:
    yield _Thing(np.array([[0, 0, 0.0], arm.shoulder * 0.6]), _DARK, 0.062)
    yield _Thing(np.array([arm.shoulder * 0.6, arm.shoulder]), _WHITE, 0.05)
    yield _Thing(np.array([arm.shoulder, arm.elbow]), _WHITE, 0.038)
    yield _Thing(np.array([arm.elbow, arm.wrist]), _WHITE, 0.031)
    for joint, radius in ((arm.shoulder, 0.052), (arm.elbow, 0.043), (arm.wrist, 0.034)):
        yield _Thing(np.stack([joint, joint]), _ORANGE, radius)
    yield from _hand(arm, opening)


def _hand(arm: Pose, opening: float) -> Iterator[_Thing]:
    """The palm and the two fingers."""
    opens, points = arm.axes[:, 0], arm.axes[:, 2]
    palm = arm.tip - 0.075 * points
    yield _Thing(np.stack([arm.wrist, palm]), _STEEL, 0.022)
    apart = CUBE_M / 2 + 0.008 + 0.022 * opening
    yield _Thing(np.stack([palm - apart * opens, palm + apart * opens]), _DARK, 0.013)
    for side in (-apart, apart):
        yield _Thing(np.stack([palm + side * opens, arm.tip + side * opens + 0.012 * points]), _STEEL, 0.008)


@lru_cache(maxsize=1)
def _front_background() -> Canvas:
    return _table(FRONT)


def _table(view: CameraView) -> Canvas:
    """The table where rays meet z = 0, and the backdrop behind it."""
    right, down, forward = view.axes
    u = ((np.arange(WIDTH) - WIDTH / 2) / view.focal_px)[None, :]
    v = ((np.arange(HEIGHT) - HEIGHT / 2) / view.focal_px)[:, None]

    def plane(weights: Floats) -> npt.NDArray[np.float32]:
        """(240, 320) of what is linear in the ray: one addition a pixel."""
        a, b, c = float(right @ weights), float(down @ weights), float(forward @ weights)
        return np.add((u * a).astype(np.float32), (v * b + c).astype(np.float32))

    fall = plane(np.array([0, 0, -1.0]))
    hit = np.maximum(fall, np.float32(0.02))
    on_table = fall > 0.02
    odd = np.zeros((HEIGHT, WIDTH), np.int16)
    for axis in range(2):
        # The square's number, counted from far outside the table, where it is positive and so rounded down.
        weights = np.zeros(3)
        weights[axis] = view.at[2] / _SQUARE_M
        weights[2] = -(view.at[axis] - _TABLE_CORNER_M[axis]) / _SQUARE_M - _FAR_SQUARES
        square = (plane(weights) / hit).astype(np.int16) - np.int16(_FAR_SQUARES)
        on_table &= (square >= 0) & (square < _TABLE_SQUARES[axis])
        odd ^= square
    # 0 and 1: the squares; 2 and beyond: the backdrop, darker towards the floor.
    backdrop = ((np.minimum(np.maximum(1 - fall, 0), 1.9) * 24) + 2).astype(np.int16)
    # Products, pixels of four bytes and one channel at a time: each is several times faster than its plain form.
    pixels = _palette().take((odd & 1) * on_table + backdrop * ~on_table, mode="clip")
    channels = pixels.view(np.uint8).reshape(HEIGHT, WIDTH, 4)
    frame = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for channel in range(3):
        frame[..., channel] = channels[..., channel]
    return frame


@lru_cache(maxsize=1)
def _palette() -> npt.NDArray[np.uint32]:
    """Four bytes a colour, the last unused."""
    backdrop = np.linspace((84, 92, 106, 0), (148, 160, 178, 0), 48)
    colours = np.concatenate([[(190, 160, 122, 0), (168, 138, 102, 0)], backdrop])
    return colours.astype(np.uint8).view(np.uint32)[:, 0]
