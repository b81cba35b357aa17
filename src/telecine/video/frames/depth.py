"""Depth as 12-bit frames, with the histogram that their statistics need."""

from collections.abc import Iterable, Iterator

import av
import numpy as np
import numpy.typing as npt

from telecine.core.depth import LEVELS, PIX_FMT, DepthScale, DepthUnit
from telecine.core.errors import VideoError
from telecine.core.text.numbers import counted
from telecine.video.frames.colour import copy_plane
from telecine.video.frames.histogram import pixel_stride, sample_indices

_UNITS: dict[str, DepthUnit] = {"gray16le": "mm", "gray16be": "mm", "grayf32le": "m"}


CODE_BITS = 12
"""A channel of the frames that codes are stored in."""


class DepthHistogram:
    """How often each code occurs in the frames added so far. counts: (1, 4096) int64; sampled: frames."""

    __slots__ = ("counts", "sampled")

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros((1, LEVELS), np.int64)
        self.sampled = 0

    def add(self, codes: npt.NDArray[np.uint16]) -> None:
        """Count one frame, (height, width), every `pixel_stride`-th pixel of it."""
        stride = pixel_stride(*codes.shape)
        self.counts[0] += np.bincount(codes[::stride, ::stride].ravel(), minlength=LEVELS)
        self.sampled += 1


def depth_frames(
    frames: Iterable[av.VideoFrame], scale: DepthScale, *, count: int, key: str, histogram: DepthHistogram
) -> Iterator[av.VideoFrame]:
    """Exactly `count` frames of 12-bit codes; those to sample go into `histogram`.

    Raises:
        VideoError: a frame is no depth, the sizes or the number of frames are wrong.
    """
    sampled = frozenset(sample_indices(count).tolist())
    before: av.VideoFrame | None = None
    shape: tuple[int, ...] | None = None
    done = 0
    for number, frame in enumerate(frames):
        if number == count:
            raise VideoError(f"{key}: more frames than the {counted(count, 'row')} of the episode")
        if frame is not before:
            codes, before = to_codes(frame, scale, f"{key}: frame {number}"), frame
            if shape is not None and codes.shape != shape:
                raise VideoError(f"{key}: frame {number} is {codes.shape[1]}x{codes.shape[0]}, others are not")
            shape = codes.shape
        if number in sampled:
            histogram.add(codes)
        yield _frame(codes)
        done = number + 1
    if done != count:
        raise VideoError(f"{key}: {counted(done, 'frame')} for the {counted(count, 'row')} of the episode")


def to_codes(frame: av.VideoFrame, scale: DepthScale, where: str) -> npt.NDArray[np.uint16]:
    """(height, width) codes of a frame of 16-bit mm or float m, or of those that it holds already.

    Raises: VideoError for anything else.
    """
    if frame.format.components[0].bits == CODE_BITS:
        return stored_codes(frame)
    unit = _UNITS.get(frame.format.name)
    if unit is None:
        raise VideoError(f"{where} is {frame.format.name}, not depth: 16-bit gray in mm or 32-bit float in m")
    plane, item = frame.planes[0], 2 if unit == "mm" else 4
    dtype = {"gray16le": "<u2", "gray16be": ">u2"}.get(frame.format.name, "<f4")
    rows = np.frombuffer(plane, np.uint8)[: frame.height * plane.line_size].reshape(frame.height, plane.line_size)
    values = np.ascontiguousarray(rows[:, : frame.width * item]).view(dtype)
    return scale.codes(values, unit)


def stored_codes(frame: av.VideoFrame) -> npt.NDArray[np.uint16]:
    """(height, width) codes of a decoded frame of 12 bits, as LeRobot takes them from it."""
    gray = frame if frame.format.name == PIX_FMT else frame.reformat(format=PIX_FMT)
    plane = gray.planes[0]
    rows = np.frombuffer(plane, "<u2").reshape(-1, plane.line_size // 2)
    return rows[: gray.height, : gray.width].copy()


def _frame(codes: npt.NDArray[np.uint16]) -> av.VideoFrame:
    height, width = codes.shape
    frame = av.VideoFrame(width, height, PIX_FMT)
    copy_plane(np.ascontiguousarray(codes.astype("<u2")).view(np.uint8), width * 2, frame.planes[0])
    return frame
