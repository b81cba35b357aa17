"""The rows of a new dataset: those of the inputs, with new numbers, streamed file by file.

Every column is taken as it is but five: `episode_index`, `index` and `task_index` are numbered anew; `frame_index`
and `timestamp` too where an episode was cut. Where all of a row group stays, the others are copied as they are encoded.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, raised_as
from telecine.core.grid import Rows
from telecine.core.label import LANGUAGE
from telecine.core.labels.columns import language_type
from telecine.core.stats import Stats, column_stats
from telecine.dataset.assembly.made_columns import added_columns, derived_arrays, made_column
from telecine.dataset.assembly.row_batches import RowBatch, row_batches
from telecine.dataset.assembly.row_groups import CopiedGroup, RowGroupFile
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.rolling_files import RowFiles
from telecine.dataset.values import to_numpy
from telecine.lerobot_format import schema
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.lerobot_format.paths import FileIndex, Limits

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
    files = RowFiles(folder, columns_there, limits, kind=RowGroupFile)
    file_indexes: list[FileIndex] = []
    written, added = 0, [c.key for c in added_columns(selection) if c.dtype != "language"]
    episode_tasks: list[tuple[str, ...]] = []
    task_stats: list[Stats] = []
    cut_stats: dict[int, Mapping[str, Stats]] = {}
    try:
        for batch in row_batches(selection, columns_there):
            columns = _renumbered(selection, batch, written)
            numbers, used = _task_numbers(selection, batch, tasks)
            columns["task_index"] = numbers
            episode_tasks += used
            task_stats += _stats_of_tasks(numbers, batch.lengths)
            with raised_as(
                DatasetError, f"{_where(selection, batch)}: its columns do not fit", KeyError, pa.ArrowException
            ):
                made = _table(selection, batch, columns, columns_there)
            cut_stats |= _new_stats(selection, batch, made, added)
            file_indexes += _append(files, made, batch.lengths)
            written += sum(batch.lengths)
    finally:
        files.close()
    texts = tuple(tasks.numbers)
    return WrittenRows(
        tuple(files.paths()), tuple(file_indexes), tuple(episode_tasks), texts, tuple(task_stats), cut_stats
    )


def _new_stats(
    selection: Selection, batch: RowBatch, made: pa.Table | CopiedGroup, added: list[str]
) -> dict[int, Mapping[str, Stats]]:
    """New episode -> statistics of its numbers, of those that were cut or got another value."""
    found: dict[int, Mapping[str, Stats]] = {}
    if isinstance(made, CopiedGroup):
        return found
    at = 0
    for number, episode in enumerate(batch.episodes, batch.first):
        own = made.slice(at, episode.length)
        at += episode.length
        if not selection.is_whole(episode) or isinstance(episode.success, bool) or episode.labels:
            found[number] = _stats_of(selection, own)
        elif added:
            found[number] = _stats_of(selection, own.select(added))
    return found


def _stats_of_tasks(numbers: Rows, lengths: Sequence[int]) -> Iterator[Stats]:
    """Statistics of the task_index of each episode, which mostly has one task."""
    firsts = np.cumsum([0, *lengths[:-1]])
    changes = np.minimum.reduceat(numbers, firsts) != np.maximum.reduceat(numbers, firsts)
    for first, length, changed in zip(firsts.tolist(), lengths, changes.tolist(), strict=True):
        yield column_stats(numbers[first : first + length]) if changed else _of_one_task(int(numbers[first]), length)


@lru_cache(maxsize=1000)
def _of_one_task(number: int, count: int) -> Stats:
    return column_stats(np.full(count, number, np.int64))


def _where(selection: Selection, batch: RowBatch) -> str:
    return str(selection.inputs[batch.episodes[0].source[0]].root)


def _renumbered(selection: Selection, batch: RowBatch, rows: int) -> dict[str, Any]:
    """New values by column; for the `rows` rows before, see `WrittenRows`."""
    lengths = np.array(batch.lengths, np.int64)
    columns: dict[str, Any] = {
        "episode_index": np.repeat(np.arange(batch.first, batch.first + len(lengths)), lengths),
        "index": rows + np.arange(int(lengths.sum())),
    }
    if all(selection.is_whole(e) for e in batch.episodes):
        return columns
    frame = np.concatenate([np.arange(n) for n in lengths])
    cut = np.repeat([not selection.is_whole(e) for e in batch.episodes], lengths)
    stored = arrow.to_numpy(batch.rows.column("timestamp").combine_chunks())
    there = arrow.to_numpy(batch.rows.column("frame_index").combine_chunks())
    fps = selection.inputs[0].fps
    columns["frame_index"] = np.where(cut, frame, there)
    columns["timestamp"] = np.where(cut, (frame / fps).astype(stored.dtype), stored)
    return columns


def _task_numbers(selection: Selection, batch: RowBatch, tasks: _Tasks) -> tuple[Rows, list[tuple[str, ...]]]:
    """(new task_index of each row, the task texts of each episode in order of first use)."""
    there = arrow.to_numpy(batch.rows.column("task_index").combine_chunks())
    firsts = np.cumsum([0, *batch.lengths[:-1]])
    lows, highs = np.minimum.reduceat(there, firsts).tolist(), np.maximum.reduceat(there, firsts).tolist()
    numbers = np.empty(len(there), np.int64)
    used: list[tuple[str, ...]] = []
    for episode, first, low, high in zip(batch.episodes, firsts.tolist(), lows, highs, strict=True):
        rows = slice(first, first + episode.length)
        if episode.task is not None:
            numbers[rows] = tasks.number(episode.task)
            used.append((episode.task,))
            continue
        dataset = selection.inputs[episode.source[0]]
        if low < 0 or high >= len(dataset.tasks):
            raise DatasetError(f"{dataset.root}: episode {episode.source[1]} has task_index {high}, no such task")
        if low == high:
            text = selection.tasks.get(dataset.tasks[low], dataset.tasks[low])
            numbers[rows] = tasks.number(text)
            used.append((text,))
            continue
        found, where, inverse = np.unique(there[rows], return_index=True, return_inverse=True)
        texts = [selection.tasks.get(dataset.tasks[i], dataset.tasks[i]) for i in found.tolist()]
        new = np.empty(len(found), np.int64)
        for position in np.argsort(where):
            new[position] = tasks.number(texts[position])
        numbers[rows] = new[inverse]
        used.append(tuple(dict.fromkeys(texts[i] for i in np.argsort(where))))
    return numbers, used


def _table(selection: Selection, batch: RowBatch, columns: dict[str, Any], schema: pa.Schema) -> pa.Table | CopiedGroup:
    """The batch in the columns of the new dataset."""
    old = {new: key for key, new in selection.keys[batch.episodes[0].source[0]].items()}
    table = batch.rows
    arrays = {}
    derived = {} if batch.group is not None else derived_arrays(selection, batch.episodes, table)
    for field in schema:
        if field.name in columns:
            arrays[field.name] = arrow.numbers(np.asarray(columns[field.name])).cast(field.type)
        elif batch.group is not None:
            continue
        elif field.name in derived:
            arrays[field.name] = derived[field.name].cast(field.type)
        elif (made := made_column(selection, batch.episodes, table, field.name)) is not None:
            arrays[field.name] = made.cast(field.type)
        else:
            arrays[field.name] = table.column(old.get(field.name, field.name)).cast(field.type)
    rows = pa.table(list(arrays.values()), schema=pa.schema([schema.field(name) for name in arrays], schema.metadata))
    if batch.group is None:
        return rows
    return CopiedGroup(*batch.group, {name: old.get(name, name) for name in schema.names}, rows)


def _stats_of(selection: Selection, rows: pa.Table) -> dict[str, Stats]:
    """Statistics of the numbers of some rows, by key; of the columns that can have some."""
    features = {column.key: column for column in schema.INDEX_COLUMNS[:2]}  # the others move in every episode
    for dataset, keys in zip(selection.inputs, selection.keys, strict=True):
        features |= {keys[c.key]: c for c in dataset.features if c.key in keys}
    features |= {column.key: column for column in added_columns(selection)}
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
        name = keys.get(field.name, field.name)
        fields.append(pa.field(name, language_type(name) if name in LANGUAGE else kind, metadata=field.metadata))
    added = added_columns(selection)
    fields += [pa.field(column.key, schema.arrow_type(column)) for column in added]
    return pa.schema(fields, _metadata(there.metadata or {}, keys, known, added))


def _metadata(
    there: Mapping[bytes, bytes], keys: Mapping[str, str], known: set[str], added: Sequence[FeatureColumn]
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
        body["info"]["features"] |= {column.key: schema.hugging_face_entry(column) for column in added}
        made[b"huggingface"] = json.dumps(body).encode()
    except (KeyError, TypeError, ValueError):
        made.pop(b"huggingface", None)  # it would name other columns than there are
    made.pop(b"pandas", None)
    return made


def _append(files: RowFiles, made: pa.Table | CopiedGroup, lengths: Sequence[int]) -> Iterator[FileIndex]:
    """Add episodes of so many rows each, several to a row group; in which file each of them is."""
    at = 0
    for group in [list(lengths)] if isinstance(made, CopiedGroup) else _groups(lengths):
        count = sum(group)
        own = made if isinstance(made, CopiedGroup) else made.slice(at, count)
        yield from [files.append([own], count)] * len(group)
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
