"""Files that grow by one episode at a time and are closed when full. Nothing written is written again."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core import arrow
from telecine.core.video import Clip
from telecine.lerobot_format.paths import (
    FileIndex,
    Limits,
    data_is_full,
    data_path,
    episodes_are_full,
    episodes_path,
    video_is_full,
    video_path,
)
from telecine.video.append import VideoFile

ROW_GROUP = 100
"""Episodes per row group of meta/episodes. LeRobot has 10; but what the footer will say of every column of every group
stays in memory until the file is closed: 12 kB per episode with groups of ten, a tenth of that with these."""


class TableFile:
    """A Parquet file that grows by row groups."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sink = path.open("wb")
        # Frames in rows are all different: a dictionary of them would only be built and thrown away.
        plain = any(pa.types.is_struct(kind) for kind in schema.types)
        self._writer = pq.ParquetWriter(self._sink, schema, compression="snappy", use_dictionary=not plain)

    @property
    def size_bytes(self) -> int:
        """Bytes written so far, without the footer."""
        return self._sink.tell()

    def write(self, table: pa.Table) -> None:
        """Add one row group."""
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def close(self) -> None:
        """Write the footer."""
        try:
            self._writer.close()
        finally:
            self._writer.is_open = False  # after a failure it would try again when collected, and warn
            self._sink.close()


class RowFiles:
    """data/*: the rows of every episode, each in one file."""

    def __init__(self, stage: Path, schema: pa.Schema, limits: Limits, first: FileIndex = FileIndex()) -> None:
        self._stage, self._schema, self._limits = stage, schema, limits
        self._file: TableFile | None = None
        self._rows = self._groups = 0
        self._first = self.file_index = first

    def append(self, tables: Iterator[pa.Table], rows: int) -> FileIndex:
        """Add an episode of `rows` rows, each table of it a row group; says in which file it is."""
        held = (self._rows, self._groups)
        if self._file and data_is_full(self._file.size_bytes, held, rows, self._limits):
            self.close()
            self.file_index = self.file_index.next(self._limits)
        if self._file is None:
            self._file = TableFile(self._stage / data_path(self.file_index), self._schema)
            self._rows = self._groups = 0
        for table in tables:
            self._file.write(table)
            self._groups += 1
        self._rows += rows
        return self.file_index

    def paths(self) -> list[Path]:
        """All files so far, in order."""
        file_indexes, file_index = [self._first], self._first
        while file_index < self.file_index:
            file_index = file_index.next(self._limits)
            file_indexes.append(file_index)
        return [self._stage / data_path(file_index) for file_index in file_indexes]

    def close(self) -> None:
        """Close the file that is open."""
        if self._file:
            file, self._file = self._file, None
            file.close()


class VideoFiles:
    """videos/KEY/*: the frames of one camera."""

    def __init__(self, stage: Path, key: str, fps: int, limits: Limits, *, first: FileIndex = FileIndex()) -> None:
        self._stage, self._key, self._fps, self._limits = stage, key, Fraction(fps), limits
        self._file: VideoFile | None = None
        self.file_index = first

    def append(self, clip: Clip) -> tuple[FileIndex, int]:
        """Add a clip; says in which file it is and the number there of the frame of the episode's first row."""
        if self._file and self._full(self._file, clip):
            self.close()
            self.file_index = self.file_index.next(self._limits)
        if self._file is None:
            path = self._stage / video_path(self._key, self.file_index)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = VideoFile(path, self._fps)
        return self.file_index, self._file.append(clip)

    def _full(self, file: VideoFile, clip: Clip) -> bool:
        more = (clip.size_bytes, clip.frames)
        return not file.accepts(clip) or video_is_full(file.size_bytes, file.frames, more, self._fps, self._limits)

    def close(self) -> None:
        """Close the file that is open."""
        if self._file:
            file, self._file = self._file, None
            file.close()


class EpisodeFiles:
    """meta/episodes/*: one row per episode, held back until a row group is full."""

    def __init__(self, stage: Path, schema: pa.Schema, limits: Limits, first: FileIndex = FileIndex()) -> None:
        self._stage, self.schema, self._limits = stage, schema, limits
        self._file: TableFile | None = None
        self._held: list[dict[str, Any]] = []
        self.file_index = first

    def append(self, row: dict[str, Any]) -> None:
        """Add one row; its own file index is filled in here."""
        if not self._held and self._file and episodes_are_full(self._file.size_bytes, self._limits):
            self._file.close()
            self._file = None
            self.file_index = self.file_index.next(self._limits)
        own = {"meta/episodes/chunk_index": self.file_index.chunk, "meta/episodes/file_index": self.file_index.file}
        self._held.append(row | own)
        if len(self._held) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._file is None:
            self._file = TableFile(self._stage / episodes_path(self.file_index), self.schema)
        self._file.write(arrow.table(self._held, self.schema))
        self._held = []

    def close(self) -> None:
        """Write what is held back and close the file that is open, even when writing fails."""
        try:
            if self._held:
                self._flush()
        finally:
            if self._file:
                file, self._file = self._file, None
                file.close()


class RecordFile:
    """One table of small records, held back until a row group is full."""

    def __init__(self, path: Path, schema: pa.Schema, held: int = 1000) -> None:
        self._file = TableFile(path, schema)
        self._schema, self._most = schema, held
        self._held: list[dict[str, Any]] = []

    def append(self, record: dict[str, Any]) -> None:
        """Add one record."""
        self._held.append(record)
        if len(self._held) >= self._most:
            self._flush()

    def _flush(self) -> None:
        self._file.write(arrow.table(self._held, self._schema))
        self._held = []

    def close(self) -> None:
        """Write what is held back and close the file, even when writing fails."""
        try:
            if self._held:
                self._flush()
        finally:
            self._file.close()
