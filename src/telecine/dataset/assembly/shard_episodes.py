"""meta/episodes of a part as rows of the whole: numbers, files and the statistics of numbers moved, all else as it is.

Works on columns of some thousand episodes at a time, so that a million of them cost little time and memory.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.stats import STATISTICS, Floats, Stats
from telecine.dataset.assembly.shard_rows import LATE_COLUMNS, Numbers
from telecine.dataset.rolling_files import TableFile
from telecine.lerobot_format.metadata import OWN_FILE_COLUMNS
from telecine.lerobot_format.paths import FileIndex, Limits, episodes_are_full, episodes_path
from telecine.lerobot_format.read import episode_files

BATCH = 1000
"""Episodes of a row group."""
_VALUES = tuple(name for name in STATISTICS if name not in ("std", "count"))
"""Statistics that move when all values do."""


@dataclass(frozen=True, eq=False, slots=True)
class ShardEpisodes:
    """What the episodes of the part at `root` are in the whole. tasks: as in `ShardRows`; task_stats: `RenumberedRows`.

    chunk: which the part's files of rows and frames begin in.
    """

    root: Path
    chunk: int
    first_episode: int
    first_row: int
    tasks: Numbers
    task_stats: Mapping[int, Stats]


def moved(part: ShardEpisodes, schema: pa.Schema) -> Iterator[pa.Table]:
    """The part's episodes in the columns of the whole, `meta/episodes/*` left out, some thousand at a time.

    Raises: OSError, pyarrow's errors or KeyError for a part that is not whole.
    """
    fields = [field for field in schema if field.name not in OWN_FILE_COLUMNS]
    for path in episode_files(part.root):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH, use_threads=False):
                there = pa.Table.from_batches([batch])
                change = _changes(part, there)
                arrays = [change[f.name]() if f.name in change else there.column(f.name) for f in fields]
                arrays = [a if a.type == f.type else a.cast(f.type) for a, f in zip(arrays, fields, strict=True)]
                yield pa.table(arrays, schema=pa.schema(fields))


def _changes(part: ShardEpisodes, there: pa.Table) -> dict[str, Callable[[], pa.Array]]:
    """Column -> what makes it, for those that are not as they were."""

    def plus(name: str, step: int) -> Callable[[], pa.Array]:
        return lambda: arrow.numbers(_flat(there, name) + step)

    def shifted(name: str, step: int) -> Callable[[], pa.Array]:
        return lambda: _ones(_elements(there, name) + step)

    change = {name: plus(name, part.chunk) for name in there.column_names if _is_chunk(name)}
    change["episode_index"] = plus("episode_index", part.first_episode)
    for name in ("dataset_from_index", "dataset_to_index"):
        change[name] = plus(name, part.first_row)
    for key, step in (("index", part.first_row), ("episode_index", part.first_episode)):
        change |= {f"stats/{key}/{name}": shifted(f"stats/{key}/{name}", step) for name in _VALUES}
    change |= {f"stats/task_index/{n}": lambda n=n: _ones(_tasks(part, there, n)) for n in (*_VALUES, "std")}  # type: ignore[misc]
    zeros = np.zeros(there.num_rows)
    for key in (key for key in LATE_COLUMNS if f"stats/{key}/min" not in there.column_names):
        change |= {f"stats/{key}/{name}": lambda: _ones(zeros) for name in (*_VALUES, "std")}
        change[f"stats/{key}/count"] = lambda: _ones(_flat(there, "length"))
    return change


def _is_chunk(name: str) -> bool:
    return name.endswith("/chunk_index") and name not in OWN_FILE_COLUMNS


def _tasks(part: ShardEpisodes, there: pa.Table, statistic: str) -> Floats:
    """A statistic of task_index: the task's number, or what the rows of an episode of several say."""
    found = np.zeros(there.num_rows)
    if statistic != "std":
        found[:] = part.tasks[_elements(there, "stats/task_index/min").astype(np.int64)]
    several = _elements(there, "stats/task_index/min") != _elements(there, "stats/task_index/max")
    for position in np.flatnonzero(several):
        number = int(_flat(there, "episode_index")[position]) + part.first_episode
        found[position] = part.task_stats[number].lists()[statistic][0]
    return found


def _flat(table: pa.Table, name: str) -> Numbers:
    return np.asarray(arrow.to_numpy(table.column(name).combine_chunks()), np.int64)


def _elements(table: pa.Table, name: str) -> Floats:
    """The numbers of a column of lists of one."""
    return np.asarray(arrow.to_numpy(arrow.elements(table.column(name).combine_chunks())), np.float64)


def _ones(values: Any) -> pa.Array:
    """Numbers as lists of one."""
    return pa.ListArray.from_arrays(arrow.numbers(np.arange(len(values) + 1, dtype=np.int32)), arrow.numbers(values))


class EpisodeTables:
    """meta/episodes/* of the whole: tables of some episodes, one after the other; a new file when one is full."""

    def __init__(self, folder: Path, limits: Limits, first: FileIndex = FileIndex()) -> None:
        self._folder, self._limits, self._index = folder, limits, first
        self._file: TableFile | None = None

    def write(self, table: pa.Table, schema: pa.Schema) -> None:
        """Add episodes: all columns of `schema` but `meta/episodes/*`."""
        if self._file is not None and episodes_are_full(self._file.size_bytes, self._limits):
            self.close()
            self._index = self._index.next(self._limits)
        own = dict(zip(OWN_FILE_COLUMNS, (self._index.chunk, self._index.file), strict=True))
        arrays = [
            arrow.numbers(np.full(table.num_rows, own[f.name])) if f.name in own else table.column(f.name)
            for f in schema
        ]
        self._file = self._file or TableFile(self._folder / episodes_path(self._index), schema)
        self._file.write(pa.table(arrays, schema=schema))

    def close(self) -> None:
        """Finish the file that is open."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
