"""Frames of a stream re-encoded to stand beside copied ones, as a group that needs nothing else.

Size, pixel format and colour tags are the stream's own, so no pixel is converted. The quantizer is constant rather
than the rate: no frame then falls below 40 dB PSNR against the one decoded from the source, not even of white noise
(41 dB or more there, 42 and more of camera frames; `tests/video/test_splice.py` measures it).
"""

from collections.abc import Iterator

import av

from telecine.core.bitstream.packets import index_packets
from telecine.core.depth import is_depth
from telecine.core.errors import VideoError
from telecine.core.recording import Codec
from telecine.core.text.numbers import counted
from telecine.core.video import FrameFormat
from telecine.video.encoder import ColourTags, Setup, coded, open_encoder


def setup(codec: Codec, pix_fmt: str, gop: int, number: int) -> Setup:
    """What the encoder is opened with; a keyframe every `gop` frames, none out of order.

    number: of its parameter sets, where the codec lets one choose (H.264): unlike all those of the stream, they then
    never stand for each other, even to a reader that sees the stream's only once.
    """
    common = {"g": str(gop)}
    match codec:
        case "h264":
            x264 = f"scenecut=0:cabac=0:sps-id={number}"
            return Setup(
                "libx264", pix_fmt, {**common, "preset": "ultrafast", "qp": "18", "bf": "0", "x264-params": x264}
            )
        case "hevc":
            # Depth is numbers, not colours: a step of one code is millimetres.
            quality = "lossless=1" if is_depth(pix_fmt) else "qp=18"
            x265 = f"{quality}:keyint={gop}:min-keyint={gop}:open-gop=0:bframes=0:scenecut=0:log-level=error"
            return Setup(
                "libx265", pix_fmt, {**common, "preset": "ultrafast", "x265-params": f"{x265}:pools=1:frame-threads=1"}
            )
        case "av1":
            # From effort 9 up SVT-AV1 3 leaves out changes of flat areas.
            return Setup(
                "libsvtav1",
                pix_fmt,
                {**common, "preset": "8", "svtav1-params": "rc=0:aq-mode=0:qp=12:fast-decode=0:lp=1"},
            )


def reencode(
    frames: Iterator[av.VideoFrame],
    fmt: FrameFormat,
    fps: int,
    *,
    count: int,
    gop: int,
    number: int,
    colour: ColourTags,
    key: str,
) -> Iterator[bytes]:
    """One packet for each of `count` frames, in order, each keyframe with its parameter sets.

    Raises: VideoError when a packet is missing, or what comes out is not of the format `fmt`.
    """
    assert fmt.codec != "png"
    encoder = open_encoder(
        setup(fmt.codec, fmt.pix_fmt, gop, number), (fmt.width, fmt.height), fps, key=key, colour=colour
    )
    made = 0
    for made, packet in enumerate(coded(frames, encoder, key), 1):
        data = bytes(packet)
        if made == 1:
            (found,) = index_packets([data], fmt.codec).formats
            if found != fmt:
                raise VideoError(f"{key}: frames re-encoded are {found}, those copied {fmt}")
        if packet.pts != made - 1 or packet.is_keyframe != ((made - 1) % gop == 0):
            raise VideoError(f"{key}: {encoder.name} put frame {packet.pts} at place {made - 1}")
        yield data
    if made != count:
        raise VideoError(f"{key}: {encoder.name} gave {counted(made, 'packet')} for {counted(count, 'frame')}")
