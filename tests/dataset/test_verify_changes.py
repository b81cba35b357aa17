"""What an edit made anew is verified, wherever in a file it is, and each row is read once."""

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
def test_values_that_differ_from_their_statistics_are_named_with_the_episode_if_it_is_new(dataset, number):
    changed(dataset, number, "action", lambda row: [99.0, *row[1:]])
    said = verify_changes(dataset, range(COUNT), [])
    assert all(f"episode {number}" in f.where for f in said)
    assert said
    assert verify_changes(dataset, [n for n in range(COUNT) if n != number], []) == []


def test_a_file_that_cannot_be_read_costs_its_own_episodes_alone(dataset):
    path = Dataset(dataset).rows_path(4)
    whole = path.read_bytes()
    footer = whole[-(int.from_bytes(whole[-8:-4], "little") + 8) :]
    path.write_bytes(whole[:4] + bytes(len(whole) - len(footer) - 4) + footer)
    said = verify_changes(dataset, range(COUNT), [])
    assert {f.code for f in said} == {"verify-structure"}


def test_every_row_group_is_read_once_for_the_values(dataset, monkeypatch):
    read = []
    groups = pq.ParquetFile.read_row_groups

    def counted(self, numbers, **options):
        read.extend(numbers)
        return groups(self, numbers, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", counted)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", None)
    assert verify_changes(dataset, range(COUNT), []) == []
    assert len(read) == COUNT
