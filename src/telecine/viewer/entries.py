"""What is at a path: datasets and recordings, as a list that the page shows. Reads names and first bytes only."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from telecine.core.errors import DatasetError, SourceError
from telecine.core.text.addresses import is_stored
from telecine.dataset.reader import Dataset, open_dataset
from telecine.lerobot_format.paths import INFO
from telecine.sources import registry
from telecine.sources.border import border
from telecine.sources.registry import Claim, Found
from telecine.sources.shared.confinement import link_problem, links_followed

MOST_FILES = 20_000
"""Files of a folder that are measured; the size of a larger one is "at least"."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A dataset, or a file or folder with recordings."""

    kind: Literal["dataset", "recording"]
    path: str
    form: str
    """The format: "LeRobot v3.0", "mcap" ..."""
    claim: Claim | None = None
    problem: str = ""
    """Why it cannot be opened."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rstrip("/").rpartition("/")[2] or self.path

    def facts(self) -> dict[str, Any]:
        """Plain values for the list: size in bytes, Unix time of the last change, episodes where that is known."""
        size, changed, count = self._measured()
        return {
            "kind": self.kind,
            "name": self.name,
            "path": self.path,
            "form": self.form,
            "size_bytes": size,
            "changed": changed,
            "episodes": count,
            "problem": self.problem,
        }

    def recordings(self) -> tuple[int, str]:
        """How many there are in it, and why none where there is none; it may take long. Raises: SourceError."""
        if self.claim is None:
            raise SourceError(f"{self.path}: {self.problem or 'is no recording'}")
        try:
            with border(self.name):
                found = registry.index(self.claim)
        finally:
            let_go_of_copies(self.path)
        return len(found.refs), "" if found.refs else why_none(found, self.path)

    def _measured(self) -> tuple[int | None, float | None, int | None]:
        path = Path(self.path)
        if is_stored(self.path):
            return (self.claim.stored_bytes if self.claim else None), None, None
        if not path.exists():
            return None, None, None
        files = [path] if path.is_file() else [p for _, p in zip(range(MOST_FILES), _files(path), strict=False)]
        states = [state for file in files if (state := _state(file)) is not None]
        size = sum(state.st_size for state in states)
        changed = max((state.st_mtime for state in states), default=path.stat().st_mtime)
        return size, changed, _episodes(path) if self.kind == "dataset" and not self.problem else None


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _state(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None  # it went, or cannot be looked at; the others count


def _episodes(root: Path) -> int | None:
    try:
        return int(Dataset(root, versions=("v2.0", "v2.1", "v3.0")).info.get("total_episodes", 0))
    except (DatasetError, TypeError, ValueError):
        return None


def let_go_of_copies(path: str) -> None:
    """Of what is in a store: this thread needs its local copy no more."""
    if is_stored(path):
        from telecine.sources.stored.copies import let_go

        let_go()


def why_none(found: Found, path: str) -> str:
    """Why no recording could be read in a file, and what to do."""
    first = next(iter(found.findings), None)
    if first is None:
        return f"{path}: holds no recording"
    return f"{first.message}; {first.fix}" if first.fix else first.message


def dataset_entry(path: str) -> Entry:
    """The dataset at `path`, whatever its version, with what is wrong if it cannot be opened.

    Links out of it, and what is no regular file, are refused as `links_followed` says.
    """
    if is_stored(path):
        return Entry("dataset", path, "LeRobot")  # its files are here when it is opened
    if problem := link_problem(path):
        return Entry("dataset", path, "LeRobot", problem=f"{path}: {problem}")
    try:
        return Entry("dataset", path, f"LeRobot {open_dataset(path).version}")
    except DatasetError as error:
        return Entry("dataset", path, "LeRobot", problem=str(error))


def find_entries(
    path: str, *, follow_links: bool = False, is_stored_dataset: Callable[[str], bool] = lambda _: False
) -> tuple[Entry, ...]:
    """The dataset at `path`, or all datasets and recordings below it.

    is_stored_dataset: of an address in a store, whether a dataset is there.

    Raises: SourceError when there is none; StoreError.
    """
    if is_stored(path) and is_stored_dataset(path):
        return (dataset_entry(path),)
    with links_followed(follow_links):
        if os.path.lexists(Path(path) / INFO):  # whatever it is: not read before it is looked at
            return (dataset_entry(path),)
    found = []
    for claim in registry.claimed([path], follow_links=follow_links):
        if claim.format == "lerobot" and (is_stored(claim.path) or (Path(claim.path) / INFO).is_file()):
            with links_followed(follow_links):
                found.append(dataset_entry(claim.path))
        else:
            found.append(Entry("recording", claim.path, claim.format or "?", claim, claim.problem))
    if not found:
        registry.joined([path], ())  # says what the folder looks like
        raise SourceError(f"{path}: no dataset and no recording found")
    return tuple(found)
