"""Does a plan fit a recording? Answers with the streams it means, or with every problem at once."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.errors import PlanError
from telecine.core.grid import SECOND, Grid, Times
from telecine.core.plan.labels import LabelRule
from telecine.core.plan.model import IMAGES, Feature, Plan, Take
from telecine.core.plan.operators import ElementMap, joined_map
from telecine.core.recording import Recording, Stream
from telecine.core.text.documents import suggest
from telecine.core.text.numbers import counted
from telecine.core.text.visible import visible

MOST_NS = 1 << 62
"""Stamps stay below it, 146 years from 0, so that sums and differences of them fit 64 bits."""


@dataclass(frozen=True, slots=True)
class Source:
    """One stream on one clock, with stamps in ns whatever the clock counts."""

    stream: Stream
    clock: str
    offset_ns: int = 0
    rate: Fraction | None = None
    """Counts per second of a sequence clock."""
    columns: tuple[int, ...] | None = None
    """Elements to take, or None for all."""
    rows: Grid | None = None
    """The rows that the recording consists of (see `Recording.rows`), in ns on this clock."""

    def times(self) -> Times:
        """(n,) int64 ns, non-decreasing; [STATIC_NS] for a static stream."""
        times = self.stream.times(self.clock)
        if self.stream.static:
            return times
        if self.rate is not None:
            times = self._in_ns(times, self.rate)
        return np.asarray(times + self.offset_ns, np.int64)

    def _in_ns(self, counts: Times, rate: Fraction) -> Times:
        """Rounded half up; whole periods first, so that ns since 1970 fit. Raises: PlanError for what is no date."""
        ns = SECOND / rate
        whole, rest = np.divmod(counts, ns.denominator)
        if counts.size and int(np.abs(whole).max()) * ns.numerator >= MOST_NS:
            most = int(np.abs(counts).max())
            raise PlanError(
                f"{self.stream.name}: {self.clock!r} counts to {most}, which at {rate} a second is no date; "
                "nanoseconds that were logged as a sequence have --rate 1000000000"
            )
        exact = rest if 2 * ns.numerator * ns.denominator < 1 << 63 else rest.astype(object)
        part = (2 * exact * ns.numerator + ns.denominator) // (2 * ns.denominator)
        return np.asarray(whole * ns.numerator + part, np.int64)


@dataclass(frozen=True, slots=True)
class BoundFeature:
    """A feature with the streams it means in one recording."""

    feature: Feature
    sources: tuple[Source, ...]

    @property
    def element_map(self) -> ElementMap | None:
        """What the plan does to the values; None where it leaves them as they are."""
        feature = self.feature
        if not feature.changes_values and not any(take.changes_values for take in feature.sources):
            return None
        return joined_map(feature.sources, feature, [_width(source) for source in self.sources])

    @property
    def is_camera(self) -> bool:
        """Frames, stored as video or images."""
        return self.sources[0].stream.kind in ("image", "video")

    @property
    def is_text(self) -> bool:
        """Strings."""
        return self.sources[0].stream.kind == "text"


@dataclass(frozen=True, slots=True)
class Binding:
    """A plan bound to one recording."""

    features: tuple[BoundFeature, ...]
    task: Source | str
    follow: Source | None
    marker: Source | None = None
    """The stream that separates episodes: `split.marker`, or whose gaps do."""
    motion: tuple[Source, ...] = ()
    """The streams whose motion `trim` measures, where the plan names them."""
    labels: tuple[tuple[LabelRule, Source], ...] = ()
    """The text streams that labels come from."""


def bind(plan: Plan, recording: Recording) -> Binding:
    """The streams that `plan` means in `recording`. Reads schemas and clocks, no samples.

    Raises: PlanError naming every problem with its path.
    """
    problems: list[str] = []
    features = [b for f in plan.features if (b := _feature(f, plan, recording, problems)) is not None]
    task = _task(plan, recording, problems)
    follow = None
    if plan.clock.follow is not None:
        follow = _source(Take(stream=plan.clock.follow), plan, recording, "clock.follow", problems)
        if follow is not None and follow.stream.static:
            problems.append(f"clock.follow: {follow.stream.name} is static; it has no timestamps to follow")
    marker = _marker(plan, recording, problems)
    motion = _motion(plan, recording, problems)
    labels = _labels(plan, recording, problems)
    if problems:
        raise PlanError(
            f"the plan does not fit {visible(recording.ref.label)}, {counted(len(problems), 'problem')}:\n  "
            + "\n  ".join(map(visible, problems))  # names in recordings begin no line of their own
        )
    assert task is not None
    return Binding(tuple(features), task, follow, marker, motion, labels)


def find_stream(name: str, streams: Mapping[str, Stream]) -> Stream | str:
    """The stream of that name or, when only one stream lies there, at that entity path; else what is wrong."""
    if name in streams:
        return streams[name]
    inside = sorted(s for s in streams if s.startswith(f"{name}:"))
    if len(inside) == 1:
        return streams[inside[0]]
    if inside:
        return f"{name!r} holds {counted(len(inside), 'stream')}; name one of {', '.join(inside)}"
    listed = f"; the recording has {', '.join(sorted(streams)) or 'no streams'}" if len(streams) <= 12 else ""
    return f"no stream {name!r}" + (suggest(name, [*streams, *{s.partition(":")[0] for s in streams}]) or listed)


def _source(take: Take, plan: Plan, recording: Recording, where: str, problems: list[str]) -> Source | None:
    stream = find_stream(take.stream, recording.streams)
    if isinstance(stream, str):
        reason = next(
            (
                f"{i.stream} cannot be used: {i.why}"
                for i in recording.left_out
                if take.stream in (i.stream, i.stream.partition(":")[0])
            ),
            "",
        )
        problems.append(f"{where}: {reason or stream}")
        return None
    clock = take.timeline or plan.clock.timeline
    if stream.static:
        return Source(stream, clock, columns=_columns(take, stream, where, problems))
    kind = stream.clocks.get(clock)
    if kind is None:
        has = ", ".join(stream.clocks)
        hint = suggest(clock, stream.clocks) or f"; it has {has}"
        problems.append(f"{where}: {stream.name} has no timestamps on timeline {clock!r}{hint}")
        return None
    rate = Fraction(plan.clock.rate) if plan.clock.rate is not None and kind == "sequence" else None
    if kind == "sequence" and rate is None:
        problems.append(
            f"{where}: timeline {clock!r} counts steps, not time; say how many a second with `clock.rate` (--rate)"
        )
        return None
    rows = recording.rows
    if rows is not None:
        rows = Grid(rows.start_ns if rate is None else 0, rows.count, rows.fps if rate is None else rate)
        rows = replace(rows, start_ns=rows.start_ns + take.offset)
    return Source(stream, clock, take.offset, rate, _columns(take, stream, where, problems), rows)


def _columns(take: Take, stream: Stream, where: str, problems: list[str]) -> tuple[int, ...] | None:
    if take.fields is None:
        return None
    if stream.kind != "vector" or len(stream.schema.shape) != 1:
        problems.append(f"{where}.fields: {stream.name} is not a plain vector; leave `fields` out")
        return None
    width, names = stream.schema.shape[0], stream.schema.names or ()
    columns: list[int] = []
    for item in take.fields:
        if isinstance(item, int) and 0 <= item < width:
            columns.append(item)
        elif isinstance(item, str) and item in names:
            columns.append(names.index(item))
        else:
            known = f"names {list(names)}" if names else "no names"
            hint = suggest(str(item), names) if isinstance(item, str) else ""
            problems.append(f"{where}.fields: {item!r} is not in {stream.name} (width {width}, {known}){hint}")
    return tuple(columns)


def _feature(feature: Feature, plan: Plan, recording: Recording, problems: list[str]) -> BoundFeature | None:
    before = len(problems)
    where = f"features.{feature.key}"
    sources = [s for t in feature.sources if (s := _source(t, plan, recording, f"{where}.from", problems)) is not None]
    if len(sources) != len(feature.sources):
        return None
    problems += _kind_problems(feature, sources, where)
    return BoundFeature(feature, tuple(sources)) if len(problems) == before else None


def _kind_problems(feature: Feature, sources: list[Source], where: str) -> Iterator[str]:
    kinds = {s.stream.kind for s in sources}
    if len(sources) > 1 and kinds != {"vector"}:
        yield f"{where}.from: only vectors can be concatenated, got {', '.join(sorted(kinds))}"
    if len(sources) > 1 and any(len(s.stream.schema.shape) != 1 for s in sources):
        yield f"{where}.from: only one-dimensional vectors can be concatenated"
    if feature.how in ("linear", "slerp") and kinds != {"vector"}:
        yield f"{where}.how: {feature.how} needs numbers, {sources[0].stream.name} is {sources[0].stream.kind}"
    if feature.how == "slerp" and any(_width(s) != 4 for s in sources):
        yield f"{where}.how: slerp blends quaternions, 4 numbers a stream; got {[_width(s) for s in sources]}"
    yield from _operator_problems(feature, sources, where)
    if kinds & {"image", "video"}:
        if not feature.key.startswith(IMAGES):
            yield f"{where}: cameras are named {IMAGES}NAME in LeRobot; rename the feature"
        if any(s.stream.static and s.stream.kind == "video" for s in sources):
            yield f"{where}.from: {sources[0].stream.name} is one static packet of video, not a camera"
        if feature.dtype is not None or feature.names is not None:
            yield f"{where}: `dtype` and `names` have no meaning for a camera; remove them"
    elif feature.key.startswith(IMAGES):
        yield f"{where}.from: {sources[0].stream.name} is a {sources[0].stream.kind} stream, not a camera"
    elif feature.video is not None:
        yield f"{where}.video: {sources[0].stream.name} is a {sources[0].stream.kind} stream, not a camera"
    if kinds == {"text"} and feature.dtype not in (None, "string"):
        yield f"{where}.dtype: text is stored as string, not {feature.dtype}"
    if "vector" in kinds and feature.dtype == "string":
        yield f"{where}.dtype: numbers are not stored as string; choose a number type"
    if kinds == {"text"} and feature.key.startswith(("observation", "action")):
        yield f"{where}: text under observation* or action* crashes LeRobot's training; use another key"
    width = sum(map(_width, sources)) if kinds == {"vector"} else None
    if width and feature.names is not None and width != len(feature.names):
        yield f"{where}.names: {counted(len(feature.names), 'name')} for {counted(width, 'number')}"
    if feature.width is not None and width != feature.width:
        numbers = counted(width, "number") if width else "no numbers"
        yield f"{where}.width: {sources[0].stream.name} gives {numbers}, the dataset has {feature.width}"


def _operator_problems(feature: Feature, sources: list[Source], where: str) -> Iterator[str]:
    used = feature.reference or feature.changes_values or any(take.changes_values for take in feature.sources)
    if not used:
        return
    if any(s.stream.kind != "vector" or len(s.stream.schema.shape) > 1 for s in sources):
        yield f"{where}: operators on values need plain vectors, {sources[0].stream.name} is none"
        return
    try:
        joined_map(feature.sources, feature, [_width(s) for s in sources])
    except ValueError as error:
        yield f"{where}.{error}"


def _width(source: Source) -> int:
    if source.columns is not None:
        return len(source.columns)
    shape = source.stream.schema.shape
    return shape[-1] if shape else 1


def _task(plan: Plan, recording: Recording, problems: list[str]) -> Source | str | None:
    task, part = plan.task, recording.ref.part
    if part is not None and part.task is not None:
        return part.task
    if task.constant is not None:
        return task.constant
    if task.recordings is not None:
        texts = dict(task.recordings)
        keys = recording.ref.names
        found = [texts[k] for k in keys if k in texts]
        if not found:
            problems.append(
                f"task.recordings: no text for {recording.ref.label}{suggest(keys[-1], texts)}; "
                f"looked for {', '.join(map(repr, keys))}"
            )
            return None
        return found[0]
    assert task.stream is not None
    source = _source(Take(stream=task.stream), plan, recording, "task.from", problems)
    if source is not None and source.stream.kind != "text":
        problems.append(f"task.from: {source.stream.name} is a {source.stream.kind} stream, not text")
        return None
    return source


def _marker(plan: Plan, recording: Recording, problems: list[str]) -> Source | None:
    """The stream that `split` asks; what it holds must be comparable."""
    if plan.split is None:
        return None
    name, where = plan.split.marker or plan.split.stream, "split.marker" if plan.split.marker else "split.stream"
    source = None if name is None else _source(Take(stream=name), plan, recording, where, problems)
    if source is None:
        return None
    if source.stream.static:
        problems.append(f"{where}: {name} is one static value; it cannot separate episodes")
    if plan.split.marker is not None and source.stream.kind not in ("text", "vector"):
        problems.append(f"split.marker: {name} is a {source.stream.kind} stream; markers are numbers or text")
    if source.stream.kind == "text" and plan.split.needs_numbers:
        problems.append(f"split.edges: {name} is text, which is not high or low; give `start`, or `edges: change`")
    return source


def _motion(plan: Plan, recording: Recording, problems: list[str]) -> tuple[Source, ...]:
    """The streams whose motion `trim` measures: those it names, else the action and the observations."""
    if plan.trim is None:
        return ()
    found = [_source(take, plan, recording, "trim.by", problems) for take in _watched(plan)]
    odd = [s.stream.name for s in found if s is not None and (s.stream.kind != "vector" or s.stream.static)]
    if odd and plan.trim.by:
        problems.append(f"trim.by: no numbers that move in {', '.join(odd)}")
    moving = tuple(s for s in found if s is not None and s.stream.kind == "vector" and not s.stream.static)
    if not moving and not problems:
        problems.append("trim: no planned action or observation holds numbers; name the streams in `by`")
    return moving


def _labels(plan: Plan, recording: Recording, problems: list[str]) -> tuple[tuple[LabelRule, Source], ...]:
    """The rules that name a stream, with the streams they mean."""
    found = []
    for number, rule in enumerate(plan.labels):
        if rule.stream is None:
            continue
        take = Take(stream=rule.stream, timeline=rule.timeline).model_copy(update={"offset": rule.offset})
        source = _source(take, plan, recording, f"labels.{number}.from", problems)
        if source is not None and source.stream.kind != "text":
            problems.append(f"labels.{number}.from: {source.stream.name} is a {source.stream.kind} stream, not text")
        elif source is not None:
            found.append((rule, source))
    return tuple(found)


def _watched(plan: Plan) -> tuple[Take, ...]:
    assert plan.trim is not None
    if plan.trim.by:
        return tuple(Take(stream=name) for name in plan.trim.by)
    return tuple(t for f in plan.features if f.key.startswith(("action", "observation")) for t in f.sources)
