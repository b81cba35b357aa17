"""How far a command is, on standard error: a bar in a terminal, a line for each tenth of the work elsewhere.

A process that another one started to make a part of a conversion (run/cluster.py) tells that one instead.
"""

import os
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from telecine.cli.screen import loudness
from telecine.core.progress import CONVERTING, PROGRESS_FD, PhaseState
from telecine.core.text.numbers import bytes_text, counted, duration_text
from telecine.core.text.visible import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY_S = 0.5
_LINES = 10
"""Lines that a phase has where there is no terminal."""
_WIDE = 100
"""Columns from which on there is room for a bar besides the numbers."""


class Bar:
    """`core.progress.Progress` for people. A context manager."""

    def __init__(self, *, quiet: bool, notes: bool = False) -> None:
        """notes: show what happens on other machines, also where there is no terminal."""
        starter = os.environ.get(PROGRESS_FD)
        self._line = None if starter is None else _Line(int(starter))
        self._quiet = quiet or loudness.quiet() or self._line is not None
        self._notes = notes and not self._quiet
        self._bar = None if self._quiet else _bar()
        self._task: TaskID | None = None
        self._state: PhaseState | None = None
        self._told = 0

    def begin(self, total_bytes: int, phase: str, items: int = 0) -> None:
        """Start a phase at zero of `total_bytes`."""
        self._tell(last=True)
        self._state, self._told = PhaseState(phase, total_bytes, items, time.monotonic()), 0
        if self._bar is not None:
            self._bar.start()  # not before: its thread would keep the reader from being a copy of this process
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task("", total=total_bytes, state=self._state)

    def advance(self, done_bytes: int, label: str) -> None:
        """Move on by a part of the recording `label`."""
        del label
        state = self._state
        if self._line is not None and state is not None and state.phase == CONVERTING:
            self._line.advance(done_bytes)
        if state is None or self._quiet:
            return
        state.done_bytes += done_bytes
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=state.done_bytes)
        else:
            self._tell()

    def finish(self, items: int = 1) -> None:
        """Count episodes."""
        if self._state is not None:
            self._state.done_items += items
            self._tell()

    def _tell(self, *, last: bool = False) -> None:
        """A line where there is no terminal and another tenth is done; of the whole, once its episodes are counted.

        last: the phase is over, so that no more will be counted.
        """
        state = self._state
        if state is None or self._quiet or self._bar is not None:
            return
        tenths = int(state.share * _LINES)
        if tenths > self._told and (last or tenths < _LINES or state.done_items >= state.items):
            self._told = tenths
            sys.stderr.write(f"{state.phase}: {progress_text(state, time.monotonic())}\n")
            sys.stderr.flush()

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
        if kind is None:
            self._tell(last=True)
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


def progress_text(state: PhaseState, now_s: float) -> str:
    """Share, the time left, episodes, bytes and rate, what matters most first; now_s: as `state.began_s`.

    >>> progress_text(PhaseState("converting", 2_000_000, 3, 0.0, done_bytes=1_000_000, done_items=1), 10.0)
    '50 %, 10 s left, 1 of 3 episodes, 1.0 MB of 2.0 MB, 100.0 kB/s'
    """
    left_s = state.left_s(now_s)
    parts = [f"{state.share * 100:.0f} %"]
    parts += [f"{duration_text(left_s)} left"] if left_s is not None else []
    parts += [f"{state.done_items} of {counted(state.items, 'episode')}"] if state.items else []
    parts.append(f"{bytes_text(state.done_bytes)} of {bytes_text(state.total_bytes)}")
    return ", ".join([*parts, f"{bytes_text(state.bytes_per_s(now_s))}/s"])


def _bar() -> "Progress | None":
    """None where there is no terminal to draw on: a disabled bar of rich 13 still ends with an empty line."""
    from rich.console import Console

    out = Console(stderr=True)
    if not out.is_terminal:
        return None
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
    from rich.table import Column
    from rich.text import Text

    class Told(ProgressColumn):
        def render(self, task: Task) -> Text:
            state: PhaseState = task.fields["state"]
            return Text(progress_text(state, time.monotonic()), no_wrap=True, overflow="ellipsis")

    class Phase(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(task.fields["state"].phase)

    bar = [BarColumn(10)] if out.width >= _WIDE else []
    told = Told(Column(ratio=1, no_wrap=True))
    return Progress(SpinnerColumn(), Phase(), *bar, told, console=out, transient=True, expand=True)
