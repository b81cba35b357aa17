"""Numbers that stand still or come again while the robot goes on. One episode at a time."""

from collections.abc import Iterator

import numpy as np

from telecine.core.findings import Finding
from telecine.core.quality.episode_rows import ACTION, STATE, EpisodeNumbers, is_gripper
from telecine.core.quality.stretches import stretches, usual_step
from telecine.core.stats import Floats
from telecine.core.text.numbers import counted
from telecine.core.video import Flags

STUCK_S = 0.4
"""Exactly equal rows for so long are looked at."""
BRIEF, NEAR, LEAP, LOST = 4, 3, 2.5, 2.5
"""So many steps of nothing are a brief stop where the step after them is so many times the largest of so many beside
it, and what was missed meanwhile up to this factor."""
FEWEST_LEAPS = 3
"""Elements that leap, where not a part of all does, but of those that move around there."""
CATCH_UP, CATCH_UP_SHARE = 5.0, 0.03
"""What comes after them jumps by so many usual steps, and by this part of the range."""
MOST_HOLDS = 2
"""Numbers that come at a lower rate than rows stand and jump all the time."""
FOLLOW_S = 0.25
"""How far a healthy robot may be behind its command."""
COMMANDED = 0.15
"""Part of its range by which the other of action and state moves meanwhile."""
REPEAT_S = 0.2
FOLLOW_LATE_S, ASKED, MOVING = 0.5, 0.25, 0.5
"""How late the slowest joint follows its action; by which part of its range that has to move for a joint that does not;
and in which part of the rows before it has to have moved."""
FOLLOWED = 0.05
"""The part of its action's range that a joint has to have moved at all."""
COARSE = 4.0
"""The action has to move by so many of its usual steps, too, which are large where the joint is told coarsely."""


def stuck_findings(rows: EpisodeNumbers) -> Iterator[Finding]:
    """State or action that stands exactly still, then catches up, or while the other one moves."""
    told: list[tuple[int, int]] = []
    for key in rows.moving:
        for start, stop in ((a, b) for a, b in _stuck(rows, key) if not any(a < d and c < b for c, d in told)):
            told.append((start, stop))
            also = key == STATE and ACTION in rows.values and _stands(rows.values[ACTION][start:stop])
            what = "state and action stand" if also else f"{key.rpartition('.')[2]} stands"
            text = f"{what} exactly still for {(stop - start) / rows.fps:.1f} s while the robot moves"
            fix = "telemetry stopped: cut the rows, or leave the episode out"
            place = (start, stop)
            yield Finding("look-stuck", "warning", rows.where, text, fix, episode=rows.episode, key=key, rows=place)


def _stands(values: Floats) -> bool:
    return bool((values == values[0]).all())


def _stuck(rows: EpisodeNumbers, key: str) -> Iterator[tuple[int, int]]:
    """[start, stop) of equal rows that the robot did not stand still in."""
    values = rows.values[key]
    steps = np.abs(np.diff(values, axis=0))
    still = (steps == 0).all(axis=1)
    least = max(8, round(STUCK_S * rows.fps))
    if not still.any():
        return
    span = np.ptp(values, axis=0)
    large = steps > CATCH_UP_SHARE * span
    jumps = large & (steps > CATCH_UP * usual_step(steps))
    holds = [(a, b) for a, b in stretches(still, 3) if b < len(steps) and _catches_up(large[b], span > 0)]
    for a, b in stretches(still, BRIEF):
        start, stop = a, b + 1
        regular = len([h for h in holds if h != (a, b)]) > MOST_HOLDS
        if b - a < least:
            if not regular and _goes_on_after(rows, a, b):
                yield start, stop
            continue
        caught = (a, b) in holds and _catches_up(jumps[b], span > 0)
        caught &= key == STATE or _other_moves(rows, key, start, stop, 0.0)
        commanded = key == STATE and start > 0 and _other_moves(rows, key, start, stop, FOLLOW_S)
        if not regular and (caught or commanded):
            yield start, stop


def _goes_on_after(rows: EpisodeNumbers, start: int, stop: int) -> bool:
    """True when state or action stands for [start, stop) steps, and then has the motion that was missed."""
    for values in (rows.values[key] for key in rows.moving):
        steps = np.abs(np.diff(values, axis=0))
        leaps, moves = leaps_after(steps, start, stop), np.ptp(values, axis=0) > 0
        near = steps[max(start - NEAR, 0) : stop + 1 + NEAR]
        beside = np.asarray((near > 0).any(axis=0))  # of two arms one may rest
        several = leaps.sum() >= FEWEST_LEAPS and _catches_up(leaps, beside)
        if not steps[start:stop].any() and (several or _catches_up(leaps, moves)):
            return True
    return False


def leaps_after(steps: Floats, start: int, stop: int, leap: float = LEAP) -> Flags:
    """(w,) where motion of before and after [start, stop) steps of nothing goes on behind them with what was missed.

    steps: (n, w) sizes.
    """
    before, after = steps[max(start - NEAR, 0) : start], steps[stop + 1 : stop + 1 + NEAR]
    if len(before) < NEAR or len(after) < NEAR:
        return np.zeros(steps.shape[1], np.bool_)
    beside = np.concatenate([before, after])
    missed = (stop - start + 1) * beside.mean(axis=0)
    found = (steps[stop] > leap * beside.max(axis=0)) & (steps[stop] < LOST * missed)
    return np.asarray(found & (steps[stop] > missed / LOST) & (missed > 0))


def _catches_up(jumps: Flags, moves: Flags) -> bool:
    """True when a good part of what moves at all jumps at once."""
    return int(jumps.sum()) >= max(1, -(-int(moves.sum()) // 3))


def _other_moves(rows: EpisodeNumbers, key: str, start: int, stop: int, tail_s: float) -> bool:
    """True when at least two elements of the other of state and action move clearly, well before `stop`.

    One alone may be a gripper that closes on an object, which its measured width cannot follow.
    """
    other = ACTION if key == STATE else STATE
    end = stop - round(tail_s * rows.fps)
    if other not in rows.values or end - start < 2:
        return False
    values = rows.values[other]
    span = np.ptp(values, axis=0)
    inside = np.ptp(values[start:end], axis=0)
    return int(((inside > COMMANDED * span) & (span > 0)).sum()) >= 2


def deaf_findings(rows: EpisodeNumbers) -> Iterator[Finding]:
    """Joints that follow their action, and then stand exactly still to the end although it goes on.

    One that moves again was held up: a finger at what it grasps, an arm at the table.
    """
    state, action = (rows.values.get(key) for key in (STATE, ACTION))
    if state is None or action is None or state.shape != action.shape:
        return
    least = round((STUCK_S + FOLLOW_LATE_S) * rows.fps)
    steps = np.abs(np.diff(state, axis=0))
    moved = (steps > 0)[::-1]
    if not moved[:least].any():  # all of it stands: `stuck_findings`
        return
    asked = np.maximum(ASKED * np.ptp(action, axis=0), COARSE * usual_step(steps))
    follows = np.ptp(state, axis=0) > FOLLOWED * np.ptp(action, axis=0)
    found: dict[int, list[str]] = {}
    for element in np.flatnonzero(follows & ~moved[:least].any(axis=0)).tolist():
        start, name = len(steps) - int(moved[:, element].argmax()), rows.names[STATE][element]
        goes_on = np.ptp(action[start : len(action) - round(FOLLOW_LATE_S * rows.fps), element]) > asked[element]
        if goes_on and np.mean(steps[:start, element] > 0) > MOVING and not is_gripper(name):
            found.setdefault(start, []).append(name)
    for start, names in found.items():
        length = len(state) - start
        text = f"{', '.join(names)}: no motion in the last {length / rows.fps:.1f} s, though the action asks for it"
        fix = "see whether it was recorded, or moved at all; cut the rows, or leave the episode out"
        place = (start, len(state))
        yield Finding("look-dead", "warning", rows.where, text, fix, episode=rows.episode, key=STATE, rows=place)


def repeated_findings(rows: EpisodeNumbers) -> Iterator[Finding]:
    """Moving rows that are exactly those of an earlier stretch of the episode."""
    if not rows.moving:
        return
    values = np.ascontiguousarray(np.concatenate([rows.values[key] for key in rows.moving], axis=1))
    count = len(values)
    moved = np.concatenate([[True], (np.diff(values, axis=0) != 0).any(axis=1)])
    codes = np.unique(values @ _mixed(values.shape[1]), return_inverse=True)[1].reshape(-1)
    order = np.lexsort((np.arange(count), codes))
    before = np.full(count, -1)
    same = codes[order[1:]] == codes[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    back = np.where((before >= 0) & moved, np.arange(count) - before, 0)
    changes = np.flatnonzero(np.diff(back)) + 1
    least = max(5, round(REPEAT_S * rows.fps))
    for start, stop in zip([0, *changes.tolist()], [*changes.tolist(), count], strict=True):
        first, length = int(before[start]), stop - start
        long = back[start] != 0 and length >= least
        if long and np.array_equal(values[start:stop], values[first : first + length]):
            text = f"{counted(length, 'moving row is', 'moving rows are')} exactly those from row {first} on"
            fix = "rows were written twice: cut them"
            yield Finding("look-repeated", "warning", rows.where, text, fix, episode=rows.episode, rows=(start, stop))


def _mixed(width: int) -> Floats:
    """(width,) factors that hardly ever give two rows one sum; sums that agree are compared row by row."""
    made: Floats = np.sqrt(np.arange(2, width + 2)) + np.pi
    return made
