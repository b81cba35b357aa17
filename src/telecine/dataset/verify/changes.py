"""What was made anew in a dataset, checked, where the rest is what it was: so that one episode of many costs little.

All metadata and the index columns of all rows are read; values, statistics and videos only where they are new.
"""

from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.errors import DatasetError
from telecine.core.findings import Finding
from telecine.core.grid import Rows
from telecine.dataset.values import Values
from telecine.dataset.verify.finding_log import FindingLog
from telecine.dataset.verify.frames import parsed_statistics
from telecine.dataset.verify.metadata import check_meta
from telecine.dataset.verify.reading import UNREADABLE
from telecine.dataset.verify.rows import check_rows, check_values, episodes_by_file
from telecine.dataset.verify.videos import by_file, check_video
from telecine.lerobot_format.metadata import INDEX_KEYS, DatasetMeta, EpisodeMeta
from telecine.lerobot_format.paths import data_path
from telecine.lerobot_format.possible import NUMBERS
from telecine.lerobot_format.read import read_statistics_of
from telecine.lerobot_format.row_files import read_runs
from telecine.lerobot_format.video_spans import read_hidden_frames

BATCH_ROWS = 1 << 16


def verify_changes(root: Path, episodes: Collection[int], videos: Collection[str]) -> list[Finding]:
    """What is wrong with what was made anew in the dataset at `root`; empty when nothing is.

    episodes: those whose values or statistics are new. videos: relative paths of new files.
    """
    log = FindingLog()
    metadata = check_meta(root, log)
    if metadata is None:
        return log.all()
    if not _is_numbered(metadata):
        check_rows(metadata, None, log, statistics=False)  # says where it is not
    if not log.all():
        _check_episodes(metadata, sorted(episodes), log)
    hidden = read_hidden_frames(metadata)
    for key in metadata.videos:
        for name, own in by_file(metadata, key).items():
            if name in videos:
                with log.at(key=key):
                    check_video(metadata, key, name, own, hidden, log)
    return log.all()


def _is_numbered(metadata: DatasetMeta) -> bool:
    """True when the index columns of all rows are what they should be."""
    position = 0
    for file_index, episodes in episodes_by_file(metadata.episodes):
        lengths = np.array([episode.length for episode in episodes], np.int64)
        numbers = np.repeat([episode.index for episode in episodes], lengths)
        frames = np.arange(len(numbers)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = 0
        try:
            with pq.ParquetFile(metadata.root / data_path(file_index)) as file:  # `read_table` would import pandas
                for batch in file.iter_batches(BATCH_ROWS, columns=list(INDEX_KEYS), use_threads=False):
                    rows = slice(at, at + batch.num_rows)
                    if not _fits(metadata, batch, position + at, numbers[rows], frames[rows]):
                        return False
                    at += batch.num_rows
        except (*UNREADABLE, KeyError):
            return False
        if at != len(numbers):
            return False
        position += at
    return True


def _fits(metadata: DatasetMeta, batch: pa.RecordBatch, position: int, numbers: Rows, frames: Rows) -> bool:
    """True when the rows from `position` on have these numbers of episodes and of rows in them."""
    if batch.num_rows != len(numbers) or any(column.null_count for column in batch.columns):
        return False
    found: dict[str, Values] = {key: arrow.to_numpy(batch.column(key)) for key in INDEX_KEYS}
    tasks = found["task_index"]
    return (
        np.array_equal(found["index"], position + np.arange(len(numbers)))
        and np.array_equal(found["episode_index"], numbers)
        and np.array_equal(found["frame_index"], frames)
        and bool(np.all(np.abs(found["timestamp"] - frames / metadata.fps) < 1e-4))
        and metadata.tasks is not None
        and bool(tasks.min() >= 0 and tasks.max() < len(metadata.tasks))
    )


def _check_episodes(metadata: DatasetMeta, numbers: list[int], log: FindingLog) -> None:
    columns = [key for key, feature in metadata.features.items() if feature.dtype in NUMBERS | {"string"}]
    statistics = dict(zip(numbers, read_statistics_of(metadata.root, numbers), strict=True))
    for file_index, episodes in episodes_by_file(metadata.episodes):
        name = data_path(file_index)
        for neighbours in _neighbours(episodes, statistics):
            for run, found in read_runs(metadata.root / name, neighbours, columns):
                at = 0
                for episode in run:
                    with log.at(episode=episode.index):
                        if isinstance(found, DatasetError):
                            log.error("verify-structure", name, str(found))
                            continue
                        table = found.slice(at, episode.length)
                        at += episode.length
                        _check_episode(metadata, episode, table, statistics[episode.index], log)


def _neighbours(episodes: Sequence[EpisodeMeta], wanted: Container[int]) -> Iterator[list[EpisodeMeta]]:
    """Those wanted of the episodes of a file, in lists of such as follow one another, with their place in the file."""
    first = episodes[0].first_row
    placed = [replace(episode, start=episode.first_row - first) for episode in episodes]
    for is_wanted, group in groupby(placed, lambda episode: episode.index in wanted):
        if is_wanted:
            yield list(group)


def _check_episode(
    metadata: DatasetMeta, episode: EpisodeMeta, table: pa.Table, stored: dict[str, Any], log: FindingLog
) -> None:
    check_values(metadata, data_path(episode.data), episode, table, stored, log)
    for key in metadata.cameras:
        with log.at(key=key):
            where = f"meta/episodes episode {episode.index} {key}"
            parsed_statistics(where, stored.get(key), metadata.features[key], log)
