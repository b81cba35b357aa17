"""Columns put together: one behind the other, and items of arrays in the order of their messages."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from telecine.core.grid import Rows
from telecine.core.recording import Array
from telecine.sources.messages.model import Decoded, Failure, Leaf, LeafColumn

T = TypeVar("T", bound=np.generic)


class Growing(Generic[T]):
    """An array out of parts, put one behind the other as they come, so that only the whole is held."""

    def __init__(self, zeros: int = 0) -> None:
        """zeros: so many stand in front of the first part."""
        self._whole: npt.NDArray[T] | None = None
        self._used = zeros

    def add(self, part: npt.NDArray[T], share: float) -> None:
        """Another part, of any shape; `share`: how much of the whole it probably is."""
        self._room(part, share).reshape(part.shape)[:] = part

    def add_behind(self, part: npt.NDArray[T], last: int, share: float) -> None:
        """Another part, each number of it `last` more."""
        np.add(part, last, out=self._room(part, share))

    def _room(self, part: npt.NDArray[T], share: float) -> npt.NDArray[T]:
        """Where the part belongs."""
        if self._whole is None:
            count = part.size if share >= 1 else math.ceil(part.size / share)
            self._whole = np.empty(self._used + count, part.dtype)
            self._whole[: self._used] = 0
        start, stop = self._used, self._used + part.size
        if stop > self._whole.size:
            larger = np.empty(max(stop, 2 * self._whole.size), np.result_type(self._whole, part))
            larger[:start] = self._whole[:start]
            self._whole = larger
        self._used = stop
        return self._whole[start:stop]

    def array(self) -> npt.NDArray[T] | None:
        """What was added; None when nothing was."""
        return None if self._whole is None else self._whole[: self._used]


class _Joining:
    """A column out of the columns of some messages each."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf
        self._values: Growing[Any] = Growing()
        self._bounds: list[Growing[np.int64]] = [Growing(1) for _ in range(leaf.path.count("[]"))]
        self._lasts = [0] * len(self._bounds)
        self._texts: dict[str, int] = {}
        self._present: list[tuple[Array | None, int]] = []

    def add(self, column: LeafColumn, share: float) -> None:
        values = column.values
        if column.texts is not None:
            codes = [self._texts.setdefault(text, len(self._texts)) for text in column.texts]
            if codes != list(range(len(codes))):
                values = np.array(codes, np.int64)[values]
        self._values.add(values, share)
        for level, bounds in enumerate(column.bounds):
            self._bounds[level].add_behind(bounds[1:], self._lasts[level], share)
            self._lasts[level] += int(bounds[-1])
        self._present.append((column.present, values.size))

    def column(self) -> LeafColumn:
        none, values = empty(self._leaf), self._values.array()
        if values is None:
            return none
        bounds = [one for growing in self._bounds if (one := growing.array()) is not None]
        present = None
        if any(flags is not None for flags, _ in self._present):
            present = np.concatenate([np.ones(n, bool) if flags is None else flags for flags, n in self._present])
        return LeafColumn(values, tuple(bounds), tuple(self._texts) if none.texts is not None else None, present)


class Joined:
    """What is decoded of messages, batch by batch: of `count` in all, as far as known before."""

    def __init__(self, leaves: Sequence[Leaf], count: int) -> None:
        self._count = max(count, 1)
        self._columns = {leaf.path: _Joining(leaf) for leaf in leaves}
        self._rows: Growing[np.int64] = Growing()
        self._failures: list[Failure] = []
        self._tails, self._longest_tail = 0, 0

    def add(self, rows: Rows, found: Mapping[str, LeafColumn], good: Rows, bad: Mapping[int, str]) -> None:
        """Of the messages `rows`: columns of those at positions `good`, and why others are `bad`."""
        if len(good):
            share = len(good) / self._count
            self._rows.add(rows[good], share)
            for path, joining in self._columns.items():
                joining.add(found[path], share)
        self._failures += [Failure(int(rows[position]), why) for position, why in bad.items()]

    def add_tail(self, tail: tuple[int, int]) -> None:
        """Count messages with unused bytes; see `Decoded.tail`."""
        self._tails += tail[0]
        self._longest_tail = max(self._longest_tail, tail[1])

    def decoded(self) -> Decoded:
        """All of it."""
        rows = self._rows.array()
        columns = {path: joining.column() for path, joining in self._columns.items()}
        tail = (self._tails, self._longest_tail)
        failures = tuple(sorted(self._failures, key=lambda failure: failure.row))
        return Decoded(np.zeros(0, np.int64) if rows is None else rows, columns, failures, tail)


def concatenated(columns: Sequence[LeafColumn]) -> LeafColumn:
    """The messages of all columns, one column after the other; at least one column, of one leaf."""
    if len(columns) == 1:
        return columns[0]
    levels = [
        np.concatenate([np.zeros(1, np.int64), *_shifted([column.bounds[i] for column in columns])])
        for i in range(len(columns[0].bounds))
    ]
    values, texts = _with_texts(columns) if columns[0].texts is not None else (_values(columns), None)
    return LeafColumn(values, tuple(levels), texts, _present(columns))


def _values(columns: Sequence[LeafColumn]) -> Array:
    return np.concatenate([column.values.reshape(-1) for column in columns])


def _shifted(bounds: Sequence[Rows]) -> list[Rows]:
    """Upper ends, those of each part behind those of the parts before it."""
    shifts = np.cumsum([0, *(int(b[-1]) for b in bounds)])
    return [b[1:] + shift for b, shift in zip(bounds, shifts, strict=False)]


def _with_texts(columns: Sequence[LeafColumn]) -> tuple[Array, tuple[str, ...]]:
    """(m,) positions in the texts of all columns together."""
    positions: dict[str, int] = {}
    parts = []
    for column in columns:
        codes = [positions.setdefault(text, len(positions)) for text in column.texts or ()]
        parts.append(np.array(codes, np.int64)[column.values] if codes else column.values)
    return np.concatenate(parts), tuple(positions)


def _present(columns: Sequence[LeafColumn]) -> Array | None:
    if all(column.present is None for column in columns):
        return None
    return np.concatenate([np.ones(len(c.values), bool) if c.present is None else c.present for c in columns])


def nested(items: LeafColumn, counts: Rows) -> LeafColumn:
    """Items of all messages, message after message, as arrays of counts[i] items."""
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return LeafColumn(items.values, (bounds, *items.bounds), items.texts, items.present)


def empty(leaf: Leaf) -> LeafColumn:
    """The column of no messages."""
    text = leaf.dtype == "string"
    bounds = tuple(np.zeros(1, np.int64) for _ in range(leaf.path.count("[]")))
    return LeafColumn(np.zeros(0, np.int64 if text else leaf.dtype), bounds, () if text else None)


def encoded(values: Sequence[str]) -> LeafColumn:
    """A plain column of texts."""
    positions: dict[str, int] = {}
    codes = [positions.setdefault(value, len(positions)) for value in values]
    return LeafColumn(np.array(codes, np.int64), (), tuple(positions))


def taken(columns: Mapping[str, LeafColumn], rows: Rows) -> dict[str, LeafColumn]:
    """`rows` of every column."""
    return {path: column.take(rows) for path, column in columns.items()}
