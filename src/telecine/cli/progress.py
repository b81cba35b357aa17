"""A progress bar with an ETA weighted by bytes, on standard error, silent when that is not a terminal."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from telecine.core.text.visible import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """`core.progress.Progress` for people. A context manager."""

    def __init__(self, *, quiet: bool) -> None:
        self._bar = None if quiet else _bar()
        self._task: TaskID | None = None

    def begin(self, total_bytes: int) -> None:
        """Start at zero of `total_bytes`."""
        if self._bar is not None:
            self._bar.start()  # not before: its thread would keep the reader from being a copy of this process
            self._task = self._bar.add_task("", total=total_bytes)

    def advance(self, done_bytes: int, label: str) -> None:
        """Move on by a part of the recording `label`."""
        if self._bar is not None and self._task is not None:
            from rich.markup import escape

            self._bar.update(self._task, advance=done_bytes, description=escape(visible(label.rpartition("/")[2][:40])))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar() -> "Progress | None":
    """None where there is no terminal to draw on: a disabled bar of rich 13 still ends with an empty line."""
    from rich.console import Console

    out = Console(stderr=True)
    if not out.is_terminal:
        return None
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, transient=True)
