"""What a person would notice when watching an episode: arrays in, findings out. Pure.

None of it makes a dataset invalid; all of it makes a policy worse, or a person ask what happened there.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from telecine.core.findings import Finding, Severity
from telecine.core.grid import ON_GRID_NS, SECOND, off_rows_s
from telecine.core.stats import Floats
from telecine.core.text.numbers import counted, percent_text

SAME_SHARE = 0.95
"""Rows in which action equals state, above which nothing was commanded."""
IDLE_S = 1.0
STILL = 1e-3
"""Part of an element's range that counts as not moving."""
SHORT_S = 1.0
SHORT_SHARE = 0.2
LONG_TIMES, LONG_FROM = 4.0, 5
"""Episodes so many times as long as the typical one are told, from this many episodes on."""


def action_findings(state: Floats, action: Floats, where: str) -> Iterator[Finding]:
    """state: (n, w), action: (n, v) of the same rows; of other widths they are different things."""
    same = state.shape[1] == action.shape[1]
    share = float((state == action).all(axis=1).mean()) if same and len(state) else 0.0
    if share >= SAME_SHARE:
        text = f"the action is the state of the same row in {percent_text(share)} of {counted(len(state), 'row')}"
        fix = "record what was commanded, or take the next state; a policy learns to stay where it is"
        yield Finding("look-action-state", "warning", where, text, fix, rows=(0, len(state)))


def width_findings(state: int, action: int) -> Iterator[Finding]:
    """Of the whole dataset, by how many elements its state and action have."""
    if state != action:
        text = f"the action has {counted(action, 'element')}, the state {state}"
        yield Finding(
            "look-width", "info", "action", text, "right for other action spaces; else see the plan", key="action"
        )


def value_findings(values: Floats, where: str) -> Iterator[Finding]:
    """NaN and infinity. values: (n, w)."""
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        text = f"NaN or infinity in {bad.size} of {counted(len(values), 'row')}, first in row {int(bad[0])}"
        fix = "training would get NaN loss; leave the episode out"
        yield Finding("look-values", "error", where, text, fix, rows=(int(bad[0]), int(bad[-1]) + 1))


def moving(values: Floats) -> tuple[int, int]:
    """Rows [first, last) between the still ones at either end; (0, 0) when nothing moves at all."""
    span = np.ptp(values, axis=0)
    steps = (np.abs(np.diff(values, axis=0)) > STILL * span).any(axis=1)
    at = np.flatnonzero(steps)
    return (int(at[0]), int(at[-1]) + 2) if at.size else (0, 0)


def idle_findings(values: Floats, fps: int, where: str) -> Iterator[Finding]:
    """values: (n, w), finite, of everything that ought to move; one row alone cannot."""
    first, last = moving(values)
    if len(values) < 2:
        return
    if last == 0:
        yield Finding(
            "look-idle",
            "warning",
            where,
            f"nothing moves in {counted(len(values), 'row')}",
            "leave it out",
            rows=(0, len(values)),
        )
        return
    for start, stop, end in ((0, first, "start"), (last, len(values), "end")):
        if stop - start > IDLE_S * fps:
            text = f"nothing moves for {(stop - start) / fps:.1f} s at the {end}"
            yield Finding("look-idle", "info", where, text, "see `trim` in the plan", rows=(start, stop))


def time_findings(timestamps: Floats, fps: int, where: str) -> Iterator[Finding]:
    """timestamps: (n,) s, which LeRobot takes for row / fps within 0.1 ms."""
    wrong = np.flatnonzero(~(off_rows_s(timestamps, fps) < ON_GRID_NS / SECOND))
    if wrong.size:
        row = int(wrong[0])
        text = (
            f"{counted(wrong.size, 'timestamp is', 'timestamps are')} not row / fps, first row {row}: "
            f"{timestamps[row]:.4f} s for {row / fps:.4f}"
        )
        fix, rows = "LeRobot cannot find the frames of these rows", (row, int(wrong[-1]) + 1)
        yield Finding("look-timestamps", "error", where, text, fix, key="timestamp", rows=rows)


SMALLEST_PX = 64
"""The shorter side of frames in which objects can be told apart."""


def is_small(width: int, height: int) -> bool:
    """True for frames of a known size that are too small to see much.

    >>> is_small(64, 48), is_small(84, 84), is_small(0, 0)
    (True, False, False)
    """
    return 0 < min(width, height) < SMALLEST_PX


def small_text(width: int, height: int) -> str:
    """What is wrong with frames that are too small, and what to do."""
    return f"{width}x{height} is too small to see much: record again at 640x480 or more (RoboSandbox: render_size)"


def length_findings(lengths: Sequence[int], fps: int) -> Iterator[Finding]:
    """Episodes that are over before anything can have happened, and far longer ones than most."""
    typical = float(np.median(lengths)) if lengths else 0.0
    for number, length in enumerate(lengths):
        is_shorter = length < SHORT_SHARE * typical
        if is_shorter or length < SHORT_S * fps:
            severity: Severity = "warning"
            measure = f"the typical episode has {typical:.0f}" if is_shorter else f"that is under {SHORT_S:g} s"
            text = f"{counted(length, 'row')}, {length / fps:.2f} s; {measure}"
            fix = "leave it out unless it is meant"
            yield Finding("look-short", severity, f"episode {number}", text, fix, episode=number, rows=(0, length))
        elif length > LONG_TIMES * typical and len(lengths) >= LONG_FROM:
            text = f"{counted(length, 'row')}, {length / fps:.1f} s; the typical episode has {typical:.0f}"
            fix = "see what else it holds"
            yield Finding("look-long", "info", f"episode {number}", text, fix, episode=number, rows=(0, length))
