"""Grippers whose numbers mean the contrary in some episodes: open is what closed is elsewhere, or the sign differs."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from telecine.core.findings import Finding
from telecine.core.quality.episode_rows import is_gripper
from telecine.core.quality.row_facts import KeyFacts, RowFacts
from telecine.core.video import Flags

FEW = 4
"""Episodes from which "most episodes" means something."""
ALIKE, MOST_ALIKE = 0.25, 0.75
"""How far an episode's course is from the usual one, each in parts of its own range; and in which part of the episodes,
before any other is told."""
APART = 0.4
"""How far the course of an episode is from the usual one when the gripper's sense is another."""
CLOSER = 0.5
"""And so many times nearer it is to the contrary of the usual one, each in parts of its own range: what closes on
nothing closes farther."""
MOVES = 0.5
"""So much of the usual range it moves by itself."""


def gripper_findings(
    facts: RowFacts, names: Mapping[str, Sequence[str]], tasks: Sequence[Sequence[str]]
) -> Iterator[Finding]:
    """Of facts of several episodes; tasks: of each episode of the dataset. A task that begins closed is no defect."""
    of_task = np.array([" / ".join(tasks[number]) for number in facts.episodes.tolist()])
    for key, own in facts.keys.items():
        for element in (i for i in range(own.low.shape[1]) if is_gripper(names[key][i])):
            contrary, usual = _contrary(own, element)
            for at in np.flatnonzero(contrary).tolist():
                if not usual[of_task == of_task[at]].any():
                    continue
                number, length = int(facts.episodes[at]), int(facts.lengths[at])
                text = f"{names[key][element]} opens where it closes in most episodes: the numbers mean the contrary"
                fix = "see how the gripper was set up; `scale` in a plan, or leave the episode out"
                place = (0, length)
                yield Finding(
                    "look-gripper", "warning", f"episode {number}", text, fix, episode=number, key=key, rows=place
                )


def _contrary(own: KeyFacts, element: int) -> tuple[Flags, Flags]:
    """(e,) episodes in which the element means the contrary of what it usually does, and those in which it is usual."""
    course = own.course[:, :, element]
    middle = np.median(course, axis=0)
    span = float(np.ptp(middle))
    none = np.zeros(len(course), np.bool_)
    if span <= 0 or len(course) < FEW:
        return none, none
    off = np.abs(course - middle).mean(axis=1) / span
    width = np.ptp(course, axis=1)
    moves = width > MOVES * span
    shape = (course - course.min(axis=1, keepdims=True)) / np.where(moves, width, 1.0)[:, None]
    usual_shape = (middle - middle.min()) / span
    usual = np.abs(shape - usual_shape).mean(axis=1) < ALIKE
    contrary = np.abs(shape + usual_shape - 1).mean(axis=1)  # one goes up as the other goes down
    found = (off > APART) & moves & (contrary < CLOSER * off) & (contrary < ALIKE)
    if usual.mean() < MOST_ALIKE * (~found).mean():
        return none, usual  # the episodes differ anyway
    return np.asarray(found), usual
