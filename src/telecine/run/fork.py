"""A worker process that is a copy of this one: ready at once, with everything imported.

A copy has only the thread that made it. Had others held a lock just then, it would wait for ever, so there is none
unless this process has no thread that could: a program that converts from a thread, and every system but Linux, works
without (see worker_count.py).
"""

import gc
import os
import signal
import subprocess  # nosec B404  # for its TimeoutExpired
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

from telecine.run.parent import end_with
from telecine.run.worker import serve

_HARMLESS = ("jemalloc_bg_thd",)
"""Threads whose library prepares itself for being copied: jemalloc's, which importing pyarrow starts."""
_THREAD_CHECKS_S = (0, 0.002, 0.02)
"""Pauses before the checks of threads: one that has just been started has no name of its own yet."""
_LONGEST_NAP_S = 0.02
_ASKS = {signal.SIGINT, signal.SIGTERM, *({signal.SIGHUP} if hasattr(signal, "SIGHUP") else ())}


def is_safe() -> bool:
    """True when a copy of this process can work: Linux, and no thread that could hold a lock."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    return any(_all_harmless(after_s) for after_s in _THREAD_CHECKS_S)


def _all_harmless(after_s: float) -> bool:
    time.sleep(after_s)
    try:
        others = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
        return all((task / "comm").read_text().strip() in _HARMLESS for task in others)
    except OSError:
        return False  # one that ends just now may be followed by another


class Forked:
    """A copy of this process that serves one pool; to that it is what `subprocess.Popen` is."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):  # none, or closed: nothing that could be printed twice
                stream.flush()
        tasks, own_tasks, own_answers, answers = _pipes()
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ASKS)  # until the copy knows what they mean
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Python counts harmless threads as well
                self.pid = os.fork()
            if self.pid == 0:
                if parent:
                    end_with(parent)
                _work(tasks, answers, (own_tasks, own_answers), before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(tasks)
        os.close(answers)
        self.stdin: IO[bytes] | None = os.fdopen(own_tasks, "wb")
        self.stdout: IO[bytes] | None = os.fdopen(own_answers, "rb")
        self.returncode: int | None = None
        self._waiting = threading.Lock()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises: subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        nap_s = 0.0005
        while (code := self._ended()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("a forked worker", timeout or 0)
            time.sleep(nap_s)
            nap_s = min(2 * nap_s, _LONGEST_NAP_S)
        return code

    def kill(self) -> None:
        """End it now, if it still is."""
        with self._waiting:
            if self.returncode is None:
                os.kill(self.pid, signal.SIGKILL)

    def _ended(self) -> int | None:
        with self._waiting:
            if self.returncode is None:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:  # the caller's own program waits for any child
                    pid, status = self.pid, 0
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode


def _pipes() -> tuple[int, int, int, int]:
    """(read, write, read, write) of two pipes, none of them in the place of a standard stream that is closed."""
    import fcntl

    ends = [*os.pipe(), *os.pipe()]
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1], moved[2], moved[3]


def _work(tasks: int, answers: int, foreign: Iterable[int], mask: "set[signal.Signals | int]") -> NoReturn:
    """What the copy does. It never returns into the program that it is a copy of."""
    code = 1
    try:
        for end in foreign:
            os.close(end)
        for number in _ASKS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the pool decides what it means
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        sys.stdout = sys.stderr
        with suppress(OSError):  # where standard error is closed, there is nowhere to print to
            os.dup2(2, 1)
        gc.freeze()  # what was made before is shared memory as long as nobody touches it
        serve(os.fdopen(tasks, "rb"), os.fdopen(answers, "wb"))
        code = 0
    except BaseException:  # noqa: BLE001  the end of this process, printed as Python does
        traceback.print_exc()
    finally:
        os._exit(code)
