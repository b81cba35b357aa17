"""Labels as the columns that LeRobot reads, and back. Pure.

Formats: `lerobot/datasets/language.py` of LeRobot 0.6.1. `language_persistent` is the same list in every row of an
episode; what LeRobot takes for JSON (`tool_calls`) is stored as text, which its reader parses.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.label import EVENTS, LANGUAGE, PERSISTENT, STYLES, Label
from telecine.core.labels.numbered import SUBTASK_INDEX, numbered_subtasks
from telecine.core.labels.spans import in_order
from telecine.core.recording import Array

LABEL_COLUMNS = {
    **{key: FeatureColumn(key, "language", (1,)) for key in LANGUAGE},
    "intervention": FeatureColumn("intervention", "bool", (1,)),
    "next.reward": FeatureColumn("next.reward", "float32", (1,)),
    "next.done": FeatureColumn("next.done", "bool", (1,)),
}
"""The columns that labels make; `next.success` follows from the episode's facts."""
_TEXT = pa.string()
_HEAD = [pa.field("role", _TEXT, nullable=False), pa.field("content", _TEXT), pa.field("style", _TEXT)]
_TAIL = [pa.field("camera", _TEXT), pa.field("tool_calls", pa.list_(_TEXT))]
_PERSISTENT_ENTRY = pa.struct([*_HEAD, pa.field("timestamp", pa.float32(), nullable=False), *_TAIL])
_EVENT_ENTRY = pa.struct([*_HEAD, *_TAIL])


def language_type(key: str) -> pa.ListType:
    """The Arrow type of the language column `key`. Raises: KeyError for another key."""
    return {PERSISTENT: pa.list_(_PERSISTENT_ENTRY), EVENTS: pa.list_(_EVENT_ENTRY)}[key]


def hugging_face_type(key: str) -> dict[str, Any]:
    """How the package `datasets` describes that type."""

    def described(kind: pa.DataType) -> dict[str, Any]:
        if pa.types.is_struct(kind):
            return {kind.field(i).name: described(kind.field(i).type) for i in range(kind.num_fields)}
        if pa.types.is_list(kind):
            return {"feature": described(kind.value_type), "_type": "List"}
        return {"dtype": "float32" if pa.types.is_floating(kind) else "string", "_type": "Value"}

    return described(language_type(key))


def columns_of(labels: Iterable[Label]) -> list[FeatureColumn]:
    """The columns that labels need, in order: both of language where there is any, as LeRobot's writer makes them."""
    keys = {label.kind.column for label in labels}
    if not keys.isdisjoint(LANGUAGE):
        keys |= set(LANGUAGE)
    return [column for key, column in LABEL_COLUMNS.items() if key in keys]


def language_array(key: str, labels: Iterable[Label], count: int, fps: float) -> pa.Array:
    """The language column `key` of an episode of `count` rows.

    A persistent entry has the time of the first of its rows, float32(row / fps), and holds until the next one.
    """
    own = [label for label in in_order(labels) if label.kind.column == key]
    sizes: Array = np.full(count, len(own))
    if key == EVENTS:
        sizes = np.bincount(np.array([label.start for label in own], np.int64), minlength=count)
    entries = _entries(own, language_type(key).value_type, fps)
    if key == PERSISTENT and own:
        entries = entries.take(arrow.numbers(np.tile(np.arange(len(own)), count)))
    offsets = arrow.numbers(np.append(0, np.cumsum(sizes)).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, entries, type=language_type(key))


def _entries(labels: Sequence[Label], kind: pa.StructType, fps: float) -> pa.StructArray:
    values: dict[str, Any] = {
        "role": arrow.array([label.spoken_by for label in labels], _TEXT),
        "content": arrow.array([None if _is_said(label) else label.text for label in labels], _TEXT),
        "style": arrow.array([None if label.style == "speech" else label.style for label in labels], _TEXT),
        "timestamp": arrow.numbers(np.array([label.start / fps for label in labels], np.float32)),
        "camera": arrow.array([label.camera for label in labels], _TEXT),
        "tool_calls": pa.array([_calls(label) for label in labels], pa.list_(_TEXT)),
    }
    fields = [kind.field(i) for i in range(kind.num_fields)]
    return pa.StructArray.from_arrays([values[f.name] for f in fields], fields=fields)


def _is_said(label: Label) -> bool:
    """Speech is a call of the tool `say`, without content."""
    return label.style == "speech" and not label.tool_calls


def _calls(label: Label) -> list[str] | None:
    if _is_said(label):
        return [_json({"type": "function", "function": {"name": "say", "arguments": {"text": label.text}}})]
    return list(label.tool_calls) or None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def labels_of(rows: pa.Table, fps: float, count: int | None = None, subtasks: Sequence[str] = ()) -> tuple[Label, ...]:
    """The labels in the columns of language of an episode whose rows these are.

    An entry lasts until the next of its style, role and camera; a `task_aug` to the end. count: of rows of the whole
    episode, where only some are given; events then count from the first of these. subtasks: the texts that
    `subtask_index` numbers, which says the subtasks where no column of language does.

    Raises: ValueError for columns that hold something else.
    """
    found: list[Label] = []
    count = count or rows.num_rows
    if PERSISTENT in rows.column_names and rows.num_rows:
        entries = _dicts(rows.column(PERSISTENT)[0].as_py(), PERSISTENT)
        found += _lasting([_label(entry, _row(entry, fps, count)) for entry in entries], count)
    if EVENTS in rows.column_names:
        for row, entries in _filled(rows.column(EVENTS)):
            labels = [_label(entry, row) for entry in _dicts(entries, EVENTS)]
            found += (replace(label, of_events=label.style not in STYLES) for label in labels)
    if subtasks and SUBTASK_INDEX in rows.column_names and not any(label.style == "subtask" for label in found):
        found += numbered_subtasks(arrow.to_numpy(rows.column(SUBTASK_INDEX).combine_chunks()).reshape(-1), subtasks)
    return in_order(found)


def as_language(data: pa.ChunkedArray, key: str) -> pa.Array:
    """A language column in the type of `language_type`, with what others store as structs for JSON as text.

    Raises: ValueError for a column that holds something else.
    """
    names = [field.name for field in language_type(key).value_type]
    rows = [[_stored(entry, names) for entry in _dicts(entries, key)] for entries in data.to_pylist()]
    try:
        return pa.array(rows, language_type(key))
    except (pa.ArrowException, TypeError) as error:
        raise ValueError(f"{key}: {error}") from error


def _stored(entry: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    calls = entry.get("tool_calls")
    texts = None if calls is None else [call if isinstance(call, str) else _json(call) for call in calls]
    return {name: texts if name == "tool_calls" else entry.get(name) for name in names}


def _filled(column: pa.ChunkedArray) -> Iterator[tuple[int, Any]]:
    """(row, entries) of the rows that have some."""
    first = 0
    for chunk in column.chunks:
        storage = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        empty = storage.null_count or not pa.types.is_list(storage.type)
        sizes = [len(entry.as_py() or ()) for entry in storage] if empty else np.diff(arrow.to_numpy(storage.offsets))
        yield from ((first + row, storage[row].as_py()) for row in np.flatnonzero(sizes).tolist())
        first += len(chunk)


def _dicts(entries: Any, key: str) -> list[Mapping[str, Any]]:
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError(f"{key}: holds {type(entries).__name__} instead of a list of entries")
    return entries


def _row(entry: Mapping[str, Any], fps: float, count: int) -> int:
    time = entry.get("timestamp")
    if not isinstance(time, int | float) or not np.isfinite(time):
        raise ValueError(f"{PERSISTENT}: an entry has the timestamp {time!r}")
    return min(max(round(time * fps), 0), count - 1)


def _label(entry: Mapping[str, Any], row: int) -> Label:
    """The label of an entry, as an event of one row."""
    calls = [call if isinstance(call, str) else _json(call) for call in entry.get("tool_calls") or ()]
    style, text = entry.get("style"), entry.get("content")
    if style is None and len(calls) == 1 and text is None and (said := _said(calls[0])) is not None:
        text, calls = said, []
    named = Label(row, row + 1, str(style or "speech"), None if text is None else str(text), tool_calls=tuple(calls))
    role, camera = str(entry.get("role") or ""), entry.get("camera")
    return replace(named, role="" if role == named.kind.role else role, camera=None if camera is None else str(camera))


def _said(call: str) -> str | None:
    """The text of a call of the tool `say` that has nothing else."""
    try:
        function = json.loads(call)["function"]
        arguments = (
            json.loads(function["arguments"]) if isinstance(function["arguments"], str) else function["arguments"]
        )
        text = arguments["text"]
    except (KeyError, TypeError, ValueError):
        return None
    said = function.get("name") == "say" and set(arguments) == {"text"} and isinstance(text, str)
    return text if said else None


def _lasting(labels: Sequence[Label], count: int) -> Iterator[Label]:
    """Persistent labels, each until the next of its selector; those of one time as short as it."""
    for label in labels:
        later = [one.start for one in labels if one.selector == label.selector and one.start > label.start]
        yield replace(label, stop=min(later, default=count) if label.kind.exclusive else count)


def numbers_over(values: Array, labels: Iterable[Label], key: str) -> Array:
    """(n,) values of the column `key` with those that labels give to their rows."""
    made = values.copy()
    for label in labels:
        if label.kind.column == key:
            made[label.start : label.stop] = label.number
    return made


def label_array(column: FeatureColumn, labels: Iterable[Label], count: int, fps: float) -> pa.Array:
    """The column of an episode of `count` rows: of numbers, 0 where no label gives one."""
    if column.dtype == "language":
        return language_array(column.key, labels, count, fps)
    return arrow.numbers(numbers_over(np.zeros(count, column.dtype), labels, column.key))


def with_labels(episode: Episode, keys: Iterable[str]) -> Episode:
    """The episode with the columns of its labels, and of those in `keys`, without any label where it has none."""
    have = {column.key for column in episode.columns}
    styled = (Label(0, 1, style) for style in episode.label_styles)
    wanted = {column.key for column in columns_of((*episode.labels, *styled))} | set(keys)
    columns = [column for key, column in LABEL_COLUMNS.items() if key in wanted - have]
    rows, count, fps = episode.rows, episode.grid.count, float(episode.grid.fps)
    for position, column in enumerate(columns, start=len(episode.columns)):
        rows = rows.add_column(position, column.key, label_array(column, episode.labels, count, fps))
    return replace(episode, rows=rows, columns=(*episode.columns, *columns)) if columns else episode
