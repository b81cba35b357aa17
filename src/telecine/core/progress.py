"""What a progress display gets, whatever is worked on, and what it can say of the time that is left. Pure."""

from dataclasses import dataclass
from typing import Protocol

CONVERTING = "converting"
"""The phase in which recordings become episodes; its bytes are theirs."""
PROGRESS_FD = "TELECINE_PROGRESS_FD"
"""The environment variable with the number of an open file that a command writes the bytes into that it has done."""


class Progress(Protocol):
    """A display of work that has a size in bytes: those of recordings, or of a dataset's rows and videos.

    Work has phases, one after the other: converting, then verifying.
    """

    def begin(self, total_bytes: int, phase: str, items: int = 0) -> None:
        """Before the first part of a phase, such as "converting", of so many episodes; 0: it does not count them."""
        ...

    def advance(self, done_bytes: int, label: str) -> None:
        """After a part of `label`; parts of one recording or file add up to its size."""
        ...

    def finish(self, items: int = 1) -> None:
        """After so many more episodes."""
        ...


class Silent:
    """A `Progress` that shows nothing."""

    def begin(self, total_bytes: int, phase: str, items: int = 0) -> None:
        """Ignored."""

    def advance(self, done_bytes: int, label: str) -> None:
        """Ignored."""

    def finish(self, items: int = 1) -> None:
        """Ignored."""


@dataclass(slots=True)
class PhaseState:
    """How far a phase is. began_s: any clock that only advances, in s.

    >>> state = PhaseState("converting", total_bytes=1000, items=4, began_s=0.0)
    >>> state.done_bytes = 250
    >>> state.share, state.left_s(now_s=10.0), state.bytes_per_s(now_s=10.0)
    (0.25, 30.0, 25.0)
    """

    phase: str
    total_bytes: int
    items: int
    began_s: float
    done_bytes: int = 0
    done_items: int = 0

    @property
    def share(self) -> float:
        """What is done of all, 0 to 1; a phase without bytes is done."""
        return min(self.done_bytes / self.total_bytes, 1.0) if self.total_bytes else 1.0

    def bytes_per_s(self, now_s: float) -> float:
        """The mean since the phase began."""
        return self.done_bytes / (now_s - self.began_s) if now_s > self.began_s else 0.0

    def left_s(self, now_s: float) -> float | None:
        """Time left at that mean rate, in s; None while nothing is done."""
        return (now_s - self.began_s) * (1 - self.share) / self.share if self.share else None
