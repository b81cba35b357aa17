"""What the statistics of a dataset need from its episodes: small sums, however many episodes there are."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.episode import FeatureColumn
from telecine.core.stats import Moments, Stats, camera_stats, column_stats, dataset_quantiles, pooled_frames
from telecine.core.video import Clip
from telecine.dataset.values import Values, to_numpy
from telecine.lerobot_format.schema import Features

BATCH_ROWS = 1 << 14
CACHED_FILE_BYTES = 1 << 20
"""A file of rows beyond this, on disk or in memory, is read again whenever it is needed."""
CACHE_BYTES = 32 << 20
"""Of columns that `RunningStats` keeps in memory: 3,000 episodes of 100 rows with 20 numbers each."""


@dataclass(frozen=True, eq=False, slots=True)
class ImageStats:
    """What is known of a camera's frames: statistics of those that a dataset held before, and a histogram.

    before: None when the histogram holds all. histogram: (3, 256) counts, None when nobody kept it.
    """

    before: Stats | None
    histogram: npt.NDArray[np.int64] | None
    sampled: int = 0
    """Frames in `histogram` that are not in `before`."""


class RunningStats:
    """Pooled moments per column, summed histograms per camera; starts with those of a published dataset, if given."""

    def __init__(
        self, moments: Mapping[str, Moments] | None = None, frames: Mapping[str, ImageStats] | None = None
    ) -> None:
        self._moments = dict(moments or {})
        self._frames = dict(frames or {})
        self._cache: dict[tuple[str, str], dict[str, Values]] = {}
        self._cache_bytes = 0

    def add(self, values: dict[str, Values], clips: Sequence[Clip]) -> dict[str, Stats]:
        """Count an episode in; its own statistics, by feature."""
        found: dict[str, Stats] = {}
        for key, array in values.items():
            found[key] = column_stats(array)
            moments = found[key].moments
            self._moments[key] = self._moments[key].pooled(moments) if key in self._moments else moments
        for clip in clips:
            found[clip.key] = camera_stats(clip.histogram, clip.sampled)
            self._frames[clip.key] = _counted(self._frames.get(clip.key), clip)
        return found

    def stats(self, features: Features, files: Sequence[Path]) -> dict[str, dict[str, list[Any]]]:
        """meta/stats.json, reading the columns in `files` again for their quantiles.

        What small files held is kept, so that a recorder, which comes once an episode, does not read all of them again.
        """
        found: dict[str, dict[str, list[Any]]] = {}
        self._fill_cache(features.numbers, files)
        for column in features.numbers:
            moments = self._moments[column.key]
            quantiles = dataset_quantiles(lambda c=column: self._parts(files, c), moments)  # type: ignore[misc]
            found[column.key] = Stats(moments, quantiles).lists()
        for camera in features.cameras:
            found[camera.key] = _camera_stats(self._frames[camera.key]).lists()
        return found

    def _fill_cache(self, columns: Sequence[FeatureColumn], files: Sequence[Path]) -> None:
        """Read the columns of files that are new and small, while there is room."""
        width = sum(math.prod(column.shape) for column in columns)
        for path in files:
            size = path.stat().st_size
            if _name(path) in self._cache or size > CACHED_FILE_BYTES or self._cache_bytes >= CACHE_BYTES:
                continue
            with pq.ParquetFile(path) as file:
                if 8 * width * file.metadata.num_rows > CACHED_FILE_BYTES:
                    continue
                table = file.read([column.key for column in columns])
            held = {column.key: to_numpy(table.column(column.key), column) for column in columns}
            self._cache[_name(path)] = held
            self._cache_bytes += sum(values.nbytes for values in held.values())

    def _parts(self, files: Sequence[Path], column: FeatureColumn) -> Iterator[Values]:
        """The values of a column over Parquet files, some rows at a time."""
        for path in files:
            if _name(path) in self._cache:
                yield self._cache[_name(path)][column.key]
                continue
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=[column.key]):
                    yield to_numpy(pa.chunked_array([batch.column(0)]), column)

    def histograms(self) -> dict[str, Any]:
        """meta/telecine/pictures.json, of the cameras whose frames were all counted."""
        return {
            key: {"histogram": seen.histogram.tolist()}
            for key, seen in self._frames.items()
            if seen.histogram is not None
        }


def _counted(seen: ImageStats | None, clip: Clip) -> ImageStats:
    if seen is None:
        return ImageStats(None, clip.histogram, clip.sampled)
    if seen.histogram is not None:
        return replace(seen, histogram=seen.histogram + clip.histogram, sampled=seen.sampled + clip.sampled)
    assert seen.before is not None
    return replace(seen, before=pooled_frames(seen.before, camera_stats(clip.histogram, clip.sampled)))


def _camera_stats(seen: ImageStats) -> Stats:
    before = 0 if seen.before is None else seen.before.moments.count
    if seen.histogram is not None:
        return camera_stats(seen.histogram, before + seen.sampled)
    assert seen.before is not None
    return seen.before


def _name(path: Path) -> tuple[str, str]:
    """The same for a file and the link to it in the next state of the dataset."""
    return path.parent.name, path.name
