"""Where one long recording is cut into episodes: by pauses, by a marker, or by hand. Stamps in, parts out.

Reads stamps of planned streams and the values of the marker; no other sample.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.errors import AlignError
from telecine.core.grid import Times
from telecine.core.plan.bind import Binding, Source, bind
from telecine.core.plan.episodes import ABSOLUTE_NS, EpisodeSpan, Split
from telecine.core.plan.model import Plan
from telecine.core.recording import Part, Recording, Ref

Spans = list[tuple[int, int]]
"""[start_ns, stop_ns], both inside, in order of start."""


@dataclass(frozen=True, slots=True)
class EpisodeSplit:
    """The episodes of one recording, and those that are too short to be kept."""

    parts: tuple[Part, ...]
    short: tuple[Part, ...]


def split(recording: Recording, plan: Plan) -> EpisodeSplit:
    """The parts that `plan.split` makes of `recording`, numbered in order of time, short ones included.

    Raises: PlanError when the plan does not fit; AlignError when there is no part at all; SourceError.
    """
    assert plan.split is not None
    binding = bind(plan, recording)
    parts = [
        Part(number, start, stop, task, success)
        for number, (start, stop, task, success) in enumerate(_spans(plan.split, binding, recording.ref))
    ]
    if not parts:
        raise AlignError(f"{recording.ref.label}: {_why_none(plan.split, recording.ref)}")
    kept = tuple(p for p in parts if p.stop_ns - p.start_ns >= plan.split.shortest)
    return EpisodeSplit(kept, tuple(p for p in parts if p not in kept))


def _spans(rule: Split, binding: Binding, ref: Ref) -> Iterator[tuple[int, int, str | None, bool | None]]:
    if rule.spans is not None:
        origin, _ = ends(binding)
        yield from sorted(
            (_moment(s.start, origin), _moment(s.stop, origin), s.task, s.success) for s in spans_of(rule.spans, ref)
        )
        return
    if rule.gaps is not None:
        times = _stamps(binding) if binding.marker is None else binding.marker.times()
        spans = at_gaps(times, rule.gaps)
    else:
        assert binding.marker is not None
        spans = _marked(rule, binding.marker, ends(binding)[1])
    yield from ((start, stop, None, None) for start, stop in spans)


def spans_of(spans: Sequence[EpisodeSpan], ref: Ref) -> list[EpisodeSpan]:
    """The spans that mean this recording."""
    return [span for span in spans if span.recording is None or span.recording in ref.names]


def _moment(ns: int, origin: int) -> int:
    return ns if ns >= ABSOLUTE_NS else origin + ns


def _stamps(binding: Binding) -> Times:
    """Every stamp of the planned streams that run: text comes when it changes, so its silence is no pause."""
    sources = [s for b in binding.features for s in b.sources if not s.stream.static]
    running = [s for s in sources if s.stream.kind != "text"] or sources
    every: Times = np.unique(np.concatenate([np.zeros(0, np.int64), *(s.times() for s in running)]))
    return every


def ends(binding: Binding) -> tuple[int, int]:
    """The first and the last stamp of the planned streams."""
    times = _stamps(binding)
    return (int(times[0]), int(times[-1])) if times.size else (0, 0)


def _marked(rule: Split, marker: Source, end_ns: int) -> Spans:
    times = marker.times()
    values = _marker_values(marker, times.size)
    if rule.start is not None:
        return between_values(times, [_same(v, rule.start) for v in values], _stops(values, rule.stop), end_ns)
    if rule.edges == "change":
        return at_changes(times, values, end_ns)
    return while_high(times, np.array([float(v) != 0 for v in values], bool), end_ns)


def _marker_values(marker: Source, count: int) -> list[Any]:
    """One text or number per sample; of a vector its first planned element."""
    stream = marker.stream
    rows = np.arange(count)
    if stream.kind == "text":
        return list(stream.take(rows, marker.clock))
    assert stream.kind == "vector"
    return list(stream.take(rows, marker.clock).reshape(count, -1)[:, 0].tolist())


def _same(value: Any, wanted: str) -> bool:
    """Texts are compared as they are, numbers as numbers."""
    if isinstance(value, str):
        return value.strip() == wanted.strip()
    try:
        return float(value) == float(wanted)
    except ValueError:
        return False


def _stops(values: Iterable[Any], stop: str | None) -> list[bool]:
    return [stop is not None and _same(v, stop) for v in values]


def at_gaps(times: Times, gap_ns: int) -> Spans:
    """Runs of stamps no more than `gap_ns` apart. times: (n,) int64 ns, non-decreasing."""
    if not times.size:
        return []
    breaks = np.flatnonzero(np.diff(times) > gap_ns)
    starts = times[np.concatenate([[0], breaks + 1])]
    stops = times[np.concatenate([breaks, [times.size - 1]])]
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def while_high(times: Times, high: npt.NDArray[np.bool_], end_ns: int) -> Spans:
    """From each sample that goes high to just before the one that goes low, or to `end_ns`."""
    spans: Spans = []
    start: int | None = None
    for time, is_high in zip(times.tolist(), high.tolist(), strict=True):
        if is_high and start is None:
            start = time
        elif not is_high and start is not None:
            spans.append((start, time - 1))
            start = None
    return _whole(spans if start is None else [*spans, (start, end_ns)])


def at_changes(times: Times, values: Sequence[Any], end_ns: int) -> Spans:
    """From each sample that differs from the one before to just before the next such."""
    first = [i for i, value in enumerate(values) if i == 0 or value != values[i - 1]]
    starts = [int(times[i]) for i in first]
    stops = [*(start - 1 for start in starts[1:]), end_ns]
    return _whole(zip(starts, stops, strict=True)) if starts else []


def between_values(times: Times, starts: Sequence[bool], stops: Sequence[bool], end_ns: int) -> Spans:
    """From each start to just before the next stop or start, or to `end_ns`."""
    spans: Spans = []
    begun: int | None = None
    for time, is_start, is_stop in zip(times.tolist(), starts, stops, strict=True):
        if begun is not None and (is_start or is_stop):
            spans.append((begun, time - 1))
            begun = None
        if is_start:
            begun = time
    return _whole(spans if begun is None else [*spans, (begun, end_ns)])


def _whole(spans: Iterable[tuple[int, int]]) -> Spans:
    """Without those that hold nothing: two markers with one stamp, or a marker after all samples."""
    return [(start, stop) for start, stop in spans if stop >= start]


def _why_none(rule: Split, ref: Ref) -> str:
    if rule.spans is not None:
        return f"no span is given for it; looked for {', '.join(map(repr, ref.names))} in `recording`"
    if rule.marker is None:
        return "no planned stream has timestamps, so there are no pauses to split at"
    wanted = f"the value {rule.start!r}" if rule.start is not None else "a value that starts an episode"
    return f"the marker {rule.marker} never holds {wanted}"
