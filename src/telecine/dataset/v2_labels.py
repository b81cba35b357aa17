"""What becomes of labels in layouts v2.1 and gr00t, which have no columns of language.

GR00T reads annotations as numbers of texts in tasks.jsonl (data preparation guide of github.com/NVIDIA/Isaac-GR00T), so
subtasks stay there as `annotation.human.subtask`; all else is named and left out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.episode import FeatureColumn
from telecine.core.findings import Finding
from telecine.core.label import LANGUAGE
from telecine.core.labels.columns import labels_of
from telecine.core.stats import column_stats
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.schema import column_entry

SUBTASK = FeatureColumn("annotation.human.subtask", "int64", (1,))


@dataclass(slots=True)
class V2Labels:
    """Takes the columns of language out of rows; with `annotates`, subtasks stay as numbers of texts."""

    dataset: Dataset
    annotates: bool
    texts: dict[str, int] = field(default_factory=dict)
    """tasks.jsonl: the tasks, and subtasks behind them."""
    stats: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Episode -> statistics of the column of subtasks."""
    lost: Counter[str] = field(default_factory=Counter)
    """Style -> labels that are not in the dataset."""

    def __post_init__(self) -> None:
        self.texts = {text: number for number, text in enumerate(self.dataset.tasks)}
        keys = [c.key for c in self.dataset.features if c.key in LANGUAGE]
        self.annotates &= any(
            label.style == "subtask"
            for number in range(len(self.dataset) if keys and self.annotates else 0)
            for label in labels_of(self.dataset.rows(number, keys), self.dataset.fps)
        )

    def features(self, there: dict[str, Any]) -> dict[str, Any]:
        """info.json's features without language."""
        made = {key: entry for key, entry in there.items() if key not in LANGUAGE}
        return made | ({SUBTASK.key: column_entry(SUBTASK)} if self.annotates else {})

    def rows(self, number: int, rows: pa.Table) -> pa.Table:
        """The rows of an episode without language."""
        keys = [key for key in LANGUAGE if key in rows.column_names]
        if not keys:
            return rows
        labels = labels_of(rows, self.dataset.fps)
        held = [label for label in labels if label.style == "subtask" and self.annotates]
        self.lost.update(label.style for label in labels if label not in held)
        rows = rows.drop_columns(keys)
        if not self.annotates:
            return rows
        values = np.array(rows.column("task_index").to_pylist(), np.int64)  # rows without a subtask have their task
        for label in held:
            values[label.start : label.stop] = self.texts.setdefault(label.text or "", len(self.texts))
        self.stats[number] = column_stats(values).lists()
        return rows.append_column(SUBTASK.key, arrow.numbers(values))

    def findings(self, where: str) -> Iterator[Finding]:
        """What is not in the dataset."""
        if self.lost:
            named = ", ".join(f"{count} {style}" for style, count in sorted(self.lost.items()))
            text = f"this layout has no columns of language, so labels are left out: {named}"
            yield Finding("label-lost", "warning", where, text, "use layout v3.0")
