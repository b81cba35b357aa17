"""Where the work is done: a `Executor` maps a function over items, in order. May import only `core`.

`serial` works in this process; `pool.Pool` in spawned ones, where a crash costs one item. `worker_count.py` decides.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from telecine.core.dataclass import dataclass
from telecine.core.errors import disk_errors_named

A = TypeVar("A")
B = TypeVar("B")

Tell = Callable[[int, str], None]
"""Hears how far an item is: (bytes done since the last time, what is being done)."""


def silent(done_bytes: int, label: str) -> None:
    """A `Tell` that drops what it hears."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Takes the place of an answer that will never come: the process that worked on the item died, twice."""

    item: Any
    why: str


class Executor(Protocol):
    """Maps `fn` over `items`, answers in their order, and asks for no more items than it is about to work on."""

    def __call__(self, fn: Callable[[A, Tell], B], items: Iterable[A], tell: Tell, /) -> Iterator[B | Lost]:
        """The answers, lazily. What `fn` raises comes out here."""
        ...


def serial(fn: Callable[[A, Tell], B], items: Iterable[A], tell: Tell, /) -> Iterator[B]:
    """One after the other, in this process, each only when its turn comes."""
    return (fn(item, tell) for item in items)


@dataclass(frozen=True, slots=True)
class Marked:
    """`serial`, with a file that names the item in work, which stays when the process dies."""

    path: Path

    def __call__(self, fn: Callable[[A, Tell], B], items: Iterable[A], tell: Tell, /) -> Iterator[B]:
        """See `Executor`."""
        for item in items:
            with disk_errors_named(str(self.path.parent)):
                self.path.write_text(str(getattr(item, "label", item)), encoding="utf-8")
            try:
                answer = fn(item, tell)
            finally:
                self.clear()
            yield answer

    def found(self) -> str:
        """What a process that is no more was working on; "" when it ended well."""
        return self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""

    def clear(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)
