"""Reads a dataset's metadata and rows, versions 2.0 to 3.0, and refuses what is damaged, by name.

Trusts what it can read; `dataset/verify` is what checks it. Files are found by the templates of info.json.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.errors import DatasetError, raised_as
from telecine.core.file_state import FileState, state_from
from telecine.core.stats import STATISTICS
from telecine.lerobot_format import paths
from telecine.lerobot_format.episode_table import EpisodeTable
from telecine.lerobot_format.metadata import (
    EPISODE_COLUMNS,
    V2_VERSIONS,
    DatasetMeta,
    EpisodeMeta,
    FeatureMeta,
    VideoSpan,
    feature_of,
    span_columns,
    video_keys,
)
from telecine.lerobot_format.paths import FileIndex
from telecine.lerobot_format.schema import FACTS_FIELDS

VERSIONS = (*V2_VERSIONS, paths.VERSION)
_BATCH = 100
_RUN_ROWS = 1 << 14
_ODD_VALUES = (KeyError, TypeError, ValueError, AttributeError)
"""What values of another kind than expected raise."""


def read_dataset(root: Path) -> DatasetMeta:
    """All metadata. Raises: DatasetError."""
    info = read_info(root)
    try:
        features = read_features(root, info)
        tasks = read_tasks(root, info)
        return DatasetMeta(root, info, int(info["fps"]), features, tasks, read_episodes(root, info, features))
    except DatasetError as error:
        raise DatasetError(f"{error}; see what `telecine repair {root}` can save") from error


def read_info(root: Path, versions: tuple[str, ...] = VERSIONS) -> dict[str, Any]:
    """info.json. Raises: DatasetError: it is missing, damaged or of another version."""
    path = root / paths.INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{root}: not a LeRobot dataset ({paths.INFO} is missing)") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if version not in versions:
        first = f"telecine convert {root} NEW" if version in V2_VERSIONS else "convert it with LeRobot"
        raise DatasetError(f"{path}: version {version!r}, expected {' or '.join(map(repr, versions))}; first {first}")
    return dict(info)


def read_features(root: Path, info: Mapping[str, Any], needed: Sequence[str] = ("fps",)) -> dict[str, FeatureMeta]:
    """The features by key, in order. Raises: DatasetError without them or a number that is needed."""
    try:
        for name in needed:
            int(info[name])
        if int(info["fps"]) < 1:
            raise ValueError(f"fps is {info['fps']}, expected at least 1")
        return {key: feature_of(key, entry) for key, entry in info["features"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{root / paths.INFO}: not the info.json of a dataset ({error!r})") from error


def read_tasks(root: Path, info: Mapping[str, Any]) -> dict[int, str]:
    """Text by task_index, in order. Raises: DatasetError."""
    if info["codebase_version"] in V2_VERSIONS:
        lines = _lines(root, paths.V2_TASKS)
        with raised_as(DatasetError, f"{root / paths.V2_TASKS}: cannot be read", *_ODD_VALUES):
            found = {int(line["task_index"]): str(line["task"]) for line in lines}
    else:
        table = read_table(root, paths.TASKS, None)
        texts = [name for name in table.column_names if name != "task_index"]
        if len(texts) != 1 or "task_index" not in table.column_names:
            missing = "task" if "task_index" in table.column_names else "task_index"
            raise DatasetError(f"{root / paths.TASKS}: has no column {missing}")
        table = _typed(root / paths.TASKS, table, {"task_index": pa.int64(), texts[0]: pa.string()})
        numbers, texts = (column.to_pylist() for column in table.columns)
        found = dict(zip(numbers, texts, strict=True))
    return dict(sorted(found.items()))


def read_episodes(root: Path, info: Mapping[str, Any], features: Mapping[str, FeatureMeta]) -> tuple[EpisodeMeta, ...]:
    """All episodes, in order of files and rows. Raises: DatasetError."""
    if info["codebase_version"] in V2_VERSIONS:
        videos = video_keys(features.values())
        lines = _lines(root, paths.V2_EPISODES)
        with raised_as(DatasetError, f"{root / paths.V2_EPISODES}: cannot be read", *_ODD_VALUES):
            return tuple(_v2_episodes(sorted(lines, key=lambda e: int(e["episode_index"])), info, videos))
    return tuple(read_episode_table(root, features))


def read_episode_table(root: Path, features: Mapping[str, FeatureMeta]) -> EpisodeTable:
    """All episodes of version 3.0, each made when it is asked for. Raises: DatasetError."""
    files = episode_files(root)
    if not files:
        raise DatasetError(f"{root}: meta/episodes holds no Parquet file; the dataset is not complete")
    videos = video_keys(features.values())
    columns = EPISODE_COLUMNS | span_columns(videos)
    facts = [name for name, _ in FACTS_FIELDS]
    tables = []
    for path in files:
        table = read_table(root, path.relative_to(root), [*columns], facts)
        typed = _typed(path, table, columns)
        for name in facts:
            if name in table.column_names:
                typed = typed.append_column(name, table.column(name))
        tables.append(typed)
    return EpisodeTable(tables, videos)


def _typed(path: Path, table: pa.Table, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """These columns with these types and no nulls. Raises: DatasetError when they hold something else."""
    try:
        found = arrow.as_schema(table.select(list(columns)), pa.schema(list(columns.items())))
    except (pa.ArrowException, ValueError) as error:
        raise DatasetError(f"{path}: its columns hold other values than expected: {error}") from error
    empty = [name for name in columns if found.column(name).null_count]
    if empty:
        raise DatasetError(f"{path}: has nulls in {', '.join(empty)}")
    return found


def _v2_episodes(
    lines: list[dict[str, Any]], info: Mapping[str, Any], videos: tuple[str, ...]
) -> Iterator[EpisodeMeta]:
    first, chunks_size, fps = 0, int(info["chunks_size"]), int(info["fps"])
    if chunks_size < 1 or fps < 1:
        raise ValueError(f"chunks_size is {chunks_size} and fps is {fps}, expected 1 or more")
    for line in lines:
        number, length = int(line["episode_index"]), int(line["length"])
        index = FileIndex(number // chunks_size, number)
        span = VideoSpan(index, 0.0, length / fps)
        tasks = tuple(map(str, line.get("tasks", ())))
        yield EpisodeMeta(number, length, tasks, index, first, first + length, dict.fromkeys(videos, span))
        first += length


def _lines(root: Path, path: str) -> list[dict[str, Any]]:
    try:
        texts = (root / path).read_text(encoding="utf-8").splitlines()
        return [dict(json.loads(text)) for text in texts if text.strip()]
    except (OSError, ValueError, TypeError) as error:
        raise DatasetError(f"{root / path}: cannot be read: {error}") from error


def episode_files(root: Path) -> list[Path]:
    """The files of meta/episodes, in order."""
    return sorted((root / "meta" / "episodes").glob("*/*.parquet"))


def read_episodes_table(root: Path, wanted: Callable[[str], bool] | None = None) -> pa.Table:
    """meta/episodes as one table in the order of episode_index: all columns, or those `wanted` of the first file's.

    Raises: DatasetError.
    """
    files = episode_files(root)
    if not files:
        raise DatasetError(f"{root}: meta/episodes holds no Parquet file; the dataset is not complete")
    with raised_as(DatasetError, f"{root}: meta/episodes cannot be read", OSError, pa.ArrowException):
        names = None if wanted is None else [*filter(wanted, pq.read_schema(files[0]).names), "episode_index"]
        table = pa.concat_tables([_columns(path, names) for path in files])
    order = np.argsort(arrow.to_numpy(table.column("episode_index").combine_chunks()), kind="stable")
    return table if (order == np.arange(len(order))).all() else table.take(order)


def _columns(path: Path, names: list[str] | None) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(names)


def existing(root: Path, path: str | Path) -> Path:
    """The file at `path` below `root`. Raises: DatasetError when it is not there."""
    if not (root / path).is_file():
        raise DatasetError(f"{root / path}: missing; the dataset is not complete")
    return root / path


def read_table(root: Path, path: str | Path, columns: list[str] | None, optional: Sequence[str] = ()) -> pa.Table:
    """A Parquet file, all columns or those named; of `optional` ones those it has. Raises: DatasetError."""
    try:
        with pq.ParquetFile(existing(root, path)) as file:
            there = set(file.schema_arrow.names)
            missing = sorted(set(columns or ()) - there)
            if missing:
                raise DatasetError(f"{root / path}: has no column {', '.join(missing)}")
            return file.read(None if columns is None else [*columns, *(n for n in optional if n in there)])
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{root / path}: cannot be read: {error}") from error


def read_statistics(root: Path, keys: Sequence[str] | None = None) -> Iterator[dict[str, dict[str, Any]]]:
    """The statistics of each episode by feature and name, as meta/episodes has them, in order; of `keys`, if given.

    Raises: OSError or pyarrow's errors.
    """
    for path in episode_files(root):
        with pq.ParquetFile(path) as file:
            names = [n for n in file.schema_arrow.names if n.startswith("stats/")]
            names = [n for n in names if keys is None or n.split("/", 1)[1].rpartition("/")[0] in keys]
            for batch in file.iter_batches(_BATCH, columns=names):
                yield from map(_by_feature, batch.to_pylist())


def read_statistics_of(root: Path, episodes: Sequence[int]) -> list[dict[str, dict[str, Any]]]:
    """As `read_statistics`, of some episodes. Raises: DatasetError."""
    table = read_episodes_table(root, lambda name: name.startswith("stats/"))
    return [_by_feature(row) for row in table.take(arrow.array(episodes, pa.int64())).to_pylist()]


def _by_feature(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        key, _, statistic = name.removeprefix("stats/").rpartition("/")
        if statistic in STATISTICS:
            found.setdefault(key, {})[statistic] = value
    return found


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
        raise DatasetError(f"{path}: holds {table.num_rows} rows of episode {episode.index}, expected {episode.length}")
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
    table = file.read_row_groups(list(groups), columns=columns)
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
