"""Arrays of structures (motors, detections, poses of links) as vectors: one field of all items side by side.

Refuses arrays whose length changes from message to message: their elements would mean something else in every row.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from telecine.core.recording import LeftOut
from telecine.core.text.numbers import counted
from telecine.sources.messages.clocks import TopicTimes
from telecine.sources.messages.groups import SKIPPED, LeafGroup, groups
from telecine.sources.messages.joints import Joints, joint_streams
from telecine.sources.messages.model import Decoded, Leaf, LeafColumn, Topic
from telecine.sources.messages.vectors import (
    GroupStream,
    NumberStream,
    TopicSamples,
    floats_of,
    sampled_rows,
    unreadable,
)

ALIKE = 0.9
"""Share of the sampled messages that have to have as many items as most, so that an array is a vector."""
MOST_NAMES = 1000
"""Elements of a vector that get names."""
_NAMES = ("name", "joint_name", "label", "child_frame_id")
_PARALLEL = ("name[]", "names[]", "joint_names[]")
"""Lists of names at the top of a message, as LinkStates has them."""
LONGEST_BYTES = 1024
"""Bytes of a message that are offered as numbers; more are the content of a file or a cloud of points."""


def array_streams(lead: str, times: TopicTimes, taken: frozenset[str]) -> Iterator["NumberStream | LeftOut"]:
    """The streams of a topic's arrays of structures and lists of lists, and those of its arrays that are none.

    taken: leaves that have streams already.
    """
    topic = times.topic
    arrays = {leaf.path: leaf for leaf in topic.leaves if leaf.path not in taken and leaf.dtype != "string"}
    found = list(_groups(arrays))
    paths = sorted({path for _, group in found for path in group.paths})
    if not found:
        return
    seen = topic.read(paths, sampled_rows(topic))
    if not all(column.lengths().any() for column in seen.columns.values()):
        seen = topic.read(paths)
    refused: set[str] = set()
    for array, group in found:
        name = f"{lead}:{group.name.replace('[]', '')}"
        why = _refusal(seen, group)
        if why and array not in refused:
            refused.add(array)
            yield LeftOut(f"{lead}:{array.replace('[]', '')}", "unreadable", why)
        elif not why and seen.columns[group.paths[0]].lengths().any():
            yield from _streams(name, times, array, group)


def list_streams(name: str, times: TopicTimes, group: LeafGroup, dtype: str) -> Iterator["NumberStream | LeftOut"]:
    """The stream of one plain list of numbers; nothing where it is empty in every message."""
    topic = times.topic
    for rows in (sampled_rows(topic), None):
        seen = topic.read(group.paths, rows)
        if why := _refusal(seen, group):
            yield LeftOut(name, "unreadable", why)
            return
        if seen.columns[group.paths[0]].lengths().any():
            yield GroupStream(name, times, group, dtype)
            return


def _groups(arrays: Mapping[str, Leaf]) -> Iterator[tuple[str, LeafGroup]]:
    """(path of the array, leaves of one field of its items), in order of definition."""
    inner: dict[str, list[Leaf]] = {}
    for path, leaf in arrays.items():
        if path.startswith(SKIPPED):
            continue
        array, dot, field = path.rpartition("[].")
        if dot:
            inner.setdefault(f"{array}[]", []).append(Leaf(field, leaf.dtype, leaf.size))
        elif path.endswith("[][]") or (path.endswith("[]") and leaf.dtype == "uint8" and leaf.size is None):
            yield path, LeafGroup(path, (path,))
    for array, leaves in inner.items():
        for group in groups(leaves):
            name = f"{array}.{group.name}" if group.name else array
            yield array, LeafGroup(name, tuple(f"{array}.{path}" for path in group.paths), group.names)


def _refusal(seen: Decoded, group: LeafGroup) -> str:
    """Why an array is no vector, "" when it is one."""
    lengths = seen.columns[group.paths[0]].lengths()
    some = lengths[lengths > 0]
    if not some.size:
        return ""
    different, counts = np.unique(some, return_counts=True)
    if counts.max() < ALIKE * some.size:
        return (
            f"messages have {different[0]} to {counted(different[-1], 'item')}; a feature needs the same number in all"
        )
    if group.name.endswith("[]") and group.name.count("[]") == 1 and different[counts.argmax()] > LONGEST_BYTES:
        return f"{counted(different[counts.argmax()], 'byte')} a message, in a type of its own, neither JPEG nor PNG"
    return ""


def _streams(name: str, times: TopicTimes, array: str, group: LeafGroup) -> Iterator[NumberStream]:
    """By the names that the items have, message by message, where each has one and is one number; else by position."""
    labels = _label_path(times.topic, array)
    one = len(group.paths) == 1 and not group.is_array and array.count("[]") == 1
    if labels is None or not labels.startswith(array) or not one:
        yield StructArrayStream(name, times, array, group)
        return
    lead, _, field = name.partition(":")
    yield from joint_streams(lead, times, [Joints(field, labels, group.paths[0])])


class StructArrayStream(NumberStream):
    """One field of all items of an array, side by side, item after item."""

    def __init__(self, name: str, times: TopicTimes, array: str, group: LeafGroup) -> None:
        super().__init__(name, times)
        self._array, self._group = array, group

    def _read(self) -> TopicSamples:
        group = self._group
        labels = _label_path(self._topic, self._array)
        seen = self._topic.read([*group.paths, *([labels] if labels else [])])
        columns = [seen.columns[path] for path in group.paths]
        lengths = columns[0].lengths() * len(columns)
        values = np.stack([floats_of(column) for column in columns], axis=1).reshape(-1)
        used = lengths > 0
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[used])])
        items = int(np.median(lengths[used])) // len(columns) if used.any() else 0
        stems = _stems(seen.columns[labels] if labels else None, group, items)
        names = _element_names(stems, group, items)
        return TopicSamples(seen.rows[used], values, bounds, names, remarks=unreadable(seen, self._topic))


def _label_path(topic: Topic, array: str) -> str | None:
    """The leaf with the names of an array's items."""
    texts = {leaf.path for leaf in topic.leaves if leaf.dtype == "string"}
    own = (f"{array}.{name}" for name in _NAMES)
    return next((path for path in (*own, *_PARALLEL) if path in texts), None)


def _stems(labels: LeafColumn | None, group: LeafGroup, items: int) -> Sequence[str]:
    """What the items of an array are called: as all messages call them, else by number."""
    table = labels.table() if labels is not None else None
    if labels is not None and table is not None and len(table) and (table == table[0]).all():
        texts = tuple((labels.texts or ())[code] for code in table[0].tolist())
        if len(texts) == items == len(set(texts)) and all(texts):
            return texts
    numbers = [str(i) for i in range(min(items, MOST_NAMES + 1))]
    path = group.paths[0] if group.is_array else group.paths[0].rpartition("[].")[0]
    lead = path.replace("[]", "").rpartition(".")[2]
    return [f"{lead}_{i}" for i in numbers] if len(group.paths) == 1 else numbers


def _element_names(stems: Sequence[str], group: LeafGroup, items: int) -> tuple[str, ...] | None:
    width = items * len(group.paths)
    if not 0 < width <= MOST_NAMES:
        return None
    if len(group.paths) == 1:
        return tuple(stems)
    axes = group.names or tuple(path.rpartition(".")[2] for path in group.paths)
    return tuple(f"{stem}.{axis}" for stem in stems for axis in axes)
