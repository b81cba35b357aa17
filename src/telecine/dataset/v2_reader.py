"""Reads LeRobot datasets of versions 2.0 and 2.1: one Parquet file and one video a camera for each episode.

Answers the questions that `reader.Dataset` does, so that who looks at a dataset need not ask for its version.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, raised_as
from telecine.core.naming import file_below
from telecine.dataset.reader import Dataset
from telecine.dataset.values import unwrap_extensions
from telecine.lerobot_format import paths

VERSIONS = ("v2.0", "v2.1")


@dataclass(frozen=True, slots=True)
class V2Episode:
    """A line of episodes.jsonl."""

    index: int
    length: int
    tasks: tuple[str, ...]


class V2Dataset:
    """A dataset of version 2.0 or 2.1 on disk; nothing but its metadata is held.

    Raises:
        DatasetError: its metadata is missing or damaged.
    """

    def __init__(self, root: Path, info: dict[str, Any]) -> None:
        self.root = root
        try:
            self.version = str(info["codebase_version"])
            self.fps = int(info["fps"])
            self.robot_type: str | None = info.get("robot_type")
            self.frames = int(info["total_frames"])
            self.features = tuple(_column(key, entry) for key, entry in info["features"].items())
            self._chunk = int(info["chunks_size"])
            self._data, self._video = str(info["data_path"]), str(info.get("video_path"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(f"{root / paths.INFO}: not the info.json of a dataset ({error!r})") from error
        self.cameras = tuple(c.key for c in self.features if c.dtype in ("video", "image"))

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The task texts; position is task_index."""
        lines = sorted(self._lines("meta/tasks.jsonl"), key=lambda line: int(line["task_index"]))
        return tuple(str(line["task"]) for line in lines)

    @cached_property
    def episodes(self) -> tuple[V2Episode, ...]:
        """All episodes, in order."""
        lines = sorted(self._lines("meta/episodes.jsonl"), key=lambda line: int(line["episode_index"]))
        return tuple(V2Episode(int(e["episode_index"]), int(e["length"]), tuple(e.get("tasks", ()))) for e in lines)

    def rows(self, episode: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one episode. Raises: DatasetError when its file is missing or damaged."""
        path = self.root / self._path(self._data, episode)
        with (
            raised_as(DatasetError, f"{path}: cannot be read", OSError, pa.ArrowException),
            pq.ParquetFile(path) as file,
        ):
            return unwrap_extensions(file.read(columns))

    def frame(self, key: str, episode: int, row: int) -> tuple[Path, int]:
        """The video of camera `key` and the number in it of the frame of one row of an episode."""
        path = self.root / self._path(self._video, episode, video_key=key)
        if not path.is_file():
            raise DatasetError(f"{path}: missing; the dataset is not complete")
        return path, row

    def _path(self, template: str, episode: int, **more: str) -> str:
        chunk = self.episodes[episode].index // self._chunk
        try:
            return file_below(template, episode_chunk=chunk, episode_index=self.episodes[episode].index, **more)
        except ValueError as error:
            raise DatasetError(f"{self.root / paths.INFO}: {error}") from error

    def _lines(self, path: str) -> Iterator[dict[str, Any]]:
        with raised_as(DatasetError, f"{self.root / path}: cannot be read", OSError, ValueError, TypeError):
            for text in (self.root / path).read_text(encoding="utf-8").splitlines():
                yield dict(json.loads(text))


def _column(key: str, entry: dict[str, Any]) -> FeatureColumn:
    names = entry.get("names")
    if isinstance(names, dict):  # v2.0 groups them: {"motors": [...]}
        names = next(iter(names.values()), None)
    flat = tuple(map(str, names)) if isinstance(names, list) else None
    return FeatureColumn(key, str(entry["dtype"]), tuple(map(int, entry["shape"])), flat)


def open_dataset(root: str | Path) -> Dataset | V2Dataset:
    """The dataset at `root`, of version 2.0, 2.1 or 3.0. Raises: DatasetError."""
    path = Path(root)
    try:
        info = json.loads((path / paths.INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Dataset(path)  # says what is wrong
    if isinstance(info, dict) and info.get("codebase_version") in VERSIONS:
        return V2Dataset(path, info)
    return Dataset(path)
