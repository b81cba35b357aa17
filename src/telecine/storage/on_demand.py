"""A folder of which a file is copied from a store when somebody asks for it first; until then it has its size alone.

Whoever reads such files calls `present` before, or reads parts of one through `ranged_at`; elsewhere both do nothing.
Files that are read whatever happens are copied at once.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from telecine.core.errors import StoreError, closed_on_failure
from telecine.storage.ranged_file import RangedFile
from telecine.storage.store import FileStore, StoredFile

_folders: "dict[Path, FolderOnDemand]" = {}


class FolderOnDemand:
    """`folder` has all files by their keys, those that are `at_once` with their content. Close it when it is read.

    folder: a new one of the caller's; None for one in scratch, which goes when it is closed.
    """

    def __init__(
        self,
        store: FileStore,
        files: Sequence[StoredFile],
        at_once: Callable[[str], bool],
        folder: Path | None = None,
    ) -> None:
        from telecine.storage.scratch import copy_files, own_folder  # needs locks, which not every system has

        self._store, self._locks = store, defaultdict[Path, Lock](Lock)
        self._stack = ExitStack()
        with closed_on_failure(self.close):
            self.folder = folder or self._stack.enter_context(own_folder())
            copy_files(store, [file for file in files if at_once(file.key)], self.folder)
            self._absent = {self.folder / file.key: file for file in files if not at_once(file.key)}
            for path, file in self._absent.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as sink:
                    sink.truncate(file.size_bytes)
            _folders[self.folder] = self

    def close(self) -> None:
        """Remove it. May be called again."""
        _folders.pop(getattr(self, "folder", Path()), None)
        self._stack.close()

    def absent(self, path: Path) -> StoredFile | None:
        """What stands for a file that was not copied; None for any other."""
        return self._absent.get(path)

    def has(self, files: Iterable[StoredFile]) -> bool:
        """True when all of these were copied."""
        return not self._absent.keys() & {self.folder / file.key for file in files}

    def fetch(self, path: Path) -> None:
        """Copy it, unless another thread just did. Raises: StoreError; FileNotFoundError."""
        from telecine.storage.scratch import require_room

        with self._locks[path]:
            if (file := self._absent.get(path)) is None:
                return
            require_room(self.folder, file.size_bytes, file.key)
            new = path.with_name(f".{os.getpid()}.{path.name}")  # a fork of this process may be at it, too
            self._store.get_file(file.key, new)
            if new.stat().st_size != file.size_bytes:
                new.unlink()
                raise StoreError(f"{self._store.address}/{file.key}: changed while it was read; run this again")
            new.replace(path)
            del self._absent[path]

    def opened(self, file: StoredFile) -> RangedFile:
        """A file that is read by ranges."""
        return RangedFile(self._store, file)


def present(path: Path) -> Path:
    """The path, with its content: copied now, where it stands for a file in a store.

    Raises: StoreError; FileNotFoundError when it went away.
    """
    for folder in _holding(path):
        folder.fetch(path)
    return path


def ranged_at(path: Path) -> BinaryIO | None:
    """A file that stands for one in a store, open to be read by ranges; None for any other."""
    for folder in _holding(path):
        if (file := folder.absent(path)) is not None:
            return cast("BinaryIO", folder.opened(file))
    return None


def _holding(path: Path) -> "list[FolderOnDemand]":
    return [folder for top, folder in _folders.items() if path.is_relative_to(top)] if _folders else []
