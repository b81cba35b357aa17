"""What the metadata of a LeRobot dataset is: features, episodes, and where their rows and frames lie. Pure.

One model for who writes, reads, verifies, repairs and converts datasets. How it is read differs: `read.py` refuses what
is wrong, `dataset/verify` reports it, `recovery/lenient_metadata.py` takes what is left.
Versions 2.0 and 2.1 have a file of rows and a video per camera for each episode: their `FileIndex` is (chunk, episode).
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from telecine.core.dataclass import dataclass
from telecine.core.depth import DepthScale, depth_scale
from telecine.core.episode import FeatureColumn
from telecine.core.naming import file_below
from telecine.lerobot_format.paths import FileIndex

V2_VERSIONS = ("v2.0", "v2.1")
CAMERA_DTYPES = frozenset({"image", "video"})
INDEX_KEYS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
"""The columns that every dataset has and every writer makes itself."""
UNKNOWN_LENGTH = -1
"""Of an episode whose length a damaged dataset does not state."""
EPISODE_COLUMNS = {
    "episode_index": pa.int64(),
    "tasks": pa.list_(pa.string()),
    "length": pa.int64(),
    "data/chunk_index": pa.int64(),
    "data/file_index": pa.int64(),
    "dataset_from_index": pa.int64(),
    "dataset_to_index": pa.int64(),
}
"""Of meta/episodes, with those of `SPAN_COLUMNS` for each video behind them."""
SPAN_COLUMNS = {
    "chunk_index": pa.int64(),
    "file_index": pa.int64(),
    "from_timestamp": pa.float64(),
    "to_timestamp": pa.float64(),
}
OWN_FILE_COLUMNS = {"meta/episodes/chunk_index": pa.int64(), "meta/episodes/file_index": pa.int64()}
"""In which file of meta/episodes a row is."""


@dataclass(frozen=True, slots=True)
class FeatureMeta:
    """An entry of info.json's `features`. shape: of one row; (height, width, channels) of a frame."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    """How a camera's frames are coded: keys such as video.codec."""

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers or truth values in the rows, of which statistics are made."""
        return not self.is_camera and self.dtype not in ("string", "language")

    @property
    def is_camera(self) -> bool:
        """True for frames, be they in videos or in the rows."""
        return self.dtype in CAMERA_DTYPES

    @property
    def is_depth(self) -> bool:
        """Depth maps have one channel and their own units."""
        return bool(self.info.get("is_depth_map") or self.info.get("video.is_depth_map"))

    @property
    def depth(self) -> DepthScale | None:
        """What codes and statistics of a depth map are; None of colours. Raises: ValueError for an impossible scale."""
        return depth_scale(self.info) if self.is_depth else None

    @property
    def column(self) -> FeatureColumn:
        """The feature as a column of the dataset; of cameras, for their key, dtype and shape."""
        return FeatureColumn(self.key, self.dtype, self.shape, self.names)


@dataclass(frozen=True, slots=True)
class VideoSpan:
    """Where one episode is in a camera's videos; times in seconds from the start of that file."""

    file_index: FileIndex
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class EpisodeMeta:
    """One episode: a row of meta/episodes, or a line of episodes.jsonl.

    Its rows are [first_row, stop_row) of the dataset and [start, start + length) of its file of rows.
    """

    index: int
    length: int
    tasks: tuple[str, ...] = ()
    data: FileIndex = FileIndex()
    first_row: int = 0
    stop_row: int = 0
    videos: Mapping[str, VideoSpan] = field(default_factory=dict)
    start: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The columns of `EpisodeFacts`, where the dataset has them."""


@dataclass(frozen=True)
class DatasetMeta:
    """All of a dataset's metadata but its statistics.

    tasks: text by task_index; None when they cannot be read. provenance: by episode, of datasets of telecine.
    """

    root: Path
    info: Mapping[str, Any]
    fps: int
    features: Mapping[str, FeatureMeta]
    tasks: Mapping[int, str] | None
    episodes: tuple[EpisodeMeta, ...]
    provenance: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def robot_type(self) -> str | None:
        """None when none is stated."""
        stated = self.info.get("robot_type")
        return stated if isinstance(stated, str) else None

    @cached_property
    def videos(self) -> tuple[str, ...]:
        """Keys of the cameras stored as videos."""
        return video_keys(self.features.values())

    @cached_property
    def cameras(self) -> tuple[str, ...]:
        """Keys of all cameras."""
        return tuple(key for key, feature in self.features.items() if feature.is_camera)

    @cached_property
    def task_texts(self) -> frozenset[str]:
        """The different task texts."""
        return frozenset((self.tasks or {}).values())

    @cached_property
    def by_index(self) -> Mapping[int, EpisodeMeta]:
        """The episodes by their index."""
        return {episode.index: episode for episode in self.episodes}


def video_keys(features: Iterable[FeatureMeta]) -> tuple[str, ...]:
    """Keys of the cameras stored as videos."""
    return tuple(feature.key for feature in features if feature.dtype == "video")


def feature_of(key: str, entry: Mapping[str, Any]) -> FeatureMeta:
    """The feature of an entry. Raises: KeyError, TypeError or ValueError for one that is none."""
    dtype, shape, info = str(entry["dtype"]), tuple(map(int, entry["shape"])), entry.get("info")
    info = info or entry.get("video_info")
    shape, names = channels_last(dtype, shape, names_of(entry, shape))
    return FeatureMeta(key, dtype, shape, names, info if isinstance(info, Mapping) else {})


def channels_last(
    dtype: str, shape: tuple[int, ...], names: tuple[str, ...] | None
) -> tuple[tuple[int, ...], tuple[str, ...] | None]:
    """Shape and names of a camera whose channels stand first, as many scripts for ALOHA state them, with them last.

    LeRobot goes by the names, too (`dataset_to_policy_features`); all else stays as it is.
    """
    if dtype not in CAMERA_DTYPES or len(shape) != 3 or not names or names[0] not in ("channel", "channels"):
        return shape, names
    return (*shape[1:], shape[0]), (*names[1:], names[0])


def names_of(entry: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """Names of the elements, a list or v2.0's {"motors": [...]}; None where a vector has another number of them."""
    names = entry.get("names")
    if isinstance(names, Mapping) and len(names) == 1:
        (names,) = names.values()
    fits = isinstance(names, list) and (len(shape) != 1 or len(names) == shape[0])
    return tuple(map(str, names)) if fits and names is not None else None


def span_columns(videos: Iterable[str]) -> dict[str, pa.DataType]:
    """The columns of meta/episodes that say where the episodes are in these cameras' videos."""
    return {f"videos/{key}/{name}": kind for key in videos for name, kind in SPAN_COLUMNS.items()}


def path_of(template: str, index: FileIndex, key: str = "") -> str:
    """Relative path of a file by a template of info.json, of any version.

    Raises: ValueError for a template that leads out of the dataset's folder or is none.
    """
    return file_below(
        template,
        chunk_index=index.chunk,
        file_index=index.file,
        episode_chunk=index.chunk,
        episode_index=index.file,
        video_key=key,
    )
