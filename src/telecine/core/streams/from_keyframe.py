"""A video stream from its first keyframe on: what lies before cannot be decoded, so no row may ask for it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Literal

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.grid import Rows, Times
from telecine.core.recording import Buffer, VideoStream
from telecine.core.streams.stream_wrapper import StreamWrapper
from telecine.core.video import PacketIndex


@dataclass(frozen=True, eq=False, slots=True)
class FromKeyframe(StreamWrapper[VideoStream]):
    """`stream` without packets that cannot be decoded, and without the frames they would have shown.

    undecodable: (k,) int64, increasing: their positions in decode order. Their frames are the first k to be shown.
    """

    undecodable: Rows

    @property
    def kind(self) -> Literal["video"]:
        """Coded frames that refer to each other."""
        return "video"

    @property
    def skip(self) -> int:
        """How many of them come before the first packet that can be decoded; the others follow close behind it."""
        return int(np.sum(self.undecodable == np.arange(self.undecodable.size)))

    def times(self, clock: str) -> Times:
        """(n - k,) int64."""
        return self.stream.times(clock)[self.undecodable.size :]

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop), counted without the undecodable ones."""
        skip, left_out = self.skip, set(self.undecodable.tolist())
        if skip == len(left_out):
            return self.stream.packets(clock, start + skip, None if stop is None else stop + skip)
        packets = enumerate(self.stream.packets(clock, skip), skip)
        return islice((data for number, data in packets if number not in left_out), start, stop)


def from_first_keyframe(index: PacketIndex) -> tuple[Rows, PacketIndex]:
    """The packets that cannot be decoded, (k,) int64 increasing, and the index of the rest.

    They are those before the first keyframe. Where the first entry point is an open one (H.265's CRA, an I picture
    with a recovery point in H.264), they are also those behind it that are shown before it, which may refer to
    frames that are not there. None when there is no entry point at all: then nothing can be decoded, and the decision
    names it.
    """
    entries = index.keyframe if index.entry_points is None else index.entry_points
    entry = int(np.argmax(entries)) if entries.any() else 0
    undecodable = np.arange(index.count) < entry
    if entries.any() and not index.keyframe[entry]:
        undecodable |= index.display < index.display[entry]
    dropped: Rows = np.flatnonzero(undecodable).astype(np.int64)
    if not dropped.size and not (entries.any() and not index.keyframe[entry]):
        return dropped, index
    left = ~undecodable
    keyframe = index.keyframe[left]
    keyframe[0] = True
    positions = np.cumsum(left) - 1
    rest = replace(
        index,
        keyframe=keyframe,
        display=np.argsort(np.argsort(index.display[left])).astype(np.int64),
        disposable=index.disposable[left],
        sizes=index.sizes[left],
        problems=tuple((int(positions[at]), what) for at, what in index.problems if left[at]),
        repeats=None if index.repeats is None else index.repeats[left],
        counts_on=None if index.counts_on is None else index.counts_on[left],
        entry_points=entries[left],
    )
    return dropped, rest
