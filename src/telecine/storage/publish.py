"""A folder that becomes visible in a store all at once: one file says that it is whole, and is written last.

A store cannot rename. So whoever uploads first says so in a file of its own, which everybody else respects; then all
files go there but the one, `last`, without which nobody takes what is there for whole; what does not belong there is
removed, sizes are compared, and `last` is put there if nobody else did.
"""

import json
import os
import platform
import uuid
from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from telecine.core.errors import DatasetError, StoreError
from telecine.core.text.numbers import counted
from telecine.storage.store import FileStore

CLAIM = ".telecine/upload.json"
"""Says who is uploading."""
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a folder goes, after `begin` has found that it may."""

    store: FileStore
    last: str
    replaces: bool
    """Something is there that this upload takes the place of."""
    id: str
    claim: bytes = b""
    """What says so, of an upload that several processes make at once."""

    def withdraw(self, gone: Iterable[str] = ()) -> None:
        """Take `last` away, so that nobody sees what changes, and then the keys `gone`. Raises: StoreError.

        A second process may do so when the first one has ended, and taken the claim with it: so it is made again.
        """
        self.store.delete(self.last)
        self.store.put_if_absent(CLAIM, self.claim)
        for key in gone:
            self.store.delete(key)

    def finish(self, files: Mapping[str, Path], *, keep: Container[str] = ()) -> None:
        """Upload the files by their keys, `last` among them; of others that are there only those of `keep` stay.

        Raises: DatasetError when others wrote there meanwhile; StoreError. Then it does not look whole.
        """
        store = self.store
        if self.replaces:
            store.delete(self.last)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda key: store.put_file(key, files[key]), (key for key in files if key != self.last)))
        self._check(files, keep)
        if claimed_by(store).get("id") != self.id:
            raise DatasetError(f"{store.address}: another upload took the place of this one; it is left alone")
        if not store.put_if_absent(self.last, files[self.last].read_bytes()):
            raise DatasetError(f"{store.address}: somebody else finished an upload here; it is left alone")
        with suppress(StoreError):  # it is whole; the next upload finds a claim without harm
            store.delete(CLAIM)

    def _check(self, files: Mapping[str, Path], keep: Container[str]) -> None:
        """Remove what an earlier dataset or upload left. Raises: DatasetError for files of others; StoreError."""
        there = {file.key: file.size_bytes for file in self.store.list()}
        strays = [key for key in there if key not in files and key != CLAIM and key not in keep]
        if strays and not self.replaces:
            text = f"{counted(len(strays), 'file')} not of this upload came there meanwhile ({strays[0]} ...)"
            raise DatasetError(f"{self.store.address}: {text}; remove them, or write elsewhere")
        for key in strays:
            self.store.delete(key)
        for key, path in files.items():
            if key != self.last and there.get(key) != path.stat().st_size:
                found = (
                    "is missing"
                    if key not in there
                    else f"has {counted(there[key], 'byte')}, not {path.stat().st_size}"
                )
                raise StoreError(f"{self.store.address}/{key}: {found} after its upload")


def begin(store: FileStore, *, last: str, overwrite: bool, changes: bool = False, again: str = "") -> Upload:
    """An upload to a store where nothing is, or what `overwrite` allows to replace: something whole, or half an upload.

    changes: what is there is changed, and must be whole. again: what to type when it was killed on the way.

    Raises: DatasetError when something is there that must stay; StoreError.
    """
    own = str(uuid.uuid4())
    there = next((file.key for file in store.list() if file.key != CLAIM), None)
    claim = claimed_by(store)
    if there is not None and not overwrite and not changes and not claim:
        text = "exists and is not empty; name another folder, or replace it with --overwrite"
        raise DatasetError(f"{store.address}: {text}")
    if there is not None and overwrite and not claim and store.head(last) is None:
        raise DatasetError(
            f"{store.address}: holds no dataset ({last} is missing), so --overwrite leaves it alone; name another"
        )
    if not store.put_if_absent(CLAIM, _claim(own, again)):
        if not overwrite:
            other = "" if changes else ", or replace what it left with --overwrite"
            raise DatasetError(f"{store.address}: {unfinished(store)}{other}")
        store.put(CLAIM, _claim(own, again))
    return Upload(store, last, overwrite or changes or there is not None, own)


def join_in(store: FileStore, *, last: str, own: str, by: str, base: str = "") -> Upload:
    """An upload that several processes may make at once, since all write the same bytes: those with this `own`.

    by: who they are; base: of what is there they make the next state. Raises: DatasetError while somebody else uploads;
    StoreError.
    """
    claim = json.dumps({"id": own, "by": by, "again": f"{by} {store.address}", "base": base}).encode()
    if not store.put_if_absent(CLAIM, claim):
        text = f"an upload by {claimed_by(store).get('by') or 'somebody'} is not finished"
        raise DatasetError(f"{store.address}: {text}; wait for it, or remove {store.address}/{CLAIM}")
    return Upload(store, last, replaces=False, id=own, claim=claim)


def give_up(upload: Upload) -> None:
    """Take the claim away when nothing was uploaded."""
    leave(upload.store, upload.id)


def leave(store: FileStore, own: str) -> None:
    """Take the claim of an upload away, if it is there."""
    with suppress(StoreError):
        if claimed_by(store).get("id") == own:
            store.delete(CLAIM)


def unfinished(store: FileStore) -> str:
    """Whose upload to it is not finished and what to do; "" where there is none. Raises: StoreError."""
    claim = claimed_by(store)
    if not claim:
        return ""
    text = f"an upload by {claim.get('by') or 'somebody'} since {claim.get('began') or 'some time'} is not finished"
    again = f"; if it was terminated, go on there with `{claim['again']}`" if claim.get("again") else ""
    return f"{text}{again}; wait for it"


def _claim(own: str, again: str) -> bytes:
    by = f"process {os.getpid()} on {platform.node() or 'an unnamed machine'}"
    began = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return json.dumps({"id": own, "by": by, "began": began, "again": again}).encode()


def claimed_by(store: FileStore) -> dict[str, str]:
    """What the claim there says; nothing without one, an id of "" where it cannot be read. Raises: StoreError."""
    try:
        found = json.loads(store.get(CLAIM))
    except FileNotFoundError:
        return {}
    except ValueError:
        return {"id": ""}
    return found if isinstance(found, dict) else {"id": ""}
