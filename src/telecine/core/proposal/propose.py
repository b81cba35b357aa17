"""A plan to start from: what the names, kinds and rates of streams suggest, and which parts are guesses.

Nothing is made up: where recordings lack something that a plan needs (the task text, the unit of a counting
timeline), the proposal names it in `missing` and holds no complete plan. `text.py` writes it down.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from telecine.core.accounting import Choices
from telecine.core.plan.fields import parse_duration
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.core.proposal.check import note_misfits, note_rare_cameras, remedies
from telecine.core.proposal.features import Features, MissingAction, choose_features
from telecine.core.proposal.notes import Notes
from telecine.core.proposal.rates import (
    FRAME_COUNT,
    choose_fps,
    common_pauses,
    counted_rate,
    declared_fps,
    is_seldom,
    limit_of,
    split_of,
)
from telecine.core.proposal.task import choose_task
from telecine.core.proposal.timeline import advances, choose_timeline
from telecine.core.recording_summary import RecordingFacts, StreamSummary, across, shared_attr
from telecine.core.text.numbers import counted, counted_of

SMALL = frozenset({"bool", "int8", "uint8"})
"""Types of flags and grippers, which policies learn as fractions."""
JUDGED = frozenset({"next.done", "next.success"})
"""Features that LeRobot has as truth values."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan as far as the recordings determine it.

    >>> import telecine as tc
    >>> proposal = tc.inspect("recordings").proposal
    >>> proposal.missing, proposal.plan == tc.make_plan(proposal.body)
    ((), True)
    """

    body: Mapping[str, Any]
    """Plain values in the shape of the plan file, without what is missing."""
    plan: Plan | None
    """The plan, or None while something is missing."""
    missing: tuple[str, ...]
    """What the user has to add, as sentences."""
    guesses: tuple[str, ...]
    """Choices that the recordings do not settle, as sentences."""
    comments: Mapping[str, tuple[str, ...]]
    """Lines about one part of the plan: "fps", "clock", "task", "unused" or the key of a feature."""
    counting: bool
    """The timeline counts steps and needs a rate to be time."""
    short: Mapping[str, str]
    """Full name of a stream -> the shortest that means it in all recordings, for the command line."""
    reasons: Mapping[str, str]
    """Stream -> why no feature uses it."""
    used: Mapping[str, str]
    """Stream -> the feature that uses it, or "task"."""
    unreadable: Mapping[tuple[str, str], str]
    """(recording's label, stream) -> why it cannot be read."""
    fps_guessed: bool = False
    """`fps` follows from nothing recorded: the plan file has it as a comment, and a given rate takes its place."""

    @property
    def choices(self) -> Choices:
        """What was chosen, for the report and the dataset."""
        return Choices(self.guesses, self.reasons, self.unreadable)

    @property
    def split_ns(self) -> int | None:
        """The pauses that the plan splits at are longer than this; None where it does not split."""
        return parse_duration(self.body["split"]["gaps"]) if "split" in self.body else None

    @property
    def timeline(self) -> str:
        """The name of the plan's clock."""
        return str(self.body["clock"]["timeline"])


def propose(
    recordings: Sequence[RecordingFacts],
    *,
    task_text: str | None = None,
    fps: int | None = None,
    rate: str | None = None,
    missing_action: MissingAction = "next_state",
) -> Proposal:
    """The plan that `recordings` suggest; `task_text`, `fps` and `rate` (counts a second) are taken as given.

    Streams that only half of the recordings have, or fewer, are left out. Where they have no stream in common,
    the plan is for the largest group of them.
    """
    notes = Notes()
    everything = list(across(recordings))
    for stream, count in everything:
        if 2 * count <= len(recordings):
            notes.leave_out([stream], f"only {counted_of(count, len(recordings), 'recording', 'has', 'have')} it")
    every, recordings = recordings, _like_each_other(recordings, everything)
    known = everything if recordings is every else list(across(recordings))
    common = [s for s, count in known if 2 * count > len(recordings)]
    implied = None if rate else counted_rate(recordings, common, declared_fps(recordings), notes)
    rated = FRAME_COUNT if implied else ""
    timeline = choose_timeline(recordings, common, notes, rate_given=rate is not None, rated=rated)
    rate = implied if timeline == rated else rate
    usable = [s for s in common if (s.static or s.kind == "text" or advances(s, timeline)) and not s.problems]
    usable = [s for s in usable if s.static or s.on(timeline) is not None]
    usable = _proposable(recordings, usable, notes)
    chosen = choose_features(recordings, common, usable, missing_action, notes)
    if not chosen:
        notes.missing.append("no stream can become a feature; name one with --action, --state or --video")
    counting = any(c.kind == "sequence" for s in common if (c := s.on(timeline)) is not None)
    body, fps_guessed = _body(recordings, chosen, timeline, rate if counting else None, (fps, rate), notes)
    note_misfits([s.name for streams in chosen.values() for s in streams], every, notes)
    note_rare_cameras(everything, every, notes)
    if task := task_text or choose_task(recordings, usable, notes):
        body["task"] = task
    if robot_type := shared_attr(recordings, "robot_type"):
        body["robot_type"] = robot_type
    used = {s.name: key for key, streams in chosen.items() for s in streams}
    if isinstance(task, Mapping) and "from" in task:
        used[str(task["from"])] = "task"
    notes.comments["unused"] = [describe(s, timeline) for s, _ in everything if s.name not in used]
    entities = [s.entity for s, _ in everything]
    return Proposal(
        body=body,
        plan=None if notes.missing else make_plan(body),
        missing=tuple(notes.missing),
        guesses=tuple(notes.guesses),
        comments={part: tuple(lines) for part, lines in notes.comments.items() if lines},
        counting=counting and rate is None,
        short={s.name: s.entity if entities.count(s.entity) == 1 else s.name for s, _ in everything},
        reasons={name: why for name, why in notes.reasons.items() if name not in used},
        used=used,
        unreadable={(r.label, s.name): "; ".join(s.problems) for r in every for s in r.streams if s.problems},
        fps_guessed=fps_guessed,
    )


def _like_each_other(
    recordings: Sequence[RecordingFacts], known: Sequence[tuple[StreamSummary, int]]
) -> Sequence[RecordingFacts]:
    """All recordings, or the largest group with the same streams where no stream is in most of them.

    known: every stream, and how many recordings have it.
    """
    if any(2 * count > len(recordings) for _, count in known):
        return recordings
    groups: dict[frozenset[str], list[RecordingFacts]] = {}
    for recording in recordings:
        groups.setdefault(frozenset(s.name for s in recording.streams), []).append(recording)
    return max(groups.values(), key=len, default=recordings)


def _proposable(
    recordings: Sequence[RecordingFacts], usable: Sequence[StreamSummary], notes: Notes
) -> list[StreamSummary]:
    """Without the streams that their source offers but never proposes."""
    stated = [(item.stream, item.why) for r in recordings for item in r.left_out if item.what == "offered"]
    counts = Counter(name for name, _ in stated)
    offered = {name: why for name, why in stated if 2 * counts[name] > len(recordings)}
    for stream in usable:
        if stream.name in offered:
            notes.leave_out([stream], offered[stream.name])
    return [s for s in usable if s.name not in offered]


def _body(
    recordings: Sequence[RecordingFacts],
    chosen: Features,
    timeline: str,
    rate: str | None,
    given: tuple[int | None, str | None],
    notes: Notes,
) -> tuple[dict[str, Any], bool]:
    """(the plan without its task, True when fps is a guess). rate: counts a second of `timeline`, if it counts."""
    planned = [s for streams in chosen.values() for s in streams]
    cameras, vectors = [s for s in planned if s.is_camera], [s for s in planned if s.kind == "vector"]
    fps, guessed = choose_fps(given[0], declared_fps(recordings), cameras, vectors, timeline, given[1], notes)
    clock = {"timeline": timeline} | ({} if rate is None else {"rate": str(Fraction(rate))})
    running = [s.name for s in planned if s.kind != "text" and not s.static]
    paused = {r.label: sum(stop - start for start, stop in common_pauses(running, timeline, r)) for r in recordings}
    split = split_of(planned, timeline, recordings, notes)
    features = {
        key: _feature(key, streams, timeline, recordings, paused, notes, split=split is not None)
        for key, streams in chosen.items()
    }
    body: dict[str, Any] = {"fps": fps, "clock": clock, "features": remedies(features, recordings, notes)}
    return (body if split is None else {**body, "split": split}), guessed


def _feature(
    key: str,
    streams: Sequence[StreamSummary],
    timeline: str,
    recordings: Sequence[RecordingFacts],
    paused: Mapping[str, int],
    notes: Notes,
    *,
    split: bool,
) -> Any:
    """The plan of one feature: a name, a list of names, or more where the defaults would not do."""
    notes.comments[key] = [describe(s, timeline) for s in streams]
    names = [s.name for s in streams]
    source = names[0] if len(names) == 1 else names
    is_camera = key.startswith(IMAGES)
    seldom = [s.name for s in streams if not is_camera and is_seldom(s.name, timeline, recordings, paused)]
    body: dict[str, Any] = {}
    if seldom:
        notes.guesses.append(f"{key}: {', '.join(seldom)} comes only now and then, so a sample of any age counts")
        body["limit"] = "none"
    elif limits := [limit for n in names if (limit := limit_of(n, timeline, recordings, split, notes)) is not None]:
        body["limit"] = max(limits, key=parse_duration)
    if all(s.dtype in SMALL for s in streams) and not is_camera and not (key in JUDGED and streams[0].dtype == "bool"):
        body["dtype"] = "float32"
    return {"from": source, **body} if body else source


def describe(stream: StreamSummary, timeline: str) -> str:
    """A stream in one line, with its rate on `timeline`."""
    parts = [f"{stream.name}: {stream.label}"]
    clock = stream.on(timeline)
    if stream.static:
        parts.append(f"static {stream.value}".rstrip())
    elif clock is None:
        parts.append(f"no timestamps on {timeline}")
    else:
        parts.append(f"{counted(clock.samples, 'sample')}" + (f" at {clock.hz:.2f} Hz" if clock.hz else ""))
        if clock.hz and clock.samples > 2:
            parts.append(f"jitter {clock.jitter_ms:.1f} ms")
        if clock.hz and clock.rate.gaps:
            parts.append(f"longest gap {clock.rate.longest_ns / 1e9:.2f} s")
    if stream.camera is not None and stream.kind == "video":
        parts.append(f"keyframe every {stream.camera.gop}" + (", B-frames" if stream.camera.reorder_delay else ""))
    return ", ".join([*parts, *(f"problem: {p}" for p in stream.problems)])
