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
from telecine.core.grid import Rows, Times
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
    _first: int = 0
    """The packet of the file that it begins with."""

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
        return np.arange(self.index.count, dtype=np.int64)

    def backwards(self, clock: str) -> int:
        """Never."""
        del clock
        return 0

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) in decode order."""
        del clock
        if self._held is not None:
            return iter(self._held[start:stop])
        stop = self.index.count if stop is None else min(stop, self.index.count)
        return packets(self.name, self._first + start, self._first + stop, self._facts)


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


def open_part(path: str, facts: Mp4Facts, rows: Rows) -> tuple[Mp4Stream, int]:
    """(the frames `rows` with those that they need, which of the file's frames it begins with).

    For a file that is damaged elsewhere: nothing else of it is read, but to get there.

    rows: (n,) increasing by one, n > 0, hidden ones counted. facts: of the file.

    Raises:
        VideoError: these packets are damaged, or cannot be copied.
    """
    codec = _codec_of(facts, path)
    wanted = np.flatnonzero((facts.display >= rows[0]) & (facts.display <= rows[-1]))
    starts = np.flatnonzero(facts.keyframe)
    before = starts[facts.display[starts] <= rows[0]]
    if wanted.size != rows.size or not before.size:
        raise VideoError(f"{path}: no keyframe at or before frame {rows[0]}")
    first, stop = int(before[-1]), int(wanted[-1]) + 1
    base = int(facts.display[first])
    if set(facts.display[first:stop].tolist()) != set(range(base, base + stop - first)):
        stop = int(np.append(starts[starts >= stop], facts.count)[0])
    index = index_packets(packets(path, first, stop, facts), codec)
    if index.problems:
        at, what = index.problems[0]
        raise VideoError(f"{path}: packet {first + at} is damaged: {what}")
    if not np.array_equal(index.display, facts.display[first:stop] - base):
        raise VideoError(f"{path}: the order of packets {first} to {stop - 1} is not that of their times")
    return Mp4Stream(path, codec, index, facts, None, first), base


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
