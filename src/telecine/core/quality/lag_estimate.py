"""The lag that several stretches of several episodes show together, with its 95 % interval, or why they cannot tell.

Each stretch counts by its own error and by what the method is off by itself, measured on simulated robots: a gripper
that hits the table, or an object that falls, moves one stretch by some 10 ms, rarely by 50. So stretches far from the
others lose their weight, and no interval is narrower than the method's own error.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from telecine.core.grid import SECOND
from telecine.core.quality.motion_lag import StretchLag
from telecine.core.stats import Floats

MS = 1_000_000
OWN_ERROR_NS = 7 * MS
"""Standard deviation of what one stretch is off beyond its own error."""
COMMON_ERROR_NS = 4 * MS
"""The same of what all stretches of a camera are off together, as its gain depends on speed and pose."""
ALONE = 1.5
"""One stretch that nothing confirms has so many times the error."""
WIDEST_NS = 60 * MS
"""Half an interval wider than this tells nothing."""
AGREE, NEAR_NS = 2 / 3, 25 * MS
"""Part of the stretches that have to be within three deviations, or this, of the lag."""
ODD_NS = 100 * MS
"""How far an episode's lag is from the others' before it is told, and four deviations at least."""
DRIFT_NS, DRIFT_STRETCHES = 30 * MS, 4
"""Drift over a recording from which it is told, and the stretches of it that this needs."""
FAINT_EPISODES, FAINT_NEAR_NS = 6, 60 * MS
"""Episodes that have to say something where no stretch is clear, and how far most of them may be from their middle."""
NORMAL, MEDIAN_ERROR = 1.4826, 1.2533
"""Of normal errors: the deviation by the median distance from the middle, a median's error by that of a mean."""
_HUBER = 1.5


@dataclass(frozen=True, slots=True)
class Lag:
    """How much later one stream shows what another did, in ms.

    ms, interval_ms: None where it cannot be told, for which `why` is the reason. episodes: how many say something, and
    of how many. odd: episode -> its ms, where that is far from the others'. drifts: episode -> by how many ms the lag
    grows from its first stretch to its last.
    """

    ms: float | None
    interval_ms: tuple[float, float] | None
    why: str
    episodes: tuple[int, int]
    odd: Mapping[str, float]
    drifts: Mapping[str, float]


def lag_of(stretches: Mapping[str, Sequence[StretchLag]], *, grain_ns: int = 0) -> Lag:
    """stretches: of each episode. grain_ns: the period of the rows where stamps are those of rows, else 0."""
    known = {name: [s for s in own if s.lag_ns is not None] for name, own in stretches.items()}
    known = {name: own for name, own in known.items() if own}
    drifts = {name: drift for name, own in known.items() if (drift := _drift(own))}
    steady = {name: _without_drift(own, drifts[name]) if name in drifts else own for name, own in known.items()}
    told = {name: drift / MS for name, drift in drifts.items()}
    blank = Lag(None, None, "", (len(known), len(stretches)), {}, told)
    every = [s for own in steady.values() for s in own]
    silent = [s for own in stretches.values() for s in own if s.lag_ns is None]
    unclear = [s for s in silent if s.match]
    if not every or len(unclear) > len(every):
        return _agreed(stretches, blank, grain_ns) or replace(blank, why=_why_none(silent))
    value, error = _together(every)
    odd = _odd(steady)
    off = np.abs(_values(every) - value)
    near = (off <= 3 * _errors(every)) | (off <= NEAR_NS)
    if near.mean() < AGREE - 1e-9:
        low, high = (np.array([_values(every).min(), _values(every).max()]) / MS).tolist()
        parts = "episodes disagree" if len(known) > 1 else "parts of the episode disagree"
        return replace(blank, why=f"{parts}: from {low:.0f} to {high:.0f} ms")
    error *= ALONE if len(every) == 1 else 1.0
    half = _half(error, grain_ns)
    if half > WIDEST_NS:
        return replace(blank, why=f"the motion is not clear enough: {value / MS:.0f} ms, give or take {half / MS:.0f}")
    return replace(blank, ms=round(value / MS, 1), interval_ms=_ends(value, half), odd=odd)


def _half(error_ns: float, grain_ns: int) -> float:
    """Half of the interval in ns, with what all stretches are off together."""
    return 1.96 * float(np.hypot(error_ns, np.hypot(COMMON_ERROR_NS, grain_ns / 8)))


def _ends(value: float, half: float) -> tuple[float, float]:
    return round((value - half) / MS, 1), round((value + half) / MS, 1)


def _agreed(stretches: Mapping[str, Sequence[StretchLag]], blank: Lag, grain_ns: int) -> Lag | None:
    """What many episodes say of which hardly one is clear, where they say nearly the same: chance spreads over 1 s.

    The error follows from how far they are apart, as what each says of its own counts only what it explains.
    """
    moving = [s for own in stretches.values() for s in own if s.match]
    said = {name: [s for s in own if s.lag_ns is not None or s.faint_ns is not None] for name, own in stretches.items()}
    said = {name: own for name, own in said.items() if own}
    if len(said) < FAINT_EPISODES:
        return None
    lags = [s.lag_ns if s.faint_ns is None else s.faint_ns for own in said.values() for s in own]
    values = np.array(lags, np.float64)
    value = float(np.median(values))
    off = np.abs(values - value)
    deviation = NORMAL * float(np.median(off))
    half = _half(ALONE * MEDIAN_ERROR * deviation / float(np.sqrt(len(values))), grain_ns)
    if (off <= FAINT_NEAR_NS).sum() < AGREE * len(moving) or half > WIDEST_NS:
        return None
    told = (len(said), len(stretches))
    return replace(blank, ms=round(value / MS, 1), interval_ms=_ends(value, half), episodes=told)


def _why_none(silent: Sequence[StretchLag]) -> str:
    """The most frequent reason; one that was found in the motion itself first, from the stretch that comes nearest."""
    moving = sorted((s for s in silent if s.match), key=lambda s: -s.match)
    short = [s for s in silent if s.short_ns is not None]
    if not moving and len(short) > len(silent) / 2:
        longest = max(short, key=lambda s: s.short_ns or 0).why
        return f"at most {longest}" if len(short) > 1 else longest
    whys = Counter(s.why for s in moving or silent)
    return whys.most_common(1)[0][0] if whys else "nothing could be read"


def _values(stretches: Sequence[StretchLag]) -> Floats:
    return np.array([s.lag_ns for s in stretches], np.float64)


def _errors(stretches: Sequence[StretchLag]) -> Floats:
    return np.hypot(np.array([s.error_ns for s in stretches], np.float64), OWN_ERROR_NS)


def _together(stretches: Sequence[StretchLag]) -> tuple[float, float]:
    """(the lag, its standard error) in ns: a mean in which what is far from the others counts less."""
    values, errors = _values(stretches), _errors(stretches)
    middle = _weighted_median(values, errors**-2)
    weights = errors**-2
    for _ in range(20):
        far = np.abs(values - middle) / errors
        weights = errors**-2 * np.minimum(1.0, _HUBER / np.maximum(far, _HUBER))
        middle = float((weights * values).sum() / weights.sum())
    clipped = np.minimum(np.abs(values - middle) / errors, _HUBER)
    spread = float(np.sqrt((clipped**2).sum() / max(len(values) - 1, 1)))
    return middle, float(weights.sum() ** -0.5) * max(1.0, spread)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][int(np.searchsorted(share, 0.5))])


def _odd(known: Mapping[str, Sequence[StretchLag]]) -> dict[str, float]:
    """Episodes whose own lag is far from that of the others, in ms."""
    if len(known) < 3:
        return {}
    made = {}
    for name, own in known.items():
        others, error = _together([s for other, them in known.items() if other != name for s in them])
        value, own_error = _together(own)
        if abs(value - others) > max(ODD_NS, 4 * float(np.hypot(error, own_error))):
            made[name] = round(value / MS, 1)
    return made


def _drift(own: Sequence[StretchLag]) -> float:
    """By how many ns the lag grows from the first stretch to the last; 0 where that is uncertain, or too little."""
    if len(own) < DRIFT_STRETCHES:
        return 0.0
    slope, error = _slope(own)
    span = _seconds(own)[-1] - _seconds(own)[0]
    drift = slope * span
    return drift if abs(drift) > DRIFT_NS and abs(slope) > 3 * error else 0.0


def _seconds(own: Sequence[StretchLag]) -> Floats:
    return np.array([(s.at_ns - own[0].at_ns) / SECOND for s in own], np.float64)


def _slope(own: Sequence[StretchLag]) -> tuple[float, float]:
    """(ns a second, its standard error), in which what is far from the line counts less."""
    at, values, errors = _seconds(own), _values(own), _errors(own)
    slopes = [(values[j] - values[i]) / (at[j] - at[i]) for i in range(len(own)) for j in range(i) if at[i] != at[j]]
    slope = float(np.median(slopes)) if slopes else 0.0
    level = float(np.median(values - slope * at))
    weights = errors**-2
    for _ in range(20):
        far = np.abs(values - level - slope * at) / errors
        weights = errors**-2 * np.minimum(1.0, _HUBER / np.maximum(far, _HUBER))
        centre = float((weights * at).sum() / weights.sum())
        moment = float((weights * (at - centre) ** 2).sum()) + 1e-30
        slope = float((weights * (at - centre) * values).sum() / moment)
        level = float((weights * (values - slope * at)).sum() / weights.sum())
    clipped = np.minimum(np.abs(values - level - slope * at) / errors, _HUBER)
    spread = float(np.sqrt((clipped**2).sum() / max(len(own) - 2, 1)))
    return slope, moment**-0.5 * max(1.0, spread)


def _without_drift(own: Sequence[StretchLag], drift_ns: float) -> list[StretchLag]:
    """The stretches as they would be with the lag of the middle all the time."""
    at = _seconds(own)
    share = (at - (at[0] + at[-1]) / 2) / (at[-1] - at[0])
    return [replace(s, lag_ns=(s.lag_ns or 0.0) - drift_ns * part) for s, part in zip(own, share.tolist(), strict=True)]
