"""Topics held in memory, for what is made of messages without a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.grid import Rows, Times
from telecine.sources.messages.model import PUBLISH_TIME, Decoded, Failure, Leaf, LeafColumn, MessageClock


def numbers(values: Sequence[float] | np.ndarray, dtype: str = "float64") -> LeafColumn:
    """A plain number for each message."""
    return LeafColumn(np.asarray(values, dtype))


def lists(values: Sequence[Sequence[float]], dtype: str = "float64") -> LeafColumn:
    """An array of numbers for each message."""
    bounds = np.cumsum([0, *(len(v) for v in values)]).astype(np.int64)
    return LeafColumn(np.array([x for v in values for x in v], dtype), (bounds,))


def texts(values: Sequence[str]) -> LeafColumn:
    """A text for each message."""
    known = tuple(dict.fromkeys(values))
    return LeafColumn(np.array([known.index(v) for v in values], np.int64), (), known)


def text_lists(values: Sequence[Sequence[str]]) -> LeafColumn:
    """An array of texts for each message."""
    flat = texts([x for v in values for x in v])
    bounds = np.cumsum([0, *(len(v) for v in values)]).astype(np.int64)
    return LeafColumn(flat.values, (bounds,), flat.texts)


@dataclass(frozen=True)
class MemoryTopic:
    """A `Topic` of columns that cover all messages but the failed ones, in order."""

    name: str
    type: str
    log_times: Times
    columns: Mapping[str, LeafColumn]
    encoding: str = "cdr"
    latched: bool = False
    unreadable: str = ""
    publish_times: Times | None = None
    failures: tuple[Failure, ...] = ()

    @property
    def count(self) -> int:
        return len(self.log_times)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(
            Leaf(path, "string" if c.texts is not None else str(c.values.dtype), None if c.bounds else 1)
            for path, c in self.columns.items()
        )

    def times(self, clock: MessageClock) -> Times:
        return self.publish_times if clock == PUBLISH_TIME and self.publish_times is not None else self.log_times

    def read(self, paths: Sequence[str], rows: Rows | None = None) -> Decoded:
        if unknown := [path for path in paths if path not in self.columns]:
            raise SourceError(f"{self.name}: no field {unknown[0]!r}")
        failed = [failure.row for failure in self.failures]
        good = np.setdiff1d(np.arange(self.count), failed)
        wanted = good if rows is None else np.intersect1d(good, rows)
        asked = range(self.count) if rows is None else set(rows.tolist())
        places = np.searchsorted(good, wanted)
        columns = {path: self.columns[path].take(places) for path in paths}
        return Decoded(wanted, columns, tuple(f for f in self.failures if f.row in asked))

    def blobs(self, path: str, rows: Rows) -> Iterator[memoryview]:
        for row in rows:
            seen = self.read([path], np.array([row]))
            if seen.failures:
                raise SourceError(f"{self.name}: message {row}: {seen.failures[0].reason}")
            yield memoryview(seen.columns[path].values.tobytes())
