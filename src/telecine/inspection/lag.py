"""How much later cameras show what the joints did, and the joints do what the action says: `telecine inspect --lag`.

Each recording, or episode of a dataset, gives up to eight stretches of some seconds; only their frames are decoded, one
at a time, and what is kept of a frame is one number. `core/quality/motion_lag.py` has the estimate, `lag_estimate.py`
what all stretches say together. Where nothing can be said there is a row as well, with the reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from telecine.conversion.video_index import codec_of
from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import PlanError, TelecineError, VideoError
from telecine.core.grid import SECOND, Times
from telecine.core.plan.bind import BoundFeature, Source, bind
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.core.proposal.propose import Proposal
from telecine.core.quality.lag_estimate import Lag, lag_of
from telecine.core.quality.motion_energy import energies, stretches_of
from telecine.core.quality.motion_lag import Paths, StretchLag, camera_lag, follower_lag
from telecine.core.recording import ImageStream, Recording, Ref, VideoStream
from telecine.core.stats import Floats
from telecine.core.streams.from_keyframe import FromKeyframe, from_first_keyframe
from telecine.core.text.numbers import counted
from telecine.core.video import PacketIndex
from telecine.inspection.lag_row import ACTION, STATE, LagRow
from telecine.run.executor import Executor, Lost, Tell, serial, silent
from telecine.sources import registry
from telecine.sources.border import border
from telecine.video.decode import frames
from telecine.video.frames.luma import luma

MOST_EPISODES = 24
"""Recordings or episodes that are looked at, from the first to the last."""
_DEPTH = ("mm", "m")


def measure_lag(refs: Sequence[Ref], proposal: Proposal, *, executor: Executor = serial) -> tuple[LagRow, ...]:
    """A row for each camera of the proposed plan, and one for the action; up to 24 recordings, spread over all.

    Where several recordings are looked at, what they agree on counts, and those that do not are in `odd`.
    """
    plan = _plan_of(proposal)
    if isinstance(plan, str):
        return tuple(LagRow(key, key, STATE, None, None, plan) for key in proposal.body["features"] if _is_asked(key))
    rows = {row.key: row for row in _asked(plan)}
    said: dict[str, dict[str, list[StretchLag]]] = {key: {} for key in rows}
    grain_ns = 0
    for answer in executor(_measured, [_Task(ref, plan) for ref in spread(refs)], silent):
        if isinstance(answer, Lost):
            for own in said.values():
                own[answer.item.label] = [_unknown(answer.why)]
            continue
        grain_ns = max(grain_ns, answer.grain_ns)
        for row, stretches in answer.rows:
            rows[row.key] = row
            said[row.key][answer.label] = stretches
    return tuple(_row(rows[key], lag_of(said[key], grain_ns=grain_ns)) for key in rows)


def spread(refs: Sequence[Ref]) -> tuple[Ref, ...]:
    """At most as many as are looked at, from the first to the last."""
    numbers = np.unique(np.linspace(0, len(refs) - 1, min(len(refs), MOST_EPISODES)).round().astype(int)).tolist()
    return tuple(refs[number] for number in numbers)


def _is_asked(key: str) -> bool:
    return key == ACTION or key.startswith(IMAGES)


def _plan_of(proposal: Proposal) -> Plan | str:
    """The proposed plan, with any task where only that is missing; or why there is none."""
    if proposal.plan is not None:
        return proposal.plan
    try:
        return make_plan({"task": "any, which no lag depends on", **proposal.body})
    except PlanError as error:
        return "; ".join(proposal.missing) or str(error)


@dataclass(frozen=True, slots=True)
class _Task:
    ref: Ref
    plan: Plan

    @property
    def label(self) -> str:
        """What a progress display says."""
        return self.ref.label


@dataclass(frozen=True, eq=False, slots=True)
class RecordingLag:
    """Of one recording. rows: each stream's names, and what its stretches say. grain_ns: the period of rows, or 0."""

    label: str
    rows: list[tuple[LagRow, list[StretchLag]]]
    grain_ns: int


def _measured(task: _Task, tell: Tell) -> RecordingLag:
    """Runs where the executor works; a recording that cannot be read says so for each stream."""
    del tell
    try:
        with border(task.ref.label), registry.open(task.ref) as recording:
            return lag_in_recording(recording, task.plan)
    except TelecineError as error:
        return RecordingLag(task.ref.label, [(row, [_unknown(str(error))]) for row in _asked(task.plan)], 0)


def lag_in_recording(recording: Recording, plan: Plan) -> RecordingLag:
    """What the stretches of one recording say of each camera and of the action. Raises: PlanError, SourceError."""
    bound = {b.feature.key: b for b in bind(plan, recording).features}
    rows = _asked(plan)
    against = rows[0].against if rows else ACTION
    joints = _paths(bound[against]) if against in bound else "there are no positions to compare with"
    grain_ns = 0 if recording.rows is None else round(SECOND / recording.rows.fps)
    made = []
    for row in rows:
        try:
            named = replace(row, stream=bound[row.key].sources[0].stream.name)
            made.append((named, list(_stretches(bound[row.key], joints, row.key))))
        except TelecineError as error:
            made.append((row, [_unknown(str(error))]))
    return RecordingLag(recording.ref.label, made, grain_ns)


def _asked(plan: Plan) -> list[LagRow]:
    """A row for each camera, and for the action where it is not what cameras are compared with, still without a lag."""
    streams = {f.key: f.sources[0].stream for f in plan.features}
    against = STATE if STATE in streams else ACTION
    return [
        LagRow(name, key, against, None, None, "") for key, name in streams.items() if _is_asked(key) and key != against
    ]


def _unknown(why: str) -> StretchLag:
    return StretchLag(None, 0.0, 0.0, 0, why)


def _row(row: LagRow, lag: Lag) -> LagRow:
    return replace(
        row, ms=lag.ms, interval_ms=lag.interval_ms, why=lag.why, episodes=lag.episodes, drifts=lag.drifts, odd=lag.odd
    )


def _paths(bound: BoundFeature) -> Paths | str:
    """The positions of a feature, those of further streams at the moments of the first; or why there are none."""
    moving = [source for source in bound.sources if not source.stream.static and source.stream.kind == "vector"]
    if not moving:
        return f"{bound.feature.key} does not change with time"
    first, *others = (_path(source) for source in moving)
    if not len(first.times) or any(not len(path.times) for path in others):
        return f"{bound.feature.key} has no samples"
    at = first.times
    columns = [first.values, *(np.stack([np.interp(at, p.times, c) for c in p.values.T], axis=1) for p in others)]
    return Paths(at, np.concatenate(columns, axis=1))


def _path(source: Source) -> Paths:
    """The samples that are numbers, one for each moment."""
    assert source.stream.kind == "vector"
    times = source.times()
    taken = source.stream.take(np.arange(times.size, dtype=np.int64), source.clock)
    values: Floats = np.asarray(taken, np.float64).reshape(times.size, int(np.prod(source.stream.schema.shape)))
    if source.columns is not None:
        values = values[:, list(source.columns)]
    good = np.isfinite(values).all(axis=1) & np.append(np.diff(times) > 0, np.ones(min(times.size, 1), np.bool_))
    return Paths(times[good], values[good])


def _stretches(bound: BoundFeature, joints: Paths | str, key: str) -> Iterator[StretchLag]:
    """What each stretch of a recording says of one feature. Raises: SourceError, VideoError."""
    if isinstance(joints, str):
        yield _unknown(joints)
    elif key == ACTION:
        yield from _follower(joints, _paths(bound))
    else:
        yield from _camera(bound.sources[0], joints)


def _follower(state: Paths, action: Paths | str) -> Iterator[StretchLag]:
    """How the state follows the action."""
    if isinstance(action, str):
        yield _unknown(action)
    elif action.values.shape[1] != state.values.shape[1]:
        counts = f"{counted(action.values.shape[1], 'element')}, {STATE} has {state.values.shape[1]}"
        yield _unknown(f"the action has {counts}: they are not the same joints")
    else:
        for first, last in stretches_of(*_both(state.times, action.times), state):
            yield follower_lag(_within(state, first, last), _within(action, first, last))


def _both(a: Times, b: Times) -> tuple[int, int]:
    """[start, stop] ns that both cover, empty where they do not meet."""
    start, stop = max(int(a[0]), int(b[0])), min(int(a[-1]), int(b[-1]))
    return start, max(start, stop)


def _within(path: Paths, first: int, last: int) -> Paths:
    part = slice(*np.searchsorted(path.times, [first, last + 1]).tolist())
    return Paths(path.times[part], path.values[part])


def _camera(source: Source, joints: Paths) -> Iterator[StretchLag]:
    """How a camera follows the joints, from the frames of the stretches alone."""
    stream = source.stream
    assert stream.kind in ("image", "video")
    if stream.schema.unit in _DEPTH or stream.schema.depth is not None:
        yield _unknown("frames of depth are not compared")
        return
    index: PacketIndex | None = None
    if stream.kind == "video":
        packets = stream.packets(source.clock)
        undecodable, index = from_first_keyframe(index_packets(packets, codec_of(stream, stream.name)))
        stream = FromKeyframe(stream, undecodable) if undecodable.size else stream
    times = replace(source, stream=stream).times()
    if times.size < 2:
        yield _unknown(f"the camera has {counted(times.size, 'frame')}, two are the least")
        return
    for first, last in stretches_of(*_both(times, joints.times), joints):
        start, stop = np.searchsorted(times, [first, last + 1]).tolist()
        yield _stretch(stream, source.clock, np.arange(start, stop), times[start:stop], joints, index)


def _stretch(
    stream: ImageStream | VideoStream, clock: str, rows: Times, times: Times, joints: Paths, index: PacketIndex | None
) -> StretchLag:
    """What the frames at `rows`, taken at `times`, say."""
    if rows.size < 2:
        return _unknown(f"the camera has {counted(rows.size, 'frame')} while the joints are known, two are the least")
    try:
        seen = energies(times, (luma(frame) for frame in frames(stream, rows, clock, index=index)))
    except ValueError as error:
        raise VideoError(f"{stream.name}: {error}") from error
    return camera_lag(seen, joints)
