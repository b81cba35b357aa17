import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import FPS, TOP, WRIST, everything, write
from support.pictures import read_frame_id
from telecine.core.errors import DatasetError
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.metadata import EpisodeMeta
from telecine.lerobot_format.paths import FileIndex, Limits
from telecine.lerobot_format.row_files import read_rows
from telecine.video.mp4_reader import decode_at


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("read")
    episodes = everything(folder)
    limits = Limits(data_bytes=9000, video_bytes=sum(e.clips[0].size_bytes for e in episodes[:2]) + 1000)
    return write(folder / "out", episodes, limits=limits), episodes


def spoiled(root, tmp_path, change):
    """A copy of the metadata only, with a change."""
    target = tmp_path / "copy"
    for path in (root / "meta").rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    change(target)
    return target


def test_the_facts_of_a_dataset_are_read(written):
    dataset = Dataset(written[0])
    assert (dataset.fps, dataset.robot_type, dataset.frames, len(dataset)) == (FPS, "arm", 54, 3)
    assert dataset.tasks == ("pick up the cube", "put it down")
    assert dataset.cameras == (TOP, WRIST)
    assert dataset.features[0].names == ("shoulder", "elbow", "gripper")
    facts = dataset.episodes[2]
    assert (facts.index, facts.length, facts.tasks, facts.first_row) == (2, 33, ("pick up the cube",), 21)
    assert facts.data == FileIndex(0, 1)
    assert dataset.provenance[1]["source"] == "recording-1.rrd"


def test_rows_come_back_as_they_were(written):
    root, episodes = written
    dataset = Dataset(root)
    for i, one in enumerate(episodes):
        rows = dataset.rows(i)
        for column in one.columns:
            assert rows.column(column.key).to_pylist() == one.rows.column(column.key).to_pylist()
    assert dataset.rows(1, ["frame_index", "action"]).column_names == ["frame_index", "action"]


def test_rows_are_read_again_although_size_and_time_of_their_file_are_put_back(tmp_path):
    path, sizes, seen = tmp_path / "rows.parquet", [], []
    for groups in ((10, 30), (30, 10)):
        with pq.ParquetWriter(path, pa.schema({"episode_index": pa.int64(), "x": pa.int64()}), compression="none",
                              use_dictionary=False) as writer:  # fmt: skip
            for episode, count in enumerate(groups):
                writer.write_table(pa.table({"episode_index": [episode] * count, "x": [episode] * count}))
        os.utime(path, ns=(10**18, 10**18))
        sizes.append(path.stat().st_size)
        first = EpisodeMeta(0, groups[0])
        seen.append(read_rows(path, first, ["x"]).num_rows)
    assert sizes[0] == sizes[1]
    assert seen == [10, 30]


def test_the_frame_of_a_row_is_the_one_it_was_made_with(written):
    root, episodes = written
    dataset = Dataset(root)
    for i, one in enumerate(episodes):
        for camera, key in enumerate((TOP, WRIST)):
            for row in {0, one.grid.count // 2, one.grid.count - 1}:
                path, number = dataset.frame(key, i, row)
                ((_, rgb),) = decode_at(str(path), [number])
                assert read_frame_id(rgb) == (row, i, camera)


def test_a_dataset_without_provenance_is_read(written, tmp_path):
    root = spoiled(written[0], tmp_path, lambda r: (r / "meta/telecine/provenance.parquet").unlink())
    assert Dataset(root).provenance == ()


def test_tasks_are_read_by_their_number(written, tmp_path):
    def reversed_tasks(root):
        table = pq.read_table(root / "meta/tasks.parquet")
        pq.write_table(table.take([1, 0]), root / "meta/tasks.parquet")

    assert Dataset(spoiled(written[0], tmp_path, reversed_tasks)).tasks == ("pick up the cube", "put it down")


def test_rows_are_found_without_parquet_statistics(written, tmp_path):
    def plain(root):
        for i in range(2):
            name = f"data/chunk-000/file-{i:03d}.parquet"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pq.read_table(written[0] / name), root / name, write_statistics=False)

    dataset = Dataset(spoiled(written[0], tmp_path, plain))
    assert np.array_equal(dataset.rows(1).column("index").to_numpy(), [20])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: (r / "meta/info.json").unlink(), "not a LeRobot dataset"),
        (lambda r: (r / "meta/info.json").write_text("{"), "cannot be read"),
        (lambda r: (r / "meta/info.json").write_text("[]"), "holds list, expected an object"),
        (
            lambda r: (r / "meta/info.json").write_text('{"codebase_version": "v2.1"}'),
            "version 'v2.1', .* first telecine convert",
        ),
        (
            lambda r: (r / "meta/info.json").write_text('{"codebase_version": "v3.0"}'),
            "fps: found None, expected",
        ),
        (lambda r: (r / "meta/tasks.parquet").unlink(), "tasks.parquet: missing"),
        (lambda r: (r / "meta/tasks.parquet").write_bytes(b"x"), "tasks.parquet: cannot be read"),
        (
            lambda r: pq.write_table(pa.table({"task_index": [0]}), r / "meta/tasks.parquet"),
            "has no column task",
        ),
        (lambda r: (r / "meta/episodes/chunk-000/file-000.parquet").unlink(), "meta/episodes: holds no Parquet file"),
    ],
)
def test_what_is_missing_or_damaged_is_named(written, tmp_path, change, words):
    root = spoiled(written[0], tmp_path, change)
    with pytest.raises(DatasetError, match=words):
        Dataset(root).tasks + tuple(Dataset(root).episodes)


def test_missing_rows_and_videos_are_named(written, tmp_path):
    dataset = Dataset(spoiled(written[0], tmp_path, lambda r: None))
    with pytest.raises(DatasetError, match=r"file-000.parquet: missing"):
        dataset.rows(0)
    with pytest.raises(DatasetError, match=r"file-000.mp4: missing"):
        dataset.frame(TOP, 0, 0)


def test_what_does_not_exist_is_refused(written):
    dataset = Dataset(written[0])
    with pytest.raises(DatasetError, match="has 3 episodes, no episode 3"):
        dataset.rows(3)
    with pytest.raises(DatasetError, match="has 1 row, no row 1"):
        dataset.frame(TOP, 1, 1)
    with pytest.raises(DatasetError, match=f"not a video; videos are {TOP}, {WRIST}"):
        dataset.frame("action", 0, 0)


def test_rows_that_are_too_few_or_damaged_are_told(written, tmp_path):
    def cut(root):
        name = "data/chunk-000/file-000.parquet"
        (root / name).parent.mkdir(parents=True)
        pq.write_table(pq.read_table(written[0] / name).slice(0, 5), root / name)
        (root / name).with_name("file-001.parquet").write_bytes(b"PAR1")

    dataset = Dataset(spoiled(written[0], tmp_path, cut))
    with pytest.raises(DatasetError, match="holds 5 rows of episode 0, expected 20"):
        dataset.rows(0)
    with pytest.raises(DatasetError, match=r"file-001.parquet: cannot be read"):
        dataset.rows(2)


def test_a_broken_feature_is_told(written, tmp_path):
    def broken(root):
        info = json.loads((root / "meta/info.json").read_text())
        info["features"]["action"] = "float32"
        (root / "meta/info.json").write_text(json.dumps(info))

    with pytest.raises(DatasetError, match="features action: found 'float32', expected an object"):
        Dataset(spoiled(written[0], tmp_path, broken))
