"""Defects that our own writer refuses, put into a finished dataset's files: NaN, times off the grid, an empty task."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.lerobot_format import paths
from telecine.lerobot_format.read import episode_files
from telecine.recorder.sim.spoil import EMPTIED, IN_FILES, STATE, Spoiled

OFF_S = 0.011
"""By so much times are off the grid."""


def spoil_files(root: Path, spoiled: Iterable[Spoiled]) -> None:
    """Make the defects among these that are made in files."""
    for one in spoiled:
        if one.kind not in IN_FILES:
            continue
        if one.kind == "task":
            _rewrite(root / paths.TASKS, _emptied)
            for path in episode_files(root):
                _rewrite(path, _emptied)
        for path in sorted((root / "data").rglob("*.parquet")) if one.kind != "task" else ():
            _rewrite(path, lambda table, one=one: _changed(table, one))  # type: ignore[misc]


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    with pq.ParquetFile(path) as file:
        table = file.read()
        size = file.metadata.row_group(0).num_rows if file.metadata.num_row_groups else None
    pq.write_table(change(table), path, row_group_size=size)


def _emptied(table: pa.Table) -> pa.Table:
    """Texts, also within lists, that were kept for it are empty now."""
    for position, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or (
            pa.types.is_list(field.type) and pa.types.is_string(field.type.value_type)
        ):
            texts = table.column(position).to_pylist()
            new = [_empty(text) for text in texts]
            if new != texts:
                table = table.set_column(position, field, pa.array(new, field.type))
    return table


def _empty(text: object) -> object:
    if isinstance(text, list):
        return [_empty(part) for part in text]
    return "" if text == EMPTIED else text


def _changed(table: pa.Table, one: Spoiled) -> pa.Table:
    """NaN in the state, or times off the grid, in the rows that are to be spoiled."""
    start, stop = one.rows
    rows = np.array(table.column("frame_index").to_pylist())
    mine = (np.array(table.column("episode_index").to_pylist()) == one.episode) & (rows >= start) & (rows < stop)
    key = STATE if one.kind == "values" else "timestamp"
    position = table.column_names.index(key)
    field = table.schema.field(position)
    values = np.array(table.column(key).to_pylist(), np.float64)
    values[mine] = np.nan if one.kind == "values" else values[mine] + OFF_S
    return table.set_column(position, field, pa.array(values.tolist(), field.type))
