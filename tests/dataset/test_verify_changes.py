"""Rows of an edited dataset are verified, wherever in a file they are, and each is read once."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import episode, write
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.changes import verify_changes
from telecine.lerobot_format.paths import Limits

COUNT = 9


@pytest.fixture
def dataset(tmp_path):
    """Nine episodes of other lengths in files of three."""
    return write(tmp_path / "set", [episode(6 + i, i) for i in range(COUNT)], limits=Limits(row_groups=3))


def changed(root, number, key, value):
    """One value in the first row of an episode."""
    path = Dataset(root).rows_path(number)
    groups = [pq.ParquetFile(path).read_row_group(i) for i in range(pq.ParquetFile(path).num_row_groups)]
    with pq.ParquetWriter(path, groups[0].schema) as writer:
        for group in groups:
            if group.column("episode_index")[0].as_py() == number:
                rows = group.column(key).to_pylist()
                rows[0] = value(rows[0])
                column = pa.array(rows, group.schema.field(key).type)
                group = group.set_column(group.column_names.index(key), group.schema.field(key), column)
            writer.write_table(group)


def test_what_is_as_it_should_be_has_no_finding(dataset):
    assert len(list((dataset / "data").rglob("*.parquet"))) == 3
    for episodes in ([], [4], [0, 2, 3, 8], range(COUNT)):
        assert verify_changes(dataset, list(episodes), []) == []


@pytest.mark.parametrize("number", [0, 4, 8])
@pytest.mark.parametrize("new", [[], range(COUNT)], ids=["carried", "new"])
def test_values_that_differ_from_their_statistics_are_named_with_the_episode(dataset, number, new):
    changed(dataset, number, "action", lambda row: [99.0, *row[1:]])
    said = verify_changes(dataset, new, [])
    assert all(f"episode {number}" in f.where for f in said)
    assert said


def test_a_file_that_cannot_be_read_costs_its_own_episodes_alone(dataset):
    path = Dataset(dataset).rows_path(4)
    whole = path.read_bytes()
    footer = whole[-(int.from_bytes(whole[-8:-4], "little") + 8) :]
    path.write_bytes(whole[:4] + bytes(len(whole) - len(footer) - 4) + footer)
    said = verify_changes(dataset, range(COUNT), [])
    assert {f.code for f in said} == {"verify-structure"}


def test_rows_are_read_once(dataset, monkeypatch):
    read = []
    batches = pq.ParquetFile.iter_batches

    def counted(self, *arguments, **options):
        for batch in batches(self, *arguments, **options):
            read.append(batch.num_rows if "action" in batch.schema.names else 0)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    assert verify_changes(dataset, range(COUNT), []) == []
    assert sum(read) == sum(episode.length for episode in Dataset(dataset).episodes)
