"""LeRobot datasets (v2.0, v2.1, v3.0) as recordings, one per episode: to change rate or features, or to merge several.

Frame i of an episode was at i / fps. Streams are called /FEATURE; the task is the text stream /task. Cameras are the
packets of their video files, so that they can be copied, also those of depth; depth in TIFF files is read. What the
columns of language and `subtask_index` say are labels of the recording. Rows and frames that by what the dataset says a
second time may be another episode's are refused (witnesses.py), as are names that lead out of the dataset's folder and
numbers that ask for memory; `telecine verify` and `telecine repair` are for what is broken.
Format: lerobot 0.6 `lerobot/datasets`, and its script `convert_dataset_v21_to_v30`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.errors import ContradictionError, DatasetError, SourceError, raised_as
from telecine.core.file_state import FileState
from telecine.core.grid import Grid
from telecine.core.label import LANGUAGE as LANGUAGE_COLUMNS
from telecine.core.label import TimedLabels
from telecine.core.labels.columns import labels_of
from telecine.core.labels.numbered import SUBTASK_INDEX
from telecine.core.naming import file_below
from telecine.core.outcome import WORDS, stored_facts
from telecine.core.recording import Array, CameraCalibration, LeftOut, Recording, Ref, Stream
from telecine.core.tiff import is_tiff, tiff_pixels
from telecine.lerobot_format.calibrations import read_calibrations
from telecine.lerobot_format.metadata import INDEX_KEYS, DatasetMeta, EpisodeMeta, FeatureMeta, path_of
from telecine.lerobot_format.paths import INFO, TASKS, V2_EPISODES, V2_TASKS, VERSION
from telecine.lerobot_format.read import read_dataset
from telecine.lerobot_format.row_files import read_rows
from telecine.lerobot_format.subtasks import SUBTASKS, read_subtasks
from telecine.sources.format import Found
from telecine.sources.lerobot.agibot import described_names, instructions_of
from telecine.sources.lerobot.depth_video import check_depth
from telecine.sources.lerobot.witnesses import Witnesses, order_problem
from telecine.sources.shared.arrays import ArrayPart, CompressedArray, NumberArray, PixelArray, TextArray
from telecine.sources.shared.confinement import confined, link_problem, text_problem
from telecine.sources.shared.fingerprint import file_state
from telecine.sources.shared.segments import Notes, timed_labels
from telecine.sources.shared.timing import TIME, Timing
from telecine.sources.shared.video_file import VideoFileStream
from telecine.storage.on_demand import present
from telecine.video.demux import Mp4Facts

NAME = "lerobot"
SUFFIXES: tuple[str, ...] = ()
LANGUAGE = "language"
_TABLES = (TASKS, "meta/episodes", V2_TASKS, V2_EPISODES)
_TASK = "task"
"""In place of a dtype: the text of a task_index."""
_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException)


def claims(path: str) -> bool:
    """True for the folder of a dataset, also of one whose info.json says nothing any more."""
    info = Path(path) / INFO
    if not info.is_file() or not confined(path).holds(info):
        return False
    return b'"codebase_version"' in info.read_bytes() or any((Path(path) / name).exists() for name in _TABLES)


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per episode; see `Format.index`."""
    del recover, token
    if problem := link_problem(path) or text_problem(path):
        raise SourceError(f"{path}: {problem}")
    dataset = _opened(path)
    total = sum(e.length for e in dataset.episodes) or 1
    size = sum(f.stat().st_size for f in Path(path).rglob("*") if f.is_file() and f.suffix in (".parquet", ".mp4"))
    refs = (Ref(NAME, path, f"/episode_{e.index}", size * e.length // total) for e in dataset.episodes)
    return Found(tuple(refs))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode that `ref` names; see `Format.open`."""
    dataset = _opened(ref.path)
    number = ref.id.removeprefix("/episode_")
    episode = dataset.by_index.get(int(number)) if number.isdecimal() else None
    if episode is None:
        raise SourceError(f"{ref.path}: holds no episode {ref.id!r}, only {len(dataset.episodes)}")
    with raised_as(SourceError, f"{ref.label}: cannot be read", *_READ_ERRORS):
        rows = _Rows(dataset, episode, ref.label, _witnesses(ref.path, file_state(str(Path(ref.path) / INFO))))
        streams, left_out = _streams(rows)
    segments, notes = instructions_of(dataset.info, episode.index, episode.length)
    subtasks, said = _subtasks(dataset)
    labels, unread = _labels(dataset, episode, subtasks)
    labels += timed_labels(segments, Timing(Fraction(dataset.fps)), episode.length)
    left_out += unread
    attrs = {"layout": str(dataset.info["codebase_version"]), "fps": str(dataset.fps), **_facts(episode)}
    if dataset.robot_type:
        attrs["robot_type"] = dataset.robot_type
    features = {key: (f"/{key}",) for key, f in dataset.features.items() if f"/{key}" in streams and not _is_refused(f)}
    if subtasks:
        features.pop(SUBTASK_INDEX, None)
        fix = f"name it in a plan: {SUBTASK_INDEX}: /{SUBTASK_INDEX}"
        left_out += (LeftOut(f"/{SUBTASK_INDEX}", "offered", f"numbers of {SUBTASKS}, whose texts are labels", fix),)
    return Recording(
        ref, streams, attrs, (*notes, *said), features=features, left_out=left_out,
        calibrations=_calibrations(dataset, episode),
        rows=Grid(0, episode.length, Fraction(dataset.fps)), stored_times=_times(rows), labels=labels,
        frame_witness=lambda stream: rows.witnesses.frames.witness(stream[1:], episode.index),
    )  # fmt: skip


def _times(rows: "_Rows") -> Callable[[], Array] | None:
    """What reads the episode's own timestamps, where it has any."""
    feature = rows.dataset.features.get("timestamp")
    return None if feature is None else lambda: np.asarray(_Column(rows, feature)[:])


def _facts(episode: EpisodeMeta) -> dict[str, str]:
    """What the dataset states of the episode's outcome, as attributes; nothing where it states no facts at all."""
    if not episode.facts:
        return {}
    facts = stored_facts(episode.facts)
    found = {"outcome": facts.outcome or WORDS[facts.success], "tags": ",".join(facts.tags)}
    found |= {} if facts.success is None else {"success": str(facts.success).lower()}
    found |= {"error_cause": facts.error_cause} if facts.error_cause else {}
    return found | ({"interrupted": "true"} if facts.interrupted else {})


def _calibrations(dataset: DatasetMeta, episode: EpisodeMeta) -> dict[str, CameraCalibration]:
    recording = stored_facts(episode.facts).recording
    try:
        known = read_calibrations(dataset.root)
    except DatasetError as error:
        raise SourceError(str(error)) from error
    return {f"/{key}": own[recording] for key, own in known.items() if recording in own}


def _opened(path: str) -> DatasetMeta:
    with raised_as(SourceError, f"{path}: its metadata cannot be read", *_READ_ERRORS):
        return _read(path, file_state(str(Path(path) / INFO)))


@lru_cache(maxsize=4)
def _witnesses(path: str, state: FileState) -> Witnesses:
    """What the dataset says of its episodes beside where they are, kept as its metadata is."""
    return Witnesses(_read(path, state))


@lru_cache(maxsize=4)
def _read(path: str, state: FileState) -> DatasetMeta:
    """The metadata, kept for the other episodes of the dataset as long as it does not change."""
    del state
    try:
        return read_dataset(Path(path))
    except DatasetError as error:
        raise SourceError(f"{error}; see what `telecine repair {path}` can save") from error


def _streams(rows: "_Rows") -> tuple[dict[str, Stream], tuple[LeftOut, ...]]:
    dataset, episode = rows.dataset, rows.episode
    timing = Timing(Fraction(dataset.fps))
    streams: list[Stream] = []
    left_out: list[LeftOut] = []
    for key, feature in dataset.features.items():
        if key in INDEX_KEYS:
            continue
        if feature.dtype == LANGUAGE and key in LANGUAGE_COLUMNS:
            continue  # labels of the recording
        if feature.dtype == LANGUAGE:
            why = f"a column of language that LeRobot does not have; it has {', '.join(LANGUAGE_COLUMNS)}"
            left_out.append(LeftOut(f"/{key}", "unreadable", why))
            continue
        if _is_refused(feature):
            why = f"{feature.dtype} under observation* or action*, which ends LeRobot's training with an error"
            left_out.append(LeftOut(f"/{key}", "offered", why, f"name it otherwise in a plan: info.{key}: /{key}"))
        if feature.dtype == "video":
            try:
                stream = _video_stream(rows, feature, timing)
                if feature.is_depth:
                    check_depth(stream)
                streams.append(stream)
            except ValueError as error:
                left_out.append(LeftOut(f"/{key}", "unreadable", str(error), training=True))
        else:
            names = _names(feature) or _described(dataset, feature)
            streams.append(_column_stream(_Column(rows, feature), timing, names))
    tasks = _Column(rows, FeatureMeta("task_index", _TASK, (1,)))
    streams.append(TextArray(ArrayPart("/task", tasks, 0, episode.length, timing)))
    return {s.name: s for s in streams}, tuple(left_out)


def _subtasks(dataset: DatasetMeta) -> tuple[tuple[str, ...], Notes]:
    """(the texts that `subtask_index` numbers, a note where they cannot be read)."""
    try:
        return read_subtasks(dataset.root, dataset.features), ()
    except DatasetError as error:
        return (), (("source-incomplete", f"its subtasks are numbers without texts: {error}"),)


def _labels(
    dataset: DatasetMeta, episode: EpisodeMeta, subtasks: Sequence[str]
) -> tuple[tuple[TimedLabels, ...], tuple[LeftOut, ...]]:
    """What columns say in words, on the clock of the rows; and those columns where they cannot be read."""
    keys = [key for key in LANGUAGE_COLUMNS if key in dataset.features] + ([SUBTASK_INDEX] if subtasks else [])
    if not keys:
        return (), ()
    path = dataset.root / path_of(dataset.info["data_path"], episode.data)
    times = Grid(0, episode.length + 1, Fraction(dataset.fps)).ticks()
    try:
        found = labels_of(read_rows(path, episode, keys), dataset.fps, subtasks=subtasks)
    except (DatasetError, *_READ_ERRORS) as error:
        return (), tuple(LeftOut(f"/{key}", "unreadable", f"its labels cannot be read: {error}") for key in keys)
    timed = (replace(one, start=int(times[one.start]), stop=int(times[one.stop])) for one in found)
    return ((TimedLabels(TIME, tuple(timed)),) if found else ()), ()


def _is_refused(feature: FeatureMeta) -> bool:
    """Whether the writer refuses the feature under the name that it has."""
    return feature.dtype in ("bool", "string") and feature.key.startswith(("observation", "action"))


def _video_stream(rows: "_Rows", feature: FeatureMeta, timing: Timing) -> Stream:
    """The frames of a camera. Raises: ValueError for depth in impossible steps."""
    dataset, episode, key = rows.dataset, rows.episode, feature.key
    span = episode.videos[key]
    path = present(dataset.root / path_of(dataset.info["video_path"], span.file_index, key))
    first = round(span.from_s * dataset.fps)
    count = None if dataset.info["codebase_version"] == VERSION else episode.length
    window = (first, first + episode.length)

    def problem(facts: Mp4Facts) -> str:
        found = rows.witnesses.video_problem(key, episode, facts)
        return f"{found}, so its frames may be another episode's; {rows.witnesses.advice}" if found else ""

    advice = rows.witnesses.advice
    return VideoFileStream(f"/{key}", str(path), timing, first, count, window, feature.depth, problem, advice)


def _column_stream(column: "_Column", timing: Timing, names: tuple[str, ...] | None) -> Stream:
    part = ArrayPart(f"/{column.feature.key}", column, 0, column.shape[0], timing)
    match column.feature.dtype:
        case "string":
            return TextArray(part)
        case "image" if column.feature.is_depth:
            return _depth_stream(column, part)
        case "image":
            return CompressedArray(part)
        case _:
            return NumberArray(part, names)


def _depth_stream(column: "_Column", part: ArrayPart) -> Stream:
    """Depth in TIFF files, as LeRobot stores it in rows; what is in other files is read as any image."""
    if not is_tiff(column[0]):
        return CompressedArray(part)
    kind = tiff_pixels(column[0]).dtype
    unit = column.feature.info.get("depth_unit") or ("m" if kind.kind == "f" else "mm")
    pixels = _DepthPixels(column, kind)
    return PixelArray(replace(part, array=pixels), "grayf32le" if kind.kind == "f" else "gray16le", unit=str(unit))


class _DepthPixels:
    """The pixels of a column of TIFF files, (rows, height, width) of `dtype`."""

    chunks = None

    def __init__(self, column: "_Column", dtype: np.dtype[Any]) -> None:
        self._column, self.dtype = column, dtype
        self.shape = (column.shape[0], *column.feature.shape[:2])

    def __getitem__(self, rows: Any) -> Any:
        """The pixels of a slice. Raises: SourceError."""
        with raised_as(SourceError, f"/{self._column.feature.key}: a depth image cannot be read", ValueError):
            frames = [tiff_pixels(data) for data in self._column[rows]]
            if {(frame.shape, frame.dtype) for frame in frames} - {(self.shape[1:], self.dtype)}:
                raise ValueError(f"another size or type than {self.shape[1:]} {self.dtype}")
            return np.stack(frames)


def _names(feature: FeatureMeta) -> tuple[str, ...] | None:
    """Names of the elements of a vector, where all differ."""
    names = feature.names if len(feature.shape) == 1 else None
    return names if names is not None and len(set(names)) == len(names) else None


def _described(dataset: DatasetMeta, feature: FeatureMeta) -> tuple[str, ...] | None:
    """Names that AgiBot's datasets have beside the feature."""
    return described_names(dataset.info, feature.key, feature.shape[0]) if len(feature.shape) == 1 else None


class _Rows:
    """The rows of an episode, refused where they are not in the order of its frames or witnesses call them another's.

    What else the dataset says of them is read with the first column.
    """

    def __init__(self, dataset: DatasetMeta, episode: EpisodeMeta, label: str, witnesses: Witnesses) -> None:
        self.dataset, self.episode, self.label, self.witnesses = dataset, episode, label, witnesses
        self._checked = False

    def column(self, key: str) -> Any:
        """One column. Raises: SourceError."""
        extra = [k for k in ("frame_index", "task_index") if not self._checked and k in self.dataset.features]
        path = self.dataset.root / path_of(self.dataset.info["data_path"], self.episode.data)
        try:
            table = read_rows(path, self.episode, list(dict.fromkeys([key, *extra])))
        except DatasetError as error:
            raise SourceError(f"{self.label}: {key} cannot be read: {error}; {self.witnesses.advice}") from error
        if key != "timestamp" and extra:
            self._check(table)
            self._checked = True
        return table.column(key).combine_chunks()

    def _check(self, table: Any) -> None:
        if "frame_index" in table.column_names:
            self.refuse(order_problem(_numbers(table.column("frame_index").combine_chunks())))
        if "task_index" in table.column_names:
            tasks = self.dataset.tasks or {}
            texts = [tasks.get(number, "") for number in set(table.column("task_index").to_pylist())]
            self.refuse(self.witnesses.task_problem(self.episode, texts))

    def refuse(self, problem: str) -> None:
        """Nothing, without a problem. Raises: ContradictionError."""
        if problem:
            raise ContradictionError(f"{self.label}: {problem}; {self.witnesses.advice}")


class _Column:
    """One column of an episode as an array on disk, read whole when it is first asked for."""

    chunks = None

    def __init__(self, rows: _Rows, feature: FeatureMeta) -> None:
        self.feature = feature
        self._rows, self._dataset = rows, rows.dataset
        self._values: Any = None
        self.dtype = np.dtype(object if feature.dtype in ("string", "image", _TASK) else feature.dtype)
        length = rows.episode.length
        self.shape = (length, *(() if self.dtype == object or feature.shape == (1,) else feature.shape))

    def __getitem__(self, rows: Any) -> Any:
        """The values of a slice. Raises: SourceError."""
        if self._values is None:
            key = self.feature.key
            with raised_as(SourceError, f"{self._rows.label}: {key} cannot be read", *_READ_ERRORS):
                self._values = self._values_of(self._rows.column(key))
                if self.dtype != object:
                    other = self._rows.witnesses.rows.problem(key, self._rows.episode.index, self._values)
                    self._rows.refuse(other.message if other else "")
        return self._values[rows]

    def _values_of(self, column: Any) -> Any:
        match self.feature.dtype:
            case "task":
                tasks = self._dataset.tasks or {}
                return [tasks[number] for number in column.to_pylist()]
            case "string":
                return column.to_pylist()
            case "image":
                return [_image(row, value, self._dataset.root) for row, value in enumerate(column.to_pylist())]
            case _:
                return _numbers(column).astype(self.dtype).reshape(self.shape)


def _numbers(column: Any) -> Array:
    """All numbers of a column of numbers or of lists of them, however deep.

    A program that has imported `datasets` gets columns of several dimensions in a type of that package.
    """
    if isinstance(column, pa.ChunkedArray):
        return np.concatenate([_numbers(chunk) for chunk in column.chunks])
    while not pa.types.is_primitive(column.type):
        column = column.storage if isinstance(column, pa.ExtensionArray) else column.flatten()
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _image(row: int, value: Mapping[str, Any] | None, root: Path) -> bytes:
    if not value or not (value.get("bytes") or value.get("path")):
        raise ValueError(f"row {row} holds no frame")
    data = value.get("bytes") or (root / file_below("{path}", path=value["path"])).read_bytes()
    return bytes(data)
