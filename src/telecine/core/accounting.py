"""What became of every stream of a recording: used by a feature, offered but not used, or unreadable. No fourth kind.

A source puts what it cannot read, and what it can read but never proposes, into `Recording.left_out`; all other streams
are in `Recording.streams`. What the plan does not use of those is offered. Equal entries of many recordings are one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telecine.core.findings import Finding
from telecine.core.naming import words
from telecine.core.plan.bind import find_stream
from telecine.core.plan.model import Plan
from telecine.core.recording import LeftOut, Recording, StreamKind

FIRST_NAMES = 3
"""Recordings that an entry for many of them names."""
NOT_PLANNED = "the plan does not use it"
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
        *("covariance", "diagnostics", "battery", "voltage", "output"),
    }
)
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
    """(stream, what uses it): a feature's key, or `task`, `clock.follow`, `split`, `trim`."""
    left_out: tuple[LeftOut, ...]

    @property
    def streams(self) -> frozenset[str]:
        """The names of all streams."""
        return frozenset(name for name, _ in self.used) | {item.stream for item in self.left_out}


def account(recording: Recording, plan: Plan, reasons: Mapping[str, str] = {}) -> Accounting:
    """What `plan` uses of `recording`, and what it leaves out. Reads no samples.

    reasons: stream -> why it was not proposed, for those that the plan could use.
    """
    kinds = {name: stream.kind for name, stream in recording.streams.items()}
    used = used_streams(plan, recording)
    return account_for(recording.ref.label, kinds, used, recording.left_out, reasons)


def account_for(
    label: str,
    kinds: Mapping[str, StreamKind],
    used: Mapping[str, str],
    left_out: Iterable[LeftOut] = (),
    reasons: Mapping[str, str] = {},
) -> Accounting:
    """The accounting of a recording with streams of these `kinds`, of which the plan takes `used`.

    left_out: what the source says of its streams; of those that are used, nothing is said.
    """
    stated = {item.stream: item for item in left_out if item.stream not in used}
    shown = {_camera_path(name) for name in used if kinds.get(name) in ("image", "video")}
    items = list(stated.values())
    for name in sorted(kinds.keys() - used.keys() - stated.keys()):
        why = reasons.get(name, NOT_PLANNED)
        items.append(LeftOut(name, "offered", why, training=_is_training(name, kinds[name], shown)))
    return Accounting(label, tuple(sorted(used.items())), tuple(items))


def used_streams(plan: Plan, recording: Recording) -> dict[str, str]:
    """Stream -> the part of the plan that uses it, for streams that `recording` has."""
    wanted = [(take.stream, feature.key) for feature in plan.features for take in feature.sources]
    wanted += [(name, part) for name, part in ((plan.task.stream, "task"), (plan.clock.follow, "clock.follow")) if name]
    if plan.split is not None:
        wanted += [(name, "split") for name in (plan.split.marker, plan.split.stream) if name]
    if plan.trim is not None:
        wanted += [(name, "trim") for name in plan.trim.by]
    used: dict[str, str] = {}
    for name, part in wanted:
        stream = find_stream(name, recording.streams)
        if not isinstance(stream, str):
            used.setdefault(stream.name, part)
    return used


def _is_training(name: str, kind: StreamKind, cameras: set[str]) -> bool:
    """True for a camera that is no other form of one in `cameras`, and for numbers named as positions."""
    if kind in ("image", "video"):
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


def add(labels: dict[LeftOut, list[str]], recording: str, left_out: Iterable[LeftOut]) -> None:
    """Count what is left out of one more recording; parts of one recording that follow each other count once."""
    for item in left_out:
        known = labels.setdefault(item, [])
        if recording not in known[-1:]:
            known.append(recording)


def merge(labels: Mapping[LeftOut, Sequence[str]], reasons: Mapping[str, str] = {}) -> tuple[LeftOutEverywhere, ...]:
    """The streams left out of any recording, unreadable ones first, then by name.

    reasons: stream -> why a proposal did not take it, which says more than `NOT_PLANNED`.
    """
    entries = []
    for item, names in labels.items():
        why = reasons.get(item.stream, item.why) if item.why == NOT_PLANNED else item.why
        entries.append(LeftOutEverywhere(replace(item, why=why), len(names), tuple(names[:FIRST_NAMES])))
    return tuple(sorted(entries, key=lambda e: (e.item.what != "unreadable", e.item.stream, e.item.why)))


def left_out_findings(entries: Sequence[LeftOutEverywhere], where: str) -> list[Finding]:
    """One warning for each unreadable stream, and one that names all cameras and positions that are left out."""
    found = [
        Finding("stream-unreadable", "warning", f"{_in(e)} {e.item.stream}", e.item.why, e.item.fix)
        for e in entries
        if e.item.what == "unreadable"
    ]
    names = list(dict.fromkeys(e.item.stream for e in entries if e.item.what == "offered" and e.item.training))
    if names:
        text = f"{len(names)} camera(s) or position(s) are left out: {', '.join(names)}"
        fix = "name them in the plan if the policy needs them; `left_out` in --json says why each is left out"
        found.append(Finding("stream-left-out", "warning", where, text, fix))
    return found


def _in(entry: LeftOutEverywhere) -> str:
    more = entry.recordings - 1
    return entry.first[0] + (f" and {more} more" if more else "")
