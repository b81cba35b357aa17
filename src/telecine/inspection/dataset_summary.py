"""A finished dataset looked at: the facts of one page, and what an eye would stop at.

`verify` decides whether a dataset is sound; `quality.py` checks its quality.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from telecine.core import quality_checks
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, VideoError
from telecine.core.findings import Finding, Findings
from telecine.core.progress import Progress
from telecine.core.quality.table import chosen
from telecine.core.text.html import table
from telecine.core.text.numbers import counted
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.frames import Depth
from telecine.dataset.verify.verify import metadata_findings, verify
from telecine.inspection import quality_cache
from telecine.inspection.label_summary import (
    LabelledEpisode,
    TextSummary,
    label_findings,
    label_lists,
    text_table,
)
from telecine.inspection.lag_row import LagRow
from telecine.inspection.quality import FRAME_CODES, check_dataset, opened
from telecine.inspection.quality_cache import DatasetFiles
from telecine.inspection.quality_rows import VERIFY
from telecine.lerobot_format.paths import INFO, VERSION, FileIndex
from telecine.run.executor import Executor, serial
from telecine.video.mp4_reader import probe_file


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
    """Empty where the metadata cannot be read; then the findings say why, and all else is empty."""
    robot_type: str | None
    fps: int
    frames: int
    columns: tuple[FeatureColumn, ...]
    cameras: tuple[CameraSummary, ...]
    tasks: tuple[str, ...]
    episodes: tuple[EpisodeSummary, ...]
    findings: tuple[Finding, ...]
    frame_tables: tuple[FrameTable, ...] = ()
    labels: tuple[LabelledEpisode, ...] = ()
    """Of the episodes that have some."""
    texts: tuple[TextSummary, ...] = ()
    """Tasks, and texts of labels."""
    drawn: tuple[str, ...] = ()
    """The PNG files of its frames and curves, where they were asked for."""
    sampled: bool = False
    """Whether frames were decoded and compared with their statistics, as `verify` does."""
    lag: tuple[LagRow, ...] = ()
    """How much later cameras show what the joints did, and what the action said, where that was asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        # Of episodes and findings there may be many: `asdict` takes ten times as long for them.
        found = asdict(replace(self, episodes=(), findings=()))
        found["episodes"] = [{name: getattr(e, name) for name in EpisodeSummary.__slots__} for e in self.episodes]
        found["findings"] = [finding.to_dict() for finding in self.findings]
        return found | {"lag": [row.to_dict() for row in self.lag]}

    def _repr_html_(self) -> str:
        head = f"{self.root}: LeRobot {self.version}, {counted(self.frames, 'frame')} at {self.fps} fps"
        features = [(c.key, c.dtype, list(c.shape), ", ".join(c.names or ())) for c in self.columns]
        episodes = [
            (e.index, e.length, f"{e.seconds:.1f}", "; ".join(e.tasks), ", ".join(e.verdicts)) for e in self.episodes
        ]
        return (
            table(head, ("feature", "dtype", "shape", "names"), features)
            + table("episodes", ("episode", "rows", "seconds", "task", "noticed"), episodes)
            + Findings(self.findings)._repr_html_()
        )


def summarize(
    root: str | Path, *, checks: Sequence[str] = (), executor: Executor = serial, progress: Progress | None = None
) -> DatasetSummary:
    """The page of the dataset at `root`, version 2.0, 2.1 or 3.0.

    Of a dataset whose metadata cannot be read it has the findings that say why, and nothing else.
    checks, executor, progress: of `inspection.quality.check_dataset`.

    Raises: DatasetError: there is no dataset. PlanError for a check that there is none of.
    """
    wanted = chosen(checks)
    try:
        dataset = opened(root)
        _ = dataset.episodes, dataset.tasks
    except DatasetError:
        if not (Path(root) / INFO).is_file():
            raise  # it is no dataset
        return _unreadable(root)
    findings: list[Finding] = []
    cameras = tuple(_cameras(dataset, findings))
    files = DatasetFiles.of(root)
    findings += check_dataset(root, checks=checks, executor=executor, progress=progress, files=files)
    findings += _small(cameras) if "look-small" in wanted else ()
    findings += _counts(dataset)
    decode: Depth = "sample" if FRAME_CODES & wanted and dataset.version == VERSION else "none"
    findings += _verified(files, dataset.version, decode)
    labels = tuple(label_lists(dataset, findings))
    texts = text_table(dataset, labels)
    findings += label_findings(texts, str(root))
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
        sampled=decode == "sample",
        labels=labels,
        texts=texts,
    )


def _verified(files: DatasetFiles, version: str, decode: Depth) -> tuple[Finding, ...]:
    """What `verify` says; of files that it has seen, as it was kept."""
    root = files.root
    place = quality_cache.entry(files, ("verify with statistics", decode, str(root)))
    found = quality_cache.load(place)
    if found is None:
        found = tuple(verify(root, decode=decode) if version == VERSION else metadata_findings(root))
        quality_cache.save(place, found)
    return found


def _unreadable(root: str | Path) -> DatasetSummary:
    """What is known of a dataset of which too little can be understood."""
    findings = tuple(metadata_findings(root))
    return DatasetSummary(str(root), "", None, 0, 0, (), (), (), (), findings)


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
        text = f"info.json counts {counted(dataset.frames, 'frame')}, the episodes have {total}"
        yield Finding("look-counts", "error", "meta/info.json", text, VERIFY)
    task_indices = {t for e in dataset.episodes for t in e.tasks} - set(dataset.tasks)
    if task_indices:
        text = f"episodes name {counted(len(task_indices), 'task')} that the table of tasks does not have"
        yield Finding("look-counts", "error", "meta", text, VERIFY)


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
