"""Frames of a dataset's cameras, as people see them."""

import numpy as np
import pyarrow as pa

from telecine.core.depth import DepthScale
from telecine.core.errors import VideoError, raised_as
from telecine.core.tiff import is_tiff, tiff_pixels
from telecine.dataset.reader import Dataset
from telecine.dataset.values import coded_frames
from telecine.video.frames.colour import Rgb
from telecine.video.frames.jpeg import to_jpeg
from telecine.video.frames.png import read_png, scaled
from telecine.video.mp4_reader import decode_at, keyframe_upto

_SHEET_WIDTH_PX = 240
"""Of each camera on it."""


def stored_frame(data: bytes) -> Rgb:
    """A stored image; depth in shades of its distance. Raises: VideoError."""
    if not is_tiff(data):
        return read_png(data)
    with raised_as(VideoError, "a stored frame cannot be read", ValueError):
        depth = tiff_pixels(data)
    shades = DepthScale().codes(depth, "m" if depth.dtype.kind == "f" else "mm") >> 4
    return np.repeat(shades.astype(np.uint8)[:, :, None], 3, axis=2)


def frames_of(dataset: Dataset, key: str, number: int, rows: list[int]) -> list[Rgb]:
    """The frames of a camera at increasing rows of an episode.

    Raises: DatasetError, VideoError when a frame is missing or cannot be decoded.
    """
    if next(c.dtype for c in dataset.features if c.key == key) == "image":
        stored = dataset.rows(number, [key]).column(key)
        return [stored_frame(data) for data in coded_frames(stored.take(pa.array(rows)))]
    path, first = dataset.frame(key, number, 0)
    return [frame for _, frame in decode_at(str(path), [first + row for row in rows])]


def sheet_of(dataset: Dataset) -> bytes | None:
    """A JPEG of all cameras beside one another, in the middle of the first episode or at the last keyframe before it.

    None without a camera or an episode. Raises: as `frames_of`.
    """
    shown = [_middle(dataset, key) for key in dataset.cameras if len(dataset)]
    if not shown:
        return None
    tallest = max(rgb.shape[0] for rgb in shown)
    padded = [np.pad(rgb, ((0, tallest - rgb.shape[0]), (0, 0), (0, 0))) for rgb in shown]
    return to_jpeg(np.concatenate(padded, axis=1))


def _middle(dataset: Dataset, key: str) -> Rgb:
    row = dataset.episode(0).length // 2
    if next(column.dtype for column in dataset.features if column.key == key) == "video":
        path, wanted = dataset.frame(key, 0, row)
        row = max(0, row - (wanted - keyframe_upto(str(path), wanted)))
    return scaled(frames_of(dataset, key, 0, [row])[0], _SHEET_WIDTH_PX)
