"""The rate of a dataset, where its rows and videos say another than info.json does."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.errors import VideoError
from telecine.core.text.numbers import counted
from telecine.dataset.verify.reading import UNREADABLE
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.recovery.conflicts import ROWS, Conflict, Trust, chosen
from telecine.video.mp4_reader import readable_frames

_COLUMNS = ["episode_index", "timestamp"]
_BATCH_ROWS = 1 << 16
_EQUAL = 0.02
"""Of a step: measured ones differ by more."""


def rate_conflict(metadata: DatasetMeta) -> tuple[int, Conflict] | None:
    """(frames a second, the conflict) where timestamps at equal steps and every video agree on another rate."""
    rate: int | None = None
    for steps in _steps(metadata):
        own = _rate_of(steps)
        if own is None or own == metadata.fps or own != (rate or own):
            return None
        rate = own
    if rate is None or any(_rate_of(own) != rate for own in _video_steps(metadata)):
        return None
    videos = " and its videos" if metadata.videos else ""
    text = f"its timestamps{videos} have {counted(rate, 'row')} a second, info.json says {metadata.fps}"
    return rate, Conflict("rates", "meta/info.json fps", text, ROWS)


def with_rate(metadata: DatasetMeta, trust: Sequence[Trust]) -> tuple[DatasetMeta, tuple[Conflict, ...]]:
    """The metadata, with the rate of the rows where those are trusted, and the conflict about it."""
    found = rate_conflict(metadata)
    if found is None:
        return metadata, ()
    rate, conflict = found
    return (replace(metadata, fps=rate) if chosen(ROWS, trust) == "rows" else metadata), (conflict,)


def _rate_of(steps: npt.NDArray[np.float64]) -> int | None:
    """A whole number of steps a second, where all are equal."""
    middle = float(np.median(steps)) if steps.size else 0.0
    if middle <= 0 or np.any(np.abs(steps - middle) > _EQUAL * middle):
        return None
    rate = round(1 / middle)
    return rate if rate and abs(rate * middle - 1) < _EQUAL else None


def _steps(metadata: DatasetMeta) -> Iterator[npt.NDArray[np.float64]]:
    """Seconds from row to row within episodes, `_BATCH_ROWS` at a time; of those that can be read."""
    for path in sorted((metadata.root / "data").rglob("*.parquet")):
        with suppress(*UNREADABLE, ValueError, TypeError), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=_COLUMNS, use_threads=False):
                numbers, seconds = (arrow.to_numpy(batch.column(name)).astype(np.float64) for name in _COLUMNS)
                if np.any(same := np.diff(numbers) == 0):
                    yield np.diff(seconds)[same]


def _video_steps(metadata: DatasetMeta) -> Iterator[npt.NDArray[np.float64]]:
    """Seconds from frame to frame of the first readable video of each camera."""
    for key in metadata.videos:
        for path in sorted((metadata.root / "videos").glob(f"**/{key}/**/*.mp4")):
            try:
                times = readable_frames(str(path)).times
            except (VideoError, UnicodeDecodeError):
                continue
            if times.size > 1:
                yield np.diff(times)
                break
