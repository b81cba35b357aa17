"""Writes a LeRobot v3.0 dataset: add episodes, commit once. The target appears whole or not at all.

Each episode is one row group in an open Parquet file and one run of packets in an open video per camera; nothing
is written again, and memory does not grow with the number of episodes. The same input gives the same bytes.
Refuses what LeRobot could not read back exactly; never changes a value.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa

from telecine.core.episode import Episode, FeatureColumn
from telecine.core.errors import DatasetError, closed_on_failure, disk_is_full, raised_as
from telecine.core.findings import Finding
from telecine.core.labels.columns import LABEL_COLUMNS
from telecine.core.outcome import SUCCESS, decided, with_outcome
from telecine.core.stats import Stats
from telecine.core.text.numbers import counted
from telecine.dataset.camera_sheet import write_sheet
from telecine.dataset.episode_check import check_episode
from telecine.dataset.episode_labels import EpisodeLabels
from telecine.dataset.existing import ExistingDataset, features_of, read_existing, state_of
from telecine.dataset.finish import WholeDataset, write_finish
from telecine.dataset.metadata_files import write_tables
from telecine.dataset.open_files import WRITE_ERRORS, OpenFiles, facts_row, provenance, tables, zeros
from telecine.dataset.reader import Dataset
from telecine.dataset.relative_stats import no_difference, relative_keys
from telecine.dataset.running_stats import RunningStats
from telecine.dataset.staging import Asker, Staging
from telecine.dataset.values import Values
from telecine.lerobot_format import paths, schema
from telecine.lerobot_format.calibrations import read_calibrations
from telecine.lerobot_format.paths import FileIndex, Limits
from telecine.lerobot_format.schema import Features


class DatasetWriter:
    """One dataset being written. A context manager: left without `commit`, nothing has happened.

    Use `create`. `add` returns the episode's index; an episode that does not fit is refused before anything is
    written, and the next one can be added.
    """

    def __init__(
        self,
        stage: Staging,
        *,
        fps: int,
        robot_type: str | None,
        limits: Limits,
        published: ExistingDataset | None = None,
        outcomes: bool = False,
        relative: Sequence[str] = (),
        features: Features | None = None,
        any_coding: bool = False,
    ) -> None:
        self.root = stage.root
        self.fps = fps
        self.episodes = published.episodes if published else 0
        self.frames = published.frames if published else 0
        self._stage = stage
        self._robot_type = robot_type
        self._limits = limits
        self._published = published
        self._any_coding = any_coding
        self._settled = published.features if published else features
        self._tasks = {task: index for index, task in enumerate(published.tasks)} if published else {}
        self._totals = published.totals if published else RunningStats()
        self._outcomes = outcomes
        self._relative = tuple(dict.fromkeys([*relative, *(relative_keys(published.root) if published else ())]))
        self._success = Counter[bool | None]()
        made = () if published or not features else [c.key for c in features.columns if _is_late(c, late=False)]
        self._labels = EpisodeLabels(published=published is not None, made=made)
        self.calibrations = read_calibrations(published.root) if published else {}
        """What will be in meta/telecine/cameras.json; `add` puts in what episodes have."""
        self.draw: Callable[[Path], list[Finding]] = write_sheet
        self.drawn: list[Finding] = []  # what `commit` has to say of the picture of the cameras
        self._files: OpenFiles | None = None
        self._committed: OpenFiles | None = None
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
        outcomes: bool = False,
        relative: Sequence[str] = (),
        features: Features | None = None,
        any_coding: bool = False,
        asker: Asker = Asker(),
    ) -> "DatasetWriter":
        """A writer of a new dataset at `root`, which it locks until it is closed.

        outcomes: give it the column `next.success` from the start. Otherwise it gets one with the first episode whose
            success is known, which writes the rows of those before once more.
        relative: features that get statistics of what they are less the state of the row, too.
        features: what every episode must have; None leaves it to the first.
        any_coding: take videos of any codec and pixel format, each in a file with its like; sizes must be equal.
        asker: how the caller says what can be done about a dataset that is there.

        Raises:
            DatasetError: the target exists (say `overwrite`), is being written by another process, or cannot be.
        """
        if fps < 1:
            raise DatasetError(f"fps must be a positive integer, got {fps}")
        target = Path(root).resolve()
        with raised_as(DatasetError, f"{target}: cannot be written", OSError):
            stage = Staging(target, overwrite=overwrite, asker=asker)
        return cls(
            stage, fps=fps, robot_type=robot_type, limits=limits, outcomes=outcomes, relative=relative,
            features=features, any_coding=any_coding,
        )  # fmt: skip

    @classmethod
    def append(
        cls,
        root: str | Path,
        *,
        fps: int,
        robot_type: str | None,
        last: ExistingDataset | None = None,
        relative: Sequence[str] = (),
    ) -> "DatasetWriter":
        """A writer that adds episodes to the dataset at `root`, whoever wrote it, and locks it until it is closed.

        Its data and video files stay as they are; `commit` replaces the dataset by one that links to them.

        relative: as for `create`; features that the dataset has such statistics of keep them.
        last: what `written` of the writer before said, which saves reading it; of no use when others wrote meanwhile.

        Raises:
            DatasetError: there is no dataset, it has another fps or robot type, or it is being written.
        """
        target = Path(root).resolve()
        Dataset(target)  # before a lock makes a folder beside what may be a typing mistake
        with raised_as(DatasetError, f"{target}: cannot be written", OSError):
            stage = Staging(target, overwrite=True, asker=Asker())
        with closed_on_failure(stage.close):
            published = read_existing(target, last)
            _require_same(target, "fps", fps, published.info["fps"])
            _require_same(target, "robot_type", robot_type, published.info.get("robot_type"))
        return cls(
            stage, fps=fps, robot_type=robot_type, limits=published.limits, published=published, relative=relative
        )

    @property
    def published(self) -> ExistingDataset | None:
        """The dataset that episodes are added to, as it was; None when a new one is made."""
        return self._published

    def written(self) -> ExistingDataset:
        """The dataset as it is after `commit`, for the next writer of this process. To be used once."""
        files, root = self._committed, self.root
        if files is None:
            raise DatasetError(f"{root}: nothing was committed")
        dataset = Dataset(root)
        return ExistingDataset(
            root, dataset.info, features_of(dataset), self._limits, tuple(self._tasks), self.episodes, self.frames,
            self._totals, *files.next_file_indexes(), files.schema, files.episodes.schema, dataset.provenance,
            state_of(root),
        )  # fmt: skip

    def add(self, episode: Episode) -> int:
        """Write one episode; its index.

        Raises:
            DatasetError: the episode does not fit (the writer can go on), or writing failed (it cannot).
        """
        self._require_open()
        episode, features = decided(episode), self.features
        known = {column.key: column for column in features.columns} if features else {}
        late = self._wants_outcome(episode) and SUCCESS.key not in known
        episode = with_outcome(episode, known | ({SUCCESS.key: SUCCESS} if late else {}))
        episode = self._labels.labelled(episode, known)
        new = [column for column in episode.columns if column.key not in known and _is_late(column, late=late)]
        if features is not None and self._published is None:
            features = replace(features, columns=(*features.columns, *new))
        values = check_episode(episode, features, fps=self.fps, limits=self._limits, any_coding=self._any_coding)
        for key in self._relative:
            if why := no_difference({column.key: column for column in episode.columns}, key):
                raise DatasetError(f"no statistics relative to the state: {why}; leave {key} out of stats.relative")
        self._state = "writing"
        try:
            files = self._files
            for column in new if files is not None else ():
                assert files is not None
                files.add_zeros(column)
                if column.dtype != "language":
                    self._totals.add({column.key: zeros(self.frames, column)}, ())
            if files is None:
                files = self._files = self._opened(features or Features.of(episode))
            self._write(episode, values, files)
        except WRITE_ERRORS as error:
            self._give_up()
            raise write_error(self.root, error) from error
        self._state = "open"
        self.episodes += 1
        self.frames += episode.grid.count
        self._success[episode.facts.success] += 1
        return self.episodes - 1

    @property
    def findings(self) -> list[Finding]:
        """What is to be said of the episodes added."""
        return [*self._labels.findings(str(self.root), self._tasks), *self._success_findings()]

    def _success_findings(self) -> list[Finding]:
        unknown, known = self._success[None], self._success[True] + self._success[False]
        if known and self.features and SUCCESS.key not in {column.key for column in self.features.columns}:
            whether = f"whether {counted(known, 'episode')} succeeded"
            text = f"it has no column {SUCCESS.key}, so {whether} is in the provenance only"
            return [Finding("success-unknown", "info", str(self.root), text, "convert all recordings again")]
        if not known or not unknown:
            return []
        all_of_them = counted(known + unknown, "episode")
        text = f"nothing says whether {unknown} of {all_of_them} succeeded; {SUCCESS.key} is false there"
        return [
            Finding("success-unknown", "warning", str(self.root), text, "say it in the column success of --spans CSV")
        ]

    @property
    def features(self) -> Features | None:
        """What every episode must have; None before the first."""
        return self._files.features if self._files and not self._published else self._settled

    def _wants_outcome(self, episode: Episode) -> bool:
        """Whether the episode makes `next.success` a column; a published dataset keeps its columns."""
        return self._published is None and (self._outcomes or episode.facts.success is not None)

    def commit(
        self,
        *,
        plan_yaml: str | None = None,
        report: str = "",
        report_tables: Iterable[pa.Table] = (),
        left_out: str = "",
        derived: str = "",
        others: Mapping[str, bytes] | None = None,
    ) -> Path:
        """Finish the dataset and show it at `root`.

        What is given is kept in meta/telecine: `plan_yaml` as plan.yaml, `report` as report.json, the rows of
        `report_tables`, which are taken one by one, as report.parquet, `left_out` as left_out.json and `derived` as
        derived.json. others: more files of metadata, by name below the dataset.

        Raises:
            DatasetError: no episode was added, the target has appeared meanwhile, or writing failed.
        """
        self._require_open()
        if self._files is None:
            raise DatasetError(f"{self.root}: no episode was added, so there is no dataset to write")
        self._state = "writing"
        try:
            if plan_yaml is not None:
                (self._stage.folder / paths.PLAN).write_text(plan_yaml, encoding="utf-8")
            for name, text in ((paths.REPORT, report), (paths.LEFT_OUT, left_out), (paths.DERIVED, derived)):
                if text:
                    (self._stage.folder / name).write_text(text, "utf-8", "backslashreplace")
            for name, data in (others or {}).items():
                (self._stage.folder / name).write_bytes(data)
            write_tables(self._stage.folder / paths.REPORT_ROWS, report_tables)
            self._finish(self._files, plan_yaml)
            self._stage.publish()
            self._committed = self._files
        except WRITE_ERRORS as error:
            self._give_up()
            raise write_error(self.root, error) from error
        self.close()
        return self.root

    def close(self) -> None:
        """Remove everything that was not committed, and let the next writer in. May be called again."""
        if self._state != "closed":
            self._abandon()
            self._stage.close()
            self._state = "closed"

    def clear_scratch(self) -> None:
        """Remove `scratch` and what is in it; nothing once the writer is closed, when it is another's."""
        if self._state != "closed":
            shutil.rmtree(self.scratch, ignore_errors=True)

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
        self._abandon()
        self._stage.discard()  # at once: the disk may be full
        self._state = "failed"

    def _abandon(self) -> None:
        files, self._files = self._files, None
        if files is not None:
            files.abandon()

    def _opened(self, features: Features) -> OpenFiles:
        return OpenFiles(self._stage.folder, features, self.fps, self._limits, published=self._published)

    def _write(self, episode: Episode, values: dict[str, Values], files: OpenFiles) -> None:
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
        file_index = files.rows.append(tables(episode, values, files), count)
        stats = self._totals.add(values, episode.clips)
        files.note_encoders(episode)
        for key, calibration in episode.calibrations.items():
            self.calibrations.setdefault(key, {})[facts_row(episode)["recording"]] = calibration
        files.episodes.append(self._episode_row(episode, file_index, shown, stats))
        files.provenance.append(provenance(episode, self.episodes))

    def _episode_row(
        self, episode: Episode, file_index: FileIndex, shown: dict[str, tuple[FileIndex, int]], stats: dict[str, Stats]
    ) -> dict[str, Any]:
        count = episode.grid.count
        row: dict[str, Any] = {
            "episode_index": self.episodes,
            "tasks": list(episode.tasks),
            "length": count,
            "data/chunk_index": file_index.chunk,
            "data/file_index": file_index.file,
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
        return row | facts_row(episode)

    def _finish(self, files: OpenFiles, plan_yaml: str | None) -> None:
        files.close()
        whole = WholeDataset(
            files.described(), schema.Counts(self.episodes, self.frames, len(self._tasks)), list(self._tasks),
            self._totals, self.fps, self._robot_type, self._limits, self.calibrations, self._relative, plan_yaml,
            self._published,
        )  # fmt: skip
        self.drawn = write_finish(self._stage.folder, whole, self.draw)


def _is_late(column: FeatureColumn, *, late: bool) -> bool:
    """Whether a dataset may get the column with an episode after the first."""
    return late if column == SUCCESS else LABEL_COLUMNS.get(column.key) == column


def _require_same(root: Path, what: str, given: Any, there: Any) -> None:
    if given != there:
        raise DatasetError(
            f"{root}: has {what} {there!r}, the plan says {given!r}; append with the plan of the dataset, or make a "
            "new one"
        )


def write_error(root: Path, error: BaseException) -> DatasetError:
    """What to tell of a failed write; a full disk has its own words."""
    what = "no space left" if disk_is_full(error) else "writing failed"
    return DatasetError(f"{what}: {root} was not written ({error})")
