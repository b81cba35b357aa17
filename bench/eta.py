"""What `convert` says of the time that is left, beside what was left.

    python bench/eta.py FOLDER [FLAG ...]

A line for each fifth of the work. The time left is that of the phase which is shown: converting, then verifying.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLOSE = 1 / 3
"""What is said after a fifth may differ from the truth by so much of it."""
LINE = re.compile(r"(\w+): (\d+) %, (?:(\d+) min )?(\d+) s left")


def main() -> int:
    """1 when what was said after a fifth of converting is further off than it may be."""
    with tempfile.TemporaryDirectory(prefix="telecine-eta-") as scratch:
        words = [sys.executable, "-m", "telecine", "convert", sys.argv[1], str(Path(scratch) / "out"), *sys.argv[2:]]
        told, end_s = said(words)
    converted_s = max(at_s for at_s, phase, *_ in told if phase == "converting")
    print(f"converting {converted_s:.0f} s, all {end_s:.0f} s; load {os.getloadavg()[0]:.0f}")
    print("| done | said | left of converting | off | left of all |")
    print("|---|---|---|---|---|")
    close = True
    for fifth in (20, 40, 60, 80):
        at_s, _, _, left_s = next(line for line in told if line[1] == "converting" and line[2] >= fifth)
        truth_s = converted_s - at_s
        off = left_s / truth_s - 1
        print(f"| {fifth} % | {left_s} s | {truth_s:.0f} s | {100 * off:+.0f} % | {end_s - at_s:.0f} s |")
        close &= fifth != 20 or abs(off) <= CLOSE
    return int(not close)


def said(words: list[str]) -> tuple[list[tuple[float, str, int, int]], float]:
    """Each line of progress as (when, phase, per cent, seconds left), and when the command ended."""
    began_s = time.monotonic()
    told = []
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if found := LINE.match(line):
                left_s = 60 * int(found[3] or 0) + int(found[4])
                told.append((time.monotonic() - began_s, found[1], int(found[2]), left_s))
    return told, time.monotonic() - began_s


if __name__ == "__main__":
    sys.exit(main())
