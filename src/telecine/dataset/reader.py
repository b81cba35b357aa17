"""Reads a LeRobot v3.0 dataset without LeRobot: rows as Arrow, and where in which video a row's frame is.

Reads one episode at a time and trusts what the metadata says; `verify` is what checks it. Refuses other versions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, raised_as
from telecine.dataset.values import unwrap_extensions
from telecine.lerobot_format import paths
from telecine.lerobot_format.paths import FileIndex


@dataclass(frozen=True, slots=True)
class VideoSpan:
    """Where one episode is in a camera's videos; times in seconds from the start of that file."""

    file_index: FileIndex
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """What meta/episodes says of one episode; its rows are [first_row, first_row + length) of the dataset."""

    index: int
    length: int
    tasks: tuple[str, ...]
    data: FileIndex
    first_row: int
    videos: Mapping[str, VideoSpan]


class Dataset:
    """A dataset on disk, opened by `Dataset(root)`; nothing but its metadata is held.

    features: every feature in order, dtype "video" or "image" for cameras.

    Raises:
        DatasetError: there is no dataset at `root`, it is of another version, or its metadata is damaged.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        info = read_info(self.root)
        try:
            self.fps = int(info["fps"])
            self.robot_type: str | None = info.get("robot_type")
            self.features = tuple(_column(key, entry) for key, entry in info["features"].items())
            self.frames = int(info["total_frames"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(f"{self.root / paths.INFO}: not the info.json of a dataset ({error!r})") from error
        self.cameras = tuple(column.key for column in self.features if column.dtype in ("video", "image"))
        self._videos = tuple(column.key for column in self.features if column.dtype == "video")

    def __len__(self) -> int:
        return len(self.episodes)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The task texts; position is task_index."""
        table = self._table(paths.TASKS, ["task_index", "task"]).sort_by("task_index")
        return tuple(table.column("task").to_pylist())

    @cached_property
    def episodes(self) -> tuple[EpisodeFacts, ...]:
        """All episodes, in order."""
        files = sorted((self.root / "meta" / "episodes").glob("*/*.parquet"))
        if not files:
            raise DatasetError(f"{self.root}: meta/episodes holds no Parquet file; the dataset is not complete")
        names = ["episode_index", "length", "tasks", "data/chunk_index", "data/file_index", "dataset_from_index"]
        for key in self._videos:
            names += [
                f"videos/{key}/{name}" for name in ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
            ]
        rows = [row for path in files for row in self._table(path.relative_to(self.root), names).to_pylist()]
        return tuple(self._facts(row) for row in rows)

    @cached_property
    def provenance(self) -> tuple[dict[str, Any], ...]:
        """Where each episode came from, empty when the dataset does not say."""
        if not (self.root / paths.PROVENANCE).is_file():
            return ()
        return tuple(self._table(paths.PROVENANCE, None).to_pylist())

    def rows(self, episode: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one episode, all columns or those named; videos are no columns.

        Raises:
            DatasetError: there is no such episode, or its file is missing or damaged.
        """
        import pyarrow.compute as pc  # a tenth of a second, which commands that read no rows need not wait

        facts = self._episode(episode)
        path = paths.data_path(facts.data)
        wanted = None if columns is None else list(dict.fromkeys([*columns, "episode_index"]))
        with (
            raised_as(DatasetError, f"{self.root / path}: cannot be read", OSError, pa.ArrowException),
            pq.ParquetFile(self._existing(path)) as file,
        ):
            groups = [i for i in range(file.num_row_groups) if _may_hold(file.metadata.row_group(i), episode)]
            table = unwrap_extensions(file.read_row_groups(groups, columns=wanted))
        table = table.filter(pc.equal(table.column("episode_index"), episode))
        if table.num_rows != facts.length:
            raise DatasetError(
                f"{self.root / path}: holds {table.num_rows} rows of episode {episode}, expected {facts.length}"
            )
        return table if columns is None else table.select(columns)

    def frame(self, key: str, episode: int, row: int) -> tuple[Path, int]:
        """The video file of camera `key` and the number in it of the frame of one row of an episode."""
        facts = self._episode(episode)
        if key not in facts.videos:
            raise DatasetError(f"{self.root}: {key} is not a video; videos are {', '.join(self._videos) or 'none'}")
        if not 0 <= row < facts.length:
            raise DatasetError(f"{self.root}: episode {episode} has {facts.length} rows, no row {row}")
        span = facts.videos[key]
        return self._existing(paths.video_path(key, span.file_index)), round(span.from_s * self.fps) + row

    def json(self, path: str) -> dict[str, Any]:
        """One of its JSON files. Raises: DatasetError."""
        with raised_as(DatasetError, f"{self.root / path}: cannot be read", OSError, ValueError):
            content = json.loads(self._existing(path).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise DatasetError(f"{self.root / path}: holds {type(content).__name__}, expected an object")
        return content

    def _episode(self, episode: int) -> EpisodeFacts:
        if not 0 <= episode < len(self.episodes):
            raise DatasetError(f"{self.root}: has {len(self.episodes)} episodes, no episode {episode}")
        return self.episodes[episode]

    def _facts(self, row: dict[str, Any]) -> EpisodeFacts:
        videos = {}
        for key in self._videos:
            chunk, file, start, stop = (
                row[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
            )
            videos[key] = VideoSpan(FileIndex(chunk, file), start, stop)
        data = FileIndex(row["data/chunk_index"], row["data/file_index"])
        tasks = tuple(row["tasks"])
        return EpisodeFacts(row["episode_index"], row["length"], tasks, data, row["dataset_from_index"], videos)

    def _existing(self, path: str | Path) -> Path:
        if not (self.root / path).is_file():
            raise DatasetError(f"{self.root / path}: missing; the dataset is not complete")
        return self.root / path

    def _table(self, path: str | Path, columns: list[str] | None) -> pa.Table:
        with (
            raised_as(DatasetError, f"{self.root / path}: cannot be read", OSError, pa.ArrowException),
            pq.ParquetFile(self._existing(path)) as file,
        ):
            missing = sorted(set(columns or ()) - set(file.schema_arrow.names))
            if missing:
                raise DatasetError(f"{self.root / path}: has no column {', '.join(missing)}")
            return file.read(columns)


def read_info(root: Path) -> dict[str, Any]:
    """info.json. Raises: DatasetError: it is missing, damaged or of another version."""
    path = root / paths.INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{root}: not a LeRobot dataset ({paths.INFO} is missing)") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if version != paths.VERSION:
        first = f"telecine convert {root} NEW" if version in ("v2.0", "v2.1") else "convert it with LeRobot"
        raise DatasetError(f"{path}: version {version!r}, expected {paths.VERSION!r}; first {first}")
    return dict(info)


def _column(key: str, entry: dict[str, Any]) -> FeatureColumn:
    names = entry.get("names")
    flat = tuple(map(str, names)) if isinstance(names, list) else None
    return FeatureColumn(key, str(entry["dtype"]), tuple(map(int, entry["shape"])), flat)


def _may_hold(group: Any, episode: int) -> bool:
    """Whether a row group can hold rows of an episode, by the least and greatest index in it."""
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == "episode_index" and column.is_stats_set and column.statistics.has_min_max:
            return bool(column.statistics.min <= episode <= column.statistics.max)
    return True
