"""Fails when tests reach less of a folder than they should; says nothing when they reach enough.

`python .ci/coverage_gate.py coverage.json`, with a report by `coverage json` that measured branches. The thresholds
stand here and nowhere else.
"""

import json
import sys
from collections import Counter
from pathlib import Path

THRESHOLDS = {"src/telecine/core/": 100.0, "src/telecine/": 90.0}
"""Percent of statements and branches together, per folder with all that is below it."""


def reached(files: dict[str, dict[str, dict[str, int]]], folder: str) -> float:
    """Percent of the folder's statements and branches that ran."""
    total: Counter[str] = Counter()
    for name, file in files.items():
        if name.startswith(folder):
            total.update({key: value for key, value in file["summary"].items() if isinstance(value, int)})
    possible = total["num_statements"] + total["num_branches"]
    if not possible:
        raise SystemExit(f"error: the coverage report knows no file in {folder}")
    return 100 * (total["covered_lines"] + total["covered_branches"]) / possible


def gaps(files: dict[str, dict[str, list[object]]], folder: str) -> list[str]:
    """One line per file of the folder that is not reached completely, cut to a screen's width."""
    return [
        f"  {name}: lines {file['missing_lines']}, branches {file['missing_branches']}"[:160]
        for name, file in sorted(files.items())
        if name.startswith(folder) and (file["missing_lines"] or file["missing_branches"])
    ]


def main(report: str) -> int:
    """Exit code 1 and the places when a folder is below its threshold."""
    files = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    short = {folder: percent for folder, least in THRESHOLDS.items() if (percent := reached(files, folder)) < least}
    for folder, percent in short.items():
        print(f"error: tests reach {percent:.2f} % of {folder}, not {THRESHOLDS[folder]:g} %", file=sys.stderr)
        print("\n".join(gaps(files, folder)), file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
