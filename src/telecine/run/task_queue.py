"""Who works on what: the state of one pool call, without a process in sight."""

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from telecine.run.executor import Lost

A = TypeVar("A")
B = TypeVar("B")


class TaskQueue(Generic[A, B]):
    """Items by position, from asked for to answered, in order.

    ahead: how many items may be begun or answered before the one whose turn it is.
    """

    def __init__(self, items: Iterable[A], ahead: int) -> None:
        self._source = iter(items)
        self._ahead = ahead
        self._items: dict[int, A] = {}
        self._answers: dict[int, B | Lost] = {}
        self._begun = 0
        self._answered = 0
        self._exhausted = False
        self._died: set[int] = set()
        self._retries: deque[int] = deque()
        self._alone: int | None = None

    def take(self, busy: int) -> int | None:
        """The position to begin now, while `busy` others are being worked on; None: nothing, for now."""
        if self._alone is not None:
            return None
        if self._retries:
            if busy:
                return None
            self._alone = self._retries.popleft()
            return self._alone
        if self._exhausted or self._begun >= self._answered + self._ahead:
            return None
        try:
            self._items[self._begun] = next(self._source)
        except StopIteration:
            self._exhausted = True
            return None
        self._begun += 1
        return self._begun - 1

    def item(self, position: int) -> A:
        """The item at a position that was taken."""
        return self._items[position]

    def answer(self, position: int, value: B | Lost) -> None:
        """An item is done."""
        self._answers[position] = value
        if self._alone == position:
            self._alone = None

    def died(self, position: int, why: str) -> None:
        """The process that worked on an item is no more: once more, alone, or lost."""
        if position in self._died:
            self.answer(position, Lost(self._items[position], why))
            return
        self._died.add(position)
        self._retries.append(position)

    def has_next(self) -> bool:
        """True when the answer whose turn it is has come."""
        return self._answered in self._answers

    def next(self) -> B | Lost:
        """The answer whose turn it is."""
        answer = self._answers.pop(self._answered)
        del self._items[self._answered]
        self._answered += 1
        return answer

    def is_done(self) -> bool:
        """True when every item was answered."""
        return self._exhausted and self._answered == self._begun
