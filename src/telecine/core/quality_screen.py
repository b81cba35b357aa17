"""Which of many episodes are worth the checks of `quality_checks`. Pure.

A dataset of 50,000 short episodes would spend most of its time in checks that find nothing; here they are sifted, a run
of neighbours at a time. An episode that is not picked is one in which the checks find nothing; the reverse may happen.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from telecine.core.grid import ON_GRID_NS, SECOND, off_rows_s
from telecine.core.quality_checks import IDLE_S, SAME_SHARE, STILL
from telecine.core.stats import Floats
from telecine.core.video import Flags

Ints = npt.NDArray[np.int64]


def suspects(known: Mapping[str, Floats], lengths: Ints, fps: int, *, state: str, action: str) -> Flags:
    """(episodes,) true for those whose numbers `quality_checks` may find something about.

    known: (rows, width) values by key, the episodes' rows one after the other. lengths: (episodes,) rows of each.
    """
    if not len(lengths) or lengths.min() < 1:
        return np.ones(len(lengths), np.bool_)
    starts = np.cumsum(lengths) - lengths
    rows = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    bad, found = np.zeros(len(rows), np.bool_), np.zeros(len(lengths), np.bool_)
    for key, values in known.items():
        if key.startswith(("observation", "action")):
            bad |= ~np.isfinite(values).all(axis=1)
    if "timestamp" in known:
        bad |= ~(off_rows_s(known["timestamp"][:, 0], fps, rows) < ON_GRID_NS / SECOND)
    found |= np.logical_or.reduceat(bad, starts)
    moves = [known[key] for key in (state, action) if key in known]
    if moves:
        found |= _idle(np.concatenate(moves, axis=1), starts, lengths, fps)
    if len(moves) == 2 and moves[0].shape[1] == moves[1].shape[1]:
        found |= _equal(moves[0], moves[1], starts, lengths)
    return found


def _idle(values: Floats, starts: Ints, lengths: Ints, fps: int) -> Flags:
    """Episodes in which nothing moves, or nothing does for `IDLE_S` at the start or the end."""
    spans = np.maximum.reduceat(values, starts) - np.minimum.reduceat(values, starts)
    steps = np.zeros(len(values), np.bool_)
    steps[1:] = (np.abs(np.diff(values, axis=0)) > STILL * np.repeat(spans, lengths, axis=0)[1:]).any(axis=1)
    steps[starts] = False
    moving = np.concatenate([np.flatnonzero(steps), [len(values)]])
    first = moving[np.searchsorted(moving, starts)]
    last = moving[np.maximum(np.searchsorted(moving, starts + lengths) - 1, 0)]
    nothing = first >= starts + lengths
    at_start, at_end = first - 1 - starts, starts + lengths - 1 - last
    return np.asarray(nothing | (at_start > IDLE_S * fps) | (at_end > IDLE_S * fps) | ~np.isfinite(spans).all(axis=1))


def _equal(state: Floats, action: Floats, starts: Ints, lengths: Ints) -> Flags:
    """Episodes whose action is the state in most rows."""
    same = np.add.reduceat((state == action).all(axis=1).astype(np.int64), starts)
    return np.asarray(same >= SAME_SHARE * lengths - 1)
