"""A video file as a stream of packets, so that what is in an MP4 can be copied like what comes from a recording.

The packets are taken out of the file once, in the form that streams have (Annex B, OBUs), and stay in memory: a video
file of a dataset is small. Position k of its one clock is the k-th frame that players show. Refuses codecs other than
H.264, H.265 and AV1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import VideoError
from telecine.core.grid import Times
from telecine.core.recording import Buffer, ClockKind, Codec, Schema
from telecine.core.video import PacketIndex
from telecine.video.demux import film_facts, packets, read_film

CLOCK = "frame"


@dataclass(frozen=True, eq=False, slots=True)
class Mp4Stream:
    """The video track of a file; a `VideoStream`.

    index: of its packets. hidden: frames at the start that players do not show (edit list).
    """

    name: str
    codec: Codec
    index: PacketIndex
    hidden: int
    _packets: tuple[Buffer, ...]

    @property
    def kind(self) -> Literal["video"]:
        """Coded frames that refer to each other."""
        return "video"

    @property
    def schema(self) -> Schema:
        """Codec, and the size that the stream itself says."""
        fmt = self.index.formats[0]
        return Schema("uint8", (fmt.height, fmt.width, 3), encoding=self.codec)

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """One count of frames."""
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


def open_film(path: str) -> Mp4Stream:
    """The video of the file at `path`.

    Raises:
        VideoError: the file cannot be read, is damaged, or its codec cannot be copied.
    """
    facts, held = read_film(path)
    if facts.codec is None:
        raise VideoError(f"{path}: codec {facts.codec_name} cannot be copied; only {', '.join(get_args(Codec))} can")
    if len(held) != facts.count:
        raise VideoError(f"{path}: {len(held)} packets for {facts.count} frames")
    index = index_packets(held, facts.codec)
    if index.problems:
        at, what = index.problems[0]
        raise VideoError(f"{path}: packet {at} is damaged: {what}")
    return Mp4Stream(path, facts.codec, index, facts.hidden, held)


def read_index(path: str) -> tuple[PacketIndex, int]:
    """(index of its packets, frames at the start that players do not show) of a video file. Raises: VideoError."""
    facts = film_facts(path)
    if facts.codec is None:
        raise VideoError(f"{path}: codec {facts.codec_name} cannot be copied; only {', '.join(get_args(Codec))} can")
    return index_packets(packets(path), facts.codec), facts.hidden
