"""FFmpeg's encoders, opened with every option stated, one frame in and some packets out."""

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

import av

from telecine.core.errors import VideoError
from telecine.video.usual_priority import usual_priority

_ANY_TYPE = 0
"""AV_PICTURE_TYPE_NONE. Decoded frames carry the type they had, which x264 would take for an order."""


class Setup(NamedTuple):
    """All that an encoder is opened with besides size and rate: FFmpeg's name of it, pixel format, options."""

    name: str
    pix_fmt: str
    options: dict[str, str]


class ColourTags(NamedTuple):
    """Colour tags as numbers of ITU-T H.273, and FFmpeg's range (1 limited, 2 full); 2 and 0 are "not said"."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0


def colour_of(context: av.VideoCodecContext) -> ColourTags:
    """The tags that a decoder found in the parameter sets, once it has given a frame."""
    return ColourTags(
        int(context.color_primaries), int(context.color_trc), int(context.colorspace), int(context.color_range)
    )


def open_encoder(
    setup: Setup, size: tuple[int, int], fps: int, *, key: str, threads: int = 1, colour: ColourTags | None = None
) -> av.VideoCodecContext:
    """The encoder, open; parameter sets go in front of every keyframe since no global header is asked for.

    size: (width, height) in px. colour: tags to write; None writes none.

    Raises: VideoError when it refuses.
    """
    if setup.name == "libsvtav1":
        # SVT-AV1 prints its settings to stderr, past every logger, unless turned off before its first encoder.
        os.environ.setdefault("SVT_LOG", "1")
    encoder = av.CodecContext.create(setup.name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt = setup.pix_fmt
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    encoder.thread_count = threads
    encoder.options = setup.options
    if colour is not None:
        encoder.color_primaries, encoder.color_trc, encoder.colorspace, encoder.color_range = colour
    try:
        with usual_priority():
            encoder.open()
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(
            f"{key}: {setup.name} does not encode {size[0]}x{size[1]} at {fps} fps with {setup.options}: "
            f"{error}; choose another `video.size` or `video.codec`"
        ) from error
    return encoder


def coded(frames: Iterable[av.VideoFrame], encoder: av.VideoCodecContext, key: str) -> Iterator[av.Packet]:
    """What the encoder makes of the frames, in decode order; packet.pts is the number of its frame.

    The frames' pts and type are overwritten.

    Raises: VideoError when it fails.
    """
    for number, frame in enumerate(chain(frames, [None])):
        if frame is not None:
            frame.pts, frame.time_base, frame.pict_type = number, encoder.time_base, _ANY_TYPE
        try:
            packets = encoder.encode(frame)
        except av.FFmpegError as error:
            raise VideoError(f"{key}: {encoder.name} failed: {error}") from error
        yield from packets
