"""How many processes: as many as there are cores, as far as memory reaches, none started where that costs more."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from telecine.run.executor import Executor, serial
from telecine.run.fork import is_safe
from telecine.run.memory import available_bytes
from telecine.run.pool import Pool

WORKER_BYTES = 700 << 20
"""What is reserved for a worker; most take 300 to 500 MiB (docs/benchmarks.md)."""
OWN_BYTES = 400 << 20
"""What is reserved for the process that writes."""
SMALL_BYTES = 128 << 20
"""Recordings that are smaller together are nearly converted before a second process would be ready."""
_SHARE = 0.8
"""How much of the memory that is free now is used without being asked for."""


@contextmanager
def reader_pool(workers: int | None, max_bytes: int | None) -> Iterator[Executor]:
    """What reads while nobody knows how much there is: a copy of this process where that is safe, else this one.

    workers, max_bytes: see `work_pool`. Enter it before anything starts a thread, and leave it last: its processes
    end then.
    """
    if workers == 0 or not is_safe():
        yield serial
        return
    with Pool(1, max_bytes=max_bytes, forked=True) as pool:
        yield pool


def work_pool(
    reader: Executor, recordings: int, total_bytes: int, *, workers: int | None, max_bytes: int | None, safely: bool
) -> AbstractContextManager[Executor]:
    """The run for so many recordings; leave the context to end its processes.

    reader: from `reader_pool`; a pool grows, this process does small work itself, or stands back for a pool.
    workers: asked for; 0 is this process, None lets it be decided. max_bytes: memory allowed, None: 80 % of what is
    free. safely: not in this process unless asked for, because an earlier run died.
    """
    if workers is None:
        free = available_bytes()
        limit = max_bytes if max_bytes is not None or free is None else int(free * _SHARE)
        workers = decide(recordings, total_bytes, cores=_cores(), max_bytes=limit, safely=safely)
    if isinstance(reader, Pool):
        reader.grow(workers)
        return nullcontext(reader)
    return Pool(workers, max_bytes=max_bytes) if workers else nullcontext(reader)


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
