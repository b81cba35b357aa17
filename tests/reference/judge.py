"""The conformance check as often as asked for, with LeRobot imported once: importing it takes longer than judging.

A program of its own (`python judge.py CHECK`). Each line on standard input is a JSON object: `flags` for the check
and `log`, the file for what it prints. Each is judged in a fork of this process, so that no judgement knows of the
one before; the answer is its exit code on a line.
"""

import importlib
import json
import os
import runpy
import signal
import sys
import tempfile
import warnings
from pathlib import Path

IMPORTED = ("av", "datasets", "pandas", "lerobot.datasets", "lerobot.processor.normalize_processor", "torchvision")
LONGEST_S = 900


def main() -> None:
    """Answer until standard input ends."""
    check = sys.argv[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in IMPORTED:
            importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            judge(check, asked["flags"], asked["log"])
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def judge(check: str, flags: list[str], log: str) -> None:
    """Run the check in this process and end it. An Arrow cache of its own, because LeRobot's is keyed by path."""
    signal.alarm(LONGEST_S)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    with tempfile.TemporaryDirectory(prefix="judge-") as cache:
        importlib.import_module("datasets.config").HF_DATASETS_CACHE = Path(cache)
        sys.argv = [check, *flags]
        runpy.run_path(check, run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    main()
