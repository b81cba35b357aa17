"""What streams decoded last, kept while it fits a budget: values can be decoded again, stamps have to stay.

A recording of millions of small messages has little in each, and all of it together is large. Who only wants to know
when samples were taken, as the page of `telecine view` does, sets a low limit; conversion keeps everything.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import ref

T = TypeVar("T")


class RecentValues:
    """Values by the stream that they are of; those that were asked for longest ago go first, the latest stay."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held: dict[int, tuple[ref[object], Any, int]] = {}
        self._one_at_a_time = threading.RLock()

    def of(self, owner: object, make: Callable[[], T], size_of: Callable[[T], int]) -> T:
        """The values of `owner`, made anew where they are not held. size_of: their bytes."""
        with self._one_at_a_time:
            known = self._held.pop(id(owner), None)
            if known is not None and known[0]() is owner:
                self._held[id(owner)] = known
                made: T = known[1]
                return made
        made = make()
        with self._one_at_a_time:
            number = id(owner)
            self._held[number] = ref(owner, lambda _: self._held.pop(number, None)), made, size_of(made)
            while len(self._held) > 1 and self.held_bytes > self._most_bytes:
                del self._held[next(iter(self._held))]
        return made

    @property
    def held_bytes(self) -> int:
        """Of all streams together."""
        return sum(size for _, _, size in self._held.values())

    @contextmanager
    def at_most(self, most_bytes: int) -> Iterator[None]:
        """Inside, no more than this is held, but for one stream, and never more than the limit."""
        before, self._most_bytes = self._most_bytes, min(most_bytes, self._most_bytes)
        try:
            yield
        finally:
            self._most_bytes = before


DECODED = RecentValues(1 << 40)
"""Of all recordings of messages. So large that only who asks for less has anything decoded twice."""
