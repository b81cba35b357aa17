"""Work in other processes: in order, with bounded look-ahead, and a dying process costs one item at most.

The first can be a copy of this process (run/fork.py) at next to no cost. All others are started as `python -c`,
not by `multiprocessing`, whose children import the caller's main module again: a script without a main guard could
then not call `convert`.

An item whose process dies is tried once more, alone: no other item is being worked on meanwhile, so that memory
which was short is not, and a second death is its own. Then it is answered by `Lost` and the rest goes on.
"""

import json
import os
import signal
import subprocess  # nosec B404  # starts workers
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from telecine.core.errors import TelecineError
from telecine.core.text.numbers import bytes_text
from telecine.run.executor import Lost, Tell
from telecine.run.fork import Forked
from telecine.run.ipc import receive, send
from telecine.run.memory import resident_bytes
from telecine.run.task_queue import TaskQueue

A = TypeVar("A")
B = TypeVar("B")

_START = (
    "import json, sys; parent = int(sys.argv.pop()); sys.path[:] = json.loads(sys.argv.pop()); "
    "from telecine.run.worker import main; main(parent)"
)
AHEAD = 2
"""Items per process that may be begun or answered before the one whose turn it is."""
_CHECK_EVERY_S = 0.25
"""How often memory is checked."""
_TIMEOUT_S = 600.0
_SLOWEST_BYTES_PER_S = 1 << 20
_PATIENCE_S = 5.0
"""How long a process that was asked to end may take."""

_Event = tuple["_Worker", str, Any]


class _Worker:
    """One process and the item it works on (its position, or None)."""

    def __init__(self, events: "SimpleQueue[_Event]", process: "subprocess.Popen[bytes] | Forked") -> None:
        self.position: int | None = None
        self.ready = False
        self.why = ""
        self.overdue = False
        self.heard_s = time.monotonic()
        """When it was last given something, or said something."""
        self.process = process
        self._reader = threading.Thread(target=self._read, args=(events,), daemon=True)
        self._reader.start()

    def _read(self, events: "SimpleQueue[_Event]") -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            try:
                while True:
                    kind, value = receive(stream)
                    self.heard_s = time.monotonic()
                    events.put((self, kind, value))
            except (EOFError, OSError):
                self.process.wait()
                events.put((self, "died", None))

    def give(self, position: int, task: Any) -> None:
        """Start it on a task."""
        self.position, self.heard_s = position, time.monotonic()
        assert self.process.stdin is not None
        try:
            send(self.process.stdin, task)
        except OSError:
            return  # it just died, which its reading thread reports

    def kill(self, why: str) -> None:
        """End it now; the reason goes with its item."""
        self.why = why
        self.process.kill()

    def died_of(self) -> str:
        """In words, why it is no more."""
        code = self.process.wait()
        if self.why or code >= 0:
            return self.why or f"its process ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (out of memory, or terminated by hand)" if name == "SIGKILL" else " (a crash in a native library)"
        return f"its process was terminated by {name}{hint}"

    def end(self) -> None:
        """Ask it to end and wait; kill it when it works on something or takes long."""
        assert self.process.stdin is not None
        if self.position is not None:
            self.process.kill()
        with suppress(OSError):  # it died with something unread
            self.process.stdin.close()
        try:
            self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()


def _started() -> "subprocess.Popen[bytes]":
    is_main = threading.current_thread() is threading.main_thread()
    command = [sys.executable, "-c", _START, json.dumps(sys.path), str(os.getpid() if is_main else 0)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # nosec B603  # our own interpreter


def patience_s(size_bytes: int) -> float:
    """How long a recording of that size may show no progress: ten minutes, and a second for each MiB."""
    return _TIMEOUT_S + size_bytes / _SLOWEST_BYTES_PER_S


class Pool:
    """An `Executor` on `workers` processes, started when first needed and again when they die. A context manager.

    forked: the first is a copy of this process, made now; only where `fork.is_safe()`.
    max_bytes: resident memory of this process and all workers together. Above it the largest worker is ended and its
        item tried again alone; alone and still above, the item is lost.
    timeout_s: how long a worker may work on an item without a sign of progress; None: `patience_s` of its size. It is
        ended then, and the item is lost at once: a second try would only cost as much again.
    """

    def __init__(
        self, workers: int, *, max_bytes: int | None = None, timeout_s: float | None = None, forked: bool = False
    ) -> None:
        if workers < 1:
            raise ValueError(f"a pool needs a worker or more, got {workers}")
        self._most = workers
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._workers = [_Worker(self._events, Forked())] if forked else []
        self._checked_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def grow(self, workers: int) -> None:
        """Have so many processes from now on, if that is more than now."""
        self._most = max(self._most, workers)

    def close(self) -> None:
        """End all processes, also in the middle of their work."""
        workers, self._workers = self._workers, []
        for worker in workers:
            if worker.position is not None:
                worker.process.kill()
        for worker in workers:
            worker.end()

    def __call__(self, fn: Callable[[A, Tell], B], items: Iterable[A], tell: Tell, /) -> Iterator[B | Lost]:
        """See `Executor`. One call at a time."""
        work: TaskQueue[A, B] = TaskQueue(items, self._most * AHEAD)
        try:
            while True:
                self._feed(fn, work)
                while self._handle(work, tell, wait_s=0):
                    self._feed(fn, work)
                if work.has_next():
                    yield work.next()
                elif work.is_done():
                    return
                else:
                    self._handle(work, tell, wait_s=_CHECK_EVERY_S)
                    self._keep_within_memory()
                    self._keep_within_time(work)
        finally:
            for worker in [w for w in self._workers if w.position is not None]:
                self._workers.remove(worker)  # the caller left before the end
                worker.end()

    def _feed(self, fn: Callable[[A, Tell], B], work: TaskQueue[A, B]) -> None:
        """Give every idle process something to do."""
        while True:
            idle = [w for w in self._workers if w.position is None]
            busy = len(self._workers) - len(idle)
            position = work.take(busy) if busy < self._most else None
            if position is None:
                return
            if not idle:
                idle = [_Worker(self._events, _started())]
                self._workers += idle
            idle[0].give(position, (fn, work.item(position)))

    def _handle(self, work: TaskQueue[A, B], tell: Tell, *, wait_s: float) -> bool:
        """Take in one event; False when there was none."""
        try:
            worker, kind, value = self._events.get(block=wait_s > 0, timeout=wait_s)
        except Empty:
            return False
        if worker not in self._workers:
            return True  # of an earlier call that was left
        position = worker.position
        match kind:
            case "progress":
                tell(*value)
            case "ready":
                worker.ready = True
            case "died":
                self._workers.remove(worker)
                worker.end()
                if not worker.ready and not worker.why and isinstance(worker.process, subprocess.Popen):
                    raise TelecineError(f"a worker process could not be started ({worker.died_of()}); see its output")
                if position is not None and worker.overdue:
                    work.answer(position, Lost(work.item(position), worker.why))
                elif position is not None:
                    work.died(position, worker.died_of())
            case "raised":
                raise value
            case _:
                assert position is not None
                worker.position = None
                work.answer(position, value)
        return True

    def _keep_within_time(self, work: TaskQueue[A, B]) -> None:
        """End every process that has shown no progress on its item for too long."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.position is None or worker.overdue:
                continue
            limit_s = self._timeout_s
            if limit_s is None:
                limit_s = patience_s(getattr(work.item(worker.position), "size_bytes", 0))
            if now - worker.heard_s > limit_s:
                worker.overdue = True
                worker.kill(f"no progress for {limit_s:.0f} s, so its process was ended; --timeout allows it longer")

    def _keep_within_memory(self) -> None:
        """End the largest process, an idle one if there is one, when all together take more than they may."""
        now = time.monotonic()
        if self._max_bytes is None or now - self._checked_s < _CHECK_EVERY_S:
            return
        self._checked_s = now
        sizes = [(w.position is None, resident_bytes(w.process.pid), w) for w in self._workers]
        taken = resident_bytes(os.getpid()) + sum(size for _, size, _ in sizes)
        if sizes and taken > self._max_bytes:
            _, size, worker = max(sizes, key=lambda entry: entry[:2])
            worker.kill(
                f"its process was stopped at {bytes_text(size)}: with it, {bytes_text(taken)} were in use and "
                f"{bytes_text(self._max_bytes)} are allowed (--max-memory)"
            )
