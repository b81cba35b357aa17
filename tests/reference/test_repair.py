"""What LeRobot's own recorder leaves when it dies before `finalize()`: repaired, LeRobot reads every row and frame."""

import importlib
import shutil

import numpy as np
import pytest

from support.dataset import FPS, TOP
from support.pictures import draw_frame_id, read_frame_id
from telecine.dataset.verify.verify import verify
from telecine.recovery.repair import repair

FEATURES = {
    "action": {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]},
    "reward": {"dtype": "float32", "shape": (1,), "names": None},
    "note": {"dtype": "string", "shape": (1,), "names": None},
}
SHAPE = {"shape": (48, 64, 3), "names": ["height", "width", "channels"]}


def frame(episode, row):
    return {
        "action": np.array([episode, row, 0.5], np.float32),
        "reward": np.array([row], np.float32),
        "note": f"row {row}",
        TOP: draw_frame_id(row, episode, 0, 64, 48),
        "task": f"task {episode % 2}",
    }


def abandoned(folder, lengths, dtype="video"):
    """The dataset as it lies on disk while its recorder runs, `finalize()` never called."""
    dataset_type = importlib.import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    features = {**FEATURES, TOP: {"dtype": dtype, **SHAPE}}
    recorder = dataset_type.create("local/running", FPS, features, root=folder / "running", robot_type="arm")
    for episode, length in enumerate(lengths):
        for row in range(length):
            recorder.add_frame(frame(episode, row))
        recorder.save_episode()
    left = shutil.copytree(folder / "running", folder / "left")
    recorder.finalize()
    return left


@pytest.mark.parametrize(("lengths", "dtype"), [((7, 12, 5), "video"), ((3,) * 11, "video"), ((6, 4), "image")])
def test_a_recording_that_was_never_finalized_is_saved_whole(tmp_path, lerobot_dataset, conformance, lengths, dtype):
    left = abandoned(tmp_path, lengths, dtype)
    assert verify(left) != []
    done = repair(left, tmp_path / "out")
    assert (done.ok, done.episodes, done.rows, done.lost) == (True, len(lengths), sum(lengths), ())
    dataset = lerobot_dataset(tmp_path / "out")
    position = 0
    for episode, length in enumerate(lengths):
        for row in range(length):
            item, told = dataset[position], frame(episode, row)
            assert np.array_equal(item["action"].numpy(), told["action"])
            assert (item["note"], item["task"], float(item["reward"])) == (told["note"], told["task"], row)
            shown = (item[TOP].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
            assert read_frame_id(shown)[:2] == (row, episode)
            position += 1
    if len(lengths) == 3:
        conformance(tmp_path / "out", "--frame-id", "--no-tools")


def test_a_repaired_copy_merges_with_a_dataset_of_lerobots(tmp_path, lerobot_dataset):
    left = abandoned(tmp_path, (4, 6))
    repair(left, tmp_path / "out")
    merge = importlib.import_module("lerobot.datasets.aggregate").aggregate_datasets
    roots = [tmp_path / "out", tmp_path / "running"]
    merge(["local/out", "local/running"], "local/merged", roots=roots, aggr_root=tmp_path / "merged")
    dataset = lerobot_dataset(tmp_path / "merged")
    assert len(dataset) == 20
    shown = [(dataset[i][TOP].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8) for i in range(20)]
    assert [read_frame_id(rgb)[0] for rgb in shown] == [*range(4), *range(6)] * 2
