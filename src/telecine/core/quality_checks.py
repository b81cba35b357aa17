"""What a person would notice when watching an episode: arrays in, findings out. Pure.

None of it makes a dataset invalid; all of it makes a policy worse, or a person ask what happened there.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from telecine.core.findings import Finding, Severity
from telecine.core.stats import Floats
from telecine.core.video import Flags

SAME_SHARE = 0.95
"""Rows in which action equals state, above which nothing was commanded."""
IDLE_S = 1.0
STILL = 1e-3
"""Part of an element's range that counts as not moving."""
CLIPPED_SHARE = 0.2
DARK = 16.0
"""Mean brightness, 0 to 255, below which a person sees nothing."""
FROZEN = 0.5
"""Mean absolute difference of frames, 0 to 255, which an encoder alone makes."""
SHORT_S = 1.0
SHORT_SHARE = 0.2


def action_findings(state: Floats, action: Floats, where: str) -> Iterator[Finding]:
    """state: (n, w), action: (n, v) of the same rows."""
    if state.shape[1] != action.shape[1]:
        text = f"the action has {action.shape[1]} elements, the state {state.shape[1]}"
        yield Finding("look-width", "info", where, text, "right for other action spaces; else see the plan")
        return
    share = float((state == action).all(axis=1).mean()) if len(state) else 0.0
    if share >= SAME_SHARE:
        text = f"the action is the state of the same row in {share:.0%} of {len(state)} rows"
        fix = "record what was commanded, or take the next state; a policy learns to stay where it is"
        yield Finding("look-action-state", "warning", where, text, fix)


def value_findings(values: Floats, names: Sequence[str], where: str) -> Iterator[Finding]:
    """NaN, infinity, and elements that stand at their end. values: (n, w), names: w of them."""
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        text = f"NaN or infinity in {bad.size} of {len(values)} rows, first in row {int(bad[0])}"
        fix = "training would get NaN loss; leave the episode out"
        yield Finding("look-values", "error", where, text, fix, rows=(int(bad[0]), int(bad[-1]) + 1))
        return
    clipped = [names[i] for i in np.flatnonzero(_clipped(values))]
    if clipped:
        text = f"at its end in over {CLIPPED_SHARE:.0%} of rows: {', '.join(clipped)}"
        yield Finding("look-clipped", "info", where, text, "grippers do that; joints that do were clipped")


def _clipped(values: Floats) -> Flags:
    """(w,) true for elements that take many values, but one of their two ends in many rows.

    The ends of the episode do not count: who stands still there stands at an end without being clipped.
    """
    if not len(values):
        return np.zeros(values.shape[1], np.bool_)
    first, last = moving(values)
    inner = np.sort(values[first:last], axis=0)
    if len(inner) <= 10:
        return np.zeros(values.shape[1], np.bool_)
    different = 1 + (inner[1:] != inner[:-1]).sum(axis=0)
    at_an_end = np.maximum((inner == inner[0]).sum(axis=0), (inner == inner[-1]).sum(axis=0))
    return np.asarray((different > 10) & (at_an_end > CLIPPED_SHARE * len(inner)))


def moving(values: Floats) -> tuple[int, int]:
    """Rows [first, last) between the still ones at either end; (0, 0) when nothing moves at all."""
    span = np.ptp(values, axis=0)
    steps = (np.abs(np.diff(values, axis=0)) > STILL * span).any(axis=1)
    at = np.flatnonzero(steps)
    return (int(at[0]), int(at[-1]) + 2) if at.size else (0, 0)


def idle_findings(values: Floats, fps: int, where: str) -> Iterator[Finding]:
    """values: (n, w), finite, of everything that ought to move."""
    first, last = moving(values)
    if last == 0:
        yield Finding("look-idle", "warning", where, f"nothing moves in {len(values)} rows", "leave the episode out")
        return
    ends = [(first / fps, "start"), ((len(values) - last) / fps, "end")]
    ends_idle = [f"{seconds:.1f} s at the {end}" for seconds, end in ends if seconds > IDLE_S]
    if ends_idle:
        yield Finding(
            "look-idle", "info", where, f"nothing moves for {' and '.join(ends_idle)}", "see `trim` in the plan"
        )


def time_findings(timestamps: Floats, fps: int, where: str) -> Iterator[Finding]:
    """timestamps: (n,) s, which LeRobot takes for row / fps within 0.1 ms."""
    off = np.abs(timestamps - np.arange(timestamps.size) / fps)
    wrong = np.flatnonzero(~(off < 1e-4))
    if wrong.size:
        row = int(wrong[0])
        text = (
            f"{wrong.size} timestamps are not row / fps, first row {row}: {timestamps[row]:.4f} s for {row / fps:.4f}"
        )
        fix, rows = "LeRobot cannot find the frames of these rows", (row, int(wrong[-1]) + 1)
        yield Finding("look-timestamps", "error", where, text, fix, key="timestamp", rows=rows)


def frame_findings(brightness: Floats, differences: Floats, where: str) -> Iterator[Finding]:
    """brightness: (k,) means of sampled frames; differences: (k - 1,) mean absolute, from one to the next."""
    if brightness.size and float(brightness.max()) < DARK:
        text = f"dark: mean brightness {float(brightness.mean()):.0f} of 255 at most {float(brightness.max()):.0f}"
        yield Finding("look-dark", "warning", where, text, "check exposure, lights and the camera's cover")
    if differences.size and float(differences.max()) < FROZEN:
        text = f"frozen: {brightness.size} frames over the episode are all alike"
        yield Finding("look-frozen", "warning", where, text, "check whether the camera ran")


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
    """Episodes that are over before anything can have happened."""
    typical = float(np.median(lengths)) if lengths else 0.0
    for number, length in enumerate(lengths):
        if length < SHORT_S * fps or length < SHORT_SHARE * typical:
            severity: Severity = "warning"
            text = f"{length} rows, {length / fps:.2f} s; the typical episode has {typical:.0f}"
            fix = "leave it out unless it is meant"
            yield Finding("look-short", severity, f"episode {number}", text, fix, episode=number, rows=(0, length))
