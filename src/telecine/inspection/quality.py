"""The quality of a dataset: every defect with its episode, feature and rows, in one pass over rows and sampled frames.

`check_dataset` is what `telecine inspect DATASET` and the page show; `known_findings` is what an earlier call found.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from telecine.core import quality_checks
from telecine.core.file_state import FileState, state_from
from telecine.core.findings import Finding
from telecine.core.progress import Progress, Silent
from telecine.core.quality.compare_cameras import CameraLook, camera_comparisons, joined_cameras
from telecine.core.quality.compare_rows import row_comparisons
from telecine.core.quality.episode_rows import ACTION, STATE
from telecine.core.quality.explained import without_explained
from telecine.core.quality.gripper_sense import gripper_findings
from telecine.core.quality.row_facts import RowFacts, joined
from telecine.core.quality.table import CHECKS, chosen
from telecine.core.quality.task_texts import spelling_findings, task_findings
from telecine.dataset.reader import Dataset, open_dataset
from telecine.inspection import quality_cache
from telecine.inspection.quality_cache import DatasetFiles
from telecine.inspection.quality_frames import camera_findings, colour_cameras
from telecine.inspection.quality_rows import element_names, row_findings
from telecine.run.executor import Executor, Lost, Tell, serial
from telecine.run.worker_count import Workers

PART_ROWS = 4096
"""About so many rows with cameras are one piece of work."""
PART_ROWS_ONLY = 1 << 17
"""The same without frames to decode."""
FRAME_CODES = frozenset(check.code for check in CHECKS if check.family == "frames") | {"look-copy"}
"""Checks that decode frames."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Episodes [start, stop) to check."""

    root: str
    start: int
    stop: int
    codes: frozenset[str]

    @property
    def label(self) -> str:
        """What a progress display says."""
        return f"episodes {self.start} to {self.stop - 1}"


@dataclass(frozen=True, eq=False, slots=True)
class _Checked:
    """What a part gave; cameras: key -> the facts of some of its episodes, and which."""

    findings: list[Finding]
    rows: list[RowFacts]
    cameras: dict[str, tuple[CameraLook, list[int]]]


def check_dataset(
    root: str | Path,
    *,
    episodes: Iterable[int] | None = None,
    checks: Sequence[str] = (),
    executor: Executor = serial,
    progress: Progress | None = None,
    remember: bool = True,
    files: DatasetFiles | None = None,
) -> tuple[Finding, ...]:
    """All defects of the dataset at `root` (v2.0 to v3.0), each with its place.

    Args:
        root: the dataset's folder.
        episodes: return only findings of these; the comparison needs all others too, so it saves no time.
        checks: words of `--checks`: codes, families (rows, tasks, frames, episodes); all without any.
        executor: who works on the episodes, several at a time.
        progress: gets how far it is, in bytes of the dataset.
        remember: take what an earlier call found when no file has changed since, and keep what is found now.
        files: those of the dataset, where they were walked already.

    Returns:
        Findings by episode. `known_findings(root)` gives the same at once after any earlier call, else None.

    Raises: DatasetError when the dataset cannot be read at all. PlanError for a check that there is none of.

    >>> check_dataset("dataset")
    ()
    """
    codes = chosen(checks)
    files = files or DatasetFiles.of(root)
    place = quality_cache.entry(files, codes) if remember else None
    found = None if place is None else quality_cache.load(place)
    if found is None:
        found = tuple(_checked(files, codes, executor, progress or Silent()))
        if place is not None:
            quality_cache.save(place, found)
    wanted = None if episodes is None else set(episodes)
    return found if wanted is None else tuple(f for f in found if f.episode in wanted)


def known_findings(root: str | Path, checks: Sequence[str] = ()) -> tuple[Finding, ...] | None:
    """What `check_dataset` found when it last looked at these very files; None when it never did."""
    return quality_cache.load(quality_cache.entry(DatasetFiles.of(root), chosen(checks)))


def _checked(files: DatasetFiles, codes: frozenset[str], executor: Executor, progress: Progress) -> Iterator[Finding]:
    dataset = opened(files.root)
    lengths = [episode.length for episode in dataset.episodes]
    found: list[Finding] = list(quality_checks.length_findings(lengths, dataset.fps))
    tasks = [episode.tasks for episode in dataset.episodes]
    found += [*task_findings(tasks, lengths), *spelling_findings(tasks, lengths)]
    widths = {c.key: c.shape[0] for c in dataset.features if c.key in (STATE, ACTION) and len(c.shape) == 1}
    if len(widths) == 2:
        found += quality_checks.width_findings(widths[STATE], widths[ACTION])
    parts = list(_parts(dataset, codes))
    done: list[_Checked] = []
    for answer in _answers(dataset, parts, files.size_bytes, executor, progress):
        if isinstance(answer, Lost):
            place = f"episodes {answer.item.start} to {answer.item.stop - 1}"
            found.append(Finding("look-counts", "error", place, f"cannot be checked: {answer.why}"))
        else:
            done.append(answer)
            found += answer.findings
    found += _compared(dataset, done, lengths)
    known = codes | {"look-counts"}
    told = without_explained(f for f in found if f.code in known)
    yield from sorted(told, key=lambda f: -1 if f.episode is None else f.episode)


def _parts(dataset: Dataset, codes: frozenset[str]) -> Iterator[_Part]:
    """Neighbouring episodes, about as much work each."""
    most = PART_ROWS if dataset.cameras and codes & FRAME_CODES else PART_ROWS_ONLY
    start, rows = 0, 0
    for number, episode in enumerate(dataset.episodes):
        rows += episode.length
        if rows >= most:
            yield _Part(str(dataset.root), start, number + 1, codes)
            start, rows = number + 1, 0
    if start < len(dataset.episodes):
        yield _Part(str(dataset.root), start, len(dataset.episodes), codes)


def _answers(
    dataset: Dataset, parts: Sequence[_Part], total: int, executor: Executor, progress: Progress
) -> Iterator[_Checked | Lost]:
    """What became of each part, in order; progress is counted in the `total` bytes of the dataset, by rows."""
    rows = max(sum(episode.length for episode in dataset.episodes), 1)
    if isinstance(executor, Workers):
        executor.grow(len(parts), total if dataset.cameras else 0, safely=False)
    progress.begin(total, "checking", len(dataset.episodes))

    def tell(done_rows: int, label: str) -> None:
        progress.advance(total * done_rows // rows, label)

    for part, answer in zip(parts, executor(_part_checked, parts, tell), strict=True):
        progress.finish(part.stop - part.start)
        yield answer


def _part_checked(part: _Part, tell: Tell) -> _Checked:
    """Runs where the executor works."""
    dataset = opened(part.root)
    findings, facts, motion = row_findings(dataset, part.start, part.stop, part.codes)
    cameras: dict[str, tuple[CameraLook, list[int]]] = {}
    if part.codes & FRAME_CODES:
        for key in colour_cameras(dataset):
            seen = camera_findings(dataset, key, range(part.start, part.stop), motion)
            findings += seen.findings
            if seen.facts is not None:
                cameras[key] = seen.facts, seen.episodes
    tell(sum(e.length for e in dataset.episodes[part.start : part.stop]), part.label)
    return _Checked(findings, facts, cameras)


def opened(root: str | Path) -> Dataset:
    """The dataset, whose metadata each process reads once while its files stay as they are. Raises: DatasetError."""
    files = [path for path in Path(root).glob("meta/**/*") if path.is_file()]
    return _opened(str(root), tuple(state_from(str(path), path.stat()) for path in sorted(files)))


@lru_cache(maxsize=1)
def _opened(root: str, states: tuple[FileState, ...]) -> Dataset:
    del states
    return open_dataset(root)


def _compared(dataset: Dataset, done: Sequence[_Checked], lengths: Sequence[int]) -> Iterator[Finding]:
    facts = [facts for one in done for facts in one.rows]
    if facts:
        known = joined(facts)
        yield from row_comparisons(known, element_names(dataset), dataset.fps)
        yield from gripper_findings(known, element_names(dataset), [episode.tasks for episode in dataset.episodes])
    cameras: dict[str, CameraLook] = {}
    counted = Counter(number for one in done for _, numbers in one.cameras.values() for number in numbers)
    episodes = sorted(number for number, count in counted.items() if count == len(colour_cameras(dataset)))
    for key in colour_cameras(dataset):
        parts = [_only(*one.cameras[key], set(episodes)) for one in done if key in one.cameras]
        whole = joined_cameras([part for part in parts if len(part.brightness)])
        if whole is not None:
            cameras[key] = whole
    if cameras and episodes:
        yield from camera_comparisons(cameras, episodes, [lengths[number] for number in episodes])


def _only(facts: CameraLook, numbers: Sequence[int], wanted: set[int]) -> CameraLook:
    """The facts of the wanted episodes: those of which every camera could be read."""
    return facts.of([at for at, number in enumerate(numbers) if number in wanted])
