"""Frames of any format as the one form that all of LeRobot's decoders show alike, and as RGB.

That form is 8-bit 4:2:0, limited range, BT.601, untagged: LeRobot's PyAV road ignores matrix tags, and both of
its roads ignore the range tag of AV1. Range and matrix of the source are stated at every conversion, because
PyAV's defaults changed: 15 converts the full range of a JPEG to limited, 19 leaves it as it is.

Not done: tone mapping (frames for HDR screens keep their code values), and blending (alpha is dropped).
"""

import threading
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from telecine.core.errors import VideoError

Rgb = npt.NDArray[np.uint8]
"""(height, width, 3) uint8, red first."""

UNTAGGED = 0
LIMITED = 1
FULL = 2

BT601 = 5
"""As swscale numbers it."""

_MATRICES = {1: 1, 2: BT601, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: 9, 10: 9}
"""AVColorSpace (ITU-T H.273, MatrixCoefficients) -> swscale's number: 1 BT.709, 9 BT.2020; 2 is untagged."""
_RGB_MATRIX = 0
_PLANAR = ("yuv420p", "yuv422p", "yuv444p")
_SAMPLING = {"nv12": "420", "nv21": "420", "p010le": "420", "nv24": "444"}

_scalers = threading.local()


def to_yuv420p(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> av.VideoFrame:
    """The frame as 8-bit limited-range BT.601 4:2:0, scaled to `size` (width, height) when given.

    Scaling averages areas where it makes smaller, else it is bicubic. A frame that already has the form is
    returned itself, without a copy.

    Raises:
        VideoError: the pixel format or the matrix cannot be converted.
    """
    frame, matrix = _plain(frame)
    if matrix != BT601:
        # swscale would go through RGB by itself, but only some versions notice that the matrices differ.
        frame, matrix = _convert(frame, "rgb24", matrix, None), BT601
    return _convert(frame, "yuv420p", matrix, size)


def to_rgb24(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> av.VideoFrame:
    """The frame as packed RGB, scaled like `to_yuv420p`."""
    frame, matrix = _plain(frame)
    return _convert(frame, "rgb24", matrix, size)


def to_rgb(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Rgb:
    """(height, width, 3) uint8 RGB, as LeRobot's decoders show it: untagged YUV is limited-range BT.601."""
    rgb = to_rgb24(frame, size)
    plane = rgb.planes[0]
    rows = np.frombuffer(plane, np.uint8, rgb.height * plane.line_size).reshape(rgb.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : rgb.width * 3]).reshape(rgb.height, rgb.width, 3)


def _plain(frame: av.VideoFrame) -> tuple[av.VideoFrame, int]:
    """An equal frame whose range swscale knows by the name of its format alone, and swscale's matrix number."""
    name, tag = frame.format.name, int(frame.colorspace)
    if frame.format.is_rgb or name.startswith("pal"):
        return frame, BT601
    if tag not in _MATRICES and tag != _RGB_MATRIX:
        raise VideoError(
            f"frames with colour matrix {tag} (ITU-T H.273) cannot be converted; "
            "re-encode the source as BT.601, BT.709 or BT.2020"
        )
    if name.startswith(("gray", "ya")):
        return (_widened(frame) if frame.color_range == LIMITED else frame), BT601
    matrix = _MATRICES.get(tag, BT601)
    if name.startswith("yuvj") or (name in _PLANAR and frame.color_range != FULL):
        return frame, matrix
    return _planar(frame, matrix), matrix


def _planar(frame: av.VideoFrame, matrix: int) -> av.VideoFrame:
    """YUV of any depth and layout as 8-bit planes of the same range.

    swscale is exact from these; from nv12, yuyv422 and more than 8 bit it makes RGB darker by up to two levels.
    Full range becomes yuvj*, because PyAV 15 does not honour the range of other formats when nothing is scaled.
    """
    sampling = _SAMPLING.get(frame.format.name) or next((s for s in ("420", "422") if s in frame.format.name), "444")
    name = f"yuv{sampling}p"
    full = frame.color_range == FULL
    out = _reformat(
        _scaler(frame.format.name, matrix, name, full),
        frame,
        format=name,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=FULL if full else LIMITED,
        dst_color_range=FULL if full else LIMITED,
    )
    return _relabelled(out, f"yuvj{sampling}p") if full else out


def _relabelled(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """The same 8-bit planes under another name."""
    out = av.VideoFrame(frame.width, frame.height, name)
    for source, target in zip(frame.planes, out.planes, strict=True):
        copy_plane(source, source.line_size, target)
    return out


def _widened(frame: av.VideoFrame) -> av.VideoFrame:
    """Limited-range gray as 4:2:0 without colour: swscale takes every gray frame for full range."""
    plane, bits = frame.planes[0], frame.format.components[0].bits
    out = av.VideoFrame(frame.width, frame.height, "yuv420p")
    if bits == 8:
        copy_plane(plane, plane.line_size, out.planes[0])
    else:
        deep = np.frombuffer(plane, ">u2" if frame.format.name.endswith("be") else "<u2")
        copy_plane((deep >> (bits - 8)).astype(np.uint8), plane.line_size // 2, out.planes[0])
    for chroma in out.planes[1:]:
        chroma.update(b"\x80" * chroma.buffer_size)
    return out


def copy_plane(data: object, stride: int, target: "av.video.plane.VideoPlane", row_bytes: int = 0) -> None:
    """Fill `target` from rows that lie `stride` bytes apart; `row_bytes` of each count (0: what both have)."""
    height, width = target.height, row_bytes or min(stride, target.line_size)
    rows = np.frombuffer(data, np.uint8, height * stride).reshape(height, stride)  # type: ignore[call-overload]
    into = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
    into[:height, :width] = rows[:, :width]


def _convert(frame: av.VideoFrame, name: str, matrix: int, size: tuple[int, int] | None) -> av.VideoFrame:
    """One swscale call with every colour property stated."""
    width, height = size or (frame.width, frame.height)
    full = frame.format.name.startswith(("yuvj", "gray", "ya"))
    return _reformat(
        _scaler(frame.format.name, matrix, name),
        frame,
        width=width,
        height=height,
        format=name,
        src_colorspace=matrix,
        dst_colorspace=BT601,
        src_color_range=FULL if full else LIMITED,
        dst_color_range=LIMITED,
        interpolation=_interpolation(frame, width, height),
    )


def _reformat(scaler: VideoReformatter, frame: av.VideoFrame, **wanted: Any) -> av.VideoFrame:
    try:
        out: av.VideoFrame = scaler.reformat(frame, **wanted)
    except (ValueError, av.FFmpegError) as error:
        raise VideoError(
            f"frames of {frame.width}x{frame.height} in format {frame.format.name} cannot be converted to {wanted}: "
            f"{error}"
        ) from error
    return out


def _interpolation(frame: av.VideoFrame, width: int, height: int) -> Interpolation:
    if (width, height) == (frame.width, frame.height):
        return Interpolation.BILINEAR
    return Interpolation.AREA if width < frame.width or height < frame.height else Interpolation.BICUBIC


def _scaler(*what: object) -> VideoReformatter:
    """A swscale context of its own for each kind of conversion, one per thread.

    A shared one goes wrong: after full-range frames PyAV finds the context of limited-range ones equal and does
    not tell it the range.
    """
    scalers: dict[object, VideoReformatter] = _scalers.__dict__.setdefault("by_kind", {})
    if what not in scalers:
        scalers[what] = VideoReformatter()
    return scalers[what]
