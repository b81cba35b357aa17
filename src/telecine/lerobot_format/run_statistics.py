"""The statistics that meta/episodes has of neighbouring episodes, read once and in order, as arrays or one by one."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.dataclass import dataclass
from telecine.core.stats import STATISTICS, Floats
from telecine.lerobot_format.episode_statistics import stacked_numbers
from telecine.lerobot_format.read import by_feature, episode_files

_BATCH = 500


@dataclass(frozen=True, eq=False, slots=True)
class RunStatistics:
    """Of `count` episodes, as far as meta/episodes has them. pieces: its rows of them, in order."""

    count: int
    pieces: tuple[pa.RecordBatch, ...]

    def each(self) -> Iterator[Mapping[str, Mapping[str, Any]]]:
        """Feature -> name -> value of every episode; nothing for those that are missing."""
        for piece in self.pieces:
            yield from map(by_feature, piece.to_pylist())
        yield from [{}] * (self.count - sum(piece.num_rows for piece in self.pieces))

    def arrays(self, key: str, width: int) -> Mapping[str, Floats] | None:
        """Name -> (count, width) of one feature, (count, 1) of `count`; None where some are of another form."""
        names = [f"stats/{key}/{name}" for name in STATISTICS]
        found: dict[str, Floats] = {}
        for name in names:
            there = [name in piece.schema.names for piece in self.pieces]
            if not any(there) and self.pieces:
                continue
            try:
                parts = [stacked_numbers(piece.column(name)) for piece in self.pieces]
            except (KeyError, ValueError):
                return None
            statistic = name.rpartition("/")[2]
            wanted = 1 if statistic == "count" else width
            if any(part.shape[1:] != (wanted,) for part in parts) or sum(map(len, parts)) != self.count:
                return None
            found[statistic] = np.concatenate(parts)
        return found


def statistics_of_runs(root: Path, counts: Iterable[int]) -> Iterator[RunStatistics]:
    """The statistics of so many episodes each, in order. Raises: OSError or pyarrow's errors."""
    batches = _batches(root)
    rest: pa.RecordBatch | None = None
    for count in counts:
        pieces: list[pa.RecordBatch] = []
        lacking = count
        while lacking and (rest := next(batches, None) if rest is None or not rest.num_rows else rest) is not None:
            pieces.append(rest.slice(0, lacking))
            rest = rest.slice(lacking)
            lacking -= pieces[-1].num_rows
        yield RunStatistics(count, tuple(pieces))


def _batches(root: Path) -> Iterator[pa.RecordBatch]:
    for path in episode_files(root):
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name.startswith("stats/")]
            yield from file.iter_batches(_BATCH, columns=names)
