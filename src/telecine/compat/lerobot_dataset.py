"""A dataset with LeRobot's own verbs, written by telecine.

Unlike LeRobot's, nothing is at `root` before `finalize`: episodes grow in a hidden folder beside it, and appear
there together. Left without `finalize`, for whatever reason, there is no dataset and nothing of it remains.
"""

import logging
import shutil
import weakref
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from telecine.compat.frames import FrameEpisode, frames_plan, parse_features
from telecine.compat.hub import push
from telecine.conversion.cameras import code, prepare
from telecine.conversion.report import EpisodeReport
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.errors import DatasetError, closed_on_failure
from telecine.core.plan.model import Plan
from telecine.core.recording import Image, MemoryStream, Recording, Schema
from telecine.core.text.numbers import counted
from telecine.dataset.reader import Dataset
from telecine.dataset.staging import workspace
from telecine.dataset.writer import DatasetWriter
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb
from telecine.video.mp4_reader import decode_at

_LOG = logging.getLogger("telecine.compat")

_NO_MEANING = {
    "tolerance_s", "image_writer_processes", "image_writer_threads", "video_backend", "batch_encoding_size", "vcodec",
    "rgb_encoder", "depth_encoder", "metadata_buffer_size", "streaming_encoding", "encoder_queue_maxsize",
    "encoder_threads",
}  # fmt: skip
"""How LeRobot's writer works; telecine's has no such choices."""


class LeRobotDataset:
    """A dataset being written; use `create`. After `finalize` it can be read: `len(dataset)`, `dataset[0]`.

    To train, open the folder with LeRobot's own class.
    """

    def __init__(self, repo_id: str, features: Mapping[str, Mapping[str, Any]], writer: DatasetWriter) -> None:
        self.repo_id = repo_id
        self.root = writer.root
        self.fps = writer.fps
        self.features = dict(features)
        self.columns = parse_features(features)
        self._frames_plan = frames_plan(self.columns, fps=self.fps)
        self.codecs: dict[str, str] = {}
        """The codec of each camera that an episode has settled, by the camera's name."""
        self._writer = writer
        self._plans: list[Plan] = []
        self._scratch = workspace(writer.root) / "scratch"
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        self._running: list[FrameEpisode] = []
        """The episode that frames are added to, if there is one."""
        self._finished: Dataset | None = None
        self._leave = weakref.finalize(self, _abandon, writer, self._running)

    @classmethod
    def create(
        cls,
        repo_id: str,
        fps: int,
        features: Mapping[str, Mapping[str, Any]],
        root: str | Path | None = None,
        *,
        robot_type: str | None = None,
        use_videos: bool = True,
        **options: Any,
    ) -> Self:
        """A new dataset that will appear at `root`, which must be empty or not exist.

        features: as `infer_features` gives them; dtype video or image for cameras. use_videos: False stores all
            cameras as PNG in Parquet. options: LeRobot's other parameters, which change nothing here.

        Raises:
            DatasetError: the target exists or cannot be written. PlanError: features that cannot be written.
        """
        unknown = sorted(set(options) - _NO_MEANING)
        if unknown:
            raise TypeError(f"LeRobotDataset.create() has no parameter {', '.join(unknown)}")
        if root is None:
            raise DatasetError(f"{repo_id}: say where to write, with root=; there is no default folder")
        if not use_videos:
            features = {k: {**f, "dtype": "image"} if f.get("dtype") == "video" else f for k, f in features.items()}
        writer = DatasetWriter.create(root, fps=fps, robot_type=robot_type)
        with closed_on_failure(writer.close):
            return cls(repo_id, features, writer)

    @property
    def num_episodes(self) -> int:
        """Episodes saved so far."""
        return self._writer.episodes

    @property
    def num_frames(self) -> int:
        """Rows of the episodes saved so far."""
        return self._writer.frames

    def has_pending_frames(self) -> bool:
        """True when frames were added since the last saved episode."""
        return self._pending > 0

    @property
    def _pending(self) -> int:
        return sum(episode.count for episode in self._running)

    def add_frame(self, frame: Mapping[str, Any]) -> None:
        """Add a row to the current episode: a value per feature, as LeRobot takes them, and the text `task`.

        Raises:
            DatasetError: the frame does not fit the features; it is not added.
        """
        self._require_open("add_frame")
        if not self._running:
            self._running.append(FrameEpisode(self.columns, self.fps, self._fresh("frames")))
        self._running[0].add(frame)

    def save_episode(self) -> EpisodeReport:
        """Make an episode of the frames added since the last one.

        Raises:
            TelecineError: it cannot be written; the frames are gone, and the next episode can begin.
        """
        self._require_open("save_episode")
        if not self._pending:
            raise DatasetError(f"{self.root}: no frame was added, so there is no episode to save")
        try:
            return self.add(self._running[0].recording(f"episode-{self.num_episodes:06d}"), self._frames_plan)
        finally:
            self.clear_episode_buffer()

    def clear_episode_buffer(self) -> None:
        """Forget the frames added since the last saved episode."""
        while self._running:
            self._running.pop().close()

    def add(self, recording: Recording, plan: Plan) -> EpisodeReport:
        """Resample a recording into the next episode, code its cameras and write it.

        Raises:
            TelecineError: it cannot be used; the next one can be added.
        """
        self._require_open("add")
        prepared = prepare(recording, plan)
        folder = self._fresh("clips")
        try:
            episode = code(prepared, plan, folder)
            self._check(episode)
            index = self._writer.add(episode)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if plan not in self._plans:
            self._plans.append(plan)
        return EpisodeReport.of(index, episode)

    def _fresh(self, name: str) -> Path:
        folder = self._scratch / name
        try:
            folder.mkdir()
        except OSError as error:
            raise DatasetError(f"{folder}: cannot be made: {error.strerror or error}") from error
        return folder

    def _check(self, episode: Episode) -> None:
        """DatasetError unless the episode has exactly the features that the dataset was created with."""
        got = {c.key: (c.dtype, c.shape) for c in episode.columns}
        for clip in episode.clips:
            got[clip.key] = (
                "image" if clip.format.codec == "png" else "video",
                (clip.format.height, clip.format.width, 3),
            )
        want = {c.key: (c.dtype, c.shape) for c in self.columns}
        off = [key for key in dict.fromkeys([*want, *got]) if got.get(key) != want.get(key)]
        if off:
            lines = [
                f"{key}: got {got.get(key, 'nothing')}, declared {want.get(key, 'no such feature')}" for key in off
            ]
            raise DatasetError(f"{episode.ref.label} does not have the dataset's features: " + "; ".join(lines))

    def finalize(self) -> None:
        """Finish the dataset and show it at `root`. A second call does nothing.

        Raises:
            DatasetError: there is no episode, or writing failed; nothing is at `root` then.
        """
        if self._finished is not None:
            return
        self._require_open("finalize")
        if self._pending:
            _LOG.warning("%s: %s since the last save_episode() left out", self.root, counted(self._pending, "frame"))
        self.clear_episode_buffer()
        plan = self._plans[0].to_yaml() if len(self._plans) == 1 and self._plans[0] != self._frames_plan else None
        self._writer.clear_scratch()  # first, so that the writer can remove the folder around it
        try:
            self._writer.commit(plan_yaml=plan)
        finally:
            self._leave()
        self._finished = Dataset(self.root)

    def push_to_hub(
        self,
        repo_id: str | None = None,
        *,
        branch: str | None = None,
        private: bool | None = None,
        tag_version: bool = True,
        push_videos: bool = True,
        allow_patterns: Sequence[str] | str | None = None,
        upload_large_folder: bool = False,
    ) -> None:
        """Upload the finished dataset to the Hugging Face Hub, by default under the name it was created with.

        Raises:
            DatasetError: it is not finished, huggingface_hub is not installed, or the Hub refused.
        """
        self._require_finished("push_to_hub")
        push(
            self.root,
            repo_id or self.repo_id,
            private=private,
            branch=branch,
            tag_version=tag_version,
            push_videos=push_videos,
            allow_patterns=allow_patterns,
            upload_large_folder=upload_large_folder,
        )

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One row by LeRobot's keys: numpy arrays, texts, images as (3, height, width) float32 in [0, 1].

        Raises:
            DatasetError: the dataset is not finished. IndexError: there is no such row.
        """
        dataset = self._require_finished("reading")
        if not -len(self) <= row < len(self):
            raise IndexError(f"{self.root} has {counted(len(self), 'row')}, no row {row}")
        row %= len(self)
        episode = bisect_right([e.first_row for e in dataset.episodes], row) - 1
        at = row - dataset.episodes[episode].first_row
        values = dataset.rows(episode).slice(at, 1).to_pylist()[0]
        item: dict[str, Any] = {}
        for column in dataset.features:
            item[column.key] = _value(dataset, column, episode, at, values)
        return {**item, "task": dataset.tasks[values["task_index"]]}

    def _require_open(self, verb: str) -> None:
        if self._finished is not None:
            raise DatasetError(f"{self.root}: {verb} after finalize(); the dataset is complete")
        if self._writer.broken:
            raise DatasetError(f"{self.root}: {verb} after writing failed; create a new dataset")

    def _require_finished(self, verb: str) -> Dataset:
        if self._finished is None:
            raise DatasetError(f"{self.root}: {verb} needs finalize() first; nothing is there before")
        return self._finished


def _value(dataset: Dataset, column: FeatureColumn, episode: int, at: int, values: Mapping[str, Any]) -> Any:
    if column.dtype == "video":
        path, number = dataset.frame(column.key, episode, at)
        ((_, rgb),) = decode_at(str(path), [number])
    elif column.dtype == "image":
        rgb = _png(values[column.key]["bytes"])
    elif column.dtype == "string":
        return values[column.key]
    else:
        value = np.array(values[column.key], column.dtype)
        return value if column.shape == (1,) else value.reshape(column.shape)
    return np.moveaxis(rgb, -1, 0).astype(np.float32) / np.float32(255)


def _png(data: bytes) -> Any:
    stamps = {"": np.zeros(1, np.int64)}
    stream = MemoryStream("image", "image", Schema("uint8", encoding="png"), stamps, [Image(data, "png")])
    (frame,) = frames(stream, np.zeros(1, np.int64), "")
    return to_rgb(frame)


def _abandon(writer: DatasetWriter, running: list[FrameEpisode]) -> None:
    """Leave nothing behind but what was committed."""
    for episode in running:
        episode.close()
    writer.clear_scratch()
    writer.close()
