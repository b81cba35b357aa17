"""Pictures of a MuJoCo scene without OpenGL: a ray for each pixel on MuJoCo's own geometry.

Runs wherever MuJoCo does, with no display, no graphics library and no GPU, and gives the same picture everywhere.
Where the camera stands still, only pixels around things that can move are cast again.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.record.sim.scene import Vector

Rgb = npt.NDArray[np.uint8]
FAR_M = 20.0
SKY = (0.80, 0.87, 0.95)
_LIGHT = np.array([0.25, -0.45, 0.86], np.float32)
_AMBIENT, _DIFFUSE, _HEAD = np.float32(0.42), np.float32(0.43), np.float32(0.2)
_MARGIN_PX = 3


class RayCamera:
    """One camera of a model: `begin`, then `render`, which may run beside other cameras' in another thread."""

    def __init__(self, mujoco: Any, model: Any, name: str, size: tuple[int, int]) -> None:
        self._mujoco, self._model = mujoco, model
        self._camera = model.camera(name).id
        self._width, self._height = size
        self._moves = model.body_weldid[model.cam_bodyid[self._camera]] != 0
        self._rays = _rays(float(model.cam_fovy[self._camera]), size)
        self._colours = np.vstack([model.geom_rgba[:, :3], SKY]).astype(np.float32)
        self._movable = np.flatnonzero(model.body_weldid[model.geom_bodyid] != 0)
        self._groups = np.ones(6, np.uint8)
        self._world: npt.NDArray[np.float64] | None = None
        self._still: Rgb | None = None

    def begin(self, data: Any) -> None:
        """Look at what never moves, once, before anything else uses the model."""
        if not self._moves:
            self._world = _turned(self._rays, data.cam_xmat[self._camera].reshape(3, 3))
            self._still = self._without_movable(data)

    def render(self, data: Any) -> Rgb:
        """(height, width, 3) uint8 of the scene as `data` has it."""
        rotation = data.cam_xmat[self._camera].reshape(3, 3)
        if self._moves:
            return self._cast(data, _turned(self._rays, rotation)).reshape(self._height, self._width, 3)
        assert self._world is not None, "begin comes first"
        assert self._still is not None
        picture = self._still.copy()
        for top, bottom, left, right in self._boxes(data, rotation):
            rays = self._world.reshape(self._height, self._width, 3)[top:bottom, left:right]
            part = self._cast(data, np.ascontiguousarray(rays).reshape(-1, 3))
            picture[top:bottom, left:right] = part.reshape(bottom - top, right - left, 3)
        return picture

    def _cast(self, data: Any, rays: npt.NDArray[np.float64]) -> Rgb:
        """(n, 3) uint8, a colour a ray."""
        count = len(rays)
        geoms, distances, normals = np.empty(count, np.int32), np.empty(count), np.zeros((count, 3))
        origin = data.cam_xpos[self._camera].copy()
        self._mujoco.mj_multiRay(
            self._model, data, origin, rays.reshape(-1), self._groups, 1, -1, geoms, distances, normals.reshape(-1),
            count, FAR_M,
        )  # fmt: skip
        facing, toward = normals.astype(np.float32), rays.astype(np.float32)
        head = np.abs(np.einsum("ij,ij->i", facing, toward))
        shade = _AMBIENT + _DIFFUSE * np.maximum(facing @ _LIGHT, 0) + _HEAD * head
        shade[geoms < 0] = 1
        coloured = self._colours[geoms] * (shade * 255)[:, None]
        made: Rgb = np.minimum(coloured, 255).astype(np.uint8)
        return made

    def _without_movable(self, data: Any) -> Rgb:
        """The picture of what never moves: rays pass through the rest, whose alpha is zero meanwhile."""
        alpha = self._model.geom_rgba[self._movable, 3].copy()
        self._model.geom_rgba[self._movable, 3] = 0
        try:
            assert self._world is not None
            return self._cast(data, self._world).reshape(self._height, self._width, 3)
        finally:
            self._model.geom_rgba[self._movable, 3] = alpha

    def _boxes(self, data: Any, rotation: Vector) -> list[tuple[int, int, int, int]]:
        """(top, bottom, left, right) in px around each thing that can move, overlapping ones merged."""
        model = self._model
        centres = (data.geom_xpos[self._movable] - data.cam_xpos[self._camera]) @ rotation
        radii = model.geom_rbound[self._movable]
        depth = np.maximum(-centres[:, 2] - radii, 1e-3)
        focal = self._height / 2 / np.tan(np.deg2rad(model.cam_fovy[self._camera]) / 2)
        reach = focal * radii / depth + _MARGIN_PX
        across = self._width / 2 + focal * centres[:, 0] / -centres[:, 2]
        down = self._height / 2 - focal * centres[:, 1] / -centres[:, 2]
        top, bottom = np.clip([down - reach, down + reach + 1], 0, self._height).astype(int)
        left, right = np.clip([across - reach, across + reach + 1], 0, self._width).astype(int)
        boxes = list(zip(top.tolist(), bottom.tolist(), left.tolist(), right.tolist(), strict=True))
        return _merged([b for b in boxes if b[0] < b[1] and b[2] < b[3]])


def _merged(boxes: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Boxes of which no two overlap: those that do become the box around them."""
    done: list[tuple[int, int, int, int]] = []
    for box in boxes:
        again = True
        while again:
            again = False
            for other in done:
                if box[0] < other[1] and other[0] < box[1] and box[2] < other[3] and other[2] < box[3]:
                    done.remove(other)
                    box = (min(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), max(box[3], other[3]))
                    again = True
                    break
        done.append(box)
    return done


def _rays(fovy_deg: float, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """(height * width, 3) unit directions in the camera's frame, which looks along -z with y up."""
    width, height = size
    focal = height / 2 / np.tan(np.deg2rad(fovy_deg) / 2)
    across, down = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.stack([(across - width / 2) / focal, (height / 2 - down) / focal, -np.ones_like(down)], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return rays.reshape(-1, 3)


def _turned(rays: npt.NDArray[np.float64], rotation: Vector) -> npt.NDArray[np.float64]:
    """Rays in the world's frame. Column by column: a product with a 3 x 3 matrix takes longer than the casting."""
    made = rays[:, :1] * rotation[:, 0]
    made += rays[:, 1:2] * rotation[:, 1]
    made += rays[:, 2:] * rotation[:, 2]
    return np.ascontiguousarray(made)
