"""`subtask_index` and meta/subtasks.parquet: subtasks as LeRobot kept them before it had columns of language.

A row's number is the place of its text in the table, as LeRobot 0.5 looked it up; -1 is none.
"""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from telecine.core.errors import DatasetError, raised_as
from telecine.core.labels.numbered import SUBTASK_INDEX
from telecine.core.text.numbers import counted
from telecine.lerobot_format.read import read_table

SUBTASKS = "meta/subtasks.parquet"


def read_subtasks(root: Path, features: Collection[str]) -> tuple[str, ...]:
    """Texts by number; none of a dataset without the column or without the table.

    Raises: DatasetError for another table, also one whose numbers are not the places of its rows: readers would differ.
    """
    if SUBTASK_INDEX not in features or not (root / SUBTASKS).is_file():
        return ()
    table = read_table(root, SUBTASKS, None)
    others = [name for name in table.column_names if name != SUBTASK_INDEX]
    with raised_as(DatasetError, f"{root / SUBTASKS}: is no table of subtasks", ValueError, pa.ArrowException):
        if len(others) != 1:
            raise ValueError(
                f"it has {counted(len(others), 'column')} beside {SUBTASK_INDEX}, expected the texts alone"
            )
        texts = table.column(others[0]).cast(pa.string()).to_pylist()
        numbers = table.column(SUBTASK_INDEX).to_pylist() if SUBTASK_INDEX in table.column_names else range(len(texts))
        if list(numbers) != list(range(len(texts))):
            raise ValueError(f"its {SUBTASK_INDEX} does not count its rows from 0")
        return tuple(text or "" for text in texts)
