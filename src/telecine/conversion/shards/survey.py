"""How far a conversion in parts is: what is done, what failed, what is missing, what does not belong to it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from telecine.conversion.shards.job import ShardJob
from telecine.conversion.shards.manifest import Manifest, final_name, is_video, read_manifest
from telecine.conversion.shards.place import JobPlace
from telecine.core.errors import DatasetError
from telecine.core.shards import Shard, chunk_of, name_of
from telecine.storage.store import FileStore


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
    states, manifests = [], []
    for number in range(1, job.request.shards + 1):
        shard = Shard(number, job.request.shards)
        state, manifest = part_state(place, job, shard)
        states.append(state)
        manifests.append(manifest)
    return Survey(job, tuple(states), tuple(manifests))


def part_key(place: JobPlace, job: ShardJob, shard: Shard, name: str) -> tuple[FileStore, str]:
    """The store and the key there of a file of a part."""
    if place.folder is None and is_video(name):  # there under its final name, since a store cannot rename
        return place.dataset, final_name(name, chunk_of(shard, job.first_chunk))
    return place.job(job.base), f"{shard.name}/{name}"


def part_state(place: JobPlace, job: ShardJob, shard: Shard) -> tuple[PartState, Manifest | None]:
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
    if problems := list(_problems(place, job, shard, manifest)):
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        return PartState(str(shard), "incomplete", problems[0] + more, command), None
    return PartState(str(shard), "done"), manifest


def _failed(store: FileStore, job: ShardJob, shard: Shard) -> str:
    with suppress(FileNotFoundError, ValueError, AttributeError):
        found: Any = json.loads(store.get(f"{shard.name}.failed.json"))
        return str(found.get("why")) if found.get("job") == job.id else ""
    return ""


def _problems(place: JobPlace, job: ShardJob, shard: Shard, manifest: Manifest) -> Iterator[str]:
    """Files that are not there, or of another size than they had."""
    for file in manifest.files:
        store, key = part_key(place, job, shard, file.name)
        found = store.head(key)
        if found is None:
            yield f"{key} is missing"
        elif found.size_bytes != file.size_bytes:
            yield f"{key} has {found.size_bytes} bytes, its manifest says {file.size_bytes}"
