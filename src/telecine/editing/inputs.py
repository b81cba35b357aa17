"""The datasets that an edit is for: opened, with what edits ask about their episodes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from telecine.core.edit.fingerprint import episode_digest, fingerprint
from telecine.core.edit.model import Edit, EditInput
from telecine.core.edit.resolve import SourceDataset, SourceEpisode
from telecine.core.errors import EditError
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.lerobot_format.read import read_episodes_table

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
        return EditInput(path=self.path, fingerprint=self.fingerprint(), episodes=len(self.dataset.episodes))


def open_input(path: str | Path) -> InputDataset:
    """The dataset at `path`. Raises: DatasetError: there is none, or it is of another version."""
    return InputDataset(str(path), Dataset(path))


def check_fingerprints(edit: Edit, inputs: tuple[InputDataset, ...]) -> None:
    """Nothing, when the datasets are those that the edit was made for. Raises: EditError naming the one that is not."""
    for entry, given in zip(edit.inputs, inputs, strict=False):
        if entry.fingerprint is None:
            continue
        count = entry.episodes
        if count is not None and count > len(given.dataset.episodes):
            raise EditError(f"{given.path}: has {len(given.dataset.episodes)} episodes, the edit was made for {count}")
        if given.fingerprint(count) != entry.fingerprint:
            raise EditError(
                f"{given.path}: is not the dataset that the edit was made for ({entry.path}): its features or its "
                f"first {count} episodes differ; make the edit again for this one"
            )


def _episodes(dataset: Dataset) -> Iterator[SourceEpisode]:
    for episode in dataset.episodes:
        said = episode.facts
        yield SourceEpisode(
            episode.length,
            episode.tasks,
            str(said.get("recording") or "").partition("#")[0],
            said.get("success"),
            str(said.get("outcome") or ""),
            tuple(said.get("tags") or ()),
        )


def _digests(dataset: Dataset) -> Iterator[str]:
    apart = {*dataset.cameras, *INDEX_KEYS}

    def wanted(name: str) -> bool:
        key, _, statistic = name.removeprefix("stats/").rpartition("/")
        return name.startswith("stats/") and key not in apart and statistic in _DIGESTED

    table = read_episodes_table(dataset.root, wanted)
    columns = {name: table.column(name).to_pylist() for name in table.column_names if wanted(name)}
    for number, facts in enumerate(dataset.episodes):
        yield episode_digest(facts.length, facts.tasks, {name: values[number] for name, values in columns.items()})
