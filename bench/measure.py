"""One command as a whole process: CPU seconds, wall seconds and peak memory, with all that it starts."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one run of a command took."""

    cpu_s: float
    """User and system time of the process and of every child that it waited for."""
    wall_s: float
    peak_bytes: int
    """Largest resident set of the process or of one of its children."""
    output: str

    def __str__(self) -> str:
        return f"{self.cpu_s:.2f} CPU-s, {self.wall_s:.2f} s wall, {self.peak_bytes / 1e6:.0f} MB"


def run(command: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None) -> Cost:
    """Run once and wait. SystemExit with the end of its output when the command fails."""
    # Bytecode is kept as in any installation, also where the environment of whoever measures forbids it.
    quiet = {
        "PYTHONDONTWRITEBYTECODE": "",
        "RERUN_ANALYTICS": "0",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "SVT_LOG": "1",
    }
    with log.open("w+", encoding="utf-8") as sink:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **quiet, **(environment or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        sink.seek(0)
        output = sink.read()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nfailed with {process.returncode}:\n{output[-3000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024, output)


def best(costs: Sequence[Cost]) -> Cost:
    """The run that took the least CPU: what another program did to the machine is no property of this one."""
    return min(costs, key=lambda cost: cost.cpu_s)
