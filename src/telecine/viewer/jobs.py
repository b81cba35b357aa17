"""Work that takes long, each piece in a process of its own: it can be given up, and costs the server no memory."""

import json
import subprocess  # nosec B404  # starts this program again, no shell
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

MOST_EVENTS = 500
"""Events that are held of one job; the first ones go."""
MOST_ERROR_CHARS = 2000
_ENDS = ("done", "failed", "cancelled")


class Job:
    """One piece of work, begun when it is made."""

    def __init__(self, work: str, **values: Any) -> None:
        self.work = work
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=MOST_EVENTS)
        self._news = threading.Condition()
        self._count = 0
        self._process = subprocess.Popen(  # nosec B603  # our own program and no shell
            [sys.executable, "-m", "telecine.viewer.job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with suppress(OSError):  # it ended at once; its events say so
            self._process.stdin.write(json.dumps({"work": work, **values}).encode() + b"\n")
            self._process.stdin.flush()
        self._complaints: deque[str] = deque(maxlen=20)
        self._readers = [threading.Thread(target=t, daemon=True) for t in (self._read_complaints, self._read)]
        for reader in self._readers:
            reader.start()

    @property
    def end(self) -> dict[str, Any] | None:
        """The last event, when it has ended."""
        with self._news:
            last = self._events[-1][1] if self._events else None
        return last if last is not None and last["event"] in _ENDS else None

    def events(self, after: int = 0, *, wait_s: float | None = None) -> Iterator[tuple[int, dict[str, Any]] | None]:
        """(number, event) of all events behind `after`, until the last; None after `wait_s` without one."""
        while True:
            with self._news:
                if not any(number > after for number, _ in self._events):
                    self._news.wait(wait_s)
                fresh = [entry for entry in self._events if entry[0] > after]
            if not fresh:
                yield None
            for number, event in fresh:
                after = number
                yield number, event
                if event["event"] in _ENDS:
                    return

    def wait(self) -> dict[str, Any]:
        """The last event, when it has ended."""
        for entry in self.events():
            if entry is not None and entry[1]["event"] in _ENDS:
                return entry[1]
        raise AssertionError("events end with the last")

    def cancel(self) -> None:
        """Ask it to give up; it tells when it has."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def close(self) -> None:
        """Give it up and wait for it, for a few seconds."""
        self.cancel()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for reader in self._readers:
            reader.join(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as out:
            for line in out:
                with suppress(ValueError):  # a library that prints
                    self._add(json.loads(line))
        code = self._process.wait()
        if self.end is None:
            text = "".join(self._complaints)[-MOST_ERROR_CHARS:]
            self._add({"event": "failed", "error": f"the process ended with code {code}", "notes": text.splitlines()})
        self.cancel()

    def _read_complaints(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as complaints:
            for line in complaints:
                self._complaints.append(line.decode(errors="replace"))

    def _add(self, event: dict[str, Any]) -> None:
        with self._news:
            self._count += 1
            self._events.append((self._count, event))
            self._news.notify_all()
