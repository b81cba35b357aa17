"""What the writer writes, opened by LeRobot's own reader: every row, every frame, and the format's judge."""

import importlib
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.dataset import COLUMNS, FPS, PLAIN, TOP, WRIST, clip, episode, everything, two_cameras, write
from support.pictures import read_frame_id
from telecine.dataset.verify.verify import verify
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format import schema
from telecine.lerobot_format.paths import Limits

LENGTHS = (20, 1, 33, 8)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two cameras, all kinds of columns, two tasks, an episode of one row, rows and videos in several files."""
    folder = tmp_path_factory.mktemp("written")
    episodes = everything(folder, LENGTHS)
    limits = Limits(data_bytes=9000, video_bytes=sum(e.clips[0].size_bytes for e in episodes[:2]) + 1000)
    return write(folder / "dataset", episodes, limits=limits), episodes


@pytest.fixture(scope="module")
def in_rows(tmp_path_factory):
    """The same with frames in the rows."""
    folder = tmp_path_factory.mktemp("images")
    episodes = [episode(n, i, clips=two_cameras(folder, n, i, preset="images")) for i, n in enumerate((12, 5))]
    return write(folder / "dataset", episodes), episodes


def shown(tensor):
    """What a frame of LeRobot's, (3, height, width) float in [0, 1], says of itself."""
    return read_frame_id((tensor.numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8))


def expected(value, dtype):
    """A value as LeRobot hands it out."""
    return value if dtype == "string" else np.asarray(value, np.float32 if dtype.startswith("float") else None)


def assert_every_row_and_frame(dataset, episodes):
    assert len(dataset) == sum(e.grid.count for e in episodes)
    position = 0
    for number, one in enumerate(episodes):
        for row, told in enumerate(one.rows.to_pylist()):
            item = dataset[position]
            assert item["index"] == position
            assert (item["episode_index"], item["frame_index"]) == (number, row)
            assert item["task"] == told["task"]
            assert float(item["timestamp"]) == float(np.float32(row / FPS))
            for column in one.columns:
                value = item[column.key]
                value = value if column.dtype == "string" else value.numpy()
                assert np.array_equal(value, expected(told[column.key], column.dtype)), column.key
            for camera, key in enumerate((TOP, WRIST)):
                assert shown(item[key]) == (row, number, camera)
            position += 1


@pytest.mark.parametrize("backend", ["torchcodec", "pyav"])
def test_lerobot_reads_every_row_and_frame(written, lerobot_dataset, backend):
    root, episodes = written
    assert len(list(root.glob("data/*/*.parquet"))) > 1
    assert len(list(root.glob(f"videos/{TOP}/*/*.mp4"))) > 1
    assert_every_row_and_frame(lerobot_dataset(root, backend), episodes)


def test_lerobot_reads_pictures_from_rows(in_rows, lerobot_dataset):
    root, episodes = in_rows
    assert_every_row_and_frame(lerobot_dataset(root), episodes)


def test_lerobot_reads_windows_around_a_row(written, lerobot_dataset):
    root, episodes = written
    dataset = lerobot_dataset(root, delta_timestamps={"action": [-1 / FPS, 0.0, 1 / FPS], TOP: [-1 / FPS, 0.0]})
    item = dataset[21]  # the first row of the third episode
    actions = np.array(episodes[2].rows.column("action").to_pylist(), np.float32)
    assert np.array_equal(item["action"].numpy(), actions[[0, 0, 1]])
    assert item["action_is_pad"].tolist() == [True, False, False]
    assert [shown(picture) for picture in item[TOP]] == [(0, 2, 0), (0, 2, 0)]


def test_the_judge_passes_a_dataset_of_several_files(written, conformance):
    conformance(written[0], "--frame-id", "--decode", "all", "--expect-frames", str(sum(LENGTHS)))


@pytest.mark.parametrize("preset", ["train", "lerobot", "images"])
def test_the_judge_passes_every_way_to_store_pictures(tmp_path, conformance, preset):
    plain = [episode(n, i, clips=two_cameras(tmp_path, n, i, preset=preset)) for i, n in enumerate((25, 12))]
    root = write(tmp_path / "dataset", plain)
    conformance(root, "--frame-id", "--decode", "all")
    assert verify(root, decode="all") == []


@pytest.fixture
def recorded(tmp_path, lerobot_dataset):
    """A dataset that LeRobot's own recorder wrote, of the same features as `plain_episodes`."""
    dataset_type = importlib.import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    root = tmp_path / "recorded"
    features = {c.key: {"dtype": c.dtype, "shape": c.shape, "names": list(c.names)} for c in PLAIN}
    features[TOP] = {"dtype": "video", "shape": (48, 64, 3), "names": ["height", "width", "channels"]}
    dataset = dataset_type.create("local/recorded", FPS, features, root=root, robot_type="arm")
    for one in plain_episodes(tmp_path):
        coded = importlib.import_module("support.pictures")
        for row, told in enumerate(one.rows.to_pylist()):
            frame = {c.key: np.array(told[c.key], np.float32) for c in PLAIN}
            picture = coded.draw_frame_id(row, int(one.ref.id[-1]), 0, 64, 48)
            dataset.add_frame(frame | {TOP: picture, "task": told["task"]})
        dataset.save_episode()
    dataset.finalize()
    return root


def plain_episodes(folder):
    return [episode(n, i, clips=[clip(folder, TOP, n, episode=i, preset="lerobot")]) for i, n in enumerate((15, 9))]


def test_a_dataset_that_lerobot_recorded_has_no_findings(recorded):
    assert verify(recorded, decode="all") == []


def test_schemas_are_those_that_lerobot_writes(recorded, tmp_path):
    ours = write(tmp_path / "ours", plain_episodes(tmp_path))
    for name in ("data", "meta/episodes"):
        path = f"{name}/chunk-000/file-000.parquet"
        mine, theirs = pq.read_schema(ours / path), pq.read_schema(recorded / path)
        facts = schema.FACTS_FIELDS if name == "meta/episodes" else []
        assert mine.names == [*theirs.names, *(name for name, _ in facts)]
        assert mine.types == [*theirs.types, *(kind for _, kind in facts)]
    tables = [pq.read_table(root / "meta/tasks.parquet") for root in (ours, recorded)]
    assert tables[0].to_pylist() == tables[1].to_pylist()


def test_lerobot_merges_ours_with_its_own(recorded, tmp_path, lerobot_dataset):
    ours = write(tmp_path / "ours", plain_episodes(tmp_path))
    merge = importlib.import_module("lerobot.datasets.aggregate").aggregate_datasets
    for number, roots in enumerate(((ours, recorded), (recorded, ours))):
        merged = tmp_path / f"merged-{number}"
        merge([f"local/{root.name}" for root in roots], f"local/{merged.name}", roots=list(roots), aggr_root=merged)
        dataset = lerobot_dataset(merged)
        assert len(dataset) == 48
        for position in range(48):
            item = dataset[position]
            assert shown(item[TOP])[:2] == (int(item["frame_index"]), int(item["episode_index"]) % 2)


def test_all_columns_survive_lerobots_loader_in_one_file(tmp_path, lerobot_dataset):
    one = episode(6, columns=COLUMNS)
    dataset = lerobot_dataset(write(tmp_path / "dataset", [one]))
    assert dataset[5]["note"] == "row 5 of 0 é"
    assert dataset[5]["next.done"].item() is True
    assert tuple(dataset[0]["pose"].shape) == (2, 3)


def test_a_dataset_moved_elsewhere_still_opens(written, tmp_path, lerobot_dataset):
    moved = shutil.copytree(written[0], tmp_path / "moved")
    assert len(lerobot_dataset(moved)) == sum(LENGTHS)


def appended(root, folder, count, index):
    """One episode with one camera more, by `DatasetWriter.append`."""
    folder.mkdir()
    more = episode(count, index, clips=[clip(folder, TOP, count, episode=index, preset="lerobot")])
    with DatasetWriter.append(root, fps=FPS, robot_type="arm") as writer:
        writer.add(more)
        writer.commit()


def test_lerobot_reads_every_row_and_frame_of_an_appended_dataset(written, tmp_path, lerobot_dataset, conformance):
    root = tmp_path / "dataset"
    shutil.copytree(written[0], root)
    more = episode(7, 4, columns=COLUMNS, clips=two_cameras(tmp_path, 7, 4), task="another")
    with DatasetWriter.append(root, fps=FPS, robot_type="arm") as writer:
        writer.add(more)
        writer.commit()
    assert_every_row_and_frame(lerobot_dataset(root), [*written[1], more])
    conformance(root, "--frame-id", "--decode", "all", "--expect-frames", str(sum(LENGTHS) + 7))


def test_episodes_are_appended_to_what_lerobot_recorded(recorded, tmp_path, lerobot_dataset):
    videos = {p: p.read_bytes() for p in recorded.rglob("*.mp4")}
    appended(recorded, tmp_path / "more", 6, 2)
    assert {p: p.read_bytes() for p in videos} == videos
    dataset = lerobot_dataset(recorded)
    assert [shown(dataset[i][TOP]) for i in (0, 14, 15, 24, 29)] == [
        (0, 0, 0),
        (14, 0, 0),
        (0, 1, 0),
        (0, 2, 0),
        (5, 2, 0),
    ]
    assert [dataset[i]["episode_index"].item() for i in (14, 15, 23, 24)] == [0, 1, 1, 2]
    assert [f for f in verify(recorded, decode="all") if f.severity == "error"] == []
