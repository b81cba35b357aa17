"""What messages mean: the streams that the topics of a recording become."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import Array, ClockKind, Recording, Ref, Schema, Stream
from telecine.core.time import Rows, Times
from telecine.sources.ros_messages import LOG_TIME, Column, Contents, Leaf, Topic


def recording_of(ref: Ref, contents: Contents) -> Recording:
    """The recording that these contents are: streams by name, nothing decoded."""
    streams: dict[str, Stream] = {}
    for topic in contents.topics:
        for leaf in topic.leaves:
            if leaf.dtype != "string" and topic.count:
                streams[f"{topic.name}:{leaf.path}"] = _Vectors(topic, leaf)
    notes = contents.notes if streams else (*contents.notes, ("source-empty", "the recording holds no numbers"))
    return Recording(ref, streams, {}, notes, contents.close)


class _Vectors:
    """The numbers of one leaf, on the recorder's clock."""

    kind: Literal["vector"] = "vector"
    static = False

    def __init__(self, topic: Topic, leaf: Leaf) -> None:
        self.name = f"{topic.name}:{leaf.path}"
        self.clocks: Mapping[str, ClockKind] = {LOG_TIME: "timestamp"}
        self._topic, self._leaf = topic, leaf

    @cached_property
    def _read(self) -> tuple[Times, Column]:
        seen = self._topic.read([self._leaf.path])
        times = self._topic.times(LOG_TIME)[seen.rows]
        return times, seen.columns[self._leaf.path]

    @cached_property
    def schema(self) -> Schema:
        lengths = self._read[1].lengths()
        return Schema(self._leaf.dtype, (int(lengths[0]) if len(lengths) else 0,))

    def times(self, clock: str) -> Times:
        if clock != LOG_TIME:
            raise SourceError(f"{self.name}: no stamps on the clock {clock!r}; its clocks: {LOG_TIME}")
        return np.sort(self._read[0], kind="stable")

    def backwards(self, clock: str) -> int:
        self.times(clock)
        return int((np.diff(self._read[0]) < 0).sum())

    def take(self, rows: Rows, clock: str) -> Array:
        self.times(clock)
        table = self._read[1].take(np.argsort(self._read[0], kind="stable")[rows]).table()
        if table is None or (len(rows) and table.shape[1] != self.schema.shape[0]):
            raise SourceError(f"{self.name}: its messages do not all have {self.schema.shape[0]} values")
        return table.reshape(len(rows), self.schema.shape[0])
