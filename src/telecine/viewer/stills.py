"""Frames of a dataset from the server: for codecs that a browser does not play, for depth, and for images in rows."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.errors import DatasetError, VideoError, raised_as
from telecine.core.tiff import is_tiff, tiff_pixels
from telecine.dataset.reader import Dataset
from telecine.video.frame_reader import FrameReader
from telecine.video.frames.colour import Rgb, to_rgb
from telecine.video.frames.depth import stored_codes
from telecine.video.frames.jpeg import to_jpeg
from telecine.video.frames.png import read_png, scaled, to_png

MOST_OPEN = 4
"""Video files that stay open."""
MOST_RANGES = 64
_COLOURS = (
    (48, 18, 59), (70, 107, 227), (40, 188, 235), (50, 242, 152), (164, 252, 60), (237, 208, 58), (251, 128, 34),
    (210, 49, 5), (122, 4, 3),
)  # fmt: skip
"""Near to far, evenly spaced: points of Google's Turbo."""
Distances = npt.NDArray[np.float64]
"""(height, width) mm; NaN where nothing is known."""


@dataclass(frozen=True, slots=True)
class Still:
    """One frame as a file. near_mm, far_mm: of depth, the distances of the first and the last colour."""

    data: bytes
    media_type: str
    near_mm: int | None = None
    far_mm: int | None = None


class Stills:
    """The frames of one dataset, one request at a time: decoders take memory, and a disk has one head."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._lock = threading.Lock()
        self._open: OrderedDict[str, FrameReader] = OrderedDict()
        self._ranges: OrderedDict[tuple[str, int], tuple[float, float]] = OrderedDict()
        self._dtypes = {column.key: column.dtype for column in dataset.features}

    def still(self, key: str, episode: int, row: int, width_px: int | None = None) -> Still:
        """The frame of a row, made smaller to `width_px`. Raises: DatasetError, VideoError."""
        with self._lock:
            frame = self._frame(key, episode, row)
            if frame.dtype == np.uint8:
                return Still(to_jpeg(_small(frame, width_px)), "image/jpeg")
            near, far = self._range(key, episode)
            coloured = _small(colours(frame, near, far), width_px)
        return Still(to_png(coloured), "image/png", round(near), round(far))

    def depth_mm(self, key: str, episode: int, row: int, x: int, y: int) -> float:
        """The distance at a pixel. Raises: DatasetError where there is no depth, or no such pixel; VideoError."""
        with self._lock:
            frame = self._frame(key, episode, row)
        if frame.dtype == np.uint8:
            raise DatasetError(f"{key}: holds no depth")
        if not (0 <= y < frame.shape[0] and 0 <= x < frame.shape[1]):
            raise DatasetError(f"{key}: has no pixel {x}, {y}")
        return float(frame[y, x])

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _frame(self, key: str, episode: int, row: int) -> npt.NDArray[Any]:
        """(height, width, 3) uint8, or `Distances` of a depth camera."""
        scale = self._dataset.depth(key) if key in self._dataset.cameras else None
        if self._dtypes.get(key) == "image":
            if not 0 <= row < self._dataset.episode(episode).length:
                raise DatasetError(f"episode {episode} has no row {row}")
            return _stored(self._dataset.rows(episode, [key]).column(key)[row].as_py())
        path, number = self._dataset.frame(key, episode, row)
        frame = self._reader(str(path)).at(number)
        if scale is None:
            return to_rgb(frame)
        codes = stored_codes(frame)
        return np.where(codes == 0, np.nan, scale.levels()[codes])

    def _reader(self, path: str) -> FrameReader:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        self._open[path] = FrameReader(path)
        return self._open[path]

    def _range(self, key: str, episode: int) -> tuple[float, float]:
        """(nearest, farthest) mm of the episode's first frame, so that colours mean the same throughout."""
        if (key, episode) not in self._ranges:
            first = self._frame(key, episode, 0)
            known = first[np.isfinite(first)]
            near, far = (float(mm) for mm in np.percentile(known, (1, 99))) if known.size else (0.0, 1.0)
            self._ranges[(key, episode)] = (near, max(far, near + 1))
            while len(self._ranges) > MOST_RANGES:
                self._ranges.popitem(last=False)
        return self._ranges[(key, episode)]


def colours(distances: Distances, near: float, far: float) -> Rgb:
    """(height, width, 3) uint8 of distances, black where nothing is known."""
    known = np.isfinite(distances)
    place = np.clip((np.where(known, distances, near) - near) / (far - near), 0, 1) * (len(_COLOURS) - 1)
    stops = np.arange(len(_COLOURS))
    channels = [np.interp(place, stops, [colour[i] for colour in _COLOURS]) for i in range(3)]
    rgb: Rgb = np.stack(channels, axis=-1).astype(np.uint8)
    rgb[~known] = 0
    return rgb


def _stored(cell: dict[str, bytes | None] | None) -> npt.NDArray[Any]:
    """An image as the rows hold it. Raises: VideoError."""
    data = (cell or {}).get("bytes")
    if not data:
        raise VideoError("the row holds no image")
    if not is_tiff(data):
        return read_png(data)
    with raised_as(VideoError, "a stored frame cannot be read", ValueError):
        depth = tiff_pixels(data)
    mm = depth.astype(np.float64) * (1000 if depth.dtype.kind == "f" else 1)
    return np.where(mm > 0, mm, np.nan)


def _small(rgb: Rgb, width_px: int | None) -> Rgb:
    return rgb if width_px is None or rgb.shape[1] <= width_px else scaled(rgb, width_px)
