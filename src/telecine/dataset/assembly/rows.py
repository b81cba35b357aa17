"""The rows of a new dataset: those of the inputs, with new numbers, streamed file by file.

Every column is taken as it is but five: `episode_index`, `index` and `task_index` are numbered anew; `frame_index`
and `timestamp` too where an episode was cut.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.edit.resolve import OutputEpisode
from telecine.core.errors import DatasetError, raised_as
from telecine.core.grid import Rows
from telecine.core.outcome import SUCCESS
from telecine.core.stats import Stats, column_stats
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.rolling_files import RowFiles
from telecine.dataset.values import to_numpy, unwrap_extensions
from telecine.lerobot_format import schema
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.lerobot_format.paths import FileIndex, Limits, data_path

BATCH_BYTES = 24 << 20
"""Of columns, read and written at a time; at least one episode."""
GROUP_ROWS = 1 << 14
"""Rows of a row group, at least; an episode is never divided."""


@dataclass(frozen=True, eq=False, slots=True)
class WrittenRows:
    """What became of the rows. All lists have one entry per new episode."""

    files: tuple[Path, ...]
    file_indexes: tuple[FileIndex, ...]
    tasks: tuple[tuple[str, ...], ...]
    """Of each episode, in order of first use."""
    texts: tuple[str, ...]
    """Of the dataset, by task_index."""
    task_stats: tuple[Stats, ...]
    cut_stats: Mapping[int, Mapping[str, Stats]]
    """New episode -> statistics of its numbers, for episodes that were cut or got another value in a column."""


class _Tasks:
    """Numbers task texts by first use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def write_rows(selection: Selection, folder: Path, limits: Limits) -> WrittenRows:
    """The rows of all new episodes as data/* below `folder`. Raises: DatasetError; OSError when the disk refuses."""
    columns_there = _schema(selection)
    tasks = _Tasks()
    files = RowFiles(folder, columns_there, limits)
    file_indexes: list[FileIndex] = []
    written, adds_success = 0, selection.adds_success
    episode_tasks: list[tuple[str, ...]] = []
    task_stats: list[Stats] = []
    cut_stats: dict[int, Mapping[str, Stats]] = {}
    try:
        for first, episodes, table in _batches(selection):
            columns = _renumbered(selection, episodes, table, first, written)
            numbers, used = _task_numbers(selection, episodes, table, tasks)
            columns["task_index"] = numbers
            with raised_as(
                DatasetError, f"{_where(selection, episodes)}: its columns do not fit", KeyError, pa.ArrowException
            ):
                made = _table(selection, episodes, table, columns, columns_there)
            bounds = np.append(0, np.cumsum([e.length for e in episodes]))
            for number, episode in enumerate(episodes):
                rows = slice(int(bounds[number]), int(bounds[number + 1]))
                task_stats.append(_stats_of_tasks(numbers[rows]))
                own = made.slice(rows.start, rows.stop - rows.start)
                if not selection.is_whole(episode) or isinstance(episode.success, bool):
                    cut_stats[first + number] = _stats_of(selection, own)
                elif adds_success:
                    cut_stats[first + number] = _stats_of(selection, own.select([SUCCESS.key]))
            episode_tasks += used
            file_indexes += _append(files, made, [e.length for e in episodes])
            written += made.num_rows
    finally:
        files.close()
    texts = tuple(tasks.numbers)
    return WrittenRows(
        tuple(files.paths()), tuple(file_indexes), tuple(episode_tasks), texts, tuple(task_stats), cut_stats
    )


def _stats_of_tasks(numbers: Rows) -> Stats:
    """Statistics of the task_index of an episode, which mostly has one task."""
    return column_stats(numbers) if numbers.min() != numbers.max() else _of_one_task(int(numbers[0]), len(numbers))


@lru_cache(maxsize=1000)
def _of_one_task(number: int, count: int) -> Stats:
    return column_stats(np.full(count, number, np.int64))


def _where(selection: Selection, episodes: Sequence[OutputEpisode]) -> str:
    return str(selection.inputs[episodes[0].source[0]].root)


def _batches(selection: Selection) -> Iterator[tuple[int, Sequence[OutputEpisode], pa.Table]]:
    """(number of the first, episodes, their rows one after the other), each batch out of one file."""

    def file_of(numbered: tuple[int, OutputEpisode]) -> tuple[int, FileIndex]:
        return numbered[1].source[0], selection.facts(numbered[1]).data

    for (number, file_index), group in groupby(enumerate(selection.episodes), file_of):
        dataset = selection.inputs[number]
        path = dataset.root / data_path(file_index)
        with (
            raised_as(DatasetError, f"{path}: cannot be read", OSError, pa.ArrowException),
            pq.ParquetFile(path, pre_buffer=False) as file,
        ):
            missing = set(INDEX_KEYS) - set(file.schema_arrow.names)
            if missing:
                raise DatasetError(f"{path}: has no column {', '.join(sorted(missing))}")
            for part in _parts(list(group), file):
                yield part[0][0], [e for _, e in part], _read(selection, part, file)


def _parts(
    episodes: list[tuple[int, OutputEpisode]], file: pq.ParquetFile
) -> Iterator[list[tuple[int, OutputEpisode]]]:
    """The episodes in batches of bounded size."""
    metadata = file.metadata
    row_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)) / max(
        metadata.num_rows, 1
    )
    most = max(int(BATCH_BYTES / max(row_bytes, 1.0)), 1)
    part: list[tuple[int, OutputEpisode]] = []
    rows = 0
    for entry in episodes:
        if part and rows + entry[1].length > most:
            yield part
            part, rows = [], 0
        part.append(entry)
        rows += entry[1].length
    yield part


def _read(selection: Selection, part: list[tuple[int, OutputEpisode]], file: pq.ParquetFile) -> pa.Table:
    """The rows of a batch: only row groups that hold some of them are read."""
    spans = []
    for _, episode in part:
        first = selection.facts(episode).start
        spans.append((first + episode.start, first + episode.stop))
    bounds = np.append(0, np.cumsum([file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]))
    if max(stop for _, stop in spans) > bounds[-1]:
        raise DatasetError(f"holds {bounds[-1]} rows, metadata says at least {max(stop for _, stop in spans)}")
    firsts = np.searchsorted(bounds, [first for first, _ in spans], side="right") - 1
    stops = np.searchsorted(bounds, [stop for _, stop in spans])
    groups = sorted({g for first, stop in zip(firsts, stops, strict=True) for g in range(first, stop)})
    table = unwrap_extensions(file.read_row_groups(groups, use_threads=False))
    offsets = {g: int(o) for g, o in zip(groups, np.append(0, np.cumsum(np.diff(bounds)[groups])), strict=False)}
    slices = []
    for first, stop in _merged(spans):
        group = int(np.searchsorted(bounds, first, side="right")) - 1
        slices.append(table.slice(offsets[group] + first - int(bounds[group]), stop - first))
    return pa.concat_tables(slices) if len(slices) > 1 else slices[0]


def _merged(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that follow one another without a gap as one."""
    first, stop = spans[0]
    for one, other in spans[1:]:
        if one != stop:
            yield first, stop
            first = one
        stop = other
    yield first, stop


def _renumbered(
    selection: Selection, episodes: Sequence[OutputEpisode], table: pa.Table, first: int, rows: int
) -> dict[str, Any]:
    lengths = np.array([e.length for e in episodes], np.int64)
    columns: dict[str, Any] = {
        "episode_index": np.repeat(np.arange(first, first + len(episodes)), lengths),
        "index": rows + np.arange(int(lengths.sum())),
    }
    if all(selection.is_whole(e) for e in episodes):
        return columns
    frame = np.concatenate([np.arange(n) for n in lengths])
    cut = np.repeat([not selection.is_whole(e) for e in episodes], lengths)
    stored = arrow.to_numpy(table.column("timestamp").combine_chunks())
    there = arrow.to_numpy(table.column("frame_index").combine_chunks())
    fps = selection.inputs[0].fps
    columns["frame_index"] = np.where(cut, frame, there)
    columns["timestamp"] = np.where(cut, (frame / fps).astype(stored.dtype), stored)
    return columns


def _task_numbers(
    selection: Selection, episodes: Sequence[OutputEpisode], table: pa.Table, tasks: _Tasks
) -> tuple[Rows, list[tuple[str, ...]]]:
    """(new task_index of each row, the task texts of each episode in order of first use)."""
    there = arrow.to_numpy(table.column("task_index").combine_chunks())
    numbers = np.empty(len(there), np.int64)
    used: list[tuple[str, ...]] = []
    at = 0
    for episode in episodes:
        rows = slice(at, at + episode.length)
        at += episode.length
        if episode.task is not None:
            numbers[rows] = tasks.number(episode.task)
            used.append((episode.task,))
            continue
        dataset = selection.inputs[episode.source[0]]
        found, where, inverse = np.unique(there[rows], return_index=True, return_inverse=True)
        if found[0] < 0 or found[-1] >= len(dataset.tasks):
            raise DatasetError(f"{dataset.root}: episode {episode.source[1]} has task_index {found[-1]}, no such task")
        texts = [selection.tasks.get(dataset.tasks[i], dataset.tasks[i]) for i in found]
        new = np.empty(len(found), np.int64)
        for position in np.argsort(where):
            new[position] = tasks.number(texts[position])
        numbers[rows] = new[inverse]
        used.append(tuple(dict.fromkeys(texts[i] for i in np.argsort(where))))
    return numbers, used


def _table(
    selection: Selection, episodes: Sequence[OutputEpisode], table: pa.Table, columns: dict[str, Any], schema: pa.Schema
) -> pa.Table:
    """The batch in the columns of the new dataset."""
    number = episodes[0].source[0]
    old = {new: key for key, new in selection.keys[number].items()}
    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(arrow.numbers(np.asarray(columns[field.name])).cast(field.type))
        elif field.name == SUCCESS.key and any(isinstance(e.success, bool) for e in episodes):
            there = old.get(SUCCESS.key)
            arrays.append(_success(episodes, table.column(there) if there in table.column_names else None))
        else:
            arrays.append(table.column(old.get(field.name, field.name)).cast(field.type))
    return pa.table(arrays, schema=schema)


def _success(episodes: Sequence[OutputEpisode], there: pa.ChunkedArray | None) -> pa.Array:
    """`next.success` of each row: as the edit sets it, else what was there."""
    lengths = [e.length for e in episodes]
    said = np.repeat([e.success is True for e in episodes], lengths)
    if there is None:
        return pa.array(said)
    known = np.repeat([isinstance(e.success, bool) for e in episodes], lengths)
    return pa.array(np.where(known, said, there.to_numpy()))


def _stats_of(selection: Selection, rows: pa.Table) -> dict[str, Stats]:
    """Statistics of the numbers of some rows, by key; of the columns that can have some."""
    features = {column.key: column for column in schema.INDEX_COLUMNS[:2]}  # the others move in every episode
    for dataset, keys in zip(selection.inputs, selection.keys, strict=True):
        features |= {keys[c.key]: c for c in dataset.features if c.key in keys}
    features.setdefault(SUCCESS.key, SUCCESS)
    found = {}
    for key, column in features.items():
        if column.dtype not in schema.LEAVES or column.dtype == "string" or key not in rows.column_names:
            continue
        try:
            found[key] = column_stats(to_numpy(rows.column(key), column))
        except ValueError:  # not a number after all: lists of any length
            continue
    return found


def _schema(selection: Selection) -> pa.Schema:
    """The columns of the first input, with the names and without the features of the selection."""
    dataset, keys = selection.inputs[0], selection.keys[0]
    path = next(iter(sorted((dataset.root / "data").glob("*/*.parquet"))), None)
    if path is None:
        raise DatasetError(f"{dataset.root}: holds no rows")
    with raised_as(DatasetError, f"{path}: cannot be read", OSError, pa.ArrowException):
        there = pq.read_schema(path)
    known = {column.key for column in dataset.features}
    fields = []
    for field in there:
        foreign = field.name not in known and len(selection.inputs) > 1
        if foreign or field.name in known - set(keys) - set(INDEX_KEYS):
            continue
        kind = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
        fields.append(pa.field(keys.get(field.name, field.name), kind, metadata=field.metadata))
    if selection.adds_success:
        fields.append(pa.field(SUCCESS.key, pa.bool_()))
    return pa.schema(fields, _metadata(there.metadata or {}, keys, known, adds_success=selection.adds_success))


def _metadata(
    there: Mapping[bytes, bytes], keys: Mapping[str, str], known: set[str], *, adds_success: bool
) -> dict[bytes, bytes]:
    """The schema's metadata, with the features that Hugging Face `datasets` reads in it renamed alike."""
    made = dict(there)
    try:
        body = json.loads(made[b"huggingface"])
        features = body["info"]["features"]
        body["info"]["features"] = {
            keys.get(key, key): entry
            for key, entry in features.items()
            if key not in known - set(keys) - set(INDEX_KEYS)
        }
        if adds_success:
            body["info"]["features"][SUCCESS.key] = {"dtype": "bool", "_type": "Value"}
        made[b"huggingface"] = json.dumps(body).encode()
    except (KeyError, TypeError, ValueError):
        made.pop(b"huggingface", None)  # it would name other columns than there are
    made.pop(b"pandas", None)
    return made


def _append(files: RowFiles, table: pa.Table, lengths: Sequence[int]) -> Iterator[FileIndex]:
    """Add episodes of so many rows each, several to a row group; in which file each of them is."""
    at = 0
    for group in _groups(lengths):
        count = sum(group)
        file_index = files.append(iter((table.slice(at, count),)), count)
        yield from [file_index] * len(group)
        at += count


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for length in lengths:
        group.append(length)
        if sum(group) >= GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group
