"""Reads the rows of episodes from a dataset's files of rows, only the row groups that they are in."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.errors import DatasetError
from telecine.core.file_state import FileState, state_from
from telecine.core.text.numbers import counted
from telecine.lerobot_format.metadata import EpisodeMeta

_RUN_ROWS = 1 << 14


def read_rows(path: Path, episode: EpisodeMeta, columns: list[str] | None) -> pa.Table:
    """The rows of one episode of a file of rows, columns in the order named, or all.

    Only the row groups that they are in by the metadata; all, when other rows are there.

    Raises: DatasetError when the file cannot be read or holds another number of rows of the episode.
    """
    wanted = None if columns is None else list(dict.fromkeys([*columns, "episode_index"]))
    try:
        metadata, firsts = _footer(state_from(str(path), path.stat()))
        with pq.ParquetFile(path, metadata=metadata) as file:
            table = _slice(file, firsts, episode, wanted)
            if table.num_rows != episode.length or not _all_of(table, episode.index):
                table = _searched(file, episode.index, wanted)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    if table.num_rows != episode.length:
        raise DatasetError(
            f"{path}: holds {counted(table.num_rows, 'row')} of episode {episode.index}, expected {episode.length}"
        )
    missing = sorted(set(columns or ()) - set(table.column_names))
    if missing:
        raise DatasetError(f"{path}: has no column {', '.join(missing)}")
    return table if columns is None else table.select(columns)


def read_runs(
    path: Path, episodes: Sequence[EpisodeMeta], columns: list[str], most_rows: int = _RUN_ROWS
) -> Iterator[tuple[Sequence[EpisodeMeta], pa.Table | DatasetError]]:
    """The rows of all these episodes of one file, several neighbours at a time: (episodes, their rows in order).

    An episode whose rows are not where its neighbours say comes alone, with its rows or the error that reading them
    ends in. A run holds at most `most_rows` rows, or one episode; of `columns` it has those that the file has.
    """
    try:
        with pq.ParquetFile(path) as file:
            names = set(file.schema_arrow.names)
            there, firsts = [column for column in columns if column in names], _first_rows(file)
            for run in runs_of(episodes, most_rows):
                table = _run_table(file, firsts, run, there)
                yield from _alone(path, run, there) if table is None else [(run, table)]
    except (OSError, pa.ArrowException):  # of opening it: reading an episode says why
        yield from _alone(path, episodes, columns)


def runs_of(episodes: Sequence[EpisodeMeta], most_rows: int = _RUN_ROWS) -> Iterator[Sequence[EpisodeMeta]]:
    """Neighbouring episodes of at most `most_rows` rows together, or one episode; none of no episodes."""
    start, rows = 0, 0
    for position, episode in enumerate(episodes):
        if position > start and rows + episode.length > most_rows:
            yield episodes[start:position]
            start, rows = position, 0
        rows += episode.length
    if episodes:
        yield episodes[start:]


def _alone(
    path: Path, episodes: Sequence[EpisodeMeta], columns: list[str]
) -> Iterator[tuple[Sequence[EpisodeMeta], pa.Table | DatasetError]]:
    for episode in episodes:
        found: pa.Table | DatasetError
        try:
            found = read_rows(path, episode, columns)
        except DatasetError as error:
            found = error
        yield (episode,), found


def _run_table(
    file: pq.ParquetFile, firsts: npt.NDArray[np.int64], run: Sequence[EpisodeMeta], columns: list[str]
) -> pa.Table | None:
    """The rows of neighbouring episodes; None when they are not there in this order, or cannot be read."""
    lengths = [episode.length for episode in run]
    if min(lengths) < 1:
        return None
    whole = EpisodeMeta(run[0].index, sum(lengths), start=run[0].start)
    try:
        table = _slice(file, firsts, whole, list(dict.fromkeys([*columns, "episode_index"])))
    except (OSError, pa.ArrowException):
        return None
    there = _episode_numbers(table)
    return table.select(columns) if np.array_equal(there, np.repeat([e.index for e in run], lengths)) else None


@lru_cache(maxsize=32)
def _footer(state: FileState) -> tuple[Any, npt.NDArray[np.int64]]:
    """(metadata, first row of each row group and the number of rows), cached as long as the file does not change."""
    with pq.ParquetFile(state[0]) as file:
        return file.metadata, _first_rows(file)


def _first_rows(file: pq.ParquetFile) -> npt.NDArray[np.int64]:
    """The first row of each row group, and the number of rows."""
    counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _slice(
    file: pq.ParquetFile, firsts: npt.NDArray[np.int64], episode: EpisodeMeta, columns: list[str] | None
) -> pa.Table:
    start, stop = episode.start, episode.start + episode.length
    first, last = (int(np.searchsorted(firsts, row, "right")) - 1 for row in (start, stop - 1))
    groups = range(max(first, 0), min(last + 1, file.num_row_groups))
    table = file.read_row_groups(list(groups), columns=columns, use_threads=False)
    return table.slice(max(0, start - int(firsts[max(first, 0)])), episode.length)


def _all_of(table: pa.Table, episode: int) -> bool:
    return bool(np.all(_episode_numbers(table) == episode))


def _episode_numbers(table: pa.Table) -> npt.NDArray[Any]:
    """What its rows have as episode_index, (n,); nothing without such a column."""
    chunks = table.column("episode_index").chunks if "episode_index" in table.column_names else ()
    whole = (pa.types.is_integer(chunk.type) and not chunk.null_count for chunk in chunks)
    parts = [arrow.to_numpy(c) if ok else c.to_numpy(zero_copy_only=False) for c, ok in zip(chunks, whole, strict=True)]
    return np.concatenate(parts or [np.empty(0)])


def _searched(file: pq.ParquetFile, episode: int, columns: list[str] | None) -> pa.Table:
    """The rows of an episode wherever they are.

    Not by a filter of pyarrow, which waits for ever on some damaged files (pyarrow 26), nor by the statistics of row
    groups, which end the process on the same.
    """
    mine = _episode_numbers(file.read(columns=["episode_index"])) == episode
    tables, start = [], 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        part = mine[start : start + count]
        start += count
        if part.any():
            tables.append(file.read_row_group(group, columns=columns).filter(arrow.numbers(part)))
    empty = file.schema_arrow.empty_table()
    return pa.concat_tables(tables) if tables else empty.select(columns or empty.column_names)
