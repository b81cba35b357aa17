"""Messages between a pool and its workers: pickled values behind their length. Only ever between our own processes."""

import pickle  # nosec B403  # between processes of ours only
from typing import IO, Any

_LENGTH = 8


def send(stream: IO[bytes], message: Any) -> None:
    """Write one message. Raises OSError when nobody reads any more."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(len(body).to_bytes(_LENGTH, "little") + body)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message. Raises EOFError when the other side is gone, in the middle of a message as well."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        raise EOFError
    size = int.from_bytes(head, "little")
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return pickle.loads(body)  # noqa: S301  # nosec B301  # from a process that we started, through a pipe that only it has
