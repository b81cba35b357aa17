"""The coded frames of a video file, as recordings hand them out: one access unit each, in decode order.

Times of the file are not read: whoever owns the file knows when its frames were taken.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TypeAlias, TypeVar

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from telecine.core.bitstream.packets import is_self_contained
from telecine.core.dataclass import dataclass
from telecine.core.errors import VideoError
from telecine.core.grid import Rows
from telecine.core.recording import Buffer, Codec
from telecine.core.video import Flags

Read = TypeVar("Read")
_Input: TypeAlias = av.container.InputContainer
_CODECS: dict[str, Codec] = {"h264": "h264", "hevc": "hevc", "av1": "av1", "libdav1d": "av1", "libaom-av1": "av1"}
_TO_STREAM = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
"""MP4 keeps parameter sets beside the packets and lengths instead of start codes; this undoes both."""
DELIMITER = b"\x12\x00"
"""An AV1 temporal delimiter: packets of a low-overhead stream begin with it, those in MP4 do not."""
_AV1C_BYTES = 4
"""Before the headers in an MP4's AV1 configuration."""


CONTAINERS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts",
    "protocol_whitelist": "file",
}
"""Options with which FFmpeg opens files of video only: it goes by what is in a file, whatever its name says, and knows
playlists, which are texts that name other files."""


@dataclass(frozen=True, slots=True)
class Track:
    """The first video track of a file, as its header says."""

    codec: Codec
    width: int
    height: int


def track(path: str) -> Track:
    """What the header says. Raises: VideoError when it cannot be read or the codec is not one of telecine's."""
    with _opened(path) as source:
        context = source.streams.video[0].codec_context
        codec = _CODECS.get(context.name)
        if codec is None:
            raise VideoError(f"{path}: {context.name} video is not supported; supported: h264, hevc, av1")
        return Track(codec, context.width, context.height)


@dataclass(frozen=True, eq=False, slots=True)
class Mp4Facts:
    """What all packets of a file tell of its first video track.

    codec_name: as FFmpeg names it, also where it is none of telecine's.
    display: (n,) int64, the place of each packet's frame in display order; a permutation of range(n).
    keyframe: (n,) bool, packets that the file marks as entry points.
    pts: (n,) int64, their stamps in the file's own unit. pts_ns: in ns.
    hidden: frames at the start that players do not show (edit list).
    """

    codec: Codec | None
    codec_name: str
    width: int
    height: int
    display: Rows
    keyframe: Flags
    pts: Rows
    pts_ns: Rows
    hidden: int = 0

    @property
    def count(self) -> int:
        """Frames."""
        return int(self.display.size)


def film_facts(path: str) -> Mp4Facts:
    """Reads all packets, decodes nothing. Raises: VideoError for a file that is no video, is empty or cut off."""
    return _facts(path, None)[0]


def read_film(path: str, read: Callable[[Codec, Iterator[Buffer]], Read]) -> tuple[Mp4Facts, Read | None]:
    """What `film_facts` gives, and what `read` makes of what `packets` gives, with the file read once.

    None in its place for a codec that is none of telecine's.

    Raises: VideoError, as these do.
    """
    return _facts(path, read)


def _facts(path: str, read: Callable[[Codec, Iterator[Buffer]], Read] | None) -> tuple[Mp4Facts, Read | None]:
    with _opened(path) as source:
        stream = source.streams.video[0]
        name, width, height = (getattr(stream.codec_context, key) for key in ("name", "width", "height"))
        codec, base = _CODECS.get(name), stream.time_base or Fraction(1)
        convert = None if read is None or codec is None else _access_units(stream, 0)
        marks: list[tuple[int, bool]] = []
        discarded: list[tuple[int, bool]] = []

        def units() -> Iterator[Buffer]:
            for packet in source.demux(stream):
                if packet.is_corrupt:
                    raise VideoError(f"{path}: packet {len(marks)} is cut off; the file is truncated")
                if packet.pts is not None and packet.size:
                    marks.append((int(packet.pts), bool(packet.is_keyframe)))
                    discarded.append((int(packet.pts), bool(packet.is_discard)))
                if convert is not None and packet.size:
                    yield from convert(packet)  # the last use: what a filter was given is no longer in the packet

        every = units()
        made = None if read is None or codec is None else read(codec, every)
        deque(every, 0)  # what was not taken is counted all the same
    if not marks:
        raise VideoError(f"{path}: holds no frames")
    display, stamps = np.empty(len(marks), np.int64), np.array([pts for pts, _ in marks], np.int64)
    display[np.argsort(stamps, kind="stable")] = np.arange(len(marks))
    hidden = [flag for _, flag in sorted(discarded)]
    if any(hidden[sum(hidden) :]):
        raise VideoError(f"{path}: frames that are not shown lie between others that are")
    keyframe = np.array([key for _, key in marks])
    tick_ns = base * 1_000_000_000  # in whole numbers: Fractions take ten times as long
    stamps_ns = np.array([_nearest(pts * tick_ns.numerator, tick_ns.denominator) for pts, _ in marks], np.int64)
    return Mp4Facts(codec, name, width, height, display, keyframe, stamps, stamps_ns, sum(hidden)), made


def _nearest(number: int, divisor: int) -> int:
    """The quotient rounded as `round` does, halves to the even neighbour."""
    whole, rest = divmod(number, divisor)
    return whole + (2 * rest + (whole & 1) > divisor)


def packets(path: str, start: int = 0, stop: int | None = None, facts: Mp4Facts | None = None) -> Iterator[bytes]:
    """Access units [start, stop) in decode order: Annex B for H.264 and H.265, low-overhead OBUs for AV1.

    facts: of the file; with them packets before `start` are not read.

    Raises:
        VideoError: the file cannot be read, or ends within a packet.
    """
    with _opened(path) as source:
        stream = source.streams.video[0]
        units = _access_units(stream, start)
        number = 0
        if facts is not None and start and facts.keyframe[start]:
            # Lands on this keyframe or one before it: the stamp tells which.
            source.seek(int(facts.pts[start]), stream=stream)
            number = -1
        for packet in source.demux(stream):
            if packet.is_corrupt:
                raise VideoError(f"{path}: packet {number} is cut off; the file is truncated")
            if number < 0 and facts is not None:
                number = int(np.flatnonzero(facts.pts == packet.pts)[0]) if packet.pts in facts.pts else -1
            if not packet.size or number < 0:
                continue
            if stop is not None and number >= stop:
                return
            if number >= start:
                yield from map(bytes, units(packet))
            number += 1


def _access_units(stream: av.VideoStream, start: int) -> Callable[[av.Packet], list[Buffer]]:
    """What makes access units of the packets of a file, one after the other from packet `start` on."""
    name = _TO_STREAM.get(_CODECS.get(stream.codec_context.name, ""))
    if name:
        convert = BitStreamFilterContext(name, stream)
        return lambda packet: [memoryview(unit) for unit in convert.filter(packet)]
    lead = DELIMITER if start else _av1_lead(bytes(stream.codec_context.extradata or b""))

    def with_delimiter(packet: av.Packet) -> list[Buffer]:
        nonlocal lead
        data = bytes(packet)
        before, lead = (DELIMITER if is_self_contained(data, "av1") else lead), DELIMITER
        return [before + data]

    return with_delimiter


def _av1_lead(extradata: bytes) -> bytes:
    """What goes before the first packet when it has no headers of its own: those that the file keeps beside it."""
    return DELIMITER + extradata[_AV1C_BYTES:]


def reason(error: OSError) -> str:
    """What FFmpeg says, in words. It answers EINVAL for a container that is not in `CONTAINERS`."""
    if error.errno == errno.EINVAL:
        return "it is no MP4, Matroska, AVI or MPEG-TS file"
    return str(error.strerror)


@contextmanager
def _opened(path: str) -> Iterator[_Input]:
    try:
        with av.open(path, options=CONTAINERS) as source:
            if not source.streams.video or source.streams.video[0].codec_context is None:
                raise VideoError(f"{path}: there is no video in it")
            yield source
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: cannot be read as video: {reason(error)}") from error
    except UnicodeDecodeError as error:  # PyAV decodes tags that may be any bytes
        raise VideoError(f"{path}: cannot be read as video: a tag in it is not text ({error})") from error
