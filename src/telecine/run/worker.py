"""The process that works for a pool: takes a task from its input, answers on its output, until the input ends.

It ends with its pool, whatever happened to that one: a thread reads the input, and when the input ends in the middle
of a task, nobody wants the answer. What libraries print goes to standard error.
"""

import os
import pickle  # nosec B403  # between processes of ours only
import signal
import sys
import threading
from queue import SimpleQueue
from typing import IO, Any

from telecine.run.ipc import receive, send
from telecine.run.parent import end_with


def main(parent: int = 0) -> None:
    """Serve the pool at the other ends of standard input and output; see `end_with` for `parent`, if any."""
    if parent:
        end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the pool decides what it means
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, output)


def serve(source: IO[bytes], output: IO[bytes]) -> None:
    """Serve one pool, until `source` ends."""
    tasks: SimpleQueue[Any] = SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read, args=(source, tasks, busy), daemon=True).start()
    _send(output, ("ready", None))
    while (task := tasks.get()) is not None:
        answer = _answer(task, output)
        busy.clear()
        _send(output, answer)


def _send(output: IO[bytes], message: tuple[str, Any]) -> None:
    try:
        send(output, message)
    except OSError:
        os._exit(1)  # the pool is gone


def _read(stream: IO[bytes], tasks: "SimpleQueue[Any]", busy: threading.Event) -> None:
    try:
        while True:
            task = receive(stream)
            busy.set()
            tasks.put(task)
    except EOFError:
        if busy.is_set():
            os._exit(1)
        tasks.put(None)


def _answer(task: Any, output: IO[bytes]) -> tuple[str, Any]:
    """("done", value) or ("raised", error)."""
    fn, item = task
    try:
        return "done", fn(item, lambda done, label: _send(output, ("progress", (done, label))))
    except Exception as error:  # noqa: BLE001  it is raised again on the other side
        return "raised", _picklable(error)


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # nosec B301  # what was pickled a moment ago
    except Exception:  # noqa: BLE001  whatever a stranger's exception does when it is pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
