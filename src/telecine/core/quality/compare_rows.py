"""One episode's numbers beside those of the others: copies, dead joints, units, order, lag, range."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telecine.core.findings import Finding
from telecine.core.quality.episode_rows import ACTION, STATE, is_gripper
from telecine.core.quality.row_facts import KeyFacts, RowFacts
from telecine.core.quality.stretches import named
from telecine.core.stats import Floats
from telecine.core.text.numbers import counted
from telecine.core.video import Flags

Names = Mapping[str, Sequence[str]]
FEW = 4
"""Episodes from which "the others" means something."""
DEAD_SHARE = 0.005
"""Part of the usual range that counts as no motion."""
MOST_MOVE, MOVE_SHARE = 0.9, 0.25
"""Part of the episodes in which an element must move to be missed where it does not: by this part of its usual range,
which an arm that mostly rests does not."""
UNITS = ((180 / np.pi, "degrees for radians"), (1000.0, "mm for m"), (100.0, "percent or cm for parts or m"))
IN_BAND, OUT_OF_BAND = 1.0, 4.0
"""How far the ends of an element are from their usual values, in usual spreads, when it is, and is not, itself."""
NEAR_ZERO = 0.25
"""Part of its range by which an element may be from zero to be near it."""
FOLLOW_S, FOLLOW_ROWS = 0.5, 3
"""A state may need so long to follow its action."""
LAG_S, LAG_ROWS = 0.1, 2.5
"""How far a lag is from the others' before it is told."""
OUTSIDE, OUTSIDE_FEW = 1.0, 12.0
"""How far outside of the other episodes an end lies, in their whole range, which few episodes hardly tell: plus this
by their number."""
OUTSIDE_LEAST = 0.5
"""And by this part of what most elements of the feature move at all: a joint that hardly moves may once move a bit."""
TOGETHER, MOST_TOGETHER = 10, 5
"""One episode of so many may stand apart, and at most so many together."""


def row_comparisons(facts: RowFacts, names: Names, fps: int) -> Iterator[Finding]:
    """All findings on numbers that need other episodes; those of units and order stand for those of range."""
    yield from _copies(facts)
    yield from _lags(facts, fps)
    for key, own in facts.keys.items():
        odd = np.zeros(len(facts.lengths), np.bool_)
        if facts.lengths.max() > 1:
            yield from _constant(own, key, names[key])
        yield from _dead(facts, key, names[key], fps)
        for finding in (*_units(facts, key), *_orders(facts, key, names[key])):
            odd |= facts.episodes == finding.episode
            yield finding
        yield from _ranges(facts, key, names[key], odd)


def _whole(facts: RowFacts, code: str, at: int, text: str, fix: str, *, key: str | None = None) -> Finding:
    """A finding on the whole episode at a position of the facts."""
    number, place = int(facts.episodes[at]), (0, int(facts.lengths[at]))
    return Finding(code, "warning", f"episode {number}", text, fix, episode=number, key=key, rows=place)


def _copies(facts: RowFacts) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for number, digest in enumerate(facts.digests):
        if digest and first.setdefault(digest, number) != number:
            text = f"all numbers are exactly those of episode {facts.episodes[first[digest]]}"
            yield _whole(facts, "look-copy", number, text, "leave one of the two out")


def _constant(own: KeyFacts, key: str, names: Sequence[str]) -> Iterator[Finding]:
    same = (own.low.min(axis=0) == own.high.max(axis=0)) & np.isfinite(own.low).all(axis=0)
    if same.any():
        text = f"no change in {counted(len(own.low), 'episode')}: {named(names, same)}"
        yield Finding(
            "look-constant", "info", key, text, "leave the element out, or see whether it was recorded", key=key
        )


def _dead(facts: RowFacts, key: str, names: Sequence[str], fps: int) -> Iterator[Finding]:
    """Elements that do not move in an episode, although they do in nearly all others, or their command does."""
    span = facts.keys[key].high - facts.keys[key].low
    usual = np.median(span, axis=0)
    mostly = (span > MOVE_SHARE * usual).mean(axis=0) >= MOST_MOVE
    missed = (span <= DEAD_SHARE * usual) & mostly & (usual > 0) & (len(span) >= FEW)
    alive = _alive(span, ~missed & (usual > 0))
    if key == ACTION and STATE in facts.keys:
        state = facts.keys[STATE].high - facts.keys[STATE].low
        alive |= _alive(state, np.broadcast_to(np.median(state, axis=0) > 0, state.shape))
    missed &= alive[:, None]
    deaf = _not_following(facts, fps) if key == STATE else np.zeros(missed.shape, np.bool_)
    missed |= deaf
    grippers = np.array([is_gripper(name) for name in names])
    for number in np.flatnonzero(missed.any(axis=1)).tolist():
        apart = grippers & ~missed[number][~grippers].all()  # where nothing moves it is not the gripper alone
        for code, which in (("look-gripper", missed[number] & apart), ("look-dead", missed[number] & ~apart)):
            if which.any():
                text = f"{named(names, which)}: no motion here, though {_why(len(facts.lengths), deaf[number] & which)}"
                fix = "see whether it was recorded, or moved at all; else leave the episode out"
                yield _whole(facts, code, number, text, fix, key=key)


def _alive(span: Floats, among: Flags) -> Flags:
    """(e,) true for episodes in which half of the elements among these move about as much as usual; both (e, width)."""
    moving = among & (span > 0.3 * np.median(span, axis=0))
    return np.asarray(moving.sum(axis=1) >= np.maximum(among.sum(axis=1) / 2, 1))


def _why(count: int, deaf: Flags) -> str:
    return "the action asks for it" if deaf.any() else f"there is in most of {counted(count, 'episode')}"


def _not_following(facts: RowFacts, fps: int) -> Flags:
    """(e, width) true where the state stands exactly still while its action moves as others do, not only at its end.

    Not in a dataset where the element never moves at all: that is `look-constant`.
    """
    state, action = facts.keys[STATE], facts.keys.get(ACTION)
    still = state.high == state.low
    if action is None or action.low.shape != state.low.shape:
        return np.zeros(still.shape, np.bool_)
    span = action.high - action.low
    usual = np.median(span, axis=1, keepdims=True)
    other = ~(state.low.min(axis=0) == state.high.max(axis=0))
    alive = (~still).mean(axis=1, keepdims=True) >= 0.5
    away = np.minimum(action.mean - action.low, action.high - action.mean) * facts.lengths[:, None]
    alive = alive & (away >= span * max(FOLLOW_S * fps, FOLLOW_ROWS))
    return np.asarray(still & (span > 0.2 * usual) & (usual > 0) & other & alive)


def _units(facts: RowFacts, key: str) -> Iterator[Finding]:
    """Episodes in which most of what moves is larger or smaller by the factor between two units."""
    own = facts.keys[key]
    span = own.high - own.low
    usual = np.percentile(span, 50, axis=0, method="lower")  # of two halves one, not what lies between them
    counted = usual > 0
    if len(span) < FEW or counted.sum() < 2:
        return
    ratio = span[:, counted] / usual[counted]
    size = np.maximum(np.abs(own.low), np.abs(own.high))[:, counted]
    level = size / np.maximum(np.percentile(size, 50, axis=0, method="lower"), 1e-12)
    for number in np.flatnonzero((np.median(ratio, axis=1) > 8) | (np.median(ratio, axis=1) < 1 / 8)).tolist():
        for factor, meaning in UNITS:
            for by, text in ((factor, "times as large"), (1 / factor, "times as small")):
                fits = np.mean((ratio[number] > by / 4) & (ratio[number] < by * 4)) >= 0.6
                near = by / 3 < float(np.median(level[number])) < by * 3
                if fits and near and _nearest(float(np.median(level[number]))) == by:
                    said = f"values are about {factor:.0f} {text} as in the other episodes: {meaning}, or the reverse"
                    yield _whole(facts, "look-units", number, said, "`scale` in a plan, or leave it out", key=key)


def _nearest(ratio: float) -> float:
    """The factor between two units that is nearest to a ratio."""
    factors = [by for factor, _ in UNITS for by in (factor, 1 / factor)]
    return min(factors, key=lambda by: abs(np.log(max(ratio, 1e-12) / by)))


@dataclass(frozen=True, eq=False, slots=True)
class _Usual:
    """Where the ends and the mean of each element usually are, and how much they vary: (3, width) each."""

    middle: Floats
    spread: Floats

    @property
    def moving(self) -> Flags:
        return np.asarray(np.isfinite(self.spread[0]))

    @property
    def from_zero(self) -> Flags:
        """Where an element begins or ends near zero, from which it may turn to either side."""
        low, high = self.middle[0], self.middle[1]
        return np.asarray((low < NEAR_ZERO * (high - low)) & (high > -NEAR_ZERO * (high - low)))


def _orders(facts: RowFacts, key: str, names: Sequence[str]) -> Iterator[Finding]:
    """Episodes in which several elements look like one another's, and not like their own."""
    own = facts.keys[key]
    if len(own.low) < FEW or own.low.shape[1] < 2:
        return
    ends = np.stack([own.low, own.high, own.mean], axis=1)
    low, middle, high = np.percentile(ends, [25, 50, 75], axis=0)
    span = np.median(own.high - own.low, axis=0)
    spread = (high - low) / 2 + 0.1 * span  # quartiles tell a joint that turns to either side
    usual = _Usual(middle, np.where(span > 0, spread, np.inf))
    off = np.abs(ends - middle) / usual.spread
    for number in np.flatnonzero((off.mean(axis=1) > OUT_OF_BAND).sum(axis=1) >= 2).tolist():
        text = _order(ends[number], usual, names)
        if text:
            yield _whole(facts, "look-order", number, text, "name the elements in the plan, or leave it out", key=key)


def _order(ends: Floats, usual: _Usual, names: Sequence[str]) -> str:
    """What an episode's elements look like, when the strangers among them are a permutation of each other, else "".

    A joint that only turns to the other side is none: to the left, it looks like another one that turns to the left.
    """
    cost = (np.abs(ends[:, :, None] - usual.middle[:, None, :]) / usual.spread[:, None, :]).mean(axis=0)
    aside = (np.abs(np.stack([-ends[1], -ends[0], -ends[2]]) - usual.middle) / usual.spread).mean(axis=0)
    aside = (aside < 2 * IN_BAND) & usual.from_zero
    strangers = np.flatnonzero(usual.moving & (np.diag(cost) > OUT_OF_BAND) & ~aside)
    among = cost[np.ix_(strangers, strangers)]
    like = {
        int(a): int(strangers[row.argmin()]) for a, row in zip(strangers, among, strict=True) if row.min() < 2 * IN_BAND
    }
    while like.keys() != set(
        like.values()
    ):  # who looks like one that looks like itself, or like nothing, is no part of it
        like = {a: b for a, b in like.items() if b in like and a in like.values()}
    return f"elements are in another order: {_listed(like, names)}" if len(like) > 1 else ""


def _listed(like: Mapping[int, int], names: Sequence[str]) -> str:
    return "; ".join([f"{names[a]} looks like {names[b]}" for a, b in like.items()][:3])


def _lags(facts: RowFacts, fps: int) -> Iterator[Finding]:
    known = np.flatnonzero(np.isfinite(facts.lag_rows[:, 0]))
    if len(known) < FEW:
        return
    lags, low, high = facts.lag_rows[known].T
    usual = float(np.median(lags))
    steady = float(np.median(np.abs(lags - usual)))
    least = max(LAG_S * fps, LAG_ROWS, 6 * steady)
    for number in known[(np.abs(lags - usual) > least) & ((low > usual) | (high < usual))].tolist():
        here, most = facts.lag_rows[number, 0] / fps * 1000, usual / fps * 1000
        text = f"the state follows the action by {here:.0f} ms, in most episodes by {most:.0f} ms"
        yield _whole(facts, "look-lag", number, text, "`offset` in a plan, or leave it out", key=STATE)


def _ranges(facts: RowFacts, key: str, names: Sequence[str], told: Flags) -> Iterator[Finding]:
    """Ends far outside of those of the other episodes, among the episodes of which nothing else explains it."""
    own, numbers = facts.keys[key].of(~told), facts.episodes[~told]
    for at, element, end, row, text in _outside(own):
        number = int(numbers[at])
        if is_gripper(names[element]):
            continue
        said = f"{names[element]} reaches {end:.4g}; the other episodes are {text}"
        fix = "a wrong value, another unit, or a pose that no other episode has"
        place = {"episode": number, "key": key, "rows": (row, row + 1)}
        yield Finding("look-range", "warning", f"episode {number}", said, fix, **place)  # type: ignore[arg-type]


def _outside(own: KeyFacts) -> Iterator[tuple[int, int, float, int, str]]:
    """(position, element, value, its row, the others' range in words); a few episodes may stand apart together."""
    count = len(own.low)
    if count <= FEW:
        return
    outside = OUTSIDE + OUTSIDE_FEW / count
    for ends, rows, sign in ((own.high, own.high_row, 1.0), (own.low, own.low_row, -1.0)):
        order = np.argsort(sign * ends, axis=0)
        told: set[tuple[int, int]] = set()
        for apart in range(1, max(min(count // TOGETHER, MOST_TOGETHER), 1) + 1):
            last = order[-apart:]
            nearest, beyond = (np.take_along_axis(ends, order[[at]], axis=0)[0] for at in (-apart - 1, -apart))
            others_low, others_high = _without(own.low, last, np.min), _without(own.high, last, np.max)
            span = others_high - others_low
            moving = span[span > 0]
            least = OUTSIDE_LEAST * float(np.median(moving)) if moving.size else 0.0
            off = sign * (beyond - nearest)
            for element in np.flatnonzero((off > outside * span) & (off > least) & (span > 0)).tolist():
                text = f"within {others_low[element]:.4g} to {others_high[element]:.4g}"
                for at in last[:, element].tolist():
                    if (at, element) not in told:
                        told.add((at, element))
                        yield at, element, float(ends[at, element]), int(rows[at, element]), text


def _without(values: Floats, left_out: npt.NDArray[np.intp], reduce: "object") -> Floats:
    """(width,) the least or greatest of each element, without some episodes of each. left_out: (k, width)."""
    kept = values.copy()
    np.put_along_axis(kept, left_out, np.nan, axis=0)
    made: Floats = np.nanmin(kept, axis=0) if reduce is np.min else np.nanmax(kept, axis=0)
    return made
