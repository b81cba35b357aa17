"""Where a dataset grows until it is whole: a hidden folder beside the target, and one rename at the end.

    parent/NAME                      the target: untouched until `publish`
    parent/.NAME.telecine/lock       held by the one writer; the system lets go of it when that process ends
    parent/.NAME.telecine/stage/     what will become the target (same file system, so that renaming is atomic)
    parent/.NAME.telecine/old/       the target while it is being replaced; put back by the next writer after a crash
    parent/.NAME.telecine/scratch/   for others who hold the lock; goes when the target was published, else it stays

Where the system can exchange two folders in one step (Linux and macOS on local file systems), others see old or new
at every instant of a replacement. Elsewhere the target is absent between two renames, and a crash just there is
repaired by whoever writes to the same target next.
"""

import errno
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from telecine.core.dataclass import dataclass
from telecine.core.errors import DatasetError, closed_on_failure
from telecine.core.text.addresses import require_local
from telecine.dataset.atomic_swap import exchange
from telecine.lerobot_format.paths import INFO

if sys.platform == "win32":  # pragma: no cover
    import msvcrt
else:
    import fcntl


_SYNCED_AT_ONCE = 8


def workspace(root: Path) -> Path:
    """The hidden folder beside `root`, for the writer's stage and others' scratch files; never inside `root`."""
    return root.parent / f".{root.name}.telecine"


@dataclass(frozen=True, slots=True)
class Asker:
    """How whoever wants a dataset at `root` says that one that is there be replaced or added to; "": it cannot."""

    overwrite: str = ""
    append: str = ""

    def ways(self) -> str:
        """What can be done about a folder that is in use."""
        ways = ["name another folder"]
        ways += [f"add to it with {self.append}"] if self.append else []
        ways += [f"replace it with {self.overwrite}"] if self.overwrite else []
        return ", or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))


class Staging:
    """The stage of one target, locked. `folder` is new and empty."""

    def __init__(self, root: Path, *, overwrite: bool, asker: Asker) -> None:
        require_local(root)
        self.root, self._asker = root, asker
        self._overwrite = overwrite
        self._home = workspace(root)
        self.folder = self._home / "stage"
        self.scratch = self._home / "scratch"
        self._published = False
        self._old = self._home / "old"
        self._lock = _lock(self._home, root)
        with closed_on_failure(self.close):
            self._restore()
            self._forget_published()
            require_writable(root, overwrite=overwrite, asker=asker)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
            self.scratch.mkdir(exist_ok=True)

    def publish(self) -> None:
        """Make the stage the target: everything is on disk before the one rename that shows it."""
        require_writable(self.root, overwrite=self._overwrite, asker=self._asker)
        paths = (*_tree(self.folder), self.folder, self._home)
        # Others are links to what was published before.
        files = [path for path in paths if not path.is_dir() and path.stat().st_nlink == 1]
        _sync_all(files)
        for folder in filter(Path.is_dir, paths):
            sync_to_disk(folder)
        self.scratch.mkdir(exist_ok=True)  # whoever had files in it may have cleared it away
        self._mark().write_text(str(self.folder.stat().st_ino))
        if not (self.root.exists() and exchange(self.folder, self.root)):
            if self.root.exists():
                self.root.rename(self._old)
            try:
                self.folder.rename(self.root)
            except OSError:
                self._restore()
                raise
        self._published = True
        with suppress(OSError):  # it is there; a power cut in the next seconds could at most bring the old one back
            sync_to_disk(self.root.parent)

    def discard(self) -> None:
        """Remove what is left of the stage, and keep the lock."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Remove what is left of the stage and let the next writer in. May be called again."""
        if self._lock is None:
            return
        self.discard()
        if self.root.exists():
            shutil.rmtree(self._old, ignore_errors=True)
        if self._published:
            shutil.rmtree(self.scratch, ignore_errors=True)
        else:
            self._mark().unlink(missing_ok=True)
            with suppress(OSError):  # somebody's files are in it
                self.scratch.rmdir()
        (self._home / "lock").unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None
        with suppress(OSError):  # scratch files are in it
            self._home.rmdir()

    def _mark(self) -> Path:
        """Names the stage by its inode while it is being published, which a rename does not change."""
        return self.scratch / "publishing"

    def _forget_published(self) -> None:
        """Remove what a writer left that was killed when its dataset was there already."""
        try:
            published = self.root.stat().st_ino == int(self._mark().read_text())
        except (OSError, ValueError):
            return
        self._mark().unlink()
        if published:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _restore(self) -> None:
        """Put back the target that a crash left moved aside."""
        if self._old.exists() and not self.root.exists():
            self._old.rename(self.root)


def _sync_all(files: Sequence[Path]) -> None:
    """Wait until the files are on disk, which writes them together."""
    try:
        with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
            list(pool.map(sync_to_disk, files))
    except RuntimeError:  # no thread can be started while the program ends, when a recorder may just be closing
        for file in files:
            sync_to_disk(file)


def require_writable(root: Path, *, overwrite: bool, asker: Asker) -> None:
    """Nothing, when a dataset may appear at `root`. asker: who wants it there; words of the message follow from it.

    Raises:
        DatasetError: something is there that must not be replaced.
    """
    require_local(root)
    if not root.exists():
        return
    if not root.is_dir():
        raise DatasetError(f"{root}: a file is in the way; name a folder that does not exist yet")
    if not any(root.iterdir()):
        return
    if not (root / INFO).is_file():
        raise DatasetError(
            f"{root}: exists and is not empty, and holds no dataset ({INFO} is missing); name another folder"
        )
    if not overwrite:
        raise DatasetError(f"{root}: exists and is not empty; {asker.ways()}")


def _lock(home: Path, root: Path) -> int | None:
    """An open, locked file that holds our process id."""
    for _ in range(10):  # once more for each writer that removed its lock file while we opened it
        home.mkdir(parents=True, exist_ok=True)
        path = home / "lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue
        try:
            if sys.platform == "win32":  # pragma: no cover
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise DatasetError(
                    f"{root}: its file system cannot lock files ({error.strerror}); write elsewhere and move it there"
                ) from error
            who = owner or "another process"
            raise DatasetError(f"{root}: locked, {who} is writing it; wait or stop it") from error
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            os.truncate(handle, 0)
            os.write(handle, _owner().encode())
            return handle
        os.close(handle)
    raise DatasetError(f"{root}: locked again and again by other writers; try later")


def _owner() -> str:
    """Who we are, for whoever finds the lock taken; a lock without its process is no lock, so this is never asked."""
    began = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {platform.node() or 'an unnamed machine'}, since {began},"


def _tree(folder: Path) -> Iterator[Path]:
    """Everything in a folder, contents before the folders that hold them."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _tree(path)
        yield path


def sync_to_disk(path: Path) -> None:
    """Wait until what is written at `path`, a file or the names in a folder, is on disk. Raises: OSError."""
    if path.is_dir() and sys.platform == "win32":  # pragma: no cover
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
