"""The rows that can still be read, episode by episode, whatever their files and indices look like.

A file without footer is recovered first (`parquet_pages.py`). `episode_index` is whose a row is, `frame_index` which
of its rows; rows after a hole are lost, because nothing could stand there.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.errors import DatasetError, disk_problem
from telecine.core.text.numbers import counted
from telecine.core.video import FrameFormat
from telecine.dataset.verify.reading import UNREADABLE
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.schema import INDEX_COLUMNS, LEAVES, CameraSpec, Features, data_schema
from telecine.recovery.columns import declared_columns
from telecine.recovery.null_indices import NOWHERE, placed, plain
from telecine.recovery.parquet_pages import recover
from telecine.recovery.repair_log import RepairLog

Ints = npt.NDArray[np.int64]
MOST_ROWS = 1 << 20
"""Of an episode, and of a row group: both are held as a whole. At 30 rows a second that is 9 hours."""
NO_TASK = -(1 << 62)
"""In place of a task_index that is null: nobody's number."""
_INDICES = ("episode_index", "frame_index", "task_index", "timestamp")


@dataclass(frozen=True, slots=True)
class RowFile:
    """A Parquet file that can be read: `path` is a recovered copy where `name`, in the dataset, could not be."""

    name: str
    path: Path
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows [start, stop) of a row group of a file."""

    file: int
    group: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False, slots=True)
class EpisodeRows:
    """The rows of one episode.

    count: rows that can be used. tasks: (count,) task_index, `NO_TASK` for null. seconds: (count,) timestamps.
    """

    episode: int
    parts: tuple[RowRange, ...]
    count: int
    tasks: Ints
    seconds: npt.NDArray[np.float64]
    order: Ints | None = None
    """(n,) positions of the rows, in the order of their frame_index, where they lie in another."""

    @property
    def is_cut(self) -> bool:
        """Whether rows behind a hole are known to be lost."""
        return sum(part.stop - part.start for part in self.parts) > self.count


def open_files(metadata: DatasetMeta, scratch: Path, log: RepairLog) -> list[RowFile]:
    """All files of rows that can be read, in order; recovered copies are in `scratch`."""
    root = metadata.root
    names = sorted(path.relative_to(root).as_posix() for path in (root / "data").rglob("*.parquet"))
    opened: dict[str, RowFile] = {}
    broken: dict[str, str] = {}
    for name in names:
        try:
            with pq.ParquetFile(root / name) as file:
                opened[name] = RowFile(name, root / name, file.schema_arrow)
        except UNREADABLE as error:
            broken[name] = str(error).splitlines()[0]
    sound = next(iter(opened.values())).schema if opened else None
    for number, (name, problem) in enumerate(broken.items()):
        target = scratch / f"rows-{number:06d}.parquet"
        try:
            found = _recover(root / name, metadata, sound, target)
            with pq.ParquetFile(target) as file:
                opened[name] = RowFile(name, target, file.schema_arrow)
        except (DatasetError, *UNREADABLE) as error:
            if disk_problem(error, str(scratch)):
                raise
            log.lost(name, f"cannot be read ({problem}) and not be recovered: {error}")
            continue
        message = (
            f"has no footer: its writer was never closed. {counted(found.rows, 'row')} in "
            f"{counted(found.groups, 'whole row group')}"
        )
        log.recovered(name, f"{message}; not usable: {counted(found.lost_bytes, 'byte')} after that")
    return [opened[name] for name in names if name in opened]


def _recover(path: Path, metadata: DatasetMeta, sound: pa.Schema | None, target: Path) -> Any:
    """Recover with the schema of a sound file of the dataset, else with the one LeRobot gives such features."""
    columns = declared_columns(metadata.features.values())
    per_row = {column.key: math.prod(column.shape) for column in (*columns, *INDEX_COLUMNS)}
    images = [key for key, feature in metadata.features.items() if feature.dtype == "image"]
    per_row |= dict.fromkeys(images, 1)
    if sound is not None and set(sound.names) <= set(per_row):
        return recover(path, sound, per_row, target)
    if any(column.dtype not in LEAVES for column in columns):
        odd = next(column for column in columns if column.dtype not in LEAVES)
        raise DatasetError(f"{path}: rows of {odd.key} ({odd.dtype}) have no fixed number of values")
    cameras = tuple(CameraSpec(key, FrameFormat("png", 0, 0, "rgb24")) for key in images)
    schema = data_schema(Features(columns, cameras))
    order = [key for key in metadata.features if key in schema.names]
    return recover(path, pa.schema([schema.field(key) for key in order], schema.metadata), per_row, target)


def find_runs(files: Sequence[RowFile], log: RepairLog) -> list[EpisodeRows]:
    """The episodes, by index; each index once."""
    runs: dict[int, EpisodeRows] = {}
    for file_number, file in enumerate(files):
        for episode, parts, indices in _runs_of(file_number, file, log):
            if episode in runs:
                where = f"{file.name} episode {episode}"
                log.lost(
                    where,
                    f"{counted(len(indices['frame_index']), 'row repeats', 'rows repeat')} an episode that is "
                    "there already",
                )
                continue
            run = _usable(episode, parts, indices, file.name, log)
            if run is not None:
                runs[episode] = run
    return [runs[episode] for episode in sorted(runs)]


def _runs_of(number: int, file: RowFile, log: RepairLog) -> Iterator[tuple[int, list[RowRange], dict[str, Any]]]:
    """Consecutive rows with one episode_index: (index, where they are, their index columns)."""
    missing = [name for name in _INDICES[:2] if name not in file.schema.names]
    if missing:
        log.lost(file.name, f"has no column {', '.join(missing)}, so nothing tells which rows belong together")
        return
    current: _Run | None = None
    for group, indices in _groups(file, log):
        episodes = indices["episode_index"]
        cuts = [0, *(np.flatnonzero(np.diff(episodes)) + 1).tolist(), len(episodes)]
        for start, stop in pairwise(cuts):
            if start == stop:
                continue
            own = {key: values[start:stop] for key, values in indices.items() if key != "episode_index"}
            part = RowRange(number, group, start, stop)
            if current is None or current.episode != episodes[start]:
                yield from _whole(current, file, log)
                current = _Run(int(episodes[start]))
            current.add(part, own)
    yield from _whole(current, file, log)


@dataclass(slots=True)
class _Run:
    """Rows of one episode that follow each other. Of too many only the count is kept."""

    episode: int
    count: int = 0
    parts: list[RowRange] = field(default_factory=list)
    own: list[dict[str, Any]] = field(default_factory=list)

    def add(self, part: RowRange, own: dict[str, Any]) -> None:
        self.count += part.stop - part.start
        if self.count > MOST_ROWS:
            self.parts.clear()
            self.own.clear()
        else:
            self.parts.append(part)
            self.own.append(own)


def _whole(run: _Run | None, file: RowFile, log: RepairLog) -> Iterator[tuple[int, list[RowRange], dict[str, Any]]]:
    """A run as `_runs_of` gives it; nothing for one that is too long, which is named."""
    if run is not None and run.count > MOST_ROWS:
        log.lost(f"{file.name} episode {run.episode}", _too_many(run.count))
    elif run is not None:
        yield run.episode, run.parts, _joined(run.own)


def _too_many(rows: int) -> str:
    return f"{counted(rows, 'row')}; more than {MOST_ROWS} together are taken for damage"


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One array of each key; `parts` are emptied on the way, so that never all is there twice."""
    return {key: _compact([part.pop(key) for part in parts]) for key in list(parts[0])}


def _compact(parts: list[Any]) -> Any:
    """One array of several; of one number that is always the same, as a task's is, it holds a single copy."""
    first = parts[0][:1]
    if all((part == first).all() for part in parts):
        return np.broadcast_to(first.copy(), sum(len(part) for part in parts))
    return np.concatenate(parts)


def _groups(file: RowFile, log: RepairLog) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, index columns) of every row group that can be read."""
    names = [name for name in _INDICES if name in file.schema.names]
    with pq.ParquetFile(file.path) as opened:
        for group in range(opened.num_row_groups):
            rows = opened.metadata.row_group(group).num_rows
            if rows > MOST_ROWS:
                log.lost(f"{file.name} row group {group}", _too_many(rows))
                continue
            try:
                table = opened.read_row_group(group, names, use_threads=False)
                table.validate(full=True)
                indices, told = placed({name: table.column(name) for name in names if name != "task_index"})
                if "task_index" in names:
                    indices["task_index"] = _tasks(table.column("task_index"))
            except (*UNREADABLE, ValueError) as error:
                log.lost(f"{file.name} row group {group}", f"{counted(rows, 'row')}: {str(error).splitlines()[0]}")
                continue
            if told:
                log.recovered(f"{file.name} row group {group}", told)
            count = table.num_rows
            indices.setdefault("task_index", np.zeros(count, np.int64))
            indices.setdefault("timestamp", np.zeros(count))
            yield group, indices


def _tasks(column: pa.ChunkedArray) -> Ints:
    """(n,) task_index, `NO_TASK` where there is none. Raises: ValueError for anything but numbers."""
    if pa.types.is_floating(column.type):  # pandas makes that of whole numbers with nulls
        numbers = plain(column.fill_null(np.nan))
        is_whole = np.isfinite(numbers) & (np.abs(numbers) < -NO_TASK)
        return np.where(is_whole, numbers, NO_TASK).astype(np.int64)
    known = pa.types.is_integer(column.type) or pa.types.is_null(column.type)
    found: Ints = plain(column.cast(pa.int64()).fill_null(NO_TASK) if known else column)
    return found


def _usable(
    episode: int, parts: list[RowRange], indices: Mapping[str, Any], name: str, log: RepairLog
) -> EpisodeRows | None:
    """The rows up to the first hole."""
    frames, order = indices["frame_index"], None
    if np.any(frames[1:] < frames[:-1]) and np.unique(frames).size == frames.size:
        order = np.argsort(frames, kind="stable")
        indices, frames = {key: values[order] for key, values in indices.items()}, frames[order]
        log.changed(f"{name} episode {episode}", "its rows were not in the order of frame_index; sorted by it")
    if _counts_from_elsewhere(frames, indices["timestamp"]):
        log.changed(f"{name} episode {episode}", f"frame_index began at {frames[0]}, its time at 0; it begins at 0")
        frames = frames - frames[0]
    right = frames == np.arange(len(frames))
    count = len(frames) if right.all() else int(np.argmin(right))
    where = f"{name} episode {episode}"
    if episode < 0:
        log.lost(where, f"{counted(len(frames), 'row')}: {episode} is no episode")
        return None
    if count < len(frames):
        number = "null" if frames[count] == NOWHERE else f"row {frames[count]}"
        found = f"row {count} says it is {number}"
        log.lost(
            where, f"{len(frames) - count} of {counted(len(frames), 'row')}: {found}, so rows before it are missing"
        )
    if not count:
        return None
    return EpisodeRows(episode, tuple(parts), count, indices["task_index"][:count], indices["timestamp"][:count], order)


def _counts_from_elsewhere(frames: Ints, seconds: npt.NDArray[np.float64]) -> bool:
    """Whether rows whose time begins at 0 only count from another number: none is missing before them."""
    return bool(frames.size and frames[0] > 0 and seconds[0] == 0 < seconds[-1] and np.all(np.diff(frames) == 1))


class RowReader:
    """Reads the rows of runs; the last row group is kept, since several episodes may share one."""

    def __init__(self, files: Sequence[RowFile]) -> None:
        self._files = files
        self._held: tuple[tuple[int, int, tuple[str, ...]], pa.Table] | None = None

    def table(self, run: EpisodeRows, columns: Sequence[str]) -> pa.Table:
        """(count rows) of the columns, with their types as stored.

        Raises: DatasetError when they are damaged.
        """
        parts = []
        for part in run.parts:
            table = self._group(part.file, part.group, tuple(columns))
            parts.append(table.slice(part.start, part.stop - part.start))
        try:
            table = pa.concat_tables(parts, promote_options="permissive")
            return (table if run.order is None else table.take(pa.array(run.order))).slice(0, run.count)
        except pa.ArrowException as error:
            raise DatasetError(f"episode {run.episode}: its rows have different types: {error}") from error

    def _group(self, file: int, group: int, columns: tuple[str, ...]) -> pa.Table:
        if self._held is None or self._held[0] != (file, group, columns):
            claimed = self._files[file]
            try:
                with pq.ParquetFile(claimed.path) as opened:
                    table = opened.read_row_group(group, list(columns), use_threads=False)
                    table.validate(full=True)
            except UNREADABLE as error:
                raise DatasetError(f"{claimed.name} row group {group}: {str(error).splitlines()[0]}") from error
            self._held = ((file, group, columns), table.replace_schema_metadata(None))
        return self._held[1]
