"""Fails when tests reach less of a folder than they should; says nothing when they reach enough.

`python .ci/coverage_gate.py coverage.json FOLDER`, with a report by `coverage json` and a folder of the table below,
which stands here and nowhere else.
"""

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Least:
    """Percent of a folder, with all that is below it, that tests have to reach."""

    percent: float
    branches: bool
    """Of statements and branches together, or of statements alone."""


LEAST = {"src/telecine/core/": Least(100.0, branches=True), "src/telecine/": Least(90.0, branches=False)}


def reached(files: dict[str, dict[str, dict[str, int]]], folder: str) -> float:
    """Percent of the folder's statements, and branches where they were measured, that ran."""
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
        f"  {name}: lines {file['missing_lines']}, branches {file.get('missing_branches', [])}"[:160]
        for name, file in sorted(files.items())
        if name.startswith(folder) and (file["missing_lines"] or file.get("missing_branches"))
    ]


def main(report: str, folder: str) -> int:
    """Exit code 1 and the places when the folder is below its threshold."""
    told, least = json.loads(Path(report).read_text(encoding="utf-8")), LEAST[folder]
    if told["meta"]["branch_coverage"] < least.branches:
        raise SystemExit(f"error: {report} has no branches, which count in {folder}: pytest --cov-branch")
    percent = reached(told["files"], folder)
    if percent >= least.percent:
        return 0
    print(f"error: tests reach {percent:.2f} % of {folder}, not {least.percent:g} %", file=sys.stderr)
    print("\n".join(gaps(told["files"], folder)), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
