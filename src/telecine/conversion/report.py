"""What a conversion did: one value for the table people read and the JSON machines read."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from telecine.core.accounting import LeftOutEverywhere
from telecine.core.dataclass import dataclass
from telecine.core.episode import Episode, Use
from telecine.core.errors import PlanError, TelecineError
from telecine.core.findings import CODES, Finding, Findings, has_errors, placed
from telecine.core.outcome import WORDS
from telecine.core.recording import Ref
from telecine.core.text.html import table
from telecine.core.text.numbers import counted
from telecine.core.text.visible import visible
from telecine.core.video import Clip


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Where the frames of a clip come from, and how old they are when rows show them."""

    copied: int
    repeated: int
    """Rows that show the frame of the row before."""
    left_out: int
    """Frames of the source, between the first and the last shown, that no row shows."""
    encoded: int
    """Encoded for the first time, or re-encoded."""
    age_median_ns: int
    age_max_ns: int
    shifted: int = 0
    """Rows that show a frame beside the aligned one, so that more can be copied."""


@dataclass(frozen=True, slots=True)
class ClipReport:
    """One camera of one episode."""

    key: str
    codec: str
    copied: bool
    """Whether packets were copied, all of them or most; `pictures` counts."""
    why: str
    frames: int
    preroll: int
    gop: int
    size_bytes: int
    pictures: FrameCounts

    @classmethod
    def of(cls, clip: Clip, use: Use | None) -> "ClipReport":
        """The part of a clip that people ask about. `use`: of its stream; None for an image without time."""
        copied = clip.frames - clip.encoded - clip.repeats
        counts = FrameCounts(copied, clip.frames - 1, 0, clip.encoded, 0, 0)
        if use is not None:
            ages = (use.age_median_ns, use.age_max_ns)
            counts = FrameCounts(copied, use.repeated, use.dropped, clip.encoded, *ages, use.shifted)
        codec = clip.format.codec
        return cls(clip.key, codec, clip.copied, clip.why, clip.frames, clip.preroll, clip.gop, clip.size_bytes, counts)


@dataclass(frozen=True, slots=True)
class EpisodeReport:
    """One recording that became an episode."""

    index: int
    recording: str
    rows: int
    tasks: tuple[str, ...]
    success: bool | None
    """From the recording or the span; None where neither has it."""
    uses: tuple[Use, ...]
    clips: tuple[ClipReport, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, index: int, episode: Episode) -> "EpisodeReport":
        """The part of an episode that outlives its scratch files."""
        uses = {use.key: use for use in episode.uses}
        clips = tuple(ClipReport.of(c, uses.get(c.key)) for c in episode.clips)
        rows = episode.grid.count
        label, tasks = episode.ref.label, episode.tasks
        findings = tuple(placed(episode.findings, episode=index, recording=label))
        return cls(index, label, rows, tasks, episode.facts.success, episode.uses, clips, findings)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One recording that did not become an episode."""

    recording: str
    reason: Finding


def rejection(error: TelecineError, ref: Ref) -> Rejected:
    """The report's entry for a recording that `error` made unusable; third parties may have codes of their own."""
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    code = next(c.code for c in type(error).__mro__ if issubclass(c, TelecineError) and c.code in CODES)
    return Rejected(ref.label, Finding(code, "error", ref.label, f"{error}{notes}", recording=ref.label))


_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def by_cause(rejected: Iterable[Rejected], *, any_numbers: bool = False) -> list[tuple[Rejected, tuple[str, ...]]]:
    """(the first recording that a cause holds for, the names of the others), in order.

    Causes are one when they differ in nothing but the recording that they name. any_numbers: nor in numbers, such as
    what was measured in each.
    """
    causes: dict[tuple[str, str, str], list[Rejected]] = {}
    for item in rejected:
        message = item.reason.message
        for name in (item.recording, item.recording.partition("#")[0]):
            message = message.replace(visible(name), "")
        message = _NUMBER.sub("#", message) if any_numbers else message
        causes.setdefault((item.reason.code, message, item.reason.fix), []).append(item)
    return [(group[0], tuple(item.recording for item in group[1:])) for group in causes.values()]


def fits_none(rejected: Sequence[Rejected], done: int) -> bool:
    """True when one mistake of the plan holds for all recordings, of which then none is done."""
    causes = by_cause(rejected)
    return not done and len(causes) == 1 and causes[0][0].reason.code == PlanError.code


def nothing_written(root: object, rejected: Sequence[Rejected], made: int, *, strict: bool) -> list[Finding]:
    """Why there is nothing new; no finding when all recordings were there before. made: episodes that are kept."""
    if not rejected:
        return []
    why = "--strict stops at the first rejected recording" if strict else "no recording was usable"
    later = f"; {counted(made, 'finished episode is', 'finished episodes are')} kept for the next run" if made else ""
    text = f"no dataset was written: {why}{later}"
    return [Finding("convert-nothing", "error", str(root), text, "see the rejected recordings")]


def earlier_runs(root: object, known: Sequence[str], taken_up: int, leftover: int) -> list[Finding]:
    """What this run found of earlier ones.

    known: labels of recordings that were in the dataset before. taken_up: finished episodes that were used again.
    leftover: those that were of no use.
    """
    found = []
    if known:
        text = (
            f"{counted(len(known), 'recording is', 'recordings are')} in the dataset already, not appended "
            f"again: {', '.join(known[:5])}"
        )
        found.append(Finding("convert-known", "info", str(root), text + (" ..." if len(known) > 5 else "")))
    if taken_up:
        text = f"taken up from an interrupted run: {counted(taken_up, 'finished episode')}"
        found.append(Finding("convert-resumed", "info", str(root), text))
    if leftover:
        text = (
            f"removed, since its plan or versions were others: {counted(leftover, 'finished episode')} of an "
            "interrupted run"
        )
        found.append(Finding("convert-leftover", "info", str(root), text))
    return found


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of a conversion; a table in a notebook.

    >>> import telecine as tc
    >>> report = tc.convert("recordings", "out")
    >>> report.ok, report.rows, [rejected.reason.message for rejected in report.rejected]
    (True, 16, [])
    """

    root: str
    fps: int
    plan_digest: str
    episodes: tuple[EpisodeReport, ...]
    rejected: tuple[Rejected, ...]
    findings: tuple[Finding, ...]
    """About the input as a whole and about the finished dataset."""
    seconds: float
    known: tuple[str, ...] = ()
    """Recordings that were in the dataset already, when appending."""
    left_out: tuple[LeftOutEverywhere, ...] = ()
    """Every stream of the episodes' recordings that no feature uses."""
    guesses: tuple[str, ...] = ()
    """What was chosen where no plan was given."""
    not_wanted: tuple[str, ...] = ()
    """Recordings that `--where` left out."""
    shard: str = ""
    """Which part of a conversion this is, such as "7/200": it may have no recording, and `finalize` joins all parts."""
    stopped: bool = False
    """Whether `strict` ended it at the first recording that was rejected."""

    @property
    def ok(self) -> bool:
        """True when every recording became an episode or was one already, and the dataset verified clean."""
        done = bool(self.episodes or self.known or self.shard)
        return done and not self.rejected and not has_errors(self.findings)

    @property
    def plan_is_wrong(self) -> bool:
        """True when the plan fits none of the recordings, for one and the same reason."""
        others = len(self.episodes) + len(self.known) + len(self.not_wanted)
        return not self.stopped and fits_none(self.rejected, others)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of episodes and the reasons of rejections too."""
        of_episodes = tuple(f for e in self.episodes for f in e.findings)
        return (*of_episodes, *(r.reason for r in self.rejected), *self.findings)

    @property
    def rows(self) -> int:
        """Rows of all episodes."""
        return sum(e.rows for e in self.episodes)

    @property
    def outcomes(self) -> dict[str, int]:
        """How many episodes succeeded, failed, or are of unknown outcome; empty where nothing is known of any."""
        count = Counter(WORDS[e.success] for e in self.episodes)
        return {} if count.keys() <= {WORDS[None]} else {word: count[word] for word in WORDS.values()}

    def _repr_html_(self) -> str:
        head = f"{self.root}: {counted(len(self.episodes), 'episode')}, {counted(self.rows, 'row')} at {self.fps} fps"
        episodes = [
            (e.index, e.recording, e.rows, "; ".join(e.tasks), ", ".join(f"{c.key} ({c.codec})" for c in e.clips))
            for e in self.episodes
        ]
        rejected = [(r.recording, r.reason.message, r.reason.fix) for r in self.rejected]
        shown = [f for f in self.all_findings if f.severity != "info"]
        return (
            table(head, ("episode", "recording", "rows", "task", "cameras"), episodes)
            + (table("rejected", ("recording", "reason", "next step"), rejected) if rejected else "")
            + Findings(shown)._repr_html_()
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "ok": self.ok,
            "rows": self.rows,
            "outcomes": self.outcomes,
            **asdict(self),
            **accounts(self.left_out, self.guesses),
        }


def accounts(left_out: Iterable[LeftOutEverywhere], guesses: Iterable[str]) -> dict[str, Any]:
    """What is not in the output, and what was chosen, as they stand at the top of `--json`."""
    return {"left_out": [entry.to_dict() for entry in left_out], "guesses": list(guesses)}
