"""The rows that a new dataset is made of, read in batches of bounded size: episodes that follow one another in a file.

Rows of which a whole row group stays are not read, but named, so that they can be copied as they are encoded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.edit.resolve import OutputEpisode
from telecine.core.errors import DatasetError, raised_as
from telecine.core.label import LANGUAGE
from telecine.core.text.numbers import counted
from telecine.dataset.assembly.row_groups import ColumnLayout, ParquetFooter, footer_of
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.values import unwrap_extensions
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.lerobot_format.paths import FileIndex, data_path

BATCH_BYTES = 24 << 20
"""Of columns, read and written at a time; at least one episode."""
COPIED_ROWS = 1 << 12
"""Of a row group, at least, for which it is copied: smaller ones are put together, or the file would keep them all."""
Numbered = tuple[int, OutputEpisode]
"""An episode with its new number."""


@dataclass(frozen=True, eq=False, slots=True)
class RowBatch:
    """Episodes out of one file, and their rows one after the other."""

    first: int
    """New number of the first episode."""
    episodes: Sequence[OutputEpisode]
    rows: pa.Table
    """All columns, or `task_index` alone."""
    group: tuple[ParquetFooter, int] | None = None
    """The row group that they are, to be copied."""

    @property
    def lengths(self) -> list[int]:
        """Rows of each episode."""
        return [episode.length for episode in self.episodes]


def row_batches(selection: Selection, schema: pa.Schema) -> Iterator[RowBatch]:
    """All new episodes, in order. schema: of the new rows."""
    layouts = footer_of(schema).columns

    def file_of(numbered: Numbered) -> tuple[int, FileIndex]:
        return numbered[1].source[0], selection.facts(numbered[1]).data

    for (number, file_index), group in groupby(enumerate(selection.episodes), file_of):
        dataset = selection.inputs[number]
        path = dataset.root / data_path(file_index)
        with (
            raised_as(DatasetError, f"{path}: cannot be read", OSError, pa.ArrowException),
            path.open("rb") as opened,
            pq.ParquetFile(path, pre_buffer=False) as file,
        ):
            missing = set(INDEX_KEYS) - set(file.schema_arrow.names)
            if missing:
                raise DatasetError(f"{path}: has no column {', '.join(sorted(missing))}")
            footer = _copyable_footer(selection, number, opened, layouts)
            for group_number, part in _whole_groups(selection, list(group), file if footer else None):
                if footer is not None and group_number is not None:
                    rows = file.read_row_group(group_number, ["task_index"], use_threads=False)
                    yield RowBatch(part[0][0], [e for _, e in part], rows, (footer, group_number))
                    continue
                for few in _parts(part, file):
                    yield RowBatch(few[0][0], [e for _, e in few], _read(selection, few, file))


def _copyable_footer(
    selection: Selection, number: int, opened: BinaryIO, layouts: Mapping[str, ColumnLayout]
) -> ParquetFooter | None:
    """That of a file whose columns are stored as those of the new dataset are; None for others. Raises: OSError."""
    if selection.rewrites_labels and not set(LANGUAGE).isdisjoint(layouts):
        return None
    footer = ParquetFooter.read(opened)
    old = {new: key for key, new in selection.keys[number].items()}
    there = {} if footer is None else {name: column.layout for name, column in footer.columns.items()}
    fits = all(there.get(old.get(name, name)) == column.layout for name, column in layouts.items())
    return footer if fits else None


def _whole_groups(
    selection: Selection, episodes: list[Numbered], file: pq.ParquetFile | None
) -> Iterator[tuple[int | None, list[Numbered]]]:
    """(the row group that they are, episodes), or (None, others), in order; None alone without a file."""
    starts: dict[int, tuple[int, int]] = {}
    sizes = [] if file is None else [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    for number, stop in enumerate(np.cumsum(sizes).tolist()):
        if sizes[number] >= COPIED_ROWS:
            starts[stop - sizes[number]] = number, stop
    rest: list[Numbered] = []
    at = 0
    while at < len(episodes):
        number, stop = starts.get(selection.facts(episodes[at][1]).start, (-1, 0))
        count = 0 if number < 0 else _spanned(selection, episodes, at, stop)
        if not count:
            rest.append(episodes[at])
            at += 1
            continue
        if rest:
            yield None, rest
            rest = []
        yield number, episodes[at : at + count]
        at += count
    if rest:
        yield None, rest


def _spanned(selection: Selection, episodes: list[Numbered], at: int, stop: int) -> int:
    """How many episodes from `at` on are all the rows up to `stop`, unchanged; 0 when they are not."""
    row = selection.facts(episodes[at][1]).start
    for position in range(at, len(episodes)):
        episode = episodes[position][1]
        facts = selection.facts(episode)
        said = isinstance(episode.success, bool) or episode.labels or episode.unlabelled
        if facts.start != row or not selection.is_whole(episode) or said:
            return 0
        row += facts.length
        if row >= stop:
            return position + 1 - at if row == stop else 0
    return 0


def _parts(episodes: list[Numbered], file: pq.ParquetFile) -> Iterator[list[Numbered]]:
    """The episodes in batches of bounded size."""
    metadata = file.metadata
    row_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)) / max(
        metadata.num_rows, 1
    )
    most = max(int(BATCH_BYTES / max(row_bytes, 1.0)), 1)
    part: list[Numbered] = []
    rows = 0
    for entry in episodes:
        if part and rows + entry[1].length > most:
            yield part
            part, rows = [], 0
        part.append(entry)
        rows += entry[1].length
    yield part


def _read(selection: Selection, part: list[Numbered], file: pq.ParquetFile) -> pa.Table:
    """The rows of a batch: only row groups that hold some of them are read."""
    spans = []
    for _, episode in part:
        first = selection.facts(episode).start
        spans.append((first + episode.start, first + episode.stop))
    bounds = np.append(0, np.cumsum([file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]))
    if max(stop for _, stop in spans) > bounds[-1]:
        raise DatasetError(
            f"holds {counted(bounds[-1], 'row')}, metadata says at least {max(stop for _, stop in spans)}"
        )
    firsts = np.searchsorted(bounds, [first for first, _ in spans], side="right") - 1
    stops = np.searchsorted(bounds, [stop for _, stop in spans])
    groups = sorted({g for first, stop in zip(firsts, stops, strict=True) for g in range(first, stop)})
    table = unwrap_extensions(file.read_row_groups(groups, use_threads=False))
    offsets = {g: int(o) for g, o in zip(groups, np.append(0, np.cumsum(np.diff(bounds)[groups])), strict=False)}
    slices = []
    for first, stop in _merged(spans):
        group = int(np.searchsorted(bounds, first, side="right")) - 1
        slices.append(table.slice(offsets[group] + first - int(bounds[group]), stop - first))
    return pa.concat_tables(slices) if len(slices) > 1 else slices[0]


def _merged(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that follow one another without a gap as one."""
    first, stop = spans[0]
    for one, other in spans[1:]:
        if one != stop:
            yield first, stop
            first = one
        stop = other
    yield first, stop
