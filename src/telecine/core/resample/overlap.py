"""The span of a recording in which every planned stream can answer, and what is cut to get there."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from telecine.core.align import STALL_WITHIN_NS, Rate, is_steady, keeps_pace, measure
from telecine.core.dataclass import dataclass
from telecine.core.errors import AlignError
from telecine.core.findings import Finding, FindingSpan
from telecine.core.grid import SECOND, Grid, Times, grid_of
from telecine.core.plan.bind import Binding, Source
from telecine.core.plan.model import Feature
from telecine.core.recording import Part


@dataclass(frozen=True, slots=True)
class Bounds:
    """From when to when a stream can answer: [start_ns, stop_ns], None where it sets no end."""

    name: str
    start_ns: int
    stop_ns: int | None
    must: bool
    """The plan says `missing: error`."""
    last_ns: int
    """Where it ends all the same: at its last sample where it sets no end."""
    steady: bool = False


def bounds_of(binding: Binding, fps: int, where: str, part: Part | None = None) -> Iterator[Bounds]:
    """The bounds of every planned stream that has stamps, within `part` of the recording when given.

    Raises: AlignError when a stream holds nothing there.
    """
    stamped = [(b.feature, s) for b in binding.features for s in b.sources if not s.stream.static]
    last = max((int(_some(source, where)[-1]) for _, source in stamped), default=0)
    for feature, source in stamped:
        yield _feature_bounds(feature, source, fps, last, where, part)
    if isinstance(binding.task, Source) and not binding.task.stream.static:
        times = _some(binding.task, where)
        start = int(times[0]) if part is None else max(int(times[0]), part.start_ns)
        yield Bounds(binding.task.stream.name, start, None if part is None else part.stop_ns, False, start)


def _feature_bounds(feature: Feature, source: Source, fps: int, last: int, where: str, part: Part | None) -> Bounds:
    """A sample stands until the next one would have come, so `hold` reaches one period past the last sample.

    For a stream that runs at `fps` that is exactly one tick: jitter must not make a row more. On a grid it is known to
    the nanosecond. When the one after a single sample would have come, nobody knows: it stands within its limit, as
    long as others go on (until `last`).
    """
    times = _some(source, where)
    name, must = source.stream.name, feature.missing == "error"
    rate = measure(times)
    limit = age_limit(feature, source, rate)
    period = SECOND // fps if keeps_pace(times, Fraction(fps)) else rate.period_ns
    if times.size == 1 and limit is not None:
        period = min(limit, last - int(times[0])) + 1
    grid = grid_of(times)
    if grid is not None:
        period = grid.stop_ns - grid.tolerance_ns - int(times[-1])
    reach = {"hold": max(period - 1, 0), "nearest": period // 2}.get(feature.how, 0)
    start, last_sample = int(times[0]), int(times[-1])
    steady = source.stream.kind != "text" and is_steady(rate, last_sample - start)
    if source.rows is not None and part is None:
        start, stop = _row_bounds(source.rows, times, feature, limit)
        return Bounds(name, start, stop, must, stop, steady)
    if part is not None:
        return _within(part, times, Bounds(name, 0, 0, must, 0, steady), limit, reach, where)
    if limit is None or source.stream.kind == "text":
        return Bounds(name, start, None, must, last_sample, steady)
    stop = last_sample + min(reach, limit)
    return Bounds(name, start if must else _after_stall(times, limit), stop, must, stop, steady)


def age_limit(feature: Feature, source: Source, rate: Rate) -> int | None:
    """How old a sample may be, in ns; None: any age, as `auto` means for texts."""
    if feature.limit != "auto":
        return feature.limit
    return None if source.stream.kind == "text" else rate.auto_limit_ns


def _after_stall(times: Times, limit: int) -> int:
    """When the stream runs without pause: a stall right after the first samples costs the start, not the episode."""
    stalls = np.flatnonzero((np.diff(times) > limit) & (times[:-1] - times[0] <= STALL_WITHIN_NS))
    resumed = int(stalls[-1]) + 1 if stalls.size else 0
    return int(times[resumed if 2 * resumed < times.size else 0])


def _row_bounds(rows: Grid, times: Times, feature: Feature, limit: int | None) -> tuple[int, int]:
    """From the first row to just before the one that would follow the last, as far as its sample may be used."""
    last = int(times[times < rows.stop_ns][-1])
    reach = rows.stop_ns - 1 - last if feature.how in ("hold", "nearest") else 0
    return max(int(times[0]), rows.start_ns), last + (reach if limit is None else min(reach, limit))


def _within(part: Part, times: Times, bare: Bounds, limit: int | None, reach: int, where: str) -> Bounds:
    """The bounds inside a part: a sample from just before it counts, one from behind a gap does not."""
    first = int(np.searchsorted(times, part.start_ns, side="right"))
    after = int(np.searchsorted(times, part.stop_ns, side="right"))
    held = first > 0 and (limit is None or part.start_ns - int(times[first - 1]) <= limit)
    if not held and first == after:
        raise AlignError(
            f"{where}: {bare.name} has no samples in this part, {(part.stop_ns - part.start_ns) / 1e9:.3f} s long; "
            "leave the feature out, or mark other spans"
        )
    start = part.start_ns if held else int(times[first])
    last = int(times[after - 1])
    goes_on = after < times.size and (limit is None or part.stop_ns - last <= limit)
    stop = part.stop_ns if limit is None or goes_on else min(last + min(reach, limit), part.stop_ns)
    stop = max(stop, start)
    return Bounds(bare.name, start, stop, bare.must, stop, bare.steady)


def _some(source: Source, where: str) -> Times:
    times = source.times()
    if not times.size:
        raise AlignError(f"{where}: {source.stream.name} has no samples on {source.clock!r}; leave the feature out")
    return times


LONGEST_NS = 24 * 3600 * SECOND
"""An episode this long is one wrong stamp rather than a demonstration, and its rows would fill the memory."""


def check_length(start_ns: int, stop_ns: int, where: str) -> None:
    """Nothing, when an episode can be as long as that. Raises: AlignError."""
    if stop_ns - start_ns > LONGEST_NS:
        days = (stop_ns - start_ns) / (24 * 3600 * SECOND)
        raise AlignError(
            f"{where}: the streams span {days:.1f} days, more than an episode has: a timestamp must be far from the "
            "others; take another timeline, repair the recording, or cut it with `split`"
        )


def span(bounds: list[Bounds], where: str, fps: int) -> tuple[int, int]:
    """The span [start, stop] in which every stream can answer."""
    if not bounds:
        raise AlignError(f"{where}: every planned stream is static; at least one must have timestamps to make rows of")
    leading = [b for b in bounds if not b.must] or bounds
    start = max(b.start_ns for b in leading)
    stop = min((b.stop_ns for b in leading if b.stop_ns is not None), default=_end(leading))
    period = SECOND // fps
    for b in bounds:
        late, early = b.start_ns - start, stop - (b.stop_ns if b.stop_ns is not None else stop)
        if b.must and max(late, early) > period:
            side = f"starts {late / 1e9:.3f} s late" if late > period else f"ends {early / 1e9:.3f} s early"
            raise AlignError(f"{where}: {b.name} {side}; set `missing: trim` to cut the episode to what it covers")
    start = max(start, *(b.start_ns for b in bounds))
    stop = min(stop, *(b.stop_ns for b in bounds if b.stop_ns is not None), stop)
    if stop < start:
        spans = "; ".join(f"{b.name} from {_at(b.start_ns, bounds)} to {_at(b.stop_ns, bounds)}" for b in bounds)
        raise AlignError(f"{where}: the streams do not overlap in time: {spans}; do they use one clock?")
    return start, stop


def _end(bounds: Sequence[Bounds]) -> int:
    """Where an episode ends whose streams all hold for ever: with the first steady one, else with the last of all."""
    ends = [b.last_ns for b in bounds if b.steady]
    return max(min(ends) if ends else max(b.last_ns for b in bounds), *(b.start_ns for b in bounds))


def _at(time_ns: int | None, bounds: list[Bounds]) -> str:
    origin = min(b.start_ns for b in bounds)
    return "the end" if time_ns is None else f"{(time_ns - origin) / 1e9:.3f} s"


def trims(bounds: list[Bounds], rows: tuple[int, int], clock: str, fps: int, where: str) -> list[Finding]:
    """What was cut to get from the longest stream to rows from the first to the last tick of `rows`, on `clock`."""
    first, last = rows
    latest = max((b.stop_ns for b in bounds if b.stop_ns is not None), default=last)
    found: list[Finding] = []
    for start, stop, side, culprit in (
        (min(b.start_ns for b in bounds), first, "start", max(bounds, key=lambda b: b.start_ns)),
        (last, latest, "end", min(bounds, key=lambda b: b.stop_ns or latest)),
    ):
        cut = stop - start
        if cut > 2 * (SECOND // fps):
            found.append(
                Finding(
                    "align-trimmed",
                    "warning" if cut > SECOND else "info",
                    where,
                    f"{cut / 1e9:.3f} s cut from the {side}, where {culprit.name} has no samples",
                    "set `missing: error` on it to reject such recordings" if cut > SECOND else "",
                    stream=culprit.name,
                    span=FindingSpan(start, stop, clock),
                )
            )
    return found
