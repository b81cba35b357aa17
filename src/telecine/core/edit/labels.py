"""Tables of labels as an edit: each line's episodes and rows found in the datasets."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from telecine.core.edit.flags import episodes_of, rows_of
from telecine.core.edit.model import Edit, make_edit
from telecine.core.edit.resolve import Name, SourceDataset, key_of
from telecine.core.errors import EditError, PlanError
from telecine.core.label import Label
from telecine.core.labels.spans import until_next
from telecine.core.labels.table import label_fields, label_lines


def edit_of_labels(text: str, where: str, inputs: Sequence[SourceDataset]) -> Edit:
    """The labels of a table, CSV or JSON. `start` and `stop` are seconds as 1.5s, or rows.

    Raises: EditError naming file and line.
    """
    found: dict[Name, list[tuple[Label, bool, dict[str, Any]]]] = {}
    try:
        for place, cells in label_lines(text, where, named_by="episode"):
            fields = label_fields(cells, place)
            for name in episodes_of(place, cells.get("episode", ""), inputs):
                dataset = inputs[name[0]]
                fps, length = dataset.fps, dataset.episodes[name[1]].length
                start = rows_of(cells.get("start", "0"), fps, length, f"{place}: start")
                stop = rows_of(cells["stop"], fps, length, f"{place}: stop") if "stop" in cells else length
                label = Label(start, stop, fields["style"], role=fields.get("role", ""), camera=fields.get("camera"))
                label = replace(label, stop=start + 1) if label.is_event else label
                found.setdefault(name, []).append((label, "stop" not in cells, fields))
    except PlanError as error:
        raise EditError(str(error)) from error
    labels = [entry for name in sorted(found) for entry in _entries(key_of(name, inputs), found[name])]
    return make_edit({"labels": labels})


def _entries(key: str, own: list[tuple[Label, bool, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The labels of one episode; a label without `stop` lasts until the next of its kind."""
    closed = until_next([label for label, _, _ in own], [is_open for _, is_open, _ in own])
    for label, (_, _, fields) in zip(closed, own, strict=True):
        yield {"episode": key, "rows": [label.start, label.stop], **fields}
