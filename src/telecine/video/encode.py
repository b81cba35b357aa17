"""Frames as one coded clip, with the histogram of what went in.

Streaming: one frame in flight besides what the encoder holds back. The histogram is taken from RGB before
encoding, since the codec's own error would be the largest in it. Refuses wrong numbers of frames, sizes that
change, and sizes the codec cannot hold; invents no pixels to make them fit.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

import av
import numpy as np

from telecine.core.depth import depth_size_problem
from telecine.core.errors import PlanError, VideoError
from telecine.core.text.numbers import counted
from telecine.core.video import Clip, FrameFormat, VideoSettings
from telecine.video.clip import ClipWriter
from telecine.video.encoder import coded, open_encoder
from telecine.video.frames.colour import to_rgb, to_rgb24, to_yuv420p
from telecine.video.frames.depth import DepthHistogram, depth_frames
from telecine.video.frames.histogram import Histogram, sample_indices
from telecine.video.presets import encoder_info, encoder_options, size_problem


def encode(
    frames: Iterable[av.VideoFrame],
    settings: VideoSettings,
    fps: int,
    *,
    count: int,
    key: str,
    path: str,
    why: str,
    threads: int = 1,
) -> Clip:
    """A clip at `path` of exactly `count` frames, in the codec that `settings` says; PNG for preset `images`.

    Depth (`settings.depth`) is stored in 12 bits, as `core/depth.py` says; codes that frames hold stay as they are.

    frames: of any pixel format, all of one size unless `settings.size` is given. The same frame object again is
        converted once. Frames that already have the encoder's format are used up: their pts is overwritten.
    key: the camera, for messages and for the clip. why: the reason for encoding, for the report.

    Raises:
        VideoError: the number or the size of the frames is wrong, or the encoder failed.
    """
    if count < 1:
        raise VideoError(f"{key}: there are no frames to encode")
    histogram: Histogram | DepthHistogram
    if settings.depth:
        histogram = DepthHistogram()
        converted = depth_frames(frames, settings.depth, count=count, key=key, histogram=histogram)
    else:
        histogram = Histogram()
        converted = _converted(frames, settings, count=count, key=key, histogram=histogram)
    first = next(converted)
    setup = encoder_options(settings, threads=threads)
    encoder = open_encoder(setup, (first.width, first.height), fps, key=key, threads=threads)
    displays: list[int] = []
    keyframes: list[bool] = []
    with ClipWriter(path) as clip:
        for packet in coded(chain([first], converted), encoder, key):
            clip.add(bytes(packet), packet.pts, packet.is_keyframe)
            displays.append(packet.pts)
            keyframes.append(packet.is_keyframe)
        if sorted(displays) != list(range(count)) or not keyframes[0]:
            raise VideoError(
                f"{key}: {settings.codec} encoder gave {counted(len(displays), 'packet')} for {counted(count, 'frame')}"
            )
    return Clip(
        key=key,
        path=path,
        format=FrameFormat(settings.codec, first.width, first.height, first.format.name),
        frames=count,
        preroll=0,
        reorder_delay=int(np.max(np.arange(count) - np.array(displays))),
        copied=False,
        why=why,
        size_bytes=clip.size_bytes,
        gop=int(np.max(np.diff(np.append(np.flatnonzero(keyframes), count)))),
        histogram=histogram.counts,
        sampled=histogram.sampled,
        encoded=count,
        depth=settings.depth,
        encoder=encoder_info(settings),
    )


def _converted(
    frames: Iterable[av.VideoFrame], settings: VideoSettings, *, count: int, key: str, histogram: Histogram
) -> Iterator[av.VideoFrame]:
    """Exactly `count` frames as the encoder takes them; those to sample go into `histogram`."""
    convert = to_rgb24 if settings.codec == "png" else to_yuv420p
    sampled = frozenset(sample_indices(count).tolist())
    before: av.VideoFrame | None = None
    done = 0
    for number, frame in enumerate(frames):
        if number == count:
            raise VideoError(f"{key}: more frames than the {counted(count, 'row')} of the episode")
        if frame is not before:
            check_frame(frame, before, settings, f"{key}: frame {number}")
            converted, rgb, before = convert(frame, settings.size), None, frame
        if number in sampled:
            rgb = to_rgb(frame, settings.size) if rgb is None else rgb
            histogram.add(rgb)
        yield converted
        done = number + 1
    if done != count:
        raise VideoError(f"{key}: {counted(done, 'frame')} for the {counted(count, 'row')} of the episode")


def bits_of(pix_fmt: str) -> int:
    """Bits of a channel."""
    return int(av.VideoFormat(pix_fmt).components[0].bits)


def check_first(frame: av.VideoFrame, settings: VideoSettings, where: str) -> None:
    """Nothing, when a camera that starts with this frame can be stored: asked before anything is encoded.

    Raises: PlanError for depth of another size than the plan's, VideoError.
    """
    seen = (frame.width, frame.height)
    if not settings.depth:
        check_frame(frame, None, settings, where)
    elif problem := depth_size_problem(frame.width, frame.height):
        raise VideoError(f"{where}: {problem}; leave the feature out")
    elif settings.size not in (None, seen):
        raise PlanError(
            f"{where} is {seen[0]}x{seen[1]}, the plan says `size: {list(settings.size)}`, and depth is never scaled; "
            "leave the recording out, or give the feature `video: {}` of its own where that size is for other cameras"
        )


def check_frame(frame: av.VideoFrame, before: av.VideoFrame | None, settings: VideoSettings, where: str) -> None:
    """VideoError when the frame cannot be encoded, or not together with the one before."""
    if (bits := bits_of(frame.format.name)) > 8 and frame.format.name.startswith(("gray", "ya")):
        raise VideoError(
            f"{where} is grey of {bits} bits, of which LeRobot's video and PNG keep 8; if it is depth, record it with "
            "its unit (Rerun: DepthImage with meter; ROS: 16UC1 in mm), else as 8 bits, or leave the feature out"
        )
    if settings.size is not None:
        return
    width, height = frame.width, frame.height
    if before is not None and (width, height) != (before.width, before.height):
        raise VideoError(
            f"{where} is {width}x{height}, those before {before.width}x{before.height}; "
            f"set `video.size: [{before.width}, {before.height}]` to scale all to one size"
        )
    problem = size_problem(settings.codec, width, height)
    if problem:
        raise VideoError(f"{where}: {problem}")
