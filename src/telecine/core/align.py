"""Alignment is index arithmetic: times and ticks in, row numbers out. Values are never read.

So joints, text, frames and packets share the same few lines. `hold` is causal by construction: it never
answers with a sample from after the tick. Nothing here fills, invents or extrapolates.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.grid import SECOND, Rows, Times

MISSING = -1
How = Literal["hold", "nearest", "linear", "slerp"]
Weights = npt.NDArray[np.float64]


def hold(times: Times, ticks: Times, limit_ns: int | None) -> Rows:
    """Row of the last sample at or before each tick, MISSING where there is none within `limit_ns` (None: any age).

    times: (n,) int64 ns, non-decreasing; of several samples with one stamp the last counts.
    ticks: (m,) int64 ns. Returns (m,) int64.
    """
    rows = np.searchsorted(times, ticks, side="right").astype(np.int64) - 1
    if limit_ns is not None and times.size:
        rows[(rows >= 0) & (ticks - times[np.maximum(rows, 0)] > limit_ns)] = MISSING
    return rows


def nearest(times: Times, ticks: Times, limit_ns: int | None) -> Rows:
    """Row of the sample closest to each tick, the earlier on a tie; MISSING beyond `limit_ns` (None: any distance).

    times: (n,) int64 ns, non-decreasing; of several samples with one stamp the last counts. Returns (m,) int64.
    """
    if not times.size:
        return np.full(ticks.shape, MISSING, np.int64)
    before = np.searchsorted(times, ticks, side="right").astype(np.int64) - 1
    after = np.minimum(before + 1, times.size - 1)
    after = np.searchsorted(times, times[after], side="right").astype(np.int64) - 1
    left = np.maximum(before, 0)
    use_left = (before >= 0) & (np.abs(ticks - times[left]) <= np.abs(times[after] - ticks))
    rows = np.where(use_left, left, after)
    if limit_ns is not None:
        rows[np.abs(times[rows] - ticks) > limit_ns] = MISSING
    return rows


@dataclass(frozen=True, eq=False, slots=True)
class Blend:
    """Two rows and a weight for each tick: value = (1 - weight) * before + weight * after."""

    before: Rows
    after: Rows
    weight: Weights


def between(times: Times, ticks: Times, limit_ns: int | None) -> Blend:
    """The samples on both sides of each tick; MISSING unless both exist within `limit_ns` of the tick.

    weight: (m,) float64 in [0, 1); 0 exactly on a sample, where `after` equals `before`.
    """
    before = np.searchsorted(times, ticks, side="right").astype(np.int64) - 1
    exact = (before >= 0) & (times[np.maximum(before, 0)] == ticks) if times.size else np.zeros(ticks.shape, bool)
    after = np.where(exact, before, before + 1)
    bad = (before < 0) | (after >= times.size)
    safe_before, safe_after = np.where(bad, 0, before), np.where(bad, 0, after)
    if not times.size:
        missing = np.full(ticks.shape, MISSING, np.int64)
        return Blend(missing, missing.copy(), np.zeros(ticks.shape))
    span = times[safe_after] - times[safe_before]
    weight = np.where(span > 0, (ticks - times[safe_before]) / np.maximum(span, 1), 0.0)
    if limit_ns is not None:
        bad |= (ticks - times[safe_before] > limit_ns) | (times[safe_after] - ticks > limit_ns)
    before, after = np.where(bad, MISSING, before), np.where(bad, MISSING, after)
    return Blend(before, after, np.where(bad, 0.0, weight))


def linear(before: Weights, after: Weights, weight: Weights) -> Weights:
    """(m, n) float64 straight-line blend of (m, n) samples by (m,) weights."""
    w = weight.reshape(-1, *([1] * (before.ndim - 1)))
    return before + (after - before) * w


def slerp(before: Weights, after: Weights, weight: Weights) -> Weights:
    """(m, 4) spherical blend of unit quaternions along the shorter arc, in any component order.

    K. Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985. q and -q are one rotation, so the
    sign of `after` is chosen first.
    """
    dot = np.sum(before * after, axis=1, keepdims=True)
    after = np.where(dot < 0, -after, after)
    angle = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    w = weight[:, None]
    sine = np.sin(angle)
    small = sine < 1e-6
    safe = np.where(small, 1.0, sine)
    straight = before + (after - before) * w
    curved = (np.sin((1 - w) * angle) * before + np.sin(w * angle) * after) / safe
    mixed = np.where(small, straight, curved)
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float64)


@dataclass(frozen=True, slots=True)
class Rate:
    """How regular a stream is."""

    samples: int
    hz: float
    """(distinct stamps - 1) / span; 0 for fewer than two stamps."""
    period_ns: int
    """Median distance between distinct stamps; 0 for fewer than two."""
    jitter_ns: int
    """Median absolute deviation of that distance."""
    gaps: int
    """Distances above three periods."""
    longest_ns: int
    duplicates: int
    """Samples whose stamp is that of the sample before."""

    @property
    def auto_limit_ns(self) -> int:
        """Oldest sample accepted when a plan says `limit: auto`: five periods, at least 250 ms."""
        return max(5 * self.period_ns, SECOND // 4)


def measure(times: Times) -> Rate:
    """The rate of (n,) int64 ns non-decreasing stamps."""
    steps = np.diff(times)
    moves = steps[steps > 0]
    if not moves.size:
        return Rate(int(times.size), 0.0, 0, 0, 0, 0, int(steps.size))
    period = _median(moves)
    return Rate(
        samples=int(times.size),
        hz=float(moves.size * SECOND / (int(times[-1]) - int(times[0]))),  # may be more than int64 holds
        period_ns=period,
        jitter_ns=_median(np.abs(moves - period)),
        gaps=int(np.sum(moves > 3 * period)),
        longest_ns=int(moves.max()),
        duplicates=int(steps.size - moves.size),
    )


def _median(values: Times) -> int:
    """The median of (n,) int64, not negative, rounded down. Of few values `np.median` takes four times as long."""
    middle = (values.size - 1) // 2, values.size // 2
    parted = np.partition(values, middle)
    return (int(parted[middle[0]]) + int(parted[middle[1]])) // 2


STANDS_STILL = 50
"""So many samples share one stamp, on average, on a clock that does not advance."""
STEADY_SAMPLES = 5
"""Samples from which on a stream's rate can be called steady."""


def is_steady(rate: Rate, span_ns: int) -> bool:
    """True for a stream that comes at a rate, rather than when something changes: regular, and most of the time.

    span_ns: the time in which it could come, pauses of the whole recording left out.
    """
    if rate.samples - rate.duplicates < STEADY_SAMPLES:
        return False
    filled = (rate.samples - rate.duplicates - 1) * rate.period_ns
    return 2 * rate.jitter_ns <= rate.period_ns and 2 * filled >= span_ns


STALL_WITHIN_NS = SECOND // 2
"""How long after its first sample a stall of a stream still counts as one of its start, which costs the start."""


@dataclass(frozen=True, eq=False, slots=True)
class CameraTimes:
    """What the phase choice needs of one camera."""

    times: Times
    how: How


def choose_phase(cameras: Sequence[CameraTimes], origin_ns: int, fps: Fraction) -> int:
    """How many ns in [0, period) to add to `origin_ns` so that most cameras map one frame to one tick, with least age.

    Modulo the tick period the stamps of a camera that runs at `fps` with jitter fill an arc of the circle. Any
    phase in the rest of the circle gives every frame a tick of its own; the end of the arc (for `hold`) or its
    middle (for `nearest`) does so with the least distance. Cameras at other rates do not count.
    """
    arcs = [arc for c in cameras if (arc := _arc(c, origin_ns, fps)) is not None]
    if not arcs:
        return 0
    period = SECOND * fps.denominator

    def worth(phase: int) -> tuple[int, int, int]:
        fits = sum((phase - arc.start) % period < arc.width for arc in arcs)
        return (fits, -sum(arc.distance(phase, period) for arc in arcs), -phase)

    best = max((arc.best for arc in arcs), key=worth)
    return -(-best // fps.numerator) % -(-period // fps.numerator)


@dataclass(frozen=True, slots=True)
class _Arc:
    """Phases [start, start + width) that give each frame its own tick, in units of 1 / fps.numerator ns."""

    start: int
    width: int
    best: int
    causal: bool

    def distance(self, phase: int, period: int) -> int:
        """Mean age of the frames at `phase`, up to a constant."""
        after = (phase - self.best) % period
        return after if self.causal else min(after, period - after)


def _arc(camera: CameraTimes, origin_ns: int, fps: Fraction) -> _Arc | None:
    """The arc of a camera that keeps pace with `fps`."""
    if not keeps_pace(camera.times, fps):
        return None
    period = SECOND * fps.denominator
    end, width = _widest_gap(camera.times, origin_ns, fps)
    if camera.how == "hold":
        return _Arc(end, width, end, causal=True)
    return _Arc((end - period // 2) % period, width, (end - (period - width) // 2) % period, causal=False)


def _widest_gap(times: Times, origin_ns: int, fps: Fraction) -> tuple[int, int]:
    """(start, width) of the part of the tick period without a stamp that ticks best lie in, in 1 / fps.numerator ns.

    It is the one that gives most stamps a tick of their own, among those the widest: stamps that come early or late
    but never in time leave a gap in the middle that may be wider than the one between two frames. Only gaps of at
    least an eighth of the period are sure to be tried.
    """
    period = SECOND * fps.denominator
    scaled = np.unique(times - origin_ns) * fps.numerator
    residuals = np.unique(scaled % period)
    steps = np.diff(np.append(residuals, residuals[0] + period))

    def own_ticks(gap: np.intp) -> int:
        return int(np.count_nonzero(np.diff((scaled - residuals[gap] - steps[gap]) // period)))

    best = max(np.argsort(-steps, kind="stable")[:8], key=own_ticks)
    return int(residuals[best]), int(steps[best])


def keeps_pace(times: Times, fps: Fraction) -> bool:
    """True for a stream that runs at `fps`: by its rate to 2 %, or because its stamps fit a grid of that rate.

    The second way counts for short streams, whose typical and mean rates jitter and lost samples falsify: all
    stamps lie within half a tick period of one grid, no two on one tick, and most ticks have one.
    """
    rate = measure(times)
    if not rate.period_ns:
        return False
    if min(abs(rate.period_ns * float(fps) / SECOND - 1), abs(rate.hz / float(fps) - 1)) <= 0.02:
        return True
    period = SECOND * fps.denominator
    origin = int(times[0])
    start, width = _widest_gap(times, origin, fps)
    if 2 * width <= period:
        return False
    stamps = np.unique(times)
    slots = ((stamps - origin) * fps.numerator - start - width) // period
    spanned = int(slots[-1] - slots[0]) + 1
    return bool(np.all(np.diff(slots) > 0)) and slots.size >= 0.7 * spanned
