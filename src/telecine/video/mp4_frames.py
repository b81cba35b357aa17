"""Frames of a video file, cut down to a rectangle."""

from collections.abc import Iterator, Sequence

import av
import numpy as np

from telecine.core.errors import VideoError
from telecine.video.mp4_reader import decode_at


def cropped(path: str, frames: Sequence[int], crop: tuple[int, int, int, int] | None) -> Iterator[av.VideoFrame]:
    """The wanted frames, packed RGB. crop: (left, top, width, height) in px; None: all of each.

    Raises: VideoError when the file cannot be read or the rectangle reaches beyond its frames.
    """
    for _, rgb in decode_at(path, frames):
        part = rgb
        if crop is not None:
            left, top, width, height = crop
            if left + width > rgb.shape[1] or top + height > rgb.shape[0]:
                raise VideoError(f"{path}: crop {list(crop)} reaches beyond its {rgb.shape[1]}x{rgb.shape[0]} px")
            part = np.ascontiguousarray(rgb[top : top + height, left : left + width])
        yield av.VideoFrame.from_ndarray(part, format="rgb24")
