"""The rows of a part of a dataset as rows of the whole: numbered anew, everything else as it is, a file at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.errors import DatasetError, raised_as
from telecine.core.labels.columns import LABEL_COLUMNS, label_array
from telecine.core.outcome import SUCCESS
from telecine.core.stats import Stats, column_stats
from telecine.dataset.assembly.row_batches import BATCH_BYTES
from telecine.dataset.assembly.rows import GROUP_ROWS
from telecine.dataset.rolling_files import TableFile
from telecine.dataset.values import unwrap_extensions

LATE_COLUMNS = {SUCCESS.key: SUCCESS, **LABEL_COLUMNS}
"""Columns that a dataset gets with the first episode that needs them; all others have zeros, or no label, there."""
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class ShardRows:
    """A file of rows of a part, and what its rows are in the whole. tasks: task_index there -> here, (n,) int64."""

    source: str
    target: str
    schema: pa.Schema
    tasks: Numbers
    first_episode: int
    first_row: int


@dataclass(frozen=True, eq=False, slots=True)
class RenumberedRows:
    """What was written. task_stats: of episodes that have several tasks, by their index in the whole."""

    rows: int
    task_stats: Mapping[int, Stats]


def renumber(item: ShardRows) -> RenumberedRows:
    """Write the file anew. Raises: DatasetError when it cannot be read or its columns do not fit; OSError."""
    episodes, tasks, rows = [], [], 0
    causes = (pa.ArrowException, KeyError, IndexError)
    with raised_as(DatasetError, f"{item.source}: cannot be read", *causes), pq.ParquetFile(item.source) as file:
        out = TableFile(Path(item.target), item.schema)
        try:
            for groups in _batches(file):
                table = unwrap_extensions(file.read_row_groups(groups, use_threads=False))
                columns = _numbers(table, item)
                episodes.append(columns["episode_index"])
                tasks.append(columns["task_index"])
                rows += table.num_rows
                out.write(pa.table([_column(table, field, columns) for field in item.schema], schema=item.schema))
        finally:
            out.close()
    return RenumberedRows(rows, dict(_of_several_tasks(np.concatenate(episodes), np.concatenate(tasks))))


def _batches(file: pq.ParquetFile) -> Iterator[list[int]]:
    """Neighbouring row groups of about GROUP_ROWS rows, or BATCH_BYTES, together."""
    batch: list[int] = []
    rows = size = 0
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        if batch and (rows >= GROUP_ROWS or size + metadata.total_byte_size > BATCH_BYTES):
            yield batch
            batch, rows, size = [], 0, 0
        batch.append(group)
        rows += metadata.num_rows
        size += metadata.total_byte_size
    if batch:
        yield batch


def _numbers(table: pa.Table, item: ShardRows) -> dict[str, Numbers]:
    own = {key: _values(table, key) for key in ("episode_index", "index", "task_index")}
    return {
        "episode_index": own["episode_index"] + item.first_episode,
        "index": own["index"] + item.first_row,
        "task_index": item.tasks[own["task_index"]],
    }


def _values(table: pa.Table, key: str) -> Numbers:
    return np.asarray(arrow.to_numpy(table.column(key).combine_chunks()), np.int64)


def _column(table: pa.Table, field: pa.Field, columns: Mapping[str, Numbers]) -> Any:
    if field.name in columns:
        return arrow.numbers(columns[field.name])
    if field.name in LATE_COLUMNS and field.name not in table.column_names:
        return label_array(LATE_COLUMNS[field.name], (), table.num_rows, 1)
    return table.column(field.name)


def _of_several_tasks(episodes: Numbers, tasks: Numbers) -> Iterator[tuple[int, Stats]]:
    starts = np.flatnonzero(np.diff(episodes, prepend=episodes[0] - 1))
    several = np.minimum.reduceat(tasks, starts) != np.maximum.reduceat(tasks, starts)
    stops = np.append(starts[1:], len(episodes))
    for position in np.flatnonzero(several):
        rows = slice(int(starts[position]), int(stops[position]))
        yield int(episodes[rows.start]), column_stats(tasks[rows])


def total_rows(written: Sequence[RenumberedRows]) -> int:
    """Of all files."""
    return sum(entry.rows for entry in written)
