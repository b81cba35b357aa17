"""Parts of a conversion into a store: made in the scratch folder of a machine, then brought where they belong.

A store cannot rename, so videos go under the names that they have in the dataset, once: nobody reads or moves them
again. Rows and metadata of the part lie beside the dataset, and `finalize` fetches them.
"""

import hashlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from telecine.conversion.shards.job import ShardJob
from telecine.conversion.shards.manifest import Manifest, PartFile, is_video, put_manifest, read_manifest
from telecine.conversion.shards.place import JobPlace
from telecine.conversion.shards.survey import part_folder, part_key
from telecine.core.errors import DatasetError
from telecine.core.shards import Shard
from telecine.dataset.staging import workspace
from telecine.storage.local import LocalStore
from telecine.storage.store import FileStore, StoredFile

_AT_ONCE = 4


def deliver(place: JobPlace, job: ShardJob, shard: Shard, manifest: Manifest) -> None:
    """Upload the part that was made in `place.local()`, its manifest last; then it goes here.

    Whoever makes the same part at the same time writes the same bytes. Raises: DatasetError where they are others;
    StoreError, after which the part stays here and the next command for it uploads it.
    """
    here, store = place.local(), place.job(job.base)
    folder = part_folder(here.job(job.base), shard)
    if read_manifest(store, shard.name) != manifest:

        def put(file: PartFile) -> None:
            target, key = part_key(place, job, shard, file.name)
            target.put_file(key, folder / file.name)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(put, manifest.files))
        if not put_manifest(store, manifest, shard.name):
            text = f"{place.name}: part {shard} was finished by another process meanwhile, with other bytes"
            raise DatasetError(f"{text}; run this again, which looks whether it is whole")
    _forget(here.job(job.base), shard)


def _forget(store: FileStore, shard: Shard) -> None:
    """Remove a part from the scratch folder of this machine, and the folders that are empty then."""
    assert isinstance(store, LocalStore)
    store.delete(f"{shard.name}.json")
    folder = part_folder(store, shard)
    for path in (folder, workspace(folder)):
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # another part is in it
        for path in (store.root, *store.root.parents[:3]):
            path.rmdir()


def fetched(place: JobPlace, job: ShardJob, manifests: Sequence[Manifest], home: Path) -> list[Path]:
    """Folders below `home` with the rows and the metadata of each part, which are what its manifest says.

    Raises: DatasetError for a file that is another one; StoreError.
    """
    from telecine.storage.scratch import copy_files

    folders = []
    for number, manifest in enumerate(manifests, start=1):
        shard = Shard(number, len(manifests))
        files = {f"{shard.name}/{file.name}": file for file in manifest.files if not is_video(file.name)}
        store = place.job(job.base)
        try:
            copy_files(store, [StoredFile(key, file.size_bytes) for key, file in files.items()], home)
        except FileNotFoundError as error:
            raise DatasetError(f"{error}: went away; make the part again: {job.command(place.name, shard)}") from error
        for key, file in files.items():
            with (home / key).open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            if digest != file.sha256:
                text = f"{store.address}/{key}: its SHA-256 is not what the manifest says"
                fix = f"remove {store.address}/{shard.name}.json, then make it again: {job.command(place.name, shard)}"
                raise DatasetError(f"{text}; {fix}")
        folders.append(home / shard.name)
    return folders
