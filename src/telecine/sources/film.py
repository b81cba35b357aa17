"""A video file beside a recording, one picture per step, as a stream."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from telecine.core.errors import SourceError, VideoError
from telecine.core.recording import Buffer, ClockKind, Schema
from telecine.core.time import Times
from telecine.sources.arrays import Timing
from telecine.video.demux import FilmFacts, film_facts, packets


@dataclass(frozen=True, eq=False)
class Film:
    """The pictures of the file at `path`; that of step 0 is number `first`.

    All packets are there, so that it can be copied: those before the first step have stamps before it, those after the
    last step stamps after it. A file whose pictures are not as many as the recording's rows is refused: nobody could
    tell which picture belongs to which row.
    """

    name: str
    path: str
    timing: Timing
    first: int = 0
    rows: int | None = None
    """Rows of the recording, or None where the pictures need not be as many."""
    kind: Literal["video"] = "video"

    @cached_property
    def _facts(self) -> FilmFacts:
        if not Path(self.path).is_file():
            raise SourceError(f"{self.name}: the video file {self.path} is missing")
        try:
            facts = film_facts(self.path)
        except VideoError as error:
            raise SourceError(f"{self.name}: {error}") from error
        if self.rows is not None and facts.count != self.rows:
            raise SourceError(
                f"{self.name}: {self.path} has {facts.count} pictures and the recording {self.rows} rows, so nobody "
                "can tell which belong together; leave the camera out"
            )
        return facts

    @property
    def static(self) -> bool:
        """Never."""
        return False

    @cached_property
    def schema(self) -> Schema:
        """The codec under FFmpeg's name where it is none that datasets can hold."""
        facts = self._facts
        return Schema("uint8", (facts.height, facts.width, 3), encoding=facts.codec or facts.codec_name)

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """Those of the recording, as far as they reach beyond its steps."""
        return {name: kind for name, kind in self.timing.clocks().items() if name != "timestamp"}

    def times(self, clock: str) -> Times:
        """(n,) int64, a stamp per picture in display order."""
        steps = np.arange(self._facts.count, dtype=np.int64)
        times = self.timing.times(clock, steps) if clock in self.clocks else None
        if times is None:
            raise SourceError(f"{self.name}: no clock {clock!r}; it has {', '.join(self.clocks)}")
        return np.asarray(times - times[self.first], np.int64)

    def backwards(self, clock: str) -> int:
        """How far packets come before pictures shown earlier, as any stream counts it."""
        self.times(clock)
        return int(np.sum(np.diff(self._facts.display) < 0))

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) in decode order."""
        self.times(clock)
        try:
            yield from islice(packets(self.path), start, stop)
        except VideoError as error:
            raise SourceError(f"{self.name}: {error}") from error
