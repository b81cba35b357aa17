"""Reads a LeRobot dataset without LeRobot: rows as Arrow, and where in which video a row's frame is.

Reads one episode at a time and trusts the metadata; `verify` is what checks it. Refuses versions not asked for.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from telecine.core.depth import DepthScale
from telecine.core.errors import DatasetError, raised_as
from telecine.core.label import LANGUAGE
from telecine.core.labels.numbered import SUBTASK_INDEX
from telecine.core.text.numbers import counted
from telecine.dataset.values import unwrap_extensions
from telecine.lerobot_format import paths, read, row_files
from telecine.lerobot_format.episode_table import EpisodeTable
from telecine.lerobot_format.metadata import V2_VERSIONS, EpisodeMeta, feature_of, path_of
from telecine.lerobot_format.paths import FileIndex
from telecine.lerobot_format.possible import positive_int, whole
from telecine.lerobot_format.subtasks import read_subtasks


class Dataset:
    """A dataset on disk, opened by `Dataset(root)`; nothing but its metadata is held.

    features: every feature in order, dtype "video" or "image" for cameras. info: as in meta/info.json.

    Raises:
        DatasetError: there is no dataset at `root`, it is of another version, or its metadata is damaged.
    """

    def __init__(self, root: str | Path, *, versions: tuple[str, ...] = (paths.VERSION,)) -> None:
        self.root = Path(root)
        self.info = read.read_info(self.root, versions)
        self.version = str(self.info["codebase_version"])
        self._features = read.read_features(self.root, self.info)
        self.features = tuple(feature.column for feature in self._features.values())
        self.fps = int(self.info["fps"])
        robot_type = self.info.get("robot_type")
        self.robot_type = robot_type if isinstance(robot_type, str) else None
        self.cameras = tuple(key for key, feature in self._features.items() if feature.is_camera)
        self._videos = tuple(key for key, feature in self._features.items() if feature.dtype == "video")

    def __len__(self) -> int:
        return len(self._known)

    @cached_property
    def frames(self) -> int:
        """Rows as info.json counts them; as the episodes have them, where that is no count."""
        stated = whole(self.info.get("total_frames"))
        return int(stated) if positive_int(stated) else sum(episode.length for episode in self.episodes)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The task texts; position is task_index."""
        return tuple(read.read_tasks(self.root, self.info).values())

    @cached_property
    def task_numbers(self) -> dict[str, int]:
        """Text -> task_index, in order of number. Raises: DatasetError."""
        return {text: index for index, text in read.read_tasks(self.root, self.info).items()}

    @cached_property
    def subtasks(self) -> tuple[str, ...]:
        """The texts that `subtask_index` numbers, of a dataset that has them. Raises: DatasetError."""
        return read_subtasks(self.root, self._features)

    @cached_property
    def label_keys(self) -> list[str]:
        """The columns that say labels in words: those of language, and `subtask_index`. Raises: DatasetError."""
        return [key for key in LANGUAGE if key in self._features] + ([SUBTASK_INDEX] if self.subtasks else [])

    @cached_property
    def episodes(self) -> tuple[EpisodeMeta, ...]:
        """All episodes, in order."""
        return tuple(self._known)

    @cached_property
    def _known(self) -> Sequence[EpisodeMeta]:
        """All episodes, of version 3.0 made one by one when they are asked for."""
        if self.version in V2_VERSIONS:
            return read.read_episodes(self.root, self.info, self._features)
        return read.read_episode_table(self.root, self.info, self._features)

    def episode(self, number: int) -> EpisodeMeta:
        """One episode, without making all of them. Raises: DatasetError when there is no such one."""
        if not 0 <= number < len(self):
            raise DatasetError(f"{self.root}: has {counted(len(self), 'episode')}, no episode {number}")
        return self._known[number]

    def column_of_episodes(self, name: str) -> list[Any]:
        """`length`, `tasks` or one of the facts: a value for each episode, None where the dataset does not say."""
        if isinstance(self._known, EpisodeTable):
            return self._known.column(name)
        return [getattr(episode, name, episode.facts.get(name)) for episode in self._known]

    @cached_property
    def provenance(self) -> tuple[dict[str, Any], ...]:
        """Where each episode came from, empty when the dataset does not say."""
        if not (self.root / paths.PROVENANCE).is_file():
            return ()
        return tuple(read.read_table(self.root, paths.PROVENANCE, None).to_pylist())

    def rows(self, episode: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one episode, all columns or those named; videos are no columns.

        Raises:
            DatasetError: there is no such episode, or its file is missing or damaged.
        """
        meta = self.episode(episode)
        return unwrap_extensions(row_files.read_rows(self._file("data_path", meta.data), meta, columns))

    def runs(
        self, columns: list[str], start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[Sequence[EpisodeMeta], pa.Table | DatasetError]]:
        """The rows of episodes [start, stop) in order, those of many short ones at a time, which reads them far sooner.

        An episode that cannot be read comes alone, with the error that `rows` would raise.
        """
        for index, run in groupby(self.episodes[start:stop], lambda episode: episode.data):
            episodes = list(run)
            try:
                path = self._file("data_path", index)
            except DatasetError as error:
                yield from (((episode,), error) for episode in episodes)
                continue
            for together, table in row_files.read_runs(path, episodes, columns):
                yield together, table if isinstance(table, DatasetError) else unwrap_extensions(table)

    def rows_path(self, episode: int) -> Path:
        """The file with the rows of one episode. Raises: DatasetError when it is missing."""
        return self._file("data_path", self.episode(episode).data)

    def frame(self, key: str, episode: int, row: int) -> tuple[Path, int]:
        """The video file of camera `key` and the number in it of the frame of one row of an episode."""
        meta = self.episode(episode)
        if key not in meta.videos:
            raise DatasetError(f"{self.root}: {key} is not a video; videos are {', '.join(self._videos) or 'none'}")
        if not 0 <= row < meta.length:
            raise DatasetError(f"{self.root}: episode {episode} has {counted(meta.length, 'row')}, no row {row}")
        span = meta.videos[key]
        return self._file("video_path", span.file_index, key), round(span.from_s * self.fps) + row

    def depth(self, key: str) -> DepthScale | None:
        """What codes and statistics of a camera of depth are; None of other features. Raises: DatasetError."""
        with raised_as(DatasetError, f"{self.root / paths.INFO}: {key}", ValueError):
            return feature_of(key, self.info["features"][key]).depth

    def json(self, path: str) -> dict[str, Any]:
        """One of its JSON files. Raises: DatasetError."""
        try:
            content = json.loads(read.existing(self.root, path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self.root / path}: cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise DatasetError(f"{self.root / path}: holds {type(content).__name__}, expected an object")
        return content

    def _file(self, template: str, index: FileIndex, key: str = "") -> Path:
        from telecine.storage.on_demand import present  # conversions, which append to datasets, need no store

        with raised_as(DatasetError, f"{self.root / paths.INFO}", ValueError):
            return present(read.existing(self.root, path_of(str(self.info.get(template)), index, key)))


def open_dataset(root: str | Path) -> Dataset:
    """The dataset at `root`, of version 2.0, 2.1 or 3.0. Raises: DatasetError."""
    return Dataset(root, versions=(*V2_VERSIONS, paths.VERSION))
