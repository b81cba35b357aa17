"""Frames of a MuJoCo scene without OpenGL: a ray for each pixel on MuJoCo's own geometry.

Runs wherever MuJoCo does, with no display, no graphics library and no GPU, and gives the same frame everywhere.
Each shape is asked only about the pixels around it; what stands still before a camera that does is asked once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.recorder.sim.scene import AMBIENT, DIFFUSE, HEAD, LIGHT, SKY, Vector
from telecine.recorder.sim.shapes import NEVER, SHAPES, Float32s, Hits, Meet, Shade, turned
from telecine.video.frames.colour import Rgb

_SKY = np.array([int(255 * part) for part in SKY], np.uint8)
_LIGHT = np.array(LIGHT, np.float32)
_NEAR_M = 1e-3
_SIDES = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
_EDGES = np.array([[i, j] for i in range(8) for j in range(i) if np.sum(_SIDES[i] != _SIDES[j]) == 1])


@dataclass(frozen=True, eq=False, slots=True)
class _Shape:
    """One geom of the model."""

    geom: int
    meet: Meet
    shade: Shade
    size: Float32s
    colour: Float32s
    corners: Vector | None
    """(8, 3) of the box around it, in its own frame; None where it has no end."""


@dataclass(frozen=True, eq=False, slots=True)
class _Seen:
    """What the camera sees of one shape in one frame."""

    shape: _Shape
    origin: Float32s
    """The camera in the shape's frame."""
    turn: Float32s
    """(3, 3) from the camera's frame to the shape's."""
    rotation: Float32s
    """(3, 3) from the shape's frame to the world's."""


class RayCamera:
    """One camera of a model: `begin`, then `render`, which may run beside other cameras' in another thread."""

    def __init__(self, mujoco: Any, model: Any, name: str, size: tuple[int, int]) -> None:
        self._camera = model.camera(name).id
        self._width, self._height = size
        moves = model.body_weldid[model.cam_bodyid[self._camera]] != 0
        focal = self._height / 2 / np.tan(np.deg2rad(float(model.cam_fovy[self._camera])) / 2)
        self._focal = float(focal)
        across = ((np.arange(self._width) + 0.5 - self._width / 2) / focal).astype(np.float32)
        down = ((self._height / 2 - np.arange(self._height) - 0.5) / focal).astype(np.float32)
        self._across, self._down = across, down
        self._x, self._y = np.tile(across, self._height), np.repeat(down, self._width)
        shapes = [_shape(mujoco, model, geom) for geom in range(model.ngeom)]
        still = model.body_weldid[model.geom_bodyid] == 0
        self._still = [] if moves else [s for s in shapes if still[s.geom]]
        self._rest = shapes if moves else [s for s in shapes if not still[s.geom]]
        self._depth = np.full((self._height, self._width), NEVER)
        self._frame = np.full((self._height, self._width, 3), _SKY, np.uint8)

    def begin(self, data: Any) -> None:
        """Draw what never moves, once."""
        self._draw(data, self._still, self._depth, self._frame)

    def render(self, data: Any) -> Rgb:
        """(height, width, 3) uint8 of the scene as `data` has it."""
        frame = self._frame.copy()
        self._draw(data, self._rest, self._depth.copy(), frame)
        return frame

    def _draw(self, data: Any, shapes: list[_Shape], depth: Float32s, frame: Rgb) -> None:
        """Draw shapes over what depth (height, width) and frame hold already."""
        nearest = np.full(depth.shape, -1, np.int8)
        seen = [self._seen(data, shape) for shape in shapes]
        with np.errstate(divide="ignore", invalid="ignore"):  # rays along a face meet it nowhere
            for number, one in enumerate(seen):
                self._measure(one, number, depth, nearest)
        for number, one in enumerate(seen):
            pixels = np.flatnonzero(nearest == number)
            if pixels.size:
                shade = self._shaded(one, pixels, depth.reshape(-1)[pixels])
                for plane, colour in enumerate(one.shape.colour):
                    frame.reshape(-1, 3)[:, plane][pixels] = np.minimum(shade * colour, 255)

    def _seen(self, data: Any, shape: _Shape) -> _Seen:
        rotation = data.geom_xmat[shape.geom].reshape(3, 3)
        origin = rotation.T @ (data.cam_xpos[self._camera] - data.geom_xpos[shape.geom])
        turn = rotation.T @ data.cam_xmat[self._camera].reshape(3, 3)
        return _Seen(shape, origin.astype(np.float32), turn.astype(np.float32), rotation.astype(np.float32))

    def _measure(self, one: _Seen, number: int, depth: Float32s, nearest: npt.NDArray[np.int8]) -> None:
        """Note where the shape is nearer than all before it."""
        top, bottom, left, right = self._box(one)
        if top >= bottom or left >= right:
            return
        x, y = self._across[None, left:right], self._down[top:bottom, None]
        rays = (turned(one.turn, 0, x, y), turned(one.turn, 1, x, y), turned(one.turn, 2, x, y))
        found = one.shape.meet(one.origin, rays, one.shape.size)
        part = depth[top:bottom, left:right]
        nearer = found < part
        np.copyto(part, found, where=nearer)
        nearest[top:bottom, left:right][nearer] = number

    def _shaded(self, one: _Seen, pixels: npt.NDArray[np.intp], distance: Float32s) -> Float32s:
        """(n,) or () brightness of pixels that show the shape at distances along their rays."""
        light, view = _LIGHT @ one.rotation, one.turn[:, 2]

        def bright(x: Any, y: Any, z: Any) -> Float32s:
            lit = np.maximum(x * light[0] + y * light[1] + z * light[2], 0)
            made: Float32s = AMBIENT + DIFFUSE * lit + HEAD * np.abs(x * view[0] + y * view[1] + z * view[2])
            return made

        hits = Hits(one.origin, one.turn, self._x[pixels], self._y[pixels], distance)
        return one.shape.shade(hits, one.shape.size, bright)

    def _box(self, one: _Seen) -> tuple[int, int, int, int]:
        """(top, bottom, left, right) in px around the shape, half-open."""
        if one.shape.corners is None:
            return 0, self._height, 0, self._width
        corners = (one.shape.corners - one.origin) @ one.turn
        ahead = -corners[:, 2] - _NEAR_M
        from_, to = corners[_EDGES[:, 0]], corners[_EDGES[:, 1]]
        a, b = ahead[_EDGES[:, 0]], ahead[_EDGES[:, 1]]
        cut = a * b < 0  # edges that pass the eye end where they do
        share = (a[cut] / (a[cut] - b[cut]))[:, None]
        corners = np.concatenate([corners[ahead >= 0], from_[cut] + share * (to[cut] - from_[cut])])
        if not len(corners):
            return 0, 0, 0, 0
        across = self._width / 2 - self._focal * corners[:, 0] / corners[:, 2]
        down = self._height / 2 + self._focal * corners[:, 1] / corners[:, 2]
        top, bottom = np.clip([down.min() - 1, down.max() + 2], 0, self._height).astype(int).tolist()
        left, right = np.clip([across.min() - 1, across.max() + 2], 0, self._width).astype(int).tolist()
        return top, bottom, left, right


def _shape(mujoco: Any, model: Any, geom: int) -> _Shape:
    meet, shade = SHAPES[mujoco.mjtGeom(model.geom_type[geom]).name.removeprefix("mjGEOM_").lower()]
    middle, reach = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
    return _Shape(
        geom=geom,
        meet=meet,
        shade=shade,
        size=model.geom_size[geom].astype(np.float32),
        colour=(255 * model.geom_rgba[geom, :3]).astype(np.float32),
        corners=None if model.geom_rbound[geom] == 0 else middle + _SIDES * reach,
    )
