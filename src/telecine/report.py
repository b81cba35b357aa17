"""What a conversion did: one value for the table people read and the JSON machines read."""

from dataclasses import asdict, dataclass
from typing import Any

from telecine.core.episode import Episode, Use
from telecine.core.findings import Finding, has_errors
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
    uses: tuple[Use, ...]
    clips: tuple[ClipReport, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, index: int, episode: Episode) -> "EpisodeReport":
        """The part of an episode that outlives its scratch files."""
        clips = tuple(ClipReport.of(c) for c in episode.clips)
        rows = episode.grid.count
        return cls(index, episode.ref.label, rows, episode.tasks, episode.uses, clips, episode.findings)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One recording that did not become an episode."""

    recording: str
    reason: Finding


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
