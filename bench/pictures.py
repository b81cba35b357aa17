"""A synthetic scene that codes about as a robot's cameras do: texture, slow camera motion, an object, sensor noise."""

import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

WIDTH, HEIGHT, FPS = 640, 480, 30
CAMERAS = ("front", "wrist", "top")
Rgb = npt.NDArray[np.uint8]


def scene(camera: int, count: int, seed: int = 0) -> Iterator[Rgb]:
    """`count` pictures, (480, 640, 3) uint8 RGB; the same arguments give the same pictures."""
    random = np.random.default_rng([seed, camera])
    backdrop = _texture(random, HEIGHT + 200, WIDTH + 300).astype(np.int16)
    noise = random.normal(0, 2, (HEIGHT + 64, WIDTH + 64, 1)).round().astype(np.int16)
    for k in range(count):
        angle = k / (60 + 25 * camera)
        top, left = int(100 + 90 * np.sin(angle)), int(150 + 140 * np.cos(0.7 * angle))
        picture = backdrop[top : top + HEIGHT, left : left + WIDTH].copy()
        y, x = int(200 + 120 * np.sin(2.3 * angle)), int(300 + 200 * np.cos(1.9 * angle))
        picture[y : y + 60, x : x + 80] = (200, 60, 40)
        down, right = random.integers(0, 64, 2)
        picture += noise[down : down + HEIGHT, right : right + WIDTH]
        yield np.clip(picture, 0, 255, out=picture).astype(np.uint8)


def small_scene(camera: int, count: int) -> Iterator[Rgb]:
    """The same scene at half the size, (240, 320, 3)."""
    return (np.ascontiguousarray(picture[::2, ::2]) for picture in scene(camera, count))


def small_jpegs(seconds: int) -> dict[str, list[bytes]]:
    """JPEG of quality 90 of two cameras."""
    return {name: [jpeg(picture) for picture in small_scene(k, seconds * FPS)] for k, name in enumerate(CAMERAS[:2])}


def jpeg(picture: Rgb) -> bytes:
    """Quality 90, as cameras send it."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _texture(random: np.random.Generator, height: int, width: int) -> npt.NDArray[np.float32]:
    """Smooth colours with finer grain on top: octaves of noise, each enlarged to the full size."""
    total = np.full((height, width, 3), 110, np.float32)
    for cells, strength in ((5, 60), (20, 30), (80, 14), (240, 7)):
        rows, columns = np.arange(height) * cells / height, np.arange(width) * cells / width
        grid = random.normal(0, 1, (cells + 2, cells + 2, 3)).astype(np.float32)
        total += strength * _bilinear(grid, rows, columns)
    return total


def _bilinear(
    grid: npt.NDArray[np.float32], rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    y, x = rows.astype(int), columns.astype(int)
    v, u = (rows - y)[:, None, None].astype(np.float32), (columns - x)[None, :, None].astype(np.float32)
    upper = grid[y][:, x] * (1 - u) + grid[y][:, x + 1] * u
    lower = grid[y + 1][:, x] * (1 - u) + grid[y + 1][:, x + 1] * u
    return upper * (1 - v) + lower * v
