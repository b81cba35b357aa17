"""A person's decisions about a dataset as an `Edit` file beside it, never in it; written whole, one after the other."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from telecine.core.edit.model import Edit, EditInput, make_edit, parse_edit
from telecine.core.edit.resolve import resolve
from telecine.core.errors import DatasetError, EditError, raised_as
from telecine.core.file_state import FileState, state_from
from telecine.core.text.addresses import is_stored, store_address
from telecine.core.text.documents import MAX_YAML_BYTES
from telecine.core.text.numbers import counted
from telecine.dataset.reader import Dataset
from telecine.dataset.staging import sync_to_disk
from telecine.editing.inputs import InputDataset, check_fingerprints
from telecine.lerobot_format.metadata import V2_VERSIONS

if sys.platform != "win32":
    import fcntl


class EditConflict(EditError):
    """Somebody else wrote first; `newer` is what they wrote."""

    def __init__(self, message: str, newer: Edit | None = None) -> None:
        super().__init__(message)
        self.newer = newer


def edit_path(root: str | Path) -> Path:
    """Where the edit of the dataset at `root` is: beside it, or in the user's state folder.

    There, where the folder is read-only or the dataset is in a store.
    """
    if is_stored(root):
        return _in_state_folder(store_address(root).name, str(root))
    root = Path(root).resolve()
    beside = root.parent / f"{root.name}.edit.yaml"
    if beside.exists() or os.access(root.parent, os.W_OK):
        return beside
    return _in_state_folder(root.name, str(root))


def _in_state_folder(name: str, root: str) -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "telecine" / f"{name}-{sha256(root.encode()).hexdigest()[:12]}.edit.yaml"


class EditFile:
    """The edit of one dataset. `path` is where it is written with the first decision."""

    def __init__(self, path: str, dataset: Dataset) -> None:
        self.path = edit_path(path)
        self._given = InputDataset(path, dataset)
        self._lock = threading.Lock()
        self._named: EditInput | None = None
        self._seen: tuple[FileState | None, Edit] | None = None

    def read(self) -> Edit:
        """What is decided so far. Raises: EditError when the file is no edit, or one of another dataset."""
        with self._lock:
            return self._read()

    def change(self, revision: int, episodes: Mapping[str, Any], others: Mapping[str, Any]) -> Edit:
        """The edit with these entries, by episode (None takes one away), and other parts as they are to be.

        Raises: EditConflict when the file is no longer at `revision`; EditError when the result is no edit, or names
        rows that are not there; DatasetError when the disk refuses. Then nothing has changed.
        """
        with self._lock, self._alone():
            edit = self._read()
            if edit.revision != revision:
                raise EditConflict(f"the edit is at revision {edit.revision}, this page saw {revision}", edit)
            body = {**edit.to_dict(), **others, "revision": revision + 1}
            before = {_plain(key): entry for key, entry in body.get("episodes", {}).items()}
            entries = {**before, **episodes}
            body["episodes"] = {key: entries[key] for key in sorted(entries, key=_number) if entries[key]}
            body["inputs"] = [self._input().model_dump(mode="json", exclude_defaults=True)]
            changed = make_edit(body)
            self._check(changed, episodes)
            if "labels" in others:
                resolve(Edit(labels=changed.labels), [self._given.source])
            self._write(changed)
            self._seen = (self._state(), changed)
            return changed

    def prepare(self) -> None:
        """Find the dataset's fingerprint, which takes a second where there are many episodes."""
        with self._lock:
            self._input()

    def _read(self) -> Edit:
        state = self._state()
        if self._seen is not None and self._seen[0] == state:
            return self._seen[1]
        edit = Edit()
        if state is not None:
            with raised_as(EditError, f"{self.path}: cannot be read", OSError, UnicodeDecodeError):
                text = self.path.read_text(encoding="utf-8")
            try:
                edit = parse_edit(text)
            except EditError as error:
                raise EditError(f"{self.path}: {error}") from error
            check_fingerprints(edit, (self._given,))
        self._seen = (state, edit)
        return edit

    def _input(self) -> EditInput:
        if self._named is None:
            dataset = self._given.dataset
            plain = EditInput(path=self._given.path, episodes=len(dataset))
            # Editing converts v2.x first, and v2.0 has no statistics to make a fingerprint of.
            self._named = plain if dataset.version in V2_VERSIONS else self._given.named()
        return self._named

    def _check(self, edit: Edit, changed: Mapping[str, Any]) -> None:
        """Raises: EditError for episodes and rows that the dataset does not have."""
        dataset = self._given.dataset
        for key in changed:
            if not key.isascii() or not key.isdigit() or int(key[:12]) >= len(dataset):
                raise EditError(f"episodes.{key[:20]}: there is no such episode; there are {len(dataset)}, from 0")
            length = dataset.episode(int(key)).length
            for part in edit.episodes[key].parts if key in edit.episodes else ():
                if part.rows[1] > length:
                    raise EditError(f"episodes.{key}: rows {list(part.rows)} end behind its {counted(length, 'row')}")

    def _state(self) -> FileState | None:
        with suppress(OSError):
            return state_from(str(self.path), self.path.stat())
        return None

    def _write(self, edit: Edit) -> None:
        data = edit.to_yaml().encode()
        if len(data) > MAX_YAML_BYTES:
            raise EditError(f"the edit would be larger than {MAX_YAML_BYTES} bytes; write this one first, then go on")
        with raised_as(DatasetError, f"{self.path}: cannot be written", OSError):
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).chmod(0o644)
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            sync_to_disk(self.path.parent)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Inside, no other process writes: the folder itself is locked, so that no lock file stays behind."""
        with raised_as(DatasetError, f"{self.path.parent}: cannot be written", OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":  # pragma: no cover
            yield
            return
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system without locks: two processes at one instant are rare
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _plain(key: str) -> str:
    """The key without the number of the one input: 3 for 0/3."""
    last = key.rpartition("/")[2]
    return str(int(last)) if last.isascii() and last.isdigit() else key


def _number(key: str) -> tuple[int, str]:
    return (int(key) if key.isascii() and key.isdigit() else -1, key)
