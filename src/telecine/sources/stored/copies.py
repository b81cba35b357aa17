"""One recording of a store as local files, as long as somebody reads it.

A process holds the copy of one recording, that of the last one it was asked for, and lets go of it with the next one.
"""

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from telecine.core.errors import SourceError, StoreError, TelecineError
from telecine.core.recording import Recording, Ref
from telecine.core.text.addresses import StoreAddress, store_address
from telecine.core.text.renamed import rename_error, renamed
from telecine.sources.format import Found
from telecine.sources.stored.beside import beside
from telecine.sources.stored.partly import at_once
from telecine.storage.addressed import store_of
from telecine.storage.keys import safe
from telecine.storage.on_demand import FolderOnDemand
from telecine.storage.scratch import Copy, copied
from telecine.storage.store import StoredFile


@dataclass(slots=True)
class _Held:
    """A copy, the bucket that its files are in, and which they are."""

    top: str
    files: frozenset[StoredFile]
    copy: Copy | FolderOnDemand

    def serves(self, files: Collection[StoredFile], *, partly: bool) -> bool:
        """True when these are among its files, and copied unless that may come later."""
        is_there = partly or isinstance(self.copy, Copy) or self.copy.has(files)
        return is_there and self.files.issuperset(files)


class _Latest(threading.local):
    held: _Held | None = None


_latest = _Latest()


def files_at(path: str, form: str = "") -> tuple[StoredFile, ...]:
    """The files of what is at an address, by keys of the whole bucket; with those that its format needs beside it.

    Raises: SourceError when nothing is there; StoreError.
    """
    address = store_address(path)
    store = store_of(address)
    found = store.head(address.key) if address.key else None
    if found is None:
        files = list(safe(store, store.list(f"{address.key}/" if address.key else "")))
        if not files:
            raise SourceError(f"{path}: is not there any more")
        return tuple(files)
    more: list[StoredFile] = []
    for key, is_beginning in beside(form, address.key):
        if is_beginning:
            more += safe(store, store.list(key))
        elif (other := store.head(key)) is not None:
            more.append(other)
    return tuple({file.key: file for file in (found, *more)}.values())


def local_ref(ref: Ref) -> Ref:
    """The recording as local files, which stay until another one is asked for. Raises: SourceError, StoreError."""
    return _in(_held((ref.path, *ref.layers), ref.format), ref)


def _in(held: _Held, ref: Ref) -> Ref:
    path, *layers = (_local(held.copy, place) for place in (ref.path, *ref.layers))
    return replace(ref, path=path, layers=tuple(layers))


def local_path(path: str, form: str, *, is_index: bool = False) -> str:
    """The same of a file or folder. is_index: to find its episodes, which may take a part of it."""
    return _local(_held((path,), form, partly=is_index, is_index=is_index).copy, path)


def open_copy(ref: Ref, opening: Callable[[Ref], Recording]) -> Recording:
    """The recording that a format opens of its local copy, by its address. Raises: SourceError, StoreError."""
    with addressed():
        recording = opening(_in(_held((ref.path, *ref.layers), ref.format, partly=True), ref))
    notes, left_out = renamed((recording.notes, recording.left_out), latest_names())
    return replace(recording, ref=ref, notes=notes, left_out=left_out)


def join_copies(refs: Sequence[Ref], joining: Callable[[Sequence[Ref]], Found]) -> Found:
    """What a format makes of local copies of files that are one recording, by their addresses."""
    with addressed():
        local = local_ref(replace(refs[0], layers=tuple(ref.path for ref in refs[1:])))
        paths = (local.path, *local.layers)
        found = joining([replace(ref, path=path) for ref, path in zip(refs, paths, strict=True)])
    return renamed(found, latest_names())


def is_whole() -> bool:
    """False while the copy that is held lacks files, which are copied when they are read."""
    return _latest.held is None or isinstance(_latest.held.copy, Copy)


def let_go() -> None:
    """Let others remove the copy that is held."""
    held, _latest.held = _latest.held, None
    if held is not None:
        held.copy.close()


@contextmanager
def addressed() -> Iterator[None]:
    """Inside, messages of errors name what is read by its address."""
    try:
        yield
    except TelecineError as error:
        rename_error(error, latest_names())
        raise


def latest_names() -> dict[str, str]:
    """The beginning of names in the copy that is held -> that of their addresses."""
    held = _latest.held
    return {} if held is None else {f"{held.copy.folder}/": held.top}


def _held(paths: Sequence[str], form: str, *, partly: bool = False, is_index: bool = False) -> _Held:
    addresses = [store_address(path) for path in paths]
    tops = {_top(address) for address in addresses}
    if len(tops) > 1:
        raise SourceError(f"{paths[0]}: files of one recording lie in several buckets: {', '.join(sorted(tops))}")
    files = {file.key: file for path in paths for file in files_at(path, form)}
    held = _latest.held
    is_file = addresses[0].key in files
    wanted = at_once(form, is_file=is_file, is_index=is_index) if partly and len(paths) == 1 else None
    if held is not None and held.top in tops and held.serves(files.values(), partly=wanted is not None):
        return held
    let_go()
    store, every = store_of(addresses[0]), list(files.values())
    try:
        copy = copied(store, every) if wanted is None else FolderOnDemand(store, every, wanted)
    except StoreError as error:
        raise SourceError(str(error)) from error
    except FileNotFoundError as error:
        raise SourceError(f"{error}: went away while it was read") from error
    _latest.held = _Held(tops.pop(), frozenset(files.values()), copy)
    return _latest.held


def _top(address: StoreAddress) -> str:
    return f"{address.scheme}://{address.container}/"


def _local(copy: Copy | FolderOnDemand, path: str) -> str:
    return str(copy.folder / store_address(path).key)


def stored_state(path: str) -> tuple[tuple[str, int, int, int, int], ...]:
    """As `FileState` of each file: its address, size and tag. Raises: SourceError, StoreError."""
    address = store_address(path)
    return tuple(
        (_top(address) + file.key, int(hashlib.sha256(file.tag.encode()).hexdigest()[:15], 16), file.size_bytes, 0, 0)
        for file in files_at(path)
    )
