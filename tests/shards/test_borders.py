"""What joining could get wrong is found before anybody sees the dataset."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import telecine as tc
from support.dataset import episode, two_cameras, write
from telecine.conversion.shards import finalize
from telecine.conversion.shards.borders import check_borders
from telecine.core.errors import DatasetError


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """A dataset of two merged ones, so with rows and frames in two files."""
    folder = tmp_path_factory.mktemp("borders")
    for name, lengths in (("a", (5, 3)), ("b", (4,))):
        clips = [two_cameras(folder, length, n) for n, length in enumerate(lengths)]
        write(folder / name, [episode(length, n, clips=clips[n]) for n, length in enumerate(lengths)])
    tc.merge([folder / "a", folder / "b"], folder / "out")
    return folder / "out"


@pytest.fixture
def dataset(joined, tmp_path):
    shutil.copytree(joined, tmp_path / "out")
    return tmp_path / "out"


def change(root, name, values):
    (path,) = (root / "meta" / "episodes").rglob("*.parquet")
    table = pq.read_table(path)
    position = table.schema.get_field_index(name)
    pq.write_table(table.set_column(position, table.schema.field(name), pa.array(values, pa.int64())), path)


def test_a_whole_dataset_has_no_problem(dataset):
    check_borders(dataset, (0, 0), (3, 12))


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("episode_index", [0, 1, 3], "episode 2 does not go on"),
        ("dataset_from_index", [0, 5, 9], "episode 2 does not go on"),
        ("dataset_from_index", [1, 5, 8], "episode 0 does not go on"),
        ("length", [5, 4, 4], "episode 1 does not go on"),
        ("data/file_index", [7, 7, 7], "is missing"),
        ("data/file_index", [0, 0, 7], "holds rows"),
        ("videos/observation.images.top/chunk_index", [0, 9, 9], "is missing"),
    ],
)
def test_numbers_that_do_not_go_on_are_named(dataset, name, values, text):
    change(dataset, name, values)
    with pytest.raises(DatasetError, match=text):
        check_borders(dataset, (0, 0), (3, 12))


def test_counts_and_rows_that_differ_are_named(dataset):
    with pytest.raises(DatasetError, match="3 episodes instead of 4"):
        check_borders(dataset, (0, 0), (4, 12))
    with pytest.raises(DatasetError, match="12 rows instead of 13"):
        check_borders(dataset, (0, 0), (3, 13))
    path = max((dataset / "data").rglob("*.parquet"))
    table = pq.read_table(path)
    pq.write_table(table.slice(0, table.num_rows - 1), path)
    with pytest.raises(DatasetError, match="holds rows"):
        check_borders(dataset, (0, 0), (3, 12))


def test_nothing_is_published_when_parts_do_not_fit(tmp_path, monkeypatch):
    from support.shards import write_runs

    write_runs(tmp_path / "in", 8)
    plan = tc.inspect(tmp_path / "in" / "run-05").plan
    tc.convert(tmp_path / "in", tmp_path / "out", plan, shard=(1, 1), workers=0)

    def broken(*given, **more):
        counts = finalize_join(*given, **more)
        change(given[3], "dataset_from_index", [1] * counts.episodes)
        return counts

    finalize_join = finalize.join
    with monkeypatch.context() as patch:
        patch.setattr(finalize, "join", broken)
        with pytest.raises(DatasetError, match="the parts do not fit together"):
            tc.finalize(tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()
    assert tc.finalize(tmp_path / "out", workers=0).published
