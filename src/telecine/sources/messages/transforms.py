"""Transforms: one stream for each pair of parent and child, out of messages that hold many."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from telecine.core.grid import SECOND, Rows, Times
from telecine.core.recording import Array
from telecine.sources.messages.clocks import Remarks, TopicTimes, static_order
from telecine.sources.messages.groups import QUATERNION_NAMES, XYZ, transform_paths
from telecine.sources.messages.model import LeafColumn, Topic
from telecine.sources.messages.vectors import NumberStream, TopicSamples, unreadable
from telecine.sources.shared.sample_order import Order

SAMPLED = 400
"""Messages of a topic that are read to know its pairs, a third each from the start, the middle and the end."""


@dataclass(frozen=True, slots=True)
class TransformLayout:
    """Where the leaves of transforms are: arrays of them (`lead` ends with "[].") or one a message."""

    parent: str
    child: str
    numbers: tuple[str, ...]
    stamp: tuple[str, str] | None

    @property
    def paths(self) -> tuple[str, ...]:
        """All leaves."""
        return (self.parent, self.child, *self.numbers, *(self.stamp or ()))


_CANDIDATES = (
    ("transforms[].header.frame_id", "transforms[].child_frame_id", "transforms[].transform", "transforms[]."),
    ("transforms[].parent_frame_id", "transforms[].child_frame_id", "transforms[]", "transforms[]."),
    ("header.frame_id", "child_frame_id", "transform", ""),
    ("parent_frame_id", "child_frame_id", "", ""),
)
_STAMPS = (("header.stamp.sec", "header.stamp.nanosec"), ("timestamp.seconds", "timestamp.nanos"),
           ("timestamp.sec", "timestamp.nsec"))  # fmt: skip


def layout_of(topic: Topic) -> TransformLayout | None:
    """Where a topic holds transforms; None when it holds none."""
    known = {leaf.path for leaf in topic.leaves}
    for parent, child, prefix, lead in _CANDIDATES:
        numbers = transform_paths(prefix)
        if {parent, child, *numbers} <= known:
            pair = next(((lead + s, lead + n) for s, n in _STAMPS if {lead + s, lead + n} <= known), None)
            return TransformLayout(parent, child, numbers, pair)
    return None


def transform_streams(lead: str, times: TopicTimes, layout: TransformLayout) -> Iterator["TransformStream"]:
    """A stream for each pair, by name."""
    shared = _Transforms(times.topic, layout)
    for parent, child in shared.pairs():
        yield TransformStream(f"{lead}:{parent}->{child}", times, shared, (parent, child))


class _Transforms:
    """All transforms of a topic, read once for all its pairs."""

    def __init__(self, topic: Topic, layout: TransformLayout) -> None:
        self.topic, self.layout = topic, layout

    def pairs(self) -> list[tuple[str, str]]:
        """(parent, child) of those in the sampled messages, sorted."""
        count, third = self.topic.count, SAMPLED // 3
        middle = max((count - third) // 2, 0)
        near = np.concatenate([np.arange(third), middle + np.arange(third), count - 1 - np.arange(third)])
        rows = np.unique(near[(near >= 0) & (near < count)])
        seen = self.topic.read([self.layout.parent, self.layout.child], rows)
        parents, children = seen.columns[self.layout.parent].strings(), seen.columns[self.layout.child].strings()
        return sorted(set(zip(parents, children, strict=True)))

    @cached_property
    def all(self) -> tuple[Rows, dict[str, LeafColumn], Remarks]:
        """(message of each transform, its leaves, remarks)."""
        seen = self.topic.read(self.layout.paths)
        lengths = seen.columns[self.layout.child].lengths()
        return np.repeat(seen.rows, lengths), dict(seen.columns), unreadable(seen, self.topic)


class TransformStream(NumberStream):
    """One pair: translation, then rotation as a quaternion x, y, z, w."""

    def __init__(self, name: str, times: TopicTimes, shared: _Transforms, pair: tuple[str, str]) -> None:
        super().__init__(name, times)
        self._shared, self._pair = shared, pair

    @property
    def parent(self) -> str:
        """The frame that it is given in."""
        return self._pair[0].lstrip("/")

    @property
    def child(self) -> str:
        """The frame that it places."""
        return self._pair[1].lstrip("/")

    def _read(self) -> TopicSamples:
        messages, columns, remarks = self._shared.all
        layout = self._shared.layout
        mine = _is(columns[layout.parent], self._pair[0]) & _is(columns[layout.child], self._pair[1])
        values = np.stack([columns[path].values[mine] for path in layout.numbers], axis=1).astype(np.float64)
        bounds = np.arange(len(values) + 1, dtype=np.int64) * len(layout.numbers)
        stamps: Times | None = None
        if layout.stamp is not None:
            seconds, nanos = (columns[path].values[mine].astype(np.int64) for path in layout.stamp)
            stamps = seconds * SECOND + nanos
        names = (*XYZ, *QUATERNION_NAMES)
        return TopicSamples(messages[mine], values.reshape(-1), bounds, names, stamps, remarks)

    @cached_property
    def _ordered(self) -> tuple[Order, Remarks]:
        """A latched pair (tf_static) is one value, valid always: the last one sent."""
        count = self._samples.rows.size
        if count and (self._topic.latched or self._topic.name.strip("/") == "tf_static"):
            return static_order(count - 1), self._samples.remarks
        found = self._samples
        order, remarks = self._times.order(found.rows, found.stamps)
        return order, found.remarks + remarks


def _is(column: LeafColumn, text: str) -> Array:
    """(m,) bool: which texts are this one."""
    texts = column.texts or ()
    return np.asarray(column.values == (texts.index(text) if text in texts else -1), np.bool_)
