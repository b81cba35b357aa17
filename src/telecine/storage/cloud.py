"""Object stores (S3, Google Cloud Storage, Azure) through obstore, with what the environment says of them.

Credentials are read by obstore as its readers of the environment do: AWS_*, GOOGLE_*, AZURE_*; AWS_ENDPOINT_URL names
another server of S3's interface, and http:// is spoken only where AWS_ALLOW_HTTP allows it.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from telecine.core.errors import StoreError
from telecine.core.text.addresses import StoreAddress
from telecine.core.text.numbers import counted
from telecine.storage.attempts import PassingError, shown, tried
from telecine.storage.pieces import AT_ONCE, copy_in_pieces
from telecine.storage.store import StoredFile

T = TypeVar("T")
_CALL_S = 60.0
"""How long one request may take, in s, of at most a piece."""
_MOST_PARTS = 9000
PAGE = 1000
"""Files that one request of a listing names."""
_MOST_FOLDERS = 200
"""That are listed by requests of their own."""
_ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_SKIP_SIGNATURE=true for a public bucket)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS (or GOOGLE_SKIP_SIGNATURE=true for a public bucket)",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_METADATA_SERVERS = ("169.254.169.254", "metadata.google.internal")
"""Whom the clients ask for credentials on machines of the clouds, where the environment has none."""
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")


class CloudStore:
    """What is below an address of an object store. Raises: StoreError without obstore, or for settings it refuses."""

    def __init__(self, address: StoreAddress) -> None:
        try:
            import obstore
            import obstore.store
        except ImportError as error:
            raise StoreError(f"{address}: {address.scheme}:// needs: pip install 'telecine[cloud]'") from error
        self.address = str(address)
        self._scheme = address.scheme
        self._api = obstore
        allows = os.environ.get(_ALLOW_HTTP[address.scheme], "").lower() in ("1", "true", "yes")
        try:
            self._store: Any = obstore.store.from_url(
                self.address,
                client_options={"allow_http": allows, "timeout": timedelta(seconds=_CALL_S)},
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=_CALL_S)},
            )
        except (obstore.exceptions.BaseError, ValueError) as error:
            raise StoreError(f"{address}: {shown(str(error))}; set {_CREDENTIALS[self._scheme]}") from None

    def get(self, key: str) -> bytes:
        """See `FileStore`."""
        return self._asked(key, lambda: bytes(self._api.get(self._store, key).bytes()))

    def get_range(self, key: str, start: int, stop: int, *, tag: str = "") -> bytes:
        """See `FileStore`."""
        options: dict[str, Any] = {"range": (start, stop), **({"if_match": tag} if tag else {})}

        def piece() -> bytes:
            found = bytes(self._api.get(self._store, key, options=options).bytes())
            if len(found) != stop - start:
                raise PassingError(f"{counted(len(found), 'byte')} came, {stop - start} were asked for")
            return found

        return b"" if start >= stop else self._asked(key, piece)

    def put(self, key: str, content: bytes) -> None:
        """See `FileStore`."""
        self._asked(key, lambda: self._api.put(self._store, key, content))

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """See `FileStore`."""
        errors = self._api.exceptions

        def put() -> bool:
            try:
                self._api.put(self._store, key, content, mode="create", use_multipart=False)
            except (errors.AlreadyExistsError, errors.PreconditionError):
                return False
            return True

        return self._asked(key, put) or self.get(key) == content

    def put_file(self, key: str, path: Path) -> None:
        """See `FileStore`."""
        size = path.stat().st_size
        part = max(8 << 20, -(-size // _MOST_PARTS))

        def put() -> None:
            self._api.put(self._store, key, path, chunk_size=part, max_concurrency=AT_ONCE)
            there = self._api.head(self._store, key)["size"]
            if there != size:
                raise PassingError(f"{counted(there, 'byte')} arrived, {size} were sent")

        self._asked(key, put)

    def get_file(self, key: str, path: Path) -> None:
        """See `FileStore`. In pieces, all of one state of the file."""
        there = self.head(key)
        if there is None:
            raise FileNotFoundError(f"{self.address}/{key}")
        copy_in_pieces(
            f"{self.address}/{key}", there.size_bytes, path, lambda a, b: self.get_range(key, a, b, tag=there.tag)
        )

    def head(self, key: str) -> StoredFile | None:
        """See `FileStore`."""
        try:
            found = self._asked(key, lambda: self._api.head(self._store, key))
        except FileNotFoundError:
            return None
        return StoredFile(key, found["size"], found["e_tag"] or "")

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """See `FileStore`."""
        folder = prefix.rpartition("/")[0]
        pages = self._asked(folder, lambda: _listed(self._api, self._store, folder))
        yield from sorted((f for f in pages if f.key.startswith(prefix)), key=lambda f: f.key)

    def delete(self, key: str) -> None:
        """See `FileStore`."""

        def delete() -> None:
            try:
                self._api.delete(self._store, key)
            except FileNotFoundError:
                return

        self._asked(key, delete)

    def copy(self, key: str, target: str) -> None:
        """Copy the content to another key; the store does so by itself. Raises: FileNotFoundError; StoreError."""
        self._asked(key, lambda: self._api.copy(self._store, key, target))

    def _asked(self, key: str, call: Callable[[], T]) -> T:
        """What the store answers. Raises: FileNotFoundError, without what the store said; StoreError."""
        place, errors = f"{self.address}/{key}".rstrip("/"), self._api.exceptions

        def answered() -> T:
            try:
                return call()
            except FileNotFoundError as error:
                if any(word in str(error) for word in _NO_BUCKET):
                    raise StoreError(f"{place}: there is no such bucket; make it, or see to its name") from None
                raise FileNotFoundError(place) from None
            except (errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
                said = shown(str(error))
                raise StoreError(f"{place}: refused: {said}; set {_CREDENTIALS[self._scheme]}") from None
            except errors.PreconditionError:
                raise StoreError(f"{place}: changed while it was read; read it again when its writer is done") from None
            except (errors.NotSupportedError, errors.InvalidPathError, errors.UnknownConfigurationKeyError) as error:
                raise StoreError(f"{place}: {shown(str(error))}") from None
            except (errors.BaseError, TimeoutError, ConnectionError) as error:
                if any(server in str(error) for server in _METADATA_SERVERS):
                    raise StoreError(f"{place}: no credentials are found; set {_CREDENTIALS[self._scheme]}") from None
                raise PassingError(str(error)) from None

        return tried(place, answered)


def _listed(api: Any, store: Any, folder: str) -> list[StoredFile]:
    """All files below a folder: of a large one by the folders in it, since each page waits for the one before."""
    first = next(iter(api.list(store, folder or None, chunk_size=PAGE)), ())
    if len(first) < PAGE:
        return _files(first)
    top = api.list_with_delimiter(store, folder or None)
    inner = top["common_prefixes"]
    if not 1 < len(inner) <= _MOST_FOLDERS:  # a request for each would cost more than all pages
        return _flat(api, store, folder)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda one: _flat(api, store, one), inner)
        return [*_files(top["objects"]), *(file for files in found for file in files)]


def _flat(api: Any, store: Any, folder: str) -> list[StoredFile]:
    return [file for page in api.list(store, folder or None, chunk_size=PAGE) for file in _files(page)]


def _files(entries: Any) -> list[StoredFile]:
    return [StoredFile(entry["path"], entry["size"], entry["e_tag"] or "") for entry in entries]
