"""How many processes: as many as there are cores, as far as memory reaches, none started where that costs more."""

import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from telecine.run.executor import Lost, Tell, serial
from telecine.run.fork import is_safe
from telecine.run.memory import available_bytes
from telecine.run.pool import Pool

A = TypeVar("A")
B = TypeVar("B")

WORKER_BYTES = 700 << 20
"""What is reserved for a worker; most take 300 to 500 MiB (docs/benchmarks.md)."""
OWN_BYTES = 400 << 20
"""What is reserved for the process that writes."""
SMALL_BYTES = 128 << 20
"""Recordings that are smaller together are nearly converted before a second process would be ready."""
_SHARE = 0.8
"""How much of the memory that is free now is used without being asked for."""


class Workers:
    """The executor of one command: reads with one process and grows with the work. A context manager.

    Enter it before anything starts a thread, and leave it last: its processes end then. Until `grow` it is a copy of
    this process where that is safe (run/fork.py), else this process itself.
    """

    def __init__(
        self, asked: int | None = None, *, max_bytes: int | None = None, timeout_s: float | None = None
    ) -> None:
        """asked: processes; 0 is this one, None lets `grow` decide. max_bytes: memory that all may take together.

        timeout_s: see `Pool`; in this process nothing can be ended.
        """
        self._asked, self._max_bytes, self._timeout_s = asked, max_bytes, timeout_s
        self._pool: Pool | None = None

    def __enter__(self) -> Self:
        if self._asked != 0 and is_safe():
            self._pool = Pool(1, max_bytes=self._max_bytes, timeout_s=self._timeout_s, forked=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.close()

    @property
    def in_this_process(self) -> bool:
        """True while recordings are read in this process, where a crash of a library would end it."""
        return self._pool is None

    def __call__(self, fn: Callable[[A, Tell], B], items: Iterable[A], tell: Tell, /) -> Iterator[B | Lost]:
        """See `Executor`."""
        return (self._pool or serial)(fn, items, tell)

    def grow(self, recordings: int, total_bytes: int, *, safely: bool) -> None:
        """Have as many processes as so much work deserves. safely: one at least, because an earlier run died.

        Without a limit for memory, 80 % of what is free may be taken.
        """
        count = self._asked
        if count is None:
            free = available_bytes()
            limit = self._max_bytes if self._max_bytes is not None or free is None else int(free * _SHARE)
            count = decide(recordings, total_bytes, cores=_cores(), max_bytes=limit, safely=safely)
        if self._pool is not None:
            self._pool.grow(count)
        elif count:
            self._pool = Pool(count, max_bytes=self._max_bytes, timeout_s=self._timeout_s)


def decide(recordings: int, total_bytes: int, *, cores: int, max_bytes: int | None, safely: bool) -> int:
    """How many worker processes to start; 0: none but what is there."""
    if not safely and is_small(recordings, total_bytes):
        return 0
    fit = cores if max_bytes is None else (max_bytes - OWN_BYTES) // WORKER_BYTES
    return max(1, min(cores, fit, recordings))


def is_small(recordings: int, total_bytes: int) -> bool:
    """True for work that is done, or nearly, before a started process would be ready."""
    return recordings == 1 or total_bytes <= SMALL_BYTES


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
