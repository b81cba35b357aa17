"""Writes a LeRobot v3.0 dataset: add episodes, commit once. The target appears whole or not at all.

Each episode is one row group in an open Parquet file and one run of packets in an open video per camera; nothing
is written again, and memory does not grow with the number of episodes. The same input gives the same bytes.
Refuses what LeRobot could not read back exactly; never changes a value.
"""

import errno
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine._version import __version__
from telecine.core.episode import Episode
from telecine.core.errors import DatasetError, VideoError
from telecine.core.stats import Stats
from telecine.dataset import layout, schema
from telecine.dataset.card import card
from telecine.dataset.check import check_episode
from telecine.dataset.growing import EpisodeFiles, RecordFile, RowFiles, VideoFiles
from telecine.dataset.images import with_pictures
from telecine.dataset.layout import Limits, Place
from telecine.dataset.schema import Features
from telecine.dataset.stage import Stage
from telecine.dataset.totals import Totals
from telecine.dataset.values import Values, to_arrow

_WRITE_ERRORS = (OSError, pa.ArrowException, VideoError)


class DatasetWriter:
    """One dataset being written. A context manager: left without `commit`, nothing has happened.

    Use `create`. `add` returns the episode's index; an episode that does not fit is refused before anything is
    written, and the next one can be added.
    """

    def __init__(self, stage: Stage, *, fps: int, robot_type: str | None, limits: Limits) -> None:
        self.root = stage.root
        self.fps = fps
        self.episodes = 0
        self.frames = 0
        self._stage = stage
        self._robot_type = robot_type
        self._limits = limits
        self._tasks: dict[str, int] = {}
        self._totals = Totals()
        self._files: _Files | None = None
        self._state: Literal["open", "writing", "failed", "closed"] = "open"

    @property
    def scratch(self) -> Path:
        """A folder beside the target for whoever holds the writer: goes with `commit`, stays after a crash."""
        return self._stage.scratch

    @property
    def broken(self) -> bool:
        """True when writing failed or was interrupted, so that nothing can be added any more."""
        return self._state != "open"

    @classmethod
    def create(
        cls,
        root: str | Path,
        *,
        fps: int,
        robot_type: str | None,
        overwrite: bool = False,
        limits: Limits = Limits(),
    ) -> "DatasetWriter":
        """A writer of a new dataset at `root`, which it locks until it is closed.

        Raises:
            DatasetError: the target exists (say `overwrite`), is being written by another process, or cannot be.
        """
        if fps < 1:
            raise DatasetError(f"fps must be a positive integer, got {fps}")
        target = Path(root).resolve()
        try:
            stage = Stage(target, overwrite=overwrite)
        except OSError as error:
            raise DatasetError(f"{target}: cannot be written: {error.strerror or error}") from error
        return cls(stage, fps=fps, robot_type=robot_type, limits=limits)

    def add(self, episode: Episode) -> int:
        """Write one episode; its index.

        Raises:
            DatasetError: the episode does not fit (the writer can go on), or writing failed (it cannot).
        """
        self._require_open()
        files = self._files
        values = check_episode(episode, files.features if files else None, fps=self.fps, limits=self._limits)
        self._state = "writing"
        try:
            if files is None:
                files = self._files = _Files(self._stage.folder, Features.of(episode), self.fps, self._limits)
            self._write(episode, values, files)
        except _WRITE_ERRORS as error:
            self._give_up()
            raise _write_error(self.root, error) from error
        self._state = "open"
        self.episodes += 1
        self.frames += episode.grid.count
        return self.episodes - 1

    def commit(self, *, plan_yaml: str | None = None) -> Path:
        """Finish the dataset and show it at `root`; `plan_yaml` is kept in it as meta/telecine/plan.yaml.

        Raises:
            DatasetError: no episode was added, the target has appeared meanwhile, or writing failed.
        """
        self._require_open()
        if self._files is None:
            self.close()
            raise DatasetError(f"{self.root}: no episode was added, so there is no dataset to write")
        self._state = "writing"
        try:
            if plan_yaml is not None:
                (self._stage.folder / layout.PLAN).write_text(plan_yaml, encoding="utf-8")
            self._finish(self._files, plan_yaml)
            self._stage.publish()
        except _WRITE_ERRORS as error:
            self._give_up()
            raise _write_error(self.root, error) from error
        finally:
            self.close()
        return self.root

    def close(self) -> None:
        """Remove everything that was not committed. May be called again."""
        if self._state != "closed":
            self._give_up()
            self._state = "closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._state == "closed":
            raise DatasetError(f"{self.root}: the writer is closed")
        if self._state != "open":
            raise DatasetError(f"{self.root}: an earlier write failed, so nothing can be added; start again")

    def _give_up(self) -> None:
        files, self._files = self._files, None
        if files is not None:
            files.abandon()
        self._stage.close()
        self._state = "failed"

    def _write(self, episode: Episode, values: dict[str, Values], files: "_Files") -> None:
        count = episode.grid.count
        tasks = episode.rows.column("task").to_pylist()
        for task in tasks:
            self._tasks.setdefault(task, len(self._tasks))
        values |= {
            "frame_index": np.arange(count),
            "episode_index": np.full(count, self.episodes),
            "index": self.frames + np.arange(count),
            "task_index": np.array([self._tasks[task] for task in tasks], np.int64),
        }
        shown = {clip.key: files.videos[clip.key].append(clip) for clip in episode.clips if clip.key in files.videos}
        place = files.rows.append(_tables(episode, values, files), count)
        stats = self._totals.add(values, episode.clips)
        files.note_encoders(episode)
        files.episodes.append(self._episode_row(episode, place, shown, stats))
        files.provenance.append(_provenance(episode, self.episodes))

    def _episode_row(
        self, episode: Episode, place: Place, shown: dict[str, tuple[Place, int]], stats: dict[str, Stats]
    ) -> dict[str, Any]:
        count = episode.grid.count
        row: dict[str, Any] = {
            "episode_index": self.episodes,
            "tasks": list(episode.tasks),
            "length": count,
            "data/chunk_index": place.chunk,
            "data/file_index": place.file,
            "dataset_from_index": self.frames,
            "dataset_to_index": self.frames + count,
        }
        for key, (video, first) in shown.items():
            # One division each: sums of durations drift (lerobot#3177).
            row[f"videos/{key}/chunk_index"], row[f"videos/{key}/file_index"] = video.chunk, video.file
            row[f"videos/{key}/from_timestamp"] = first / self.fps
            row[f"videos/{key}/to_timestamp"] = (first + count) / self.fps
        for key, found in stats.items():
            row |= {f"stats/{key}/{name}": value for name, value in found.lists().items()}
        return row

    def _finish(self, files: "_Files", plan_yaml: str | None) -> None:
        files.close()
        features, folder = files.described(), self._stage.folder
        counts = schema.Counts(self.episodes, self.frames, len(self._tasks))
        info = schema.info(features, counts, fps=self.fps, robot_type=self._robot_type, limits=self._limits)
        _write_json(folder / layout.STATS, self._totals.stats(features, files.rows.paths()))
        with (folder / layout.TASKS).open("wb") as sink:
            pq.write_table(schema.tasks_table(list(self._tasks)), sink)
        (folder / layout.CARD).write_text(card(info, list(self._tasks), plan_yaml), encoding="utf-8")
        _write_json(folder / layout.INFO, info)


class _Files:
    """The files that are open while episodes are added."""

    def __init__(self, folder: Path, features: Features, fps: int, limits: Limits) -> None:
        self.features = features
        self.schema = schema.data_schema(features)
        self.rows = RowFiles(folder, self.schema, limits)
        self.videos = {camera.key: VideoFiles(folder, camera.key, fps, limits) for camera in features.videos}
        self.episodes = EpisodeFiles(folder, schema.episodes_schema(features), limits)
        self.provenance = RecordFile(folder / layout.PROVENANCE, schema.PROVENANCE_SCHEMA)
        self._encoders = {camera.key: camera.encoder for camera in features.cameras}

    def note_encoders(self, episode: Episode) -> None:
        """Forget the encoder of a camera whose episodes were not all encoded alike."""
        for clip in episode.clips:
            if clip.encoder != self._encoders[clip.key]:
                self._encoders[clip.key] = {}

    def described(self) -> Features:
        """The features with the encoder settings that hold for every episode."""
        cameras = tuple(replace(camera, encoder=self._encoders[camera.key]) for camera in self.features.cameras)
        return replace(self.features, cameras=cameras)

    def close(self) -> None:
        """Finish every file."""
        for file in self._all():
            file.close()

    def _all(self) -> "list[RowFiles | VideoFiles | EpisodeFiles | RecordFile]":
        return [self.rows, *self.videos.values(), self.episodes, self.provenance]

    def abandon(self) -> None:
        """Let go of every file, whatever state it is in."""
        for file in self._all():
            with suppress(*_WRITE_ERRORS):
                file.close()


def _tables(episode: Episode, values: dict[str, Values], files: _Files) -> Iterator[pa.Table]:
    """The episode's rows in the columns of data/*, in one table unless pictures make that too big."""
    features = files.features
    known = {column.key: column for column in (*features.columns, *schema.INDEX_COLUMNS)}
    images = {camera.key for camera in features.images}
    arrays = {
        key: to_arrow(values[key], column) if key in values else episode.rows.column(key)
        for key, column in known.items()
    }
    if not images:
        yield pa.table([arrays[name] for name in files.schema.names], schema=files.schema)
        return
    clips = {clip.key: clip for clip in episode.clips if clip.key in images}
    yield from with_pictures(arrays, clips, files.schema)


def _provenance(episode: Episode, index: int) -> dict[str, Any]:
    """Where an episode came from, without a path of this machine."""
    return {
        "episode_index": index,
        "source": PurePosixPath(episode.ref.path.replace("\\", "/")).name,
        "recording_id": episode.ref.id,
        "source_sha256": episode.source_digest,
        "start_ns": episode.grid.start_ns,
        "stop_ns": episode.grid.stop_ns,
        "ticks": episode.grid.count,
        "success": episode.success,
        "plan_digest": episode.plan_digest,
        "tool": f"telecine {__version__}",
        "cameras": [
            {"key": c.key, "copied": c.copied, "why": c.why, "preroll": c.preroll, "frames": c.frames}
            for c in episode.clips
        ],
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _write_error(root: Path, error: BaseException) -> DatasetError:
    """What to tell of a failed write; a full disk has its own words."""
    causes = chain([error], _causes(error))
    full = any(getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for cause in causes)
    what = "no space left" if full else "writing failed"
    return DatasetError(f"{what}: {root} was not written ({error})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
