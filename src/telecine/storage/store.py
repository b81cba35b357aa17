"""What a store can do, wherever it is. Keys are relative, with "/" between their parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a store. tag: differs whenever the content does, as far as the store knows; "" without one."""

    key: str
    size_bytes: int
    tag: str = ""


class FileStore(Protocol):
    """A folder, or what stands for one. Every error is a `StoreError` that names the address, never a credential."""

    address: str
    """What people call it, without credentials."""

    def get(self, key: str) -> bytes:
        """The whole content. Raises: FileNotFoundError; StoreError."""
        ...

    def get_range(self, key: str, start: int, stop: int, *, tag: str = "") -> bytes:
        """Bytes [start, stop) of the content, all of which are there. Raises: FileNotFoundError; StoreError.

        tag: that of the content that is meant, if the store can compare it; another one is a StoreError.
        """
        ...

    def put(self, key: str, content: bytes) -> None:
        """Write the content, there at once or not at all. Raises: StoreError."""
        ...

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write the content unless the key exists; whether it was written. Raises: StoreError.

        Of a content that nobody else writes: it counts as written when it is there, since an answer can get lost.
        """
        ...

    def put_file(self, key: str, path: Path) -> None:
        """Write what the file holds, of any size, there at once or not at all. Raises: StoreError."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """A copy of the content as a new file. Raises: FileNotFoundError; StoreError."""
        ...

    def head(self, key: str) -> StoredFile | None:
        """Size and tag; None where there is no such key. Raises: StoreError."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """All files whose key starts with `prefix`, in the order of their keys. Raises: StoreError."""
        ...

    def delete(self, key: str) -> None:
        """Remove it; nothing where there is none. Raises: StoreError."""
        ...
