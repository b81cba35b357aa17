"""The datasets that an edit is for: opened, with what edits ask about their episodes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from telecine.core.data import arrow
from telecine.core.edit.fingerprint import episode_digest, fingerprint
from telecine.core.edit.model import Edit, EditInput, parse_edit
from telecine.core.edit.resolve import SourceDataset, SourceEpisode
from telecine.core.errors import DatasetError, EditError, raised_as
from telecine.core.outcome import stored_facts
from telecine.core.text.numbers import counted
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.lerobot_format.read import read_episodes_table

EDITS = "meta/telecine/edits"
"""Folder of the edits that made a dataset what it is, numbered from 1."""
_DIGESTED = ("min", "max", "mean")
"""Statistics that make an episode's digest."""


@dataclass(frozen=True, eq=False)
class InputDataset:
    """One dataset of version 3.0."""

    path: str
    dataset: Dataset

    @cached_property
    def source(self) -> SourceDataset:
        """What edits ask about it."""
        features = tuple(c.key for c in self.dataset.features if c.key not in INDEX_KEYS)
        return SourceDataset(
            self.path, self.dataset.fps, features, self.dataset.cameras, tuple(_episodes(self.dataset))
        )

    def fingerprint(self, count: int | None = None) -> str:
        """Of its first `count` episodes, all when None. Raises: DatasetError."""
        features = [(c.key, c.dtype, c.shape) for c in self.dataset.features]
        return fingerprint(self.dataset.fps, features, list(_digests(self.dataset))[:count])

    def named(self) -> EditInput:
        """Itself, as an edit names it."""
        return EditInput(path=self.path, fingerprint=self.fingerprint(), episodes=len(self.dataset))


def check_fingerprints(edit: Edit, inputs: tuple[InputDataset, ...]) -> None:
    """Nothing, when the datasets are those that the edit was made for. Raises: EditError naming the one that is not."""
    for entry, given in zip(edit.inputs, inputs, strict=False):
        if entry.fingerprint is None:
            continue
        _check_revision(edit, entry, given)
        count = entry.episodes
        if count is not None and count > len(given.dataset):
            raise EditError(
                f"{given.path}: has {counted(len(given.dataset), 'episode')}, the edit is for {count}; make "
                "one for this dataset"
            )
        if given.fingerprint(count) != entry.fingerprint:
            same = (
                "episodes differ" if count is None else f"first {counted(count, 'episode differs', 'episodes differ')}"
            )
            raise EditError(
                f"{given.path}: is not the dataset that the edit was made for ({entry.path}): its features or its "
                f"{same}; make the edit again for this one"
            )


def _check_revision(edit: Edit, entry: EditInput, given: InputDataset) -> None:
    """Nothing, unless a newer revision of the edit made the dataset what it is. Raises: EditError."""
    for path in sorted((given.dataset.root / EDITS).glob("*.yaml")):
        with raised_as(EditError, f"{path}: cannot be read", OSError, UnicodeDecodeError):
            applied = parse_edit(path.read_text(encoding="utf-8"))
        same = any(former.fingerprint == entry.fingerprint for former in applied.inputs)
        if same and edit.revision < applied.revision:
            raise EditError(
                f"{given.path}: the edit is revision {edit.revision}, and revision {applied.revision} was applied "
                f"already ({EDITS}/{path.name}); read the newer one and make the change in it"
            )


def _episodes(dataset: Dataset) -> Iterator[SourceEpisode]:
    for episode in dataset.episodes:
        said = stored_facts(episode.facts)
        yield SourceEpisode(
            episode.length,
            episode.tasks,
            (said.recording or "").partition("#")[0],
            said.success,
            said.outcome or "",
            said.tags,
        )


def _digests(dataset: Dataset) -> Iterator[str]:
    apart = {*dataset.cameras, *INDEX_KEYS}

    def wanted(name: str) -> bool:
        key, _, statistic = name.removeprefix("stats/").rpartition("/")
        return name.startswith("stats/") and key not in apart and statistic in _DIGESTED

    table = read_episodes_table(dataset.root, wanted)
    columns = [table.column(name).combine_chunks() for name in sorted(filter(wanted, table.column_names))]
    with raised_as(DatasetError, f"{dataset.root}: statistics in meta/episodes have several shapes", ValueError):
        numbers = [
            np.asarray(arrow.stacked(column), "<f8").reshape(len(column), -1)
            for column in columns
            if not column.null_count
        ]
    stats = np.concatenate([np.zeros((table.num_rows, 0), "<f8"), *numbers], axis=1)
    lengths, tasks = (dataset.column_of_episodes(name) for name in ("length", "tasks"))
    for length, texts, own in zip(lengths, tasks, stats, strict=True):
        yield episode_digest(length, texts, own.tobytes())
