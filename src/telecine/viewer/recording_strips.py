"""What the page draws of streams on one clock: samples, rows and ages in a window, so many as a screen can show."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from telecine.core.align import MISSING, measure
from telecine.core.errors import PlanError, SourceError
from telecine.core.grid import SECOND, Times
from telecine.core.plan.bind import Source
from telecine.core.recording import Stream
from telecine.core.resample.planned_rows import PlannedRows, SourceRows
from telecine.sources.border import border

MOST_MARKS = 3000
"""Samples, or rows, of a window that are sent one by one; more are sent as densities."""
MOST_OTHER_MARKS = 500
"""As `MOST_MARKS`, of a stream that no row uses: there may be hundreds."""
MOST_GAPS = 200
LEAST_NS = 10_000_000
"""Of time that is drawn."""
GAP_PERIODS = 3
FARTHEST_NS = 1 << 62


def timed(streams: Iterable[Stream], clock: str, rate: str | None) -> Iterator[tuple[Stream, Times]]:
    """Each stream that has samples on `clock`, with their stamps in ns; without a rate, a count stands for a second.

    What cannot be read, or lies too far apart to be drawn, is left out: the page's table says so of it.
    """
    for stream in streams:
        try:
            with border(stream.name):
                kind = stream.clocks.get(clock)
                if stream.static or kind is None:
                    continue
                counts = Fraction(rate or 1) if kind == "sequence" else None
                times = Source(stream, clock, rate=counts).times()
        except (SourceError, PlanError):
            continue
        if times.size and max(abs(int(times[0])), abs(int(times[-1]))) < FARTHEST_NS:
            yield stream, times


def whole(planned: PlannedRows, origin: int) -> tuple[int, int]:
    """[start, stop) in ns from the first row that shows every sample and row; of a moment, what is around it."""
    starts = [int(s.times[0]) for s in planned.sources if s.times.size] + [int(planned.ticks[0])]
    stops = [int(s.times[-1]) for s in planned.sources if s.times.size] + [int(planned.ticks[-1])]
    start, stop = min(starts) - origin, max(stops) - origin + 1
    around = LEAST_NS // 2 if stop - start < LEAST_NS else 0
    return start - around, stop + around


def some_ticks(ticks: Times, first: int, last: int) -> dict[str, Any]:
    """The moments of rows [first, last), where they are not too many."""
    return {"first": first, "at": ticks[first:last].tolist() if last - first <= MOST_MARKS else None}


def strip(rows: SourceRows, planned: PlannedRows, window: tuple[int, int], px: int) -> dict[str, Any]:
    """One stream in a window of ns from the first row: its samples, which rows use them, how old they are there.

    A row is in the window by the moment that it stands for, also where it takes its sample at another (`shift`).
    """
    origin = int(planned.ticks[0])
    times, ticks = rows.times - origin, rows.ticks - origin
    used = np.zeros(times.size, np.bool_)
    used[rows.rows[rows.rows != MISSING]] = True
    inside = (times >= ticks[0]) & (times <= ticks[-1])
    ages = rows.ages
    known = ages[rows.rows != MISSING]
    a, b = (int(i) for i in np.searchsorted(times, window))
    moments = planned.ticks - origin
    r, s = (int(i) for i in np.searchsorted(moments, window))
    rate = measure(rows.times)
    return {
        "key": rows.key,
        "stream": rows.source.stream.name,
        "kind": rows.source.stream.kind,
        "clock": rows.source.clock,
        "how": rows.how,
        "limit_ns": rows.limit_ns,
        "problem": rows.problem,
        "samples": int(times.size),
        "hz": steady_hz(times),
        "unused": int(np.sum(inside & ~used)),
        "outside": int(np.sum(~inside & ~used)),
        "missing": int(np.sum(rows.rows == MISSING)),
        "repeated": int(np.sum((np.diff(rows.rows) == 0) & (rows.rows[1:] != MISSING))),
        "age_ns": [int(np.median(np.abs(known))), int(np.abs(known).max())] if known.size else None,
        "gaps": _gaps(times, rate.period_ns),
        **_samples(times[a:b], used[a:b], a, window, px),
        **_ages(rows.rows[r:s], ages[r:s], moments[r:s], r, window, px),
    }


def steady_hz(times: Times) -> float | None:
    """Samples a second of (n,) int64 ns where there is no pause; None of fewer than two moments."""
    steps = np.diff(times)
    steady = steps[(steps > 0) & (steps <= GAP_PERIODS * measure(times).period_ns)]
    return float(steady.size / (steady.sum() / SECOND)) if steady.size else None


def _gaps(times: Times, period_ns: int) -> list[list[int]]:
    """[start, stop] of pauses of more than three periods, the longest ones."""
    steps = np.diff(times)
    found = np.flatnonzero(steps > GAP_PERIODS * period_ns) if period_ns else np.zeros(0, np.int64)
    longest = np.sort(found[np.argsort(steps[found])[::-1][:MOST_GAPS]])
    return [[int(times[i]), int(times[i + 1])] for i in longest]


def other_strip(stream: Stream, times: Times, window: tuple[int, int], px: int) -> dict[str, Any]:
    """The samples of a stream that no row uses. times: (n,) int64 ns, as `window` counts them."""
    a, b = (int(i) for i in np.searchsorted(times, window))
    rate = measure(times)
    return {
        "stream": stream.name,
        "kind": stream.kind,
        "samples": int(times.size),
        "hz": steady_hz(times),
        "gaps": _gaps(times, rate.period_ns),
        **_samples(times[a:b], np.zeros(b - a, np.bool_), a, window, px, MOST_OTHER_MARKS),
    }


def _samples(
    times: Times, used: Any, first: int, window: tuple[int, int], px: int, most: int = MOST_MARKS
) -> dict[str, Any]:
    if times.size <= most:
        return {"first_sample": first, "times": times.tolist(), "used": used.astype(int).tolist()}
    edges = np.linspace(*window, px + 1)
    every, shown = (np.histogram(part, edges)[0] for part in (times, times[used]))
    return {"first_sample": first, "density": every.tolist(), "density_used": shown.tolist()}


def _ages(rows: Any, ages: Times, ticks: Times, first: int, window: tuple[int, int], px: int) -> dict[str, Any]:
    """Sample and age of each row, or the greatest age of each of `px` steps."""
    if rows.size <= MOST_MARKS:
        return {"first_row": first, "rows": rows.tolist(), "ages": ages.tolist()}
    place = ((ticks - window[0]) * px // max(window[1] - window[0], 1)).clip(0, px - 1)
    worst = np.zeros(px, np.int64)
    np.maximum.at(worst, place, np.abs(ages))
    lost = np.zeros(px, np.int64)
    np.add.at(lost, place, rows == MISSING)
    return {"first_row": first, "worst": worst.tolist(), "lost": lost.tolist()}
