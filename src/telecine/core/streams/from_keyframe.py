"""A video stream from its first keyframe on: what lies before cannot be decoded, so no row may ask for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from telecine.core.grid import Times
from telecine.core.recording import Buffer, VideoStream
from telecine.core.streams.stream_wrapper import StreamWrapper
from telecine.core.video import PacketIndex


@dataclass(frozen=True, slots=True)
class FromKeyframe(StreamWrapper[VideoStream]):
    """`stream` without its first `skip` packets, and the frames they would have shown."""

    skip: int

    @property
    def kind(self) -> Literal["video"]:
        """Coded frames that refer to each other."""
        return "video"

    def times(self, clock: str) -> Times:
        """(n - skip,) int64."""
        return self.stream.times(clock)[self.skip :]

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop), counted from the first keyframe."""
        return self.stream.packets(clock, start + self.skip, None if stop is None else stop + self.skip)


def from_first_keyframe(index: PacketIndex) -> tuple[int, PacketIndex]:
    """How many packets come before the first keyframe, and the index of the rest.

    (0, index) when there is no keyframe at all: then nothing can be decoded, and the decision to encode states it.
    """
    skip = int(np.argmax(index.keyframe)) if index.keyframe.any() else 0
    if not skip:
        return 0, index
    return skip, PacketIndex(
        keyframe=index.keyframe[skip:],
        display=index.display[skip:] - skip,
        disposable=index.disposable[skip:],
        sizes=index.sizes[skip:],
        formats=index.formats,
        open_gop=index.open_gop,
        intra_refresh=index.intra_refresh,
        problems=tuple((at - skip, what) for at, what in index.problems if at >= skip),
        repeats=None if index.repeats is None else index.repeats[skip:],
        no_repeats=index.no_repeats,
        counts_on=None if index.counts_on is None else index.counts_on[skip:],
    )
