"""Whether the rows are as the metadata has them: columns, indices, times, values, and numeric statistics of them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.dataclass import dataclass
from telecine.core.grid import off_rows_s
from telecine.core.text.numbers import counted
from telecine.dataset.values import Values, unwrap_extensions
from telecine.dataset.verify.finding_log import FindingLog
from telecine.dataset.verify.reading import UNREADABLE, measured
from telecine.dataset.verify.run_statistics import most_rows, pool_run, statistics_may_be_wrong, stored_arrays
from telecine.dataset.verify.statistics import PooledStats, check_column, check_form, check_pooled
from telecine.lerobot_format.metadata import DatasetMeta, EpisodeMeta, FeatureMeta
from telecine.lerobot_format.paths import STATS, FileIndex, data_path
from telecine.lerobot_format.possible import LANGUAGE, NUMBERS
from telecine.lerobot_format.row_files import runs_of
from telecine.lerobot_format.run_statistics import RunStatistics, statistics_of_runs

_STALE = {"index", "episode_index", "task_index"}
"""Nothing reads their statistics, and LeRobot's own tools leave them as they were."""


def check_rows(metadata: DatasetMeta, stored: dict[str, Any] | None, log: FindingLog) -> None:
    """Read all rows once, neighbouring episodes together, frames left out; compare statistics with the values.

    stored: statistics of the whole dataset; None where they are not to be compared.
    """
    columns = [key for key, feature in metadata.features.items() if feature.dtype in NUMBERS | {"string"}]
    pools = {k: PooledStats() for k in columns if stored is not None and metadata.features[k].dtype in NUMBERS}
    most, position = most_rows(metadata, columns), 0
    files = [(data_path(index), list(runs_of(own, most))) for index, own in episodes_by_file(metadata.episodes)]
    by_run = statistics_of_runs(metadata.root, [len(run) for _, runs in files for run in runs])
    for name, runs in files:
        tables = _tables(metadata, name, runs, columns, log)
        for run in runs:
            rows, own = next(tables, None), next(by_run)
            check = _Run(metadata, name, run, own, position)
            if rows is None or not _check_run(check, rows, pools, log):
                _check_each(check, rows, pools, log)
            position += sum(episode.length for episode in run)
    for key in check_statistics_form(metadata, stored, log):
        if stored is not None and key in pools and pools[key].count:
            with log.at(key=key):
                check_pooled(f"{STATS} {key}", pools[key], stored[key], log, stale=key in _STALE)


@dataclass(frozen=True, eq=False, slots=True)
class _Run:
    """Neighbouring episodes of file `name`; position: the rows before them."""

    metadata: DatasetMeta
    name: str
    episodes: Sequence[EpisodeMeta]
    statistics: RunStatistics
    position: int


def _check_each(run: _Run, rows: pa.Table | None, pools: dict[str, PooledStats], log: FindingLog) -> None:
    """Check the episodes one by one, as far as their rows are there."""
    position = run.position
    for (episode, table), own in zip(_each(run.episodes, rows), run.statistics.each(), strict=True):
        with log.at(episode=episode.index):
            numbers = {} if table is None else _numbers(run.metadata, run.name, episode, table, log)
            _check_episode(run.metadata, episode, numbers, position, own, log)
        for key in [key for key in pools if key not in numbers]:
            del pools[key]  # already reported; without these rows it cannot be judged
        for key in pools:
            pools[key].add(numbers[key], own.get(key, {}))
        position += episode.length


def _check_episode(
    metadata: DatasetMeta,
    episode: EpisodeMeta,
    numbers: dict[str, Values],
    position: int,
    own: Mapping[str, Mapping[str, Any]],
    log: FindingLog,
) -> None:
    _check_index_columns(metadata, episode, numbers, position, log)
    _check_tasks(metadata, episode, numbers, log)
    for key, values in numbers.items():
        where = f"meta/episodes episode {episode.index} {key}"
        with log.at(key=key):
            check_column(where, values, own.get(key, {}), log.warning if key in _STALE else log.error)


def check_statistics_form(metadata: DatasetMeta, stored: dict[str, Any] | None, log: FindingLog) -> list[str]:
    """The numeric columns whose statistics of the whole dataset have the right form; cameras go with their frames."""
    good = []
    for key in measured(metadata) if stored is not None else ():
        where, own, shape = f"{STATS} {key}", (stored or {}).get(key), metadata.features[key].shape[-1:]
        with log.at(key=key):
            if not metadata.features[key].is_camera and check_form(where, own, shape, log, stale=key in _STALE):
                good.append(key)
    return good


def episodes_by_file(episodes: Sequence[EpisodeMeta]) -> Iterator[tuple[FileIndex, list[EpisodeMeta]]]:
    """Runs of episodes with one data file."""
    run: list[EpisodeMeta] = []
    for episode in episodes:
        if run and run[-1].data != episode.data:
            yield run[-1].data, run
            run = []
        run.append(episode)
    if run:
        yield run[-1].data, run


def _each(run: Sequence[EpisodeMeta], rows: pa.Table | None) -> Iterator[tuple[EpisodeMeta, pa.Table | None]]:
    """Each episode of a run with its rows, as far as they are there."""
    start = 0
    for episode in run:
        own = None if rows is None else rows.slice(start, episode.length)
        yield episode, own if own is not None and own.num_rows else None
        start += episode.length


def _check_run(run: _Run, rows: pa.Table, pools: dict[str, PooledStats], log: FindingLog) -> bool:
    """Check neighbouring episodes together, one by one only those that may not be sound; False where that cannot be."""
    metadata, episodes, position = run.metadata, run.episodes, run.position
    lengths = np.array([episode.length for episode in episodes])
    if rows.num_rows != lengths.sum() or lengths.min() < 1:
        return False
    numbers: dict[str, Values] = {}
    for key in rows.column_names:
        values, problem = _shaped(metadata.features[key], rows.column(key))
        if problem is not None:
            return False
        if values is not None:
            numbers[key] = values
    stored = stored_arrays(numbers, run.statistics)
    if stored is None:
        return False
    odd = _may_be_wrong(metadata, episodes, numbers, position) | statistics_may_be_wrong(numbers, lengths, stored)
    starts, told = np.cumsum(lengths) - lengths, list(run.statistics.each()) if odd.any() else []
    for at in np.flatnonzero(odd).tolist():
        episode, start = episodes[at], int(starts[at])
        own = {key: values[start : start + episode.length] for key, values in numbers.items()}
        with log.at(episode=episode.index):
            finite = {key: values for key, values in own.items() if _is_finite(run.name, key, episode, values, log)}
            _check_episode(metadata, episode, finite, position + start, told[at], log)
    pool_run(pools, numbers, len(episodes), stored)
    return True


def _may_be_wrong(
    metadata: DatasetMeta, run: Sequence[EpisodeMeta], numbers: Mapping[str, Values], position: int
) -> npt.NDArray[np.bool_]:
    """(episodes,) false for those in which the checks, one by one, would find nothing."""
    lengths = np.array([episode.length for episode in run])
    starts, count = np.cumsum(lengths) - lengths, int(lengths.sum())
    frames = np.arange(count) - np.repeat(starts, lengths)
    expected = {
        "index": position + np.arange(count),
        "episode_index": np.repeat([episode.index for episode in run], lengths),
        "frame_index": frames,
        "timestamp": (frames / metadata.fps).astype(np.float32),
    }
    wrong = np.zeros(count, np.bool_)
    for key, values in numbers.items():
        if np.issubdtype(values.dtype, np.floating):
            wrong |= ~np.isfinite(values).reshape(count, -1).all(axis=1)
        if key in expected:
            wrong |= (values != expected[key]).reshape(count, -1).any(axis=1)
    return np.logical_or.reduceat(wrong, starts) | _tasks_may_be_wrong(metadata, run, numbers.get("task_index"), starts)


def _tasks_may_be_wrong(
    metadata: DatasetMeta, run: Sequence[EpisodeMeta], tasks: Values | None, starts: Values
) -> npt.NDArray[np.bool_]:
    """(episodes,) false for those with one task, the one that the metadata says."""
    if tasks is None or metadata.tasks is None:
        return np.zeros(len(run), np.bool_)
    if tasks.ndim != 1:
        return np.ones(len(run), np.bool_)
    first, last = np.minimum.reduceat(tasks, starts).tolist(), np.maximum.reduceat(tasks, starts).tolist()
    several = zip(run, first, last, strict=True)
    return np.array([a != b or episode.tasks != (metadata.tasks.get(a),) for episode, a, b in several])


def _tables(
    metadata: DatasetMeta, name: str, runs: Sequence[Sequence[EpisodeMeta]], columns: list[str], log: FindingLog
) -> Iterator[pa.Table]:
    """The rows of a file for each run of episodes, as far as they are there."""
    lengths, count = [sum(episode.length for episode in run) for run in runs], sum(map(len, runs))
    try:
        with pq.ParquetFile(metadata.root / name) as file:
            if not _columns_fit(metadata, name, file.schema_arrow, log):
                return
            if file.metadata.num_rows != sum(lengths):
                message = (
                    f"found {counted(file.metadata.num_rows, 'row')}, expected {sum(lengths)} for its "
                    f"{counted(count, 'episode')}"
                )
                log.error("verify-counts", name, message)
            yield from _cut(file.iter_batches(columns=columns), lengths, columns)
    except FileNotFoundError:
        return  # reported by the check of files
    except UNREADABLE as error:
        log.error("verify-structure", name, f"cannot be read as Parquet: {error}")


def _cut(batches: Iterator[pa.RecordBatch], lengths: list[int], columns: list[str]) -> Iterator[pa.Table]:
    """The batches, put together and cut into tables of the given lengths; the last may be short or missing."""
    rest: pa.Table | None = None
    for length in lengths:
        while rest is None or rest.num_rows < length:
            batch = next(batches, None)
            if batch is None:
                break
            batch.validate(full=True)
            more = unwrap_extensions(pa.Table.from_batches([batch]).select(columns)).replace_schema_metadata(None)
            rest = more if rest is None else pa.concat_tables([rest, more])
        if rest is None or not rest.num_rows:
            return
        yield rest.slice(0, length)
        rest = rest.slice(length)


def _columns_fit(metadata: DatasetMeta, name: str, schema: pa.Schema, log: FindingLog) -> bool:
    expected = [key for key, feature in metadata.features.items() if feature.dtype != "video"]
    extra, missing = sorted(set(schema.names) - set(expected)), sorted(set(expected) - set(schema.names))
    if extra:
        log.error("verify-structure", name, f"found column {', '.join(extra)}, which info.json does not declare")
    if missing:
        log.error("verify-structure", name, f"found no column {', '.join(missing)}, expected by info.json")
    for key in set(expected) & set(schema.names):
        problem = _type_problem(metadata.features[key], schema.field(key).type)
        if problem:
            with log.at(key=key):
                log.error("verify-structure", f"{name} {key}", problem)
    if b"huggingface" not in (schema.metadata or {}):
        log.warning("verify-structure", name, "found no huggingface schema metadata, which the Hub's viewer needs")
    return not missing


def _type_problem(feature: FeatureMeta, kind: pa.DataType) -> str:
    """Why a column's type does not fit, "" when it does."""
    if feature.dtype == LANGUAGE:
        return ""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if feature.dtype == "image":
        names = {kind.field(i).name for i in range(kind.num_fields)} if pa.types.is_struct(kind) else set()
        return "" if names == {"bytes", "path"} else f"found {kind}, expected struct<bytes: binary, path: string>"
    leaf, depth = kind, 0
    while pa.types.is_list(leaf) or pa.types.is_large_list(leaf) or pa.types.is_fixed_size_list(leaf):
        leaf, depth = leaf.value_type, depth + 1
    wanted = 0 if feature.shape == (1,) else len(feature.shape)
    known = {"float": "float32", "double": "float64", "halffloat": "float16", "large_string": "string"}
    dtype = known.get(str(leaf), str(leaf))
    if (dtype, depth) == (feature.dtype, wanted):
        return ""
    return (
        f"found {kind}, expected {feature.dtype} in {counted(wanted, 'level')} of lists for shape {list(feature.shape)}"
    )


def _numbers(
    metadata: DatasetMeta, name: str, episode: EpisodeMeta, table: pa.Table, log: FindingLog
) -> dict[str, Values]:
    """The episode's numeric columns as (n, *shape) arrays of finite numbers, those that can be."""
    found: dict[str, Values] = {}
    for key in table.column_names:
        values, problem = _shaped(metadata.features[key], table.column(key))
        if problem is not None:
            with log.at(key=key):
                log.error(problem[0], f"{name} {key} episode {episode.index}", problem[1])
        elif values is not None and _is_finite(name, key, episode, values, log):
            found[key] = values
    return found


def _shaped(feature: FeatureMeta, column: pa.ChunkedArray) -> tuple[Values | None, tuple[str, str] | None]:
    """(a numeric column as an (n, *shape) array, None of texts; code and message of why it is none)."""
    nulls, count = _nulls(column), len(column)
    if nulls:
        return None, ("verify-values", f"found {counted(nulls, 'null')}, expected a value in every row")
    if feature.dtype == "string":
        return None, None
    values = _array(column)
    shape = (count,) if feature.shape == (1,) else (count, *feature.shape)
    if values.size != math.prod(shape):
        size = values.size / max(count, 1)
        return None, ("verify-structure", f"found {size:g} values per row, expected shape {list(feature.shape)}")
    return values.reshape(shape), None


def _is_finite(name: str, key: str, episode: EpisodeMeta, values: Values, log: FindingLog) -> bool:
    """Whether the (n, *shape) values of an episode are finite; where they are not, with a finding."""
    if not np.issubdtype(values.dtype, np.floating) or np.isfinite(values).all():
        return True
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    message = f"found NaN or infinity in {counted(bad.size, 'row')}, first in row {bad[0]}: the loss becomes NaN"
    with log.at(key=key, rows=_rows_around(bad)):
        where = f"{name} {key} episode {episode.index}"
        log.error("verify-values", where, message, "repair the recording, or leave these rows out")
    return False


def _rows_around(wrong: Values) -> tuple[int, int]:
    """[start, stop) of the rows from the first to the last of these."""
    return int(wrong[0]), int(wrong[-1]) + 1


def _nulls(data: pa.ChunkedArray) -> int:
    """Nulls at any level of lists."""
    count = int(data.null_count)
    while pa.types.is_list(data.type) or pa.types.is_large_list(data.type) or pa.types.is_fixed_size_list(data.type):
        data = _flat(data)
        count += data.null_count
    return count


def _flat(data: pa.ChunkedArray) -> pa.ChunkedArray:
    """The elements of lists, one level down."""
    return pa.chunked_array([arrow.elements(chunk) for chunk in data.chunks], type=data.type.value_type)


def _array(data: pa.ChunkedArray) -> Values:
    """All numbers of a column, flat."""
    while pa.types.is_list(data.type) or pa.types.is_large_list(data.type) or pa.types.is_fixed_size_list(data.type):
        data = _flat(data)
    if not (pa.types.is_integer(data.type) or pa.types.is_floating(data.type) or pa.types.is_boolean(data.type)):
        return np.asarray(data.to_numpy())
    return np.concatenate([arrow.to_numpy(chunk) for chunk in data.chunks] or [np.empty(0)])


def _check_index_columns(
    metadata: DatasetMeta, episode: EpisodeMeta, numbers: dict[str, Values], position: int, log: FindingLog
) -> None:
    where = f"episode {episode.index}"
    count = episode.length
    expected = {
        "index": position + np.arange(count),
        "episode_index": np.full(count, episode.index),
        "frame_index": np.arange(count),
    }
    for key, values in expected.items():
        found = numbers.get(key)
        if found is not None and not np.array_equal(found, values):
            message, rows = f"found {counted(len(found), 'row')}, expected {count}", None
            if found.shape == (count,):
                rows = _rows_around(np.flatnonzero(found != values))
                message = f"found {found[rows[0]]} in row {rows[0]}, expected {values[rows[0]]}"
            with log.at(key=key, rows=rows):
                log.error("verify-index", f"{where} {key}", message)
    times = numbers.get("timestamp")
    if times is None or times.shape != (count,):
        return
    exact = np.arange(count) / metadata.fps
    error = off_rows_s(times, metadata.fps)
    row = int(error.argmax())
    message = f"found {times[row]:.6f} s in row {row}, expected {exact[row]:.6f} s (row / fps, from 0 in each episode)"
    if error[row] >= 1e-4:
        with log.at(key="timestamp", rows=_rows_around(np.flatnonzero(error >= 1e-4))):
            log.error("verify-timestamps", where, message)
    elif error.any():
        with log.at(key="timestamp", rows=(row, row + 1)):
            log.warning("verify-timestamps", where, f"{message}; within LeRobot's tolerance")


def _check_tasks(metadata: DatasetMeta, episode: EpisodeMeta, numbers: dict[str, Values], log: FindingLog) -> None:
    if "task_index" not in numbers or metadata.tasks is None or not len(numbers["task_index"]):
        return
    used = np.unique(numbers["task_index"])
    where = f"episode {episode.index} task_index"
    if used[0] < 0 or used[-1] >= len(metadata.tasks):
        message = f"found {used[0]} to {used[-1]}, expected 0 to {len(metadata.tasks) - 1}, rows of meta/tasks.parquet"
        with log.at(key="task_index"):
            log.error("verify-tasks", where, message)
        return
    texts = {metadata.tasks[int(task)] for task in used}
    if texts != set(episode.tasks):
        expected = ", ".join(map(repr, sorted(episode.tasks)))
        message = f"found rows of {', '.join(map(repr, sorted(texts)))}, expected {expected} as in meta/episodes"
        with log.at(key="task_index"):
            log.error("verify-tasks", where, message)
