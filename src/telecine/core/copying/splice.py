"""A camera's clip as runs of packets that are copied, frames that are repeated, and frames that are re-encoded.

Only what can be decoded from the keyframe before it is copied, so what follows a frame left out, up to the next
keyframe, is re-encoded as a group of its own. A repeated frame needs no encoding where a skipped picture
(a dozen bytes) fits behind it. Nothing here reads a frame or a packet.
"""

from typing import TypeAlias

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.grid import Rows
from telecine.core.text.numbers import counted
from telecine.core.video import Flags, PacketIndex


@dataclass(frozen=True, slots=True)
class Copied:
    """Packets [first, stop) in decode order, as they are.

    Their frames lie together in display order, and all of them are shown. It starts at a keyframe, or where the
    copied run before it ended with nothing but repeats in between.
    """

    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """The frame of `packet`, the last of the copied run before, shown `times` times more by skipped pictures."""

    packet: int
    times: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows [start, stop) of the clip, re-encoded: a group that starts with a keyframe and needs nothing else."""

    start: int
    stop: int


Run: TypeAlias = Copied | Repeated | Encoded


@dataclass(frozen=True, slots=True)
class Splice:
    """The runs of a clip, in the order in which they are stored and shown.

    They show `preroll` frames before the first row, then exactly the frames of the rows, then `unused` ones:
    both are 0 but with `copy: always`, which rather keeps frames that no row shows than re-encode any.
    """

    runs: tuple[Run, ...]
    preroll: int = 0
    unused: int = 0

    @property
    def copied(self) -> int:
        """Frames taken over as they are, unused ones included."""
        return sum(r.stop - r.first for r in self.runs if isinstance(r, Copied))

    @property
    def repeated(self) -> int:
        """Frames repeated by skipped pictures."""
        return sum(r.times for r in self.runs if isinstance(r, Repeated))

    @property
    def encoded(self) -> int:
        """Re-encoded frames."""
        return sum(r.stop - r.start for r in self.runs if isinstance(r, Encoded))


def shown(splice: Splice, rows: Rows, index: PacketIndex) -> Rows:
    """(preroll + len(rows) + unused,) int64: the frame, by display position, at each position of the clip.

    Raises: ValueError when the runs break a rule of theirs, so that what they would show is not defined.
    """
    parts: list[Rows] = []
    end = -1  # where a copied run may go on without a keyframe
    for run in splice.runs:
        if isinstance(run, Encoded):
            if not 0 <= run.start < run.stop <= rows.size:
                raise ValueError(f"{run} is not within {counted(rows.size, 'row')}")
            parts.append(rows[run.start : run.stop])
            end = -1
        elif isinstance(run, Repeated):
            if run.times < 1 or run.packet != end - 1:
                raise ValueError(f"{run} does not follow the copied packet it repeats")
            parts.append(np.full(run.times, index.display[run.packet]))
        else:
            if not 0 <= run.first < run.stop <= index.count or (run.first != end and not index.keyframe[run.first]):
                raise ValueError(f"{run} starts neither at a keyframe nor where copying stopped")
            frames = np.sort(index.display[run.first : run.stop])
            if frames[-1] - frames[0] != frames.size - 1:
                raise ValueError(f"{run} leaves out frames")
            parts.append(frames)
            end = run.stop
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)


def stored(splice: Splice, index: PacketIndex, gop: int) -> tuple[Rows, Flags]:
    """(display, keyframe) of the clip's packets in decode order: positions in the clip (k,) int64, and (k,) bool.

    gop: encoded runs have a keyframe every so many frames, the first included, and none is stored out of order.
    """
    display: list[Rows] = [np.empty(0, np.int64)]
    keyframe: list[Flags] = [np.empty(0, np.bool_)]
    base = 0
    for run in splice.runs:
        if isinstance(run, Copied):
            shown_at = index.display[run.first : run.stop]
            shown_at, keys = shown_at - shown_at.min(), index.keyframe[run.first : run.stop]
        elif isinstance(run, Repeated):
            shown_at, keys = np.arange(run.times), np.zeros(run.times, np.bool_)
        else:
            shown_at = np.arange(run.stop - run.start)
            keys = shown_at % gop == 0
        display.append(base + shown_at)
        keyframe.append(keys)
        base += shown_at.size
    return np.concatenate(display), np.concatenate(keyframe)


def splice_obstacle(index: PacketIndex) -> str:
    """Why re-encoded frames cannot stand beside copied ones of this stream; "" when they can."""
    if index.formats[0].codec != "h264" and index.reorder_delay:
        return "its B-frames do not mix with re-encoded frames"
    if index.counts_on is not None and index.counts_on.any():
        return "its keyframes (CRA) count on from the frames before, which must not be others"
    return ""
