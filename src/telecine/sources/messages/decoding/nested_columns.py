"""Messages that a library has parsed to nested values, as columns: what protobuf and JSON share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from telecine.core.grid import Rows
from telecine.sources.messages.columns import encoded
from telecine.sources.messages.model import Leaf, LeafColumn

Step: TypeAlias = "str | None"
"""A field by name; None: every item of an array."""
Get = Callable[[Any, str], Any]
"""(message, field name) -> its value, None when it is absent."""
_PLAIN: Mapping[str, Any] = {"string": "", "bool": False}


@dataclass(slots=True)
class Builder:
    """Collects the values of one leaf, message after message."""

    leaf: Leaf
    steps: tuple[Step, ...]
    get: Get
    values: list[Any] = field(default_factory=list)
    present: list[bool] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = [[] for step in self.steps if step is None]

    def add(self, message: Any) -> None:
        """One message; TypeError or ValueError when it does not have the leaf's shape."""
        self._add(message, 0, 0)

    def _add(self, value: Any, depth: int, level: int) -> None:
        if depth == len(self.steps):
            self._add_leaf(value)
            return
        step = self.steps[depth]
        if step is not None:
            self._add(None if value is None else self.get(value, step), depth + 1, level)
            return
        if isinstance(value, bytes | bytearray) and depth + 1 == len(self.steps):
            self.counts[level].append(len(value))
            self.values.append(np.frombuffer(value, np.uint8))
            return
        items: Sequence[Any] = () if value is None else value
        self.counts[level].append(len(items))
        if depth + 1 == len(self.steps) and isinstance(items, list) and None not in items:
            self.present += [True] * len(items)
            self.values += items
            return
        for item in items:
            self._add(item, depth + 1, level + 1)

    def _add_leaf(self, value: Any) -> None:
        self.present.append(value is not None)
        self.values.append(_PLAIN.get(self.leaf.dtype, 0) if value is None else value)

    def column(self) -> LeafColumn:
        """All messages; ValueError, TypeError or OverflowError when values are not of the leaf's type."""
        bounds = tuple(_bounds(counts) for counts in self.counts)
        if self.leaf.dtype == "string":
            texts = encoded([str(value) for value in self.values])
            return LeafColumn(texts.values, bounds, texts.texts, self._present())
        if self.values and isinstance(self.values[0], np.ndarray):
            return LeafColumn(np.concatenate(self.values), bounds)
        return LeafColumn(np.array(self.values, self.leaf.dtype), bounds, None, self._present())

    def _present(self) -> Any:
        return None if all(self.present) else np.array(self.present, bool)


def _bounds(counts: list[int]) -> Rows:
    return np.cumsum([0, *counts], dtype=np.int64)
