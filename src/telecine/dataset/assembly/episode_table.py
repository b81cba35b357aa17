"""meta/episodes of a new dataset: the inputs' rows with new places, lengths and tasks, their statistics kept.

Statistics are computed anew for episodes that were cut; those of whole ones are taken as they are, but for the index
columns, whose values move. Works on columns, so that ten thousand episodes cost little.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.data import arrow
from telecine.core.errors import DatasetError, raised_as
from telecine.core.stats import QUANTILES, STATISTICS, Floats, Moments, Stats
from telecine.dataset.assembly.rows import WrittenRows
from telecine.dataset.assembly.selection import Selection, facts_of
from telecine.dataset.assembly.videos import WrittenVideos
from telecine.dataset.rolling_files import TableFile
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.lerobot_format.paths import FileIndex, Limits, episodes_are_full, episodes_path
from telecine.lerobot_format.read import read_episodes_table

ROW_GROUP = 1000
_PLACES = ("data/", "videos/", "meta/episodes/", "dataset_", "episode_index", "length", "tasks")


def episode_table(
    selection: Selection,
    rows: WrittenRows,
    videos: Mapping[str, WrittenVideos],
    stats: Mapping[int, Mapping[str, Stats]],
) -> pa.Table:
    """One row per new episode, without `meta/episodes/*`.

    stats: new episode -> statistics by key, where they are not those of the source episode.
    """
    lengths = np.array([e.length for e in selection.episodes], np.int64)
    stops = np.cumsum(lengths)
    count = len(lengths)
    columns: dict[str, pa.Array] = {
        "episode_index": arrow.numbers(np.arange(count)),
        "tasks": arrow.array([list(texts) for texts in rows.tasks], pa.list_(pa.string())),
        "length": arrow.numbers(lengths),
        "data/chunk_index": arrow.numbers(np.array([f.chunk for f in rows.file_indexes], np.int64)),
        "data/file_index": arrow.numbers(np.array([f.file for f in rows.file_indexes], np.int64)),
        "dataset_from_index": arrow.numbers(stops - lengths),
        "dataset_to_index": arrow.numbers(stops),
    }
    for key, made in videos.items():
        for name, values in (
            ("chunk_index", np.array([f.chunk for f, _, _ in made.spans], np.int64)),
            ("file_index", np.array([f.file for f, _, _ in made.spans], np.int64)),
            ("from_timestamp", np.array([start for _, start, _ in made.spans], np.float64)),
            ("to_timestamp", np.array([stop for _, _, stop in made.spans], np.float64)),
        ):
            columns[f"videos/{key}/{name}"] = arrow.numbers(values)
    there = _sources(selection)
    columns |= _kept(selection, there, stats, count)
    columns |= _moved(columns, rows, stops - lengths, lengths)
    columns |= _stated(columns, selection)
    return pa.table(columns)


def _sources(selection: Selection) -> pa.Table:
    """All rows of meta/episodes of the inputs, one after the other, under the new keys; places left out."""
    tables = [_source(selection, number) for number in range(len(selection.inputs))]
    shared = set(tables[0].column_names).intersection(*(table.column_names for table in tables[1:]))
    names = [name for name in tables[0].column_names if name in shared]
    schema = pa.schema([tables[0].schema.field(name) for name in names])
    with raised_as(DatasetError, "meta/episodes of the inputs do not fit together", pa.ArrowException):
        return pa.concat_tables([table.select(names).cast(schema) for table in tables]).combine_chunks()


def _source(selection: Selection, number: int) -> pa.Table:
    dataset, keys = selection.inputs[number], selection.keys[number]
    table = read_episodes_table(dataset.root)
    columns, names = [], []
    known = {column.key for column in dataset.features}
    for name in table.column_names:
        if name.startswith(_PLACES):
            continue
        if name.startswith("stats/"):
            old, _, statistic = name.removeprefix("stats/").rpartition("/")
            if old in known and old not in keys and old not in INDEX_KEYS:
                continue
            name_there, name = name, f"stats/{keys.get(old, old)}/{statistic}"
        else:
            name_there = name
        columns.append(table.column(name_there))
        names.append(name)
    return pa.table(columns, names=names)


def _kept(
    selection: Selection, there: pa.Table, stats: Mapping[int, Mapping[str, Stats]], count: int
) -> dict[str, pa.Array]:
    """Every other column, taken from the source episodes; statistics of `stats` in place of theirs."""
    offsets = np.append(0, np.cumsum([len(dataset.episodes) for dataset in selection.inputs]))
    picked = np.array([offsets[e.source[0]] + e.source[1] for e in selection.episodes], np.int64)
    changed = sorted(stats)
    columns = {}
    for field in there.schema:
        column = there.column(field.name).combine_chunks()
        key, _, statistic = field.name.removeprefix("stats/").rpartition("/")
        own = [n for n in changed if key in stats[n]] if field.name.startswith("stats/") else []
        where = picked.copy()
        if own and statistic in STATISTICS:
            values = [stats[n][key].lists()[statistic] for n in own]
            column = pa.concat_arrays([column, pa.array(values, field.type)])
            where[own] = there.num_rows + np.arange(len(own))
        columns[field.name] = column.take(arrow.numbers(where))
    everywhere = set.intersection(*map(set, stats.values())) if len(stats) == count else set[str]()
    new = sorted(everywhere - _stat_keys(columns))
    for key in new:  # a column that no input had
        for statistic in STATISTICS:
            kind = pa.list_(pa.int64() if statistic == "count" else pa.float64())
            values = [stats[n][key].lists()[statistic] for n in range(count)]
            columns[f"stats/{key}/{statistic}"] = pa.array(values, kind)
    return columns


def _stated(columns: Mapping[str, pa.Array], selection: Selection) -> dict[str, pa.Array]:
    """The facts that an edit states, over those that were there; none where the inputs have no columns for them."""
    said = [facts_of(episode) for episode in selection.episodes]
    made = {}
    for name in ("success", "outcome", "tags"):
        if name in columns and any(name in facts for facts in said):
            values = columns[name].to_pylist()
            values = [facts.get(name, value) for facts, value in zip(said, values, strict=True)]
            made[name] = arrow.array([[] if v is None and name == "tags" else v for v in values], columns[name].type)
    return made


def _stat_keys(columns: Mapping[str, Any]) -> set[str]:
    return {n.removeprefix("stats/").rpartition("/")[0] for n in columns if n.startswith("stats/")}


def _moved(columns: Mapping[str, pa.Array], rows: WrittenRows, firsts: Any, lengths: Any) -> dict[str, pa.Array]:
    """Statistics of the index columns, whose values are others than they were; those that the inputs have."""
    made: dict[str, pa.Array] = {}
    numbers = np.arange(len(firsts))
    lists = {id(stats): stats.lists() for stats in {id(s): s for s in rows.task_stats}.values()}  # most are shared
    tasks = [lists[id(stats)] for stats in rows.task_stats]
    for statistic in STATISTICS:
        frame = columns.get(f"stats/frame_index/{statistic}")
        if f"stats/index/{statistic}" in columns and frame is not None and statistic != "count":
            made[f"stats/index/{statistic}"] = _ones(_flat(frame) + (0 if statistic == "std" else firsts))
        if f"stats/episode_index/{statistic}" in columns and statistic != "count":
            values = np.zeros(len(firsts)) if statistic == "std" else numbers
            made[f"stats/episode_index/{statistic}"] = _ones(values.astype(np.float64))
        if f"stats/task_index/{statistic}" in columns:
            found = np.array([task[statistic][0] for task in tasks])
            made[f"stats/task_index/{statistic}"] = _ones(
                found.astype(np.int64 if statistic == "count" else np.float64)
            )
    for key in ("index", "episode_index"):
        if f"stats/{key}/count" in columns:
            made[f"stats/{key}/count"] = _ones(lengths)
    for name, column in made.items():
        made[name] = column.cast(columns[name].type)
    return made


def _flat(column: pa.Array) -> Floats:
    """The numbers of a column of lists of one."""
    return np.asarray(arrow.to_numpy(arrow.elements(column)), np.float64)


def _ones(values: Any) -> pa.Array:
    """Numbers as lists of one."""
    return pa.ListArray.from_arrays(arrow.numbers(np.arange(len(values) + 1, dtype=np.int32)), arrow.numbers(values))


def write_episodes(table: pa.Table, folder: Path, limits: Limits) -> None:
    """The table as meta/episodes/* below `folder`. Raises: OSError when the disk refuses."""
    index = FileIndex()
    file: TableFile | None = None
    try:
        for start in range(0, max(table.num_rows, 1), ROW_GROUP):
            if file is not None and episodes_are_full(file.size_bytes, limits):
                file.close()
                file, index = None, index.next(limits)
            part = table.slice(start, ROW_GROUP)
            own = {"chunk_index": index.chunk, "file_index": index.file}
            for name, value in own.items():
                part = part.append_column(f"meta/episodes/{name}", arrow.numbers(np.full(part.num_rows, value)))
            file = file or TableFile(folder / episodes_path(index), part.schema)
            file.write(part)
    finally:
        if file is not None:
            file.close()


def pooled(table: pa.Table, key: str) -> Stats | None:
    """Statistics over all episodes of those that meta/episodes has of each; None where it does not.

    Moments are exact; quantiles bound those of all episodes, see `Stats.pooled`.
    """
    if any(f"stats/{key}/{name}" not in table.column_names for name in STATISTICS):
        return None
    columns = {name: table.column(f"stats/{key}/{name}").combine_chunks() for name in STATISTICS}
    if any(column.null_count for column in columns.values()):
        return None
    with raised_as(DatasetError, f"meta/episodes: its statistics of {key} have several shapes", ValueError):
        return _pooled({name: arrow.stacked(column).astype(np.float64) for name, column in columns.items()})


def _pooled(found: Mapping[str, Floats]) -> Stats:
    shape = found["mean"].shape[1:]
    counts = found["count"].reshape(-1, *([1] * len(shape)))
    total = counts.sum()
    mean = (counts * found["mean"]).sum(axis=0) / total
    variance = (counts * (found["std"] ** 2 + (found["mean"] - mean) ** 2)).sum(axis=0) / total
    low, high = found["min"].min(axis=0), found["max"].max(axis=0)
    moments = Moments(low, high, np.clip(mean, low, high), np.sqrt(variance), int(total))
    outer = [found[name].min(axis=0) if share <= 0.5 else found[name].max(axis=0) for name, share in QUANTILES.items()]
    return Stats(moments, np.stack(outer))


def keys_with_stats(table: pa.Table) -> Iterator[str]:
    """Keys that meta/episodes has statistics of, in order."""
    seen: dict[str, None] = {}
    for name in table.column_names:
        if name.startswith("stats/"):
            seen.setdefault(name.removeprefix("stats/").rpartition("/")[0])
    yield from seen
