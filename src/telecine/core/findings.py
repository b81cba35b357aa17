"""What was noticed, in one type for inspect, plan check, alignment, video, verify and the report."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Literal, TypeVar

from telecine.core.dataclass import dataclass
from telecine.core.errors import TelecineError
from telecine.core.text.html import table
from telecine.core.text.numbers import counted

Severity = Literal["info", "warning", "error"]
Failure = TypeVar("Failure", bound=TelecineError)

CODES: dict[str, str] = {
    # sources
    "source-unreadable": "A file or recording cannot be read.",
    "source-outside": "A link or a name in a recording leads outside of what was given.",
    "source-skipped": "Something in a given folder is not a regular file, and was not opened.",
    "source-truncated": "A file ends in the middle of its data.",
    "source-recovered": "A damaged file was read up to its last whole message, as asked by --recover.",
    "source-part-missing": "A recording of several files lacks some of them.",
    "source-duplicate-id": "Two files carry the same recording id, or one is a copy of the other.",
    "source-properties": "A recording holds properties and no data, so it is no episode.",
    "source-layers": "Several files with one recording id are read as one recording.",
    "source-clash": "Several files have one recording id and different data for the same times.",
    "source-changed": "A file changed while it was read.",
    "source-empty": "A recording holds no data, or nothing with time.",
    "source-metadata": "The metadata of a recording contradicts its data, or stands in the wrong place.",
    "source-incomplete": "Parts of one recording have different lengths, are missing, or are marked as not to be used.",
    "source-assumed": "A recording does not say something, so what its format usually has was taken.",
    "source-timestamps": "The stored times of a dataset's rows are off the grid of its rate.",
    "source-topic": "A topic of messages cannot be read; the others can.",
    "source-messages": "Messages of a topic cannot be used and were left out.",
    "stream-unreadable": "A stream of a recording cannot be read; the others can.",
    "stream-left-out": "Cameras or positions of the recordings are not in the dataset.",
    # clocks
    "clock-stamps": "Timestamps in messages cannot be used; the recorder's time is taken instead.",
    "clock-offset": "Messages are stamped by another clock than the recorder's; their timestamps were moved onto it.",
    "clock-shared": "All messages are stamped by one clock that is not the recorder's; all were moved by one offset.",
    "clock-delayed": "Messages are stamped long before others that were received with them: latency, or another clock.",
    "clock-pace": "Messages are stamped by a clock that runs slow or fast against the recorder's.",
    "clock-unit": "The recorder did not count nanoseconds, as its format asks for.",
    "depth-unit": "Depth images state no unit, or one that cannot be, so the likely one was taken.",
    # plan
    "inspect-sampled": "Only some of very many recordings were read.",
    "plan-mismatch": "The plan does not fit this recording.",
    "plan-proposed": "The plan, or a choice in it, was proposed by telecine.",
    "action-missing": "No action was recorded, or not at every step.",
    # splitting
    "split-parts": "A recording was split into several episodes.",
    "split-none": "A recording holds no episode by the plan's rule for splitting.",
    "split-short": "Episodes that are shorter than the plan asks for were left out.",
    # alignment
    "align-missing": "A stream has no usable sample at some ticks.",
    "align-trimmed": "Ticks without a sample were cut from the start or the end.",
    "align-idle": "Time in which nothing moves was left out at the start or the end.",
    "align-gap": "A stream stops for longer than it should.",
    "align-duplicates": "A stream holds several samples with one timestamp; the last one counts.",
    "align-rates": "The inputs of a dataset have different rates, so rows of some repeat or skip samples.",
    "align-backwards": "Timestamps go back in time; samples were sorted by timestamp.",
    # video
    "video-copied": "A camera was copied without re-encoding.",
    "video-encoded": "A camera was encoded, with the reason.",
    "video-frames-dropped": "Source frames that no row shows.",
    "video-frames-repeated": "Source frames that more than one row shows.",
    "video-frames-shifted": "Rows that show a frame beside the aligned one, so that more can be copied.",
    "video-long-gop": "Keyframes are far apart, which makes random reads in training slow.",
    "video-bits": "Colours of more than 8 bits a channel are stored in 8.",
    "video-colour": "Colour tags that LeRobot's two decoders read differently.",
    "video-damaged": "Frames of the source cannot be decoded.",
    # editing
    "edit-converted": "An input of another version or rate was converted first.",
    # conversion
    "dataset-mismatch": "An episode does not fit the dataset it should join.",
    "convert-nothing": "No recording was usable, so no dataset was written.",
    "convert-failed": "A recording failed for a reason telecine did not expect.",
    "convert-crashed": "A process was terminated while it read a recording.",
    "convert-known": "A recording is in the dataset already, so it was not appended.",
    "convert-where": "Recordings were left out, because what --where asks does not hold for them.",
    "convert-resumed": "Finished episodes of an interrupted run were taken up.",
    "convert-leftover": "What interrupted runs left beside the dataset could not be used and was removed.",
    "convert-shard": "A shard's part of a conversion is there already, or its dataset was published.",
    "engine-part": "A part of a conversion failed on a cluster, also when it was tried again.",
    "finalize-missing": "Shards of a conversion are not done, so there is no dataset yet.",
    "finalize-rejected": "Recordings of a conversion in shards were rejected.",
    "store-refused": "An object store or a disk refused to read or write, also when asked again.",
    "success-unknown": "Whether some episodes succeeded is known of others only, or stands in their facts only.",
    # labels
    "label-lost": "Labels that no row of the dataset has.",
    "label-open": "Rows behind the end of a label that LeRobot shows as if they still had it.",
    "label-spelling": "Texts of tasks or labels that are likely one, in several spellings.",
    # recording
    "record-quiet": "A stream had no sample for longer than its limit while it was recorded.",
    "record-behind": "An encoder is slower than its camera, so frames wait on disk.",
    "record-dropped": "Frames were dropped because their encoder was behind, as asked for.",
    "record-encoder": "An encoder failed, or could not read a frame back; its frames were stored uncoded.",
    "record-disk": "The disk refuses what is recorded.",
    "record-interrupted": "A recorder was left without the end of its episode.",
    "record-recovered": "An episode whose process was stopped was saved when the next recorder started.",
    "card-license": "The dataset's card states no licence.",
    "card-cameras": "The dataset's card does not show its cameras.",
    # repair
    "repair-recovered": "Something that could not be read was recovered.",
    "repair-changed": "Something is different in the repaired copy; no data is lost by it.",
    "repair-conflict": "Two witnesses of a broken dataset disagree, so one of them is wrong.",
    "repair-lost": "Something could not be recovered and is not in the repaired copy.",
    "align-mapped": "The plan changes the values of a feature, or takes them from a later row.",
    # verification
    "verify-version": "The dataset is of LeRobot v2.0 or v2.1, which verify does not judge.",
    "verify-structure": "A file of the dataset is missing, cannot be read or has the wrong schema.",
    "verify-counts": "Counts in the metadata and in the data disagree.",
    "verify-index": "An index column does not follow from its position.",
    "verify-timestamps": "Timestamps are not frame_index / fps.",
    "verify-tasks": "The task table and the rows disagree.",
    "verify-stats": "Stored statistics differ from the data.",
    "verify-values": "Values that break training: nulls, NaN or infinity.",
    "verify-video": "A video does not hold exactly the frames that the rows point at.",
    "verify-against": "A sampled row or frame differs from the recording it came from.",
    # quality of a dataset
    "look-counts": "Rows, episodes, tasks or frames are not as many as the metadata says.",
    "look-width": "Action and state differ in width, or a column is not as wide as declared.",
    "look-values": "NaN or infinity in what a policy is trained on.",
    "look-timestamps": "Timestamps are not row / fps.",
    "look-action-state": "The action is a copy of the state.",
    "look-clipped": "Motion is cut off at one value, which it reaches and leaves at full speed.",
    "look-idle": "Nothing moves at the start, at the end, or at all.",
    "look-stuck": "State or action stands exactly still while the robot moves.",
    "look-spikes": "Single rows are far from the rows before and after them.",
    "look-jump": "The state goes on somewhere else from one row to the next.",
    "look-repeated": "Moving rows are exactly those of an earlier stretch of the episode.",
    "look-reversed": "A stretch of rows stands in the reversed order.",
    "look-task": "An episode's task is empty or a placeholder.",
    "look-spelling": "One task is spelled in several ways.",
    "look-dark": "A camera shows next to nothing.",
    "look-white": "A camera shows nothing but white.",
    "look-dim": "A camera is much darker than in the rest.",
    "look-frozen": "A camera shows one frame while the robot moves.",
    "look-blurred": "A camera shows far less detail than in the rest.",
    "look-torn": "Frames of a camera hold parts of others, or nothing below a line.",
    "look-flash": "One or two frames of a camera are unlike those before and after them, which are alike.",
    "look-small": "A camera's frames are too small to see much.",
    "look-first-frame": "An episode's first frame is the last of the episode before.",
    "look-cameras": "Two cameras are exchanged in an episode, or one is mirrored or rotated 180 degrees.",
    "look-copy": "An episode is a copy of another one.",
    "look-dead": "An element does not move in an episode, although it does in the others.",
    "look-gripper": "A gripper does not move in an episode, or its numbers mean the contrary of the others'.",
    "look-constant": "An element never changes in the whole dataset.",
    "look-units": "An episode's values are in another unit than the others'.",
    "look-order": "An episode's elements are in another order than the others'.",
    "look-lag": "In one episode the state follows the action later or sooner than in the others.",
    "lag-drift": "The lag of a stream changes within a recording: two clocks drift apart.",
    "lag-unlike": "In one episode a stream comes later or sooner after the joints than in the others.",
    "look-range": "An episode reaches far outside of what all others do.",
    "look-short": "An episode is very short.",
    "look-long": "An episode is very long.",
}
"""Every stable code with its meaning; `docs/findings.md` has one section each."""


REMARKS: dict[str, Severity] = {
    "source-messages": "warning",
    "clock-stamps": "warning",
    "clock-offset": "warning",
    "clock-shared": "info",
    "clock-delayed": "warning",
    "clock-pace": "warning",
    "clock-unit": "warning",
    "depth-unit": "warning",
}
"""Remarks of streams about their own samples, with the severity of each."""


@dataclass(frozen=True, slots=True)
class FindingSpan:
    """A stretch of time in a recording: [start_ns, stop_ns) on one of its clocks."""

    start_ns: int
    stop_ns: int
    clock: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed: `code` is stable, `where` is its place as text, `fix` is the next step.

    The place also stands in fields of its own, as far as it is known: in a dataset `episode`, `key` and `rows`; in
    recordings `recording`, `stream` and `span`.

    >>> str(Finding("look-idle", "info", "episode 3", "nothing moves at the end", episode=3, rows=(140, 186)))
    'info look-idle episode 3, rows 140 to 185: nothing moves at the end'
    """

    code: str
    severity: Severity
    where: str
    message: str
    fix: str = ""
    episode: int | None = None
    """Index in the dataset."""
    key: str | None = None
    """Of the feature."""
    rows: tuple[int, int] | None = None
    """[start, stop) within the episode."""
    recording: str | None = None
    """As reports name it."""
    stream: str | None = None
    span: FindingSpan | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unknown finding code {self.code!r}; CODES has those that there are")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, as `dataclasses.asdict` gives them, in a tenth of its time."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return found if self.span is None else found | {"span": asdict(self.span)}

    def __str__(self) -> str:
        return f"{self.severity} {self.code} {self.place}: {self.message}" + (f" -> {self.fix}" if self.fix else "")

    @property
    def place(self) -> str:
        """`where`, which names the recording or file, and what the other fields add to it."""
        parts = [self.where]
        parts += [f"episode {self.episode}"] if self.episode is not None and "episode" not in self.where else []
        parts += [name for name in (self.key, self.stream) if name and name not in self.where]
        if self.rows is not None:
            start, stop = self.rows
            parts.append(f"row {start}" if stop - start == 1 else f"rows {start} to {stop - 1}")
        if self.span is not None:
            start_s, stop_s = self.span.start_ns / 1e9, self.span.stop_ns / 1e9
            parts.append(f"{start_s:.3f} to {stop_s:.3f} s on {self.span.clock}")
        return ", ".join(parts)

    def _repr_html_(self) -> str:
        return Findings([self])._repr_html_()


class Findings(list[Finding]):
    """Findings as a list, which notebooks show as a table.

    >>> Findings([Finding("look-dark", "warning", "episode 0", "dark")])._repr_html_().count("<tr>")
    2
    """

    def _repr_html_(self) -> str:
        rows = [(f.severity, f.code, f.place, f.message, f.fix) for f, _ in grouped(self)]
        return table(counted(len(self), "finding"), ("severity", "code", "where", "message", "next step"), rows)


def placed(
    findings: Iterable[Finding],
    *,
    episode: int | None = None,
    key: str | None = None,
    recording: str | None = None,
    stream: str | None = None,
) -> Iterator[Finding]:
    """The findings with this place, where they have none of their own."""
    for f in findings:
        own = (f.episode, f.key, f.recording, f.stream)
        new = (episode if f.episode is None else f.episode, f.key or key, f.recording or recording, f.stream or stream)
        if new == own:
            yield f
        else:
            yield Finding(f.code, f.severity, f.where, f.message, f.fix, *new[:2], f.rows, *new[2:], f.span)


def grouped(findings: Iterable[Finding]) -> list[tuple[Finding, int]]:
    """(finding, how many places more it was found in): errors first, equal messages of several places once."""
    order: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for f in sorted(findings, key=lambda f: order[f.severity]):
        groups.setdefault((f.severity, f.code, f.message, f.fix), []).append(f)
    return [(group[0], len(group) - 1) for group in groups.values()]


def with_notes(error: Failure, findings: Iterable[Finding]) -> Failure:
    """`error`, with its `findings`, and a note for each different one."""
    added = tuple(findings)
    error.findings = (*error.findings, *added)
    for finding, more in grouped(added):
        error.add_note(str(finding) + (f" (and {more} more)" if more else ""))
    return error


def has_errors(findings: Iterable[Finding]) -> bool:
    """True when any finding is an error."""
    return any(f.severity == "error" for f in findings)
