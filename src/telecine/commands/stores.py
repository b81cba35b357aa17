"""Datasets in stores for commands that work on folders: copies for what is read, and an upload of what is written."""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from telecine.core.errors import DatasetError, PlanError, TelecineError
from telecine.core.text.addresses import StoreAddress, is_stored, require_local, store_address, unknown_scheme
from telecine.core.text.renamed import rename_error, renamed
from telecine.lerobot_format.paths import INFO, REPORT, VERSION

if TYPE_CHECKING:
    from telecine.storage.publish import Upload
    from telecine.storage.store import FileStore, StoredFile

T = TypeVar("T")
State = tuple[int, int, int]
"""(inode, bytes, ns of the last writing) of a file."""


def is_stored_dataset(path: object) -> bool:
    """True for an address in a store where a dataset is. Raises: StoreError."""
    return is_stored(path) and _store(store_address(path)).head(INFO) is not None


@dataclass(slots=True)
class _Target:
    """A folder here that is uploaded when the work is done. before: the files that were copied from there."""

    address: StoreAddress
    folder: Path
    upload: "Upload | None"
    before: Mapping[str, State] = field(default_factory=dict)


class Stores:
    """What one command has from stores, and what it is to bring there; see `stores`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._home: Path | None = None
        self._names: dict[str, str] = {}
        self._targets: list[_Target] = []
        self._begun_only: list[Upload] = []

    def dataset(self, path: str | Path, at_once: Callable[[str], bool] | None = None) -> str | Path:
        """The folder of a dataset: itself, or a copy of one in a store.

        at_once: which files are copied now, the others when they are first asked for (`storage.on_demand`); None: all.

        Raises: PlanError for an address that is not known; DatasetError when there is no dataset; StoreError.
        """
        if not is_stored(path):
            if why := unknown_scheme(path):
                raise PlanError(why)
            return path
        address = store_address(path)
        return self._copied(address, self._folder(address), at_once)

    def datasets(self, paths: list[str | Path]) -> list[str | Path]:
        """Each of them; see `dataset`."""
        return [self.dataset(path) for path in paths]

    def target(self, out: str | Path, *, overwrite: bool, dry_run: bool = False) -> str | Path:
        """A folder to make a dataset in: itself, or one here that `done` uploads.

        Raises: PlanError for an address that is not known; DatasetError when something is there; StoreError.
        """
        if not is_stored(out):
            require_local(out)
            return out
        address = store_address(out)
        folder = self._folder(address)
        if not dry_run:
            self._targets.append(_Target(address, folder, self._begun(address, folder, overwrite=overwrite)))
        return folder

    def changed(self, path: str | Path, *, dry_run: bool = False) -> str | Path:
        """The folder of a dataset that is replaced or added to: itself, or a copy whose changes `done` uploads."""
        folder = self.dataset(path)
        if is_stored(path) and not dry_run:
            root, address = Path(folder), store_address(path)
            upload = self._begun(address, root, overwrite=False, changes=True)
            self._targets.append(_Target(address, root, upload, {k: _state(p) for k, p in _files(root).items()}))
        return folder

    def done(self, result: T) -> T:
        """What the command says, by addresses, after what it wrote was uploaded. Raises: DatasetError; StoreError."""
        for target in self._targets:
            if (target.folder / INFO).is_file():
                self._upload(target)
        return renamed(result, self._names)

    def _upload(self, target: _Target) -> None:
        _name_address(target.folder, str(target.address))
        files = _files(target.folder)
        new = {key: path for key, path in files.items() if target.before.get(key) != _state(path)}
        if not new:
            return
        if target.upload is not None:
            self._begun_only.remove(target.upload)
        from telecine.storage.scratch import KEEP

        assert self._home is not None
        (self._home / KEEP).touch()  # a process that is killed tells nobody
        try:
            _finish(target, {**new, INFO: files[INFO]}, frozenset(files))
        except BaseException as error:
            again = _again(target.folder, target.address)
            error.add_note(f"the dataset is whole in {target.folder}; `{again}` uploads it again")
            raise
        (self._home / KEEP).unlink(missing_ok=True)

    def _begun(self, address: StoreAddress, folder: Path, *, overwrite: bool, changes: bool = False) -> "Upload | None":
        from telecine.storage.publish import begin, give_up

        if address.scheme == "hf":
            _check_repository(address, overwrite=overwrite or changes)
            return None
        upload = begin(_store(address), last=INFO, overwrite=overwrite, changes=changes, again=_again(folder, address))
        self._begun_only.append(upload)
        self._stack.callback(lambda: give_up(upload) if upload in self._begun_only else None)
        return upload

    def _folder(self, address: StoreAddress) -> Path:
        from telecine.storage.scratch import own_folder

        if self._home is None:
            self._home = self._stack.enter_context(own_folder())
        folder = self._home / str(len(self._names)) / address.name
        folder.parent.mkdir()
        self._names[str(folder)] = str(address)
        return folder

    def _copied(self, address: StoreAddress, folder: Path, at_once: Callable[[str], bool] | None) -> Path:
        from telecine.storage.on_demand import FolderOnDemand
        from telecine.storage.scratch import copy_files

        store = _store(address)
        files = list(_plain(store))
        if not any(file.key == INFO for file in files):
            raise DatasetError(
                f"{address}: not a LeRobot dataset ({'; '.join(_missing_info(store))}); name its address"
            )
        if at_once is None:
            copy_files(store, files, folder)
        else:
            self._stack.callback(FolderOnDemand(store, files, at_once, folder).close)
        return folder

    @property
    def names(self) -> Mapping[str, str]:
        """Folders here -> the addresses that they stand for."""
        return self._names


@contextmanager
def stores() -> Iterator[Stores]:
    """Inside, a command works on folders that stand for addresses; they go with it. Errors name the addresses."""
    with ExitStack() as stack:
        found = Stores(stack)
        try:
            yield found
        except TelecineError as error:
            notes = list(getattr(error, "__notes__", ()))
            rename_error(error, found.names)
            for number, note in enumerate(notes):
                if note.startswith("the dataset is whole in"):
                    error.__notes__[number] = note
            raise


@contextmanager
def copies_gone() -> Iterator[None]:
    """Afterwards there are no local copies of recordings in stores, except those that others use."""
    try:
        yield
    finally:
        if copies := sys.modules.get("telecine.sources.stored.copies"):
            copies.let_go()
        if scratch := sys.modules.get("telecine.storage.scratch"):
            scratch.clear()


def _finish(target: _Target, files: Mapping[str, Path], all_keys: frozenset[str]) -> None:
    if target.upload is not None:
        target.upload.finish(files, keep=all_keys)
        return
    from telecine.storage.hub import HubStore

    store = HubStore(target.address)
    store.put_at_once(
        files, remove=[f.key for f in store.list() if f.key not in all_keys and f.key != ".gitattributes"]
    )
    if not target.address.key:
        store.tag(VERSION)


def _again(folder: Path, address: StoreAddress) -> str:
    """What uploads a dataset that is whole here."""
    return shlex.join(["telecine", "edit", str(folder), str(address), "--overwrite"])


def _missing_info(store: "FileStore") -> list[str]:
    from telecine.storage.publish import unfinished

    return [f"{INFO} is missing", *filter(None, [unfinished(store)])]


def _name_address(folder: Path, address: str) -> None:
    """What a dataset says of the conversion names it by its address."""
    for path in (folder / REPORT).parent.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        if str(folder) in text:
            path.write_text(text.replace(str(folder), address), encoding="utf-8")


def _check_repository(address: StoreAddress, *, overwrite: bool) -> None:
    from telecine.storage.hub import HubStore

    there = [file.key for file in HubStore(address).list() if file.key not in (".gitattributes", "README.md")]
    if there and not overwrite:
        text = "exists and is not empty; name another repository or folder, or replace it with --overwrite"
        raise DatasetError(f"{address}: {text}")
    if there and INFO not in there:
        raise DatasetError(
            f"{address}: holds no dataset ({INFO} is missing), so --overwrite leaves it alone; name another"
        )


def _store(address: StoreAddress) -> "FileStore":
    from telecine.storage.addressed import open_store

    return open_store(address)


def _plain(store: "FileStore") -> Iterator["StoredFile"]:
    """The files of a dataset there: none that are hidden."""
    from telecine.storage.keys import safe

    return (file for file in safe(store, store.list()) if not file.key.startswith("."))


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _state(path: Path) -> State:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
