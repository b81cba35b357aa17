"""A camera that sends H.264 as it records, for the demo: packets of drawn frames."""

from collections.abc import Iterable

from telecine.video.frames.colour import Rgb
from telecine.video.live import coded_frames
from telecine.video.presets import video_settings


def h264_packets(images: Iterable[Rgb], fps: int, *, gop: int) -> list[bytes]:
    """One access unit (Annex B) per frame, no B-frames, parameter sets before every keyframe.

    The same frames give the same bytes.
    """
    settings = video_settings("train", gop=gop, crf=24)
    return [bytes(packet) for packet in coded_frames(images, settings, fps, key="demo")]
