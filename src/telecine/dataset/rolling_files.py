"""Files that grow by one episode at a time and are closed when full. Nothing written is written again."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
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
from telecine.video.clip import ClipPacket

ROW_GROUP = 100
"""Episodes per row group of meta/episodes. LeRobot has 10; but what the footer will say of every column of every group
stays in memory until the file is closed: 12 kB per episode with groups of ten, a tenth of that with these."""


def parquet_writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """Writes a table into an open file, with the settings of all our files."""
    # Frames in rows are all different: a dictionary of them would only be built and thrown away.
    plain = any(pa.types.is_struct(kind) for kind in schema.types)
    return pq.ParquetWriter(sink, schema, compression="snappy", use_dictionary=not plain)


class TableFile:
    """A Parquet file that grows by row groups."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sink = path.open("wb")
        self._writer = parquet_writer(self._sink, schema)

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


class RecordFile:
    """One table of small records, held back until a row group of `most` is full."""

    def __init__(self, path: Path, schema: pa.Schema, most: int = 1000) -> None:
        self._file = TableFile(path, schema)
        self._path, self._schema, self._most = path, schema, most
        self.held: list[dict[str, Any]] = []

    @property
    def size_bytes(self) -> int:
        """Bytes written so far, without the footer and the records that are held back."""
        return self._file.size_bytes

    def append(self, record: dict[str, Any]) -> None:
        """Add one record."""
        self.held.append(record)
        if len(self.held) >= self._most:
            self._flush()

    def rewrite(self, schema: pa.Schema, change: Callable[[pa.Table], pa.Table]) -> None:
        """Give the file another schema; `change` makes tables of it from those that are there."""
        self.close()
        self._schema, self._file = schema, _rewritten(self._path, schema, change)

    def _flush(self) -> None:
        self._file.write(arrow.table(self.held, self._schema))
        self.held = []

    def close(self) -> None:
        """Write what is held back and close the file, even when writing fails."""
        try:
            if self.held:
                self._flush()
        finally:
            self._file.close()


def _rewritten(path: Path, schema: pa.Schema, change: Callable[[pa.Table], pa.Table]) -> TableFile:
    """The file at `path`, which is closed, as an open one of another schema, with the row groups changed."""
    before = path.rename(path.with_suffix(".before"))
    file = TableFile(path, schema)
    with pq.ParquetFile(before) as source:
        for group in range(source.num_row_groups):
            file.write(change(source.read_row_group(group)))
    before.unlink()
    return file


File = TypeVar("File", TableFile, VideoFile, RecordFile)


class _RollingFiles(Generic[File]):
    """Files of one kind, numbered without gaps; the last one is open."""

    def __init__(self, stage: Path, limits: Limits, first: FileIndex) -> None:
        self._stage, self._limits = stage, limits
        self._file: File | None = None
        self._first = self.file_index = first

    def _roll(self) -> None:
        """Close the file that is open; what follows goes into the next one."""
        self.close()
        self.file_index = self.file_index.next(self._limits)

    def _written(self) -> list[FileIndex]:
        """The files so far, in order."""
        found = [self._first]
        while found[-1] < self.file_index:
            found.append(found[-1].next(self._limits))
        return found

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


class RowFiles(_RollingFiles[TableFile]):
    """data/*: the rows of every episode, each in one file."""

    def __init__(
        self,
        stage: Path,
        schema: pa.Schema,
        limits: Limits,
        first: FileIndex = FileIndex(),
        kind: type[TableFile] = TableFile,
    ) -> None:
        super().__init__(stage, limits, first)
        self._schema, self._kind = schema, kind
        self._rows = self._groups = 0

    def append(self, tables: Iterable[pa.Table], rows: int) -> FileIndex:
        """Add an episode of `rows` rows, each table of it a row group; gives the file that it is in."""
        held = (self._rows, self._groups)
        if self._file and data_is_full(self._file.size_bytes, held, rows, self._limits):
            self._roll()
        if self._file is None:
            self._file = self._kind(self._stage / data_path(self.file_index), self._schema)
            self._rows = self._groups = 0
        for table in tables:
            self._file.write(table)
            self._groups += 1
        self._rows += rows
        return self.file_index

    def paths(self) -> list[Path]:
        """All files so far, in order."""
        return [self._stage / data_path(index) for index in self._written()]

    def rewrite(self, schema: pa.Schema, change: Callable[[pa.Table], pa.Table]) -> None:
        """Give all files another schema; `change` makes row groups of it from those that are there."""
        self._schema = schema
        for path in self.paths():
            self.close()
            self._file = _rewritten(path, schema, change)


class VideoFiles(_RollingFiles[VideoFile]):
    """videos/KEY/*: the frames of one camera."""

    def __init__(self, stage: Path, key: str, fps: int, limits: Limits, *, first: FileIndex = FileIndex()) -> None:
        super().__init__(stage, limits, first)
        self._key, self._fps = key, Fraction(fps)

    def append(self, clip: Clip, packets: Iterable[ClipPacket] | None = None) -> tuple[FileIndex, int]:
        """Add a clip; gives the file that it is in and the number there of the frame of the episode's first row.

        packets: as for `VideoFile.append`.
        """
        if self._file and self._full(self._file, clip):
            self._roll()
        if self._file is None:
            path = self._stage / video_path(self._key, self.file_index)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = VideoFile(path, self._fps)
        return self.file_index, self._file.append(clip, packets)

    def _full(self, file: VideoFile, clip: Clip) -> bool:
        more = (clip.size_bytes, clip.frames)
        return not file.accepts(clip) or video_is_full(file.size_bytes, file.frames, more, self._fps, self._limits)


class EpisodeFiles(_RollingFiles[RecordFile]):
    """meta/episodes/*: one row per episode."""

    def __init__(self, stage: Path, schema: pa.Schema, limits: Limits, first: FileIndex = FileIndex()) -> None:
        super().__init__(stage, limits, first)
        self.schema = schema

    def append(self, row: dict[str, Any]) -> None:
        """Add one row; its own file index is filled in here."""
        if self._file and not self._file.held and episodes_are_full(self._file.size_bytes, self._limits):
            self._roll()
        if self._file is None:
            self._file = RecordFile(self._stage / episodes_path(self.file_index), self.schema, ROW_GROUP)
        own = {"meta/episodes/chunk_index": self.file_index.chunk, "meta/episodes/file_index": self.file_index.file}
        self._file.append(row | own)

    def rewrite(self, schema: pa.Schema, change: Callable[[pa.Table], pa.Table]) -> None:
        """Give all files another schema; `change` makes row groups of it from those that are there."""
        self.schema = schema
        last = self._file
        for index in self._written()[:-1]:
            _rewritten(self._stage / episodes_path(index), schema, change).close()
        if last is not None:
            last.rewrite(schema, change)
