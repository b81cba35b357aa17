"""A video file as a stream of packets, so that what is in an MP4 can be copied like what comes from a recording.

The packets are in the form that streams have (Annex B, OBUs). Those of a small file stay in memory; of a larger one
they are read again when asked for, so that memory does not grow with the file. Position k of its one clock is the k-th
frame that players show. Refuses codecs other than H.264, H.265 and AV1.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import VideoError, raised_as
from telecine.core.grid import Times
from telecine.core.recording import Buffer, ClockKind, Codec, Schema
from telecine.core.text.numbers import counted
from telecine.core.video import PacketIndex
from telecine.video.demux import Mp4Facts, packets, read_film

CLOCK = "frame"
HELD_BYTES = 64 << 20
"""Files up to this size stay in memory."""


@dataclass(frozen=True, eq=False, slots=True)
class Mp4Stream:
    """The video track of a file; a `VideoStream`.

    index: of its packets.
    """

    name: str
    codec: Codec
    index: PacketIndex
    _facts: Mp4Facts
    _held: tuple[Buffer, ...] | None
    """Its packets; None for a file that is too large to stay in memory."""

    @property
    def hidden(self) -> int:
        """Frames at the start that players do not show (edit list)."""
        return self._facts.hidden

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
        return np.arange(self._facts.count, dtype=np.int64)

    def backwards(self, clock: str) -> int:
        """Never."""
        del clock
        return 0

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) in decode order."""
        del clock
        if self._held is not None:
            return iter(self._held[start:stop])
        return packets(self.name, start, stop, self._facts)


def open_film(path: str) -> Mp4Stream:
    """The video of the file at `path`.

    Raises:
        VideoError: the file cannot be read, is damaged, or its codec cannot be copied.
    """
    held: list[Buffer] | None = [] if _size(path) <= HELD_BYTES else None
    facts, index = read_film(path, lambda codec, units: index_packets(_noted(units, held), codec))
    codec = _codec_of(facts, path)
    assert index is not None
    if index.count != facts.count:
        raise VideoError(f"{path}: {counted(index.count, 'packet')} for {counted(facts.count, 'frame')}")
    if index.problems:
        at, what = index.problems[0]
        raise VideoError(f"{path}: packet {at} is damaged: {what}")
    return Mp4Stream(path, codec, index, facts, None if held is None else tuple(held))


def _noted(units: Iterable[Buffer], held: list[Buffer] | None) -> Iterator[Buffer]:
    """The packets, each of which is added to `held`, if given."""
    for unit in units:
        if held is not None:
            held.append(unit)
        yield unit


def read_index(path: str) -> tuple[PacketIndex, int]:
    """(index of its packets, frames at the start that players do not show) of a video file. Raises: VideoError."""
    facts, index = read_film(path, lambda codec, units: index_packets(units, codec))
    _codec_of(facts, path)
    assert index is not None
    return index, facts.hidden


def _codec_of(facts: Mp4Facts, path: str) -> Codec:
    if facts.codec is None:
        raise VideoError(f"{path}: codec {facts.codec_name} cannot be copied; only {', '.join(get_args(Codec))} can")
    return facts.codec


def _size(path: str) -> int:
    with raised_as(VideoError, f"{path}: cannot be read", OSError):
        return Path(path).stat().st_size
