"""Threads of an encoder stay what threads are.

SVT-AV1, opened by root, makes the thread that opens it and all of its own real-time ones, which leave no core to
anybody else.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def usual_priority() -> Iterator[None]:
    """This thread, and those that begin meanwhile, keep the scheduling that this one has now. Only on Linux."""
    if sys.platform != "linux":
        yield
        return
    before, policy, rank = _threads(), os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            for thread in (0, *(_threads() - before)):
                with suppress(ProcessLookupError):  # it has ended
                    os.sched_setscheduler(thread, policy, rank)


def _threads() -> set[int]:
    return {int(path.name) for path in Path("/proc/self/task").iterdir()}
