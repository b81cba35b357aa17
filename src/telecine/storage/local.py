"""A folder of this machine as a store."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from telecine.core.errors import StoreError, disk_is_full
from telecine.storage.store import StoredFile

_NEW = ".new-"


class LocalStore:
    """The files below `root`; the folder is made when the first is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = str(root)

    def get(self, key: str) -> bytes:
        """See `FileStore`."""
        with _named(self.root / key):
            return (self.root / key).read_bytes()

    def get_range(self, key: str, start: int, stop: int, *, tag: str = "") -> bytes:
        """See `FileStore`."""
        if tag and (there := self.head(key)) is not None and there.tag != tag:
            raise StoreError(f"{self.root / key}: changed while it was read; read it again when its writer is done")
        with _named(self.root / key), (self.root / key).open("rb") as file:
            file.seek(start)
            found = file.read(stop - start)
        if len(found) != stop - start:
            raise StoreError(f"{self.root / key}: ends at byte {start + len(found)}, before {stop}")
        return found

    def put(self, key: str, content: bytes) -> None:
        """See `FileStore`."""
        with self._written(key, content) as path:
            path.replace(self.root / key)

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """See `FileStore`. A link to an existing name fails, on every file system that has links."""
        with self._written(key, content) as path:
            try:
                os.link(path, self.root / key)
            except FileExistsError:
                return False
            except OSError:  # no links there: a name is made once, too, but a reader may meet it half written
                return _created(self.root / key, content)
        return True

    def put_file(self, key: str, path: Path) -> None:
        """See `FileStore`."""
        with self._written(key) as new:
            shutil.copyfile(path, new)
            new.replace(self.root / key)

    def get_file(self, key: str, path: Path) -> None:
        """See `FileStore`."""
        with _named(self.root / key):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / key, path)

    def head(self, key: str) -> StoredFile | None:
        """See `FileStore`."""
        try:
            found = (self.root / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return StoredFile(key, found.st_size, f"{found.st_mtime_ns:x}-{found.st_size:x}")

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """See `FileStore`; what is being written is left out."""
        folder = self.root / prefix.rpartition("/")[0]
        found = [path.relative_to(self.root).as_posix() for path in folder.rglob("*") if path.is_file()]
        for key in sorted(key for key in found if key.startswith(prefix) and not _is_new(key)):
            entry = self.head(key)
            if entry is not None:
                yield entry

    def delete(self, key: str) -> None:
        """See `FileStore`."""
        with _named(self.root / key), suppress(FileNotFoundError):
            (self.root / key).unlink()

    @contextmanager
    def _written(self, key: str, content: bytes | None = None) -> Iterator[Path]:
        """A file beside the key with the content, synced; gone afterwards unless it was renamed."""
        with _named(self.root / key):
            folder = (self.root / key).parent
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_NEW, dir=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    if content is not None:
                        file.write(content)
                        file.flush()
                        os.fsync(file.fileno())
                Path(name).chmod(0o644)
                yield Path(name)
            finally:
                with suppress(OSError):
                    Path(name).unlink(missing_ok=True)


def _is_new(key: str) -> bool:
    return key.rpartition("/")[2].startswith(_NEW)


def _created(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        what = "no space left" if disk_is_full(error) else "refused"
        raise StoreError(f"{what}: {path}: {error.strerror or error}") from error
