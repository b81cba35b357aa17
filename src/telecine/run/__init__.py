"""Where the work is done: a `Run` maps a function over items, in order. May import only the standard library."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Run(Protocol):
    """Maps `fn` over `items`, answers in their order, and asks for no more items than it is about to work on."""

    def __call__(self, fn: Callable[[A], B], items: Iterable[A], /) -> Iterator[B]:
        """The answers, lazily."""
        ...


def serial(fn: Callable[[A], B], items: Iterable[A], /) -> Iterator[B]:
    """One after the other, in this process, each only when its turn comes."""
    return map(fn, items)
