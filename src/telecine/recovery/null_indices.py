"""Index columns of rows in which some are null: what the rows before and behind them tell. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.text.numbers import counted

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Place = tuple[int, int]
"""An episode and a row of it."""
NOWHERE = 1 << 62
"""The frame_index of a row of which nothing tells where it belongs."""


def plain(column: pa.ChunkedArray) -> Any:
    """Numbers of an index column. Raises: ValueError for anything else."""
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise ValueError(f"an index column of {column.type} with {counted(column.null_count, 'null')}")
    parts = [arrow.to_numpy(chunk) for chunk in column.chunks]
    values = np.concatenate(parts) if parts else np.empty(0)
    return values.astype(np.float64 if pa.types.is_floating(column.type) else np.int64)


def placed(columns: Mapping[str, pa.ChunkedArray]) -> tuple[dict[str, Any], str]:
    """(`episode_index`, `frame_index`, `timestamp` as numbers; what was null and is filled, "" without).

    Rows are the next after the row before them, and the last before the row behind them, where these and what the rows
    say themselves agree; else their frame_index is `NOWHERE`. Raises: ValueError for columns that are no numbers.
    """
    nulls = {name: column.is_null().to_numpy() for name, column in columns.items() if column.null_count}
    found = {name: plain(column.fill_null(0) if name in nulls else column) for name, column in columns.items()}
    if not nulls:
        return found, ""
    none = np.zeros(len(found["frame_index"]), np.bool_)
    gaps = nulls.get("episode_index", none), nulls.get("frame_index", none)
    _fill(found["episode_index"], found["frame_index"], *gaps)
    if "timestamp" in nulls:
        _fill_times(found["timestamp"], nulls["timestamp"])
    told = " and ".join(
        f"{counted(int(mask.sum()), 'row has', 'rows have')} null {name}" for name, mask in nulls.items()
    )
    return found, f"{told}, filled by the rows around them"


def _fill(episodes: Ints, frames: Ints, no_episode: Flags, no_frame: Flags) -> None:
    unknown = no_episode | no_frame
    edges = np.flatnonzero(np.diff(unknown, prepend=False, append=False)).reshape(-1, 2)
    for start, stop in edges.tolist():
        before = (int(episodes[start - 1]), int(frames[start - 1])) if start else None
        behind = (int(episodes[stop]), int(frames[stop])) if stop < len(frames) else None
        for row, found in zip(range(start, stop), _between(before, behind, stop - start), strict=True):
            episode, frame = found or (-1, -1)
            agrees = (no_episode[row] or episodes[row] == episode) and (no_frame[row] or frames[row] == frame)
            if not found or not agrees:
                episode, frame = (before or behind or (-1,))[0], NOWHERE
            episodes[row], frames[row] = episode, frame


def _between(before: Place | None, behind: Place | None, count: int) -> list[Place | None]:
    """(episode, frame_index) of so many rows between two; None where these contradict each other, or there are none."""
    of_behind = min(behind[1], count) if behind is not None else 0
    if before is not None and behind is not None and before[0] == behind[0]:
        of_behind = 0 if behind[1] == before[1] + count + 1 else count + 1
    if of_behind > count or (before is None and of_behind < count):
        return [None] * count
    mine = [(before[0], before[1] + 1 + at) for at in range(count - of_behind)] if before is not None else []
    its = [(behind[0], behind[1] - of_behind + at) for at in range(of_behind)] if behind is not None else []
    return [*mine, *its]


def _fill_times(seconds: Any, missing: Flags) -> None:
    """By the rows around: they are made anew from the rate, and only compared with it."""
    rows = np.arange(len(seconds))
    if not missing.all():
        seconds[missing] = np.interp(rows[missing], rows[~missing], seconds[~missing])
