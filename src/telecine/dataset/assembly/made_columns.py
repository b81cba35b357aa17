"""Columns of a new dataset that are not taken as they are: success, labels; and those that the first input has not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.data.columns import nested
from telecine.core.derive.derived import compute
from telecine.core.derive.episode import numbers_of
from telecine.core.derive.functions import RowBlock
from telecine.core.edit.resolve import OutputEpisode
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, PlanError, raised_as
from telecine.core.label import LANGUAGE, Label
from telecine.core.labels.columns import (
    LABEL_COLUMNS,
    columns_of,
    labels_of,
    language_array,
    language_type,
    numbers_over,
)
from telecine.core.labels.spans import cut, in_order, over, without
from telecine.core.outcome import SUCCESS
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.values import to_numpy
from telecine.lerobot_format.schema import LEAVES


def added_columns(selection: Selection) -> tuple[FeatureColumn, ...]:
    """The columns that the first input does not have, in order."""
    there = set(selection.keys[0].values())
    wanted = {column.key: column for column in columns_of(label for e in selection.episodes for label in e.labels)}
    wanted |= {key: LABEL_COLUMNS[key] for keys in selection.keys for key in keys.values() if key in LANGUAGE}
    if any(isinstance(e.success, bool) for e in selection.episodes):
        wanted[SUCCESS.key] = SUCCESS
    wanted |= {column.key: column for column in selection.derived_columns}
    return tuple(column for key, column in wanted.items() if key not in there)


def made_column(selection: Selection, episodes: Sequence[OutputEpisode], table: pa.Table, key: str) -> pa.Array | None:
    """The column of a batch, the rows of `episodes` of one input, where it is not as in the input; None where it is.

    Raises: DatasetError when the input's column is not what it should be.
    """
    old = {new: there for there, new in selection.keys[episodes[0].source[0]].items()}.get(key)
    there = table.column(old) if old in table.column_names else None
    if key in LANGUAGE:
        return _language(selection, episodes, key, there)
    if key == SUCCESS.key:
        known = any(isinstance(e.success, bool) for e in episodes)
        return _success(episodes, there) if known or there is None else None
    own = [[label for label in e.labels if label.kind.column == key] for e in episodes]
    if key not in LABEL_COLUMNS or (there is not None and not any(own)):
        return None
    return _numbers(episodes, own, LABEL_COLUMNS[key], there)


def derived_arrays(selection: Selection, episodes: Sequence[OutputEpisode], table: pa.Table) -> dict[str, pa.Array]:
    """The computed columns of a batch, the rows of `episodes` of one input, by key. Raises: DatasetError."""
    if not selection.derived:
        return {}
    dataset = selection.inputs[episodes[0].source[0]]
    starts = np.cumsum([0, *(e.length for e in episodes[:-1])], dtype=np.int64)
    rows = RowBlock(starts, table.num_rows, dataset.fps, selection.tools.robot)
    columns = [c for c in dataset.features if c.key in table.column_names and c.dtype in LEAVES]
    with raised_as(DatasetError, str(dataset.root), ValueError, pa.ArrowException):
        values = numbers_of(table, columns)
    try:
        made = compute(selection.derived, values, rows, selection.tools)
    except PlanError as error:
        named = ", ".join(str(e.source[1]) for e in episodes[:5]) + (" ..." if len(episodes) > 5 else "")
        raise DatasetError(f"{dataset.root}: episodes {named}: {error}") from error
    shapes = {column.key: column.shape for column in selection.derived_columns}
    if odd := [key for key, found in made.items() if (found.shape[1],) != shapes[key]]:
        raise DatasetError(f"{dataset.root}: {', '.join(odd)} would have another width than in the first episode")
    return {key: nested(np.ascontiguousarray(found), shapes[key]) for key, found in made.items()}


def _success(episodes: Sequence[OutputEpisode], there: pa.ChunkedArray | None) -> pa.Array:
    """`next.success` of each row: as the edit sets it, else what was there."""
    lengths = [e.length for e in episodes]
    said = np.repeat([e.success is True for e in episodes], lengths)
    if there is None:
        return pa.array(said)
    known = np.repeat([isinstance(e.success, bool) for e in episodes], lengths)
    return pa.array(np.where(known, said, there.to_numpy()))


def _numbers(
    episodes: Sequence[OutputEpisode],
    labels: Sequence[Sequence[Label]],
    column: FeatureColumn,
    there: pa.ChunkedArray | None,
) -> pa.Array:
    """A column of numbers with those of the labels over what was there, or over zeros."""
    count = sum(e.length for e in episodes)
    problem = f"{column.key}: not {column.dtype} {list(column.shape)}, so labels cannot go over it"
    with raised_as(DatasetError, problem, ValueError):
        values = np.zeros(count, column.dtype) if there is None else to_numpy(there, column)
    parts = []
    for (start, stop), episode, own in zip(_slices(episodes), episodes, labels, strict=True):
        parts.append(numbers_over(values[start:stop], cut(own, episode.start, episode.stop), column.key))
    return arrow.numbers(np.concatenate(parts))


def _language(
    selection: Selection, episodes: Sequence[OutputEpisode], key: str, there: pa.ChunkedArray | None
) -> pa.Array | None:
    """Labels of cut episodes are clipped and timed anew, those of the edit go over them."""
    kept = all(selection.is_whole(e) and not e.labels and not e.unlabelled for e in episodes)
    if kept and there is not None and there.type == language_type(key) and not selection.rewrites_labels:
        return None
    fps, parts = selection.inputs[0].fps, []
    for (start, stop), episode in zip(_slices(episodes), episodes, strict=True):
        rows = None if there is None else pa.table({key: there.slice(start, stop - start)})
        labels = labels_of_episode(selection, episode, rows)
        parts.append(language_array(key, labels, episode.length, fps))
    return pa.concat_arrays(parts)


def labels_of_episode(selection: Selection, episode: OutputEpisode, rows: pa.Table | None) -> tuple[Label, ...]:
    """The labels of a new episode. rows: those of the input that stay, with one column of language; None without."""
    dataset = selection.inputs[episode.source[0]]
    where = f"{dataset.root}: episode {episode.source[1]}"
    with raised_as(DatasetError, where, ValueError, pa.ArrowException):
        labels = () if rows is None else _kept(selection, episode, rows)
    for gone in episode.unlabelled:
        labels = without(labels, gone.style, gone.start - episode.start, gone.stop - episode.start)
    if selection.label_texts:
        labels = in_order(replace(one, text=selection.label_texts.get(one.text or "", one.text)) for one in labels)
    return over(labels, cut(episode.labels, episode.start, episode.stop))


def _kept(selection: Selection, episode: OutputEpisode, rows: pa.Table) -> tuple[Label, ...]:
    """Times in the list of all rows count from the start of the source episode; events are in their rows."""
    fps, length = selection.inputs[0].fps, selection.facts(episode).length
    events = labels_of(rows.select([n for n in rows.column_names if n == LANGUAGE[1]]), fps)
    lasting = labels_of(rows.select([n for n in rows.column_names if n == LANGUAGE[0]]), fps, length)
    keys = selection.keys[episode.source[0]]
    labels = (*cut(lasting, episode.start, episode.stop), *events)
    return in_order(replace(one, camera=keys.get(one.camera or "", one.camera)) for one in labels)


def _slices(episodes: Sequence[OutputEpisode]) -> Iterator[tuple[int, int]]:
    start = 0
    for episode in episodes:
        yield start, start + episode.length
        start += episode.length
