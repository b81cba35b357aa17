"""The manifest of a part, written last: what it holds, with the size and SHA-256 of every file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telecine.conversion.lasting import lasting_accounts, lasting_summary, without_folders
from telecine.conversion.report import Rejected, Report
from telecine.conversion.shards.summary import check_lasting
from telecine.core.data.serialize import from_json, from_plain, to_plain
from telecine.core.errors import DatasetError, raised_as
from telecine.core.shards import Shard
from telecine.lerobot_format.paths import FileIndex, data_path, file_index_of, video_path
from telecine.storage.keys import is_name
from telecine.storage.store import FileStore


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file of a part. name: relative to the part, as a dataset of its own has it."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a part holds. report, left_out: as the dataset of one run keeps them. seconds are in none of them."""

    job: str
    shard: str
    episodes: int
    rows: int
    files: tuple[PartFile, ...]
    rejected: tuple[Rejected, ...]
    report: Mapping[str, Any]
    left_out: Mapping[str, Any]

    @property
    def video_bytes(self) -> int:
        """Of its videos."""
        return sum(file.size_bytes for file in self.files if is_video(file.name))


def manifest_of(job: str, shard: Shard, report: Report, part: Path, folders: Sequence[str]) -> Manifest:
    """The manifest of the part in the folder `part`. folders: see `lasting_summary`. Raises: OSError."""
    files = sorted(path for path in part.rglob("*") if path.is_file()) if report.episodes else []
    rejected = tuple(from_plain(Rejected, without_folders(to_plain(entry), folders)) for entry in report.rejected)
    return Manifest(
        job, str(shard), len(report.episodes), report.rows, tuple(_file(path, part) for path in files), rejected,
        json.loads(lasting_summary(report, folders)), json.loads(lasting_accounts(report, folders)),
    )  # fmt: skip


def write_manifest(store: FileStore, manifest: Manifest, name: str) -> None:
    """Put it there. Raises: StoreError."""
    store.put(f"{name}.json", _as_bytes(manifest))


def put_manifest(store: FileStore, manifest: Manifest, name: str) -> bool:
    """Put it there unless there is one; False where that is another one. Raises: StoreError."""
    return store.put_if_absent(f"{name}.json", _as_bytes(manifest))


def _as_bytes(manifest: Manifest) -> bytes:
    return (json.dumps(to_plain(manifest), indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def read_manifest(store: FileStore, name: str) -> Manifest | None:
    """The manifest of a part; None without one. Raises: DatasetError when it is damaged; StoreError."""
    try:
        text = store.get(f"{name}.json")
    except FileNotFoundError:
        return None
    with raised_as(DatasetError, f"{store.address}/{name}.json: cannot be read", ValueError, TypeError):
        manifest = from_json(Manifest, text)
        check_lasting(manifest.report, manifest.left_out)
        _check_names(manifest.files)
        return manifest


def _check_names(files: Sequence[PartFile]) -> None:
    """Nothing, when each is a file of a dataset. Raises: ValueError."""
    for file in files:
        in_chunk = not file.name.startswith(("data/", "videos/")) or file_index_of(file.name) is not None
        if not is_name(file.name) or not in_chunk:
            raise ValueError(f"{file.name!r} is no file of a dataset")


def is_video(name: str) -> bool:
    """True for the name of a video in a part or dataset."""
    return name.startswith("videos/")


def final_name(name: str, chunk: int) -> str:
    """What a file of rows or frames of a part whose files begin in `chunk` is called in the dataset."""
    index = file_index_of(name)
    assert index is not None
    index = FileIndex(index.chunk + chunk, index.file)
    return video_path(name.split("/")[1], index) if is_video(name) else data_path(index)


def _file(path: Path, part: Path) -> PartFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return PartFile(path.relative_to(part).as_posix(), path.stat().st_size, digest.hexdigest())
