"""Which sample is when: pure arithmetic on stamps and row ids, shared by all streams of a chunked recording.

Samples are numbered by their place in the file. Rerun gives every row an id that grows in order of logging, which
is the order of arrival even where chunks were written or merged in another order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import STATIC_NS, ClockKind
from telecine.core.time import Rows, Times
from telecine.sources.rrd_columns import Flags, RowIds

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Items(Protocol[T_co]):
    """What can be counted and picked from."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> T_co: ...


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of one chunk: row ids and the stamps of each clock, both (k, ...); no clocks: static."""

    ids: RowIds
    stamps: Mapping[str, tuple[ClockKind, Times]]


@dataclass(frozen=True, eq=False, slots=True)
class Order:
    """The samples of one stream, by place in the file.

    arrival: (n,) places in order of logging.
    stamps: clock -> (n,) int64 by place; there: clock -> (n,) bool, places that have that clock.
    """

    static: bool
    arrival: Rows
    kinds: Mapping[str, ClockKind]
    stamps: Mapping[str, Times]
    there: Mapping[str, Flags]

    def arrived(self, clock: str) -> Rows:
        """Places with a stamp on `clock`, in order of arrival."""
        if self.static or clock not in self.there:
            return self.arrival if self.static else self.arrival[:0]
        return self.arrival[self.there[clock][self.arrival]]

    def by_stamp(self, clock: str) -> Rows:
        """Places with a stamp on `clock`, by stamp; equal stamps in order of arrival."""
        places = self.arrived(clock)
        if self.static or not places.size:
            return places
        return places[np.argsort(self.stamps[clock][places], kind="stable")]

    def times(self, clock: str) -> Times:
        """(n,) int64, non-decreasing."""
        places = self.by_stamp(clock)
        if self.static or not places.size:
            return np.full(places.size, STATIC_NS, np.int64)
        return self.stamps[clock][places]

    def backwards(self, clock: str) -> int:
        """Samples that arrived with a stamp below that of the one before."""
        places = self.arrived(clock)
        return 0 if self.static or not places.size else int(np.sum(np.diff(self.stamps[clock][places]) < 0))


def order_of(parts: Sequence[Part]) -> Order:
    """The order of all samples of `parts`, given in file order.

    Like in Rerun a static value hides every timed one, and the last static value counts.
    """
    sizes = [len(part.ids) for part in parts]
    ids = np.concatenate([np.zeros((0, 2), np.uint64), *(part.ids for part in parts)])
    arrival = np.lexsort((ids[:, 1], ids[:, 0])).astype(np.int64)
    static = np.repeat([not part.stamps for part in parts], sizes).astype(np.bool_)
    if static.any():
        return Order(True, arrival[static[arrival]][-1:], {}, {}, {})
    kinds = {clock: kind for part in reversed(parts) if len(part.ids) for clock, (kind, _) in part.stamps.items()}
    stamps = {clock: np.zeros(len(ids), np.int64) for clock in sorted(kinds)}
    there = {clock: np.zeros(len(ids), np.bool_) for clock in stamps}
    at = 0
    for part, size in zip(parts, sizes, strict=True):
        for clock, (_, values) in part.stamps.items():
            if clock in stamps:
                stamps[clock][at : at + size] = values
                there[clock][at : at + size] = True
        at += size
    return Order(False, arrival, {clock: kinds[clock] for clock in stamps}, stamps, there)


def pick(wanted: Rows, parts: Iterable[Items[T]]) -> Iterator[tuple[int, T]]:
    """(place, item) for each place of `wanted`, in that order, reading `parts` once from the front.

    An item is held only from when it is met to its last use, so that reading in file order holds one at a time.

    Raises:
        SourceError: `parts` end before the last wanted place.
    """
    last_use = {int(place): i for i, place in enumerate(wanted)}
    held: dict[int, T] = {}
    met = _met(last_use, parts)
    for i, place in enumerate(wanted.tolist()):
        while place not in held:
            found = next(met, None)
            if found is None:
                raise SourceError(f"sample {place} is gone: the file changed while it was read")
            held[found[0]] = found[1]
        yield place, held[place]
        if last_use[place] == i:
            del held[place]


def _met(places: Mapping[int, int], parts: Iterable[Items[T]]) -> Iterator[tuple[int, T]]:
    start = 0
    for part in parts:
        for i in range(len(part)):
            if start + i in places:
                yield start + i, part[i]
        start += len(part)
