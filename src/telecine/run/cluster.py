"""Commands of telecine as processes of their own, wherever they run. May import only `core`.

A `Cluster` runs them on machines that see the same files. `run_command` is what happens on the machine: the command's
process ends with the one that started it, writes into a log of its own, and says how far it is through a pipe.
"""

import json
import os
import select
import subprocess  # nosec B404  # starts telecine itself
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from telecine.core.errors import DatasetError
from telecine.core.progress import PROGRESS_FD

_START = (
    "import json, sys; parent = int(sys.argv.pop()); sys.path[:] = json.loads(sys.argv.pop()); "
    "from telecine.run.parent import end_with; end_with(parent); from telecine.cli.main import main; main()"
)
_LOOK_EVERY_S = 0.5
_PATIENCE_S = 10.0
"""How long a command that was asked to end may take."""

Hear = Callable[[str, str, int], None]
"""Hears how far a command is: (its name, the node that it runs on, bytes done)."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of telecine. words: without `telecine`; log: a file that is added to.

    is_done: whether it has done what it is for, whatever its exit code; asked on the machine that it ran on.
    keep_log: where machines share no folder: brings the log, whose path it is given, to where people read it.
    environment: what it has besides its machine's, where secrets may stand; shown nowhere.
    """

    name: str
    words: tuple[str, ...]
    log: str
    is_done: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    keep_log: Callable[[Path], None] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that will not be tried again. why: "" when it is done."""

    name: str
    node: str
    seconds: float
    why: str = ""


class Cluster(Protocol):
    """Machines that see the files of commands under the same paths or addresses."""

    def slots(self) -> int:
        """How many commands run at a time, as far as machines are there now."""
        ...

    def run(self, commands: Sequence[Command], hear: Hear) -> Iterator[Ended]:
        """Run all, each tried again where it dies, and tell of each as it ends. Leaving early ends what runs."""
        ...


def run_command(command: Command, tell: Callable[[int], None], node: str) -> tuple[int, str]:
    """Run it here to its end: the exit code, and the last line of its log. Interrupted, it ends it.

    tell: hears the bytes that are done. Raises: DatasetError where the log cannot be written.
    """
    with _log_path(command) as path:
        return _run_command(command, tell, node, path), last_line(path)


def _run_command(command: Command, tell: Callable[[int], None], node: str, path: str) -> int:
    words = [sys.executable, "-c", _START, *command.words, json.dumps(sys.path), str(os.getpid())]
    with _log(path) as log:
        came, says = os.pipe()
        environment = {**os.environ, **command.environment, PROGRESS_FD: str(says)}
        log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} on {node}: telecine {' '.join(command.words)}\n".encode())
        log.flush()
        try:
            process = subprocess.Popen(  # noqa: S603  # nosec B603  # our own interpreter
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                pass_fds=(says,), start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(says)
        try:
            with os.fdopen(came, "rb", buffering=0) as progress:
                _listen(process, progress, tell)
        except BaseException:
            _end(process)
            raise
        log.write(f"--- exit code {process.returncode}\n".encode())
    return process.returncode


@contextmanager
def _log_path(command: Command) -> Iterator[str]:
    """Where the log is written: its place, or a file here that is brought there."""
    if command.keep_log is None:
        yield command.log
        return
    with tempfile.TemporaryDirectory(prefix="telecine-log-") as folder:
        path = Path(folder) / "log"
        try:
            yield str(path)
        finally:
            command.keep_log(path)


def _log(path: str) -> IO[bytes]:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return Path(path).open("ab")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror}") from error


def _listen(process: "subprocess.Popen[bytes]", progress: IO[bytes], tell: Callable[[int], None]) -> None:
    """Until it has ended. A blocked read would hear of no interruption, so that is looked for now and then."""
    rest = b""
    while process.poll() is None:
        if not select.select([progress], [], [], _LOOK_EVERY_S)[0]:
            continue
        block = progress.read(4096)
        if not block:  # it closed its end, so it is about to end
            process.wait()
            return
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            tell(int(lines[-1]))


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_line(path: str) -> str:
    """What the log of a command ends with, besides how it ended."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip() and not line.startswith("---")), "")
