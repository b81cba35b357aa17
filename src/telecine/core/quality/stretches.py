"""Where something holds: runs of true values, and how much numbers move."""

from collections.abc import Sequence

import numpy as np

from telecine.core.stats import Floats
from telecine.core.video import Flags


def stretches(flags: Flags, least: int = 1) -> list[tuple[int, int]]:
    """[start, stop) of each run of at least `least` true values.

    >>> stretches(np.array([True, False, True, True]), 2)
    [(2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def usual_step(steps: Floats) -> Floats:
    """(w,) the median of what is not zero in (n, w) sizes of steps; 0 for elements that never move."""
    filled = np.where(steps > 0, steps, np.nan)
    moves = (steps > 0).any(axis=0)
    found = np.zeros(steps.shape[1])
    if moves.any():
        found[moves] = np.nanmedian(filled[:, moves], axis=0)
    return found


def named(names: Sequence[str], which: Flags, most: int = 4) -> str:
    """The names of elements, the first few of many.

    >>> named(("a", "b", "c"), np.array([True, False, True]))
    'a, c'
    """
    picked = [names[i] for i in np.flatnonzero(which)]
    more = len(picked) - most
    return ", ".join(picked[:most]) + (f" and {more} more" if more > 0 else "")
