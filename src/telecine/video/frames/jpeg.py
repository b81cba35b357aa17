"""Single frames as JPEG, for browsers."""

from fractions import Fraction

import av
import numpy as np

from telecine.core.errors import VideoError
from telecine.video.frames.colour import Rgb

_QUALITY = 3
"""FFmpeg's quantizer, 2 (best) to 31."""


def to_jpeg(rgb: Rgb) -> bytes:
    """(height, width, 3) uint8 as the bytes of a JPEG file. Raises: VideoError."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    try:
        encoder = av.CodecContext.create("mjpeg", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj444p"
        encoder.time_base = Fraction(1)
        encoder.qmin = encoder.qmax = _QUALITY
        coded = frame.reformat(format="yuvj444p", dst_color_range=2)
        coded.pts = 0
        return b"".join(bytes(packet) for part in (coded, None) for packet in encoder.encode(part))
    except av.FFmpegError as error:
        raise VideoError(f"a frame of {frame.width}x{frame.height} cannot be coded as JPEG: {error}") from error
