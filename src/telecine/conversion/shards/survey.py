"""How far a conversion in parts is: what is done, what failed, what is missing, what does not belong to it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from telecine.conversion.shards.job import NEW, ShardJob
from telecine.conversion.shards.manifest import Manifest, final_name, is_video, read_manifest
from telecine.conversion.shards.place import JobPlace
from telecine.core.errors import DatasetError
from telecine.core.shards import Shard, chunk_of, name_of
from telecine.core.text.numbers import counted
from telecine.storage.local import LocalStore
from telecine.storage.store import FileStore

SizeOf: TypeAlias = Callable[[FileStore, str], int | None]
"""The bytes of a file of a store; None where there is none."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class PartState:
    """One part. what: done, failed, missing, incomplete (files are not what its manifest says) or foreign."""

    shard: str
    what: str
    why: str = ""
    command: str = ""
    """What makes it; "" of one that is done."""


@dataclass(frozen=True, eq=False, slots=True)
class Survey:
    """All parts of a job, in order. manifests: of those that are done, by number from 0."""

    job: ShardJob
    parts: tuple[PartState, ...]
    manifests: tuple[Manifest | None, ...]

    @property
    def is_complete(self) -> bool:
        """True when all parts are done."""
        return all(part.what == "done" for part in self.parts)


def survey(place: JobPlace, job: ShardJob) -> Survey:
    """What there is of a job. Raises: StoreError."""
    shards = [Shard(number, job.request.shards) for number in range(1, job.request.shards + 1)]
    size_of = _size_of if place.folder is not None else _listed(place, job)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(partial(part_state, place, job, size_of=size_of), shards))
    return Survey(job, tuple(state for state, _ in found), tuple(manifest for _, manifest in found))


def _size_of(store: FileStore, key: str) -> int | None:
    found = store.head(key)
    return None if found is None else found.size_bytes


def _listed(place: JobPlace, job: ShardJob) -> SizeOf:
    """Sizes of all files of a job and its dataset by two listings, instead of a question for each file."""
    stores = (place.job(job.base), place.dataset)
    sizes = {(store.address, file.key): file.size_bytes for store in stores for file in store.list()}
    return lambda store, key: sizes.get((store.address, key))


def part_folder(store: FileStore, shard: Shard) -> Path:
    """Where the episodes of a part are, or are made, on this machine."""
    assert isinstance(store, LocalStore)
    return store.root / shard.name


def part_key(place: JobPlace, job: ShardJob, shard: Shard, name: str) -> tuple[FileStore, str]:
    """The store and the key there of a file of a part."""
    if place.folder is None and is_video(name) and job.base == NEW:  # under its final name: a store cannot rename
        return place.dataset, final_name(name, chunk_of(shard, job.first_chunk))
    return place.job(job.base), f"{shard.name}/{name}"


def part_state(
    place: JobPlace, job: ShardJob, shard: Shard, *, size_of: SizeOf = _size_of
) -> tuple[PartState, Manifest | None]:
    """How far a part is, and its manifest when it is done. Raises: StoreError."""
    store, command = place.job(job.base), job.command(place.name, shard)
    try:
        manifest = read_manifest(store, shard.name)
    except DatasetError as error:
        return PartState(str(shard), "incomplete", str(error), command), None
    if manifest is None:
        failed = _failed(store, job, shard)
        return PartState(str(shard), "failed" if failed else "missing", failed, command), None
    if manifest.job != job.id or manifest.shard != str(shard):
        why = f"{name_of(shard.number)}.json is part {manifest.shard} of another conversion ({manifest.job})"
        return PartState(str(shard), "foreign", why, command), None
    if problems := list(_problems(place, job, shard, manifest, size_of)):
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        return PartState(str(shard), "incomplete", problems[0] + more, command), None
    return PartState(str(shard), "done"), manifest


def _failed(store: FileStore, job: ShardJob, shard: Shard) -> str:
    with suppress(FileNotFoundError, ValueError, AttributeError):
        found: Any = json.loads(store.get(f"{shard.name}.failed.json"))
        return str(found.get("why")) if found.get("job") == job.id else ""
    return ""


def _problems(place: JobPlace, job: ShardJob, shard: Shard, manifest: Manifest, size_of: SizeOf) -> Iterator[str]:
    """Files that are not there, or of another size than they had."""
    for file in manifest.files:
        store, key = part_key(place, job, shard, file.name)
        found = size_of(store, key)
        if found is None:
            yield f"{key} is missing"
        elif found != file.size_bytes:
            yield f"{key} has {counted(found, 'byte')}, its manifest says {file.size_bytes}"
