"""A recording and a plan in, an episode's rows out: which sample and which frame each tick shows.

Reads stamps of all planned streams, then only the samples that rows need; never a frame.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telecine.core.align import MISSING, CameraTimes, Rate, between, choose_phase, hold, measure, nearest
from telecine.core.data.arrow import array, numbers
from telecine.core.data.columns import blended, column_array, column_of, reference_elements, side_by_side
from telecine.core.dataclass import dataclass
from telecine.core.episode import NO_FACTS, Episode, EpisodeFacts, FeatureColumn, Use
from telecine.core.errors import AlignError
from telecine.core.findings import REMARKS, Finding, placed
from telecine.core.grid import SECOND, Grid, Rows, Times
from telecine.core.label import Label
from telecine.core.outcome import facts_of
from telecine.core.plan.bind import Binding, BoundFeature, Source, bind
from telecine.core.plan.episodes import split_advice
from telecine.core.plan.fields import format_duration
from telecine.core.plan.model import Feature, Plan, mapped
from telecine.core.recording import Array, CameraCalibration, Part, Recording, Ref, remarks_of
from telecine.core.resample.labels import labels_at, with_success
from telecine.core.resample.overlap import age_limit, bounds_of, check_length, span, trims
from telecine.core.resample.rates import SAME, repeated_rows, time_findings
from telecine.core.resample.row_sanity import count_problem, repeats_problem
from telecine.core.resample.trim_idle import without_idle
from telecine.core.text.numbers import counted, counted_of, percent_text
from telecine.core.text.pages import page
from telecine.core.video import Clip


@dataclass(frozen=True, eq=False, slots=True)
class CameraRows:
    """Which frame of a camera each row shows."""

    feature: Feature
    source: Source
    rows: Rows
    """(count,) int64, non-decreasing positions in the stream's times."""


@dataclass(frozen=True, eq=False, slots=True)
class Resampled:
    """An episode whose frames are chosen but not yet coded."""

    ref: Ref
    grid: Grid
    rows: pa.Table
    columns: tuple[FeatureColumn, ...]
    cameras: tuple[CameraRows, ...]
    uses: tuple[Use, ...]
    findings: tuple[Finding, ...]
    facts: EpisodeFacts = NO_FACTS
    calibrations: Mapping[str, CameraCalibration] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    label_styles: tuple[str, ...] = ()

    def with_clips(self, clips: tuple[Clip, ...], findings: tuple[Finding, ...] = ()) -> Episode:
        """The finished episode."""
        every = self.findings + findings
        return Episode(
            self.ref, self.grid, self.rows, self.columns, clips, self.uses, every, self.facts,
            calibrations=self.calibrations, labels=self.labels, label_styles=self.label_styles,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class _Reference:
    """A feature that others are relative to. values: (rows, width)."""

    column: FeatureColumn
    values: Array
    uses: tuple[Use, ...]


LONGEST_BRIDGE_NS = SECOND
"""A longer `limit` is never advised: rows would show a sample that tells nothing about their time."""


class Choose(Protocol):
    """What may give the ticks of a camera other frames than its alignment did."""

    def __call__(self, bound: BoundFeature, ticks: Times, rows: Rows, limit_ns: int | None) -> Rows:
        """(m,) rows, non-decreasing, none further from its tick than `limit_ns`, or after it when `rows` are held."""
        ...


def resample(recording: Recording, plan: Plan, choose: Choose | None = None) -> Resampled:
    """Rows of `recording` on the ticks that `plan` asks for. `choose` is asked for each camera.

    Raises: PlanError when the plan does not fit, AlignError when a tick has no usable sample, SourceError.
    """
    binding = bind(plan, recording)
    where = recording.ref.label
    ticks, cuts = ticks_of(binding, plan, where, recording.ref.part)
    last = max(bound.feature.shift for bound in binding.features)
    if ticks.size <= last:
        few = counted(ticks.size, "row is", "rows are")
        raise AlignError(f"{where}: {few} too few for a shift of {last}; leave the recording out")
    later, ticks = ticks, ticks[: ticks.size - last]
    grid = Grid(int(ticks[0]), int(ticks.size), Fraction(plan.fps))
    uses: list[Use] = []
    columns: list[FeatureColumn] = []
    arrays: dict[str, pa.Array] = {}
    cameras: list[CameraRows] = []
    references = _references(binding, ticks, where)
    for bound in binding.features:
        if bound.is_camera:
            rows, used = rows_of(bound, bound.sources[0], ticks, where, choose)
            cameras.append(CameraRows(bound.feature, bound.sources[0], rows))
        else:
            columns.append(column_of(bound))
            shift = bound.feature.shift
            shown = later[shift : shift + ticks.size]
            arrays[bound.feature.key], used = _values(bound, columns[-1], shown, where, references)
        uses += used
    if plan.clock.keep is not None:
        columns.append(FeatureColumn(plan.clock.keep, "float64", (1,)))
        arrays[plan.clock.keep] = numbers((ticks - ticks[0]) / SECOND)
    arrays["timestamp"] = numbers((np.arange(grid.count) / plan.fps).astype(np.float32))
    arrays["task"], about_task = _task(binding.task, ticks, recording)
    labels, about_labels = labels_at(recording, plan, binding, ticks)
    findings = (
        *cuts,
        *about_task,
        *about_labels,
        *_notes(recording, binding),
        *_use_findings(uses, cameras, plan.fps, where),
    )
    known = ((c.feature.key, recording.calibrations.get(c.source.stream.name)) for c in cameras)
    return Resampled(
        recording.ref, grid, pa.table(arrays), tuple(columns), tuple(cameras), tuple(uses), findings,
        with_success(facts_of(recording), labels, grid.count),
        {key: calibration for key, calibration in known if calibration is not None},
        tuple(label for label in labels if label.style != "success"),
        tuple(dict.fromkeys(rule.style for rule in plan.labels if rule.style != "success")),
    )  # fmt: skip


def ticks_of(binding: Binding, plan: Plan, where: str, part: Part | None) -> tuple[Times, list[Finding]]:
    """(n,) ticks, n > 0, and what was cut from the streams to get there."""
    bounds = list(bounds_of(binding, plan.fps, where, part))
    whole = span(bounds, where, plan.fps)
    start, stop = whole
    findings: list[Finding] = []
    if plan.trim is not None:
        (start, stop), idle = without_idle(binding, plan.trim, whole, where)
        findings.append(idle)
    check_length(start, stop, where)
    if binding.follow is not None:
        times = np.unique(binding.follow.times())
        ticks = times[(times >= start) & (times <= stop)]
        _check_rate(measure(ticks), plan, binding.follow.stream.name, where)
    else:
        fps = Fraction(plan.fps)
        cameras = [
            CameraTimes(times[(times >= start) & (times <= stop)], b.feature.how)
            for b in binding.features
            if b.is_camera
            for times in [b.sources[0].times()]
        ]
        phase = plan.clock.phase
        if phase == "auto":
            phase = 0 if _is_of_rows(binding) else choose_phase(cameras, start, fps)
        ticks = Grid.between(start + phase, stop, fps).ticks()
    if not ticks.size:
        raise AlignError(
            f"{where}: the streams overlap for {format_duration(max(stop - start, 0))}, too short for one row at "
            f"{plan.fps} fps; leave out the shortest stream or reject this recording"
        )
    _refuse(count_problem(bounds, ticks, plan.fps) if plan.trim is None else "", where)
    if (start, stop) == whole:
        findings += trims(bounds, (int(ticks[0]), int(ticks[-1])), plan.clock.timeline, plan.fps, where)
    return ticks, findings


def _is_of_rows(binding: Binding) -> bool:
    """Whether the recording is an episode of rows, whose first one is the first again."""
    return any(source.rows is not None for bound in binding.features for source in bound.sources)


def _check_rate(rate: Rate, plan: Plan, name: str, where: str) -> None:
    off = abs(rate.hz / plan.fps - 1)
    if off > plan.clock.tolerance:
        raise AlignError(
            f"{where}: {name} runs at {rate.hz:.3f} Hz, the plan says fps {plan.fps}: {percent_text(off, 1)} apart, "
            f"{percent_text(plan.clock.tolerance, 1)} accepted; set "
            f"fps to {max(round(rate.hz), 1)} or leave out `follow`"
        )


def rows_of(
    bound: BoundFeature, source: Source, ticks: Times, where: str, choose: Choose | None = None
) -> tuple[Rows, tuple[Use, ...]]:
    """(m,) rows of the samples that ticks get, every one usable, and how the stream served; no use when static."""
    times, feature = source.times(), bound.feature
    rate = measure(times)
    if source.stream.static:
        return np.zeros(ticks.size, np.int64), ()
    limit = age_limit(feature, source, rate)
    rows = (hold if feature.how == "hold" else nearest)(times, ticks, limit)
    _check_missing(rows == MISSING, times, ticks, feature, source, where)
    aligned = rows
    if choose is not None:
        rows = choose(bound, ticks, aligned, limit)
    if not bound.is_text:
        _refuse(repeats_problem(feature, source.stream, times, ticks=ticks, rows=rows), where)
    use = _use(feature, source, rate, times, ticks, rows)
    off = np.abs(ticks - times[rows])[rows != aligned]
    return rows, (replace(use, shifted=int(off.size), shifted_ns=int(off.max(initial=0))),)


def _refuse(problem: str, where: str) -> None:
    if problem:
        raise AlignError(f"{where}: {problem}")


def _check_missing(
    missing: npt.NDArray[np.bool_], times: Times, ticks: Times, feature: Feature, source: Source, where: str
) -> None:
    if not missing.any():
        return
    first = int(np.flatnonzero(missing)[0])
    lost = ticks[missing]
    past = np.searchsorted(times, lost, side="right") - 1
    before = lost - times[np.maximum(past, 0)]
    after = times[np.minimum(past + 1, times.size - 1)] - lost
    reach = {"hold": before, "nearest": np.minimum(before, after)}.get(feature.how, np.maximum(before, after))
    need = int(reach.max())
    advice = f"a limit of {format_duration(-(-need // 1_000_000) * 1_000_000)} would accept the gap"
    if need > LONGEST_BRIDGE_NS:
        advice = split_advice(source.stream.name, age_limit(feature, source, measure(times)) or need)
    raise AlignError(
        f"{where}: {feature.key}: {source.stream.name} has no sample within its limit at {int(missing.sum())} of "
        f"{counted(ticks.size, 'row')}, first at {(int(ticks[first]) - int(ticks[0])) / 1e9:.3f} s; {advice}, or "
        "leave the feature out"
    )


def _use(feature: Feature, source: Source, rate: Rate, times: Times, ticks: Times, rows: Rows) -> Use:
    ages = np.abs(ticks - times[rows])
    inside = measure(times[(times >= ticks[0]) & (times <= ticks[-1])])
    return Use(
        key=feature.key,
        stream=source.stream.name,
        samples=inside.samples,
        rate_hz=inside.hz or rate.hz,
        age_median_ns=int(np.median(ages)),
        age_p99_ns=int(np.percentile(ages, 99)),
        age_max_ns=int(ages.max()),
        gaps=inside.gaps,
        duplicates=inside.duplicates,
        dropped=int(rows[-1] - rows[0] + 1 - np.unique(rows).size),
        repeated=int(np.sum(np.diff(rows) == 0)),
    )


def _values(
    bound: BoundFeature, column: FeatureColumn, ticks: Times, where: str, references: Mapping[str, _Reference]
) -> tuple[pa.Array, tuple[Use, ...]]:
    """The values of a column, less those that it is relative to, and how each of its streams served."""
    if bound.is_text:
        source = bound.sources[0]
        stream = source.stream
        assert stream.kind == "text"
        rows, uses = rows_of(bound, source, ticks, where)
        return array(stream.take(rows, source.clock), pa.string()), uses
    feature = bound.feature
    known = references.get(feature.key)  # neither shifted nor relative itself
    values, uses = _numbers(bound, ticks, where) if known is None else (known.values, known.uses)
    if (other := references.get(feature.reference or "")) is not None:
        elements = reference_elements(column, other.column)
        values = values.astype(np.float64) - np.asarray(other.values[:, elements], np.float64)
    return column_array([values], column, ticks, where), uses


def _references(binding: Binding, ticks: Times, where: str) -> dict[str, _Reference]:
    """The features that others are relative to, read once, by key."""
    named = {bound.feature.reference for bound in binding.features}
    wanted = [bound for bound in binding.features if bound.feature.key in named]
    return {b.feature.key: _Reference(column_of(b), *_numbers(b, ticks, where)) for b in wanted}


def _numbers(bound: BoundFeature, ticks: Times, where: str) -> tuple[Array, tuple[Use, ...]]:
    """(m, w) numbers at the ticks, and how each stream served."""
    feature = bound.feature
    parts: list[Array] = []
    all_uses: list[Use] = []
    for source in bound.sources:
        stream = source.stream
        assert stream.kind == "vector"
        if feature.how in ("hold", "nearest") or stream.static:
            rows, uses = rows_of(bound, source, ticks, where)
            values = stream.take(rows, source.clock)
        else:
            values, uses = _blended(source, feature, ticks, where)
        all_uses += uses
        parts.append(values if source.columns is None else values[:, list(source.columns)])
    return side_by_side(parts, bound), tuple(all_uses)


def _blended(source: Source, feature: Feature, ticks: Times, where: str) -> tuple[Array, tuple[Use, ...]]:
    times = source.times()
    rate = measure(times)
    blend = between(times, ticks, age_limit(feature, source, rate))
    _check_missing(blend.before == MISSING, times, ticks, feature, source, where)
    stream = source.stream
    _refuse(repeats_problem(feature, stream, times, ticks=ticks, rows=blend.before), where)
    assert stream.kind == "vector"
    values = blended(
        stream.take(blend.before, source.clock),
        stream.take(blend.after, source.clock),
        blend.weight,
        how="slerp" if feature.how == "slerp" else "linear",
        where=f"{where}: {feature.key}",
    )
    return values, (_use(feature, source, rate, times, ticks, blend.before),)


def _task(task: Source | str, ticks: Times, recording: Recording) -> tuple[pa.Array, tuple[Finding, ...]]:
    """The task of each tick. An empty one is an error, but in a dataset, where LeRobot writes and reads it."""
    if isinstance(task, str):
        return array([task] * ticks.size, pa.string()), ()
    stream, where = task.stream, recording.ref.label
    assert stream.kind == "text"
    texts = list(stream.take(hold(task.times(), ticks, None), task.clock))
    problem = f"{stream.name} holds an empty task text" if any(not t.strip() for t in texts) else ""
    fix = "give the task with --task-text or `task:`"
    if problem and recording.rows is None:
        raise AlignError(f"{where}: {problem}; {fix}")
    found = (Finding("look-task", "warning", where, problem, fix, stream=stream.name),) if problem else ()
    return array(texts, pa.string()), found


def _notes(recording: Recording, binding: Binding) -> Iterator[Finding]:
    where = recording.ref.label
    for code, message in recording.notes:
        yield Finding(code, "warning", where, message)
    tasks = [binding.task] if isinstance(binding.task, Source) else []
    sources = [*(s for b in binding.features for s in b.sources), *tasks]
    for name, remarks in {s.stream.name: remarks_of(s.stream) for s in sources}.items():
        for code, message in remarks:
            yield Finding(code, REMARKS[code], f"{where} {name}", message, stream=name)
    yield from time_findings(recording)
    for bound in binding.features:
        if text := mapped(bound.feature):
            fix = f"map predictions back with `undo`, see {page('plan')}"
            yield Finding("align-mapped", "info", f"{where} {bound.feature.key}", text, fix, key=bound.feature.key)
        for source in bound.sources:
            if bound.sources[0].stream.kind != "video" and (back := source.stream.backwards(source.clock)):
                yield Finding(
                    "align-backwards",
                    "warning",
                    f"{where} {source.stream.name}",
                    f"{counted(back, 'timestamp goes', 'timestamps go')} back in time on {source.clock!r}; now sorted",
                    "check the recorder's clock",
                    key=bound.feature.key,
                    stream=source.stream.name,
                )


def _use_findings(uses: list[Use], cameras: list[CameraRows], fps: int, where: str) -> Iterator[Finding]:
    shown = {camera.feature.key: camera.rows for camera in cameras}
    for use in uses:
        found = _findings_of(use, shown.get(use.key), fps, f"{where} {use.stream}")
        yield from placed(found, key=use.key, stream=use.stream)


def _findings_of(use: Use, shown: Rows | None, fps: int, stream: str) -> Iterator[Finding]:
    """shown: the frames of a camera that rows show; None for other streams."""
    if use.gaps:
        gaps, oldest_ms = counted(use.gaps, "gap"), use.age_max_ns / 1e6
        text = f"{gaps} longer than three periods; the oldest sample used is {oldest_ms:.1f} ms"
        yield Finding("align-gap", "warning", stream, text, "lower `limit` to reject such recordings")
    if use.duplicates:
        text = f"{counted(use.duplicates, 'sample')} with the timestamp of the one before; the last of each counts"
        yield Finding("align-duplicates", "info", stream, text)
    if shown is not None and use.dropped:
        text = f"{use.dropped} of {counted(use.samples, 'frame')} not shown"
        yield Finding("video-frames-dropped", "info", stream, text)
    if shown is not None and use.repeated:
        slow = use.rate_hz * (1 + SAME) < fps
        why = f"the camera runs at {use.rate_hz:.4g} Hz, rows at {fps}" if slow else "frames are missing or late"
        rows = counted_of(use.repeated, shown.size, "row", "repeats", "repeat")
        text = f"{rows} the frame before ({repeated_rows(shown)}): {why}"
        yield Finding("video-frames-repeated", "info", stream, text)
    if use.shifted:
        text = (
            f"{counted(use.shifted, 'row shows', 'rows show')} a frame beside the aligned one, up to "
            f"{use.shifted_ns / 1e6:.1f} ms from the time of the row, so that more can be copied"
        )
        yield Finding("video-frames-shifted", "info", stream, text, "set video slack: 0ms to show none of these")
