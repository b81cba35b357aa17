"""Ctrl-C and SIGTERM end a command in good order: what it holds is let go, and it names what can be taken up."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopped(BaseException):
    """The user or the system asked the command to stop. code: what a shell expects; notes: what to tell."""

    def __init__(self, number: int, notes: tuple[str, ...] = ()) -> None:
        super().__init__("interrupted" if number == signal.SIGINT else f"asked to end ({signal.Signals(number).name})")
        self.code = 128 + number
        self.notes = notes


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, signals that ask to stop raise KeyboardInterrupt, once, and come out as `Stopped`."""
    got: list[int] = []

    def stop(number: int, frame: Any) -> None:
        del frame
        if not got:  # a second one would only disturb the tidying up
            got.append(number)
            raise KeyboardInterrupt

    wanted = [n for n in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)) if n is not None]
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, stop) for number in wanted} if main else {}
    try:
        yield
    except KeyboardInterrupt as error:
        raise Stopped(got[0] if got else signal.SIGINT, tuple(getattr(error, "__notes__", ()))) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
