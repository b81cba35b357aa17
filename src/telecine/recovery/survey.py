"""What of a broken dataset can be read, decided before anything is written: features, episodes, where frames are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.episode import EpisodeFacts, FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.findings import with_notes
from telecine.core.frame_ranges import FrameRange, UnknownFrames
from telecine.core.grid import ON_GRID_NS, SECOND, off_rows_s
from telecine.core.outcome import stored_facts
from telecine.core.recording import Ref
from telecine.core.text.numbers import counted, counted_of, percent_text
from telecine.core.text.task_text import TASK_TO_GIVE
from telecine.core.tiff import tiff_pixels
from telecine.lerobot_format.metadata import INDEX_KEYS, UNKNOWN_LENGTH, DatasetMeta, FeatureMeta
from telecine.lerobot_format.paths import TASKS
from telecine.recovery.cameras import StoredCamera, find_camera
from telecine.recovery.columns import column_of, is_image
from telecine.recovery.conflicts import (
    FRAMES,
    Conflict,
    Trust,
    chosen,
    copy_conflicts,
    count_conflicts,
    image_conflicts,
    other_tasks,
    row_conflicts,
    row_count_conflicts,
    size_conflicts,
    statistics_conflicts,
    task_conflicts,
    with_exchanged,
)
from telecine.recovery.repair_log import RepairLog
from telecine.recovery.rows import NO_TASK, EpisodeRows, RowFile, RowReader, find_runs, open_files


@dataclass(frozen=True, slots=True)
class Piece:
    """One episode as it can be recovered: its first `count` rows, their tasks, and where its frames are."""

    run: EpisodeRows
    count: int
    tasks: list[str]
    ranges: Mapping[str, FrameRange]


_NOT_TRUSTED = {
    "copies": "a video of it is a copy of another camera's, which was not trusted",
    "counts": "it had other rows when it was written, by what was trusted",
    "statistics": "it is not what its statistics were made of, which were trusted",
}
"""By witness: why an episode is left out where the metadata is believed."""


@dataclass(frozen=True, slots=True)
class Content:
    """What can be read of the dataset; no frame is opened yet.

    columns, images, videos: its features in Parquet, its cameras there, its cameras in videos.
    """

    metadata: DatasetMeta
    reader: RowReader
    runs: tuple[EpisodeRows, ...]
    columns: tuple[FeatureColumn, ...]
    images: tuple[str, ...]
    videos: tuple[StoredCamera, ...]
    conflicts: tuple[tuple[Conflict, Trust | None], ...] = ()
    """Where witnesses disagree, and whom the repair believes; None when the user has to decide."""

    @property
    def is_undecided(self) -> bool:
        """True when nothing may be written before the user decides whom to believe."""
        return any(believed is None for _, believed in self.conflicts)

    def _believes_meta(self, witness: str, episode: int) -> bool:
        mine = (believed for c, believed in self.conflicts if c.witness == witness and episode in c.episodes)
        return "meta" in mine

    def pieces(self, log: RepairLog, task: str | None) -> Iterator[Piece]:
        """The episodes that can be recovered; what cannot is named in `log`."""
        for text in self._unused_tasks():
            log.changed(f"{TASKS} {text!r}", "no row is of this task, so the copy's table is without it")
        for run in self.runs:
            where = f"episode {run.episode}"
            ranges = {camera.key: camera.ranges[run.episode] for camera in self.videos}
            lost = [
                f"{key}: {frame_range.why}"
                for key, frame_range in ranges.items()
                if isinstance(frame_range, UnknownFrames)
            ]
            if lost:
                log.lost(
                    where, f"{counted(run.count, 'row')}: {'; '.join(lost)}", "leave that camera out with --without"
                )
                continue
            why = next((why for name, why in _NOT_TRUSTED.items() if self._believes_meta(name, run.episode)), None)
            if why is not None:
                log.lost(where, f"{counted(run.count, 'row')}: {why}")
                continue
            found = {key: frame_range for key, frame_range in ranges.items() if isinstance(frame_range, FrameRange)}
            count = min([run.count, *(frame_range.count for frame_range in found.values())])
            if count < run.count:
                log.lost(where, f"rows {count} to {run.count - 1}: the videos hold no frame for them")
            tasks = self._tasks(run, task, log)
            if tasks is None:
                text = "nothing tells its task any more"
                log.lost(where, f"{counted(run.count, 'row')}: {text}", f'give it with --task "{TASK_TO_GIVE}"')
                continue
            _note_times(run, self.metadata.fps, log)
            yield Piece(run, count, tasks[:count], found)

    def _unused_tasks(self) -> list[str]:
        """Tasks of the table that neither rows nor meta/episodes name: nobody can tell whose they were."""
        known = self.metadata.tasks or {}
        of_rows = {known.get(number) for run in self.runs for number in np.unique(run.tasks).tolist()}
        stated = {text for episode in self.metadata.by_index.values() for text in episode.tasks}
        return sorted(set(known.values()) - of_rows - stated)

    def _tasks(self, run: EpisodeRows, given: str | None, log: RepairLog) -> list[str] | None:
        """The task of each row: by the table, else the only one of the episode, else the one given."""
        if self._believes_meta("tasks", run.episode):
            return other_tasks(self.metadata, run)
        stated = self.metadata.by_index.get(run.episode)
        claimed = stated.tasks if stated else ()
        other = claimed[0] if len(claimed) == 1 else given
        nulls = int(np.count_nonzero(run.tasks == NO_TASK))
        if nulls and other is not None:
            whose = "the one task of the episode in meta/episodes" if len(claimed) == 1 else "as --task says"
            text = f"{counted_of(nulls, run.count, 'row', 'has', 'have')} null in its place: of {other!r}, {whose}"
            log.recovered(f"episode {run.episode} task_index", text)
        known = self.metadata.tasks or {}
        texts = {number: known.get(number, other) for number in np.unique(run.tasks).tolist()}
        found = [texts[number] for number in run.tasks.tolist()]
        return None if None in found else [text for text in found if text is not None]

    def ref(self, episode: int) -> Ref:
        """Where the episode comes from: what telecine wrote down, else this dataset."""
        known = self.metadata.provenance.get(episode, {})
        source, name = known.get("source"), known.get("recording_id")
        if isinstance(source, str) and isinstance(name, str):
            return Ref("dataset", source, name)
        return Ref("dataset", self.metadata.root.name, f"episode {episode}")

    def facts(self, episode: int) -> EpisodeFacts:
        """What the dataset states of an episode, in its provenance or else in meta/episodes."""
        meta = self.metadata.by_index.get(episode)
        return stored_facts(self.metadata.provenance.get(episode) or (meta.facts if meta else {}))

    def start_ns(self, episode: int) -> int:
        """When the episode began, 0 when nobody wrote it down."""
        start = self.metadata.provenance.get(episode, {}).get("start_ns")
        return start if isinstance(start, int) else 0


def survey(
    metadata: DatasetMeta,
    scratch: Path,
    log: RepairLog,
    without: Sequence[str],
    *,
    trust: Sequence[Trust] = (),
    known: Sequence[Conflict] = (),
) -> Content:
    """Read everything but frames and values.

    known: conflicts that were found before. Raises: DatasetError when there is no episode to be found.
    """
    unknown = sorted(set(without) - set(metadata.features))
    if unknown:
        raise DatasetError(f"--without {unknown[0]}: no such feature; there are {', '.join(metadata.features)}")
    files = open_files(metadata, scratch, log)
    runs = find_runs(files, log)
    if not runs:
        text = f"{metadata.root}: no episode can be read, so nothing can be saved; convert the recordings again"
        raise with_notes(DatasetError(text), log.all())
    reader = RowReader(files)
    columns, images = _columns(files[runs[0].parts[0].file], reader, runs, metadata, without, log)
    videos, frames = [], chosen(FRAMES, trust)
    for key, feature in metadata.features.items():
        if feature.dtype == "video" and key not in without and _is_storable(feature, log):
            camera = find_camera(key, metadata, runs, log, scratch=scratch, trust_video=frames == "video")
            if camera is None:
                log.lost(key, "no readable video of this camera is there; the copy is without it")
            else:
                videos.append(camera)
    _note_counts(runs, metadata, log)
    conflicts = [*known, *task_conflicts(metadata, runs), *size_conflicts(metadata, videos), *count_conflicts(videos)]
    cameras = with_exchanged(metadata, videos) if frames == "meta" else tuple(videos)
    conflicts += [*copy_conflicts(metadata, cameras), *statistics_conflicts(metadata, cameras)]
    conflicts += image_conflicts(metadata, runs, reader, images)
    conflicts += row_count_conflicts(metadata, runs, cameras)
    conflicts += list(row_conflicts(metadata, runs, reader, columns, conflicts))
    decided = tuple((conflict, conflict.believed(trust)) for conflict in conflicts)
    for conflict, believed in decided:
        log.conflict(
            conflict.where,
            f"{conflict.message}{f'; believed: {believed}' if believed else ''}",
            "" if believed else conflict.fix,
        )
    return Content(metadata, reader, tuple(runs), columns, images, cameras, decided)


def _columns(
    file: RowFile,
    reader: RowReader,
    runs: Sequence[EpisodeRows],
    metadata: DatasetMeta,
    without: Sequence[str],
    log: RepairLog,
) -> tuple[tuple[FeatureColumn, ...], tuple[str, ...]]:
    """(features in columns, cameras in columns), in the order of info.json."""
    columns, images = [], []
    order = [key for key in metadata.features if key in file.schema.names]
    order += [key for key in file.schema.names if key not in metadata.features]
    for key in order:
        kind, declared = file.schema.field(key).type, metadata.features.get(key)
        if key in INDEX_KEYS or key in without or not _is_storable(declared or FeatureMeta(key, "", ()), log):
            continue
        if is_image(kind):
            if not _is_colour_or_tiff(declared, _first_value(reader, runs, key)):
                log.lost(key, "depth in images that are no TIFF files of one channel; the copy is without it")
                continue
            if declared is not None and declared.is_depth:
                log.changed(key, f"depth in images of the rows becomes depth video: {_STEPS}")
            images.append(key)
            continue
        column = column_of(key, kind, _first_value(reader, runs, key), declared)
        if column is None:
            log.lost(key, f"a column of {kind}; it cannot be stored, so the copy is without it")
            continue
        columns.append(column)
        if declared is None or (column.shape, column.dtype) != (declared.shape, declared.dtype):
            claimed = f"{declared.dtype} {list(declared.shape)}" if declared else "nothing"
            log.changed(key, f"info.json said {claimed}, the rows hold {column.dtype} {list(column.shape)}")
    for key, feature in metadata.features.items():
        if key not in file.schema.names and feature.dtype != "video" and key not in (*INDEX_KEYS, *without):
            log.lost(key, "declared in info.json, but the rows have no such column")
    return tuple(columns), tuple(images)


def _first_value(reader: RowReader, runs: Sequence[EpisodeRows], key: str) -> Any:
    """The first value of a column in the first episode where it can be read. Raises: DatasetError when in none."""
    problem: DatasetError | None = None
    for run in runs:
        try:
            table = reader.table(run, [key])
        except DatasetError as error:
            problem = problem or error
            continue
        if table.num_columns:  # files may have different columns
            return table.column(0)[0].as_py()
    assert problem is not None
    raise problem


_STEPS = "4096 steps from 1 cm to 10 m that grow from 1.2 to 4.4 mm, as LeRobot has them"


def _is_colour_or_tiff(feature: FeatureMeta | None, cell: Any) -> bool:
    """False for depth in other files than the plain TIFF files that LeRobot writes."""
    if feature is None or not feature.is_depth:
        return True
    data = cell.get("bytes") if isinstance(cell, dict) else None
    try:
        return isinstance(data, bytes) and tiff_pixels(data).size > 0
    except ValueError:
        return False


def _is_storable(feature: FeatureMeta, log: RepairLog) -> bool:
    """False for what the writer cannot hold, which is named."""
    key = feature.key
    if not key or any(sign in key for sign in "/\\\0\n") or key.startswith("."):
        log.lost(repr(key[:80]), "a name that cannot be a folder; the copy is without it")
        return False
    return True


def _note_counts(runs: Sequence[EpisodeRows], metadata: DatasetMeta, log: RepairLog) -> None:
    """Where the metadata counts other rows than there are, and episodes it knows that have no rows."""
    known = {run.episode: run.count for run in runs}
    for number, claimed in sorted(metadata.by_index.items()):
        if number not in known:
            rows = "it" if claimed.length == UNKNOWN_LENGTH else f"{counted(claimed.length, 'row')}"
            log.lost(f"episode {number}", f"the metadata tells of {rows}, none can be read")
        elif claimed.length not in (UNKNOWN_LENGTH, known[number]):
            log.changed(
                f"episode {number}", f"the metadata said {counted(claimed.length, 'row')}, there are {known[number]}"
            )
    silent = [number for number in known if number not in metadata.by_index]
    if silent:
        text = (
            f"{counted_of(len(silent), len(known), 'episode', 'is', 'are')} not in meta/episodes; they were "
            "found by their rows"
        )
        log.recovered("meta/episodes", text)
    if [run.episode for run in runs] != list(range(len(runs))):
        log.changed("episode_index", f"episodes are renumbered, 0 to {len(runs) - 1}")


def _note_times(run: EpisodeRows, fps: int, log: RepairLog) -> None:
    """Timestamps that are no multiples of 1 / fps, as measured ones are."""
    exact = np.arange(run.count) / fps
    if np.all(off_rows_s(run.seconds, fps) < ON_GRID_NS / SECOND):
        return
    took = float(run.seconds[-1] - run.seconds[0])
    text = (
        f"timestamps ran over {took:.3f} s, {counted(run.count, 'row')} at {fps} fps take {exact[-1]:.3f} s; "
        "now row / fps"
    )
    share = abs(took / exact[-1] - 1) if exact[-1] else 0.0
    if share > 0.01:
        text += (
            f", which plays {percent_text(share)} off the measured time: convert the recording again where you have it"
        )
    log.changed(f"episode {run.episode} timestamp", text)
