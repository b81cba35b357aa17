"""What became of every stream of a recording: used by a feature, offered but not used, or unreadable. No fourth kind.

A source puts what it cannot read, and what it can read but never proposes, into `Recording.left_out`; all other streams
are in `Recording.streams`. What the plan does not use of those is offered. Equal entries of many recordings are one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from telecine.core.dataclass import dataclass
from telecine.core.findings import Finding
from telecine.core.naming import words
from telecine.core.outcome import outcome_stream
from telecine.core.plan.bind import find_stream
from telecine.core.plan.model import Plan
from telecine.core.recording import LeftOut, Recording, StreamKind
from telecine.core.recording_summary import RecordingFacts

FIRST_NAMES = 3
"""Recordings that an entry for many of them names."""
NOT_PLANNED = "not in the plan"
REPAIR = "repair the recording, or convert without the stream"
_NOT_POSITIONS = frozenset(
    {
        *(
            "velocity",
            "velocities",
            "vel",
            "qvel",
            "twist",
            "speed",
            "effort",
            "efforts",
            "torque",
            "torques",
            "current",
        ),
        *("acceleration", "accelerations", "acc", "force", "forces", "wrench", "imu", "error", "errors", "temperature"),
        *(
            "covariance",
            "diagnostics",
            "battery",
            "voltage",
            "output",
            "pressure",
            "dq",
            "ddq",
            "tau",
            "kp",
            "kd",
            "temp",
        ),
    }
)
_FRAMES = ("image", "video")
_POSITIONS = frozenset(
    {
        *("position", "positions", "joint", "joints", "qpos", "pose", "poses", "gripper", "grippers", "eef", "tcp"),
        *("action", "actions", "state", "target", "leader", "follower", "command", "cmd"),
    }
)
_IMAGE_FORM = re.compile(r"(/(image|image_raw|image_color|image_rect|image_rect_color|compressed|raw))+$")


@dataclass(frozen=True, slots=True)
class Accounting:
    """Every stream of one recording, each in exactly one of the two lists."""

    recording: str
    """The recording's label."""
    used: tuple[tuple[str, str], ...]
    """(stream, what uses it): a feature's key, or `task`, `outcome`, `clock.follow`, `split`, `trim`."""
    left_out: tuple[LeftOut, ...]

    @property
    def streams(self) -> frozenset[str]:
        """The names of all streams."""
        return frozenset(name for name, _ in self.used) | {item.stream for item in self.left_out}


def account(recording: Recording, plan: Plan) -> Accounting:
    """What `plan` uses of `recording`, and what it leaves out. Reads no samples."""
    kinds = {name: stream.kind for name, stream in recording.streams.items()}
    used = used_streams(plan, recording)
    return account_for(recording.ref.label, kinds, used, recording.left_out, recording.features)


def account_for(
    label: str,
    kinds: Mapping[str, StreamKind],
    used: Mapping[str, str],
    left_out: Iterable[LeftOut] = (),
    declared: Mapping[str, Iterable[str]] = {},
) -> Accounting:
    """The accounting of a recording with streams of these `kinds`, of which the plan takes `used`.

    left_out: what the source states of its streams, but for those that are used. declared: feature key -> its
    streams, where the format itself says what training data is.
    """
    stated = {item.stream: item for item in left_out if item.stream not in used}
    shown = {_camera_path(name) for name in used if kinds.get(name) in _FRAMES}
    others = sorted(kinds.keys() - used.keys() - stated.keys())
    known = {n for key, names in declared.items() if key.startswith(("observation", "action")) for n in names}
    asked = {n for n in others if not declared or kinds[n] in _FRAMES}  # a declared format knows its numbers
    training = {n for n in others if n in known or (n in asked and _is_training(n, kinds[n], shown))}
    offered = [LeftOut(n, "offered", NOT_PLANNED, training=n in training) for n in others]
    return Accounting(label, tuple(sorted(used.items())), (*stated.values(), *offered))


def used_streams(plan: Plan, recording: Recording) -> dict[str, str]:
    """Stream -> the part of the plan that uses it, for streams that `recording` has."""
    wanted = [(take.stream, feature.key) for feature in plan.features for take in feature.sources]
    wanted += [(name, part) for name, part in ((plan.task.stream, "task"), (plan.clock.follow, "clock.follow")) if name]
    wanted += [(rule.stream, f"labels ({rule.style})") for rule in plan.labels if rule.stream]
    if plan.split is not None:
        wanted += [(name, "split") for name in (plan.split.marker, plan.split.stream) if name]
    if plan.trim is not None:
        wanted += [(name, "trim") for name in plan.trim.by]
    outcome = outcome_stream(recording.streams)
    used: dict[str, str] = {} if outcome is None else {outcome.name: "outcome"}
    for name, part in wanted:
        stream = find_stream(name, recording.streams)
        if not isinstance(stream, str) and used.get(stream.name, "outcome") == "outcome":
            used[stream.name] = part
    return used


def _is_training(name: str, kind: StreamKind, cameras: set[str]) -> bool:
    """True for a camera that is no other form of one in `cameras`, and for numbers named as positions."""
    if kind in _FRAMES:
        return _camera_path(name) not in cameras
    found = words(name)
    return kind == "vector" and "->" not in name and bool(found & _POSITIONS) and not found & _NOT_POSITIONS


def _camera_path(name: str) -> str:
    return _IMAGE_FORM.sub("", name.partition(":")[0])


@dataclass(frozen=True, slots=True)
class LeftOutEverywhere:
    """One entry for all recordings in which the same is true of a stream."""

    item: LeftOut
    recordings: int
    first: tuple[str, ...]
    """The labels of the first `FIRST_NAMES` of them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: an entry of `left_out`."""
        item = self.item
        return {
            "stream": item.stream,
            "what": item.what,
            "why": item.why,
            "fix": item.fix,
            "recordings": self.recordings,
            "first": list(self.first),
        }


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen for a person who gave no plan: printed, in `--json`, and in the dataset."""

    guesses: tuple[str, ...] = ()
    """Choices that the recordings do not settle, as sentences."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Stream -> why no feature uses it, where more is known than `NOT_PLANNED`."""
    unreadable: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(recording's label, stream) -> why it cannot be read, as `inspect` found it."""

    def explain(self, recording: str, item: LeftOut) -> LeftOut:
        """The entry with the reason of the proposal in place of `NOT_PLANNED`."""
        if item.why != NOT_PLANNED:
            return item
        if why := self.unreadable.get((recording, item.stream)):
            return LeftOut(item.stream, "unreadable", why, REPAIR)
        return replace(item, why=self.reasons.get(item.stream, item.why))


NO_CHOICES = Choices()
"""Those of a plan that a person gave."""
Tally = dict[LeftOut, list[str]]
"""What is left out -> the labels of the recordings, in order."""


def add(tally: Tally, recording: str, left_out: Iterable[LeftOut], choices: Choices = NO_CHOICES) -> None:
    """Count what is left out of one more recording; parts of one recording that follow each other count once."""
    for item in left_out:
        known = tally.setdefault(choices.explain(recording, item), [])
        if recording not in known[-1:]:
            known.append(recording)


def merge(tally: Tally) -> tuple[LeftOutEverywhere, ...]:
    """The streams left out of any recording, unreadable ones first, then by name."""
    order = sorted(tally.items(), key=lambda entry: (entry[0].what != "unreadable", entry[0].stream, entry[0].why))
    return tuple(LeftOutEverywhere(item, len(names), tuple(names[:FIRST_NAMES])) for item, names in order)


def unreadable_findings(entries: Iterable[LeftOutEverywhere]) -> Iterator[Finding]:
    """A warning for each stream that cannot be read."""
    for entry in entries:
        if entry.item.what == "unreadable":
            more = f" and {entry.recordings - 1} more" if entry.recordings > 1 else ""
            where = f"{entry.first[0]}{more} {entry.item.stream}"
            yield Finding("stream-unreadable", "warning", where, entry.item.why, entry.item.fix)


def training_findings(entries: Iterable[LeftOutEverywhere], where: str) -> Iterator[Finding]:
    """One warning that names all cameras and positions that are left out, if there are any."""
    names = list(dict.fromkeys(e.item.stream for e in entries if e.item.what == "offered" and e.item.training))
    if names:
        text = f"cameras or positions are left out ({len(names)}): {', '.join(names)}"
        fix = "name them in the plan if the policy needs them; `left_out` in --json says why each is left out"
        yield Finding("stream-left-out", "warning", where, text, fix)


def account_facts(facts: RecordingFacts, used: Mapping[str, str], choices: Choices = NO_CHOICES) -> Accounting:
    """The accounting of an inspected recording, of which a proposal takes `used`."""
    kinds = {s.name: s.kind for s in facts.streams}
    made = account_for(facts.label, kinds, used, facts.left_out, dict(facts.features))
    return replace(made, left_out=tuple(choices.explain(facts.label, item) for item in made.left_out))
