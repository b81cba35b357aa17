"""What the statistics of a dataset need from its episodes: small sums, however many episodes there are."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.episode import Column
from telecine.core.stats import Moments, Stats, camera_stats, column_stats, dataset_quantiles
from telecine.core.video import Clip
from telecine.dataset.schema import Features
from telecine.dataset.values import Values, to_numpy

BATCH_ROWS = 1 << 16


class Totals:
    """Pooled moments per column, summed histograms per camera."""

    def __init__(self) -> None:
        self._moments: dict[str, Moments] = {}
        self._histograms: dict[str, tuple[npt.NDArray[np.int64], int]] = {}

    def add(self, values: dict[str, Values], clips: Sequence[Clip]) -> dict[str, Stats]:
        """Count an episode in; its own statistics, by feature."""
        found: dict[str, Stats] = {}
        for key, array in values.items():
            found[key] = column_stats(array)
            moments = found[key].moments
            self._moments[key] = self._moments[key].pooled(moments) if key in self._moments else moments
        for clip in clips:
            found[clip.key] = camera_stats(clip.histogram, clip.sampled)
            histogram, sampled = self._histograms.get(clip.key, (np.zeros_like(clip.histogram), 0))
            self._histograms[clip.key] = (histogram + clip.histogram, sampled + clip.sampled)
        return found

    def stats(self, features: Features, files: Sequence[Path]) -> dict[str, dict[str, list[Any]]]:
        """meta/stats.json, reading the columns in `files` again for their quantiles."""
        found: dict[str, dict[str, list[Any]]] = {}
        for column in features.numbers:
            moments = self._moments[column.key]
            quantiles = dataset_quantiles(lambda c=column: _parts(files, c), moments)  # type: ignore[misc]
            found[column.key] = Stats(moments, quantiles).lists()
        for camera in features.cameras:
            found[camera.key] = camera_stats(*self._histograms[camera.key]).lists()
        return found


def _parts(files: Sequence[Path], column: Column) -> Iterator[Values]:
    """The values of a column over Parquet files, some rows at a time."""
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=[column.key]):
                yield to_numpy(pa.chunked_array([batch.column(0)]), column)
