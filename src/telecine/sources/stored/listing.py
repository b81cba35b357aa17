"""What there is at addresses in stores, as a folder of placeholders: files without content, of their names and sizes.

Formats are asked for them as for any folder. The few small files by which they know their own folders are there with
their content; others are known by their names, and read when their turn comes.
"""

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from telecine.core.errors import SourceError, StoreError, TelecineError
from telecine.core.text.addresses import StoreAddress, is_stored, store_address
from telecine.core.text.renamed import rename_error
from telecine.storage.addressed import store_of
from telecine.storage.keys import safe
from telecine.storage.scratch import own_folder
from telecine.storage.store import FileStore, StoredFile

_TELLING = re.compile(
    r"(?:.*/)?(?:events\.jsonl|episode\.json|info\.json|metadata\.(?:yaml|json)|data\.json|features\.json|zarr\.json|"
    r"\.zgroup|\.zmetadata)"
)
_HEAD_BYTES = 1 << 16
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Placeholders:
    """paths: what was given, addresses replaced by placeholders; names: local beginnings of names -> the addresses'."""

    paths: tuple[str, ...]
    names: Mapping[str, str]


@contextmanager
def placeholders(paths: Sequence[str]) -> Iterator[Placeholders]:
    """Inside there are placeholders for all addresses in stores among `paths`.

    Raises: SourceError where nothing is, and for all that is raised inside, with addresses in its message; StoreError.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder())
        names: dict[str, str] = {}
        there = []
        for number, path in enumerate(paths):
            if is_stored(path):
                address = store_address(path)
                top = folder / str(number)
                names[f"{top}/"] = f"{address.scheme}://{address.container}/"
                _fill(top, address)
                there.append(f"{top}/{address.key}".rstrip("/"))
            else:
                there.append(path)
        try:
            yield Placeholders(tuple(there), names)
        except TelecineError as error:
            rename_error(error, names)
            raise


def _fill(top: Path, address: StoreAddress) -> None:
    store = store_of(address)
    files = list(_listed(store, address.key))
    if not files:
        raise SourceError(f"{address}: nothing is there")
    for file in files:
        path = top / file.key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as sink:
            sink.truncate(file.size_bytes)
    telling = [file for file in files if _TELLING.fullmatch(file.key) and file.size_bytes]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for file, head in zip(telling, pool.map(lambda f: _head(store, f), telling), strict=True):
            with (top / file.key).open("r+b") as sink:
                sink.write(head)


def _head(store: FileStore, file: StoredFile) -> bytes:
    try:
        return store.get_range(file.key, 0, min(file.size_bytes, _HEAD_BYTES))
    except FileNotFoundError as error:
        raise StoreError(f"{store.address}/{file.key}: went away while it was listed; run this again") from error


def _listed(store: FileStore, key: str) -> Iterator[StoredFile]:
    """The file at a key, or all below it; with wildcards all below the last folder without any."""
    if not glob.has_magic(key):
        found = store.head(key) if key else None
        if found is not None:
            yield found
            return
    plain = []
    for part in key.split("/"):
        if glob.has_magic(part):
            break
        plain.append(part)
    prefix = "/".join(plain)
    yield from safe(store, store.list(f"{prefix}/" if prefix else ""))
