"""A progress bar with an ETA weighted by bytes, on standard error, silent when that is not a terminal.

A process that another one started to make a part of a conversion (run/cluster.py) tells that one instead.
"""

import os
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from telecine.core.text.visible import visible
from telecine.run.cluster import PROGRESS_FD

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY_S = 0.5


class Bar:
    """`core.progress.Progress` for people. A context manager."""

    def __init__(self, *, quiet: bool, notes: bool = False) -> None:
        """notes: show what happens on other machines, also where there is no terminal."""
        self._bar = None if quiet else _bar()
        self._notes = notes and not quiet
        self._task: TaskID | None = None
        starter = os.environ.get(PROGRESS_FD)
        self._line = None if starter is None else _Line(int(starter))

    def begin(self, total_bytes: int) -> None:
        """Start at zero of `total_bytes`."""
        if self._bar is not None:
            self._bar.start()  # not before: its thread would keep the reader from being a copy of this process
            self._task = self._bar.add_task("", total=total_bytes)

    def advance(self, done_bytes: int, label: str) -> None:
        """Move on by a part of the recording `label`."""
        if self._line is not None:
            self._line.advance(done_bytes)
        if self._bar is not None and self._task is not None:
            from rich.markup import escape

            self._bar.update(self._task, advance=done_bytes, description=escape(visible(label.rpartition("/")[2][:40])))

    def note(self, text: str) -> None:
        """A line above the bar."""
        if self._bar is not None and self._task is not None:
            from rich.markup import escape

            self._bar.console.print(escape(visible(text)), soft_wrap=True)
        elif self._notes:
            sys.stderr.write(f"{visible(text)}\n")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._line is not None:
            self._line.write()


class _Line:
    """To the process that started this one: the bytes that are done, on a line, now and then."""

    def __init__(self, number: int) -> None:
        self._number, self._done, self._written_s = number, 0, 0.0

    def advance(self, done_bytes: int) -> None:
        self._done += done_bytes
        if time.monotonic() - self._written_s >= _LINE_EVERY_S:
            self.write()

    def write(self) -> None:
        self._written_s = time.monotonic()
        with suppress(OSError):  # nobody listens any more
            os.write(self._number, f"{self._done}\n".encode())


def _bar() -> "Progress | None":
    """None where there is no terminal to draw on: a disabled bar of rich 13 still ends with an empty line."""
    from rich.console import Console

    out = Console(stderr=True)
    if not out.is_terminal:
        return None
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, transient=True)
