"""A video file beside a recording, one frame per step, as a stream."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from telecine.core.depth import DepthScale
from telecine.core.errors import ContradictionError, SourceError, VideoError
from telecine.core.file_state import FileState
from telecine.core.grid import Times
from telecine.core.recording import Buffer, ClockKind, Schema
from telecine.core.text.numbers import counted
from telecine.sources.shared.fingerprint import file_state
from telecine.sources.shared.lfs import pointer_problem
from telecine.sources.shared.timing import Timing
from telecine.video.demux import Mp4Facts, film_facts, packets


@lru_cache(maxsize=32)
def _facts_of(state: FileState) -> Mp4Facts:
    """What a file's packets tell, kept for the other recordings in it as long as it does not change."""
    return film_facts(state[0])


@dataclass(frozen=True, eq=False)
class VideoFileStream:
    """The frames of the file at `path`; that of step 0 is number `first`.

    All packets are there, so that it can be copied: those before the first step have stamps before it, those after the
    last step stamps after it. A file whose frames are not as many as the recording's rows is refused: nobody could
    tell which frame belongs to which row.
    """

    name: str
    path: str
    timing: Timing
    first: int = 0
    rows: int | None = None
    """Rows of the recording, or None where the frames need not be as many."""
    window: tuple[int, int] | None = None
    """Frames [first, stop) that the recording is about, of a file that holds several recordings: then only their
    groups of pictures are there, from the keyframe at or before the first to that at or after the last."""
    depth: DepthScale | None = None
    """Of frames that are codes of distances."""
    check: Callable[[Mp4Facts], str] | None = None
    """Why the frames may not be the recording's, by what the packets tell; "" where they are."""
    advice: str = ""
    """What to do about a file that cannot be read."""
    kind: Literal["video"] = "video"

    @cached_property
    def _facts(self) -> Mp4Facts:
        if not Path(self.path).is_file():
            raise SourceError(f"{self.name}: the video file {self.path} is missing")
        if problem := pointer_problem(self.path):
            raise ContradictionError(f"{self.name}: {self.path}: {problem}")
        try:
            facts = _facts_of(file_state(self.path))
        except VideoError as error:
            raise SourceError(f"{self.name}: {error}{f'; {self.advice}' if self.advice else ''}") from error
        shown = facts.count - facts.hidden
        if self.rows is not None and shown != self.rows:
            raise SourceError(
                f"{self.name}: {self.path} has {counted(shown, 'frame')} and the recording "
                f"{counted(self.rows, 'row')}, so nobody "
                "can tell which belong together; leave the camera out"
            )
        if self.check is not None and (problem := self.check(facts)):
            raise ContradictionError(f"{self.name}: {self.path}: {problem}")
        return facts

    @property
    def static(self) -> bool:
        """Never."""
        return False

    @cached_property
    def schema(self) -> Schema:
        """The codec under FFmpeg's name where it is none that datasets can hold."""
        facts, depth = self._facts, self.depth
        found, size = facts.codec or facts.codec_name, (facts.height, facts.width)
        if depth is not None:
            return Schema("uint16", (*size, 1), unit=depth.unit, encoding=found, depth=depth)
        return Schema("uint8", (*size, 3), encoding=found)

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """Those of the recording, as far as they reach beyond its steps."""
        stamps = self.timing.stamps
        for_all = stamps is not None and self.first == 0 and self.rows == stamps.size
        return {n: kind for n, kind in self.timing.clocks().items() if n != self.timing.clock or for_all}

    def times(self, clock: str) -> Times:
        """(n,) int64, a stamp per frame in display order."""
        start, stop = self._part
        after = np.sort(self._facts.display[start:stop]) - self.first - self._facts.hidden
        stamps = self.timing.stamps
        if clock == self.timing.clock and stamps is not None and self._facts.hidden >= max(stamps.size, 1):
            raise SourceError(
                f"{self.name}: {self.path} hides {counted(self._facts.hidden, 'frame')} before its first, more "
                "than the "
                f"recording has timestamps ({stamps.size})"
            )
        times = self.timing.times(clock, np.abs(after)) if clock in self.clocks else None
        if times is None:
            raise SourceError(f"{self.name}: no clock {clock!r}; it has {', '.join(self.clocks)}")
        if clock == self.timing.clock:  # mirrored about the first stamp, since what is hidden was never stamped
            return np.asarray(np.where(after < 0, 2 * times[after == 0] - times, times), np.int64)
        return np.asarray(np.where(after < 0, -times, times), np.int64)

    @cached_property
    def _part(self) -> tuple[int, int]:
        """Packets [start, stop) that the recording needs."""
        facts = self._facts
        if self.window is None:
            return 0, facts.count
        window = (self.window[0] + facts.hidden, self.window[1] + facts.hidden)
        if not 0 <= window[0] < window[1] <= facts.count:
            raise SourceError(
                f"{self.name}: {self.path} has {counted(facts.count, 'frame')}, the recording wants "
                f"{window[0]} to {window[1]}"
            )
        keys = np.flatnonzero(facts.keyframe)
        before, behind = keys[facts.display[keys] <= window[0]], keys[facts.display[keys] >= window[1]]
        return int(before[-1]) if before.size else 0, int(behind[0]) if behind.size else facts.count

    def backwards(self, clock: str) -> int:
        """How far packets come before frames shown earlier, as any stream counts it."""
        self.times(clock)
        start, stop = self._part
        return int(np.sum(np.diff(self._facts.display[start:stop]) < 0))

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) in decode order."""
        self.times(clock)
        try:
            first, end = self._part
            last = end if stop is None else min(first + stop, end)
            yield from packets(self.path, first + start, last, self._facts)
        except VideoError as error:
            raise SourceError(f"{self.name}: {error}") from error
