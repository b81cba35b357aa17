"""Subtasks as numbers of texts, which LeRobot kept in a column of each row. Pure."""

from collections.abc import Sequence

import numpy as np

from telecine.core.label import Label
from telecine.core.recording import Array

SUBTASK_INDEX = "subtask_index"


def numbered_subtasks(numbers: Array, texts: Sequence[str]) -> tuple[Label, ...]:
    """A subtask for each stretch of rows of one number; none where no text has it, as -1, or the text is blank.

    numbers: (n,) whole numbers.

    >>> [(one.start, one.stop, one.text) for one in numbered_subtasks(np.array([0, 0, -1, 1]), ["reach", "grasp"])]
    [(0, 2, 'reach'), (3, 4, 'grasp')]
    """
    edges = np.flatnonzero(np.diff(numbers)) + 1
    starts, stops = [0, *edges.tolist()], [*edges.tolist(), numbers.size]
    return tuple(
        Label(start, stop, "subtask", texts[number].strip())
        for start, stop in zip(starts, stops, strict=True)
        if start < stop and 0 <= (number := int(numbers[start])) < len(texts) and texts[number].strip()
    )
