"""The rows that can still be read, episode by episode, whatever their files and indices look like.

A file without footer is recovered first (`parquet_pages.py`). `episode_index` is whose a row is, `frame_index` which
of its rows; rows after a hole are lost, because nothing could stand there.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
_HELD_BYTES = 32 << 20
"""Of row groups that stay in memory; one that is larger stays alone."""
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
    """Rows [start, stop) of a row group of a file, or of these only `rows`, where others lie between them."""

    file: int
    group: int
    start: int
    stop: int
    rows: Ints | None = field(default=None, compare=False)

    @property
    def count(self) -> int:
        """How many rows."""
        return self.stop - self.start if self.rows is None else self.rows.size


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
        return sum(part.count for part in self.parts) > self.count


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
    """The episodes, by index; each index once, wherever its rows lie."""
    found: dict[int, _Found] = {}
    for number, file in enumerate(files):
        _gather(number, file, found, log)
    runs = []
    for episode in sorted(found):
        own = found.pop(episode)
        where, parts, indices = f"{own.first.name} episode {episode}", own.first.parts, _joined(own.first.own)
        if own.more.count:
            more = _joined(own.more.own) if own.first.count + own.more.count <= MOST_ROWS else None
            frames = None if more is None else np.concatenate([indices["frame_index"], more["frame_index"]])
            if more is not None and frames is not None and np.unique(frames).size == frames.size:
                log.changed(where, "its rows lay in several places; they are put together by frame_index")
                indices = {key: _compact([values, more[key]]) for key, values in indices.items()}
                parts = [*parts, *own.more.parts]
            else:  # two takes, or an episode twice: nothing tells whose a later row is
                rows = counted(own.more.count, "row repeats", "rows repeat")
                log.lost(f"{own.more.name} episode {episode}", f"{rows} an episode that is there already")
        run = _usable(episode, parts, indices, where, log)
        if run is not None:
            runs.append(run)
    return runs


def _gather(number: int, file: RowFile, found: dict[int, "_Found"], log: RepairLog) -> None:
    """Add the rows of a file to those found of their episodes; of too many that follow each other only their count."""
    missing = [name for name in _INDICES[:2] if name not in file.schema.names]
    if missing:
        log.lost(file.name, f"has no column {', '.join(missing)}, so nothing tells which rows belong together")
        return
    last: int | None = None
    for group, indices in _groups(file, log):
        episodes = indices.pop("episode_index")
        order = np.argsort(episodes, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(episodes[order])) + 1) if order.size else ():
            episode = int(episodes[rows[0]])
            is_first = episode not in found or (episode == last and rows[0] == 0 and not found[episode].more.count)
            own = found.setdefault(episode, _Found(_Run(file.name), _Run(file.name)))
            gaps = np.flatnonzero(np.diff(rows) != 1)
            lead = 0 if not is_first else int(gaps[0]) + 1 if gaps.size else rows.size
            own.first.add(number, group, rows[:lead], indices)
            if lead < rows.size:
                own.more.name = own.more.name if own.more.count else file.name
                own.more.add(number, group, rows[lead:], indices)
        last = int(episodes[-1]) if order.size else last
    for episode in [episode for episode, own in found.items() if own.first.count > MOST_ROWS]:
        own = found.pop(episode)
        log.lost(f"{file.name} episode {episode}", _too_many(own.first.count + own.more.count))


@dataclass(slots=True)
class _Run:
    """Rows of one episode. Of too many only the count is kept."""

    name: str
    count: int = 0
    parts: list[RowRange] = field(default_factory=list)
    own: list[dict[str, Any]] = field(default_factory=list)

    def add(self, file: int, group: int, rows: Ints, indices: Mapping[str, Any]) -> None:
        self.count += rows.size
        if self.count > MOST_ROWS:
            self.parts.clear()
            self.own.clear()
        elif rows.size:
            start, stop = int(rows[0]), int(rows[-1]) + 1
            is_one = stop - start == rows.size
            places = slice(start, stop) if is_one else rows
            self.parts.append(RowRange(file, group, start, stop, None if is_one else rows.copy()))
            self.own.append({key: _compact([values[places]]) for key, values in indices.items()})


@dataclass(frozen=True, slots=True)
class _Found:
    """Of an episode: the first rows that follow each other in one file, and all others."""

    first: _Run
    more: _Run


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
    episode: int, parts: list[RowRange], indices: Mapping[str, Any], where: str, log: RepairLog
) -> EpisodeRows | None:
    """The rows up to the first hole."""
    frames, order = indices["frame_index"], None
    if np.any(frames[1:] < frames[:-1]) and np.unique(frames).size == frames.size:
        order = np.argsort(frames, kind="stable")
        indices, frames = {key: values[order] for key, values in indices.items()}, frames[order]
        log.changed(where, "its rows were not in the order of frame_index; sorted by it")
    if _counts_from_elsewhere(frames, indices["timestamp"]):
        log.changed(where, f"frame_index began at {frames[0]}, its time at 0; it begins at 0")
        frames = frames - frames[0]
    right = frames == np.arange(len(frames))
    count = len(frames) if right.all() else int(np.argmin(right))
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
    """Reads the rows of runs; the last row groups are kept, since several episodes may share them."""

    def __init__(self, files: Sequence[RowFile]) -> None:
        self._files = files
        self._held: dict[tuple[int, int, tuple[str, ...]], pa.Table] = {}

    def table(self, run: EpisodeRows, columns: Sequence[str]) -> pa.Table:
        """(count rows) of the columns, with their types as stored.

        Raises: DatasetError when they are damaged.
        """
        parts = []
        for part in run.parts:
            table = self._group(part.file, part.group, tuple(columns))
            own = table.slice(part.start, part.count) if part.rows is None else table.take(pa.array(part.rows))
            parts.append(own)
        try:
            table = pa.concat_tables(parts, promote_options="permissive")
            return (table if run.order is None else table.take(pa.array(run.order))).slice(0, run.count)
        except pa.ArrowException as error:
            raise DatasetError(f"episode {run.episode}: its rows have different types: {error}") from error

    def _group(self, file: int, group: int, columns: tuple[str, ...]) -> pa.Table:
        wanted = (file, group, columns)
        if wanted not in self._held:
            claimed = self._files[file]
            try:
                with pq.ParquetFile(claimed.path) as opened:
                    table = opened.read_row_group(group, list(columns), use_threads=False)
                    table.validate(full=True)
            except UNREADABLE as error:
                raise DatasetError(f"{claimed.name} row group {group}: {str(error).splitlines()[0]}") from error
            while self._held and table.nbytes + sum(other.nbytes for other in self._held.values()) > _HELD_BYTES:
                self._held.pop(next(iter(self._held)))
            self._held[wanted] = table.replace_schema_metadata(None)
        return self._held[wanted]
