"""The labels of a dataset: those of each episode, and how long each task and each text holds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.errors import DatasetError, raised_as
from telecine.core.findings import Finding
from telecine.core.label import LANGUAGE, Label
from telecine.core.labels.columns import labels_of
from telecine.core.labels.numbered import SUBTASK_INDEX
from telecine.core.labels.spelling import spelling_findings
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.subtasks import SUBTASKS

INTERVENTION = "intervention"


@dataclass(frozen=True, slots=True)
class LabelledEpisode:
    """The labels of one episode, in order."""

    episode: int
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class TextSummary:
    """How often a text holds, and for how long; style: of a label, or `task`."""

    style: str
    text: str
    count: int
    """Labels, or episodes of a task."""
    episodes: int
    rows: int
    seconds: float


def label_lists(dataset: Dataset, findings: list[Finding]) -> Iterator[LabelledEpisode]:
    """The labels of each episode that has some; one that cannot be read is a finding."""
    try:
        keys = list(dataset.label_keys)
    except DatasetError as error:
        findings.append(Finding("verify-structure", "error", SUBTASKS, str(error)))
        keys = [c.key for c in dataset.features if c.key in LANGUAGE]
    keys += [c.key for c in dataset.features if c.key == INTERVENTION and c.dtype == "bool"]
    for run, table in dataset.runs(keys) if keys else ():
        at = 0
        for episode in run:
            try:
                if isinstance(table, DatasetError):
                    raise table
                labels = _labels(table.slice(at, episode.length), dataset, episode.index)
            except DatasetError as error:
                findings.append(Finding("verify-structure", "error", f"episode {episode.index}", str(error)))
                labels = ()
            at += episode.length
            if labels:
                yield LabelledEpisode(episode.index, labels)


def _labels(rows: pa.Table, dataset: Dataset, number: int) -> tuple[Label, ...]:
    where = f"{dataset.root}: the labels of episode {number} cannot be read"
    with raised_as(DatasetError, where, ValueError, pa.ArrowException):
        found = labels_of(rows, dataset.fps, subtasks=dataset.subtasks if SUBTASK_INDEX in rows.column_names else ())
        return (*found, *_interventions(rows)) if INTERVENTION in rows.column_names else found


def _interventions(rows: pa.Table) -> Iterator[Label]:
    """Each run of rows in which a person acted."""
    values = arrow.to_numpy(rows.column(INTERVENTION).combine_chunks()).astype(np.int8)
    edges = np.flatnonzero(np.diff(values, prepend=0, append=0))
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield Label(start, stop, INTERVENTION, "human", value=1.0)


def text_table(dataset: Dataset, labelled: Iterable[LabelledEpisode]) -> tuple[TextSummary, ...]:
    """Tasks, then texts of labels, each in order of first use."""
    held: dict[tuple[str, str], TextSummary] = {}
    seen: dict[tuple[str, str], set[int]] = {}

    def add(style: str, text: str, episode: int, rows: int) -> None:
        key = style, text
        before = held.setdefault(key, TextSummary(style, text, 0, 0, 0, 0.0))
        seen.setdefault(key, set()).add(episode)
        held[key] = replace(before, count=before.count + 1, rows=before.rows + rows, episodes=len(seen[key]))

    for episode in dataset.episodes:
        for text, rows in _task_rows(dataset, episode.index, episode.tasks, episode.length):
            add("task", text, episode.index, rows)
    for entry in labelled:
        for label in entry.labels:
            add(label.style, label.text or "", entry.episode, label.stop - label.start)
    return tuple(replace(one, seconds=one.rows / dataset.fps) for one in held.values())


def _task_rows(dataset: Dataset, number: int, tasks: tuple[str, ...], length: int) -> Iterator[tuple[str, int]]:
    """(task, rows) of an episode; of one with several tasks its rows are counted."""
    if len(tasks) == 1:
        yield tasks[0], length
        return
    try:
        numbers = dataset.rows(number, ["task_index"]).column("task_index").to_pylist()
    except DatasetError:  # another finding says so
        return
    for text in tasks:
        yield text, numbers.count(dataset.task_numbers.get(text, -1))


def label_findings(texts: Iterable[TextSummary], where: str) -> list[Finding]:
    """Texts in several spellings."""
    by_style: dict[str, list[str]] = {}
    for one in texts:
        if one.style != INTERVENTION and one.text:
            by_style.setdefault(one.style, []).append(one.text)
    return spelling_findings(by_style, where)
