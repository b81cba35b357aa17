"""What a conversion did: one value for the table people read and the JSON machines read."""

from dataclasses import asdict, dataclass
from typing import Any

from telecine.core.episode import Episode, Use
from telecine.core.errors import TelecineError
from telecine.core.findings import Finding, has_errors
from telecine.core.recording import Ref
from telecine.core.video import Clip


@dataclass(frozen=True, slots=True)
class ClipReport:
    """One camera of one episode."""

    key: str
    codec: str
    copied: bool
    why: str
    frames: int
    preroll: int
    gop: int
    size_bytes: int

    @classmethod
    def of(cls, clip: Clip) -> "ClipReport":
        """The part of a clip that people ask about."""
        return cls(
            clip.key, clip.format.codec, clip.copied, clip.why, clip.frames, clip.preroll, clip.gop, clip.size_bytes
        )


@dataclass(frozen=True, slots=True)
class EpisodeReport:
    """One recording that became an episode."""

    index: int
    recording: str
    rows: int
    tasks: tuple[str, ...]
    success: bool | None
    """As the recording or the span says; None where nothing is said."""
    uses: tuple[Use, ...]
    clips: tuple[ClipReport, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, index: int, episode: Episode) -> "EpisodeReport":
        """The part of an episode that outlives its scratch files."""
        clips = tuple(ClipReport.of(c) for c in episode.clips)
        rows = episode.grid.count
        label, tasks = episode.ref.label, episode.tasks
        return cls(index, label, rows, tasks, episode.success, episode.uses, clips, episode.findings)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One recording that did not become an episode."""

    recording: str
    reason: Finding


_CODES = {
    "SourceError": "source-unreadable",
    "PlanError": "plan-mismatch",
    "AlignError": "align-missing",
    "VideoError": "video-damaged",
    "DatasetError": "dataset-mismatch",
}


def rejection(error: TelecineError, ref: Ref) -> Rejected:
    """The report's entry for a recording that `error` made unusable."""
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    return Rejected(ref.label, Finding(_CODES[type(error).__name__], "error", ref.label, f"{error}{notes}"))


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of a conversion."""

    root: str
    fps: int
    plan_digest: str
    episodes: tuple[EpisodeReport, ...]
    rejected: tuple[Rejected, ...]
    findings: tuple[Finding, ...]
    """About the input as a whole and about the finished dataset."""
    seconds: float

    @property
    def ok(self) -> bool:
        """True when every recording became an episode and the dataset verified clean."""
        return bool(self.episodes) and not self.rejected and not has_errors(self.findings)

    @property
    def rows(self) -> int:
        """Rows of all episodes."""
        return sum(e.rows for e in self.episodes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"ok": self.ok, "rows": self.rows, **asdict(self)}
