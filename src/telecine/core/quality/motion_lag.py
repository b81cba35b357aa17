"""How much later one series of motion shows what another did: a camera after the joints, the state after the action.

A stretch of some seconds gives one estimate. Both series become rates on a fine grid of time, and at each lag the
answer is fitted by a weighted sum of the joints' speeds, which also says how much each joint moves the picture. But how
much the picture changes depends on what is in it, by factors within one move, and that would count as time: so the lag
is where the logarithms of both fit best, which are sharp where a move begins and ends, by a parabola between two steps
of the grid. On the demo's wrist camera rates alone were off by 20 ms in every episode, logarithms by 3. What several
stretches say together is in `lag_estimate.py`.
"""

from dataclasses import dataclass

import numpy as np

from telecine.core.grid import SECOND, Times
from telecine.core.stats import Floats

STEP_NS = 4_000_000
"""The grid on which series are compared."""
LONGEST_NS = 500_000_000
"""Lags up to this are looked for, either way."""
SLOW_NS = 500_000_000
"""Deviation of the Gaussian that takes away what is slower."""
SLOWEST_NS, LITTLE = 1_000_000_000, 0.15
"""The same for orders of magnitude, and the part of the usual motion that is as good as none."""
APART_NS = 100_000_000
"""Rates and their orders of magnitude may say lags that are so far apart."""
FINE_NS = 30_000_000
"""Deviation of the Gaussian that takes away jitter and noise; a slow camera's is longer."""
SHORTEST_NS = 2 * SECOND
"""A stretch needs so much time that both series cover, beside the lags looked for."""
MOST_ELEMENTS = 12
"""Elements that a fit can tell apart in some seconds."""
STILL, LEAST_SPAN = 1e-6, 10
"""How little is no motion: in units of the element, and in deviations of its noise."""
GAINS = 2
"""Directions of the pose on which the gain of a camera may depend."""
LEAST_MATCH, LEAST_GAIN = 0.6, 0.08
"""Part of the answer's variance that the best lag has to explain, and by how much more than lags far from it."""
FAINT_MATCH = 0.25
"""The part from which a lag that is not clear counts beside others that are not."""
SAME_AGAIN, UNLIKE = 0.9, 0.3
"""Correlation of the motion with itself some time later, from which it is periodic, and what it is less in between."""
NEEDED_NS = SHORTEST_NS + 2 * LONGEST_NS
"""What both series have to cover, with the lags looked for."""
_BLOCK_NS = 250_000_000
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class Paths:
    """A series of positions. times: (m,) int64 ns, increasing; values: (m, w), in any units."""

    times: Times
    values: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Energies:
    """How much frames change. times: (n + 1,) int64 ns of the frames; values: (n,) from each to the next, 0 or more."""

    times: Times
    values: Floats


@dataclass(frozen=True, slots=True)
class StretchLag:
    """What one stretch says. lag_ns: None where it cannot tell, for which `why` is the reason.

    error_ns: the standard error, as far as this stretch shows it. match: the part of the answer that the motion
    explains. at_ns: the middle of the stretch. short_ns: what both cover, where that is too little. faint_ns: the lag
    that fits best where the motion explains too little of the answer: alone it says nothing, many that agree do.
    """

    lag_ns: float | None
    error_ns: float
    match: float
    at_ns: int
    why: str = ""
    short_ns: int | None = None
    faint_ns: float | None = None


def camera_lag(energies: Energies, joints: Paths) -> StretchLag:
    """How much later a camera shows what the joints did, from one stretch."""
    at_ns = int(energies.times[len(energies.times) // 2]) if len(energies.times) else 0
    grid = _grid(energies.times, joints.times)
    if grid is None:
        return _too_short(_covered(energies.times, joints.times), at_ns)
    positions = _on_grid(grid, joints)
    if not positions.size:
        return StretchLag(None, 0.0, 0.0, at_ns, "too little motion: the joints stand still")
    if not energies.values.any():
        return StretchLag(None, 0.0, 0.0, at_ns, "too little motion: the camera shows none")
    path = np.concatenate([[0.0], np.cumsum(energies.values)])
    answer = np.diff(np.interp(grid, energies.times, path))[:, None]
    fine = max(FINE_NS, 0.6 * float(np.median(np.diff(energies.times))))
    speeds = np.abs(np.diff(_smooth(positions, fine / 2), axis=0))
    speeds /= speeds.std(axis=0) + 1e-12
    causes = np.concatenate([speeds, speeds.sum(axis=1, keepdims=True) * _pose(positions[:-1])], axis=1)
    within = _band(causes, fine)[:, None, :]
    fit = _fitted(_band(answer, fine), within)
    why = _doubt(fit, within)
    if why and _doubt(fit, within, FAINT_MATCH):
        return StretchLag(None, 0.0, fit.match, at_ns, why)
    moved = np.maximum(causes @ fit.weights[fit.best, 0], 0)[:, None]
    shown, done = (_logarithm(_smooth(rate, fine)) for rate in (answer, moved))
    sharp = _fitted(shown, done[:, :, None])
    apart_ns = abs(int(sharp.lags[sharp.best] - fit.lags[fit.best])) * STEP_NS
    if apart_ns > APART_NS:
        why = why or f"how fast and when it moves disagree by {apart_ns // 1_000_000} ms"
        return StretchLag(None, 0.0, fit.match, at_ns, why)
    lag_ns, error_ns = _peak(shown, done[:, :, None], sharp)
    if why:
        return StretchLag(None, error_ns, fit.match, at_ns, why, faint_ns=lag_ns)
    return StretchLag(lag_ns, error_ns, fit.match, at_ns)


def follower_lag(after: Paths, before: Paths) -> StretchLag:
    """How much later the first positions follow the second, element by element, from one stretch.

    Both have as many elements, which mean the same.
    """
    at_ns = int(after.times[len(after.times) // 2]) if len(after.times) else 0
    grid = _grid(after.times, before.times)
    if grid is None:
        return _too_short(_covered(after.times, before.times), at_ns)
    pair = [np.stack([np.interp(grid, p.times, column) for column in p.values.T], axis=1) for p in (after, before)]
    moves = np.all([np.ptp(values, axis=0) > STILL for values in pair], axis=0)
    if not moves.any():
        return StretchLag(None, 0.0, 0.0, at_ns, "too little motion: no element moves in both")
    answer, causes = (_band(np.diff(values[:, moves], axis=0), FINE_NS) for values in pair)
    size = answer.std(axis=0) + 1e-12
    answer, causes = answer / size, (causes / size)[:, :, None]
    fit = _fitted(answer, causes)
    if why := _doubt(fit, causes):
        clear = [_fitted(answer[:, [k]], causes[:, [k]]).match >= LEAST_MATCH for k in range(answer.shape[1])]
        answer, causes = answer[:, clear], causes[:, clear]  # the others rest, or something else moves them
        if not any(clear) or _doubt(fit := _fitted(answer, causes), causes):
            return StretchLag(None, 0.0, fit.match, at_ns, why)
    return StretchLag(*_peak(answer, causes, fit), fit.match, at_ns)


def _too_short(covered_ns: int, at_ns: int = 0) -> StretchLag:
    """A stretch of which both series cover too little."""
    why = f"{covered_ns / SECOND:.1f} s that both streams cover, {NEEDED_NS / SECOND:.0f} s are needed"
    return StretchLag(None, 0.0, 0.0, at_ns, why, covered_ns)


def _covered(a: Times, b: Times) -> int:
    """By how many ns both series overlap."""
    if len(a) < 2 or len(b) < 2:
        return 0
    return max(min(int(a[-1]), int(b[-1])) - max(int(a[0]), int(b[0])), 0)


def _grid(a: Times, b: Times) -> Times | None:
    """Moments that both series cover, or None where they are too few."""
    if _covered(a, b) < NEEDED_NS:
        return None
    return np.arange(max(int(a[0]), int(b[0])), min(int(a[-1]), int(b[-1])), STEP_NS, dtype=np.int64)


def _on_grid(grid: Times, path: Paths) -> Floats:
    """(n, up to 12) the elements that move, each of deviation 1; of more, the directions in which they move most."""
    values = np.stack([np.interp(grid, path.times, column) for column in path.values.T], axis=1)
    smooth = _smooth(values, 2 * FINE_NS)
    span, noise = np.ptp(smooth, axis=0), (values - smooth).std(axis=0)
    values = values[:, (span > STILL) & (span > LEAST_SPAN * noise)]
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    if values.shape[1] <= MOST_ELEMENTS:
        return np.asarray(values)
    _, _, axes = np.linalg.svd(values, full_matrices=False)
    return np.asarray(values @ axes[:MOST_ELEMENTS].T)


def _pose(values: Floats) -> Floats:
    """(n, up to 2) the directions in which the pose varies most, each of deviation 1."""
    _, sizes, axes = np.linalg.svd(values, full_matrices=False)
    made = values @ axes[: min(GAINS, values.shape[1] - 1)].T
    return np.asarray(made / (sizes[: made.shape[1]] / np.sqrt(len(values)) + 1e-12))


def _band(values: Floats, fine_ns: float) -> Floats:
    """(n, w) without what is faster or slower than motion."""
    smooth = _smooth(values, fine_ns)
    return smooth - _smooth(smooth, SLOW_NS)


def _logarithm(rate: Floats) -> Floats:
    """(n, w) the order of magnitude of rates, without what changes slowly: a gain that depends on the pose is gone."""
    level = LITTLE * np.sqrt((rate * rate).mean(axis=0)) + 1e-30
    made: Floats = np.log(rate + level)
    return made - _smooth(made, SLOWEST_NS)


def _smooth(values: Floats, deviation_ns: float) -> Floats:
    """(n, w) with a Gaussian; the ends count as going on as they are."""
    deviation = deviation_ns / STEP_NS
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights /= weights.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, weights, "valid") for column in padded.T], axis=1)


@dataclass(frozen=True, eq=False, slots=True)
class _Fit:
    """Of each of l lags and k answers. weights: (l, k, p); matches: (l,) part of the variance that is explained."""

    lags: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    weights: Floats
    matches: Floats

    @property
    def best(self) -> int:
        """Position of the lag that explains most."""
        return int(self.matches.argmax())

    @property
    def match(self) -> float:
        """What it explains."""
        return float(self.matches[self.best])


def _doubt(fit: _Fit, causes: Floats, least: float = LEAST_MATCH) -> str:
    """Why the best lag is none, or "". causes: (n, k, p) that were fitted."""
    far = np.abs(fit.lags - fit.lags[fit.best]) * STEP_NS > LONGEST_NS / 2
    if fit.match < least or fit.match - float(np.median(fit.matches[far])) < LEAST_GAIN:
        share = max(fit.match, 0) * 100
        return f"the motion explains {share:.0f} % of what changes, hardly more than at other lags"
    if again := _period(np.einsum("nkp,kp->nk", causes, fit.weights[fit.best])):
        return f"the motion is periodic: it repeats after {again * STEP_NS / SECOND:.2f} s"
    if fit.best in (0, len(fit.lags) - 1):
        return f"it fits best at the end of what is looked for, {LONGEST_NS / SECOND:.1f} s"
    return ""


def _peak(answer: Floats, causes: Floats, fit: _Fit) -> tuple[float, float]:
    """(the lag between two steps of the grid, its standard error) in ns."""
    near = fit.matches[max(fit.best - 1, 0) : fit.best + 2]
    bend = float(near[0] - 2 * near[1] + near[-1]) if len(near) == 3 else 0.0
    part = 0.5 * float(near[0] - near[-1]) / bend if bend else 0.0
    return (float(fit.lags[fit.best]) + part) * STEP_NS, _error(answer, causes, fit)


def _longest() -> int:
    return LONGEST_NS // STEP_NS


def _fitted(answer: Floats, causes: Floats) -> _Fit:
    """The weights of least squares at every lag, over the same moments of the answer."""
    longest, count = _longest(), len(answer)
    lags = np.arange(-longest, longest + 1)
    target = np.ascontiguousarray(answer[longest : count - longest].T)
    by_answer = np.ascontiguousarray(causes.transpose(1, 2, 0))
    windows = [by_answer[:, :, longest - lag : count - longest - lag] for lag in lags.tolist()]
    gram = np.stack([used @ used.transpose(0, 2, 1) for used in windows])
    both = np.stack([used @ target[:, :, None] for used in windows])
    size = np.einsum("lkpp->lk", gram)[:, :, None, None] / gram.shape[-1]
    weights = np.linalg.solve(gram + (_RIDGE * size + 1e-30) * np.eye(gram.shape[-1]), both)
    explained = 2 * weights * both - weights * (gram @ weights)
    return _Fit(lags, weights[..., 0], explained.sum(axis=(1, 2, 3)) / (float((target * target).sum()) + 1e-30))


def _error(answer: Floats, causes: Floats, fit: _Fit) -> float:
    """The standard error of the lag in ns: residuals against the slope of the fit, in blocks that are independent."""
    longest, count, lag = _longest(), len(answer), int(fit.lags[fit.best])
    used = causes[longest - lag : count - longest - lag]
    fitted = np.einsum("nkp,kp->nk", used, fit.weights[fit.best])
    rest = answer[longest : count - longest] - fitted
    slope = np.gradient(fitted, axis=0)
    for k in range(slope.shape[1]):
        slope[:, k] -= used[:, k] @ np.linalg.lstsq(used[:, k], slope[:, k], rcond=None)[0]
    pulls = (rest * slope).sum(axis=1)
    starts = np.arange(0, len(pulls), _BLOCK_NS // STEP_NS)
    blocks = np.add.reduceat(pulls, starts)
    return float(np.sqrt((blocks * blocks).sum()) / (float((slope * slope).sum()) + 1e-30)) * STEP_NS


def _period(motion: Floats) -> int:
    """Steps after which the motion is most like itself, where that is nearly the same; 0 where it is not."""
    count = len(motion)
    shifts = range(1, min(2 * _longest(), count // 2))
    alike = np.array([_alike(motion[shift:], motion[: count - shift]) for shift in shifts])
    other = np.cumsum(alike < UNLIKE) > 0  # it has been something else in between
    best = int(np.where(other, alike, 0.0).argmax())
    return shifts[best] if other[best] and alike[best] > SAME_AGAIN else 0


def _alike(a: Floats, b: Floats) -> float:
    return float((a * b).sum() / np.sqrt(float((a * a).sum() * (b * b).sum()) + 1e-30))
