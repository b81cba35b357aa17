"""The properties of a Rerun recording, as `Recording.attrs`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.chunks import PROPERTIES, Chunks

_LEROBOT = "/__lerobot"
"""Where Rerun's LeRobotReader puts the metadata of a dataset."""


class Properties(Mapping[str, str]):
    """Recording properties by name, read when first asked.

    `name` and `start_time` (UTC) are Rerun's own; a property `episode` with a field `task` is `episode.task`, and
    also `task` unless two properties have such a field. `application_id` is always there for files.
    """

    def __init__(self, chunks: Chunks, application_id: str, shared: Mapping[str, str] = {}) -> None:
        """`shared` are properties that count where the recording has none of that name."""
        self._chunks = chunks
        self._shared = shared
        self._fixed = {"application_id": application_id} if application_id else {}
        self._read: dict[str, str] | None = None

    def _values(self) -> dict[str, str]:
        if self._read is None:
            found = _read(self._chunks)
            info = {key: found.pop(key, "") for key in ((_LEROBOT.strip("/"), "info"), (_LEROBOT.strip("/"), "stats"))}
            self._read = {**self._shared, **_of_lerobot(info), **_short(found), **self._fixed}
        return self._read

    def __getitem__(self, key: str) -> str:
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())


def _of_lerobot(found: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Fps and robot type of the LeRobot dataset that Rerun's LeRobotReader read, out of its info.json."""
    try:
        info = json.loads(found.get((_LEROBOT.strip("/"), "info"), ""))
    except ValueError:
        return {}
    known = {key: info.get(key) for key in ("fps", "robot_type")} if isinstance(info, dict) else {}
    return {key: str(value) for key, value in known.items() if isinstance(value, str | int)}


def _read(chunks: Chunks) -> dict[tuple[str, str], str]:
    """(property, field) -> text; the property is "" for Rerun's own."""
    found: dict[tuple[str, str], str] = {}
    for column in chunks.columns:
        if not column.entity.startswith((PROPERTIES, _LEROBOT)):
            continue
        for batch in chunks.batches(column.entity, [column.component]):
            if column.component not in batch.schema.names:
                continue
            values = batch.column(column.component)
            for value in arrow.scalar_values(values, arrow.present(values)):
                prop = column.entity.removeprefix(PROPERTIES).strip("/").replace("/", ".")
                found[prop, column.component.rpartition(":")[2]] = _text(column.component, value)
    return found


def _text(component: str, value: Any) -> str:
    if component == "RecordingInfo:start_time" and isinstance(value, int):
        return f"{np.datetime64(value, 'ns')}Z"
    return str(value)


def _short(found: dict[tuple[str, str], str]) -> dict[str, str]:
    fields = [field for _, field in found]
    named = {".".join(filter(None, key)): value for key, value in sorted(found.items())}
    for (_, field), value in sorted(found.items()):
        if fields.count(field) == 1:
            named.setdefault(field, value)
    return named
