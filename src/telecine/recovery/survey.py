"""What of a broken dataset can be read, decided before anything is written: features, episodes, where pictures are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.frame_ranges import FrameRange, UnknownFrames
from telecine.core.recording import Ref
from telecine.dataset.verify.raw_metadata import PICTURES
from telecine.recovery.cameras import StoredCamera, find_camera
from telecine.recovery.columns import INDEX_KEYS, column_of, is_picture
from telecine.recovery.lenient_metadata import LenientMetadata, read_metadata
from telecine.recovery.notes import Repairs
from telecine.recovery.rows import EpisodeRows, RowFile, RowReader, find_runs, open_files

_TOLERANCE_S = 1e-4


@dataclass(frozen=True, slots=True)
class Piece:
    """One episode as it can be recovered: its first `count` rows, their tasks, and where its pictures are."""

    run: EpisodeRows
    count: int
    tasks: list[str]
    places: Mapping[str, FrameRange]


@dataclass(frozen=True, slots=True)
class Content:
    """What can be read of the dataset; no picture is opened yet.

    columns, images, videos: its features in Parquet, its cameras there, its cameras in videos.
    """

    root: Path
    says: LenientMetadata
    reader: RowReader
    runs: tuple[EpisodeRows, ...]
    columns: tuple[FeatureColumn, ...]
    images: tuple[str, ...]
    videos: tuple[StoredCamera, ...]

    def pieces(self, notes: Repairs, task: str | None) -> Iterator[Piece]:
        """The episodes that can be recovered; what cannot is named in `notes`."""
        for run in self.runs:
            where = f"episode {run.episode}"
            places = {camera.key: camera.places[run.episode] for camera in self.videos}
            lost = [f"{key}: {place.why}" for key, place in places.items() if isinstance(place, UnknownFrames)]
            if lost:
                notes.lost(where, f"{run.count} rows: {'; '.join(lost)}", "leave that camera out with --without")
                continue
            found = {key: place for key, place in places.items() if isinstance(place, FrameRange)}
            count = min([run.count, *(place.count for place in found.values())])
            if count < run.count:
                notes.lost(where, f"rows {count} to {run.count - 1}: the videos hold no picture for them")
            tasks = self._tasks(run, task)
            if tasks is None:
                text = "nothing tells its task any more"
                notes.lost(where, f"{run.count} rows: {text}", 'give it with --task "..."')
                continue
            _note_times(run, self.says.fps, notes)
            yield Piece(run, count, tasks[:count], found)

    def _tasks(self, run: EpisodeRows, given: str | None) -> list[str] | None:
        """The task of each row: by the table, else the only one of the episode, else the one given."""
        told = self.says.episodes[run.episode].tasks if run.episode in self.says.episodes else ()
        other = told[0] if len(told) == 1 else given
        texts = {number: self.says.tasks.get(number, other) for number in np.unique(run.tasks).tolist()}
        found = [texts[number] for number in run.tasks.tolist()]
        return None if None in found else [text for text in found if text is not None]

    def ref(self, episode: int) -> Ref:
        """Where the episode comes from: what telecine wrote down, else this dataset."""
        known = self.says.provenance.get(episode, {})
        source, name = known.get("source"), known.get("recording_id")
        if isinstance(source, str) and isinstance(name, str):
            return Ref("dataset", source, name)
        return Ref("dataset", self.root.name, f"episode {episode}")

    def start_ns(self, episode: int) -> int:
        """When the episode began, 0 when nobody wrote it down."""
        start = self.says.provenance.get(episode, {}).get("start_ns")
        return start if isinstance(start, int) else 0


def survey(root: Path, scratch: Path, notes: Repairs, without: Sequence[str]) -> Content:
    """Read everything but pictures and values. Raises: DatasetError when there is no episode to be found."""
    says = read_metadata(root, notes)
    unknown = sorted(set(without) - set(says.features))
    if unknown:
        raise DatasetError(f"--without {unknown[0]}: no such feature; there are {', '.join(says.features)}")
    files = open_files(root, says, scratch, notes)
    runs = find_runs(files, notes)
    if not runs:
        error = DatasetError(f"{root}: no episode can be read; {len(files)} files of rows were")
        for finding in notes.all():
            error.add_note(str(finding))
        raise error
    reader = RowReader(files)
    columns, images = _columns(files[runs[0].parts[0].file], reader, runs[0], says, without, notes)
    videos = []
    for key, entry in says.features.items():
        if entry.get("dtype") == "video" and key not in without and _is_storable(key, entry, notes):
            camera = find_camera(root, key, says, runs, notes)
            if camera is None:
                notes.lost(key, "no readable video of this camera is there; the copy is without it")
            else:
                videos.append(camera)
    _note_counts(runs, says, notes)
    return Content(root, says, reader, tuple(runs), columns, images, tuple(videos))


def _columns(
    file: RowFile, reader: RowReader, run: EpisodeRows, says: LenientMetadata, without: Sequence[str], notes: Repairs
) -> tuple[tuple[FeatureColumn, ...], tuple[str, ...]]:
    """(features in columns, cameras in columns), in the order of info.json."""
    columns, images = [], []
    order = [key for key in says.features if key in file.schema.names]
    order += [key for key in file.schema.names if key not in says.features]
    for key in order:
        kind, entry = file.schema.field(key).type, says.features.get(key, {})
        if key in INDEX_KEYS or key in without or not _is_storable(key, entry, notes):
            continue
        if is_picture(kind):
            images.append(key)
            continue
        column = column_of(key, kind, reader.table(run, [key]).column(0)[0].as_py(), entry)
        if column is None:
            notes.lost(key, f"a column of {kind}; it cannot be stored, so the copy is without it")
            continue
        columns.append(column)
        if list(column.shape) != entry.get("shape") or column.dtype != entry.get("dtype"):
            told = f"{entry.get('dtype')} {entry.get('shape')}" if entry else "nothing"
            notes.changed(key, f"info.json said {told}, the rows hold {column.dtype} {list(column.shape)}")
    for key, entry in says.features.items():
        if key not in file.schema.names and entry.get("dtype") != "video" and key not in (*INDEX_KEYS, *without):
            notes.lost(key, "declared in info.json, but the rows have no such column")
    return tuple(columns), tuple(images)


def _is_storable(key: str, entry: Mapping[str, Any], notes: Repairs) -> bool:
    """False for what the writer cannot hold, which is named."""
    info = entry.get("info")
    depth = isinstance(info, dict) and (info.get("is_depth_map") or info.get("video.is_depth_map"))
    if entry.get("dtype") in PICTURES and depth:
        notes.lost(key, "depth maps cannot be repaired; the copy is without it")
        return False
    if not key or any(sign in key for sign in "/\\\0\n") or key.startswith("."):
        notes.lost(repr(key[:80]), "a name that cannot be a folder; the copy is without it")
        return False
    return True


def _note_counts(runs: Sequence[EpisodeRows], says: LenientMetadata, notes: Repairs) -> None:
    """Where the metadata counts other rows than there are, and episodes it knows that have no rows."""
    known = {run.episode: run.count for run in runs}
    for number, told in sorted(says.episodes.items()):
        if number not in known:
            notes.lost(f"episode {number}", f"the metadata tells of {told.length} rows, none can be read")
        elif told.length not in (None, known[number]):
            notes.changed(f"episode {number}", f"the metadata said {told.length} rows, there are {known[number]}")
    silent = [number for number in known if number not in says.episodes]
    if silent:
        text = f"{len(silent)} of {len(known)} episodes are not in meta/episodes; they were found by their rows"
        notes.recovered("meta/episodes", text)
    if [run.episode for run in runs] != list(range(len(runs))):
        notes.changed("episode_index", f"episodes are numbered anew, 0 to {len(runs) - 1}")


def _note_times(run: EpisodeRows, fps: int, notes: Repairs) -> None:
    """Timestamps that are no multiples of 1 / fps, as measured ones are."""
    exact = np.arange(run.count) / fps
    if np.all(np.abs(run.seconds - exact) < _TOLERANCE_S):
        return
    took = float(run.seconds[-1] - run.seconds[0])
    text = f"timestamps ran over {took:.3f} s, {run.count} rows at {fps} fps take {exact[-1]:.3f} s; now row / fps"
    share = abs(took / exact[-1] - 1) if exact[-1] else 0.0
    if share > 0.01:
        text += f", which plays {share:.0%} off the measured time: convert the recording again where you have it"
    notes.changed(f"episode {run.episode} timestamp", text)
