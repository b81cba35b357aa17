"""A plan to start from: what the names, kinds and rates of streams suggest, and which parts are guesses.

Nothing is made up: where recordings lack something that a plan needs (the task text, the unit of a counting
timeline), the proposal names it in `missing` and holds no complete plan. `text.py` writes it down.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from telecine.core.naming import words
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.core.proposal.cameras import camera_names
from telecine.core.proposal.messages import worthwhile
from telecine.core.recording_summary import SECOND_CHOICE, ClockFacts, RecordingFacts, StreamSummary, across

ACTION_WORDS = (
    *("action", "actions", "command", "commands", "commanded", "cmd", "target", "goal", "setpoint", "leader"),
    *("reference", "desired", "trajectory"),
)
"""From the surest to the least sure: all streams with the surest word that occurs are the action."""
STATE_WORDS = frozenset(
    {
        *("joint", "joints", "state", "states", "position", "positions", "pose", "qpos", "eef", "tcp"),
        *("observation", "observations", "obs", "proprio", "proprioception", "follower", "gripper", "grippers"),
    }
)
TASK_WORDS = ("language_instruction", "instruction", "task", "prompt", "language")
DEPTH_WORDS = frozenset({"depth", "disparity"})
USUAL_RATES = (5, 6, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 200, 240)
NO_CAMERA_FPS = 30
NO_TIMELINE = "none"
_STAND_IN = "next_state"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan as far as the recordings determine it."""

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


@dataclass(frozen=True, slots=True)
class _Notes:
    """Sentences about a proposal, collected while it is made."""

    missing: list[str] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)
    comments: dict[str, list[str]] = field(default_factory=dict)


MissingAction = Literal["next_state", "same_state", "error"]
"""What stands in for an action that nobody recorded: streams of these names, where a source offers them."""


def propose(
    recordings: Sequence[RecordingFacts],
    *,
    task_text: str | None = None,
    fps: int | None = None,
    missing_action: MissingAction = "next_state",
) -> Proposal:
    """The plan that `recordings` suggest; `task_text` and `fps` are taken as given.

    Streams that only half of the recordings have, or fewer, are left out.
    """
    notes = _Notes()
    known = list(across(recordings))
    common = [s for s, count in known if 2 * count > len(recordings)]
    timeline = _timeline(common, notes)
    usable = [s for s in common if (s.static or s.on(timeline) is not None) and not s.problems]
    declared = _declared(recordings, common)
    chosen = _guessed(usable, notes) if declared is None else _with_action(declared, usable, missing_action, notes)
    _note_other_actions(recordings, chosen, notes)
    features = {key: _feature(key, streams, timeline, recordings, notes) for key, streams in chosen.items() if streams}
    if not features:
        notes.missing.append("no stream can become a feature; name one with --action, --state or --video")
    cameras = [s for streams in chosen.values() for s in streams if s.is_camera]
    vectors = [s for streams in chosen.values() for s in streams if s.kind == "vector"]
    body: dict[str, Any] = {
        "fps": fps or _declared_fps(recordings, notes) or _fps(cameras, vectors, timeline, notes),
        "clock": {"timeline": timeline},
        "features": features,
    }
    task = task_text or _task_stream(usable, notes) or _task_of_attrs(recordings)
    if task is None:
        notes.missing.append(_no_task(usable))
    else:
        body["task"] = task
    if robot_type := _same(recordings, "robot_type"):
        body["robot_type"] = robot_type
    used = {s.name for streams in chosen.values() for s in streams}
    if isinstance(task, Mapping) and "from" in task:
        used.add(str(task["from"]))
    notes.comments["unused"] = [describe(s, timeline) for s, _ in known if s.name not in used]
    entities = [s.entity for s, _ in known]
    return Proposal(
        body=body,
        plan=None if notes.missing else make_plan(body),
        missing=tuple(notes.missing),
        guesses=tuple(notes.guesses),
        comments={part: tuple(lines) for part, lines in notes.comments.items() if lines},
        counting=any(c.kind == "sequence" for s in common if (c := s.on(timeline)) is not None),
        short={s.name: s.entity if entities.count(s.entity) == 1 else s.name for s, _ in known},
    )


def _timeline(streams: Sequence[StreamSummary], notes: _Notes) -> str:
    """The clock that most streams share: time before counts, one that somebody chose before Rerun's own."""
    moving = [s for s in streams if not s.static and s.kind != "text"] or [s for s in streams if not s.static]
    clocks: dict[str, list[ClockFacts]] = {}
    for stream in moving:
        for clock in stream.clocks:
            clocks.setdefault(clock.name, []).append(clock)
    if not clocks:
        notes.missing.append("no stream has stamps, so there is no timeline to make rows on")
        return NO_TIMELINE

    def worth(name: str) -> tuple[bool, bool, int, bool]:
        chosen = name not in SECOND_CHOICE and 2 * len(clocks[name]) > len(moving)
        kind = clocks[name][0].kind
        return (kind != "sequence", chosen, len(clocks[name]), kind == "timestamp")

    best, *others = sorted(sorted(clocks), key=worth, reverse=True)
    described = {
        name: f"{name} ({found[0].kind}, {len(found)} of {len(moving)} streams)" for name, found in clocks.items()
    }
    notes.comments["clock"] = [described[best], *(f"or {described[other]}" for other in others)]
    if clocks[best][0].kind == "sequence":
        notes.missing.append(
            f"timeline {best!r} counts steps: say how many a second with --rate, or `rate:` in `clock:`"
        )
    elif best in SECOND_CHOICE:
        counts = [name for name in others if name not in SECOND_CHOICE]
        hint = f"; {', '.join(counts)} counts steps and needs `rate`" if counts else ""
        notes.guesses.append(f"timeline {best} is when values were logged, not when they were measured{hint}")
    if len(clocks[best]) < len(moving):
        lost = ", ".join(s.name for s in moving if s.on(best) is None)
        notes.guesses.append(f"timeline {best}: left out because they have no stamps on it: {lost}")
    return best


def _declared(
    recordings: Sequence[RecordingFacts], common: Sequence[StreamSummary]
) -> dict[str, list[StreamSummary]] | None:
    """The features that the formats themselves declare, as most recordings have them; None when they declare none.

    Streams with problems stay: what cannot be read is to reject its recording, not to be missing from all.
    """
    counts = Counter(feature for r in recordings for feature in r.features)
    streams = {s.name: s for s in common}
    declared: dict[str, list[StreamSummary]] = {}
    for (key, names), count in counts.items():
        if 2 * count > len(recordings) and all(name in streams for name in names):
            declared[key] = [streams[name] for name in names]
    return declared or None


def _with_action(
    declared: dict[str, list[StreamSummary]], usable: Sequence[StreamSummary], missing: MissingAction, notes: _Notes
) -> dict[str, list[StreamSummary]]:
    """The features, with the stand-in that was asked for where no action was recorded. Never silent."""
    stands_in = [s.name for s in declared.get("action", ())] == [f"/{_STAND_IN}"]
    if not stands_in:
        return declared
    streams = {s.name: s for s in usable}
    if missing == "error" or f"/{missing}" not in streams:
        notes.missing.append("no action was recorded, and nothing may stand in for it: name a stream with --action")
        return {key: streams for key, streams in declared.items() if key != "action"}
    meaning = {"next_state": "the state one sample later", "same_state": "the state of the same sample"}[missing]
    notes.guesses.append(
        f"action: none was recorded, {meaning} stands in (/{missing}); choose with --missing-action next_state, "
        "same_state or error"
    )
    return {**declared, "action": [streams[f"/{missing}"]]}


def _note_other_actions(
    recordings: Sequence[RecordingFacts], chosen: Mapping[str, Sequence[StreamSummary]], notes: _Notes
) -> None:
    """Recorded actions that the plan for all recordings passes over."""
    taken = [s.name for s in chosen.get("action", ())]
    actions = [dict(r.features).get("action", ()) for r in recordings]
    others = sum(bool(names) and list(names) not in (taken, [f"/{_STAND_IN}"]) for names in actions)
    if others:
        notes.guesses.append(
            f"action: {others} of {len(recordings)} recordings have one of their own, which is not taken; "
            "convert them by themselves"
        )


def _guessed(usable: Sequence[StreamSummary], notes: _Notes) -> dict[str, list[StreamSummary]]:
    cameras = _cameras(usable, notes)
    action, state = _vectors(usable, notes)
    return {"action": action, "observation.state": state, **{k: [s] for k, s in cameras.items()}}


def _same(recordings: Sequence[RecordingFacts], attr: str) -> str | None:
    """The value of `attr` in all recordings; None when it is absent in one or differs."""
    values = {dict(r.attrs).get(attr, "").strip() for r in recordings}
    return (values.pop() or None) if len(values) == 1 else None


def _declared_fps(recordings: Sequence[RecordingFacts], notes: _Notes) -> int | None:
    """The rate that the recorder was asked for, where recordings state it."""
    asked = _same(recordings, "fps")
    if asked is None or not asked.isdecimal() or not 1 <= int(asked) <= 1000:
        return None
    notes.comments["fps"] = [f"the recorder was asked for {asked} frames a second"]
    return int(asked)


def _cameras(streams: Sequence[StreamSummary], notes: _Notes) -> dict[str, StreamSummary]:
    """Feature key -> camera."""
    cameras = []
    for stream in streams:
        if not stream.is_camera:
            continue
        deep = stream.camera is not None and stream.camera.pix_fmt.startswith("gray16")
        if stream.unit in ("mm", "m"):
            notes.guesses.append(
                f"{stream.name} is depth: left out, because policies for colour fail on it; add it as "
                "`observation.images.NAME` to store it as 12-bit depth"
            )
        elif deep or DEPTH_WORDS & words(stream.name):
            notes.guesses.append(f"{stream.name} seems to be depth, which video would cut to 8 bits: left out")
        else:
            cameras.append(stream)
    return {f"{IMAGES}{n}": s for n, s in zip(camera_names([c.entity for c in cameras]), cameras, strict=True)}


def _vectors(streams: Sequence[StreamSummary], notes: _Notes) -> tuple[list[StreamSummary], list[StreamSummary]]:
    """(action, state): plain vectors by the words in their names, sorted, grippers last."""
    plain = [s for s in streams if s.kind == "vector" and not s.static and len(s.shape) == 1 and s.dtype != "bool"]
    plain, guesses = worthwhile(plain)
    notes.guesses.extend(guesses)
    plain.sort(key=lambda s: (bool({"gripper", "grippers"} & words(s.name)), s.name))
    word = next((w for w in ACTION_WORDS if any(w in words(s.name) for s in plain)), None)
    action = [s for s in plain if word in words(s.name)]
    rest = [s for s in plain if not words(s.name) & frozenset(ACTION_WORDS)]
    state = [s for s in rest if words(s.name) & STATE_WORDS]
    if word is None:
        notes.guesses.append("no stream looks like an action, which policies are trained on: name it with --action")
    elif word not in ("action", "actions"):
        notes.guesses.append(f"action: chosen for the word {word!r}")
    if rest and not state:
        state = rest
        notes.guesses.append("observation.state: no name tells, so these are all vectors that are not the action")
    for key, chosen in (("action", action), ("observation.state", state)):
        if len(chosen) > 1:
            order = ", ".join(s.name for s in chosen)
            notes.guesses.append(f"{key}: {len(chosen)} streams side by side, in this order: {order}")
    return action, state


def _fps(cameras: Sequence[StreamSummary], vectors: Sequence[StreamSummary], timeline: str, notes: _Notes) -> int:
    """The rate of the cameras, the slowest where they differ; without cameras the slowest vector's, at most 30."""
    rates = {s.name: c.nominal_hz for s in cameras if (c := s.on(timeline)) and c.nominal_hz}
    if not rates:
        others = [c.nominal_hz for s in vectors if (c := s.on(timeline)) and c.nominal_hz]
        fps = max(min([NO_CAMERA_FPS, *(round(hz) for hz in others)]), 1)
        notes.guesses.append(f"fps {fps}: there is no camera with a rate to take it from")
        return fps
    name, slowest = min(rates.items(), key=lambda item: item[1])
    near = min(USUAL_RATES, key=lambda usual: abs(usual / slowest - 1))
    fps = near if abs(near / slowest - 1) < 0.02 else min(max(round(slowest), 1), 1000)
    if abs(fps / slowest - 1) > 0.005:
        notes.guesses.append(f"fps {fps}: {name} runs at {slowest:.2f} Hz")
    if max(rates.values()) > 1.1 * slowest:
        listed = ", ".join(f"{camera} {hz:.1f} Hz" for camera, hz in rates.items())
        notes.guesses.append(f"fps {fps}: the slowest of cameras at different rates ({listed}); the others lose frames")
    notes.comments["fps"] = [f"{camera} runs at {hz:.2f} Hz" for camera, hz in rates.items()]
    return fps


def _feature(
    key: str,
    streams: Sequence[StreamSummary],
    timeline: str,
    recordings: Sequence[RecordingFacts],
    notes: _Notes,
) -> Any:
    """What the plan says of one feature: a name, a list of names, or more where the defaults would not do."""
    notes.comments[key] = [describe(s, timeline) for s in streams]
    names = [s.name for s in streams]
    source = names[0] if len(names) == 1 else names
    seldom = [] if key.startswith(IMAGES) else [s.name for s in streams if _is_seldom(s.name, timeline, recordings)]
    if not seldom:
        return source
    notes.guesses.append(f"{key}: {', '.join(seldom)} comes only now and then, so a sample of any age counts")
    return {"from": source, "limit": "none"}


def _is_seldom(name: str, timeline: str, recordings: Sequence[RecordingFacts]) -> bool:
    """Logged when the value changes rather than at a rate."""
    clocks = [c for r in recordings if (s := r.stream(name)) is not None and (c := s.on(timeline)) is not None]
    return any(c.samples < 5 or 2 * c.rate.jitter_ns > c.rate.period_ns for c in clocks)


def _task_stream(streams: Sequence[StreamSummary], notes: _Notes) -> dict[str, str] | None:
    """The text stream whose name says that it holds the task, as the plan names it."""
    texts = [s for s in streams if s.kind == "text" and any(s.texts)]
    for word in TASK_WORDS:
        for stream in texts:
            if word in words(stream.name):
                notes.comments["task"] = [f"{stream.name} says: " + ", ".join(f'"{t}"' for t in stream.texts)]
                return {"from": stream.name}
    return None


def _task_of_attrs(recordings: Sequence[RecordingFacts]) -> str | dict[str, dict[str, str]] | None:
    """The task as the recordings' own properties give it: one text, or one for each recording."""
    texts = [dict(r.attrs).get("task", "").strip() for r in recordings]
    if not texts or not all(texts):
        return None
    if len(set(texts)) == 1:
        return texts[0]
    ids = [r.id for r in recordings]
    names = [r.id if r.id and ids.count(r.id) == 1 else r.path.rpartition("/")[2] for r in recordings]
    return {"recordings": dict(zip(names, texts, strict=True))} if len(set(names)) == len(names) else None


def _no_task(streams: Sequence[StreamSummary]) -> str:
    texts = ", ".join(s.name for s in streams if s.kind == "text")
    hint = f"; the text streams are {texts}" if texts else ""
    return f'no stream tells the task: give it with --task-text "..." or `task:` in the plan{hint}'


def describe(stream: StreamSummary, timeline: str) -> str:
    """A stream in one line, with its rate on `timeline`."""
    parts = [f"{stream.name}: {stream.label}"]
    clock = stream.on(timeline)
    if stream.static:
        parts.append(f"static {stream.value}".rstrip())
    elif clock is None:
        parts.append(f"no stamps on {timeline}")
    else:
        parts.append(f"{clock.samples} samples" + (f" at {clock.hz:.2f} Hz" if clock.hz else ""))
        if clock.hz and clock.samples > 2:
            parts.append(f"jitter {clock.jitter_ms:.1f} ms")
        if clock.hz and clock.rate.gaps:
            parts.append(f"longest gap {clock.rate.longest_ns / 1e9:.2f} s")
    if stream.camera is not None and stream.kind == "video":
        parts.append(f"keyframe every {stream.camera.gop}" + (", B-frames" if stream.camera.reorder_delay else ""))
    return ", ".join([*parts, *(f"problem: {p}" for p in stream.problems)])
