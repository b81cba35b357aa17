"""What damage in a coded stream costs: the frames that are not whole, and the stream without them.

A packet that is damaged, or before which one is missing, spoils its frame and all that are decoded after it up to
the next keyframe, which brings what it needs itself.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.grid import Rows, Times
from telecine.core.recording import Buffer, VideoStream
from telecine.core.streams.stream_wrapper import StreamWrapper
from telecine.core.video import Flags, PacketIndex

Policy = Literal["reject", "cut", "encode"]
"""reject: the recording. cut: the episode ends before the damage. encode: rows during it show the last whole one."""


def damaged_frames(index: PacketIndex) -> Flags:
    """(n,) bool by display position: frames that cannot be decoded whole, or whose position in time is not certain.

    Of a group with a problem, the longest run from its keyframe that holds frames without a hole is whole: where a
    keyframe is lost, picture order counts start over unnoticed, and two groups may be mixed up.
    """
    bad = np.zeros(index.count, np.bool_)
    starts = np.append(np.flatnonzero(index.keyframe), index.count)
    problems = np.array([packet for packet, _ in index.problems], np.int64)
    for first, stop in pairwise(np.unique(np.append(starts, 0)).tolist()):
        here = problems[(problems >= first) & (problems < stop)]
        if here.size:
            before = index.display[first : int(here.min())]
            low = int(index.display[first:stop].min())
            whole = np.maximum.accumulate(before) - low == np.arange(before.size)
            count = int(np.max(np.flatnonzero(whole) + 1, initial=0)) if index.keyframe[first] else 0
            bad[index.display[first + count : stop]] = True
    return bad


def usable_frames(bad: Flags, policy: Literal["cut", "encode"], span: slice = slice(None)) -> Rows:
    """(m,) int64, increasing: display positions of the frames to go on with, bad ones never.

    bad: (n,) bool. encode: all others. cut: the first run of others within `span`.
    """
    every = np.arange(bad.size, dtype=np.int64)
    good: Rows = every[~bad] if policy == "encode" else every[span][~bad[span]]
    ends = np.flatnonzero(np.diff(good) > 1)
    return good[: ends[0] + 1] if policy == "cut" and ends.size else good


@dataclass(frozen=True, eq=False, slots=True)
class WholeFrames(StreamWrapper[VideoStream]):
    """`stream` with the stamps of some of its frames only; its packets are all there, for decoding.

    frames: (m,) int64, increasing: the display position of the frame that each stamp is of.
    """

    frames: Rows

    @property
    def kind(self) -> Literal["video"]:
        """Coded frames that refer to each other."""
        return "video"

    def times(self, clock: str) -> Times:
        """(m,) int64."""
        return self.stream.times(clock)[self.frames]

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) of the stream."""
        return self.stream.packets(clock, start, stop)


def frames_of(stream: VideoStream, rows: Rows) -> Rows:
    """Display positions of the frames at `rows` of the stream's times."""
    if not isinstance(stream, WholeFrames):
        return rows
    frames: Rows = stream.frames[rows]
    return frames


def damage_shown(index: PacketIndex, rows: Rows) -> tuple[int, str] | None:
    """The problem, as (packet, what), behind the first of `rows` (display positions) that is not whole, if any."""
    hit = rows[damaged_frames(index)[rows]]
    if not hit.size:
        return None
    packet = int(np.flatnonzero(index.display == hit[0])[0])
    starts = np.flatnonzero(index.keyframe[: packet + 1])
    group = int(starts[-1]) if starts.size else 0
    return next((at, what) for at, what in sorted(index.problems) if at >= group)
