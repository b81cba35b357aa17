"""What the pool's tests let worker processes do. A module of its own, because workers import it."""

import ctypes
import os
import signal
import time
from pathlib import Path


def double(item, tell):
    tell(item, f"item {item}")
    return 2 * item


def process_id(item, tell):
    return os.getpid()


def slow_at_first(item, tell):
    """The first item is done last."""
    path = Path(item[1])
    if item[0] == 0:
        while len(list(path.iterdir())) < item[2]:
            time.sleep(0.01)
    (path / str(item[0])).touch()
    return item[0]


def die(item, tell):
    """Every third item kills its process; `item` is (number, folder to note attempts in)."""
    number, folder = item
    if number % 3 == 1:
        with (Path(folder) / str(number)).open("a") as notes:
            notes.write("x")
        os.kill(os.getpid(), signal.SIGABRT)
    return number


def die_once(item, tell):
    number, folder = item
    mark = Path(folder) / str(number)
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def grow(item, tell):
    """Take `item` MiB and hold them until somebody objects."""
    held = b"x" * (item << 20)
    time.sleep(60 if item > 100 else 0)
    return len(held) >> 20


def refuse(item, tell):
    raise ValueError(f"no {item}")


class Odd(Exception):
    """Cannot be pickled back."""

    def __init__(self, first, second):
        super().__init__(first)


def refuse_oddly(item, tell):
    raise Odd(1, 2)


def chatter(item, tell):
    """What a native library does."""
    os.write(1, b"noise\n")
    return item


def forever(item, tell):
    Path(item).touch()
    time.sleep(600)


def stuck(item, tell):
    """In native code that does not let go of the interpreter."""
    Path(item).write_text(str(os.getpid()))
    ctypes.PyDLL(None).pause()


def hang(item, tell):
    while item == "hang":
        time.sleep(0.05)
    for _ in range(8 if item == "slow" else 0):
        time.sleep(0.1)
        tell(1, item)
    return item
