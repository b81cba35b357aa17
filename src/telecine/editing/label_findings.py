"""What is to be said of the labels that an edit gives."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from telecine.core.edit.model import Edit
from telecine.core.findings import Finding
from telecine.core.label import PERSISTENT, STYLES
from telecine.core.labels.spans import open_rows
from telecine.core.labels.spelling import spelling_findings
from telecine.core.text.numbers import counted
from telecine.dataset.assembly.made_columns import labels_of_episode
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.reader import Dataset


def label_findings(edit: Edit, selection: Selection, made: Path, target: Path) -> list[Finding]:
    """Of the new dataset, which lies at `made` and will be at `target`. Raises: DatasetError."""
    return [*_spelling(edit, made, target), *_open(selection, target)]


def _spelling(edit: Edit, made: Path, target: Path) -> list[Finding]:
    """Variants among the tasks of the new dataset and the labels of the edit."""
    texts: dict[str, list[str]] = {"task": list(Dataset(made).tasks)}
    for label in edit.labels:
        if label.text and STYLES[label.style].is_language:
            texts.setdefault(label.style, []).append(label.text)
    return spelling_findings(texts, str(target))


def _open(selection: Selection, target: Path) -> Iterator[Finding]:
    """Rows behind the end of a new label without a successor, of a style that LeRobot knows no end of."""
    rows: Counter[str] = Counter()
    episodes: dict[str, list[int]] = {}
    for number, episode in enumerate(selection.episodes):
        styles = {label.style for label in episode.labels if label.kind.column == PERSISTENT}
        if not styles:
            continue
        dataset = selection.inputs[episode.source[0]]
        there = any(column.key == PERSISTENT for column in dataset.features)
        old = dataset.rows(episode.source[1], [PERSISTENT]).slice(episode.start, episode.length) if there else None
        for style, count in open_rows(labels_of_episode(selection, episode, old), episode.length).items():
            if style in styles:
                rows[style] += count
                episodes.setdefault(style, []).append(number)
    for style, count in rows.items():
        where = f"{counted(len(episodes[style]), 'episode')}, the first is {episodes[style][0]}"
        text = (
            f"{counted(count, 'row')} behind the end of a {style} without one; LeRobot shows the last one "
            f"until the next; in {where}"
        )
        yield Finding("label-open", "info", str(target), text, "label these rows too, e.g. `idle`")
