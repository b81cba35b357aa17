"""What one server has open: its list, at most two datasets and one recording, and the work that the page asked for."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from telecine.core.errors import DatasetError, EditError, TelecineError
from telecine.sources.shared.confinement import check_dataset, links_followed
from telecine.viewer.dataset_view import DatasetView
from telecine.viewer.entries import Entry, dataset_entry
from telecine.viewer.jobs import Job
from telecine.viewer.recording_view import RecordingView

MOST_DATASETS = 2
MOST_JOBS = 50
_WORK_AT_ONCE = 2


class Session:
    """State of the server. Methods may be called from several threads.

    copied: the folder of a dataset: itself, or a copy of one in a store.
    """

    def __init__(
        self,
        path: str,
        entries: tuple[Entry, ...],
        *,
        read_only: bool,
        rerun: tuple[str, ...] = (),
        follow_links: bool = False,
        copied: Callable[[str], str] = str,
    ) -> None:
        self.path, self.read_only, self.rerun = path, read_only, rerun
        self._follow_links = follow_links
        self._copied, self._folders = copied, dict[int, str]()
        self._scratch: TemporaryDirectory[str] | None = None
        self._entries = list(entries)
        self._lock = threading.RLock()
        self._datasets: OrderedDict[int, DatasetView] = OrderedDict()
        self._recording: tuple[int, RecordingView] | None = None
        self._jobs: list[Job] = []

    @property
    def entries(self) -> list[Entry]:
        """The list; an entry's number is its place."""
        with self._lock:
            return list(self._entries)

    def entry(self, number: int, kind: str) -> Entry:
        """Raises: DatasetError when there is no such one of that kind."""
        with self._lock:
            if not 0 <= number < len(self._entries) or self._entries[number].kind != kind:
                raise DatasetError(f"there is no {kind} {number}")
            found = self._entries[number]
        if kind == "dataset" and found.problem:
            raise DatasetError(found.problem)
        return found

    def add(self, path: str) -> int:
        """The number of the dataset at `path`, now in the list."""
        with self._lock:
            for number, entry in enumerate(self._entries):
                if Path(entry.path).resolve() == Path(path).resolve():
                    return number
            with links_followed(self._follow_links):
                self._entries.append(dataset_entry(path))
            return len(self._entries) - 1

    def dataset(self, number: int) -> DatasetView:
        """The dataset of an entry, open. Raises: DatasetError."""
        entry = self.entry(number, "dataset")
        with self._lock:
            if number not in self._datasets:
                if number not in self._folders:
                    self._folders[number] = self._copied(entry.path)
                folder = self._folders[number]
                with links_followed(self._follow_links):
                    check_dataset(folder)
                self._datasets[number] = DatasetView(entry.path, folder)
                while len(self._datasets) > MOST_DATASETS:
                    self._datasets.popitem(last=False)[1].close()
            self._datasets.move_to_end(number)
            return self._datasets[number]

    def prepare(self) -> None:
        """Open the only dataset that there is, while the browser is still on its way."""
        if len(self.entries) == 1 and self.entries[0].kind == "dataset":
            with suppress(TelecineError):  # said again when the page asks
                self.dataset(0)

    def recording(self, number: int) -> RecordingView:
        """The recordings of an entry, open. Raises: DatasetError, SourceError."""
        entry = self.entry(number, "recording")
        with self._lock:
            if self._recording is None or self._recording[0] != number:
                if self._recording is not None:
                    self._recording[1].close()
                    self._recording = None
                self._recording = (number, RecordingView(entry))
            return self._recording[1]

    def start(self, work: str, **values: Any) -> int:
        """Begin a piece of work; its number. Raises: EditError while others are under way."""
        with self._lock:
            if sum(job.end is None for job in self._jobs) >= _WORK_AT_ONCE or len(self._jobs) >= MOST_JOBS:
                raise EditError("something is being written already; wait for it, or cancel it")
            self._jobs.append(Job(work, **values))
            return len(self._jobs) - 1

    def job(self, number: int) -> Job:
        """Raises: DatasetError when there is none of that number."""
        with self._lock:
            if not 0 <= number < len(self._jobs):
                raise DatasetError(f"there is no job {number}")
            return self._jobs[number]

    def scratch(self) -> str:
        """A folder that goes with the session."""
        with self._lock:
            self._scratch = self._scratch or TemporaryDirectory(prefix="telecine-view-", ignore_cleanup_errors=True)
            return self._scratch.name

    def close(self) -> None:
        """Let go of everything; work under way is given up."""
        with self._lock:
            jobs, datasets = self._jobs, list(self._datasets.values())
            recording, self._recording = self._recording, None
            self._datasets.clear()
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.close()
        for view in datasets:
            view.close()
        if recording is not None:
            recording[1].close()
        if self._scratch is not None:
            self._scratch.cleanup()
