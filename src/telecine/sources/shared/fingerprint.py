"""What a recording's files hold, as one digest: by it a recording is known again, never by its name."""

import hashlib
import os
import stat
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from telecine.core.errors import SourceError, raised_as
from telecine.core.file_state import FileState, state_from
from telecine.core.recording import Ref
from telecine.core.text.addresses import is_stored

Stamp = tuple[FileState, ...]


def stamp(path: str) -> Stamp | None:
    """The state of a file, or of all files below a folder; None for what is no file, like a server's address.

    Raises: SourceError when it is gone or cannot be read; StoreError.
    """
    if is_stored(path):
        found: Stamp = _copies().stored_state(path)
        return found
    if "://" in path:
        return None
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        return tuple(sorted(file_state(file) for file in _files(path)))


def stamp_of(ref: Ref) -> Stamp | None:
    """The state of all files of a recording; see `stamp`."""
    found = stamp(ref.path)
    return found if found is None else tuple(sorted(chain(found, *(stamp(path) or () for path in ref.layers))))


def digest(state: Stamp) -> str:
    """Hex SHA-256 of everything in the files of `state`: of a single file as `sha256sum` prints it.

    Raises: SourceError when a file cannot be read.
    """
    if len(state) == 1:
        return _file_digest(*state[0])
    whole = hashlib.sha256()
    top = os.path.commonpath([entry[0] for entry in state]) if state else ""
    for entry in state:
        whole.update(f"{os.path.relpath(entry[0], top)}\0{_file_digest(*entry)}\0".encode(errors="surrogateescape"))
    return whole.hexdigest()


@lru_cache(maxsize=256)
def _file_digest(*state: Any) -> str:
    """Kept for the other recordings of the same file, as long as that does not change."""
    path: str = state[0]
    if is_stored(path):
        path = _copies().local_path(path, "")
    with raised_as(SourceError, f"{path}: cannot be read", OSError), Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copies() -> Any:
    from telecine.sources.stored import copies

    return copies


def size_bytes(path: str) -> int:
    """Of a file, or of all files below a folder."""
    return sum(Path(file).stat().st_size for file in _files(path))


def _files(path: str) -> list[str]:
    """A file itself, or the regular files below a folder, without following links to other folders."""
    if not Path(path).is_dir():
        return [path]
    return [name for root, _, files in os.walk(path) for file in files if Path(name := str(Path(root, file))).is_file()]


def file_state(path: str) -> FileState:
    """The state of a file: what is cached of it holds as long as this stays the same.

    Raises: OSError when it is gone. SourceError when it is no regular file.
    """
    found = os.stat(path)  # noqa: PTH116 - asked for every recording of a file of many, at a third of the time
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(f"{path}: is not a regular file")
    return state_from(path, found)
