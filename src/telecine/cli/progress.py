"""A progress bar with an ETA weighted by bytes, on standard error, silent when that is not a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Bar:
    """`convert.Progress` for people. A context manager."""

    def __init__(self, *, quiet: bool) -> None:
        out = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=out, transient=True)
        self._shown = out.is_terminal and not quiet
        self._task: TaskID | None = None

    def begin(self, total_bytes: int) -> None:
        """Start at zero of `total_bytes`."""
        self._task = self._bar.add_task("", total=total_bytes)

    def advance(self, done_bytes: int, label: str) -> None:
        """Move on by a part of the recording `label`."""
        if self._task is not None:
            self._bar.update(self._task, advance=done_bytes, description=label.rpartition("/")[2][:40])

    def __enter__(self) -> Self:
        if self._shown:  # a disabled bar of rich 13 still ends with an empty line
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._bar.stop()
