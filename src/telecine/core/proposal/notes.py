"""What there is to say about a proposal, collected while it is made."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from telecine.core.recording_summary import StreamSummary


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences about a proposal, and the reason for every stream that it leaves out."""

    missing: list[str] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)
    comments: dict[str, list[str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    """Stream -> why no feature uses it; the first reason counts."""

    def leave_out(self, streams: Iterable[StreamSummary], why: str) -> None:
        """Note the reason for streams that have none yet."""
        for stream in streams:
            self.reasons.setdefault(stream.name, why)
