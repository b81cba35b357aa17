"""Numbers and texts of messages as streams: what all of them share, and those that need no knowledge of a type."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from telecine.core.grid import Rows, Times
from telecine.core.recording import Array, Schema
from telecine.core.text.numbers import counted, counted_of
from telecine.sources.messages.clocks import Remarks, TopicTimes, held_from_start, static_order
from telecine.sources.messages.groups import LeafGroup
from telecine.sources.messages.model import Decoded, LeafColumn, Topic
from telecine.sources.shared.recent_values import DECODED
from telecine.sources.shared.sample_order import Order, Ordered

_A_TEXT_BYTES = 16
"""Of a text, beside its letters: its place in two lists."""


@dataclass(frozen=True, eq=False, slots=True)
class TopicSamples:
    """What messages give, in order of arrival.

    rows: (n,) the message of each sample; bounds: (n + 1,) its values in `values`, (m,); names: of its elements.
    stamps: (n,) ns where samples have stamps of their own, not the message's.
    """

    rows: Rows
    values: Array
    bounds: Rows
    names: tuple[str, ...] | None = None
    stamps: Times | None = None
    remarks: Remarks = ()


class MessageStream(Ordered):
    """A stream of samples that come in messages of one topic."""

    def __init__(self, name: str, times: TopicTimes) -> None:
        self.name = name
        self._times = times

    @property
    def _topic(self) -> Topic:
        return self._times.topic

    @property
    @abstractmethod
    def _ordered(self) -> tuple[Order, Remarks]:
        """The order of the samples and what was odd about them."""

    @property
    def _order(self) -> Order:
        return self._ordered[0]

    def remarks(self) -> Remarks:
        """(finding code, message) of what was odd in the samples: unreadable messages, clocks that cannot be used."""
        return self._ordered[1]


SAMPLED = 64
"""Messages of a topic that show what its fields hold."""


def sampled_rows(topic: Topic) -> Rows:
    """The messages that are read to know what a topic's fields hold: the first, the last and some between."""
    return np.unique(np.linspace(0, topic.count - 1, SAMPLED).astype(np.int64))


def unreadable(seen: Decoded, topic: Topic) -> Remarks:
    """The remarks about messages that could not be decoded, and about bytes behind those that could."""
    remarks: Remarks = ()
    if seen.failures:
        first = seen.failures[0]
        text = (
            f"{len(seen.failures)} of {counted(topic.count, 'message')} cannot be read; message {first.row}: "
            f"{first.reason}"
        )
        remarks = (("source-messages", text),)
    if seen.tail[0]:
        text = (
            f"{counted_of(seen.tail[0], topic.count, 'message', 'has', 'have')} up to "
            f"{counted(seen.tail[1], 'unused byte')} behind their last field"
        )
        remarks += (("source-messages", text),)
    return remarks


class NumberStream(MessageStream):
    """Numbers, of the same width in every message."""

    kind: Literal["vector"] = "vector"
    dtype = "float64"
    now = False
    """A stamp of zero means the time of the message."""

    @abstractmethod
    def _read(self) -> TopicSamples:
        """All samples."""

    @property
    def _samples(self) -> TopicSamples:
        return DECODED.of(self, lambda: _of_one_width(self._read()), _bytes_of)

    @cached_property
    def _ordered(self) -> tuple[Order, Remarks]:
        found = self._samples
        if self._topic.latched and found.rows.size == 1:
            return static_order(0), found.remarks
        order, remarks = self._times.order(found.rows, found.stamps, now=self.now)
        return order, found.remarks + remarks

    @cached_property
    def schema(self) -> Schema:
        """The width is that of most samples; the others are left out."""
        found = self._samples
        width = int(found.bounds[1]) if found.rows.size else 0
        return Schema(self.dtype, (width,), found.names if found.names and len(found.names) == width else None)

    def take(self, rows: Rows, clock: str) -> Array:
        """(len(rows), width)."""
        order, found = self._on(clock), self._samples
        (width,) = self.schema.shape
        starts = found.bounds[order.by_stamp(clock)[rows]]
        return np.asarray(found.values[starts[:, None] + np.arange(width)], self.dtype)


def _bytes_of(found: TopicSamples) -> int:
    return found.rows.nbytes + found.values.nbytes + found.bounds.nbytes


def _of_one_width(found: TopicSamples) -> TopicSamples:
    """The samples that have as many values as most; the others are left out, and counted."""
    widths = np.diff(found.bounds)
    if not widths.size or (widths == widths[0]).all():
        return found
    different, firsts, counts = np.unique(widths, return_index=True, return_counts=True)
    width = int(different[np.lexsort((firsts, -counts))[0]])
    used = np.flatnonzero(widths == width)
    odd = int(np.argmax(widths != width))
    text = (
        f"{counted_of(len(widths) - len(used), len(widths), 'message', 'does', 'do')} not have "
        f"{counted(width, 'value')} like most (message "
    )
    text += f"{found.rows[odd]} has {widths[odd]}); they are left out"
    return replace(
        found,
        rows=found.rows[used],
        values=found.values[(found.bounds[used, None] + np.arange(width)).reshape(-1)],
        bounds=np.arange(len(used) + 1, dtype=np.int64) * width,
        names=found.names if found.names and len(found.names) == width else None,
        stamps=None if found.stamps is None else found.stamps[used],
        remarks=(*found.remarks, ("source-messages", text)),
    )


class GroupStream(NumberStream):
    """One vector out of leaves that belong together."""

    def __init__(self, name: str, times: TopicTimes, group: LeafGroup, dtype: str) -> None:
        super().__init__(name, times)
        self._group = group
        self.dtype = dtype

    def _read(self) -> TopicSamples:
        seen = self._topic.read(self._group.paths)
        remarks = unreadable(seen, self._topic)
        columns = [seen.columns[path] for path in self._group.paths]
        if self._group.is_array:
            return _without_empty(seen.rows, columns[0], remarks)
        width = len(columns)
        values = np.stack([_with_nan(c) for c in columns], axis=1) if width > 1 else _with_nan(columns[0])
        bounds = np.arange(len(seen.rows) + 1, dtype=np.int64) * width
        return TopicSamples(seen.rows, values.reshape(-1), bounds, self._group.names or None, remarks=remarks)


def _with_nan(column: LeafColumn) -> Array:
    """The values; floats that are absent become NaN, other absent numbers stay as they are."""
    if column.present is None or column.values.dtype.kind != "f":
        return column.values
    return np.where(column.present, column.values, np.nan)


def floats_of(column: LeafColumn) -> Array:
    """(m,) float64, NaN where values are absent."""
    values = np.asarray(column.values, np.float64)
    return values if column.present is None else np.where(column.present, values, np.nan)


def _without_empty(rows: Rows, column: LeafColumn, remarks: Remarks) -> TopicSamples:
    """The samples of an array leaf; messages with an empty array say nothing."""
    lengths = column.lengths()
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[lengths > 0])])
    return TopicSamples(rows[lengths > 0], _with_nan(column), bounds, remarks=remarks)


class MessageTextStream(MessageStream):
    """Texts; those of a latched topic hold from the start of the recording."""

    kind: Literal["text"] = "text"
    schema = Schema("string")

    def __init__(self, name: str, times: TopicTimes, path: str) -> None:
        super().__init__(name, times)
        self._path = path

    @property
    def _texts(self) -> tuple[Rows, list[str], Remarks]:
        return DECODED.of(self, self._read, lambda found: sum(map(len, found[1])) + (_A_TEXT_BYTES * len(found[1])))

    def _read(self) -> tuple[Rows, list[str], Remarks]:
        seen = self._topic.read([self._path])
        return seen.rows, seen.columns[self._path].strings(), unreadable(seen, self._topic)

    @cached_property
    def _ordered(self) -> tuple[Order, Remarks]:
        rows, texts, remarks = self._texts
        if self._topic.latched and len(texts) == 1:
            return static_order(0), remarks
        order, more = self._times.order(rows)
        if self._topic.latched:
            order = held_from_start(order, self._times.clocks.start_ns)
        return order, remarks + more

    def take(self, rows: Rows, clock: str) -> Sequence[str]:
        """len(rows) texts."""
        texts = self._texts[1]
        return [texts[position] for position in self._on(clock).by_stamp(clock)[rows].tolist()]
