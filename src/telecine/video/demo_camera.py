"""A camera that sends H.264 as it records, for the demo: packets of drawn frames."""

from collections.abc import Iterable
from fractions import Fraction

import av

from telecine.video.frames.colour import Rgb, to_yuv420p
from telecine.video.presets import encoder_options, video_settings


def h264_packets(images: Iterable[Rgb], fps: int, *, gop: int) -> list[bytes]:
    """One access unit (Annex B) per frame, no B-frames, parameter sets before every keyframe.

    The same frames give the same bytes.
    """
    name, pix_fmt, options = encoder_options(video_settings("train", gop=gop, crf=24))
    packets: list[bytes] = []
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.thread_count, encoder.options, encoder.pix_fmt = 1, options, pix_fmt
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    for number, rgb in enumerate(images):
        if not number:
            encoder.height, encoder.width = rgb.shape[:2]
        frame = to_yuv420p(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
        frame.pts, frame.time_base = number, Fraction(1, fps)
        packets += [bytes(p) for p in encoder.encode(frame)]
    if packets or encoder.is_open:
        packets += [bytes(p) for p in encoder.encode(None)]
    return packets
