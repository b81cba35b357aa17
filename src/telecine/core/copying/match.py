"""Which frame each tick shows, with as few frames repeated or left out as a reach allows.

`hold` answers tick by tick. Where a camera drifts against the grid, jitter then makes it repeat and skip frames
over and over, though one change would do. Here every tick has a window of frames it may show, and the
assignment with the fewest changes is found in one pass over the ticks, whose number is that of the frames.
"""

from typing import Literal

import numpy as np

from telecine.core.align import hold, measure, nearest
from telecine.core.dataclass import dataclass
from telecine.core.grid import Rows, Times, grid_of

ROWS_PER_CHANGE = 10
"""How many rows may show a frame one off what they want to save one change."""


@dataclass(frozen=True, eq=False, slots=True)
class Windows:
    """Frames that each of m ticks may show: low[i] .. high[i], both included, and best of all wanted[i].

    low, high, wanted: (m,) int64, each non-decreasing, low <= wanted <= high.
    """

    low: Rows
    high: Rows
    wanted: Rows


def reach_of(slack: int | Literal["auto"], times: Times, tick_ns: int, *, causal: bool) -> int:
    """How far from its tick, in ns, a frame other than the aligned one may be: `slack`, or what is right for a camera.

    For a camera that is one and a half of its periods, at most of ticks (for `nearest`, two thirds of that): enough
    for the frame beside the aligned one, whatever the jitter. Frames on a grid do not jitter, and each is the frame
    of a row; there it is 0, the aligned frames only. times: (n,) int64 ns of all frames, non-decreasing.
    """
    if slack != "auto":
        return slack
    period = 0 if grid_of(times) else min(measure(times).period_ns, tick_ns)
    return period * 3 // 2 if causal else period


def windows(times: Times, ticks: Times, reach_ns: int, *, causal: bool) -> Windows:
    """Every frame within `reach_ns` of each tick and of the frame aligned with it, none after it when `causal`.

    times: (n,) int64 ns, non-decreasing, n > 0; ticks: (m,) int64 ns, non-decreasing. Wanted is the frame that
    `hold` (or `nearest`) chooses; where none is within reach it is alone in its window, however far away it is.
    A tick before the first frame gets that one; callers ask for such ticks only when not causal.
    """
    wanted = np.maximum(hold(times, ticks, None) if causal else nearest(times, ticks, None), 0)
    lowest, highest = np.maximum(ticks, times[wanted]) - reach_ns, np.minimum(ticks, times[wanted]) + reach_ns
    first = np.searchsorted(times, lowest, side="left").astype(np.int64)
    last = np.searchsorted(times, np.minimum(ticks, highest) if causal else highest, side="right").astype(np.int64) - 1
    alone = last < first
    # Of several frames with one stamp `nearest` takes the last, the window after it may begin with the first.
    low = np.maximum.accumulate(np.where(alone, wanted, first))
    return Windows(low, np.where(alone, wanted, last), wanted)


def fewest_changes(allowed: Windows) -> Rows:
    """(m,) int64 frames, non-decreasing, one in each window, with the fewest changes, near the wanted ones.

    A change is a frame shown once more or a frame left out between the first and the last. With s = row - tick
    number their count is sum |s[i+1] - s[i]|. The least count of changes up to tick i that ends at s is, as a function
    of s, a constant plus the distance from an interval, which is carried forward; going back, each tick takes of the
    s that keep the sum the one nearest to what it wants (with `hold`, the latest). That rows never go back follows
    from windows that never do.
    """
    number = np.arange(allowed.low.size)
    low, high = (allowed.low - number).tolist(), (allowed.high - number).tolist()
    best, stretch = _intervals(low, high)
    if not best:
        return number
    wanted = allowed.wanted - number
    after = int(np.clip(np.median(wanted[stretch:]), *best[-1]))
    path = []
    for (start, stop), least, most, want in zip(best[::-1], low[::-1], high[::-1], wanted[::-1].tolist(), strict=True):
        if after > stop:
            after = min(max(want, stop), after, most)
        elif after < start:
            after = max(min(want, start), after, least)
        path.append(after)
    return np.array(path[::-1], np.int64) + number


def _intervals(low: list[int], high: list[int]) -> tuple[list[tuple[int, int]], int]:
    """For each tick the s at which the fewest changes up to it can end, and from which tick on no change is needed."""
    best: list[tuple[int, int]] = []
    stretch = 0
    for number, (least, most) in enumerate(zip(low, high, strict=True)):
        start, stop = best[-1] if best else (least, most)
        if least > stop or most < start:
            start = stop = least if least > stop else most
            stretch = number
        best.append((max(start, least), min(stop, most)))
    return best, stretch


def refreshed(rows: Rows, allowed: Windows) -> Rows:
    """`rows`, but what is wanted wherever the changes that this adds are not worth the older frames.

    To show the frame before, all the time, saves one repeat when a frame is lost at last. Such a stretch must save
    a change for each ten rows that it shows a frame off what they want. rows: (m,) within `allowed`.
    """
    out = rows.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rows != allowed.wanted, [False]])))
    for start, stop in edges.reshape(-1, 2).tolist():
        around = slice(max(start - 1, 0), stop + 1)
        saved = _changes(allowed.wanted[around]) - _changes(rows[around])
        if saved * ROWS_PER_CHANGE < np.abs(allowed.wanted[start:stop] - rows[start:stop]).sum():
            out[start:stop] = allowed.wanted[start:stop]
    return out


def _changes(rows: Rows) -> int:
    return int(np.abs(np.diff(rows) - 1).sum())


def settle(rows: Rows, allowed: Windows, keys: Rows, repeats: Rows | None) -> Rows:
    """The same changes, each moved within its windows to the nearest row where it costs nothing or least.

    A frame left out costs nothing when a keyframe follows; a repeated one costs next to nothing where a skipped
    frame fits behind it, and least just before a keyframe.

    rows: (m,) as `fewest_changes` gives; keys: increasing positions of keyframes in display order; repeats: (n,) how
    often each frame, in display order, can be repeated; None: never. Returns (m,) with as many changes.
    """
    shift = rows - np.arange(rows.size)
    bounds = np.flatnonzero(np.diff(shift)) + 1
    left = 0
    for number, at in enumerate(bounds.tolist()):
        right = int(bounds[number + 1]) if number + 1 < bounds.size else rows.size
        before, after = int(shift[at - 1]), int(shift[at])
        if before > after and repeats is not None and repeats[at - 1 + before]:
            left = at
            continue
        target = _nearest(at, _range(allowed, before, after, (left, at, right)), keys - max(before, after))
        shift[min(at, target) : max(at, target)] = before if target > at else after
        left = target
    return np.asarray(shift + np.arange(rows.size), np.int64)


def _range(allowed: Windows, before: int, after: int, around: tuple[int, int, int]) -> tuple[int, int]:
    """Where the step from `before` to `after` at the middle of `around` may lie: (earliest, latest)."""
    left, at, right = around
    earlier, later = np.arange(left + 1, at), np.arange(at, right - 1)
    bad = np.flatnonzero((after + earlier < allowed.low[earlier]) | (after + earlier > allowed.high[earlier]))
    earliest = int(earlier[bad[-1]]) + 1 if bad.size else left + 1
    bad = np.flatnonzero((before + later < allowed.low[later]) | (before + later > allowed.high[later]))
    latest = int(later[bad[0]]) if bad.size else max(right - 1, at)
    return min(earliest, at), latest


def _nearest(at: int, between: tuple[int, int], candidates: Rows) -> int:
    """The one of `candidates` (increasing) within [earliest, latest] that is closest to `at`, else `at`."""
    inside = candidates[np.searchsorted(candidates, between[0]) : np.searchsorted(candidates, between[1], side="right")]
    return int(inside[np.argmin(np.abs(inside - at))]) if inside.size else at
