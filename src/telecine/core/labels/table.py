"""Labels as tables: CSV with a line per label, or the same as a JSON list of objects.

    episode,start,stop,style,text
    3,0s,1.5s,subtask,reach for the cube
    3,1.5s,,subtask,grasp it

Of recordings, `recording` stands in place of `episode`. `style` may be missing: subtask.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any

from telecine.core.errors import PlanError
from telecine.core.text.documents import suggest

MOST_LABELS = 5000
"""Of one plan or edit, which stay in the dataset as files of at most 1 MB."""
COLUMNS = ("start", "stop", "style", "text", "role", "camera", "value")


def label_lines(text: str, where: str, *, named_by: str) -> Iterator[tuple[str, dict[str, str]]]:
    r"""(place in the file, filled cells) of each label. named_by: "episode" or "recording", the first column.

    Raises: PlanError naming file and line.

    >>> list(label_lines("episode,start,text\n3,0s,reach", "a.csv", named_by="episode"))
    [('a.csv line 2', {'episode': '3', 'start': '0s', 'text': 'reach', 'style': 'subtask'})]
    """
    columns = (named_by, *COLUMNS)
    lines = _of_json(text, where) if text.lstrip("\ufeff \n\r\t").startswith(("[", "{")) else _of_csv(text, where)
    empty = True
    for place, cells in lines:
        if odd := [name for name in cells if name not in columns]:
            hints = ", ".join(f"{name!r}{suggest(name, columns)}" for name in odd)
            raise PlanError(f"{place}: unknown column {hints}; known are {', '.join(columns)}")
        if cells:
            empty = False
            yield place, {**cells, "style": cells.get("style", "subtask").lower()}
    if empty:
        raise PlanError(f"{where}: holds no label; a line with {named_by}, start and text is one")


def label_fields(cells: Mapping[str, str], place: str) -> dict[str, Any]:
    """What a label is, without where: style, text, role, camera, value. Raises: PlanError for a value that is none."""
    found: dict[str, Any] = {name: cells[name] for name in ("style", "text", "role", "camera") if name in cells}
    if "value" in cells:
        found["value"] = _number(cells["value"], place)
    return found


def _number(text: str, place: str) -> float:
    words = {"true": 1.0, "false": 0.0}
    try:
        return words[text.lower()] if text.lower() in words else float(text)
    except ValueError as error:
        raise PlanError(f"{place}: value {text!r} is no number, true or false") from error


def _of_csv(text: str, where: str) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(keepends=True), skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        for row in reader:
            place = f"{where} line {reader.line_num}"
            if None in row:
                raise PlanError(f"{place}: more cells than columns; quote texts that hold commas")
            yield place, {name: cell.strip() for name, cell in row.items() if cell is not None and cell.strip()}
    except csv.Error as error:
        raise PlanError(f"{where} line {reader.line_num}: not CSV: {error}") from error


def _of_json(text: str, where: str) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        body = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{where}: not JSON: {error}") from error
    if not isinstance(body, list) or not all(isinstance(entry, dict) for entry in body):
        raise PlanError(f"{where}: expected a JSON list of objects, one for each label")
    for number, entry in enumerate(body):
        place = f"{where} entry {number}"
        if odd := [name for name, value in entry.items() if isinstance(value, dict | list)]:
            raise PlanError(f"{place}: {', '.join(odd)}: expected a text or a number")
        yield place, {name: _text(value) for name, value in entry.items() if value is not None and _text(value)}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
