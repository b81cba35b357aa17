"""Rows that run backwards: a stretch that makes smooth motion when it is turned round. One episode at a time."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from telecine.core.findings import Finding
from telecine.core.quality.episode_rows import EpisodeNumbers
from telecine.core.quality.jumps import TURN, TURN_OFF
from telecine.core.stats import Floats
from telecine.core.text.numbers import counted

NEAR = 5
"""Steps on either side that say how fast the robot is there."""
SUDDEN = 4.0
"""Where rows do not follow one another, the step is so many times the usual one near it."""
SMOOTH = 2.0
"""And turned round, at most so many times."""
FEWEST = 5
"""Rows."""
MOST_SEAMS = 12
TOGETHER = 5
"""Of the elements that move, the part by which one of so many has to jump."""


def reversed_findings(rows: EpisodeNumbers) -> Iterator[Finding]:
    """A stretch between two jumps which both vanish when its rows stand in the reversed order."""
    if not rows.moving:
        return
    values = np.concatenate([rows.values[key] for key in rows.moving], axis=1)
    span = np.ptp(values, axis=0)
    parts = values[:, span > 0] / span[span > 0]
    if len(parts) < 4 * NEAR or not parts.shape[1]:
        return
    place = _turned_round(parts, _seams(np.diff(values[:, span > 0], axis=0), parts))
    if place is not None:
        start, stop = place
        text = (
            f"{counted(stop - start, 'row runs', 'rows run')} backwards: reversed they go on from row "
            f"{start - 1} and on to row {stop}"
        )
        fix = "rows were written in the wrong order: cut them"
        yield Finding("look-reversed", "warning", rows.where, text, fix, episode=rows.episode, rows=place)


def _seams(changes: Floats, parts: Floats) -> list[int]:
    """Steps at which several elements leap, at most the largest, in order of time.

    A turn of an angle is none, nor is a step of what stands before and after it, such as a command that is on or off.
    """
    steps = np.abs(np.diff(parts, axis=0))
    size = np.linalg.norm(steps, axis=1)
    usual = _usual(size)
    found = np.flatnonzero((size > SUDDEN * usual) & (usual > 0))
    turns = np.any([np.abs(np.abs(changes[found]) - turn) < TURN_OFF * turn for turn in TURN], axis=0)
    beside = [np.median(steps[max(at - NEAR, 0) : at + NEAR + 1], axis=0) for at in found]
    leaps = [
        int(((steps[at] > SUDDEN * b) & (b > 0) & ~t).sum()) for at, b, t in zip(found, beside, turns, strict=True)
    ]
    found = found[np.array(leaps, np.int64) >= max(2, steps.shape[1] // TOGETHER)]
    largest = found[np.argsort(-size[found], kind="stable")][:MOST_SEAMS]
    return sorted(int(at) for at in largest)


def _usual(sizes: Floats) -> Floats:
    """(n,) the median of the steps around each, itself among them."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(sizes, NEAR, mode="reflect"), 2 * NEAR + 1)
    made: Floats = np.partition(windows, NEAR, axis=-1)[:, NEAR]
    return made


def _turned_round(parts: Floats, seams: list[int]) -> tuple[int, int] | None:
    """[start, stop) of the longest stretch between two seams that is smooth on both sides when it is turned round."""
    usual = _usual(np.linalg.norm(np.diff(parts, axis=0), axis=1)) if len(seams) > 1 else np.zeros(0)
    found = []
    for first, last in combinations(seams, 2):
        entering = float(np.linalg.norm(parts[last] - parts[first]))
        leaving = float(np.linalg.norm(parts[last + 1] - parts[first + 1]))
        if last - first >= FEWEST and entering < SMOOTH * usual[first] and leaving < SMOOTH * usual[last]:
            found.append((first + 1, last + 1))
    return max(found, key=lambda place: place[1] - place[0], default=None)
