"""Which streams become which features: as the format declares them, else by kind and the words in their names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from telecine.core.depth import depth_size_problem
from telecine.core.episode import MOST_ELEMENTS
from telecine.core.naming import words
from telecine.core.plan.model import IMAGES
from telecine.core.proposal.cameras import camera_names, physical_cameras
from telecine.core.proposal.messages import FORMATS, message_vectors
from telecine.core.proposal.notes import Notes
from telecine.core.proposal.stream_order import in_order
from telecine.core.recording_summary import RecordingFacts, StreamSummary
from telecine.core.text.numbers import counted, counted_of
from telecine.core.text.pages import page

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
DEPTH_WORDS = frozenset({"depth", "disparity"})
_STAND_IN = "next_state"
_MOST_OFFERED = 4
Features = dict[str, list[StreamSummary]]
MissingAction = Literal["next_state", "same_state", "error"]
"""What stands in for an action that nobody recorded: streams of these names, where a source offers them."""


def choose_features(
    recordings: Sequence[RecordingFacts],
    common: Sequence[StreamSummary],
    usable: Sequence[StreamSummary],
    missing_action: MissingAction,
    notes: Notes,
) -> Features:
    """Feature key -> streams. common: streams of most recordings; usable: those of them that a feature can take."""
    wide = [s for s in usable if s.kind == "vector" and s.shape and s.shape[-1] > MOST_ELEMENTS]
    notes.leave_out(wide, f"more than {MOST_ELEMENTS} elements; a plan can take some of them with `fields`")
    common, usable = ([s for s in streams if s not in wide] for streams in (common, usable))
    declared = _declared(recordings, common)
    chosen = (
        _guessed(recordings, usable, notes)
        if declared is None
        else _with_action(declared, usable, missing_action, notes)
    )
    _note_other_actions(recordings, chosen, notes)
    _note_no_state(usable, chosen, notes)
    if declared is not None:
        notes.leave_out(usable, "the format does not declare it as a feature")
    return {key: streams for key, streams in chosen.items() if streams}


def _declared(recordings: Sequence[RecordingFacts], common: Sequence[StreamSummary]) -> Features | None:
    """The features that the formats themselves declare, as most recordings have them; None when they declare none.

    Streams with problems stay: what cannot be read is to reject its recording, not to be missing from all.
    """
    counts = Counter(feature for r in recordings for feature in r.features)
    streams = {s.name: s for s in common}
    declared: Features = {}
    for (key, names), count in counts.items():
        if 2 * count > len(recordings) and all(name in streams for name in names):
            declared[key] = [streams[name] for name in names]
    return declared or None


def _with_action(declared: Features, usable: Sequence[StreamSummary], missing: MissingAction, notes: Notes) -> Features:
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
    recordings: Sequence[RecordingFacts], chosen: Mapping[str, Sequence[StreamSummary]], notes: Notes
) -> None:
    """Recorded actions that the plan for all recordings passes over."""
    taken = [s.name for s in chosen.get("action", ())]
    actions = [dict(r.features).get("action", ()) for r in recordings]
    others = sum(bool(names) and list(names) not in (taken, [f"/{_STAND_IN}"]) for names in actions)
    if others:
        notes.guesses.append(
            f"action: {counted_of(others, len(recordings), 'recording', 'has one of its own', 'have their own')}, "
            "not taken; convert them by themselves"
        )


def _note_no_state(usable: Sequence[StreamSummary], chosen: Features, notes: Notes) -> None:
    """That the plan has no state, and which streams of numbers it could take. A policy then knows frames alone."""
    if chosen.get("observation.state") or any(guess.startswith("observation.state:") for guess in notes.guesses):
        return
    taken = {s.name for streams in chosen.values() for s in streams}
    numbers = [s for s in usable if s.kind == "vector" and not s.static and len(s.shape) == 1 and s.dtype != "bool"]
    offered = [s.name for s in numbers if s.name not in taken]
    more = " ..." if len(offered) > _MOST_OFFERED else ""
    said = f", others are {', '.join(offered[:_MOST_OFFERED])}{more}" if offered else ""
    text = f"no stream looks like what the robot measured{said}"
    notes.guesses.append(f"observation.state: {text}: name one with --state")


def _guessed(recordings: Sequence[RecordingFacts], usable: Sequence[StreamSummary], notes: Notes) -> Features:
    cameras = _cameras(usable, notes)
    of_messages = all(r.format in FORMATS for r in recordings)
    if of_messages:
        action, state = _of_messages(usable, notes)
    else:
        action, state = (in_order(streams, recordings) for streams in _vectors(usable, notes))
        for key, chosen in (("action", action), ("observation.state", state)):
            if len(chosen) > 1:
                order = ", ".join(s.name for s in chosen)
                notes.guesses.append(f"{key}: {counted(len(chosen), 'stream')} side by side, in this order: {order}")
    return {"action": action, "observation.state": state, **{k: [s] for k, s in cameras.items()}}


_STILL = (
    "one static frame: a program that logs a camera with static=True, as LeRobot's display does, keeps only the last "
    f"one; a plan that names it shows it in every row. What to log instead: {page('so101')}"
)


def _cameras(streams: Sequence[StreamSummary], notes: Notes) -> dict[str, StreamSummary]:
    """Feature key -> camera."""
    cameras = []
    for stream in (s for s in streams if s.is_camera):
        if doubt := _depth_doubt(stream):
            notes.guesses.append(f"{stream.name} is left out: {doubt}")
            notes.leave_out([stream], doubt)
        else:
            cameras.append(stream)
    still = [s for s in streams if s.kind == "image" and s.static]
    notes.leave_out(still, _STILL)
    cameras = physical_cameras(cameras, notes)
    found = {f"{IMAGES}{n}": s for n, s in zip(camera_names(list(map(_path_of, cameras))), cameras, strict=True)}
    _note_depth([key for key, stream in found.items() if stream.is_depth], notes)
    return found


def _path_of(camera: StreamSummary) -> str:
    """Its entity; of depth with LeRobot's ending `_depth`, where no word in it says so."""
    plain = camera.is_depth and not DEPTH_WORDS & words(camera.entity)
    return f"{camera.entity}_depth" if plain else camera.entity


def _depth_doubt(stream: StreamSummary) -> str:
    """Why nobody can be sure that a camera is colour, or depth in a known unit; "" where that is sure."""
    named = bool(DEPTH_WORDS & words(stream.name))
    if stream.is_depth:
        if (
            stream.camera
            and stream.camera.width
            and (small := depth_size_problem(stream.camera.width, stream.camera.height))
        ):
            return small
        doubt = dict(stream.remarks).get("depth-unit", "" if named else "no word in its name says so")
        return doubt and f"it may be depth in {stream.unit}, but {doubt}; `observation.images.NAME` stores it as depth"
    deep = stream.camera is not None and stream.camera.pix_fmt.startswith("gray16")
    return "it seems to be depth, which video would cut to 8 bits" if deep or named else ""


def _note_depth(keys: Sequence[str], notes: Notes) -> None:
    if keys:
        drop = " ".join(f"--drop {key}" for key in keys)
        notes.guesses.append(
            f"{', '.join(keys)}: depth, stored in LeRobot's 12 bits; its policies for colour, such as ACT, stop at a "
            f"camera of one channel: for them leave depth out of the plan, or `telecine edit OUT --in-place {drop}`"
        )


def _of_messages(streams: Sequence[StreamSummary], notes: Notes) -> tuple[list[StreamSummary], list[StreamSummary]]:
    plain = [s for s in streams if s.kind == "vector" and not s.static and len(s.shape) == 1]
    chosen = message_vectors(plain, notes)
    _reasons(streams, plain, None, notes)
    return chosen


def _vectors(streams: Sequence[StreamSummary], notes: Notes) -> tuple[list[StreamSummary], list[StreamSummary]]:
    """(action, state): plain vectors by the words in their names."""
    plain = [s for s in streams if s.kind == "vector" and not s.static and len(s.shape) == 1 and s.dtype != "bool"]
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
    _reasons(streams, plain, word, notes)
    return action, state


def _reasons(streams: Sequence[StreamSummary], plain: Sequence[StreamSummary], word: str | None, notes: Notes) -> None:
    """Why numbers and texts are no feature; what is one is asked for nothing."""
    vectors = [s for s in streams if s.kind == "vector"]
    notes.leave_out([s for s in vectors if s.static], "one static value; a plan that names it repeats it in every row")
    notes.leave_out([s for s in vectors if len(s.shape) != 1], "numbers of more than one dimension")
    notes.leave_out([s for s in vectors if s.dtype == "bool"], "truth values; LeRobot's training crashes on them here")
    names = {s.name for s in plain}
    notes.leave_out(
        [s for s in vectors if s.name not in names], "it comes with numbers that are worth more in training"
    )
    commands = [s for s in plain if words(s.name) & frozenset(ACTION_WORDS)]
    notes.leave_out(commands, f"a command, but the streams with {word!r} in their names are the action")
    notes.leave_out(vectors, "no word in its name says that it is state or action")
    notes.leave_out([s for s in streams if s.kind == "text"], "text; only the task is taken from text")
