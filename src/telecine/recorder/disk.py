"""A disk that may refuse for a while: what is to be written waits in memory, and nobody waits for the disk."""

import threading
from collections.abc import Callable
from typing import Any

from telecine.core.errors import disk_is_full
from telecine.sources.recorder_spool.spool_file import SpoolFile

RETRY_S = 0.2


class Disk:
    """The one that an episode's file is on. For several threads at once.

    problem: why it refuses, "" while it takes everything. last_problem: the latest one, "" if there was none.
    on_problem: is given the first one of the episode.
    """

    def __init__(self, file: SpoolFile, on_problem: Callable[[str], None]) -> None:
        self.problem = self.last_problem = ""
        self._file, self._on_problem = file, on_problem
        self._lock = threading.Lock()
        self._is_known, self._refused_at = False, 0
        self._last = threading.Event()

    def refuses(self, error: OSError) -> None:
        """Note that something could not be written."""
        with self._lock:
            known, self._is_known = self._is_known, True
            self.problem = self.last_problem = disk_text(error)
            self._refused_at = self._file.size_bytes
        if not known:
            self._on_problem(self.problem)

    def check(self) -> None:
        """Forget the problem when the file has grown since."""
        with self._lock:
            if self.problem and self._file.size_bytes > self._refused_at:
                self.problem = ""

    def is_refusing(self) -> bool:
        """True while there is a problem."""
        return bool(self.problem)

    def give_up(self) -> None:
        """What is refused from now on is not tried again."""
        self._last.set()

    def write(self, do: Callable[[], Any]) -> Any:
        """What `do` gives; tried again while the disk refuses. Raises: OSError after `give_up`."""
        while True:
            is_last = self._last.is_set()
            try:
                return do()
            except OSError as error:
                self.refuses(error)
                if is_last:
                    raise
                self._last.wait(RETRY_S)


def disk_text(error: OSError) -> str:
    """What is wrong with the disk."""
    return "no space left on the disk" if disk_is_full(error) else f"the disk refuses: {error.strerror or error}"
