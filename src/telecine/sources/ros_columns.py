"""Columns put together: one behind the other, and items of arrays in the order of their messages."""

from collections.abc import Mapping, Sequence

import numpy as np

from telecine.core.recording import Array
from telecine.core.time import Rows
from telecine.sources.ros_messages import Column, Leaf


def concatenated(columns: Sequence[Column]) -> Column:
    """The messages of all columns, one column after the other; at least one column, of one leaf."""
    if len(columns) == 1:
        return columns[0]
    levels = [
        np.concatenate([np.zeros(1, np.int64), *_shifted([column.bounds[i] for column in columns])])
        for i in range(len(columns[0].bounds))
    ]
    values, texts = _with_texts(columns) if columns[0].texts is not None else (_values(columns), None)
    return Column(values, tuple(levels), texts, _present(columns))


def _values(columns: Sequence[Column]) -> Array:
    return np.concatenate([column.values for column in columns])


def _shifted(bounds: Sequence[Rows]) -> list[Rows]:
    """Upper ends, those of each part behind those of the parts before it."""
    shifts = np.cumsum([0, *(int(b[-1]) for b in bounds)])
    return [b[1:] + shift for b, shift in zip(bounds, shifts, strict=False)]


def _with_texts(columns: Sequence[Column]) -> tuple[Array, tuple[str, ...]]:
    """(m,) positions in the texts of all columns together."""
    places: dict[str, int] = {}
    parts = []
    for column in columns:
        codes = [places.setdefault(text, len(places)) for text in column.texts or ()]
        parts.append(np.array(codes, np.int64)[column.values] if codes else column.values)
    return np.concatenate(parts), tuple(places)


def _present(columns: Sequence[Column]) -> Array | None:
    if all(column.present is None for column in columns):
        return None
    return np.concatenate([np.ones(len(c.values), bool) if c.present is None else c.present for c in columns])


def nested(items: Column, counts: Rows) -> Column:
    """Items of all messages, message after message, as arrays of counts[i] items."""
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return Column(items.values, (bounds, *items.bounds), items.texts, items.present)


def empty(leaf: Leaf) -> Column:
    """The column of no messages."""
    text = leaf.dtype == "string"
    bounds = tuple(np.zeros(1, np.int64) for _ in range(leaf.path.count("[]")))
    return Column(np.zeros(0, np.int64 if text else leaf.dtype), bounds, () if text else None)


def encoded(values: Sequence[str]) -> Column:
    """A plain column of texts."""
    places: dict[str, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return Column(np.array(codes, np.int64), (), tuple(places))


def taken(columns: Mapping[str, Column], rows: Rows) -> dict[str, Column]:
    """`rows` of every column."""
    return {path: column.take(rows) for path, column in columns.items()}
