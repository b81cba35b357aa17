"""Whether the parts of a joined dataset fit together, looked at before others see it.

`verify` looked at every part by itself. What joining could get wrong is where one part ends and the next begins:
numbers of episodes and rows, and the files that episodes point at. Reads footers and some columns of meta/episodes.
"""

from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.data import arrow
from telecine.core.errors import DatasetError, raised_as
from telecine.core.text.numbers import counted
from telecine.lerobot_format.paths import FileIndex, data_path, video_path
from telecine.lerobot_format.read import read_episodes_table

_NUMBERS = ("length", "dataset_from_index", "dataset_to_index")
_PLACE = ("chunk_index", "file_index")
Numbers = npt.NDArray[np.int64]


def check_borders(folder: Path, first: tuple[int, int], stop: tuple[int, int], elsewhere: Container[str] = ()) -> None:
    """Nothing, when the (episodes, rows) from `first` to `stop` are there without a gap.

    elsewhere: names of files of the dataset that are known to be where it will be.

    Raises: DatasetError that names the first place where they are not.
    """
    table = read_episodes_table(folder, lambda name: name in _NUMBERS or name.endswith(_PLACE)).slice(first[0])
    numbers = {name: _values(table, name) for name in ("episode_index", *_NUMBERS)}
    if problem := next(_problems(numbers, first, stop), None):
        raise DatasetError(f"the parts do not fit together: {problem}; nothing was published, please report this")
    for key in [name.rpartition("/")[0] for name in table.column_names if name.endswith(f"/{_PLACE[0]}")]:
        if key.startswith("meta/"):
            continue
        for index, rows in _runs(table, key, numbers):
            name = data_path(index) if key == "data" else video_path(key.removeprefix("videos/"), index)
            path = folder / name
            if name not in elsewhere and not path.is_file():
                raise DatasetError(f"the parts do not fit together: {path} is missing; nothing was published")
            if key == "data" and rows != (held := _rows_of(path)):
                text = f"{path} holds rows {held}, its episodes have {rows}"
                raise DatasetError(f"the parts do not fit together: {text}; nothing was published")


def _problems(numbers: dict[str, Numbers], first: tuple[int, int], stop: tuple[int, int]) -> Iterator[str]:
    episodes, begin, end = (numbers[name] for name in ("episode_index", "dataset_from_index", "dataset_to_index"))
    if len(episodes) != stop[0] - first[0]:
        yield f"{counted(len(episodes), 'episode')} instead of {stop[0] - first[0]}"
    else:
        wrong = episodes != np.arange(first[0], stop[0])
        wrong |= begin != np.concatenate([[first[1]], end[:-1]])
        wrong |= end - begin != numbers["length"]
        if wrong.any():
            yield f"episode {first[0] + int(np.argmax(wrong))} does not go on from the one before"
        elif int(end[-1]) != stop[1]:
            yield f"{counted(int(end[-1]), 'row')} instead of {stop[1]}"


def _runs(table: pa.Table, key: str, numbers: dict[str, Numbers]) -> Iterator[tuple[FileIndex, tuple[int, int]]]:
    """(a file, its first row and the one after its last) for all episodes in it, which are neighbours."""
    chunks, files = (_values(table, f"{key}/{name}") for name in _PLACE)
    starts = np.flatnonzero(np.diff(chunks, prepend=-1) | np.diff(files, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(chunks)], strict=True):
        rows = (int(numbers["dataset_from_index"][start]), int(numbers["dataset_to_index"][stop - 1]))
        yield FileIndex(int(chunks[start]), int(files[start])), rows


def _rows_of(path: Path) -> tuple[int, int]:
    """The first `index` of a file of rows and the one after its last, by its footer."""
    with raised_as(DatasetError, f"{path}: cannot be read", OSError, pa.ArrowException), pq.ParquetFile(path) as file:
        leaf = next(number for number in range(len(file.schema)) if file.schema.column(number).path == "index")
        ends = [file.metadata.row_group(n).column(leaf).statistics for n in (0, file.num_row_groups - 1)]
    return int(ends[0].min), int(ends[1].max) + 1


def _values(table: pa.Table, name: str) -> Numbers:
    return np.asarray(arrow.to_numpy(table.column(name).combine_chunks()), np.int64)
