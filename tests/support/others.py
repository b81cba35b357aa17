"""Messages as others decode them, flattened to compare with columns leaf by leaf."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from telecine.sources.messages.model import LeafColumn, Topic

FILLER = "structure_needs_at_least_one_member"
"""What rosidl puts into messages without fields; mcap-ros2-support hides it."""


def flat(value: Any, path: str) -> list[Any]:
    """The values at `path` of a message decoded by mcap-ros2-support, rosbags, protobuf or json."""
    name, dot, rest = path.partition(".")
    field = name.rstrip("[]")
    inner = _field(value, field)
    if inner is None:
        return [] if name.endswith("[]") else [None]
    if not name.endswith("[]"):
        return flat(inner, rest) if dot else [inner]
    if dot:
        return [x for item in inner for x in flat(item, rest)]
    return list(np.frombuffer(inner, np.uint8)) if isinstance(inner, bytes | bytearray | memoryview) else list(inner)


def _field(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)
    for spelled in (name, f"{name}_", name.lower()):
        if hasattr(value, spelled):
            return getattr(value, spelled)
    raise AttributeError(f"{type(value).__name__} has no {name}")


def ours(column: LeafColumn, row: int) -> list[Any]:
    """All values of one message."""
    one = column.take(np.array([row]))
    return one.strings() if one.texts is not None else one.values.tolist()


def differences(topic: Topic, theirs: dict[int, Any]) -> Iterator[str]:
    """Leaves of the messages (row -> their message) that are not what we read."""
    rows = np.array(sorted(theirs), np.int64)
    seen = topic.read([leaf.path for leaf in topic.leaves], rows)
    for failure in seen.failures:
        yield f"{topic.name}: message {failure.row}: {failure.reason}"
    for place, row in enumerate(seen.rows.tolist()):
        for leaf in topic.leaves:
            if leaf.path.endswith(FILLER):
                continue
            mine, other = ours(seen.columns[leaf.path], place), flat(theirs[row], leaf.path)
            if not _equal(mine, other):
                yield f"{topic.name} ({topic.type}) message {row} {leaf.path}: {str(mine)[:60]} != {str(other)[:60]}"


def _equal(mine: list[Any], theirs: list[Any]) -> bool:
    if len(mine) != len(theirs):
        return False
    if not mine or isinstance(mine[0], str):
        return mine == [str(x) for x in theirs]
    a, b = np.array(mine), np.array([0 if x is None else x for x in theirs])
    if a.dtype == np.uint8 or b.dtype == np.int8:
        b = b.astype(a.dtype)
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f"))
