"""Local copies of what lies in stores, for code that needs files: bounded, and gone when the command ends.

    SCRATCH/copies/<digest>/...     a copy: named by the address and the state of the files; whole when it has its name
    SCRATCH/copies/<digest>.lock    shared by those who use the copy, so that nobody removes it under them
    SCRATCH/run-.../                what one command alone needs: a target before it is uploaded, a dataset

SCRATCH is TELECINE_SCRATCH, or a folder of the user's own below the system's folder for temporary files. Copies take
at most TELECINE_SCRATCH_MAX (10GB) together, or one recording for each process where those are larger.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from telecine.core.errors import PlanError, StoreError, closed_on_failure
from telecine.core.text.numbers import bytes_in, counted
from telecine.storage.store import FileStore, StoredFile

try:
    import fcntl
except ImportError as error:  # pragma: no cover - Windows
    raise StoreError(
        "local copies of what is in stores need a system that locks files as Linux and macOS do"
    ) from error

FOLDER, MOST = "TELECINE_SCRATCH", "TELECINE_SCRATCH_MAX"
DEFAULT_MOST = 10_000_000_000
AT_ONCE = 8
_PAUSE_S = 0.01


def scratch_folder() -> Path:
    """The folder, made for this user alone. Raises: StoreError when it cannot be, or is somebody else's."""
    given = os.environ.get(FOLDER)
    folder = Path(given) if given else Path(tempfile.gettempdir()) / f"telecine-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not given and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
            raise StoreError(f"{folder}: belongs to somebody else; name a folder of your own in {FOLDER}")
        return folder.resolve()
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror or error}; name a folder for local copies in {FOLDER}") from error


def most_bytes() -> int:
    """How much all copies may take together. Raises: PlanError for a size that means nothing."""
    given = os.environ.get(MOST)
    if not given:
        return DEFAULT_MOST
    found = bytes_in(given)
    if found is None:
        raise PlanError(f"{MOST}={given}: is not a size like 50GB")
    return found


def require_room(folder: Path, size_bytes: int, what: str) -> None:
    """Nothing, when so much fits. Raises: StoreError."""
    free = shutil.disk_usage(folder).free
    if size_bytes > free:
        text = f"no space left: a local copy of {what} takes {counted(size_bytes, 'byte')}, {folder} has {free}"
        raise StoreError(f"{text}; name a folder with more in {FOLDER}")


def copy_files(store: FileStore, files: Sequence[StoredFile], folder: Path) -> None:
    """All of them below `folder`, by their keys, several at once. Raises: StoreError; FileNotFoundError."""
    folder.mkdir(parents=True, exist_ok=True)
    require_room(folder, sum(file.size_bytes for file in files), store.address)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda file: store.get_file(file.key, folder / file.key), files))


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for one command, gone afterwards unless `keep` in it says that somebody needs it."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch_folder()))
    handle = _locked(folder.with_suffix(".lock"), fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        if not (folder / KEEP).exists():
            shutil.rmtree(folder, ignore_errors=True)
        _unlink_and_close(folder.with_suffix(".lock"), handle)


KEEP = ".keep"
"""A file that makes a folder of a command stay: what is in it could not be brought where it belongs."""


class Copy:
    """A local copy in use: `folder` has the files by their keys. Close it when they are not needed any more."""

    def __init__(self, folder: Path, handle: int) -> None:
        self.folder = folder
        self._handle: int | None = handle

    def close(self) -> None:
        """Let others remove it. May be called again."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def copied(store: FileStore, files: Sequence[StoredFile]) -> Copy:
    """A copy of these files, made now or there already. Raises: StoreError, FileNotFoundError."""
    home = scratch_folder() / "copies"
    home.mkdir(exist_ok=True)
    named = hashlib.sha256(repr((store.address, [(f.key, f.size_bytes, f.tag) for f in files])).encode())
    folder = home / named.hexdigest()[:32]
    lock = folder.with_suffix(".lock")
    while True:
        handle = _locked(lock, fcntl.LOCK_SH)  # waits for whoever makes it, not for those who use it
        if folder.exists():
            os.utime(folder)
            return Copy(folder, handle)
        os.close(handle)
        if not _if_free(lock, lambda: _make(store, files, folder), keep=True):
            time.sleep(_PAUSE_S)


def _make(store: FileStore, files: Sequence[StoredFile], folder: Path) -> None:
    if folder.exists():
        return
    _make_room(folder.parent, sum(file.size_bytes for file in files))
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    with _removed_on_failure(new):
        copy_files(store, files, new)
        new.rename(folder)


def clear() -> None:
    """Remove the copies that nobody uses, and what commands left that are no more."""
    with suppress(StoreError, OSError):
        home = scratch_folder()
        for folder in _oldest_first(home / "copies"):
            _remove_unused(folder)
        for lock in (home / "copies").glob("*.lock"):
            _if_free(lock, lambda: None)
        with suppress(OSError):
            (home / "copies").rmdir()
        _sweep()
        with suppress(OSError):
            home.rmdir()


def copies_bytes() -> int:
    """What all copies take now."""
    return sum(path.stat().st_size for path in (scratch_folder() / "copies").rglob("*") if path.is_file())


def _make_room(home: Path, more: int) -> None:
    """Remove copies that nobody uses, longest unused first, until `more` fits within the bound."""
    taken = {folder: _size(folder) for folder in _oldest_first(home)}
    for folder in list(taken):
        if sum(taken.values()) + more <= most_bytes():
            return
        if _remove_unused(folder):
            del taken[folder]


def _oldest_first(home: Path) -> list[Path]:
    folders = [path for path in home.glob("*") if path.is_dir()] if home.is_dir() else []
    return sorted(folders, key=lambda folder: (folder.stat().st_mtime_ns, folder.name))


def _size(folder: Path) -> int:
    found = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another process is just removing it
            found += path.stat().st_size if path.is_file() else 0
    return found


def _remove_unused(folder: Path) -> bool:
    return _if_free(folder.with_suffix(".lock"), lambda: shutil.rmtree(folder, ignore_errors=True))


def _if_free(lock: Path, work: Callable[[], object], *, keep: bool = False) -> bool:
    """Do it if nobody holds the lock, and remove that unless it is to `keep`; whether it was done."""
    try:
        handle = _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    try:
        work()
    except BaseException:
        keep = False
        raise
    finally:
        if keep:
            os.close(handle)
        else:
            _unlink_and_close(lock, handle)
    return True


def _sweep() -> None:
    """Remove folders of commands that are no more; those that were kept stay."""
    for folder in scratch_folder().glob("run-*"):
        if folder.is_dir() and not (folder / KEEP).exists():
            _remove_unused(folder)


def _locked(path: Path, how: int) -> int:
    """An open handle that holds the lock; of the file that is at `path` then. Raises: OSError."""
    while True:
        path.parent.mkdir(exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with closed_on_failure(lambda handle=handle: os.close(handle)):  # type: ignore[misc]
            fcntl.flock(handle, how)
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(handle).st_ino:
                return handle
        os.close(handle)


def _unlink_and_close(path: Path, handle: int) -> None:
    path.unlink(missing_ok=True)
    os.close(handle)


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
