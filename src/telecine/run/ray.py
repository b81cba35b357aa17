"""Ray as a `Cluster`: a task for each command, which Ray puts where there is room and tries again where one dies.

The only user of Ray. A cluster of this machine alone is started and ended here; others are joined at their address.
"""

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout, suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from telecine._version import __version__
from telecine.core.errors import DatasetError, PlanError
from telecine.run.cluster import Command, Ended, Hear, run_command

_RETRIES = 3
_WAIT_S = 1.0
_PATIENCE_S = 15.0
"""How long commands that are asked to end may take."""
_STORE_BYTES = 80 << 20
"""For Ray's object store, the least that it takes: no object is larger than a line."""


class CommandDied(Exception):
    """A command ended without having done what it is for, so that Ray tries it again."""


def load(address: str | None) -> Any:
    """The package, which reads its settings when it is loaded. address: see `RayCluster`.

    Raises: PlanError with what to do where it is missing.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "200")  # a busy machine may take its time
    if address is None and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        # Its processes listen to all of the network: nobody gets in who does not have this program's secret.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        return import_module("ray")
    except ImportError as error:
        raise PlanError("--engine ray needs: pip install 'telecine[ray]', on every node of the cluster") from error


class RayCluster:
    """A `Cluster`. A context manager, entered and left in the main thread.

    address: of a cluster that is there, such as "auto" or "head:6379"; None: one of this machine, for this run.
    cpus, memory_bytes: what each command takes; Ray starts no more of them on a node than fit.
    """

    def __init__(self, address: str | None = None, *, cpus: int, memory_bytes: int, retries: int = _RETRIES) -> None:
        self._address, self._cpus, self._memory_bytes, self._retries = address, cpus, memory_bytes, retries
        self._ray = load(address)
        self._said = ExitStack()

    def __enter__(self) -> Self:
        here: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        self._said.enter_context(redirect_stdout(sys.stderr))  # what Ray says of nodes that die is no result
        given: dict[str, Any] = {"address": "local", **here} if self._address is None else {"address": self._address}
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._ray.init(**given, log_to_driver=False, logging_level="error", namespace="telecine")
        except Exception as error:  # Ray raises a bare Exception where its node starts too slowly
            self._said.close()
            raise DatasetError(f"Ray cannot be reached at {self._address or 'this machine'}: {error}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in handlers.items():  # Ray has its own, which end the program at once
                    signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()
        self._said.close()

    def slots(self) -> int:
        """See `Cluster`."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        fits = (min(n.get("CPU", 0) // self._cpus, n.get("memory", 0) // max(self._memory_bytes, 1)) for n in nodes)
        return int(sum(fits))

    def run(self, commands: Sequence[Command], hear: Hear) -> Iterator[Ended]:
        """See `Cluster`."""
        ray = self._ray
        home = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        board = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=home)(Board).remote()
        task = ray.remote(
            num_cpus=self._cpus,
            memory=self._memory_bytes,
            max_retries=self._retries,
            retry_exceptions=[CommandDied],
            scheduling_strategy="SPREAD",
        )(_run)
        running = {task.remote(command, board): command for command in commands}
        try:
            while running:
                ready, _ = ray.wait(list(running), timeout=_WAIT_S)
                self._hear(board, hear)
                for reference in ready:
                    yield self._ended(running.pop(reference), reference)
        finally:
            self._cancel(list(running))

    def _hear(self, board: Any, hear: Hear) -> None:
        """What commands said of their progress; nothing while the board's node is lost."""
        with suppress(self._ray.exceptions.RayError):
            for name, (node, done) in self._ray.get(board.read.remote(), timeout=_WAIT_S).items():
                hear(name, node, done)

    def _ended(self, command: Command, reference: Any) -> Ended:
        try:
            node, seconds, said = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, ImportError):
                text = f"a node lacks {cause.name}; telecine {__version__} has to be installed on every node"
                return Ended(command.name, "", 0.0, text)
            return Ended(command.name, "", 0.0, str(cause))
        except self._ray.exceptions.RayError as error:
            return Ended(command.name, "", 0.0, f"lost with its node: {type(error).__name__}")
        return Ended(command.name, node, seconds, "" if command.is_done() else said)

    def _cancel(self, references: list[Any]) -> None:
        """End what still runs: first politely, so that finished episodes are kept."""
        for reference in references:
            self._ray.cancel(reference)
        if references:
            _, stubborn = self._ray.wait(references, num_returns=len(references), timeout=_PATIENCE_S)
            for reference in stubborn:
                self._ray.cancel(reference, force=True)


class Board:
    """Where commands say how far they are. Ray makes an actor of it."""

    def __init__(self) -> None:
        self._done: dict[str, tuple[str, int]] = {}

    def write(self, name: str, node: str, done_bytes: int) -> None:
        """A command on a node has done so many bytes."""
        self._done[name] = (node, done_bytes)

    def read(self) -> dict[str, tuple[str, int]]:
        """What was said since the last time: name of the command -> (node, bytes done)."""
        said, self._done = self._done, {}
        return said


def _run(command: Command, board: Any) -> tuple[str, float, str]:
    """What Ray does on a node: (the node, seconds, the last line of its log).

    Raises: CommandDied where another try may help.
    """
    import ray

    began = time.monotonic()
    node = f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:8]}"
    code, said = run_command(command, _teller(board, command.name, node), node)
    if not command.is_done() and code != 2:  # 2: what was asked for is wrong, and stays so
        time.sleep(_WAIT_S)  # perhaps another process has just to let go of it
        raise CommandDied(f"exit code {code} on {node}: {said} (see {command.log})")
    return node, time.monotonic() - began, said


def _teller(board: Any, name: str, node: str) -> Callable[[int], None]:
    def tell(done_bytes: int) -> None:
        board.write.remote(name, node, done_bytes)

    return tell
