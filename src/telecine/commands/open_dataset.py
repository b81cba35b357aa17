"""`telecine.open_dataset`: a LeRobot dataset as numpy arrays, without torch and without LeRobot."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telecine.commands.stores import stores
from telecine.core.depth import DepthScale
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, VideoError, closed_on_failure, raised_as
from telecine.core.text.numbers import counted
from telecine.core.tiff import is_tiff, tiff_pixels
from telecine.dataset.reader import Dataset
from telecine.dataset.reader import open_dataset as opened
from telecine.dataset.values import coded_frames, to_numpy
from telecine.lerobot_format.paths import INFO
from telecine.video.frames.png import read_png
from telecine.video.mp4_reader import decode_at, depth_at

if TYPE_CHECKING:
    from telecine.viewer.snapshot import Snapshot


class DatasetEpisode:
    """One episode of a dataset that `open_dataset` opened; reads when asked, and keeps nothing.

    index: its number; tasks: the task texts. Its length is the number of rows.

    >>> import telecine as tc
    >>> episode = tc.open_dataset("dataset")[0]
    >>> len(episode), episode.tasks, episode.rows["action"].shape
    (8, ('pick up the red cube',), (8, 7))
    """

    def __init__(self, dataset: Dataset, number: int) -> None:
        self._dataset, self._number = dataset, number
        facts = dataset.episodes[number]
        self.index, self.tasks, self._length = facts.index, facts.tasks, facts.length

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<episode {self.index}: {counted(self._length, 'row')}, {', '.join(self.tasks)}>"

    @property
    def rows(self) -> dict[str, npt.NDArray[Any]]:
        """Feature -> its values: (n, *shape), (n,) where the shape is (1,); texts as (n,) of str. Without cameras.

        Raises: DatasetError when the file is missing or damaged.
        """
        columns = [c for c in self._dataset.features if c.dtype not in ("video", "image")]
        table = self._dataset.rows(self._number, [c.key for c in columns])
        return {column.key: _values(table.column(column.key), column) for column in columns}

    def frames(self, key: str, rows: Sequence[int] | slice | None = None) -> npt.NDArray[Any]:
        """Frames of the camera `key`: (n, height, width, 3) uint8 RGB; of depth (n, height, width) float64 mm.

        rows: of the episode, e.g. range(0, 30); None: all, which takes 3 bytes a pixel.

        Raises: DatasetError when there is no such camera, row or file; VideoError when frames cannot be decoded.
        """
        wanted = _row_numbers(rows, self._length, self._number)
        column = next((c for c in self._dataset.features if c.key == key and key in self._dataset.cameras), None)
        if column is None:
            known = ", ".join(self._dataset.cameras) or "none"
            raise DatasetError(f"{self._dataset.root}: {key} is not a camera; cameras are {known}")
        if not wanted:
            return np.empty((0, *column.shape), np.uint8)
        depth = self._dataset.depth(key)
        if column.dtype == "image":
            cells = self._dataset.rows(self._number, [key]).column(key)
            return np.stack([_pixels(data, depth) for data in coded_frames(cells.take(pa.array(wanted)))])
        path, first = self._dataset.frame(key, self._number, 0)
        numbers = sorted({first + row for row in wanted})
        if depth is not None:
            levels = depth.levels()
            shown: dict[int, npt.NDArray[Any]] = {n: levels[codes] for n, codes in depth_at(str(path), numbers)}
        else:
            shown = dict(decode_at(str(path), numbers))
        return np.stack([shown[first + row] for row in wanted])

    def show(self, row: int = 0) -> "Snapshot":
        """One row as a still in a notebook: the cameras' frames, and the curves of state and action with it marked.

        Raises: DatasetError when there is no such row or a file is missing; VideoError.
        """
        from telecine.viewer.snapshot import snapshot

        return snapshot(self._dataset, self._number, row)


def _pixels(data: bytes, depth: DepthScale | None) -> npt.NDArray[Any]:
    """RGB of an image in a row, or the distances of depth there in mm. Raises: VideoError."""
    if depth is None or not is_tiff(data):
        return read_png(data)
    with raised_as(VideoError, "a depth image cannot be read", ValueError):
        return tiff_pixels(data).astype(np.float64) * (1000 if depth.unit == "m" else 1)


@dataclass(frozen=True, slots=True)
class OpenDataset(Sequence[DatasetEpisode]):
    """A dataset on disk: a sequence of its episodes, and its metadata. See `open_dataset`.

    >>> import telecine as tc
    >>> [len(episode) for episode in tc.open_dataset("dataset")]
    [8, 8]
    """

    root: Path
    fps: int
    robot_type: str | None
    features: tuple[FeatureColumn, ...]
    cameras: tuple[str, ...]
    tasks: tuple[str, ...]
    _dataset: Dataset

    def __len__(self) -> int:
        return len(self._dataset.episodes)

    def __getitem__(self, number: Any) -> Any:
        """The episode, from the end for negative numbers; a list of episodes for a slice."""
        if isinstance(number, slice):
            return [DatasetEpisode(self._dataset, n) for n in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"{self.root}: has {counted(len(self), 'episode')}, no episode {number}")
        return DatasetEpisode(self._dataset, number % len(self))

    def __iter__(self) -> Iterator[DatasetEpisode]:
        return (DatasetEpisode(self._dataset, number) for number in range(len(self)))


def open_dataset(out: str | Path) -> OpenDataset:
    """The LeRobot dataset at `out`, of version 2.0, 2.1 or 3.0, to be read as numpy arrays.

    Args:
        out: the folder of the dataset, or its address in a store. Its metadata is copied, and each other file when an
            episode in it is asked for, by this process; the copies go with what is returned.

    Returns:
        A sequence of episodes: `[3].rows` are its values by feature, `[3].frames(key)` the frames of a camera. Nothing
        but metadata is read before that.

    Raises:
        DatasetError: there is no dataset, or its metadata is damaged.

    >>> import telecine as tc
    >>> dataset = tc.open_dataset("dataset")
    >>> len(dataset), dataset.fps, dataset.cameras
    (2, 30, ('observation.images.scene',))
    >>> dataset[-1].frames("observation.images.scene", range(3)).shape
    (3, 120, 160, 3)
    """
    stack = ExitStack()
    with closed_on_failure(stack.close):
        dataset = opened(stack.enter_context(stores()).dataset(out, at_once=_is_metadata))
    weakref.finalize(dataset, stack.close)  # a copy of what is in a store
    return OpenDataset(
        dataset.root, dataset.fps, dataset.robot_type, dataset.features, dataset.cameras, dataset.tasks, dataset
    )


def _is_metadata(key: str) -> bool:
    return key.startswith("meta/")


def _values(data: Any, column: FeatureColumn) -> npt.NDArray[Any]:
    if column.dtype in ("string", "language"):
        return np.array(data.to_pylist(), dtype=object if column.dtype == "language" else str)
    try:
        return to_numpy(data, column)
    except ValueError as error:
        raise DatasetError(f"{column.key}: {INFO} says {column.dtype} {column.shape}, the rows hold {error}") from error


def _row_numbers(rows: Sequence[int] | slice | None, length: int, episode: int) -> list[int]:
    if rows is None or isinstance(rows, slice):
        return list(range(length))[rows or slice(None)]
    for row in rows:
        if not 0 <= row < length:
            raise DatasetError(f"episode {episode} has {counted(length, 'row')}, no row {row}")
    return [int(row) for row in rows]
