"""Numbers that leave their own motion: spikes, jumps, and motion that is cut off. One episode at a time."""

from collections.abc import Iterator

import numpy as np

from telecine.core.findings import Finding, Severity
from telecine.core.quality.episode_rows import ACTION, STATE, EpisodeNumbers, is_gripper
from telecine.core.quality.stretches import named, stretches, usual_step
from telecine.core.stats import Floats
from telecine.core.text.numbers import counted
from telecine.core.video import Flags

WINDOW = 7
"""Rows that say what is usual around one."""
SPIKE, SPIKE_SHARE = 10.0, 0.2
"""A spike is so many times the usual distance from its neighbours' median, and this part of the element's range."""
RETURNS = 0.3
RATE = 0.9
"""Correlation with the steps of another element, from which an element is taken for its speed."""
JUMP, JUMP_SHARE = 8.0, 0.15
"""A jump is so many times the largest other step, and this part of the element's range."""
AROUND, SUDDEN, SUDDEN_AROUND = 4, 4.0, 15.0
"""Or so many times the largest other step, and so many times the largest of so many rows around it."""
TURN, TURN_OFF = (2 * np.pi, 360.0), 0.02
"""A whole turn, by which an encoder is off that lost count; and the part of it that it may be off. Angles that are
kept within one turn jump by as much, too, and stay within it."""
ANSWERED = 3
"""Rows within which a state may be where its action asked it to be."""
PLATEAU = 4
"""Rows at exactly the end that count as cut off there."""
RESOLVED, SLOWER = 8.0, 0.5
"""At full speed an element moves by more of its smallest steps, and by this part of what it does in rows beside."""
BEYOND = 0.03
"""Part of the range by which the action asks for more than the state shows."""


def spike_findings(rows: EpisodeNumbers) -> Iterator[Finding]:
    """One or two rows far off, and back again."""
    for key in rows.moving:
        values = rows.values[key]
        spikes = _spikes(values)
        for element in np.flatnonzero(spikes.any(axis=0)).tolist():
            spikes[:, element] &= not _is_rate(rows, key, element)
        apart = spikes.any(axis=1)
        if not apart.any():
            continue
        at = np.flatnonzero(apart)
        elements = np.asarray(spikes.any(axis=0))
        worst = int(at[0])
        text = (
            f"{counted(len(at), 'row')} with a spike in {named(rows.names[key], elements)}, "
            f"first {_size(values, spikes, worst)}"
        )
        fix = "a sensor's or a bus's glitch: cut the rows, or replace the values"
        place = (worst, int(at[-1]) + 1)
        yield Finding("look-spikes", "warning", rows.where, text, fix, episode=rows.episode, key=key, rows=place)


def _is_rate(rows: EpisodeNumbers, key: str, element: int) -> bool:
    """True for an element that says how fast another one moves, spikes and all: a push, not a glitch."""
    column = rows.values[key][:, element]
    for other in rows.moving:
        steps = np.diff(rows.values[other], axis=0)
        if other == key:
            steps[:, element] = 0.0
        steps = steps[:, steps.std(axis=0) > 0]
        for part in (column[1:], column[:-1]):
            apart, off = steps - steps.mean(axis=0), part - part.mean()
            match = off @ apart / (len(part) * np.maximum(steps.std(axis=0) * part.std(), 1e-300))
            if (np.abs(match) > RATE).any():
                return True
    return False


def _size(values: Floats, spikes: Flags, row: int) -> str:
    element = int(np.flatnonzero(spikes[row])[0])
    near = values[max(row - 3, 0) : row + 4, element]
    return f"{values[row, element]:.4g} among {float(np.median(near)):.4g}"


def _spikes(values: Floats) -> Flags:
    """(n, w) true for single values that are far from those before and after, which agree with one another."""
    count = len(values)
    half = WINDOW // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0)
    off = np.abs(values - np.partition(windows, half, axis=2)[:, :, half])
    low, high = np.percentile(values, [2, 98], axis=0)
    large = (off > SPIKE * np.percentile(off, 95, axis=0)) & (off > SPIKE_SHARE * (high - low)) & (off > 0)
    found = np.zeros(values.shape, np.bool_)
    if not large.any():
        return found
    for element in np.flatnonzero(large.any(axis=0)):
        column = values[:, element]
        if np.unique(column).size < count / 4:
            continue  # a switch, or something that rests: its short moves are its motion
        for start, stop in stretches(large[:, element]):
            inside = start > 0 and stop < count and stop - start <= 2
            if inside and abs(column[stop] - column[start - 1]) < RETURNS * float(off[start:stop, element].max()):
                found[start:stop, element] = True
    return found


def jump_findings(rows: EpisodeNumbers) -> Iterator[Finding]:
    """The state goes on somewhere else from one row to the next, and stays there."""
    if STATE not in rows.values:
        return
    values = rows.values[STATE]
    steps = np.abs(np.diff(values, axis=0))
    standing = (steps == 0).all(axis=1)
    found: dict[int, list[int]] = {}
    for element in np.flatnonzero(_may_jump(values, steps)):
        at = int(steps[:, element].argmax())
        stuck = at >= 3 and bool(standing[at - 3 : at].all())  # it stood still before: that is another finding
        if not stuck and _stays(values[:, element], at) and not _asked(rows, int(element), at):
            found.setdefault(at, []).append(int(element))
    for at, elements in found.items():
        which = np.isin(np.arange(values.shape[1]), elements)
        moved = [f"{values[at, e]:.4g} to {values[at + 1, e]:.4g}" for e in elements[:2]]
        text = f"{named(rows.names[STATE], which)}: from {', '.join(moved)} within a row, to stay there"
        fix = "an encoder that lost its zero, or rows that are missing here: cut the episode before it"
        place = (at, at + 2)
        yield Finding("look-jump", "warning", rows.where, text, fix, episode=rows.episode, key=STATE, rows=place)


def _asked(rows: EpisodeNumbers, element: int, at: int) -> bool:
    """True when the action of the same element asked for the place behind the jump."""
    state, action = rows.values[STATE][:, element], rows.values.get(ACTION)
    if action is None or action.shape != rows.values[STATE].shape:
        return False
    off = np.abs(action[max(at + 1 - ANSWERED, 0) : at + 1, element] - state[at + 1])
    return bool((off < RETURNS * abs(state[at + 1] - state[at])).any())


def _may_jump(values: Floats, steps: Floats) -> Flags:
    """(w,) elements whose largest step is far above all others, although they move at other times too."""
    largest = steps.max(axis=0)
    if len(steps) < 8:
        return np.zeros(values.shape[1], np.bool_)
    at = steps.argmax(axis=0)
    apart = np.abs(np.arange(len(steps))[:, None] - at)
    others = np.where(apart <= 1, 0.0, steps)
    around = np.where(apart <= AROUND, others, 0.0)
    span = np.ptp(values, axis=0)
    turns = np.any([(np.abs(largest - turn) < TURN_OFF * turn) & (span > 1.05 * turn) for turn in TURN], axis=0)
    moves = (others.sum(axis=0) >= largest) | (turns & (others.sum(axis=0) > 0))
    sudden = (largest > SUDDEN * others.max(axis=0)) & (largest > SUDDEN_AROUND * around.max(axis=0))
    sudden |= largest > JUMP * others.max(axis=0)
    return np.asarray(sudden & (largest > JUMP_SHARE * span) & moves & (span > 0))


def _stays(column: Floats, at: int) -> bool:
    before, after = column[max(at - 4, 0) : at + 1], column[at + 1 : at + 6]
    step = abs(column[at + 1] - column[at])
    return bool(len(after) >= 3 and abs(np.median(after) - np.median(before)) > 0.7 * step)


def clipped_findings(rows: EpisodeNumbers) -> Iterator[Finding]:
    """Motion that is cut off at one end: it arrives there at full speed, stands exactly, and leaves at full speed."""
    for key in rows.moving:
        values = rows.values[key]
        at_ends = [(values == end(values, axis=0), sign) for end, sign in ((np.max, 1.0), (np.min, -1.0))]
        often = np.any([at_end.sum(axis=0) >= PLATEAU for at_end, _ in at_ends], axis=0)
        if not often.any():
            continue
        steps = np.abs(np.diff(values, axis=0))
        usual, standing = usual_step(steps), np.concatenate([[False], (steps == 0).all(axis=1)])
        for element in np.flatnonzero(often & (usual > 0)).tolist():
            column, name = values[:, element], rows.names[key][element]
            if is_gripper(name) or np.unique(column).size < len(column) / 4:
                continue
            for at_end, sign in at_ends:
                spans = _cut_off(at_end[:, element] & ~standing, column, float(usual[element]))
                asked = key == STATE and _asks_more(rows, element, spans, sign)
                if asked or len(spans) >= 2:
                    yield _clipped(rows, key, name, float(column[at_end[:, element]][0]), spans)


def _clipped(rows: EpisodeNumbers, key: str, name: str, end: float, spans: list[tuple[int, int]]) -> Finding:
    severity: Severity = "warning" if key == STATE else "info"
    count = sum(b - a for a, b in spans)
    text = f"{name} is cut off at {end:.4g} in {counted(count, 'row')}: it reaches and leaves that value at full speed"
    fix = "a limit of the driver or of the recording: raise it and record again"
    place = (spans[0][0], spans[-1][1])
    return Finding("look-clipped", severity, rows.where, text, fix, episode=rows.episode, key=key, rows=place)


def _cut_off(at_end: Flags, column: Floats, usual: float) -> list[tuple[int, int]]:
    """Stretches at the end that are entered and left at full speed, which a joint that stops and turns is not.

    It slows down before; and by how little it moves from row to row then, its sensor may not tell at all.
    """
    inside = [(a, b) for a, b in stretches(at_end, PLATEAU) if a >= 2 and b + 1 < len(column)]
    steps = np.abs(np.diff(column))
    least = max(0.5 * usual, RESOLVED * float(steps[steps > 0].min(initial=np.inf))) if inside else 0.0

    def sudden(step: float, beside: Floats) -> bool:
        return step > least and step > SLOWER * float(beside.max(initial=0.0))

    return [
        (a, b)
        for a, b in inside
        if sudden(steps[a - 2], steps[max(a - 5, 0) : a - 2]) and sudden(steps[b], steps[b + 1 : b + 4])
    ]


def _asks_more(rows: EpisodeNumbers, element: int, spans: list[tuple[int, int]], sign: float) -> bool:
    """True when the action of the same element goes clearly beyond the end at which the state stands."""
    action = rows.values.get(ACTION)
    state = rows.values[STATE]
    if action is None or action.shape != state.shape:
        return False
    margin = BEYOND * float(np.ptp(action[:, element]))
    beyond = [bool((sign * (action[a:b, element] - state[a:b, element]) > margin).mean() > 0.5) for a, b in spans]
    return any(beyond) and margin > 0
