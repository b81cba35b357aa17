"""All episodes of a dataset as columns of meta/episodes, each made into an `EpisodeMeta` when it is asked for.

A list of 50,000 episodes needs their lengths and tasks; making all of them first would take several times as long.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.lerobot_format.metadata import EpisodeMeta, VideoSpan
from telecine.lerobot_format.paths import FileIndex
from telecine.lerobot_format.schema import FACTS_FIELDS

_FACTS = tuple(name for name, _ in FACTS_FIELDS)
_BLOCK = 256
"""Neighbours that are made, and then kept, when one of them is asked for."""


class EpisodeTable(Sequence[EpisodeMeta]):
    """The episodes of these tables, one for each file of meta/episodes, in order.

    tables: with the columns that `EPISODE_COLUMNS` and `span_columns` name, of their types and without nulls; and of
    `EpisodeFacts` those that the file has. videos: keys of the cameras stored as videos.
    """

    def __init__(self, tables: Sequence[pa.Table], videos: Iterable[str]) -> None:
        self._tables = tuple(tables)
        self._videos = tuple(videos)
        self._count = sum(int(table.num_rows) for table in self._tables)
        self._blocks: dict[int, tuple[EpisodeMeta, ...]] = {}
        self._starts: dict[FileIndex, int] = {}
        for table in self._tables:
            _add_starts(table, self._starts)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: Any) -> Any:
        """One episode, or those of a slice as a tuple."""
        if isinstance(position, slice):
            return tuple(self[n] for n in range(*position.indices(len(self))))
        if not 0 <= position < len(self):
            raise IndexError(position)
        block, place = divmod(position, _BLOCK)
        if block not in self._blocks:
            self._blocks[block] = tuple(self._between(block * _BLOCK, (block + 1) * _BLOCK))
        return self._blocks[block][place]

    def __iter__(self) -> Iterator[EpisodeMeta]:
        return self._between(0, len(self))

    def column(self, name: str) -> list[Any]:
        """One value for each episode; None where a file has no such column."""
        found: list[Any] = []
        for table in self._tables:
            known = name in table.column_names and table.column(name).null_count < table.num_rows
            found += table.column(name).to_pylist() if known else [None] * table.num_rows
        return found

    def _between(self, start: int, stop: int) -> Iterator[EpisodeMeta]:
        first = 0
        for table in self._tables:
            a, b = max(start - first, 0), min(stop - first, table.num_rows)
            if a < b:
                yield from self._made(table.slice(a, b - a))
            first += table.num_rows

    def _made(self, table: pa.Table) -> Iterator[EpisodeMeta]:
        """Column by column, because there may be a hundred thousand."""

        def column(name: str) -> list[Any]:
            found: list[Any] = table.column(name).to_pylist()
            return found

        def files(prefix: str) -> Iterator[FileIndex]:
            numbers = zip(column(f"{prefix}/chunk_index"), column(f"{prefix}/file_index"), strict=True)
            return (known.get(number) or known.setdefault(number, FileIndex(*number)) for number in numbers)

        def spans(key: str) -> Iterator[VideoSpan]:
            place = f"videos/{key}"
            return map(VideoSpan, files(place), column(f"{place}/from_timestamp"), column(f"{place}/to_timestamp"))

        known: dict[tuple[int, int], FileIndex] = {}
        shown = zip(*map(spans, self._videos), strict=True) if self._videos else repeat((), table.num_rows)
        stated = [name for name in _FACTS if name in table.column_names]
        facts: Iterable[Mapping[str, Any]] = table.select(stated).to_pylist() if stated else repeat({}, table.num_rows)
        numbers = (column(name) for name in ("episode_index", "length", "dataset_from_index", "dataset_to_index"))
        data, tasks = files("data"), map(tuple, column("tasks"))
        rows = zip(*numbers, data, tasks, facts, shown, strict=True)
        for number, length, first, stop, where, texts, own, seen in rows:
            videos = dict(zip(self._videos, seen, strict=True))
            yield EpisodeMeta(number, length, texts, where, first, stop, videos, first - self._starts[where], own)


def _add_starts(table: pa.Table, starts: dict[FileIndex, int]) -> None:
    """The first row of each data file in the dataset, from the first episode that is in it."""
    chunk, file, first = (
        arrow.to_numpy(table.column(name).combine_chunks())
        for name in ("data/chunk_index", "data/file_index", "dataset_from_index")
    )
    changes = np.flatnonzero((np.diff(chunk) != 0) | (np.diff(file) != 0)) + 1
    for at in [0, *changes.tolist()] if len(first) else []:
        starts.setdefault(FileIndex(int(chunk[at]), int(file[at])), int(first[at]))
