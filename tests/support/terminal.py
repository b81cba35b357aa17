"""Commands in a terminal of some width, as people see them: what is drawn over is gone."""

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

_PROGRAM = os.environ.get("TELECINE_PROGRAM", "")
"""The executable whose screens are seen, such as that of a fresh environment; none: that of the tests."""
_TOKENS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\n|\r|[^\x1b\n\r]+")


def printed(folder: Path, width: int | None, *words: str) -> str:
    """What a command prints into a terminal of that width, or into a pipe; in `folder`, with exit code 0."""
    if width is None:
        command = [sys.executable, "-m", "telecine", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    code, screen = seen(folder, width, *words)
    assert code == 0, screen
    return screen


def seen(folder: Path, width: int, *words: str) -> tuple[int, str]:
    """(exit code, what stands on the screen at the end) of a command of telecine in a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")} | {"TERM": "xterm"}
    environment = {k: v for k, v in environment.items() if k != "PYTHONPATH" or not _PROGRAM}
    command = [*([_PROGRAM] if _PROGRAM else [sys.executable, "-m", "telecine"]), *words]
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # Linux's way of saying that the other side is closed
            break
        if not data:
            break
        said += data
    os.close(ours)
    return process.wait(), screen_of(said.decode())


def screen_of(said: str) -> str:
    """The text that stands there when all is written, of programs that only go back to lines that they wrote."""
    lines, row, column = [""], 0, 0
    for token in _TOKENS.findall(said):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token.startswith("\x1b"):
            if token.endswith("A"):
                row = max(row - int(token[2:-1] or 1), 0)
            elif token == "\x1b[2K":
                lines[row] = ""
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + token + line[column + len(token) :]
            column += len(token)
    return "\n".join(line.rstrip() for line in lines)


def split(command: str) -> list[str]:
    """The words of a command of telecine, as a shell has them, without the first."""
    program, *words = shlex.split(command)
    assert program == "telecine"
    return words
