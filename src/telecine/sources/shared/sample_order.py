"""Which sample is when: arithmetic on stamps, shared by the streams of all formats that number their samples."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.grid import Rows, Times
from telecine.core.recording import STATIC_NS, ClockKind
from telecine.core.video import Flags

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Items(Protocol[T_co]):
    """What can be counted and picked from."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> T_co: ...


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


class Ordered(ABC):
    """The part of a stream that only stamps decide."""

    name: str

    @property
    @abstractmethod
    def _order(self) -> Order:
        """Which samples there are on each clock."""

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """Every clock with at least one stamp."""
        return self._order.kinds

    @property
    def static(self) -> bool:
        """True when the stream is one value without time."""
        return self._order.static

    def times(self, clock: str) -> Times:
        """(n,) int64 ns or counts, non-decreasing."""
        return self._on(clock).times(clock)

    def backwards(self, clock: str) -> int:
        """How many samples arrived with a stamp below that of the one before."""
        return self._on(clock).backwards(clock)

    def _on(self, clock: str) -> Order:
        """The order, once it is known that there is something on `clock`."""
        order = self._order
        if order.static or clock in order.kinds:
            return order
        known = ", ".join(order.kinds) or "none, it holds no samples"
        raise SourceError(f"{self.name}: no timestamps on the clock {clock!r}; its clocks: {known}")


def pick(wanted: Rows, parts: Iterable[Items[T]]) -> Iterator[tuple[int, T]]:
    """(place, item) for each place of `wanted`, in that order, reading `parts` once from the front.

    An item is held only from when it is met to its last use, so that reading in file order holds one at a time.

    Raises:
        SourceError: `parts` end before the last wanted place.
    """
    if wanted.size and np.array_equal(wanted, np.arange(wanted[0], wanted[0] + wanted.size)):
        yield from _in_order(int(wanted[0]), int(wanted[0]) + wanted.size, parts)
        return
    last_use = {int(place): i for i, place in enumerate(wanted)}
    held: dict[int, T] = {}
    met = _met(last_use, parts)
    for i, place in enumerate(wanted.tolist()):
        while place not in held:
            found = next(met, None)
            if found is None:
                raise _gone(place)
            held[found[0]] = found[1]
        yield place, held[place]
        if last_use[place] == i:
            del held[place]


def _in_order(first: int, stop: int, parts: Iterable[Items[T]]) -> Iterator[tuple[int, T]]:
    """As `pick`, of the places [first, stop): nearly always all that there are."""
    start, place = 0, first
    for part in parts:
        after = start + len(part)
        while place < after:
            yield place, part[place - start]
            place += 1
            if place == stop:
                return
        start = after
    raise _gone(place)


def _gone(place: int) -> SourceError:
    return SourceError(f"sample {place} is gone: the file changed while it was read")


def _met(places: Mapping[int, int], parts: Iterable[Items[T]]) -> Iterator[tuple[int, T]]:
    start = 0
    for part in parts:
        for i in range(len(part)):
            if start + i in places:
                yield start + i, part[i]
        start += len(part)
