"""A file of many recordings, opened once for all of them: opening takes longer than to read a small recording.

Only inside `files_stay_open`, whose caller sees to it that `close_latest` is called at the end, or ends itself. One
file stays open in each thread; it is closed when another is opened, or has changed meanwhile.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from telecine.core.file_state import FileState
from telecine.sources.shared.fingerprint import file_state

_stay: ContextVar[bool] = ContextVar("files_stay_open", default=False)


@dataclass(slots=True)
class _Opened:
    state: FileState
    file: Any
    users: int = 0
    is_latest: bool = True

    def close_unused(self) -> None:
        if not self.users and not self.is_latest:
            self.file.close()


class _Latest(threading.local):
    opened: _Opened | None = None


_latest = _Latest()


@contextmanager
def files_stay_open() -> Iterator[None]:
    """Inside, `shared_file` may give a file that is open already."""
    token = _stay.set(True)
    try:
        yield
    finally:
        _stay.reset(token)


def shared_file(path: str, open_file: Callable[[str], Any]) -> tuple[Any, Callable[[], None]]:
    """(file, what its user calls when done with it). Raises: what `open_file` raises; OSError when it is gone."""
    if not _stay.get():
        file = open_file(path)
        return file, file.close
    state, latest = file_state(path), _latest.opened
    if latest is None or latest.state != state:
        close_latest()
        latest = _latest.opened = _Opened(state, open_file(path))
    latest.users += 1
    return latest.file, _once(latest)


def _once(opened: _Opened) -> Callable[[], None]:
    done = False

    def close() -> None:
        nonlocal done
        if not done:
            done = True
            opened.users -= 1
            opened.close_unused()

    return close


def close_latest() -> None:
    """Close the file that stays open in this thread, as soon as nobody uses it."""
    latest, _latest.opened = _latest.opened, None
    if latest is not None:
        latest.is_latest = False
        latest.close_unused()
