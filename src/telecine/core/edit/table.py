"""Edits as a table: CSV with a line per episode, as people make them in a spreadsheet.

    episode,drop,start,stop,task,success,outcome,tags,comment
    3,true,,,,,,,gripper slipped
    4,,1.5s,6.2s,pick up the cube,true,,good;clean,
    pick_007.rrd,,,,,false,dropped,,

`episode` is a number, input/number or the name of a recording; every other column may be missing and every cell empty.
Several lines of one episode with start and stop are its parts.
"""

import csv
from collections.abc import Mapping, Sequence
from typing import Any

from telecine.core.edit.flags import episodes_of, rows_of
from telecine.core.edit.model import Edit, make_edit
from telecine.core.edit.resolve import Name, SourceDataset, key_of
from telecine.core.errors import EditError
from telecine.core.text.documents import suggest

COLUMNS = ("episode", "drop", "start", "stop", "task", "success", "outcome", "tags", "comment")
_BOOLS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def edit_of_table(text: str, inputs: Sequence[SourceDataset]) -> Edit:
    """The edit that a CSV table means for these datasets. Raises: EditError naming line and column."""
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    try:
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        unknown = [name for name in names if name not in COLUMNS]
        if "episode" not in names or unknown:
            hints = ", ".join(f"{name!r}{suggest(name, COLUMNS)}" for name in unknown)
            said = f"unknown columns {hints}" if unknown else "there is no column `episode`"
            raise EditError(f"{said}; columns are {', '.join(COLUMNS)}")
        reader.fieldnames = names
        entries: dict[str, dict[str, Any]] = {}
        for row in reader:
            if None in row:
                raise EditError(f"line {reader.line_num}: more cells than columns; quote texts that hold commas")
            _add(entries, {k: (v or "").strip() for k, v in row.items()}, inputs, f"line {reader.line_num}")
    except csv.Error as error:
        raise EditError(f"line {reader.line_num}: not CSV: {error}") from error
    return make_edit({"episodes": entries})


def _add(
    entries: dict[str, dict[str, Any]], row: Mapping[str, str], inputs: Sequence[SourceDataset], line: str
) -> None:
    if not any(row.values()):
        return
    for name in sorted(episodes_of(line, row["episode"], inputs)):
        key, marks = key_of(name, inputs), _marks(row, line)
        entry = entries.setdefault(key, {})
        if row.get("start") or row.get("stop"):
            marks["rows"] = _rows(row, name, inputs, line)
            entry.setdefault("parts", []).append(marks)
        elif entry:
            raise EditError(f"{line}: episode {key} has a line already; give each part its start and stop")
        else:
            entry |= marks


def _marks(row: Mapping[str, str], line: str) -> dict[str, Any]:
    marks: dict[str, Any] = {name: row[name] for name in ("task", "outcome", "comment") if row.get(name)}
    if row.get("drop"):
        marks["drop"] = _bool("drop", row["drop"], line)
    if row.get("success"):
        said = row["success"].lower()
        marks["success"] = said if said == "unknown" else _bool("success", said, line)
    if row.get("tags"):
        marks["tags"] = [tag.strip() for tag in row["tags"].replace(",", ";").split(";") if tag.strip()]
    return marks


def _bool(column: str, text: str, line: str) -> bool:
    if text.lower() not in _BOOLS:
        raise EditError(f"{line}: {column} is {text!r}, not true or false")
    return _BOOLS[text.lower()]


def _rows(row: Mapping[str, str], name: Name, inputs: Sequence[SourceDataset], line: str) -> list[int]:
    dataset = inputs[name[0]]
    length = dataset.episodes[name[1]].length
    start = rows_of(row["start"], dataset.fps, length, f"{line}: start") if row.get("start") else 0
    stop = rows_of(row["stop"], dataset.fps, length, f"{line}: stop") if row.get("stop") else length
    return [start, stop]
