"""Curves of one episode for a screen: every value where they fit, else the least and the greatest of each step."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Envelope:
    """What to draw of rows [start, stop). values: (dims, n) each; `high` is None where `low` has every row.

    Step b stands for rows start + floor(b * (stop - start) / n) up to the next step's.
    """

    start: int
    stop: int
    low: Values
    high: Values | None

    def to_bytes(self) -> bytes:
        """float64, little-endian: start, stop, dims, n, whether there is `high`; then `low` and `high`, row by row."""
        dims, count = self.low.shape
        head = [self.start, self.stop, dims, count, self.high is not None]
        parts = [np.array(head, "<f8"), self.low.ravel(), *([] if self.high is None else [self.high.ravel()])]
        return b"".join(np.ascontiguousarray(part, "<f8").tobytes() for part in parts)


def envelope(values: Values, start: int, stop: int, steps: int) -> Envelope:
    """(rows, dims) values as at most `steps` steps: no spike is lost, NaN is left out unless a step has nothing else.

    >>> envelope(np.array([[0.0], [9.0], [1.0], [2.0]]), 0, 4, 2).high
    array([[9., 2.]])
    """
    part = values[start:stop]
    if len(part) <= 2 * steps:
        return Envelope(start, stop, part.T, None)
    edges = np.arange(steps) * len(part) // steps
    return Envelope(start, stop, np.fmin.reduceat(part, edges).T, np.fmax.reduceat(part, edges).T)
