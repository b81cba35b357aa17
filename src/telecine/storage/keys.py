"""Keys of stores as names of files: what cannot be one is refused, since whoever fills a bucket chooses its keys."""

from collections.abc import Iterable, Iterator

from telecine.core.errors import StoreError
from telecine.storage.store import FileStore, StoredFile

_LONGEST = 255
"""Bytes of a name in a folder."""


def is_name(key: str) -> bool:
    """True when the key can be the name of a file below a folder."""
    parts = key.split("/")
    return not any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > _LONGEST for part in parts)


def safe(store: FileStore, files: Iterable[StoredFile]) -> Iterator[StoredFile]:
    """Those that are files; names that stand for folders are left out. Raises: StoreError for a key that is no name."""
    found = list(files)
    folders: set[str] = set()
    for file in found:
        parts = file.key.rstrip("/").split("/")
        folders.update("/".join(parts[:count]) for count in range(1, len(parts)))
        if not is_name(file.key.rstrip("/")):
            raise StoreError(f"{store.address}/{file.key}: its name cannot be that of a file")
    yield from (file for file in found if file.key not in folders and not file.key.endswith("/"))
