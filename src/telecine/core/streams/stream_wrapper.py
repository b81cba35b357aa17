"""A stream that changes one thing about another one and delegates everything else to it."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from telecine.core.dataclass import dataclass
from telecine.core.grid import Times
from telecine.core.recording import ClockKind, ImageStream, Schema, VideoStream

S = TypeVar("S", ImageStream, VideoStream)


@dataclass(frozen=True, eq=False, slots=True)
class StreamWrapper(Generic[S]):
    """Everything as `stream` has it; kind, and frames or packets, are the subclass's."""

    stream: S

    @property
    def name(self) -> str:
        """The stream's own name."""
        return self.stream.name

    @property
    def schema(self) -> Schema:
        """The stream's own."""
        return self.stream.schema

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """The stream's own."""
        return self.stream.clocks

    @property
    def static(self) -> bool:
        """The stream's own."""
        return self.stream.static

    def times(self, clock: str) -> Times:
        """The stream's own, (n,) int64."""
        return self.stream.times(clock)

    def backwards(self, clock: str) -> int:
        """The stream's own."""
        return self.stream.backwards(clock)
