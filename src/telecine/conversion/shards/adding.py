"""The dataset that parts are added to: where it is a folder itself, of a store its metadata, copied here.

A store cannot rename, so a dataset in one changes in three steps: its metadata is kept in the job's folder (`BEFORE`,
info.json last), info.json goes, and everything else is brought before the new one is put there; the store itself copies
videos, which lie with their parts until then. In between there is no dataset, and the claim says which job goes on;
`finalize` does, with what was kept.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.conversion.shards.job import NEW, ShardJob
from telecine.conversion.shards.manifest import Manifest, PartFile, final_name, is_video
from telecine.conversion.shards.place import JobPlace
from telecine.core.errors import DatasetError, StoreError, TelecineError, raised_as
from telecine.core.shards import Shard, chunk_of
from telecine.core.text.addresses import StoreAddress, store_address
from telecine.core.text.renamed import rename_error
from telecine.dataset.existing import ExistingDataset, read_existing
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import metadata_findings
from telecine.lerobot_format.paths import CARD, INFO, RELATIVE_STATS, data_path, file_index_of, video_path

if TYPE_CHECKING:
    from telecine.storage.publish import Upload

BEFORE = "before"
"""In a job's folder in a store: the metadata that its dataset had."""
_AT_ONCE = 8


@contextmanager
def existing_of(place: JobPlace, base: str, *, rows: bool = False) -> Iterator[ExistingDataset | None]:
    """Inside, the dataset of which a job has the `base`; None for a new one. Its folder may be gone afterwards.

    rows: of one in a store copy its rows, too. Raises: DatasetError where it is another one now; StoreError.
    """
    if base == NEW:
        yield None
    elif place.folder is not None:
        yield read_existing(place.folder)
    else:
        from telecine.storage.scratch import own_folder

        with own_folder() as home:
            try:
                _copy_metadata(place, base, home)
                _copy_rows(place, home / BEFORE, rows=rows)
                yield read_existing(home / BEFORE)
            except TelecineError as error:
                rename_error(error, {str(home / BEFORE): place.name})
                raise


def require_whole(place: JobPlace, existing: ExistingDataset) -> None:
    """Nothing, where the metadata of a dataset in a store is sound and every file that it names is there.

    Its rows and videos are not read. Raises: DatasetError.
    """
    away = _named(existing) & {file.key for file in place.dataset.list()}  # the copy here lacks them
    for found in metadata_findings(existing.root):
        if found.severity == "error" and found.where not in away:
            text = f"not a sound dataset, so nothing is appended: {found.where}: {found.message}"
            raise DatasetError(f"{place.name}: {text}")


def change(
    place: JobPlace, base: str, existing: ExistingDataset, upload: "Upload", files: Mapping[str, Path]
) -> set[str]:
    """Take a dataset in a store away until `upload` brings the next one, of these files; those of it that stay as is.

    Nothing, when it was taken away before. Raises: DatasetError when it is another one by now; StoreError.
    """
    from telecine.storage.publish import CLAIM

    _keep(place, base, existing)
    kept = {file.key.removeprefix(f"{BEFORE}/") for file in place.job(base).list(f"{BEFORE}/")}
    there = {file.key for file in place.dataset.list() if file.key != CLAIM}
    if place.base(append=True) != base:
        raise DatasetError(f"{place.name}: it was changed meanwhile, so the parts do not fit; make them again")
    gone = kept - files.keys()
    upload.withdraw(gone)
    linked = {name for name in files if file_index_of(name) is not None} & (kept | _named(existing))
    return (there - files.keys() - gone) | linked


def bring_videos(place: JobPlace, job: ShardJob, manifests: Sequence[Manifest]) -> None:
    """Have the store copy all videos of the parts to where they belong. Raises: DatasetError; StoreError."""
    from telecine.storage.cloud import CloudStore

    assert place.address is not None
    bucket, top = CloudStore(StoreAddress(place.address.scheme, place.address.container, "")), place.address.key
    home = store_address(place.job(job.base).address).key

    def bring(number: int, file: PartFile) -> None:
        shard = Shard(number, len(manifests))
        target = final_name(file.name, chunk_of(shard, job.first_chunk))
        try:
            bucket.copy(f"{home}/{shard.name}/{file.name}", f"{top}/{target}")
        except FileNotFoundError as error:
            raise DatasetError(f"{error}: went away; make the part again: {job.command(place.name, shard)}") from error
        there = place.dataset.head(target)
        if there is None or there.size_bytes != file.size_bytes:
            raise StoreError(f"{place.name}/{target}: is not whole after the store copied it; run this again")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        files = [(n, f) for n, manifest in enumerate(manifests, 1) for f in manifest.files if is_video(f.name)]
        list(pool.map(lambda one: bring(*one), files))


def _keep(place: JobPlace, base: str, existing: ExistingDataset) -> None:
    """Keep what is needed to go on once info.json is gone."""
    store = place.job(base)
    if store.head(f"{BEFORE}/{INFO}") is not None:
        return
    names = (path.relative_to(existing.root).as_posix() for path in existing.root.rglob("*") if path.is_file())
    for name in (name for name in _metadata(names) if name != INFO):
        store.put_file(f"{BEFORE}/{name}", existing.root / name)
    store.put_if_absent(f"{BEFORE}/{INFO}", (existing.root / INFO).read_bytes())


def has_relative_stats(place: JobPlace) -> bool:
    """True when the dataset has statistics that are made of all its rows."""
    return place.folder is None and place.dataset.head(RELATIVE_STATS) is not None


def _copy_metadata(place: JobPlace, base: str, home: Path) -> None:
    """The metadata below `home`/BEFORE: as it was kept, or as it is, when nobody changed it meanwhile."""
    from telecine.storage.scratch import copy_files

    kept = place.job(base)
    if kept.head(f"{BEFORE}/{INFO}") is None:
        files = {file.key: file for file in place.dataset.list()}
        try:
            copy_files(place.dataset, [files[key] for key in _metadata(files)], home / BEFORE)
        except FileNotFoundError as error:
            if kept.head(f"{BEFORE}/{INFO}") is None:
                raise DatasetError(f"{error}: went away while it was read; run this again") from error
        if kept.head(f"{BEFORE}/{INFO}") is None:  # so nobody has begun to change what was copied
            info = home / BEFORE / INFO
            if not info.is_file() or hashlib.sha256(info.read_bytes()).hexdigest()[: len(base)] != base:
                raise DatasetError(f"{place.name}: it was changed meanwhile; run this again")
            return
    copy_files(kept, list(kept.list(f"{BEFORE}/")), home)


def _copy_rows(place: JobPlace, folder: Path, *, rows: bool) -> None:
    """All files of rows that the metadata names, or one without rows that has the columns of the first."""
    from telecine.storage.ranged_file import RangedFile
    from telecine.storage.scratch import copy_files

    there = {file.key: file for file in place.dataset.list("data/")}
    if rows:
        copy_files(place.dataset, list(there.values()), folder)
        return
    for first in sorted(there)[:1]:
        with raised_as(DatasetError, f"{place.name}/{first}: cannot be read", pa.ArrowException, FileNotFoundError):
            columns = pq.read_schema(cast("Any", RangedFile(place.dataset, there[first])))
        (folder / first).parent.mkdir(parents=True)
        pq.write_table(columns.empty_table(), folder / first)


def _named(existing: ExistingDataset) -> set[str]:
    """All files of rows and frames that its episodes are in."""
    stored = Dataset(existing.root).episodes
    names = {data_path(episode.data) for episode in stored}
    return names | {video_path(key, span.file_index) for one in stored for key, span in one.videos.items()}


def _metadata(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith("meta/") or name == CARD)
