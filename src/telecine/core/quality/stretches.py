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
    ordered = np.sort(steps, axis=0)
    moves = np.count_nonzero(ordered > 0, axis=0)
    zeros = len(steps) - moves
    columns = np.arange(steps.shape[1])
    low, high = (np.minimum(zeros + middle, len(steps) - 1) for middle in ((moves - 1) // 2, moves // 2))
    found: Floats = (ordered[low, columns] + ordered[high, columns]) / 2
    return np.where(moves > 0, found, 0.0)


def named(names: Sequence[str], which: Flags, most: int = 4) -> str:
    """The names of elements, the first few of many.

    >>> named(("a", "b", "c"), np.array([True, False, True]))
    'a, c'
    """
    picked = [names[i] for i in np.flatnonzero(which)]
    more = len(picked) - most
    return ", ".join(picked[:most]) + (f" and {more} more" if more > 0 else "")
