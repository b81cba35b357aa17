"""Work that is done in order on a thread of its own, while the caller goes on."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

WAITING = 4
"""Jobs that may wait: each is an episode whose numbers are in memory."""


class BackgroundQueue:
    """One thread for all jobs, as long as there are some. An interpreter that ends finishes them before."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._jobs: deque[Future[None]] = deque()

    def limit_backlog(self) -> None:
        """Wait while there are many jobs. Raises: the error of one that failed meanwhile."""
        while self._jobs and (self._jobs[0].done() or len(self._jobs) > WAITING):
            self._jobs.popleft().result()

    def do(self, job: Callable[[], None]) -> None:
        """Do it after all jobs before."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, self._name)
        self._jobs.append(self._pool.submit(job))

    def wait(self) -> None:
        """Until every job is done. Raises: the error of the first one that failed; all others were done."""
        errors = [error for error in (job.exception() for job in self._jobs) if error is not None]
        self._jobs.clear()
        if errors:
            for other in errors[1:]:
                errors[0].add_note(f"and: {other}")
            raise errors[0]

    def close(self) -> None:
        """Wait, and end the thread. Raises: as `wait`."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        self.wait()
