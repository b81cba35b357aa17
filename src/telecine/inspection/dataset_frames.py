"""Frames of a dataset for people and checks."""

import numpy as np

from telecine.core.depth import DepthScale
from telecine.core.errors import VideoError, raised_as
from telecine.core.tiff import is_tiff, tiff_pixels
from telecine.dataset.reader import Dataset
from telecine.video.frames.colour import Rgb
from telecine.video.frames.png import read_png
from telecine.video.mp4_reader import decode_at

FRAMES_SHOWN = 8
"""Frames of each camera and episode on a contact sheet."""


def stored_frame(data: bytes) -> Rgb:
    """A stored image; depth in shades of its distance. Raises: VideoError."""
    if not is_tiff(data):
        return read_png(data)
    with raised_as(VideoError, "a stored frame cannot be read", ValueError):
        depth = tiff_pixels(data)
    shades = DepthScale().codes(depth, "m" if depth.dtype.kind == "f" else "mm") >> 4
    return np.repeat(shades.astype(np.uint8)[:, :, None], 3, axis=2)


def spread_rows(length: int, count: int = FRAMES_SHOWN) -> list[int]:
    """At most `count` rows of an episode, from its first to its last."""
    rows: list[int] = np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int)).tolist()
    return rows


def frames_of(dataset: Dataset, key: str, number: int, rows: list[int]) -> list[Rgb]:
    """The frames of a camera at increasing rows of an episode.

    Raises: DatasetError, VideoError when a frame is missing or cannot be decoded.
    """
    if next(c.dtype for c in dataset.features if c.key == key) == "image":
        stored = dataset.rows(number, [key]).column(key)
        return [stored_frame(stored[row].as_py()["bytes"]) for row in rows]
    path, first = dataset.frame(key, number, 0)
    return [frame for _, frame in decode_at(str(path), [first + row for row in rows])]


def episode_frames(dataset: Dataset, key: str, number: int, count: int = FRAMES_SHOWN) -> list[Rgb]:
    """At most `count` frames of a camera, spread over an episode from its first row to its last.

    Raises: DatasetError, VideoError when a frame is missing or cannot be decoded.
    """
    return frames_of(dataset, key, number, spread_rows(dataset.episodes[number].length, count))
