"""Are the rows what the samples promise? Finds rows that a wrong clock or limit made, and gives both numbers.

`limit` is how old a sample may be, and `none` allows any age. For events that is right; a camera or joints that run at
a rate and stand still for seconds are a fault that only the plan may accept, with `repeats: allowed`.
"""

from collections.abc import Sequence

import numpy as np

from telecine.core.align import STANDS_STILL, is_steady, measure
from telecine.core.grid import SECOND, Rows, Times
from telecine.core.plan.fields import format_duration
from telecine.core.plan.model import Feature
from telecine.core.recording import Stream
from telecine.core.resample.overlap import Bounds
from telecine.core.text.numbers import counted, counted_of

FEWEST = 0.1
"""Of the rows that the longest planned stream would give; fewer are refused."""


def repeats_problem(feature: Feature, stream: Stream, times: Times, *, ticks: Times, rows: Rows) -> str:
    """Why the rows of a stream do not move on as its rate promises; "" where they do.

    times: (n,) int64 ns, of the stream; ticks: (m,) int64 ns; rows: (m,) positions in `times`. Texts and events, which
    have no rate, are not asked. A problem is a clock that stands still, and a sample that is shown for more than five
    periods of a steady stream (at least 250 ms) where `limit` is none.
    """
    name, distinct = stream.name, np.unique(times).size
    if distinct * STANDS_STILL <= times.size:
        return (
            f"{feature.key}: {name} has {counted(times.size, 'sample')} with {counted(distinct, 'timestamp')}, "
            "so the clock does "
            f"not advance and {np.unique(rows).size} of them would be used; choose another `timeline`"
        )
    if feature.limit is not None or feature.repeats == "allowed":
        return ""
    inside = times[(times >= times[rows[0]]) & (times <= ticks[-1])]
    rate = measure(inside)
    is_camera = stream.kind in ("image", "video")  # which is never an event, however long it pauses
    if not is_steady(rate, 0 if is_camera else int(inside[-1] - inside[0])):
        return ""
    ages = np.abs(ticks - times[rows])
    worst = int(np.argmax(ages))
    if ages[worst] <= rate.auto_limit_ns:
        return ""
    shown = int(np.count_nonzero(rows == rows[worst]))
    what, advice = f"{name} paused", f"set `limit: auto` and `split: {{gaps: 250ms, stream: '{name}'}}`"
    if rows[worst] == rows[-1]:
        what, advice = f"{name} ended early", "set `limit: auto`, so that the episode ends with it"
    age, period = f"{ages[worst] / 1e9:.3f} s", f"{rate.period_ns / 1e6:.1f} ms"
    return (
        f"{feature.key}: {counted_of(shown, ticks.size, 'row', 'shows', 'show')} a sample up to {age} old, "
        f"because {what}, which has one "
        f"every {period}; {advice}, or `repeats: allowed` on the feature"
    )


def count_problem(bounds: Sequence[Bounds], ticks: Times, fps: int) -> str:
    """Which stream leaves a small part only of the time in which anything planned was recorded; "" where none does."""
    steady = [b for b in bounds if b.steady]
    if not steady:
        return ""
    start, stop = min(b.start_ns for b in steady), max(b.last_ns for b in steady)
    expected = (stop - start) * fps // SECOND + 1
    if ticks.size >= FEWEST * expected:
        return ""
    late = max(bounds, key=lambda b: b.start_ns)
    early = min(bounds, key=lambda b: stop if b.stop_ns is None else b.stop_ns)
    lost = late.start_ns - start, stop - (stop if early.stop_ns is None else early.stop_ns)
    name, what = (late.name, "starts") if lost[0] >= lost[1] else (early.name, "ends")
    side = "after the first" if what == "starts" else "before the last"
    distance = format_duration(max(lost) // 10**6 * 10**6)
    cause = f"{name} {what} {distance} {side} planned sample"
    return f"{counted_of(ticks.size, expected, 'row', 'is', 'are')} left, because {cause}; leave it out of the plan"
