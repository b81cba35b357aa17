"""A dataset that is there already, as far as adding episodes to it needs: its metadata, and where it ends.

Whoever wrote it. Nothing of it is changed here; `DatasetWriter.append` makes the next state of it from links to its
data and video files, new files behind them, and new metadata.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.dataclass import dataclass
from telecine.core.depth import PIX_FMT, DepthScale
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.file_state import FileState, state_from
from telecine.core.label import LANGUAGE
from telecine.core.stats import QUANTILES, Moments, Stats
from telecine.core.video import FrameFormat
from telecine.dataset.card import card, is_as_written, repo_of
from telecine.dataset.reader import Dataset
from telecine.dataset.running_stats import RunningStats
from telecine.dataset.units import units_of
from telecine.lerobot_format import paths, schema
from telecine.lerobot_format.metadata import CAMERA_DTYPES, INDEX_KEYS
from telecine.lerobot_format.paths import FileIndex, Limits, file_index_of
from telecine.lerobot_format.read import episode_files, no_info
from telecine.lerobot_format.schema import CameraSpec, Features

_REPLACED = (
    paths.INFO, paths.STATS, paths.TASKS, paths.PROVENANCE, paths.PLAN, paths.HISTOGRAMS, paths.CAMERAS,
    paths.RELATIVE_STATS,
)  # fmt: skip
"""Files that are rewritten when episodes are added; all others are linked."""


@dataclass(frozen=True, eq=False, slots=True)
class ExistingDataset:
    """A dataset at `root`, and the first free file index of each kind of file."""

    root: Path
    info: dict[str, Any]
    features: Features
    limits: Limits
    tasks: tuple[str, ...]
    episodes: int
    frames: int
    totals: RunningStats
    next_data: FileIndex
    next_episodes: FileIndex
    next_videos: Mapping[str, FileIndex]
    data_schema: pa.Schema
    episodes_schema: pa.Schema
    provenance: tuple[dict[str, Any], ...]
    state: FileState
    """Which info.json it has: every change of a dataset makes a new one."""

    def origins(self) -> frozenset[tuple[str, str, int]]:
        """(digest of the files, recording id, first tick in ns) of every episode whose provenance has it."""
        rows = (row for row in self.provenance if row.get("source_sha256"))
        return frozenset((row["source_sha256"], row["recording_id"], row["start_ns"]) for row in rows)

    def data_files(self) -> list[Path]:
        """Its files of rows, in order."""
        return sorted((self.root / "data").glob("*/*.parquet"))

    def described(self, features: Features, counts: schema.Counts) -> dict[str, Any]:
        """info.json with the episodes added; what others wrote into it stays."""
        info = dict(self.info)
        whole = {"train": f"0:{self.episodes}"}
        splits = {"train": f"0:{counts.episodes}"} if info.get("splits") in (None, whole) else info["splits"]
        entries = {key: dict(entry) for key, entry in info["features"].items()}
        for camera in features.videos:
            stored = dict(entries[camera.key].get("info") or {})
            if not camera.encoder:  # episodes were not all encoded alike
                stored = {key: value for key, value in stored.items() if key in OF_ALL_VIDEOS}
            entries[camera.key]["info"] = stored
        totals = {"total_episodes": counts.episodes, "total_frames": counts.frames, "total_tasks": counts.tasks}
        return info | {"features": entries, "splits": splits} | totals

    def link_into(self, stage: Path, plan_yaml: str | None) -> None:
        """Put every file that stays into `stage`: as links, so that nothing is copied; as copies where there are none.

        A plan other than `plan_yaml` and the last report stay under names of their own. A card that nobody edited
        does not stay.

        Raises: OSError.
        """
        made, is_ours = set[Path](), has_our_card(self.root, self.info, self.tasks)
        for path in _files(self.root):
            name = path.relative_to(self.root).as_posix()
            if name == paths.PLAN and path.read_text(encoding="utf-8") != plan_yaml:
                digest = self.provenance[-1].get("plan_digest") if self.provenance else None
                name = f"{paths.PLANS}/{digest or 'unknown'}.yaml"
            elif name in (paths.REPORT, paths.REPORT_ROWS, paths.LEFT_OUT):
                name = paths.until(name, self.episodes)
            elif name in _REPLACED or (name == paths.CARD and is_ours):
                continue
            target = stage / name
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            _link(path, target)


def has_our_card(root: Path, info: dict[str, Any], tasks: Sequence[str]) -> bool:
    """True when the README.md at `root` is as telecine wrote it, or there is none, so that a new one loses nothing."""
    try:
        text = (root / paths.CARD).read_text(encoding="utf-8")
        plan = (root / paths.PLAN).read_text(encoding="utf-8") if (root / paths.PLAN).is_file() else None
    except (OSError, ValueError):
        return not (root / paths.CARD).is_file()
    ours = card(info, list(tasks), plan, units=units_of(root), repo_id=repo_of(text), sheet=paths.SHEET in text)
    return is_as_written(text, ours)


def card_at(root: Path) -> str:
    """The text of the card at `root`; "" without one that can be read."""
    try:
        return (root / paths.CARD).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _link(path: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        shutil.copy2(path, target)


OF_ALL_VIDEOS = (
    "video.height", "video.width", "video.codec", "video.pix_fmt", "video.fps", "video.channels", "has_audio",
    "is_depth_map", "video.is_depth_map", "depth_unit",
)  # fmt: skip


def read_existing(root: Path, last: ExistingDataset | None = None) -> ExistingDataset:
    """The dataset at `root`; read again unless it is still that of `last`.

    Raises:
        DatasetError: there is none, or episodes cannot be added to it.
    """
    state = state_of(root)
    if last is not None and last.state == state:
        return last
    dataset = Dataset(root)
    info, features = dataset.info, features_of(dataset)
    limits = Limits(
        data_bytes=_positive(info, "data_files_size_in_mb", 100) * paths.MIB,
        video_bytes=_positive(info, "video_files_size_in_mb", 200) * paths.MIB,
        files_per_chunk=_positive(info, "chunks_size", 1000),
    )
    stored = dataset.episodes
    next_videos = {c.key: _after([e.videos[c.key].file_index for e in stored], limits) for c in features.videos}
    return ExistingDataset(
        root,
        info,
        features,
        limits,
        dataset.tasks,
        len(stored),
        dataset.frames,
        _totals(dataset, features),
        _after([e.data for e in stored], limits),
        _after([i for path in episode_files(root) if (i := file_index_of(path.as_posix())) is not None], limits),
        next_videos,
        _schema(next(iter(sorted((root / "data").glob("*/*.parquet")))), schema.data_schema(features)),
        _schema(episode_files(root)[0], schema.episodes_schema(features), schema.FACTS_FIELDS),
        dataset.provenance,
        state,
    )


def state_of(root: Path) -> FileState:
    """What tells the info.json that is at `root` from those before it. Raises: DatasetError when there is none."""
    try:
        return state_from(str(root / paths.INFO), (root / paths.INFO).stat())
    except OSError as error:
        raise no_info(root) from error


def features_of(dataset: Dataset) -> Features:
    """The features in its info.json. Raises: DatasetError for video to which nothing can be added."""
    return Features(tuple(_columns(dataset)), tuple(_cameras(dataset)))


def _columns(dataset: Dataset) -> Iterator[FeatureColumn]:
    yield from (c for c in dataset.features if c.key not in INDEX_KEYS and c.dtype not in CAMERA_DTYPES)


def _cameras(dataset: Dataset) -> Iterator[CameraSpec]:
    for column in dataset.features:
        if column.dtype not in CAMERA_DTYPES:
            continue
        height, width = column.shape[:2]
        stored = dataset.info["features"][column.key].get("info") or {}
        if column.dtype == "image":
            yield CameraSpec(column.key, FrameFormat("png", width, height, "rgb24"))
            continue
        encoder = {key: value for key, value in stored.items() if key not in OF_ALL_VIDEOS}
        codec, pix_fmt = stored.get("video.codec"), stored.get("video.pix_fmt")
        depth = dataset.depth(column.key)
        if depth and (depth, pix_fmt) != (DepthScale(), PIX_FMT):
            raise DatasetError(f"{dataset.root}: {column.key} is depth in other steps than those that telecine writes")
        if codec not in ("h264", "hevc", "av1") or not isinstance(pix_fmt, str):
            raise DatasetError(f"{dataset.root}: {column.key} is {codec} {pix_fmt}, to which telecine cannot add")
        yield CameraSpec(column.key, FrameFormat(codec, width, height, pix_fmt), encoder, depth)


def _totals(dataset: Dataset, features: Features) -> RunningStats:
    """The statistics so far."""
    stats = dataset.json(paths.STATS)
    try:
        return RunningStats({key: stats_of(stats[key]) for key in features.measured})
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{dataset.root}: its statistics are not complete ({error!r}); `telecine repair` adds what is missing"
        ) from error


def stats_of(stored: Mapping[str, Any]) -> Stats:
    """Statistics as stats.json has them. Raises: KeyError, TypeError or ValueError for what is none."""
    low, high, mean, std = (np.asarray(stored[name], np.float64) for name in ("min", "max", "mean", "std"))
    moments = Moments(low, high, mean, std, int(np.asarray(stored["count"]).reshape(-1)[0]))
    return Stats(moments, np.stack([np.asarray(stored[name], np.float64) for name in QUANTILES]))


def _after(file_indexes: list[FileIndex], limits: Limits) -> FileIndex:
    return max(file_indexes).next(limits)


def _schema(path: Path, ours: pa.Schema, optional: Sequence[tuple[str, pa.DataType]] = ()) -> pa.Schema:
    """Our schema in the order of a published file, when both hold the same columns.

    optional: columns that we leave out as well where the file does. LeRobot 0.6.1 takes the columns of the first file
    for those of all, and fails on more.

    Raises: DatasetError when it holds others: all files of a kind are read as one table.
    """
    theirs = pq.read_schema(path)
    kinds = {field.name: getattr(field.type, "storage_type", field.type) for field in theirs}
    absent = {name for name, _ in optional} - kinds.keys()
    mine = {field.name: field.type for field in ours if field.name not in absent}
    names = (kinds.keys() | mine.keys()) - set(LANGUAGE)  # whose types LeRobot's reader casts, file by file
    different = sorted(name for name in names if kinds.get(name) != mine.get(name))
    if different:
        listed = ", ".join(f"{name} ({kinds.get(name)}, telecine writes {mine.get(name)})" for name in different[:5])
        raise DatasetError(f"{path}: its columns are not those that telecine writes: {listed}")
    return pa.schema([ours.field(name) for name in theirs.names], theirs.metadata)


def _positive(info: Mapping[str, Any], key: str, default: int) -> int:
    value = info.get(key, default)
    return value if isinstance(value, int) and value > 0 else default


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in sorted(names))
