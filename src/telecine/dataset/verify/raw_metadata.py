"""What the metadata of a dataset says, read independently of the writer, only as far as it can be understood."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.dataset.verify.finding_log import FindingLog

RawFileIndex = tuple[int, int]
"""(chunk, file)."""
NUMBERS = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
}  # fmt: skip
LANGUAGE = "language"
CAMERA_DTYPES = {"image", "video"}
INDEX_FEATURES = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
NUMBERED = re.compile(r"chunk-(\d{3,})/file-(\d{3,})\.(?:parquet|mp4)$")

UNREADABLE = (OSError, pa.ArrowException, UnicodeDecodeError)
"""What reading damaged Parquet raises; names and texts that are no UTF-8 among it."""


@dataclass(frozen=True, slots=True)
class RawFeature:
    """One entry of info.json's features."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    names: Any
    info: Mapping[str, Any]

    @property
    def is_depth(self) -> bool:
        """Depth maps have one channel and their own units."""
        return bool(self.info.get("is_depth_map") or self.info.get("video.is_depth_map"))


@dataclass(frozen=True, slots=True)
class RawVideoSpan:
    """Where meta/episodes says that an episode's frames are."""

    file_index: RawFileIndex
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class RawEpisode:
    """One row of meta/episodes, without its statistics."""

    index: int
    length: int
    tasks: tuple[str, ...]
    data: RawFileIndex
    first: int
    stop: int
    spans: Mapping[str, RawVideoSpan]


@dataclass(frozen=True, slots=True)
class RawMetadata:
    """All that the checks of rows and videos go by."""

    root: Path
    info: Mapping[str, Any]
    fps: int
    features: Mapping[str, RawFeature]
    tasks: tuple[str, ...] | None
    episodes: tuple[RawEpisode, ...]
    episode_files: tuple[Path, ...]

    @property
    def videos(self) -> tuple[str, ...]:
        """Keys of the cameras stored as videos."""
        return tuple(key for key, feature in self.features.items() if feature.dtype == "video")

    @property
    def cameras(self) -> tuple[str, ...]:
        """Keys of all cameras."""
        return tuple(key for key, feature in self.features.items() if feature.dtype in CAMERA_DTYPES)

    @property
    def measured(self) -> tuple[str, ...]:
        """Keys of the features that have statistics."""
        return tuple(k for k, f in self.features.items() if f.dtype in NUMBERS or f.dtype in CAMERA_DTYPES)

    def statistics(self) -> Iterator[dict[str, dict[str, Any]]]:
        """The statistics of each episode by feature and name, as stored, in order."""
        for path in self.episode_files:
            with pq.ParquetFile(path) as file:
                names = [name for name in file.schema_arrow.names if name.startswith("stats/")]
                for batch in file.iter_batches(100, columns=names):
                    yield from map(_by_feature, batch.to_pylist())


def _by_feature(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        key, _, statistic = name.removeprefix("stats/").rpartition("/")
        found.setdefault(key, {})[statistic] = value
    return found


def read_json(root: Path, path: str, log: FindingLog) -> dict[str, Any] | None:
    """A JSON object, or None with a finding."""
    try:
        content = json.loads((root / path).read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        log.error("verify-structure", path, "the file is missing")
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.error("verify-structure", path, f"cannot be read as JSON: {error}")
        return None
    if not isinstance(content, dict):
        log.error("verify-structure", path, f"holds {type(content).__name__}, expected an object")
        return None
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def read_table(root: Path, path: str, log: FindingLog, columns: list[str] | None = None) -> pa.Table | None:
    """A Parquet table, or None with a finding."""
    try:
        with pq.ParquetFile(root / path) as file:
            table = file.read(columns, use_threads=False)
            table.validate(full=True)
            return table
    except FileNotFoundError:
        log.error("verify-structure", path, "the file is missing")
    except UNREADABLE as error:
        log.error("verify-structure", path, f"cannot be read as Parquet: {error}")
    return None


def file_index_of(path: str) -> RawFileIndex | None:
    """The (chunk, file) that a path names, or None when it does not follow the template."""
    match = NUMBERED.search(path)
    return (int(match[1]), int(match[2])) if match else None


def positive_int(value: Any) -> bool:
    """True for an int of at least 1 that a counter can have; JSON's true is none."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 1 << 53
