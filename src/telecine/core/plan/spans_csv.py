"""Episodes marked by hand in a table: CSV text to the `spans` of a plan."""

import csv
from collections.abc import Iterator
from typing import Any

from telecine.core.errors import PlanError

COLUMNS = ("recording", "start", "stop", "task", "success")
_TRUTH = {
    "true": True,
    "1": True,
    "yes": True,
    "success": True,
    "false": False,
    "0": False,
    "no": False,
    "failure": False,
}


def spans_of_csv(text: str, where: str) -> list[dict[str, Any]]:
    """One entry of `split.spans` per line; the first line names the columns, of which `start` and `stop` are needed.

    Empty cells are left out. Raises: PlanError naming every line that is wrong.
    """
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(), skipinitialspace=True, strict=True)
    try:
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        rows = list(reader)
    except csv.Error as error:
        raise PlanError(f"{where}: not a CSV file: {error}") from error
    problems = list(_column_problems(columns))
    spans = [_span(row, number, problems) for number, row in enumerate(rows, start=2)] if not problems else []
    if not spans and not problems:
        problems.append("no span: a line with start and stop is needed below the column names")
    if problems:
        raise PlanError(f"{where}: " + "; ".join(problems))
    return spans


def _column_problems(columns: list[str]) -> Iterator[str]:
    if unknown := [c for c in columns if c not in COLUMNS]:
        yield f"unknown column {', '.join(map(repr, unknown))}; known are {', '.join(COLUMNS)}"
    if lacking := [c for c in ("start", "stop") if c not in columns]:
        yield f"no column {' and '.join(lacking)}"


def _span(row: dict[Any, Any], line: int, problems: list[str]) -> dict[str, Any]:
    if None in row:
        problems.append(f"line {line}: more cells than columns; quote texts that hold commas")
        return {}
    cells = {k.strip().lower(): v.strip() for k, v in row.items() if v is not None and v.strip()}
    problems += [f"line {line}: no {name}" for name in ("start", "stop") if name not in cells]
    span: dict[str, Any] = dict(cells)
    if "success" in cells:
        if cells["success"].lower() not in _TRUTH:
            problems.append(f"line {line}: success {cells['success']!r} is neither true nor false")
        span["success"] = _TRUTH.get(cells["success"].lower())
    return span
