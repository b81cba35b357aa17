"""The files of a dataset that are open while episodes are added, and what an episode puts into them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from telecine._version import __version__
from telecine.core.data import arrow
from telecine.core.data.serialize import to_plain
from telecine.core.episode import Episode, FeatureColumn, recording_name
from telecine.core.errors import VideoError
from telecine.core.labels.columns import label_array
from telecine.core.stats import STATISTICS, column_stats
from telecine.dataset.existing import ExistingDataset
from telecine.dataset.images import with_images
from telecine.dataset.rolling_files import EpisodeFiles, RecordFile, RowFiles, VideoFiles
from telecine.dataset.values import Values, to_arrow
from telecine.lerobot_format import paths, schema
from telecine.lerobot_format.paths import FileIndex, Limits
from telecine.lerobot_format.schema import Features

WRITE_ERRORS = (OSError, pa.ArrowException, VideoError)


class OpenFiles:
    """The files that are open while episodes are added: the first of their kind, or those after a published one's."""

    def __init__(
        self, folder: Path, features: Features, fps: int, limits: Limits, *, published: ExistingDataset | None = None
    ) -> None:
        self.features = features
        if published is None:
            data, episodes = schema.data_schema(features), schema.episodes_schema(features)
            first, videos = (FileIndex(), FileIndex()), {camera.key: FileIndex() for camera in features.videos}
        else:
            data, episodes = published.data_schema, published.episodes_schema
            first, videos = (published.next_data, published.next_episodes), dict(published.next_videos)
        self.schema = data
        self._limits = limits
        self.rows = RowFiles(folder, data, limits, first[0])
        self.videos = {key: VideoFiles(folder, key, fps, limits, first=index) for key, index in videos.items()}
        self.episodes = EpisodeFiles(folder, episodes, limits, first[1])
        self.provenance = RecordFile(folder / paths.PROVENANCE, schema.PROVENANCE_SCHEMA)
        for row in published.provenance if published else ():
            self.provenance.append({name: row.get(name) for name in schema.PROVENANCE_SCHEMA.names})
        self._encoders = {camera.key: camera.encoder for camera in features.cameras}

    def note_encoders(self, episode: Episode) -> None:
        """Forget the encoder of a camera whose episodes were not all encoded alike."""
        for clip in episode.clips:
            if clip.encoder != self._encoders[clip.key]:
                self._encoders[clip.key] = {}

    def add_zeros(self, column: FeatureColumn) -> None:
        """Give all episodes so far one more column: zero (or false) in every row, or no label."""
        self.features = replace(self.features, columns=(*self.features.columns, column))
        self.schema, episodes = schema.data_schema(self.features), schema.episodes_schema(self.features)

        def rows(before: pa.Table) -> pa.Table:
            return _extended(before, {column.key: label_array(column, (), before.num_rows, 1)}, self.schema)

        def records(before: pa.Table) -> pa.Table:
            lengths = before.column("length").to_pylist()
            stats = [column_stats(zeros(length, column)).lists() for length in lengths]
            more = {f"stats/{column.key}/{name}": [own[name] for own in stats] for name in STATISTICS}
            arrays = {name: arrow.array(values, episodes.field(name).type) for name, values in more.items()}
            return _extended(before, arrays, episodes)

        self.rows.rewrite(self.schema, rows)
        if column.dtype != "language":
            self.episodes.rewrite(episodes, records)

    def described(self) -> Features:
        """The features with the encoder settings that hold for every episode."""
        cameras = tuple(replace(camera, encoder=self._encoders[camera.key]) for camera in self.features.cameras)
        return replace(self.features, cameras=cameras)

    def next_file_indexes(self) -> tuple[FileIndex, FileIndex, dict[str, FileIndex]]:
        """The first free file index of rows, of facts of episodes, and of each camera's videos."""
        videos = {key: file.file_index.next(self._limits) for key, file in self.videos.items()}
        return self.rows.file_index.next(self._limits), self.episodes.file_index.next(self._limits), videos

    def close(self) -> None:
        """Finish every file."""
        for file in self._all():
            file.close()

    def _all(self) -> "list[RowFiles | VideoFiles | EpisodeFiles | RecordFile]":
        return [self.rows, *self.videos.values(), self.episodes, self.provenance]

    def abandon(self) -> None:
        """Let go of every file, whatever state it is in."""
        for file in self._all():
            with suppress(*WRITE_ERRORS):
                file.close()


def zeros(count: int, column: FeatureColumn) -> Values:
    """(count, *shape) zeros, (count,) for shape (1,), of a numeric column."""
    return np.zeros((count, *(() if column.shape == (1,) else column.shape)), column.dtype)


def _extended(table: pa.Table, more: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    return pa.table([more[n] if n in more else table.column(n) for n in schema.names], schema=schema)


def tables(episode: Episode, values: dict[str, Values], files: OpenFiles) -> Iterator[pa.Table]:
    """The episode's rows in the columns of data/*, in one table unless frames make that too big."""
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
    yield from with_images(arrays, clips, files.schema)


def facts_row(episode: Episode) -> dict[str, Any]:
    """What is known of an episode, in the columns of meta/episodes and of the provenance."""
    facts: dict[str, Any] = to_plain(episode.facts)
    return facts | {"recording": episode.facts.recording or recording_name(episode.ref)}


def provenance(episode: Episode, index: int) -> dict[str, Any]:
    """Where an episode came from, without a path of this machine."""
    return {
        "episode_index": index,
        "source": PurePosixPath(episode.ref.path.replace("\\", "/")).name,
        "recording_id": episode.ref.id,
        "source_sha256": episode.source_digest,
        "start_ns": episode.grid.start_ns,
        "stop_ns": episode.grid.stop_ns,
        "ticks": episode.grid.count,
        **facts_row(episode),
        "plan_digest": episode.plan_digest,
        "relabelled": False,
        "tool": f"telecine {__version__}",
        "cameras": [
            {"key": c.key, "copied": c.copied, "why": c.why, "preroll": c.preroll, "frames": c.frames}
            for c in episode.clips
        ],
    }
