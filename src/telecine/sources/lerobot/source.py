"""LeRobot datasets (v2.0, v2.1, v3.0) as recordings, one per episode: to change rate or features, or to merge several.

Frame i of an episode was at i / fps. Streams are called /FEATURE; the task is the text stream /task. Cameras are the
packets of their video files, so that they can be copied. Depth videos are left out, with a note, since a dataset of
telecine could not hold them. Trusts the metadata, but for names of files, which must stay in the dataset's folder, and
numbers that ask for memory; `telecine verify` and `telecine repair` are for what does not deserve it.
Format: lerobot 0.6 `lerobot/datasets`, and its script `convert_dataset_v21_to_v30`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telecine.core.errors import SourceError, raised_as
from telecine.core.grid import Grid
from telecine.core.naming import file_below
from telecine.core.recording import Array, Recording, Ref, Stream
from telecine.sources.format import Found
from telecine.sources.shared.arrays import ArrayPart, CompressedArray, NumberArray, TextArray, Timing
from telecine.sources.shared.video_file import VideoFileStream

NAME = "lerobot"
SUFFIXES: tuple[str, ...] = ()
_INFO = "meta/info.json"
_VERSIONS = ("v2.0", "v2.1", "v3.0")
_OWN = ("timestamp", "frame_index", "episode_index", "index", "task_index")
"""Columns that every dataset has and every writer makes anew."""
_FASTEST_FPS, _LONGEST_S = 10_000, 86_400
"""What a dataset may say of itself: beyond, it is damaged, and its rows would not fit into memory."""
_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException)


def claims(path: str) -> bool:
    """True for the folder of a dataset."""
    info = Path(path) / _INFO
    return info.is_file() and b'"codebase_version"' in info.read_bytes()


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per episode; see `Format.index`."""
    del recover, token
    dataset = _opened(path)
    total = sum(e.length for e in dataset.episodes) or 1
    size = sum(f.stat().st_size for f in Path(path).rglob("*") if f.is_file() and f.suffix in (".parquet", ".mp4"))
    refs = (Ref(NAME, path, f"/episode_{e.index}", size * e.length // total) for e in dataset.episodes)
    return Found(tuple(refs))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode that `ref` names; see `Format.open`."""
    dataset = _opened(ref.path)
    episode = next((e for e in dataset.episodes if f"/episode_{e.index}" == ref.id), None)
    if episode is None:
        raise SourceError(f"{ref.path}: holds no episode {ref.id!r}, only {len(dataset.episodes)}")
    with raised_as(SourceError, f"{ref.label}: cannot be read", *_READ_ERRORS):
        streams, notes = _streams(dataset, episode, ref.label)
    attrs = {"layout": dataset.version, "fps": str(dataset.fps)}
    if dataset.robot_type:
        attrs["robot_type"] = dataset.robot_type
    features = {key: (f"/{key}",) for key in dataset.features if f"/{key}" in streams and key not in _OWN}
    rows = Grid(0, episode.length, Fraction(dataset.fps))
    return Recording(ref, streams, attrs, notes, None, features, rows=rows)


@dataclass(frozen=True, slots=True)
class _Episode:
    root: Path
    index: int
    length: int
    rows: Path
    films: Mapping[str, tuple[Path, int]]
    """Camera -> (file, number of the episode's first picture in it)."""


@dataclass(frozen=True, slots=True)
class _Dataset:
    root: Path
    version: str
    fps: int
    robot_type: str | None
    features: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[int, str]
    episodes: tuple[_Episode, ...]


def _opened(path: str) -> _Dataset:
    info = Path(path) / _INFO
    try:
        return _read(path, info.stat().st_mtime_ns)
    except SourceError:
        raise
    except _READ_ERRORS as error:
        raise SourceError(f"{path}: its metadata cannot be read: {error}") from error


@lru_cache(maxsize=4)
def _read(path: str, changed_ns: int) -> _Dataset:
    """The metadata, kept for the other episodes of the dataset as long as it does not change."""
    del changed_ns
    root = Path(path)
    info = json.loads((root / _INFO).read_text(encoding="utf-8"))
    version = str(info["codebase_version"])
    if version not in _VERSIONS:
        raise SourceError(f"{path}: is a LeRobot dataset {version}; telecine reads {', '.join(_VERSIONS)}")
    reader = _v3 if version == "v3.0" else _v2
    fps = int(info["fps"])
    if not 0 < fps <= _FASTEST_FPS:
        raise SourceError(f"{path}: fps is {fps}, expected 1 to {_FASTEST_FPS}")
    tasks, told = reader(root, info)
    episodes = tuple(told)
    for episode in episodes:
        if not 0 < episode.length <= _LONGEST_S * fps:
            raise SourceError(
                f"{path}: episode {episode.index} has {episode.length} rows, expected 1 to 24 hours of them"
            )
    return _Dataset(root, version, fps, info.get("robot_type"), info["features"], tasks, episodes)


def _videos(info: Mapping[str, Any]) -> list[str]:
    return [key for key, entry in info["features"].items() if entry["dtype"] == "video"]


def _v3(root: Path, info: Mapping[str, Any]) -> tuple[dict[int, str], Iterator[_Episode]]:
    with pq.ParquetFile(root / "meta" / "tasks.parquet") as file:
        table = file.read()
    (text,) = (name for name in table.column_names if name != "task_index")
    tasks = dict(zip(table.column("task_index").to_pylist(), table.column(text).to_pylist(), strict=True))
    return tasks, _episodes_v3(root, info)


def _episodes_v3(root: Path, info: Mapping[str, Any]) -> Iterator[_Episode]:
    names = ["episode_index", "length", "data/chunk_index", "data/file_index"]
    for key in _videos(info):
        names += [f"videos/{key}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")]
    for path in sorted((root / "meta" / "episodes").glob("*/*.parquet")):
        with pq.ParquetFile(path) as file:
            told = file.read(columns=names)
        for row in told.to_pylist():
            place = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
            films = {}
            for key in _videos(info):
                at = {part: row[f"videos/{key}/{part}"] for part in ("chunk_index", "file_index")}
                first = round(row[f"videos/{key}/from_timestamp"] * int(info["fps"]))
                films[key] = (root / file_below(info["video_path"], video_key=key, **at), first)
            rows = root / file_below(info["data_path"], **place)
            yield _Episode(root, row["episode_index"], row["length"], rows, films)


def _v2(root: Path, info: Mapping[str, Any]) -> tuple[dict[int, str], Iterator[_Episode]]:
    tasks = {int(t["task_index"]): str(t["task"]) for t in _lines(root / "meta" / "tasks.jsonl")}
    return tasks, _episodes_v2(root, info)


def _episodes_v2(root: Path, info: Mapping[str, Any]) -> Iterator[_Episode]:
    for told in _lines(root / "meta" / "episodes.jsonl"):
        number = int(told["episode_index"])
        at = {"episode_chunk": number // int(info["chunks_size"]), "episode_index": number}
        films = {key: (root / file_below(info["video_path"], video_key=key, **at), 0) for key in _videos(info)}
        yield _Episode(root, number, int(told["length"]), root / file_below(info["data_path"], **at), films)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _streams(dataset: _Dataset, episode: _Episode, label: str) -> tuple[dict[str, Stream], tuple[tuple[str, str], ...]]:
    timing = Timing(Fraction(dataset.fps))
    streams: list[Stream] = []
    notes: list[tuple[str, str]] = []
    for key, entry in dataset.features.items():
        if entry["dtype"] != "video" and key not in _OWN:
            streams.append(_column_stream(_Column(episode, key, entry, label), entry, timing))
        elif _is_depth(entry):
            notes.append(("source-incomplete", f"{key} is a depth video, which telecine cannot write; left out"))
        elif key not in _OWN:
            path, first = episode.films[key]
            count = None if dataset.version == "v3.0" else episode.length
            streams.append(VideoFileStream(f"/{key}", str(path), timing, first, count, (first, first + episode.length)))
    told = {"dtype": "task", "shape": (1,), "tasks": dataset.tasks}
    streams.append(
        TextArray(ArrayPart("/task", _Column(episode, "task_index", told, label), 0, episode.length, timing))
    )
    return {s.name: s for s in streams}, tuple(notes)


def _is_depth(entry: Mapping[str, Any]) -> bool:
    told = entry.get("info") or entry.get("video_info") or {}
    return bool(told.get("is_depth_map") or told.get("video.is_depth_map"))


def _column_stream(column: "_Column", entry: Mapping[str, Any], timing: Timing) -> Stream:
    part = ArrayPart(f"/{column.key}", column, 0, column.shape[0], timing)
    match str(entry["dtype"]):
        case "string":
            return TextArray(part)
        case "image":
            return CompressedArray(part)
        case _:
            return NumberArray(part, _names(entry))


def _names(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names of the elements: a list, or older datasets' {"motors": [...]}; None where they do not fit."""
    names, shape = entry.get("names"), tuple(entry["shape"])
    if isinstance(names, Mapping):
        names = next(iter(names.values()), None)
    if not isinstance(names, list) or len(shape) != 1 or len(names) != shape[0] or len(set(names)) != len(names):
        return None
    return tuple(str(name) for name in names)


class _Column:
    """One column of an episode as an array on disk, read whole when it is first asked for."""

    chunks = None

    def __init__(self, episode: _Episode, key: str, entry: Mapping[str, Any], label: str) -> None:
        self.key = key
        self._episode, self._entry, self._label = episode, entry, label
        self._values: Any = None
        kind = str(entry["dtype"])
        self.dtype = np.dtype(object if kind in ("string", "image", "task") else kind)
        inner = () if self.dtype == object or tuple(entry["shape"]) == (1,) else tuple(map(int, entry["shape"]))
        self.shape = (episode.length, *inner)

    def __getitem__(self, rows: Any) -> Any:
        """The values of a slice. Raises: SourceError."""
        if self._values is None:
            self._values = self._read()
        return self._values[rows]

    def _read(self) -> Any:
        episode, where = self._episode, f"{self._label}: {self.key}"
        with raised_as(SourceError, f"{where} cannot be read", *_READ_ERRORS):
            column = _rows(episode.rows, self.key, episode.index)
            if len(column) != episode.length:
                raise SourceError(f"{where} has {len(column)} rows, the metadata says {episode.length}")
            return self._plain(column.combine_chunks())

    def _plain(self, column: Any) -> Any:
        match str(self._entry["dtype"]):
            case "task":
                return [self._entry["tasks"][number] for number in column.to_pylist()]
            case "string":
                return column.to_pylist()
            case "image":
                return [_picture(value, self._episode.root) for value in column.to_pylist()]
            case _:
                return _numbers(column).astype(self.dtype).reshape(self.shape)


def _rows(path: Path, key: str, episode: int) -> Any:
    """One column of an episode, of the groups of rows that have some of it.

    Not by `pq.read_table` with a filter, which waits for ever on some damaged files (pyarrow 26), nor by statistics,
    which end the process on the same.
    """
    with pq.ParquetFile(path) as file:
        mine = pc.equal(file.read(columns=["episode_index"]).column(0), episode).combine_chunks()
        start, groups, parts = 0, [], []
        for group in range(file.num_row_groups):
            part = mine.slice(start, file.metadata.row_group(group).num_rows)
            start += len(part)
            if part.true_count:
                groups.append(group)
                parts.append(part)
        column = file.read_row_groups(groups, columns=[key]).column(key)
    return column.filter(pa.chunked_array(parts, pa.bool_()))


def _numbers(column: Any) -> Array:
    """All numbers of a column of numbers or of lists of them, however deep."""
    if isinstance(column, pa.ChunkedArray):
        return np.concatenate([_numbers(chunk) for chunk in column.chunks])
    while not pa.types.is_primitive(column.type):
        column = column.flatten()
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _picture(value: Mapping[str, Any], root: Path) -> bytes:
    data = value.get("bytes") or (root / file_below("{path}", path=value["path"])).read_bytes()
    return bytes(data)
