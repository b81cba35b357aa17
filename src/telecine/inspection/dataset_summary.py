"""A finished dataset looked at: the facts of one page, and what an eye would stop at.

`verify` decides whether a dataset is sound; this checks its quality. Reads every number, and a few frames
of each camera.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core import quality_checks
from telecine.core.depth import DepthScale
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, VideoError, raised_as
from telecine.core.findings import Finding, Findings, placed
from telecine.core.quality_screen import suspects
from telecine.core.stats import Floats
from telecine.core.text.html import table
from telecine.core.tiff import is_tiff, tiff_pixels
from telecine.core.video import Flags
from telecine.dataset.reader import Dataset, open_dataset
from telecine.dataset.values import to_numpy
from telecine.dataset.verify.verify import verify
from telecine.lerobot_format.metadata import CAMERA_DTYPES, EpisodeMeta
from telecine.lerobot_format.paths import VERSION, FileIndex
from telecine.video.frames.colour import Rgb
from telecine.video.frames.png import read_png
from telecine.video.mp4_reader import decode_at, probe_file

FRAMES_CHECKED = 8
"""Frames checked for each camera and episode."""
MOST_EPISODES = 50
"""Of a larger dataset this many, spread over it, have their frames checked."""
VERIFY = "run `telecine verify` for details"
STATE, ACTION = "observation.state", "action"
NOT_NUMERIC = CAMERA_DTYPES | {"string", "bool", "language"}


@dataclass(frozen=True, slots=True)
class CameraSummary:
    """One camera, as the first episode's file holds it."""

    key: str
    codec: str
    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True)
class FrameTable:
    """One file of rows."""

    path: str
    rows: int
    """Of the episodes in it."""
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpisodeSummary:
    """One line of the table of episodes."""

    index: int
    length: int
    seconds: float
    tasks: tuple[str, ...]
    task_numbers: tuple[int, ...]
    """Of `tasks`, in the table of tasks; -1 for one that is not in it."""
    verdicts: tuple[str, ...]
    """Codes of what was noticed in it."""


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What `telecine inspect DATASET` shows; a table in a notebook.

    >>> import telecine as tc
    >>> tc.inspect("dataset").version
    'v3.0'
    """

    root: str
    version: str
    robot_type: str | None
    fps: int
    frames: int
    columns: tuple[FeatureColumn, ...]
    cameras: tuple[CameraSummary, ...]
    tasks: tuple[str, ...]
    episodes: tuple[EpisodeSummary, ...]
    findings: tuple[Finding, ...]
    frame_tables: tuple[FrameTable, ...] = ()
    drawn: tuple[str, ...] = ()
    """The PNG files of its frames and curves, where they were asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        head = f"{self.root}: LeRobot {self.version}, {self.frames} frames at {self.fps} fps"
        features = [(c.key, c.dtype, list(c.shape), ", ".join(c.names or ())) for c in self.columns]
        episodes = [
            (e.index, e.length, f"{e.seconds:.1f}", "; ".join(e.tasks), ", ".join(e.verdicts)) for e in self.episodes
        ]
        return (
            table(head, ("feature", "dtype", "shape", "names"), features)
            + table("episodes", ("episode", "rows", "seconds", "task", "noticed"), episodes)
            + Findings(self.findings)._repr_html_()
        )


def summarize(root: str | Path) -> DatasetSummary:
    """The page of the dataset at `root`, version 2.0, 2.1 or 3.0. Raises: DatasetError when it cannot be read."""
    dataset = open_dataset(root)
    findings: list[Finding] = list(quality_checks.length_findings([e.length for e in dataset.episodes], dataset.fps))
    cameras = tuple(_cameras(dataset, findings))
    seen = set(np.linspace(0, max(len(dataset.episodes) - 1, 0), MOST_EPISODES).round().astype(int).tolist())
    findings += _row_findings(dataset)
    for number in sorted(seen) if dataset.episodes else ():
        findings += placed(_frames(dataset, number), episode=number)
    findings += _small(cameras)
    findings += _counts(dataset)
    findings += verify(root, decode="none", statistics=False) if dataset.version == VERSION else ()
    codes: dict[int | None, list[str]] = {}
    for finding in findings:
        codes.setdefault(finding.episode, []).append(finding.code)
    return DatasetSummary(
        root=str(root),
        version=dataset.version,
        robot_type=dataset.robot_type,
        fps=dataset.fps,
        frames=dataset.frames,
        columns=dataset.features,
        cameras=cameras,
        tasks=dataset.tasks,
        episodes=tuple(_episode(dataset, number, codes.get(number, [])) for number in range(len(dataset.episodes))),
        findings=tuple(findings),
        frame_tables=tuple(_tables(dataset)),
    )


def _episode(dataset: Dataset, number: int, codes: list[str]) -> EpisodeSummary:
    facts = dataset.episodes[number]
    seconds = facts.length / dataset.fps
    numbers = tuple(dataset.task_numbers.get(task, -1) for task in facts.tasks)
    return EpisodeSummary(facts.index, facts.length, seconds, facts.tasks, numbers, tuple(dict.fromkeys(codes)))


def _small(cameras: Iterable[CameraSummary]) -> Iterator[Finding]:
    for camera in cameras:
        if quality_checks.is_small(camera.width, camera.height):
            text = quality_checks.small_text(camera.width, camera.height)
            yield Finding("look-small", "info", camera.key, text, key=camera.key)


def _tables(dataset: Dataset) -> Iterator[FrameTable]:
    """Each file of rows once, in order of its first episode."""
    rows: Counter[FileIndex] = Counter()
    first: dict[FileIndex, int] = {}
    for number, episode in enumerate(dataset.episodes):
        rows[episode.data] += episode.length
        first.setdefault(episode.data, number)
    keys = tuple(c.key for c in dataset.features if c.dtype != "video")
    for index, number in first.items():
        with suppress(DatasetError):  # the findings name a file that is missing
            yield FrameTable(str(dataset.rows_path(number)), rows[index], keys)


def _counts(dataset: Dataset) -> Iterator[Finding]:
    total = sum(e.length for e in dataset.episodes)
    if total != dataset.frames:
        text = f"info.json counts {dataset.frames} frames, the episodes have {total}"
        yield Finding("look-counts", "error", "meta/info.json", text, VERIFY)
    task_indices = {t for e in dataset.episodes for t in e.tasks} - set(dataset.tasks)
    if task_indices:
        text = f"episodes name {len(task_indices)} task(s) that the table of tasks does not have"
        yield Finding("look-counts", "error", "meta", text, VERIFY)


def _row_findings(dataset: Dataset) -> Iterator[Finding]:
    """Findings on the numbers of all episodes."""
    columns = [c for c in dataset.features if c.dtype not in NOT_NUMERIC and len(c.shape) == 1]
    number = 0
    for run, rows in dataset.runs([column.key for column in columns]):
        if isinstance(rows, DatasetError):
            where = f"episode {number}"
            yield Finding("look-counts", "error", where, str(rows), VERIFY, episode=number)
            number += len(run)
            continue
        whole, start = {column: _array(rows, column) for column in columns}, 0
        for episode, odd in zip(run, _suspects(whole, run, dataset.fps), strict=True):
            stop = start + episode.length
            known: dict[FeatureColumn, Floats | str] = {}
            for column, values in whole.items() if odd else ():
                alone = isinstance(values, str)  # this episode may be as it should be
                known[column] = _array(rows.slice(start, episode.length), column) if alone else values[start:stop]
            yield from placed(_episode_findings(known, dataset.fps, f"episode {number}"), episode=number)
            start, number = stop, number + 1


def _suspects(whole: Mapping[FeatureColumn, Floats | str], run: Sequence[EpisodeMeta], fps: int) -> Flags:
    """(episodes,) true for those in which the checks may find something."""
    known = {column.key: values for column, values in whole.items() if not isinstance(values, str)}
    if len(known) < len(whole):
        return np.ones(len(run), np.bool_)
    lengths = np.array([episode.length for episode in run], np.int64)
    return suspects(known, lengths, fps, state=STATE, action=ACTION)


def _array(rows: pa.Table, column: FeatureColumn) -> Floats | str:
    """(n, width) values of a column, or what it holds instead."""
    try:
        return to_numpy(rows.column(column.key), column).astype(np.float64).reshape(rows.num_rows, -1)
    except (KeyError, ValueError) as error:
        return str(error)


def _episode_findings(columns: Mapping[FeatureColumn, Floats | str], fps: int, where: str) -> Iterator[Finding]:
    known: dict[str, Floats] = {}
    for column, values in columns.items():
        if isinstance(values, str):
            text = f"{column.key}: info.json says {column.dtype} {column.shape}, the rows hold {values}"
            yield Finding("look-width", "error", where, text, VERIFY, key=column.key)
            continue
        known[column.key] = values
        if column.key.startswith(("observation", "action")):
            names = column.names or tuple(f"element {i}" for i in range(values.shape[1]))
            found = quality_checks.value_findings(values, names, f"{where} {column.key}")
            yield from placed(found, key=column.key)
    yield from _together(known, fps, where)


def _together(known: dict[str, Floats], fps: int, where: str) -> Iterator[Finding]:
    if "timestamp" in known:
        yield from quality_checks.time_findings(known["timestamp"][:, 0], fps, where)
    moves = [known[key] for key in (STATE, ACTION) if key in known and np.isfinite(known[key]).all()]
    if moves:
        yield from quality_checks.idle_findings(np.concatenate(moves, axis=1), fps, where)
    if len(moves) == 2:
        yield from quality_checks.action_findings(moves[0], moves[1], where)


def _cameras(dataset: Dataset, findings: list[Finding]) -> Iterator[CameraSummary]:
    shapes = {c.key: c for c in dataset.features}
    for key in dataset.cameras if dataset.episodes else ():
        height, width = (*shapes[key].shape, 0, 0)[:2]
        if shapes[key].dtype == "image":
            yield CameraSummary(key, "png", width, height, float(dataset.fps))
            continue
        try:
            path, _ = dataset.frame(key, 0, 0)
            facts = probe_file(str(path))
        except (DatasetError, VideoError) as error:
            findings.append(Finding("look-counts", "error", key, str(error), VERIFY, key=key))
            continue
        if (facts.width, facts.height) != (width, height):
            text = f"info.json says {width}x{height}, the video is {facts.width}x{facts.height}"
            findings.append(Finding("look-width", "error", key, text, VERIFY, key=key))
        yield CameraSummary(key, facts.codec, facts.width, facts.height, float(facts.average_rate))


def _frames(dataset: Dataset, number: int) -> Iterator[Finding]:
    for key in dataset.cameras:
        where = f"episode {number} {key}"
        try:
            shown = episode_frames(dataset, key, number)
        except (DatasetError, VideoError) as error:
            yield Finding("look-counts", "error", where, str(error), VERIFY, key=key)
            continue
        small = [p[::4, ::4].astype(np.float64) for p in shown]
        brightness = np.array([p.mean() for p in small])
        steps = [np.abs(b - a).mean() for a, b in pairwise(small)]
        yield from placed(quality_checks.frame_findings(brightness, np.array(steps), where), key=key)


def _pixels(data: bytes) -> Rgb:
    """A stored image; depth in shades of its distance. Raises: VideoError."""
    if not is_tiff(data):
        return read_png(data)
    with raised_as(VideoError, "a stored frame cannot be read", ValueError):
        depth = tiff_pixels(data)
    shades = DepthScale().codes(depth, "m" if depth.dtype.kind == "f" else "mm") >> 4
    return np.repeat(shades.astype(np.uint8)[:, :, None], 3, axis=2)


def episode_frames(dataset: Dataset, key: str, number: int, count: int = FRAMES_CHECKED) -> list[Rgb]:
    """At most `count` frames of a camera, spread over an episode from its first row to its last.

    Raises: DatasetError, VideoError when a frame is missing or cannot be decoded.
    """
    length = dataset.episodes[number].length
    rows = np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int)).tolist()
    if next(c.dtype for c in dataset.features if c.key == key) == "image":
        stored = dataset.rows(number, [key]).column(key)
        return [_pixels(stored[row].as_py()["bytes"]) for row in rows]
    path, first = dataset.frame(key, number, 0)
    return [frame for _, frame in decode_at(str(path), [first + row for row in rows])]
