"""Frames that are already coded one by one, as a clip, byte for byte; some are decoded for statistics."""

from collections.abc import Sequence

import numpy as np

from telecine.core.errors import VideoError
from telecine.core.recording import Image, MemoryStream, Schema
from telecine.core.text.numbers import counted
from telecine.core.video import Clip, FrameFormat
from telecine.video.clip import ClipWriter
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb
from telecine.video.frames.histogram import Histogram, sample_indices

CLOCK = "row"


def keep_images(images: Sequence[bytes], *, key: str, path: str, why: str) -> Clip:
    """The clip at `path` of PNG frames for the rows of an episode, at least one; their bytes stay as they are.

    Raises:
        VideoError: a frame is no PNG or is damaged, or they differ in size.
    """
    histogram, size = histogram_of(images, key)
    with ClipWriter(path) as clip:
        for number, data in enumerate(images):
            clip.add(data, number, True)
    return Clip(
        key=key,
        path=path,
        format=FrameFormat("png", *size, "rgb24"),
        frames=len(images),
        preroll=0,
        reorder_delay=0,
        copied=True,
        why=why,
        size_bytes=clip.size_bytes,
        gop=1,
        histogram=histogram.counts,
        sampled=histogram.sampled,
    )


def png_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in px that the header of a PNG file says; None when it is no PNG file."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def histogram_of(images: Sequence[bytes], key: str) -> tuple[Histogram, tuple[int, int]]:
    """Colours of frames that stand for an episode's PNG frames, and the size of those, (width, height) in px.

    Raises: VideoError as `keep_images`.
    """
    coded = [Image(data, "png") for data in images]
    stamps = {CLOCK: np.arange(len(coded), dtype=np.int64)}
    stream = MemoryStream(key, "image", Schema("uint8", (0, 0, 3), encoding="png"), stamps, coded)
    histogram = Histogram()
    sizes: set[tuple[int, int]] = set()
    for frame in frames(stream, sample_indices(len(coded)), CLOCK):
        histogram.add(to_rgb(frame))
        sizes.add((frame.width, frame.height))
    if len(sizes) != 1:
        raise VideoError(f"{key}: frames of {counted(len(sizes), 'size')} in one episode")
    return histogram, next(iter(sizes))
