"""Repositories of the Hugging Face Hub, by its own client, which knows HF_TOKEN and HF_ENDPOINT.

What is written is a commit; `put_at_once` makes one of many files, so that a dataset is there whole or not at all.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from telecine.core.errors import StoreError
from telecine.core.text.addresses import StoreAddress
from telecine.core.text.numbers import counted
from telecine.storage.attempts import PassingError, shown, tried
from telecine.storage.pieces import copy_in_pieces
from telecine.storage.store import StoredFile

T = TypeVar("T")
_CALL_S = 60
_REFUSED = (401, 403)
_PASSING = (408, 409, 412, 425, 429)


class HubStore:
    """What is below an address of a repository, `hf://datasets/USER/NAME[@REVISION]/FOLDER`."""

    def __init__(self, address: StoreAddress) -> None:
        try:
            import huggingface_hub
            import huggingface_hub.errors
            import huggingface_hub.utils
        except ImportError as error:
            raise StoreError(f"{address}: hf:// needs: pip install 'telecine[hub]'") from error
        self.address = str(address)
        self._hub = huggingface_hub
        self._endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        container, _, self._revision = address.container.partition("@")
        self._repo = container.removeprefix("datasets/").removeprefix("spaces/")
        self._kind = container.partition("/")[0][:-1] if container != self._repo else "model"
        self._below = f"{address.key}/" if address.key else ""

    def get(self, key: str) -> bytes:
        """See `FileStore`."""
        there = self._there(key)
        return self.get_range(key, 0, there.size_bytes)

    def get_range(self, key: str, start: int, stop: int, *, tag: str = "") -> bytes:
        """See `FileStore`. The Hub cannot compare a tag."""
        del tag
        utils = self._hub.utils
        kind = "" if self._kind == "model" else f"{self._kind}s/"
        revision = quote(self._revision or "main", safe="")
        url = f"{self._endpoint}/{kind}{self._repo}/resolve/{revision}/{quote(self._below + key)}"

        def piece() -> bytes:
            headers = {**utils.build_hf_headers(), "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
            answer = utils.http_backoff("GET", url, headers=headers, timeout=_CALL_S, max_retries=1)
            utils.hf_raise_for_status(answer)
            found = bytes(answer.content)
            if len(found) != stop - start:
                raise PassingError(f"{counted(len(found), 'byte')} came, {stop - start} were asked for")
            return found

        return b"" if start >= stop else self._asked(key, piece)

    def put(self, key: str, content: bytes) -> None:
        """See `FileStore`."""
        self._commit({key: content})

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """See `FileStore`. A commit on top of the one in which it was absent."""
        head = self._head_commit()
        if self.head(key) is not None:
            return self.get(key) == content
        self._commit({key: content}, head)
        return True

    def put_file(self, key: str, path: Path) -> None:
        """See `FileStore`."""
        self._commit({key: path})

    def put_at_once(self, files: Mapping[str, Path], remove: Sequence[str] = ()) -> None:
        """One commit that adds or replaces all files and removes others; the repository is made, if there is none."""
        api = self._api()
        self._asked("", lambda: api.create_repo(self._repo, repo_type=self._kind, exist_ok=True))
        deleted = [self._hub.CommitOperationDelete(path_in_repo=self._below + key) for key in remove]
        self._commit(files, self._head_commit(), deleted)

    def tag(self, name: str) -> None:
        """Move a tag to what is there now."""
        api = self._api()
        where = {"repo_id": self._repo, "repo_type": self._kind}

        def tag() -> None:
            with suppress(self._hub.errors.RevisionNotFoundError):
                api.delete_tag(**where, tag=name)
            api.create_tag(**where, tag=name, revision=self._revision or None)

        self._asked("", tag)

    def get_file(self, key: str, path: Path) -> None:
        """See `FileStore`."""
        there = self._there(key)
        copy_in_pieces(f"{self.address}/{key}", there.size_bytes, path, lambda a, b: self.get_range(key, a, b))

    def head(self, key: str) -> StoredFile | None:
        """See `FileStore`."""
        found = self._asked(key, lambda: self._api().get_paths_info(self._repo, self._below + key, **self._where))
        return next((_stored(key, entry) for entry in found if hasattr(entry, "blob_id")), None)

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """See `FileStore`."""
        folder = (self._below + prefix.rpartition("/")[0]).rstrip("/")
        api, cut = self._api(), len(self._below)

        def listed() -> Any:
            return [*api.list_repo_tree(self._repo, folder or None, recursive=True, **self._where)]

        try:
            found = self._asked(prefix, listed)
        except FileNotFoundError:
            return
        files = [_stored(entry.path[cut:], entry) for entry in found if hasattr(entry, "blob_id")]
        yield from sorted((f for f in files if f.key.startswith(prefix)), key=lambda f: f.key)

    def delete(self, key: str) -> None:
        """See `FileStore`."""
        if self.head(key) is not None:
            operation = self._hub.CommitOperationDelete(path_in_repo=self._below + key)
            self._asked(key, lambda: self._committed([operation], None))

    def _api(self) -> Any:
        return self._hub.HfApi(endpoint=self._endpoint)

    @property
    def _where(self) -> dict[str, str | None]:
        return {"repo_type": self._kind, "revision": self._revision or None}

    def _there(self, key: str) -> StoredFile:
        found = self.head(key)
        if found is None:
            raise FileNotFoundError(f"{self.address}/{key}")
        return found

    def _head_commit(self) -> str | None:
        api = self._api()
        found = self._asked("", lambda: api.repo_info(self._repo, **self._where))
        return str(found.sha) if found.sha else None

    def _commit(self, files: Mapping[str, bytes | Path], parent: str | None = None, more: Sequence[Any] = ()) -> None:
        operations = [
            *more,
            *(
                self._hub.CommitOperationAdd(
                    path_in_repo=self._below + key,
                    path_or_fileobj=content if isinstance(content, bytes) else str(content),
                )
                for key, content in files.items()
            ),
        ]
        self._asked(next(iter(files)), lambda: self._committed(operations, parent))

    def _committed(self, operations: Sequence[Any], parent: str | None) -> None:
        api = self._api()
        api.create_commit(
            self._repo, operations, commit_message="Upload with telecine", parent_commit=parent, **self._where
        )

    def _asked(self, key: str, call: Callable[[], T]) -> T:
        """What the Hub answers. Raises: FileNotFoundError; StoreError."""
        place, errors = f"{self.address}/{key}".rstrip("/"), self._hub.errors

        def answered() -> T:
            try:
                return call()
            except (FileNotFoundError, errors.EntryNotFoundError):
                raise FileNotFoundError(place) from None
            except errors.RepositoryNotFoundError:
                raise StoreError(f"{place}: there is no such repository, or HF_TOKEN may not read it") from None
            except errors.HfHubHTTPError as error:
                status = getattr(error.response, "status_code", 0) or 0
                if status in _REFUSED:
                    said = shown(str(error))
                    raise StoreError(f"{place}: refused: {said}; set HF_TOKEN to a token that may") from None
                if status >= 500 or status in _PASSING or not status:
                    raise PassingError(str(error)) from None
                raise StoreError(f"{place}: {shown(str(error))}") from None
            except ValueError as error:  # a name that the Hub does not take
                raise StoreError(f"{place}: {shown(str(error))}") from None
            except RuntimeError as error:  # of its threads that upload
                raise PassingError(f"{error} {error.__cause__ or ''}") from None
            except OSError as error:
                raise PassingError(f"{type(error).__name__}: {error}") from None
            except errors.HfHubHTTPError.__bases__ as error:  # of its HTTP library, another one in each major version
                raise PassingError(f"{type(error).__name__}: {error}") from None

        return tried(place, answered)


def _stored(key: str, entry: Any) -> StoredFile:
    return StoredFile(key, int(entry.size), str(entry.lfs.sha256 if entry.lfs else entry.blob_id))
