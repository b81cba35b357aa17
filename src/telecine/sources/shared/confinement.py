"""What a recording may lead to: regular files below its own folder, and nothing else.

Recordings are shared by strangers. A name in one, or a link beside it, must not make telecine read a file that nobody
gave it. Links that a person typed are followed, and so are those of a Hugging Face snapshot into its own `blobs`;
`--follow-links` allows the rest. What this does not promise: safety from a program that changes the folder meanwhile.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from telecine.core.dataclass import dataclass
from telecine.core.errors import DatasetError, OutsideError, SourceError, closed_on_failure

FOLLOW_FIX = "use --follow-links if you trust it"
_follows: ContextVar[bool] = ContextVar("follow_links", default=False)


def are_links_followed() -> bool:
    """What `links_followed` says here."""
    return _follows.get()


@contextmanager
def links_followed(follow: bool) -> Iterator[None]:
    """Inside, `confined` uses this answer; formats need no argument of their own for it."""
    token = _follows.set(follow)
    try:
        yield
    finally:
        _follows.reset(token)


@dataclass(frozen=True, slots=True)
class Confinement:
    """The folders that a recording's files may lie in, their links resolved; `follows`: anywhere."""

    roots: tuple[str, ...]
    follows: bool = False

    def holds(self, path: str | os.PathLike[str]) -> bool:
        """True when the file that `path` leads to lies within, or links are followed."""
        real = os.path.realpath(path)
        return self.follows or any(real == root or real.startswith(f"{root.rstrip('/')}/") for root in self.roots)

    def problem(self, path: str | os.PathLike[str]) -> str:
        """Why a file that is there must not be read; "" when it may be. A missing file is no problem here."""
        if not self.holds(path):
            return f"leads to {os.path.realpath(path)}, outside of {self.roots[0]}; {FOLLOW_FIX}"
        return kind_problem(path)

    def check(self, path: str | os.PathLike[str]) -> str:
        """The path. Raises: SourceError when it leads outside or to what is no regular file."""
        if problem := self.problem(path):
            kind = SourceError if self.holds(path) else OutsideError
            raise kind(f"{os.fspath(path)}: {problem}")
        return os.fspath(path)


def confined(root: str | os.PathLike[str]) -> Confinement:
    """The confinement of a recording whose files lie below `root`, a folder that may itself be a link."""
    real = os.path.realpath(root)
    typed = os.path.abspath(root)  # noqa: PTH100 - links in it are not resolved
    return Confinement((real, *_blobs(typed), *_blobs(real)), _follows.get())


def beside(path: Path, root: Path) -> Path:
    """A file that a layout has beside the recording, somewhere below `root`, which need not be there.

    Raises: SourceError when it leads elsewhere, or to what is no regular file.
    """
    confined(root).check(path)
    return path


def link_problem(folder: str | os.PathLike[str]) -> str:
    """Why a folder must not be read: a link in it leads outside, or what is there is no regular file; else ""."""
    inside = confined(folder)
    for above, folders, names in os.walk(folder):
        links = [name for name in folders if Path(above, name).is_symlink()]
        for path in (Path(above, name) for name in (*links, *names)):
            if not (path.is_dir() and inside.holds(path)) and (problem := inside.problem(path)):
                return f"{path.relative_to(folder)} {problem}"
    return ""


def check_dataset(root: str | os.PathLike[str]) -> None:
    """Nothing, for a dataset of regular files of its own whose texts can be held.

    Raises: DatasetError naming what leads elsewhere, or has texts beyond all measure.
    """
    if problem := link_problem(root) or text_problem(root):
        raise DatasetError(f"{os.fspath(root)}: {problem}")


def text_problem(root: str | os.PathLike[str]) -> str:
    """Why the Parquet files of a dataset must not be read, as `text_fault`; else ""."""
    from telecine.lerobot_format.text_bounds import text_fault

    for path in sorted(Path(root).rglob("*.parquet")):
        if path.is_file() and (fault := text_fault(path)):
            return f"{path.relative_to(root)}: {fault}"
    return ""


def _blobs(folder: str) -> Iterator[str]:
    """Where the files of a Hugging Face snapshot really are: REPO/snapshots/REVISION/... links into REPO/blobs."""
    parts = folder.split("/")
    for at in range(len(parts) - 1, 0, -1):
        blobs = "/".join((*parts[:at], "blobs"))
        if parts[at] == "snapshots" and os.path.isdir(blobs):  # noqa: PTH112
            yield os.path.realpath(blobs)
            return


def kind_problem(path: str | os.PathLike[str]) -> str:
    """Why what `path` leads to is no file to read from; "" for a regular file, and for a missing one."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - names that are no UTF-8 as well
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except ValueError as error:  # a zero byte in a name
        return f"cannot be read: {error}"
    return "" if stat.S_ISREG(mode) else f"is {_kind(mode)}, not a regular file"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFDIR: "a folder",
    }
    return kinds.get(stat.S_IFMT(mode), "of an unknown kind")


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A file opened for reading. Never waits for a FIFO's other end.

    Raises:
        OSError: it cannot be opened.
        SourceError: it is no regular file.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with closed_on_failure(lambda: os.close(number)):
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode):
            raise SourceError(f"{os.fspath(path)}: is {_kind(mode)}, not a regular file")
        return os.fdopen(number, "rb")
