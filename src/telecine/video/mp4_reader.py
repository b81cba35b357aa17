"""Any MP4 as a stranger sees it: what its index holds, and its frames as LeRobot's decoders show them.

For verification: damage that decoders conceal is an error here, and nothing is assumed about who wrote the file.
Not noticed: damage inside H.265 frames that still parses (its decoder checks less), and flipped bits that make
another valid frame in any codec.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.errors import VideoError
from telecine.core.grid import Rows
from telecine.video.decode import STRICT
from telecine.video.demux import CONTAINERS, reason
from telecine.video.frames.colour import Rgb, to_rgb
from telecine.video.frames.depth import CODE_BITS, stored_codes
from telecine.video.frames.luma import luma

_Input: TypeAlias = av.container.InputContainer

TOLERANCE_S = 1e-4
"""How far a frame may lie from k / rate: LeRobot's `tolerance_s`."""
_CODECS = {"libdav1d": "av1", "libaom-av1": "av1"}
_NO_PROBE = {"skip_frame": "all"}
"""For the decoder that FFmpeg tries on opening, not for ours: an MP4's index has all but the pixel format, which is
unknown until a frame is decoded (PyAV 17 ends the process when asked for it before)."""
_BACK = (0, 2, 8, 32)
"""How many frames before the wanted one a seek aims, until it does not land behind it (B-frames)."""


@dataclass(frozen=True, eq=False, slots=True)
class FileFacts:
    """What the index of a video file holds, of its first video track.

    codec, pix_fmt: as FFmpeg names them. frames: frames that are played.
    average_rate: frames per second, as LeRobot's decoder computes it; 0 when the file does not tell.
    keyframes: (k,) int64, frames in display order that the file marks as entry points.
    off_grid: the first frame that is not within TOLERANCE_S of its place number / average_rate, and its time in
        seconds; None when there is none.
    rotation: degrees that players turn the frames by.
    duration: seconds.
    first: the first frame, decoded; None when there is none.
    """

    codec: str
    width: int
    height: int
    pix_fmt: str
    frames: int
    average_rate: Fraction
    keyframes: Rows
    off_grid: tuple[int, float] | None
    tracks: int
    has_audio: bool
    rotation: int
    duration: Fraction
    first: av.VideoFrame | None = None


def probe_file(path: str) -> FileFacts:
    """What the file states about itself; all packets are read, only the first frame is decoded.

    Raises:
        VideoError: the file is missing, truncated, or has no video.
    """
    with opened_video(path) as source:
        stream = source.streams.video[0]
        context = stream.codec_context
        packets: list[tuple[int, bool]] = []
        for packet in source.demux(stream):
            if packet.is_corrupt:
                raise VideoError(f"{path}: packet {len(packets)} is cut off; the file is truncated")
            if packet.pts is not None and not packet.is_discard:
                packets.append((packet.pts, packet.is_keyframe))
        packets.sort()
        first = _first_frame(source)
        rate, base = timing(stream)
        times = np.array([pts for pts, _ in packets], np.float64) * float(base)
        return FileFacts(
            codec=_CODECS.get(context.name, context.name),
            width=context.width,
            height=context.height,
            pix_fmt=first.format.name if first else "",  # PyAV 15 hands both out only with a decoded frame
            frames=len(packets),
            average_rate=rate,
            keyframes=np.flatnonzero([key for _, key in packets]),
            off_grid=_off_grid(times, rate),
            tracks=len(source.streams),
            has_audio=bool(source.streams.audio),
            rotation=int(first.rotation) if first else 0,
            duration=(stream.duration or 0) * base,
            first=first,
        )


@dataclass(frozen=True, eq=False, slots=True)
class ReadableFrames:
    """What of a video that may be damaged can be read. times: (n,) float64 s of its whole frames, in display order.

    is_cut: its index names frames behind these, which the file ends before.
    """

    times: np.typing.NDArray[np.float64]
    is_cut: bool
    codec: str
    size: tuple[int, int]
    """(height, width)."""


def readable_frames(path: str) -> ReadableFrames:
    """The frames of a file up to the first that is cut off. Raises: VideoError when nothing of it can be read."""
    with opened_video(path) as source:
        stream = source.streams.video[0]
        context, stamps, is_cut = stream.codec_context, [], False
        for packet in source.demux(stream):
            if packet.is_corrupt:
                is_cut = True
                break
            if packet.pts is not None and not packet.is_discard:
                stamps.append(packet.pts)
        _, base = timing(stream)
        is_cut = is_cut or 0 < len(stamps) < stream.frames
        times = np.sort(np.array(stamps, np.float64)) * float(base)
        codec = _CODECS.get(context.name, context.name)
        return ReadableFrames(times, is_cut, codec, (context.height, context.width))


def copy_readable(path: str, target: str) -> None:
    """Write `target`, an MP4 of the packets of a video up to the first that is cut off. Raises: VideoError."""
    with opened_video(path) as source, av.open(target, "w", format="mp4") as sink:
        old = source.streams.video[0]
        stream = sink.add_stream_from_template(old, opaque=True)
        stream.time_base = old.time_base
        for packet in source.demux(old):
            if packet.is_corrupt:
                break
            if packet.pts is not None:
                packet.stream = stream
                sink.mux(packet)


def timing(stream: av.VideoStream) -> tuple[Fraction, Fraction]:
    """(frames per second, seconds per tick), 0 where the file does not tell; PyAV 19 has a rational of its own."""
    return Fraction(stream.average_rate or 0), Fraction(stream.time_base or 0)


def _off_grid(times: np.typing.NDArray[np.float64], rate: Fraction) -> tuple[int, float] | None:
    places = np.arange(times.size) / float(rate) if rate else np.full(times.size, np.inf)
    off = np.flatnonzero(~(np.abs(times - places) < TOLERANCE_S))
    return (int(off[0]), float(times[off[0]])) if off.size else None


def _first_frame(source: _Input) -> av.VideoFrame | None:
    source.seek(0)
    return next(source.decode(source.streams.video[0]), None)


def decode_all(path: str) -> Iterator[Rgb]:
    """Every frame in display order, (height, width, 3) uint8.

    Raises:
        VideoError: the file cannot be read, or a frame is damaged.
    """
    with opened_video(path) as source:
        for frame in source.decode(source.streams.video[0]):
            yield _rgb(frame, path)


def decode_at(path: str, frames: Sequence[int], facts: FileFacts | None = None) -> Iterator[tuple[int, Rgb]]:
    """(number, frame) of the wanted frames, each once, in increasing order; a frame is (height, width, 3) uint8.

    facts: of the file, with its first frame, where they are known.

    Raises:
        VideoError: see `frames_at`.
    """
    if facts is not None and facts.first is not None and 0 in frames:
        yield 0, _rgb(facts.first, path)
        frames = [number for number in frames if number]
    for number, frame in frames_at(path, frames):
        yield number, _rgb(frame, path)


def depth_at(path: str, frames: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """(number, codes) of the wanted frames of a depth video, like `decode_at`; codes are (height, width) uint16.

    Raises:
        VideoError: the video holds no depth; see `frames_at`.
    """
    for number, frame in frames_at(path, frames):
        if frame.format.components[0].bits != CODE_BITS:
            raise VideoError(f"{path}: frame {number} is {frame.format.name}, not depth in 12 bits")
        yield number, stored_codes(frame)


def grey_at(path: str, frames: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """(number, brightness) of the wanted frames, like `decode_at`; brightness is (height, width) uint8.

    Of YUV it is the coded plane, which costs no conversion of colours. Raises: VideoError, see `frames_at`.
    """
    for number, frame in frames_at(path, frames):
        if frame.is_corrupt:
            raise VideoError(f"{path}: the frame at {frame.time:.3f} s is damaged")
        yield number, luma(frame)


def frames_at(path: str, frames: Sequence[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """(number, frame) of the wanted frames, each once, in increasing order.

    Decodes from the keyframe before each, and on from the last one when that is nearer.

    Raises:
        VideoError: the file cannot be read, a frame is damaged, or it is not at number / average rate.
    """
    with opened_video(path) as source, opened_video(path) as scout:
        stream = source.streams.video[0]
        ticks, (rate, base) = _ticks(source, path), timing(stream)
        shown: Iterator[av.VideoFrame] = iter(())
        last, jumps = -1, True
        for number in sorted({int(f) for f in frames}):
            target, key = keyframe_before(scout, number, ticks) if jumps else (0, -1)
            if last < 0 or key > last:
                source.seek(target, stream=stream)
                shown = source.decode(stream)
            try:
                frame = frame_from(shown, number, ticks, path)
            except av.FFmpegError:
                if not jumps or not key:
                    raise
                jumps = False  # keyframes of open groups of pictures are none that decoding can begin at, strictly
                source.seek(0, stream=stream)
                shown = source.decode(stream)
                frame = frame_from(shown, number, ticks, path)
            if abs(float(frame.pts - number * ticks)) * float(base) >= TOLERANCE_S:
                there, mean = float(frame.pts * base), f"{float(number * ticks * base):.6f} s by the mean rate"
                text = f"frame {number} lies at {there:.6f} s, and at {mean} of {float(rate):g} frames a second"
                raise VideoError(f"{path}: {text}: frames are missing or at unequal distances")
            last = number
            yield number, frame


def keyframe_upto(path: str, number: int) -> int:
    """The number of the last frame up to `number` at which decoding can begin; it may be that of an open group.

    Raises:
        VideoError: the file cannot be read, or does not tell how many frames it shows per second.
    """
    with opened_video(path) as scout:
        return keyframe_before(scout, number, _ticks(scout, path))[1]


def _ticks(source: _Input, path: str) -> Fraction:
    """From a frame to the next."""
    rate, base = timing(source.streams.video[0])
    if not rate or not base:
        raise VideoError(f"{path}: the file does not tell how many frames it shows per second")
    return 1 / (rate * base)


def keyframe_before(scout: _Input, number: int, ticks: Fraction) -> tuple[int, int]:
    """(where to seek to for a frame, in ticks; the number of the keyframe where that lands)."""
    target, key = 0, 0
    stream = scout.streams.video[0]
    for back in (*_BACK, number):
        target = max(0, round((number - back) * ticks))
        scout.seek(target, stream=stream)
        packet = next(scout.demux(stream))
        key = 0 if packet.pts is None else round(packet.pts / ticks)
        if key <= number:
            break
    return target, key


def frame_from(shown: Iterator[av.VideoFrame], number: int, ticks: Fraction, path: str) -> av.VideoFrame:
    """The frame `number` among those that come next."""
    earliest = math.ceil((2 * number - 1) * ticks / 2)  # whole numbers, as fractions are slow for each frame
    for frame in shown:
        if frame.pts is not None and frame.pts >= earliest:
            return frame
    raise VideoError(f"{path}: there is no frame {number}")


def _rgb(frame: av.VideoFrame, path: str) -> Rgb:
    if frame.is_corrupt:
        raise VideoError(f"{path}: the frame at {frame.time:.3f} s is damaged")
    return to_rgb(frame)


@contextmanager
def opened_video(path: str) -> Iterator[_Input]:
    """The file, decoding strictly in one thread; whatever FFmpeg reports becomes a VideoError that names it."""
    try:
        with av.open(path, options=CONTAINERS | _NO_PROBE) as source:
            if not source.streams.video:
                raise VideoError(f"{path}: there is no video in it")
            context = source.streams.video[0].codec_context
            if context is None:  # the file ends within its index
                raise VideoError(f"{path}: cannot be read as video: it does not say how its frames are coded")
            context.thread_count = 1
            context.options = STRICT
            yield source
    except av.FFmpegError as error:
        raise VideoError(f"{path}: cannot be read as video: {reason(error)}") from error
    except UnicodeDecodeError as error:  # PyAV decodes tags that may be any bytes
        raise VideoError(f"{path}: cannot be read as video: a tag in it is not text ({error})") from error
