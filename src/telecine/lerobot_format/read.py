"""Reads a dataset's metadata, versions 2.0 to 3.0, and refuses what is damaged, by name; its rows: row_files.py.

Trusts what it can read; `dataset/verify` is what checks it. Files are found by the templates of info.json.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.errors import DatasetError, metadata_error, raised_as
from telecine.core.grid import Rows
from telecine.core.stats import STATISTICS
from telecine.core.text.numbers import counted
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
    path_of,
    span_columns,
    video_keys,
)
from telecine.lerobot_format.paths import FileIndex
from telecine.lerobot_format.possible import (
    LARGEST_COUNT,
    LARGEST_FPS,
    LONGEST_S,
    entry_problem,
    episodes_problem,
    number_problem,
    refuse_constant,
)
from telecine.lerobot_format.schema import FACTS_FIELDS

VERSIONS = (*V2_VERSIONS, paths.VERSION)
_BATCH = 100
_INCOMPLETE = "the dataset is not complete; see what `telecine repair` can save"
_ODD_VALUES = (KeyError, TypeError, ValueError, AttributeError)
"""What values of another kind than expected raise."""


def read_dataset(root: Path) -> DatasetMeta:
    """All metadata. Raises: MetadataError."""
    info = read_info(root)
    features = read_features(root, info)
    tasks = read_tasks(root, info)
    return DatasetMeta(root, info, int(info["fps"]), features, tasks, read_episodes(root, info, features))


NAME_ONE = "name the folder of a dataset"
"""What to do where there is none."""


def lacks_dataset(root: Path) -> tuple[str, str] | None:
    """(what is at `root`, what to do) where no part of a dataset is; None where there is one, whole or damaged."""
    if not root.exists():
        return "there is no such folder", NAME_ONE
    if not root.is_dir():
        return "this is a file", f"{NAME_ONE}, which `telecine convert` makes of recordings"
    if not any((root / part).is_dir() for part in ("data", "meta", "videos")):
        return (
            f"not a LeRobot dataset ({paths.INFO} is missing)",
            f"{NAME_ONE}, which `telecine convert` makes of recordings",
        )
    return None


def no_info(root: Path) -> DatasetError:
    """The error where there is no info.json to read."""
    what, fix = lacks_dataset(root) or (
        f"not a LeRobot dataset ({paths.INFO} is missing)",
        f"see what `telecine repair {shlex.quote(str(root))}` can save",
    )
    return DatasetError(f"{root}: {what}; {fix}")


def read_info(root: Path, versions: tuple[str, ...] = VERSIONS) -> dict[str, Any]:
    """info.json. Raises: DatasetError: it is missing, damaged or of another version."""
    path = root / paths.INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise no_info(root) from error
    except (OSError, ValueError, RecursionError) as error:
        raise metadata_error(root, paths.INFO, f"cannot be read: {error}") from error
    if not isinstance(info, dict):
        raise metadata_error(root, paths.INFO, f"holds {type(info).__name__}, expected an object")
    version = info.get("codebase_version")
    if version not in versions:
        first = f"telecine convert {root} NEW" if version in V2_VERSIONS else "convert it with LeRobot"
        expected = " or ".join(map(repr, versions))
        raise metadata_error(root, paths.INFO, f"version {version!r}, expected {expected}; first {first}")
    return dict(info)


def read_features(root: Path, info: Mapping[str, Any], needed: Sequence[str] = ("fps",)) -> dict[str, FeatureMeta]:
    """The features by key, in order. Raises: MetadataError without them or a number that is needed."""
    for name in needed:
        if problem := number_problem(info, name, LARGEST_FPS if name == "fps" else LARGEST_COUNT):
            raise metadata_error(root, paths.INFO, f"{name}: {problem}")
    entries = info.get("features")
    if not isinstance(entries, dict) or not entries:
        raise metadata_error(root, paths.INFO, f"features: found {entries!r}, expected an object with an entry each")
    for key, entry in entries.items():
        if problem := entry_problem(entry):
            raise metadata_error(root, paths.INFO, f"features {key}: {problem}")
    features = {key: feature_of(key, entry) for key, entry in entries.items()}
    _check_templates(root, info, video_keys(features.values()))
    return features


def _check_templates(root: Path, info: Mapping[str, Any], videos: Iterable[str]) -> None:
    """Before an episode is read: names of files must not lead out of the folder. Raises: MetadataError."""
    for name, key in (("data_path", ""), *(("video_path", key) for key in videos)):
        template = info.get(name)
        try:
            if not isinstance(template, str):
                raise ValueError(f"found {template!r}, expected a text such as {paths.DATA_PATH}")
            path_of(template, FileIndex(), key)
        except ValueError as error:
            raise metadata_error(root, paths.INFO, f"{name}: {error}") from error


def read_tasks(root: Path, info: Mapping[str, Any]) -> dict[int, str]:
    """Text by task_index, in order. Raises: MetadataError."""
    if info["codebase_version"] in V2_VERSIONS:
        lines = _lines(root, paths.V2_TASKS)
        with metadata_errors(root, paths.V2_TASKS, *_ODD_VALUES):
            found = {int(line["task_index"]): str(line["task"]) for line in lines}
    else:
        table = read_table(root, paths.TASKS, None)
        texts = [name for name in table.column_names if name != "task_index"]
        if len(texts) != 1 or "task_index" not in table.column_names:
            missing = "task" if "task_index" in table.column_names else "task_index"
            raise metadata_error(root, paths.TASKS, f"has no column {missing}")
        table = _typed(root, paths.TASKS, table, {"task_index": pa.int64(), texts[0]: pa.string()})
        numbers, texts = (column.to_pylist() for column in table.columns)
        found = dict(zip(numbers, texts, strict=True))
    return dict(sorted(found.items()))


def read_episodes(root: Path, info: Mapping[str, Any], features: Mapping[str, FeatureMeta]) -> tuple[EpisodeMeta, ...]:
    """All episodes, in order of files and rows. Raises: MetadataError."""
    if info["codebase_version"] in V2_VERSIONS:
        videos = video_keys(features.values())
        lines = _lines(root, paths.V2_EPISODES)
        if problem := number_problem(info, "chunks_size"):
            raise metadata_error(root, paths.INFO, f"chunks_size: {problem}")
        with metadata_errors(root, paths.V2_EPISODES, *_ODD_VALUES):
            return tuple(_v2_episodes(sorted(lines, key=lambda e: int(e["episode_index"])), info, videos))
    return tuple(read_episode_table(root, info, features))


def read_episode_table(root: Path, info: Mapping[str, Any], features: Mapping[str, FeatureMeta]) -> EpisodeTable:
    """All episodes of version 3.0, each made when it is asked for. Raises: MetadataError."""
    files = episode_files(root)
    if not files:
        raise metadata_error(root, "meta/episodes", "holds no Parquet file; the dataset is not complete")
    videos = video_keys(features.values())
    columns = EPISODE_COLUMNS | span_columns(videos)
    tables = []
    for path in files:
        name = path.relative_to(root).as_posix()
        table = read_table(root, name, [*columns], [fact for fact, _ in FACTS_FIELDS])
        typed = _typed(root, name, table, columns)
        if problem := episodes_problem(typed, int(info["fps"]), videos):
            raise metadata_error(root, name, problem)
        tables.append(_with_facts(typed, table))
    return EpisodeTable(tables, videos)


def _with_facts(typed: pa.Table, table: pa.Table) -> pa.Table:
    """`typed` with the facts that `table` states; columns that only have the name of one are another's."""
    for name, kind in FACTS_FIELDS:
        if name in table.column_names:
            with suppress(pa.ArrowException, ValueError):
                own = arrow.as_schema(table.select([name]), pa.schema([(name, kind)]))
                typed = typed.append_column(name, own.column(name))
    return typed


def _typed(root: Path, name: str, table: pa.Table, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """These columns with these types and no nulls. Raises: MetadataError when they hold something else."""
    try:
        found = arrow.as_schema(table.select(list(columns)), pa.schema(list(columns.items())))
    except (pa.ArrowException, ValueError) as error:
        raise metadata_error(root, name, f"its columns hold other values than expected: {error}") from error
    empty = [name for name in columns if found.column(name).null_count]
    if empty:
        raise metadata_error(root, name, f"has nulls in {', '.join(empty)}")
    return found


@contextmanager
def metadata_errors(root: Path, path: str, *causes: type[BaseException]) -> Iterator[None]:
    """Inside it, `causes` become the MetadataError of a file that cannot be read."""
    try:
        yield
    except causes as error:
        told = repr(error) if isinstance(error, KeyError) else f"{error}" or repr(error)
        raise metadata_error(root, path, f"cannot be read: {told}") from error


def _v2_episodes(
    lines: list[dict[str, Any]], info: Mapping[str, Any], videos: tuple[str, ...]
) -> Iterator[EpisodeMeta]:
    first, fps = 0, int(info["fps"])
    chunks_size = int(info["chunks_size"])
    for line in lines:
        if problem := number_problem(line, "length", LONGEST_S * fps):
            raise ValueError(f"episode {line['episode_index']}: length: {problem}")
        number, length = int(line["episode_index"]), int(line["length"])
        index = FileIndex(number // chunks_size, number)
        span = VideoSpan(index, 0.0, length / fps)
        tasks = tuple(map(str, line.get("tasks", ())))
        yield EpisodeMeta(number, length, tasks, index, first, first + length, dict.fromkeys(videos, span))
        first += length


def _lines(root: Path, path: str) -> list[dict[str, Any]]:
    with metadata_errors(root, path, OSError, ValueError, TypeError, RecursionError):
        texts = (root / path).read_text(encoding="utf-8").splitlines()
        return [dict(json.loads(text)) for text in texts if text.strip()]


def episode_files(root: Path) -> list[Path]:
    """The files of meta/episodes, in order."""
    return sorted((root / "meta" / "episodes").glob("*/*.parquet"))


def read_episodes_table(root: Path, wanted: Callable[[str], bool] | None = None) -> pa.Table:
    """meta/episodes as one table in the order of episode_index: all columns, or those `wanted` of the first file's.

    Raises: DatasetError.
    """
    files = episode_files(root)
    if not files:
        raise DatasetError(f"{root}: meta/episodes holds no Parquet file; {_INCOMPLETE}")
    causes = (OSError, pa.ArrowException)
    with raised_as(DatasetError, f"{root}: meta/episodes cannot be read", *causes), pq.ParquetFile(files[0]) as first:
        names = None if wanted is None else [*filter(wanted, first.schema_arrow.names), "episode_index"]
        table = pa.concat_tables([first.read(names), *(_columns(path, names) for path in files[1:])])
    order = np.argsort(_episode_numbers(root, table), kind="stable")
    return table if (order == np.arange(len(order))).all() else table.take(order)


def _episode_numbers(root: Path, table: pa.Table) -> Rows:
    where = f"{root}: meta/episodes episode_index"
    if "episode_index" not in table.column_names:
        raise DatasetError(f"{where}: found no such column, which says which row is which episode")
    column = table.column("episode_index").combine_chunks()
    if column.null_count or not pa.types.is_integer(column.type):
        raise DatasetError(
            f"{where}: found {column.type} with {counted(column.null_count, 'null')}, expected whole numbers"
        )
    numbers: Rows = arrow.to_numpy(column)
    return numbers


def _columns(path: Path, names: list[str] | None) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(names)


def existing(root: Path, path: str | Path) -> Path:
    """The file at `path` below `root`. Raises: DatasetError when it is not there."""
    if not (root / path).is_file():
        raise DatasetError(f"{root / path}: missing; {_INCOMPLETE}")
    return root / path


def read_table(root: Path, path: str | Path, columns: list[str] | None, optional: Sequence[str] = ()) -> pa.Table:
    """A Parquet file, all columns or those named; of `optional` ones those it has. Raises: MetadataError."""
    try:
        with pq.ParquetFile(root / path) as file:
            there = set(file.schema_arrow.names)
            missing = sorted(set(columns or ()) - there)
            if missing:
                raise metadata_error(root, path, f"has no column {', '.join(missing)}")
            return file.read(None if columns is None else [*columns, *(n for n in optional if n in there)])
    except FileNotFoundError as error:
        raise metadata_error(root, path, "missing; the dataset is not complete") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise metadata_error(root, path, f"cannot be read: {error}") from error


def read_statistics(root: Path, keys: Sequence[str] | None = None) -> Iterator[dict[str, dict[str, Any]]]:
    """The statistics of each episode by feature and name, as meta/episodes has them, in order; of `keys`, if given.

    Raises: OSError or pyarrow's errors.
    """
    for path in episode_files(root):
        with pq.ParquetFile(path) as file:
            names = [n for n in file.schema_arrow.names if n.startswith("stats/")]
            names = [n for n in names if keys is None or n.split("/", 1)[1].rpartition("/")[0] in keys]
            for batch in file.iter_batches(_BATCH, columns=names):
                yield from map(by_feature, batch.to_pylist())


def read_statistics_of(root: Path, episodes: Sequence[int]) -> list[dict[str, dict[str, Any]]]:
    """As `read_statistics`, of some episodes. Raises: DatasetError."""
    table = read_episodes_table(root, lambda name: name.startswith("stats/"))
    return [by_feature(row) for row in table.take(arrow.array(episodes, pa.int64())).to_pylist()]


def by_feature(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Statistics of one row of meta/episodes by feature and name."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        key, _, statistic = name.removeprefix("stats/").rpartition("/")
        if statistic in STATISTICS:
            found.setdefault(key, {})[statistic] = value
    return found
