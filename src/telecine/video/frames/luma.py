"""The brightness of a frame's pixels."""

import av
import numpy as np
import numpy.typing as npt

_PLANES = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray")
"""Formats whose first plane is the brightness, a byte a pixel."""
_FULL_RANGE = 2
"""FFmpeg's AVCOL_RANGE_JPEG: 0 is black and 255 is white; else they are 16 and 235 (ITU-R BT.601)."""
_FROM_LIMITED = np.clip((np.arange(256) - 16) * 255 / 219, 0, 255).round().astype(np.uint8)


def luma(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """(height, width) uint8, 0 black and 255 white; as it is coded where it is, else made of the colours."""
    plain = frame if frame.format.name in _PLANES else frame.reformat(format="gray")
    plane = plain.planes[0]
    rows = np.frombuffer(plane, np.uint8, plain.height * plane.line_size).reshape(plain.height, plane.line_size)
    shown = rows[:, : plain.width]
    full = plain.format.name.startswith(("yuvj", "gray")) or plain.color_range == _FULL_RANGE
    return shown.copy() if full else np.take(_FROM_LIMITED, shown, mode="clip")  # nothing is out of range: no check
