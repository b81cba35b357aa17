"""Which of an episode's arrays are stamps, and which of the others they place in time.

Recorders store stamps beside what they stamp (`joint/timestamp` of `joint/position`), above it (one `timestamp` at the
top), under its name (`camera_timestamps` of `camera_rgb`), or in a group of stamps (`timestamps/camera`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import ClockKind
from telecine.sources.hdf5.chunks import whole
from telecine.sources.hdf5.layouts import attribute
from telecine.sources.shared.stamps import Stamps, is_stamp, owner_of, stamps_of
from telecine.sources.shared.timing import ELAPSED, TIMESTAMP

_UNIT_ATTRIBUTES = ("unit", "units")


@dataclass(frozen=True, slots=True)
class OwnStamps:
    """The stamps of one episode.

    found: path of an array -> the stamps it holds, of the episode's rows. rows: path -> how many the array has in all.
    refused: path -> why an array with such a name holds none.
    """

    found: Mapping[str, Stamps] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def place(self, path: str, rows: int) -> tuple[str, bool] | None:
        """(path of the stamps that place an array of so many rows, True where only their number says so).

        None where there are none, or where two could be meant. A last row more than stamps is one without time.
        """
        fitting = [p for p in self.found if rows in (self.rows[p], self.rows[p] + 1) and p != path]
        ranked = sorted((rank, p) for p in fitting if (rank := _closeness(path, p)) is not None)
        if ranked:
            return ranked[0][1], False
        if len(fitting) > 1 and any(not _equal(self.found[fitting[0]], self.found[p]) for p in fitting[1:]):
            return None
        return (fitting[0], True) if fitting else None


def clock_of(stamps: Stamps) -> tuple[str, ClockKind]:
    """(name, kind) of the clock that stamps are on."""
    return (TIMESTAMP, "timestamp") if stamps.kind == "timestamp" else (ELAPSED, "duration")


def own_stamps(arrays: Sequence[tuple[str, Any]], span: tuple[int, int] | None) -> OwnStamps:
    """The stamps among the arrays (path, array) of an episode; span: its rows [first, stop) of each, None for all."""
    found: dict[str, Stamps] = {}
    rows: dict[str, int] = {}
    refused: dict[str, str] = {}
    for path, array in arrays:
        if not _may_be_stamps(path, array):
            continue
        unit = next((text for name in _UNIT_ATTRIBUTES if (text := attribute(array.attrs, name))), "")
        try:
            values = np.asarray(whole(array)[slice(*(span or (None,)))])
        except SourceError as error:
            refused[path] = str(error)
            continue
        answer = stamps_of(_own_name(path), values, unit)
        if isinstance(answer, str):
            refused[path] = answer
        else:
            found[path], rows[path] = answer, int(array.shape[0])
    return OwnStamps(found, rows, refused)


def _may_be_stamps(path: str, array: Any) -> bool:
    one_a_row = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
    return one_a_row and array.shape[0] > 1 and array.dtype.kind in "fiu" and is_stamp(_own_name(path))


def _own_name(path: str) -> str:
    """The name that says stamp: the array's own, or that of a group of stamps."""
    parts = path.split("/")
    return parts[-1] if is_stamp(parts[-1]) or len(parts) == 1 else parts[-2]


def _closeness(path: str, stamps: str) -> tuple[int, int] | None:
    """How surely stamps are those of an array, smaller is surer; None where their places say nothing."""
    parts, where = path.split("/"), stamps.split("/")
    grouped = not is_stamp(where[-1])
    above = where[:-2] if grouped else where[:-1]
    owner = where[-1] if grouped else owner_of(where[-1])
    if parts[: len(above)] != above:
        return None
    distance = len(parts) - len(above)
    below = [part.lower() for part in parts[len(above) :]]
    if owner and any(part == owner.lower() or part.startswith(f"{owner.lower()}_") for part in below):
        return 0, distance
    return None if owner else (1, distance)


def _equal(one: Stamps, other: Stamps) -> bool:
    return np.array_equal(one.times, other.times)
