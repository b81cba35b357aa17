"""Whether the metadata of a dataset is whole, and what it holds: info.json, tasks, episodes, the list of files."""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.stats import STATISTICS
from telecine.core.text.numbers import counted
from telecine.dataset.verify.finding_log import REPAIR, FindingLog
from telecine.dataset.verify.reading import UNREADABLE, measured, read_json, read_table
from telecine.lerobot_format.episode_table import EpisodeTable
from telecine.lerobot_format.metadata import (
    CAMERA_DTYPES,
    EPISODE_COLUMNS,
    OWN_FILE_COLUMNS,
    V2_VERSIONS,
    DatasetMeta,
    EpisodeMeta,
    FeatureMeta,
    channels_last,
    names_of,
    span_columns,
)
from telecine.lerobot_format.paths import (
    DATA_PATH,
    EPISODES_PATH,
    INFO,
    MODALITY,
    TASKS,
    V2_EPISODES,
    VERSION,
    VIDEO_PATH,
    FileIndex,
    data_path,
    file_index_of,
    video_path,
)
from telecine.lerobot_format.possible import (
    COUNTING_NUMBER,
    LARGEST_FPS,
    NUMBERS,
    entry_problem,
    episodes_problem,
    number_problem,
    positive_int,
    positive_number,
)
from telecine.lerobot_format.read import episode_files
from telecine.lerobot_format.schema import INDEX_COLUMNS
from telecine.lerobot_format.video_spans import length_problem


def check_meta(root: Path, log: FindingLog) -> DatasetMeta | None:
    """The metadata; None when too little of it can be understood to look further."""
    info = read_json(root, INFO, log)
    if info is None or not _info_is_usable(info, root, log):
        return None
    features = _features(info["features"], log)
    tasks = _tasks(root, info, log)
    fps = int(info["fps"])
    episodes = _episodes(root, fps, [key for key, f in features.items() if f.dtype == "video"], log)
    if episodes is None:
        return None
    metadata = DatasetMeta(root, info, fps, features, tasks, episodes)
    _check_statistics_columns(metadata, log)
    _check_counts(metadata, log)
    _check_episodes(metadata, log)
    _check_files(metadata, log)
    return metadata


def _not_judged(version: str, root: Path, log: FindingLog) -> None:
    """A layout that may be what was asked for (`--layout`), and whose files are none of those checked here."""
    gr00t = " for GR00T" if (root / MODALITY).is_file() else ""
    text = f"LeRobot {version}{gr00t}, a file for each episode; verify judges v3.0 only"
    old, new = shlex.quote(str(root)), shlex.quote(f"{root}_v3")
    fix = (
        f"telecine convert {old} {new} && telecine verify {new} --against {old}, which reads every row and video of it"
    )
    log.error("verify-version", f"{INFO} codebase_version", text, fix)


def _info_is_usable(info: dict[str, Any], root: Path, log: FindingLog) -> bool:
    def wrong(key: str, expected: str) -> None:
        log.error("verify-structure", f"{INFO} {key}", f"found {info.get(key)!r}, expected {expected}")

    version = info.get("codebase_version")
    if version in V2_VERSIONS and (root / V2_EPISODES).is_file():
        _not_judged(version, root, log)
        return False
    usable = version == VERSION
    if not usable:
        wrong("codebase_version", repr(VERSION))
    if problem := number_problem(info, "fps", LARGEST_FPS):
        log.error("verify-structure", f"{INFO} fps", problem)
        usable = False
    if not isinstance(info.get("features"), dict) or not info["features"]:
        wrong("features", "an object with an entry per feature")
        return False
    for key in ("total_episodes", "total_frames", "total_tasks"):
        if not positive_int(info.get(key)):
            log.error("verify-counts", f"{INFO} {key}", f"found {info.get(key)!r}, expected {COUNTING_NUMBER}")
    if not positive_int(info.get("chunks_size", 1)):
        wrong("chunks_size", COUNTING_NUMBER)
    for key in ("data_files_size_in_mb", "video_files_size_in_mb"):
        if not positive_number(info.get(key, 1)):
            wrong(key, "a positive number")
    has_video = any(isinstance(f, dict) and f.get("dtype") == "video" for f in info["features"].values())
    if info.get("data_path") != DATA_PATH:
        wrong("data_path", f"{DATA_PATH!r}, which LeRobot's tools take for granted")
    if info.get("video_path") not in ((VIDEO_PATH,) if has_video else (VIDEO_PATH, None)):  # LeRobot writes both
        wrong("video_path", repr(VIDEO_PATH))
    splits = {"train": f"0:{info.get('total_episodes')}"}
    if info.get("splits") != splits:
        log.warning("verify-structure", f"{INFO} splits", f"found {info.get('splits')!r}, expected {splits!r}")
    return usable


def _features(entries: dict[str, Any], log: FindingLog) -> dict[str, FeatureMeta]:
    features = {}
    for key, entry in entries.items():
        problem = entry_problem(entry)
        if problem:
            log.error("verify-structure", f"{INFO} features {key}", problem)
            continue
        shape, info = tuple(entry["shape"]), entry.get("info")
        shape, names = channels_last(entry["dtype"], shape, names_of(entry, shape))
        feature = FeatureMeta(key, entry["dtype"], shape, names, info if isinstance(info, dict) else {})
        _check_feature(feature, entry, log)
        features[key] = feature
    for key, dtype in ((column.key, column.dtype) for column in INDEX_COLUMNS):
        found = features.get(key)
        if found is None or (found.dtype, found.shape) != (dtype, (1,)):
            metadata = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
            log.error("verify-structure", f"{INFO} features {key}", f"found {metadata}, expected {dtype} [1]")
    if "action" not in features:
        log.warning(
            "verify-structure", f"{INFO} features", "no feature is named action, which every policy learns",
            "name the plan's action feature `action`",
        )  # fmt: skip
    return features


def _check_feature(feature: FeatureMeta, entry: dict[str, Any], log: FindingLog) -> None:
    where, names, shape = f"{INFO} features {feature.key}", entry.get("names"), feature.shape
    rename = "name it differently in the plan"
    if "/" in feature.key:
        log.error("verify-structure", where, "found a name with '/', which LeRobot uses as a separator", rename)
    if "names" not in entry:
        log.error("verify-structure", where, "found no names, expected a list or null")
    if feature.dtype in CAMERA_DTYPES:
        if not isinstance(names, list) or len(names) != 3 or len(shape) != 3:
            log.error(
                "verify-structure", where,
                f"found names {names!r} and shape {list(shape)}, expected ['height', 'width', 'channels'] and three "
                "sizes; policies look for the channels there",
            )  # fmt: skip
        if not feature.key.startswith("observation."):
            log.error("verify-structure", where, "a camera that policies do not see", "name it observation.images.*")
    elif isinstance(names, list) and len(shape) == 1 and feature.dtype in NUMBERS and len(names) != shape[0]:
        log.warning("verify-structure", where, f"found {counted(len(names), 'name')}, expected {shape[0]}")
    if feature.dtype in ("bool", "string") and feature.key.startswith(("observation", "action")):
        log.error(
            "verify-structure", where,
            f"found {feature.dtype}, expected a number: every observation* and action* is an input of the policy",
            rename,
        )  # fmt: skip


def _tasks(root: Path, info: dict[str, Any], log: FindingLog) -> dict[int, str] | None:
    table = read_table(root, TASKS, log)
    if table is None:
        return None
    index = _pandas_index(table)
    if index is None:
        log.error(
            "verify-tasks", TASKS,
            "found no pandas metadata that makes the task text the index, so LeRobot would hand out numbers as tasks",
        )  # fmt: skip
        index = "task"
    missing = {"task_index", index} - set(table.column_names)
    if missing:
        log.error("verify-structure", TASKS, f"found columns {table.column_names}, expected task_index and task")
        return None
    tasks, numbers = table.column(index).to_pylist(), table.column("task_index").to_pylist()
    if not all(isinstance(task, str) for task in tasks):
        log.error("verify-tasks", TASKS, f"found tasks of type {table.column(index).type}, expected strings")
        return None
    if numbers != list(range(len(numbers))):
        log.error(
            "verify-tasks", TASKS,
            f"found task_index {_few(numbers)}, expected 0 to {len(numbers) - 1} in order: LeRobot goes by position",
        )  # fmt: skip
    twice = sorted({task for task in tasks if tasks.count(task) > 1}) if len(set(tasks)) < len(tasks) else []
    if twice:
        log.error("verify-tasks", TASKS, f"found {_few(twice)} more than once, expected each task once")
    if len(tasks) != info.get("total_tasks"):
        log.error("verify-counts", f"{INFO} total_tasks", f"found {info.get('total_tasks')}, expected {len(tasks)}")
    return dict(enumerate(tasks))


def _pandas_index(table: pa.Table) -> str | None:
    """The column that pandas makes the index, when its metadata is complete."""
    try:
        metadata = json.loads((table.schema.metadata or {})[b"pandas"])
        (index,) = metadata["index_columns"]
        described = {column["field_name"] for column in metadata["columns"]}
    except (KeyError, ValueError, TypeError):
        return None
    return index if isinstance(index, str) and index in described & set(table.column_names) else None


def _episodes(root: Path, fps: int, videos: list[str], log: FindingLog) -> tuple[EpisodeMeta, ...] | None:
    files = episode_files(root)
    if not files:
        log.error("verify-structure", "meta/episodes", "found no */*.parquet, expected a row per episode")
        return None
    tables: list[pa.Table] = []
    for path in files:
        name = path.relative_to(root).as_posix()
        table = _episodes_table(root, name, fps, videos, log)
        if table is None:
            return None
        _check_own_file(name, table, log)
        tables.append(table)
    return tuple(EpisodeTable(tables, videos))


def _episodes_table(root: Path, name: str, fps: int, videos: list[str], log: FindingLog) -> pa.Table | None:
    """The columns that say where episodes are; None, with a finding, when they cannot be used."""
    expected = EPISODE_COLUMNS | OWN_FILE_COLUMNS | span_columns(videos)
    table = read_table(root, name, log)
    if table is None or not _episode_columns_fit(name, table.schema, expected, log):
        return None
    table = _as_expected(name, table.select(list(expected)), expected, log)
    if table is None:
        return None
    for column in (c for c in expected if table.column(c).null_count):
        row = next(at for at, value in enumerate(table.column(column)) if not value.is_valid)
        log.error("verify-values", f"{name} {column}", f"found a null in row {row}, expected {expected[column]}")
        return None
    if problem := episodes_problem(table, fps, videos):
        log.error("verify-structure", name, problem)
        return None
    return table


def _check_own_file(name: str, table: pa.Table, log: FindingLog) -> None:
    """Whether the episodes say that they are in the file that they are in."""
    file_index = file_index_of(name)
    if file_index is None:
        log.error("verify-structure", name, f"stray file: expected names like {EPISODES_PATH}")
        return
    stated = zip(*(table.column(column).to_pylist() for column in OWN_FILE_COLUMNS), strict=True)
    for number, own in zip(table.column("episode_index").to_pylist(), stated, strict=True):
        if own != (file_index.chunk, file_index.file):
            message = f"found meta/episodes file {_name(FileIndex(*own))}, expected {_name(file_index)}"
            log.error("verify-index", f"{name} episode {number}", message)


def _episode_columns_fit(name: str, schema: pa.Schema, expected: dict[str, pa.DataType], log: FindingLog) -> bool:
    usable = True
    for column, kind in expected.items():
        if column not in schema.names:
            log.error("verify-structure", name, f"found no column {column}, expected {kind}")
            usable = False
        elif schema.field(column).type != kind:
            log.error("verify-structure", f"{name} {column}", f"found {schema.field(column).type}, expected {kind}")
    return usable


def _as_expected(name: str, table: pa.Table, expected: dict[str, pa.DataType], log: FindingLog) -> pa.Table | None:
    """The columns with the types expected; None, with a finding, when their values are others."""
    try:
        return arrow.as_schema(table, pa.schema(list(expected.items())))
    except (pa.ArrowException, ValueError) as error:
        log.error("verify-structure", name, f"its values are not those of its columns: {str(error).splitlines()[0]}")
        return None


def _check_statistics_columns(metadata: DatasetMeta, log: FindingLog) -> None:
    expected = {f"stats/{key}/{name}" for key in measured(metadata) for name in STATISTICS}
    for path in episode_files(metadata.root):
        name = path.relative_to(metadata.root).as_posix()
        schema = pq.read_schema(path)
        missing = sorted(expected - set(schema.names))
        if missing:
            log.error("verify-stats", name, f"found no {_few(missing)}, which merging and splitting need")


def _check_counts(metadata: DatasetMeta, log: FindingLog) -> None:
    frames = sum(episode.length for episode in metadata.episodes)
    for key, found in (("total_episodes", len(metadata.episodes)), ("total_frames", frames)):
        if metadata.info.get(key) != found:
            log.error(
                "verify-counts",
                f"{INFO} {key}",
                f"found {metadata.info.get(key)}, expected {found} as in meta/episodes",
            )


def _check_episodes(metadata: DatasetMeta, log: FindingLog) -> None:
    first = 0
    for position, episode in enumerate(metadata.episodes):
        with log.at(episode=episode.index):
            _check_episode(metadata, position, first, log)
        first += episode.length


def _check_episode(metadata: DatasetMeta, position: int, first: int, log: FindingLog) -> None:
    episode = metadata.episodes[position]
    where = f"meta/episodes episode {episode.index}"
    if episode.index != position:
        message = f"found in row {position}, expected in row {episode.index}: LeRobot goes by position"
        log.error("verify-index", where, message)
    if (episode.first_row, episode.stop_row) != (first, first + episode.length) or episode.length < 1:
        log.error(
            "verify-index", where,
            f"found rows [{episode.first_row}, {episode.stop_row}) and length {episode.length}, expected rows "
            f"[{first}, {first + episode.length})",
        )  # fmt: skip
    unknown = [task for task in episode.tasks if metadata.tasks is not None and task not in metadata.task_texts]
    if unknown or not episode.tasks:
        log.error("verify-tasks", where, f"found tasks {_few(episode.tasks)}, expected tasks of {TASKS}")
    for key in episode.videos:
        if message := length_problem(key, episode, metadata.fps):
            with log.at(key=key):
                log.error("verify-video", f"{where} {key}", message)


def _check_files(metadata: DatasetMeta, log: FindingLog) -> None:
    """Missing and stray files, and numbers with holes: LeRobot loads whatever it finds under data/."""
    data = [episode.data for episode in metadata.episodes]
    named = {data_path(index) for index in data}
    found = {path.relative_to(metadata.root).as_posix() for path in (metadata.root / "data").glob("*/*.parquet")}
    _compare("data", named, {n for n in sorted(found) if n in named or not _has_rows(metadata.root, n, log)}, log)
    _check_order("data", data, log)
    named, found = set(), set()
    for key in metadata.videos:
        file_indexes = [episode.videos[key].file_index for episode in metadata.episodes]
        named |= {video_path(key, index) for index in file_indexes}
        _check_order(f"videos/{key}", file_indexes, log)
    found = {p.relative_to(metadata.root).as_posix() for p in (metadata.root / "videos").rglob("*") if p.is_file()}
    _compare("videos", named, found, log)
    left = [p for p in (metadata.root / "images").rglob("*") if p.is_file()]
    if left:
        log.error(
            "verify-structure",
            "images",
            f"found {counted(len(left), 'file')} left over from recording",
            "remove images/",
        )
    own = (file_index_of(path.as_posix()) for path in episode_files(metadata.root))
    _check_order("meta/episodes", (index for index in own if index is not None), log)


def _compare(where: str, named: set[str], found: set[str], log: FindingLog) -> None:
    for path in sorted(named - found):
        log.error("verify-structure", path, "the file is missing, expected by meta/episodes")
    for path in sorted(found - named):
        why = "LeRobot would load it" if where == "data" else "nothing refers to it"
        log.error("verify-structure", path, f"stray file in {where}/: {why}")


def _has_rows(root: Path, name: str, log: FindingLog) -> bool:
    """Whether a file of rows that no episode names holds any: then it is the metadata that is wrong."""
    try:
        rows = int(pq.read_metadata(root / name).num_rows)
    except UNREADABLE:
        return False
    if rows:
        log.error(
            "verify-structure", name, f"holds {counted(rows, 'row')}, but meta/episodes places no episode in it", REPAIR
        )
    return rows > 0


def _check_order(where: str, file_indexes: Iterable[FileIndex], log: FindingLog) -> None:
    """Files are numbered in the order of the episodes; LeRobot leaves holes, and loads them."""
    before = FileIndex()
    for index in file_indexes:
        if index < before:
            log.error("verify-structure", where, f"found file {_name(index)} after {_name(before)}, expected it before")
            return
        before = index


def _name(index: FileIndex) -> str:
    return f"chunk-{index.chunk:03d}/file-{index.file:03d}"


def _few(items: Iterable[Any]) -> str:
    listed = list(items)
    return ", ".join(map(str, listed[:5])) + (f" ... ({len(listed)})" if len(listed) > 5 else "")
