"""Rows that can still be read: which they are, and what it costs to find them."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telecine.recovery import rates, rows
from telecine.recovery.repair_log import RepairLog
from telecine.recovery.rows import RowFile, RowReader, find_runs


def row_file(path, frames, **how):
    frames = np.asarray(frames)
    table = pa.table(
        {
            "episode_index": np.zeros(frames.size, np.int64),
            "frame_index": frames,
            "task_index": frames % 3,
            "timestamp": (frames / 30).astype(np.float32),
        }
    )
    pq.write_table(table, path, **how)
    return RowFile(path.name, path, table.schema)


def test_no_column_of_indices_is_in_memory_twice(tmp_path):
    count = 200_000
    file = row_file(tmp_path / "rows.parquet", np.arange(count), row_group_size=count // 40)
    tracemalloc.start()
    try:
        (run,) = find_runs([file], RepairLog())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (run.count, len(run.parts)) == (count, 40)
    assert most < 5 * 8 * count, "three columns, one of them twice while it is joined, and a little"


def test_rows_in_another_order_are_sorted_and_rows_behind_a_repeated_one_are_lost(tmp_path):
    shuffled = row_file(tmp_path / "shuffled.parquet", [0, 2, 1, 3], row_group_size=2)
    (run,) = find_runs([shuffled], RepairLog())
    assert (run.count, run.order.tolist(), run.tasks.tolist()) == (4, [0, 2, 1, 3], [0, 1, 2, 0])
    repeated = row_file(tmp_path / "repeated.parquet", [0, 1, 0, 1, 2], row_group_size=2)
    (run,) = find_runs([repeated], RepairLog())
    assert (run.count, run.order) == (2, None)


def test_an_episode_of_far_too_many_rows_is_lost_and_never_held(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MOST_ROWS", 20)
    log = RepairLog()
    small_groups = row_file(tmp_path / "many.parquet", np.arange(50), row_group_size=10)
    one_group = row_file(tmp_path / "one.parquet", np.arange(50))
    right = row_file(tmp_path / "right.parquet", np.arange(20), row_group_size=10)
    assert [run.count for run in find_runs([small_groups, one_group, right], log)] == [20]
    assert [(f.where, f.message[:18]) for f in log.all()] == [
        ("many.parquet episode 0", "50 rows; more than"), ("one.parquet row group 0", "50 rows; more than"),
    ]  # fmt: skip


def test_the_rate_of_a_row_group_is_found_without_holding_it(tmp_path, monkeypatch):
    monkeypatch.setattr(rates, "_BATCH_ROWS", 500)
    (tmp_path / "data").mkdir()
    row_file(tmp_path / "data" / "rows.parquet", np.arange(20_000))
    metadata = SimpleNamespace(root=tmp_path, fps=15, videos=())
    assert rates.rate_conflict(metadata)[0] == 30
    assert {steps.size for steps in rates._steps(metadata)} == {499}


def test_a_number_that_never_changes_is_held_once(tmp_path):
    frames = np.arange(100)
    table = pa.table({"episode_index": np.zeros(100, np.int64), "frame_index": frames, "task_index": frames * 0 + 2})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=30)
    (run,) = find_runs([RowFile("rows.parquet", tmp_path / "rows.parquet", table.schema)], RepairLog())
    assert run.tasks.tolist() == [2] * 100
    assert run.tasks.strides == (0,)


def spoiled(path, episodes, frames, seconds=None):
    columns = {"episode_index": episodes, "frame_index": frames, "task_index": [0] * len(frames)}
    seconds = [0.0 if f is None else f / 30 for f in frames] if seconds is None else seconds
    table = pa.table({**columns, "timestamp": pa.array(seconds, pa.float32())})
    pq.write_table(table, path)
    log = RepairLog()
    runs = find_runs([RowFile(path.name, path, table.schema)], log)
    return [(run.episode, run.count) for run in runs], [f.message for f in log.all()]


@pytest.mark.parametrize(
    ("episodes", "frames", "found"),
    [
        ([0, 0, 0, 1, 1], [0, None, 2, 0, 1], [(0, 3), (1, 2)]),
        ([0, 0, 0, 1, 1], [0, 1, None, 0, 1], [(0, 3), (1, 2)]),
        ([0, 0, 0, 1, 1], [0, 1, 2, None, 1], [(0, 3), (1, 2)]),
        ([0, None, 0, 1, 1], [0, 1, 2, 0, 1], [(0, 3), (1, 2)]),
        ([0, 0, 0, None, 1], [0, 1, 2, 0, 1], [(0, 3), (1, 2)]),
        ([0, None, None, 1, 1], [0, None, None, 0, 1], [(0, 3), (1, 2)]),
        ([None, 0, 0, 1, 1], [None, 1, 2, 0, 1], [(0, 3), (1, 2)]),
        ([0, 0, None, None, 1], [0, 1, None, None, 2], [(0, 2), (1, 3)]),  # episode 1 lacks just two
        ([0, 0, 0, 0, 1], [0, None, 3, 4, 0], [(0, 1), (1, 1)]),  # it may be row 1 or 2
        ([0, 0, 0, 0, 1], [0, None, None, 4, 0], [(0, 1), (1, 1)]),
        ([0, 0, 1, 1], [None, 1, None, None], [(0, 2)]),
        ([0, 0, 0, 0, 1], [0, 2, None, 3, 0], [(0, 1), (1, 1)]),  # nobody knows in which order
    ],
)
def test_rows_with_null_indices_are_those_between_their_neighbours(tmp_path, episodes, frames, found):
    runs, told = spoiled(tmp_path / "rows.parquet", episodes, frames)
    assert runs == found
    assert any("filled by the rows around them" in text for text in told)


def test_null_timestamps_are_between_those_around_them(tmp_path):
    runs, told = spoiled(tmp_path / "rows.parquet", [0] * 4, [0, 1, 2, 3], [0.0, None, 2 / 30, 0.1])
    assert (runs, told) == ([(0, 4)], ["1 row has null timestamp, filled by the rows around them"])


def test_nothing_tells_rows_of_which_every_index_is_null(tmp_path):
    assert spoiled(tmp_path / "rows.parquet", [None] * 3, [None] * 3)[0] == []


def several_places(path, episodes, frames):
    rows = [100 * episode + frame for episode, frame in zip(episodes, frames, strict=True)]
    table = pa.table({"episode_index": episodes, "frame_index": frames, "row": rows})
    pq.write_table(table, path, row_group_size=3)
    return RowFile(path.name, path, table.schema)


def whole_rows(files):
    log, reader = RepairLog(), RowReader(files)
    runs = find_runs(files, log)
    values = {run.episode: reader.table(run, ["row"]).column("row").to_pylist() for run in runs}
    return values, [f.message.split(";")[0] for f in log.all()]


def test_rows_of_an_episode_in_several_places_and_files_are_one_episode(tmp_path):
    split = several_places(tmp_path / "a.parquet", [0, 0, 1, 1, 0, 2, 1, 2], [3, 0, 1, 0, 1, 1, 3, 0])
    rest = several_places(tmp_path / "b.parquet", [1, 0], [2, 2])
    values, told = whole_rows([split, rest])
    assert values == {0: [0, 1, 2, 3], 1: [100, 101, 102, 103], 2: [200, 201]}
    assert told.count("its rows lay in several places") == 3


def test_only_the_first_rows_stay_of_an_episode_that_has_a_row_twice(tmp_path):
    twice = several_places(tmp_path / "a.parquet", [0, 0, 1, 0, 0, 0, 1, 0], [0, 1, 0, 1, 2, 3, 1, 4])
    values, told = whole_rows([twice])
    assert values == {0: [0, 1], 1: [100, 101]}
    assert "4 rows repeat an episode that is there already" in told


def test_shuffled_rows_are_found_and_read_with_one_reading_of_each_group(tmp_path, monkeypatch):
    count, episodes = 20_000, 20
    places = np.random.default_rng(1).permutation(count)
    file = several_places(tmp_path / "a.parquet", (places % episodes).tolist(), (places // episodes).tolist())
    table = pq.read_table(file.path)
    pq.write_table(table, file.path, row_group_size=5_000)
    read, real = [], pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *args, **how: read.append(1) or real(*args, **how))
    values, _ = whole_rows([file])
    assert [len(values[episode]) for episode in range(episodes)] == [count // episodes] * episodes
    assert all(rows == sorted(rows) for rows in values.values())
    assert len(read) == 2 * 4, "once for the indices, once for the values"
