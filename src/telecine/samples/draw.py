"""Shapes, shading and letters on a frame, with soft edges; just what the demo's scene needs.

Frames are (height, width, 3) uint8 and are changed where they are; points are (x, y) in px.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Canvas = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
FillColour = tuple[int, int, int]
Plane = npt.NDArray[np.float32]
"""(h, w) float32, a value for each pixel of a box."""

_GLYPHS = {
    "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14), "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14), "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8), "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12), ".": (0, 0, 0, 0, 0, 12, 12), "D": (28, 18, 17, 17, 17, 18, 28),
    "E": (31, 16, 16, 30, 16, 16, 31), "F": (31, 16, 16, 30, 16, 16, 16), "I": (14, 4, 4, 4, 4, 4, 14),
    "N": (17, 17, 25, 21, 19, 17, 17), "O": (14, 17, 17, 17, 17, 17, 14), "P": (30, 17, 17, 30, 16, 16, 16),
    "R": (30, 17, 17, 30, 20, 18, 17), "S": (15, 16, 16, 14, 1, 1, 30), "T": (31, 4, 4, 4, 4, 4, 4),
    "W": (17, 17, 17, 21, 21, 21, 10), " ": (0,) * 7,
}  # fmt: skip
"""Letter -> seven rows of five pixels, the highest bit left."""


def fill_polygon(frame: Canvas, corners: Points, colour: FillColour, opacity: float = 1.0) -> None:
    """A convex polygon; corners: (k, 2), either way round."""
    box = _box(frame, corners, 1.0)
    if box is None:
        return
    x, y = _grid(box)
    points = corners.tolist()
    edges = list(zip(points, points[1:] + points[:1], strict=True))
    side = 1 if sum(ax * by - bx * ay for (ax, ay), (bx, by) in edges) > 0 else -1
    inside: Plane = np.full((y.shape[0], x.shape[1]), 1.0, np.float32)
    for (ax, ay), (bx, by) in edges:
        scale = side / max(math.hypot(bx - ax, by - ay), 1e-9)
        nx, ny = -(by - ay) * scale, (bx - ax) * scale
        np.minimum(inside, x * nx + (y * ny + (0.5 - nx * ax - ny * ay)), out=inside)
    _blend(frame, box, colour, np.maximum(inside, 0) * np.float32(opacity))


def fill_rod(frame: Canvas, ends: Points, radii: tuple[float, float], colour: FillColour) -> None:
    """A round rod between two (2, 2) ends, lighter along its middle; equal ends make a ball."""
    box = _box(frame, ends, max(radii) + 1)
    if box is None:
        return
    x, y = _grid(box)
    (ax, ay), (bx, by) = ends.tolist()
    dx, dy = bx - ax, by - ay
    square = max(dx * dx + dy * dy, 1e-9)
    along = np.minimum(np.maximum(x * (dx / square) + (y * (dy / square) - (ax * dx + ay * dy) / square), 0), 1)
    radius = radii[0] + (radii[1] - radii[0]) * along
    off = (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2
    round_ = np.sqrt(np.maximum(1 - off / (radius * radius), 0))
    cover = np.minimum(np.maximum(radius - np.sqrt(off) + 0.5, 0), 1)
    _blend(frame, box, colour, cover, 0.55 + 0.45 * round_)


def write(frame: Canvas, text: str, corner: tuple[int, int], scale: int = 2) -> None:
    """White letters on a dark strip whose upper left corner is `corner`; letters without a glyph are blank."""
    mask = np.concatenate([_letter(c, scale) for c in text], axis=1)
    x, y = corner
    area = frame[y : y + mask.shape[0], x : x + mask.shape[1]]
    area //= 3
    area[mask[: area.shape[0], : area.shape[1]]] = 245


@lru_cache(maxsize=64)
def _letter(letter: str, scale: int) -> npt.NDArray[np.bool_]:
    rows = np.array(_GLYPHS.get(letter, _GLYPHS[" "]))
    pixels = (rows[:, None] >> np.arange(4, -1, -1)) & 1
    return np.pad(pixels.astype(bool), ((1, 1), (1, 0))).repeat(scale, axis=0).repeat(scale, axis=1)


Box = tuple[int, int, int, int]
"""(left, top, right, bottom), half-open."""


def _box(frame: Canvas, points: Points, margin: float) -> Box | None:
    """The part of the frame around the points, or None when it is outside."""
    height, width = frame.shape[:2]
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    left, top = max(int(np.floor(low[0])), 0), max(int(np.floor(low[1])), 0)
    right, bottom = min(int(np.ceil(high[0])) + 1, width), min(int(np.ceil(high[1])) + 1, height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _grid(box: Box) -> tuple[Plane, Plane]:
    """(1, w) and (h, 1) pixel positions."""
    left, top, right, bottom = box
    return np.arange(left, right, dtype=np.float32)[None, :], np.arange(top, bottom, dtype=np.float32)[:, None]


def _blend(frame: Canvas, box: Box, colour: FillColour, cover: Plane, shade: Plane | float = 1.0) -> None:
    """The colour, lit by `shade`, over as much of each pixel as `cover` says."""
    left, top, right, bottom = box
    area = frame[top:bottom, left:right]
    lit = cover * shade
    rest = 1 - cover
    for channel, value in enumerate(colour):
        area[..., channel] = area[..., channel] * rest + lit * value
