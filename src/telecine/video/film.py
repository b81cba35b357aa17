"""A video file as a stream of packets, so that what is in an MP4 can be copied like what comes from a recording.

The packets are taken out of the file once, into a scratch file in the form that streams have (Annex B, OBUs); from
there they are read as often as needed without copies. Position k of its one clock is the k-th picture that players
show. Refuses codecs other than H.264, H.265 and AV1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from telecine.core.errors import VideoError
from telecine.core.packets import index_packets, is_self_contained
from telecine.core.recording import Buffer, ClockKind, Codec, Schema
from telecine.core.time import Times
from telecine.core.video import PacketIndex
from telecine.video.clip import ClipWriter, read_clip
from telecine.video.read import opened

CLOCK = "frame"
_FILTERS = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_CODECS = {"libdav1d": "av1", "libaom-av1": "av1"}
_DELIMITER = b"\x12\x00"
"""An AV1 temporal delimiter, which MP4 leaves out and low-overhead streams begin every packet with."""
_AV1C_BYTES = 4
"""Before the headers in an MP4's AV1 configuration."""


@dataclass(frozen=True, eq=False, slots=True)
class Film:
    """The video track of a file; a `VideoStream`.

    index: of its packets. hidden: pictures at the start that players do not show (edit list).
    """

    name: str
    codec: Codec
    index: PacketIndex
    hidden: int
    _packets: tuple[Buffer, ...]

    @property
    def kind(self) -> Literal["video"]:
        """Coded pictures that refer to each other."""
        return "video"

    @property
    def schema(self) -> Schema:
        """Codec, and the size that the stream itself says."""
        fmt = self.index.formats[0]
        return Schema("uint8", (fmt.height, fmt.width, 3), encoding=self.codec)

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """One count of pictures."""
        return {CLOCK: "sequence"}

    @property
    def static(self) -> bool:
        """Never."""
        return False

    def times(self, clock: str) -> Times:
        """(n,) int64: 0, 1, 2 ..."""
        del clock
        return np.arange(len(self._packets), dtype=np.int64)

    def backwards(self, clock: str) -> int:
        """Never."""
        del clock
        return 0

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) in decode order."""
        del clock
        return iter(self._packets[start:stop])


def open_film(path: str, scratch: str) -> Film:
    """The video of the file at `path`; its packets stay in the file `scratch` as long as they are in use.

    Raises:
        VideoError: the file cannot be read, is damaged, or its codec cannot be copied.
    """
    with opened(path) as source:
        stream = source.streams.video[0]
        name = _CODECS.get(stream.codec_context.name, stream.codec_context.name)
        codec = next((c for c in get_args(Codec) if c == name), None)
        if codec is None:
            raise VideoError(f"{path}: codec {name} cannot be copied; only {', '.join(get_args(Codec))} can")
        hidden = _spool(source, stream, codec, path, scratch)
    packets = tuple(data for data, _, _ in read_clip(scratch))
    if not packets:
        raise VideoError(f"{path}: there is no picture in it")
    index = index_packets(packets, codec)
    if index.problems:
        at, what = index.problems[0]
        raise VideoError(f"{path}: packet {at} is damaged: {what}")
    return Film(path, codec, index, hidden, packets)


def _spool(source: av.container.InputContainer, stream: av.VideoStream, codec: Codec, path: str, scratch: str) -> int:
    """Write all packets to `scratch`; how many pictures at the start are not shown."""
    bits = BitStreamFilterContext(_FILTERS[codec], stream) if codec in _FILTERS else None
    config = bytes(stream.codec_context.extradata or b"")[_AV1C_BYTES:] if codec == "av1" else b""
    shown: list[tuple[int, bool]] = []
    with ClipWriter(scratch) as clip:
        for packet in source.demux(stream):
            if packet.is_corrupt:
                raise VideoError(f"{path}: packet {clip.frames} is cut off; the file is truncated")
            if packet.pts is None:
                continue
            shown.append((packet.pts, packet.is_discard))
            for part in [packet] if bits is None else bits.filter(packet):
                data = bytes(part)
                if codec == "av1":  # headers that are nowhere but in the file's own
                    lacking = not clip.frames and not is_self_contained(data, codec)
                    data = _DELIMITER + (config if lacking else b"") + data
                clip.add(data, clip.frames, False)
    hidden = [discarded for _, discarded in sorted(shown)]
    if clip.frames != len(shown) or any(hidden[sum(hidden) :]):
        raise VideoError(f"{path}: {clip.frames} packets for {len(shown)} pictures, or hidden ones between others")
    return sum(hidden)
