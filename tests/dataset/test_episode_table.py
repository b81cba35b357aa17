"""Episodes that are made when they are asked for are those that all of them at once are."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import episode, write
from support.old_dataset import write_old
from telecine.core.errors import DatasetError
from telecine.dataset.reader import open_dataset
from telecine.lerobot_format import read

COUNT = 700
"""More than are made at once."""


@pytest.fixture(scope="module")
def long_list(tmp_path_factory):
    """A dataset whose metadata names many episodes, in two files, the second without `tags`."""
    root = write(tmp_path_factory.mktemp("long") / "long", [episode(10 + n, n) for n in range(3)])
    path = next((root / "meta" / "episodes").rglob("*.parquet"))
    few = pq.read_table(path)
    many = few.take(pa.array(np.arange(COUNT) % 3))
    many = many.set_column(many.column_names.index("episode_index"), "episode_index", pa.array(np.arange(COUNT)))
    many = many.set_column(many.column_names.index("success"), "success", pa.array([None, True] * (COUNT // 2)))
    pq.write_table(many.slice(0, 300), path)
    pq.write_table(many.slice(300).drop_columns("tags"), path.with_name("file-001.parquet"))
    return root


def table(root):
    info = read.read_info(root)
    return read.read_episode_table(root, info, read.read_features(root, info))


def test_one_episode_is_that_of_all(long_list):
    one, all_of = open_dataset(long_list), open_dataset(long_list).episodes
    assert len(one) == len(all_of) == COUNT
    for number in (0, 255, 256, 299, 300, 511, COUNT - 1):
        assert one.episode(number) == all_of[number]
    assert [e.index for e in all_of] == list(range(COUNT))
    assert [e.start for e in all_of[:4]] == [0, 10, 21, 0]
    assert one.episodes == all_of


def test_columns_of_episodes_are_their_facts(long_list):
    dataset = open_dataset(long_list)
    for name in ("length", "tasks"):
        assert list(map(tuple if name == "tasks" else int, dataset.column_of_episodes(name))) == [
            getattr(one, name) for one in dataset.episodes
        ]
    for name in ("success", "tags"):
        assert dataset.column_of_episodes(name) == [one.facts.get(name) for one in dataset.episodes]


@pytest.mark.parametrize("number", [-1, COUNT])
def test_an_episode_that_is_not_there_is_refused(long_list, number):
    with pytest.raises(DatasetError, match=f"has {COUNT} episodes, no episode {number}"):
        open_dataset(long_list).episode(number)
    with pytest.raises(IndexError):
        table(long_list)[number]


def test_a_slice_is_a_tuple_of_episodes(long_list):
    assert table(long_list)[254:258] == open_dataset(long_list).episodes[254:258]


def test_old_datasets_have_the_same(tmp_path):
    dataset = open_dataset(write_old(tmp_path / "old"))
    assert dataset.column_of_episodes("length") == [one.length for one in dataset.episodes]
    assert dataset.column_of_episodes("tags") == [None] * len(dataset)
    assert dataset.episode(1) == dataset.episodes[1]
