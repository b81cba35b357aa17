"""The metadata of a dataset that may be damaged, as far as anything can be read of it; nothing is required.

Reads the metadata of LeRobot v3.0 and of v2.x, which some tools write under the label v3.0.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from telecine.core.errors import metadata_error
from telecine.dataset.verify.reading import UNREADABLE
from telecine.lerobot_format import paths
from telecine.lerobot_format.metadata import (
    SPAN_COLUMNS,
    UNKNOWN_LENGTH,
    DatasetMeta,
    EpisodeMeta,
    FeatureMeta,
    VideoSpan,
    channels_last,
    names_of,
    video_keys,
)
from telecine.lerobot_format.paths import FileIndex
from telecine.lerobot_format.possible import LARGEST_FPS, number_problem
from telecine.lerobot_format.read import episode_files, lacks_dataset, no_info
from telecine.lerobot_format.schema import FACTS_FIELDS
from telecine.recovery.repair_log import RepairLog

LARGEST_JSON_BYTES = 64 << 20


def read_metadata(root: Path, log: RepairLog) -> DatasetMeta:
    """The metadata of `root`. Raises: MetadataError without an info.json that names fps and features."""
    info = _info(root)
    features = info.get("features")
    if problem := number_problem(info, "fps", LARGEST_FPS):
        raise metadata_error(root, paths.INFO, f"fps: {problem}; write it in and repair again")
    if not isinstance(features, dict) or not features:
        raise metadata_error(root, paths.INFO, f"names no features; {_COPY_INFO}")
    known = {str(key): _feature(str(key), entry) for key, entry in features.items() if isinstance(entry, dict)}
    episodes = {e.index: e for e in (*_episode_lines(root), *_episode_tables(root, known, log))}
    tasks, origins = _tasks(root, log), _provenance(root)
    return DatasetMeta(root, info, int(info["fps"]), known, tasks, tuple(episodes.values()), origins)


_COPY_INFO = "copy meta/info.json from another dataset that was recorded with the same features, and repair again"


def _info(root: Path) -> dict[str, Any]:
    path = root / paths.INFO
    if lacks_dataset(root) is not None:
        raise no_info(root)
    try:
        if path.stat().st_size > LARGEST_JSON_BYTES:
            raise metadata_error(root, paths.INFO, f"larger than {LARGEST_JSON_BYTES} bytes; is this a dataset?")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise metadata_error(root, paths.INFO, f"the file is missing; {_COPY_INFO}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise metadata_error(root, paths.INFO, f"cannot be read: {error}; {_COPY_INFO}") from error
    if not isinstance(content, dict):
        raise metadata_error(root, paths.INFO, f"holds {type(content).__name__}, expected an object; {_COPY_INFO}")
    return content


def _feature(key: str, entry: Mapping[str, Any]) -> FeatureMeta:
    """The feature as far as its entry can be understood; its shape may be empty and its dtype an unknown one."""
    sizes, info = entry.get("shape"), entry.get("info")
    dtype, shape = (
        str(entry.get("dtype")),
        tuple(n for n in sizes if isinstance(n, int)) if isinstance(sizes, list) else (),
    )
    shape, names = channels_last(dtype, shape, names_of(entry, shape))
    return FeatureMeta(key, dtype, shape, names, info if isinstance(info, dict) else {})


def _records(path: Path) -> list[dict[str, Any]]:
    """Rows of a small Parquet file, or lines of a JSON Lines file; what cannot be read is left out."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not name.startswith("stats/")]
            rows: list[dict[str, Any]] = file.read(names, use_threads=False).to_pylist()
            return rows
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def _read(root: Path, name: str, log: RepairLog) -> list[dict[str, Any]]:
    path = root / name
    if not path.is_file():
        return []
    try:
        return _records(path)
    except (*UNREADABLE, ValueError) as error:
        log.changed(name, f"cannot be read ({str(error).splitlines()[0]}); its contents are derived from the rows")
        return []


def _tasks(root: Path, log: RepairLog) -> dict[int, str]:
    """Text by task_index; pandas may have called the column of texts otherwise."""
    found: dict[int, str] = {}
    for record in _read(root, paths.V2_TASKS, log) + _read(root, paths.TASKS, log):
        number = record.get("task_index")
        texts = [record.get(name) for name in ("task", "__index_level_0__")]
        text = next((text for text in texts if isinstance(text, str)), None)
        if isinstance(number, int) and text is not None:
            found[number] = text
    return found


def _episode_lines(root: Path) -> Iterator[EpisodeMeta]:
    """v2.x: meta/episodes.jsonl."""
    path = root / paths.V2_EPISODES
    try:
        records = _records(path) if path.is_file() else []
    except (OSError, UnicodeDecodeError):
        return
    for record in records:
        if isinstance(record.get("episode_index"), int):
            yield EpisodeMeta(record["episode_index"], _count(record.get("length")), _texts(record.get("tasks")))


def _episode_tables(root: Path, features: Mapping[str, FeatureMeta], log: RepairLog) -> Iterator[EpisodeMeta]:
    """v3.0: meta/episodes."""
    facts = [name for name, _ in FACTS_FIELDS]
    for path in episode_files(root):
        for row in _read(root, path.relative_to(root).as_posix(), log):
            number = row.get("episode_index")
            if isinstance(number, int):
                spans = {key: span for key in video_keys(features.values()) if (span := _span(row, key)) is not None}
                own = {name: row[name] for name in facts if name in row}
                yield EpisodeMeta(number, _count(row.get("length")), _texts(row.get("tasks")), videos=spans, facts=own)


def _span(row: Mapping[str, Any], key: str) -> VideoSpan | None:
    chunk, file, start, stop = (row.get(f"videos/{key}/{name}") for name in SPAN_COLUMNS)
    if not isinstance(chunk, int) or not isinstance(file, int):
        return None
    if not isinstance(start, float) or not isinstance(stop, float) or not (abs(start) < 1e9 and abs(stop) < 1e9):
        return None
    return VideoSpan(FileIndex(chunk, file), start, stop)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _count(value: Any) -> int:
    return value if isinstance(value, int) else UNKNOWN_LENGTH


def _provenance(root: Path) -> dict[int, dict[str, Any]]:
    """Where telecine said that the episodes came from; nothing for datasets of others."""
    try:
        records = _records(root / paths.PROVENANCE)
    except (*UNREADABLE, ValueError):
        return {}
    return {r["episode_index"]: r for r in records if isinstance(r.get("episode_index"), int)}
