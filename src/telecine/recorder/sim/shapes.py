"""Where rays meet MuJoCo's primitives, for many rays that start at one point: planes, boxes, cylinders, capsules.

Everything is in the frame of the shape, as MuJoCo has it (cylinders and capsules along z, sizes as in `geom_size`),
and in float32. Rays start outside; what they would leave through is not met. Rays need no unit length: distances are
in lengths of the ray. MuJoCo's own `mj_multiRay`, which finds the same (`tests/record/test_camera.py`), asks every ray
about every shape and takes four times as long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]
Rays = tuple[Float32s, Float32s, Float32s]
Meet = Callable[[Float32s, Rays, Float32s], Float32s]
"""(origin (3,), rays x, y, z (h, w) each, size (3,)) -> distances (h, w), NEVER where nothing is met."""


@dataclass(frozen=True, eq=False, slots=True)
class Hits:
    """Where rays of a camera met a shape."""

    origin: Float32s
    """(3,)."""
    turn: Float32s
    """(3, 3) from the camera's frame to the shape's."""
    x: Float32s
    y: Float32s
    """(n,) each: rays are (x, y, -1) in the camera's frame."""
    distance: Float32s
    """(n,)."""

    def along(self, axis: int) -> Float32s:
        """(n,) one coordinate of the points."""
        found: Float32s = self.origin[axis] + turned(self.turn, axis, self.x, self.y) * self.distance
        return found


def turned(turn: Float32s, axis: int, x: Float32s, y: Float32s) -> Float32s:
    """One coordinate of rays (x, y, -1) in another frame."""
    found: Float32s = turn[axis, 0] * x + (turn[axis, 1] * y - turn[axis, 2])
    return found


Bright = Callable[[Any, Any, Any], Float32s]
"""Brightness of a surface with a unit normal of these x, y, z: numbers or (n,)."""
Shade = Callable[[Hits, Float32s, Bright], Float32s]
"""(hits, size (3,), bright) -> brightness there, (n,) or () where it is the same all over."""
NEVER = np.float32(1e9)
"""Farther than anything; finite, so that sums with it are numbers."""
_TINY = np.float32(1e-12)
_SEAM_M = np.float32(1e-6)
"""By so much faces reach over their edges, so that no ray slips through between two."""


def _plane(origin: Float32s, rays: Rays, size: Float32s) -> Float32s:
    """Seen from above only; without end where its size is zero."""
    found = -origin[2] / np.minimum(rays[2], -_TINY)
    found[rays[2] >= 0] = NEVER
    for axis in (0, 1):
        if size[axis] > 0:
            found[np.abs(origin[axis] + found * rays[axis]) > size[axis]] = NEVER
    return found if origin[2] > 0 else np.full_like(found, NEVER)


def _plane_shade(hits: Hits, size: Float32s, bright: Bright) -> Float32s:
    del hits, size
    return bright(0, 0, 1)


def _box(origin: Float32s, rays: Rays, size: Float32s) -> Float32s:
    """Through one of the faces, three at most, that the start of the rays is in front of."""
    found = np.full(np.broadcast_shapes(*(ray.shape for ray in rays)), NEVER)
    for axis in _in_front(origin, size):
        to_face = (np.copysign(size[axis], origin[axis]) - origin[axis]) / rays[axis]
        here = to_face > 0
        for other in {0, 1, 2} - {axis}:
            here &= np.abs(origin[other] + to_face * rays[other]) <= size[other] + _SEAM_M
        np.minimum(found, to_face, out=found, where=here)
    return found


def _in_front(origin: Float32s, size: Float32s) -> list[int]:
    """Axes along which the start of the rays is outside the box."""
    return [axis for axis in range(3) if abs(origin[axis]) > size[axis]]


def _box_shade(hits: Hits, size: Float32s, bright: Bright) -> Float32s:
    """A point is on the face, of those in front, along whose axis it is farthest out."""
    first, *others = _in_front(hits.origin, size)
    faces = np.eye(3, dtype=np.float32) * np.sign(hits.origin)
    shade = bright(*faces[first])
    if others:
        most = np.abs(hits.along(first)) / size[first]
        for axis in others:
            out = np.abs(hits.along(axis)) / size[axis]
            shade = np.where(out > most, bright(*faces[axis]), shade)
            most = np.maximum(most, out)
    return shade


def _cylinder(origin: Float32s, rays: Rays, size: Float32s) -> Float32s:
    """The lid on the side where rays start, or the round side between the lids."""
    found, height = _round(origin, rays, size[0])
    found[np.abs(height) > size[1]] = NEVER
    if abs(origin[2]) > size[1]:
        to_lid = (np.copysign(size[1], origin[2]) - origin[2]) / np.where(rays[2] == 0, _TINY, rays[2])
        x, y = origin[0] + to_lid * rays[0], origin[1] + to_lid * rays[1]
        np.copyto(found, to_lid, where=(to_lid > 0) & (x * x + y * y <= size[0] ** 2))
    return found


def _cylinder_shade(hits: Hits, size: Float32s, bright: Bright) -> Float32s:
    x, y = hits.along(0) / size[0], hits.along(1) / size[0]
    lid = np.hypot(x, y) < np.abs(hits.along(2)) / size[1]
    return np.where(lid, bright(0, 0, np.sign(hits.origin[2])), bright(x, y, 0))


def _capsule(origin: Float32s, rays: Rays, size: Float32s) -> Float32s:
    found, height = _round(origin, rays, size[0])
    height[found == NEVER] = origin[2]  # within the endless cylinder from the start: towards the nearer ball
    z = origin[2] - np.copysign(size[1], height)  # from the centre of the ball at that end
    a = rays[0] ** 2 + rays[1] ** 2 + rays[2] ** 2
    b = origin[0] * rays[0] + origin[1] * rays[1] + z * rays[2]
    c = origin[0] ** 2 + origin[1] ** 2 + z * z - size[0] ** 2
    return np.where(np.abs(height) > size[1], _first_root(a, b, c), found)


def _capsule_shade(hits: Hits, size: Float32s, bright: Bright) -> Float32s:
    z = hits.along(2)
    beyond = z - np.clip(z, -size[1], size[1])
    return bright(hits.along(0) / size[0], hits.along(1) / size[0], beyond / size[0])


def _round(origin: Float32s, rays: Rays, radius: np.float32) -> tuple[Float32s, Float32s]:
    """Where rays enter an endless cylinder, and how high that is; NEVER where they do not."""
    a = rays[0] ** 2 + rays[1] ** 2
    b = origin[0] * rays[0] + origin[1] * rays[1]
    c = origin[0] ** 2 + origin[1] ** 2 - radius**2
    found = _first_root(np.maximum(a, _TINY), b, c)
    return found, origin[2] + found * rays[2]


def _first_root(a: Float32s, b: Float32s, c: Float32s | np.float32) -> Float32s:
    """The smaller solution of a t^2 + 2 b t + c = 0 where it is positive, else NEVER."""
    under = b * b - a * c
    found: Float32s = (-b - np.sqrt(np.maximum(under, 0))) / a
    found[(under < 0) | (found < 0)] = NEVER
    return found


SHAPES: dict[str, tuple[Meet, Shade]] = {
    "plane": (_plane, _plane_shade),
    "box": (_box, _box_shade),
    "cylinder": (_cylinder, _cylinder_shade),
    "capsule": (_capsule, _capsule_shade),
}
"""By the name of MuJoCo's `mjtGeom`, in lower case."""
