"""LeRobot reads what rerun_export's names wrote: the guide's script, and frames added one by one."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from support import guide
from support.pictures import draw_frame_id, read_frame_id
from telecine.compat.rerun_export import LeRobotDataset
from telecine.dataset.reader import Dataset

SCRIPT = Path(__file__).parents[1] / "compat" / "guide_script.py"
CAMERAS = ("observation.images.front", "observation.images.wrist")


def shown(item, key):
    """(frame, episode) that LeRobot's frame shows."""
    return read_frame_id(np.round(item[key].numpy().transpose(1, 2, 0) * 255).astype(np.uint8))[:2]


@pytest.mark.parametrize("backend", ["torchcodec", "pyav"])
def test_the_dataset_of_the_guide_holds_each_rows_own_samples_and_pictures(
    catalog, tmp_path, monkeypatch, lerobot_dataset, backend
):
    guide.write_folder(tmp_path / "robot_recordings", 2)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(SCRIPT))
    root = tmp_path / "lerobot_dataset_full"
    dataset, origins = lerobot_dataset(root, backend), Dataset(root).provenance
    assert (dataset.num_episodes, dataset.fps) == (2, 15)
    firsts: dict[tuple[int, str], int] = {}
    for row in range(len(dataset)):
        item = dataset[row]
        episode, at = int(item["episode_index"]), int(item["frame_index"])
        tick = origins[episode]["start_ns"] + at * 1e9 / 15
        for key, hz in (("action", 50), ("observation.state", 200)):
            age = guide.value_at(tick, np.arange(4)) - item[key].numpy()
            assert age.min() > -1e-4
            assert age.max() < 1.25 / hz
        assert item["task"] == f"pick the cube {episode}"
        for key in CAMERAS:
            frame, owner = shown(item, key)
            first = firsts.setdefault((episode, key), frame)
            assert (frame, owner) == (first + at, episode)
            # The frame was taken at frame / 15 (with 10 % jitter), and is never from after the tick.
            assert -0.2 / 15 < (tick - guide.START_NS - 2e9) / 1e9 - frame / 15 < 1.2 / 15


@pytest.mark.parametrize("backend", ["torchcodec", "pyav"])
def test_frames_added_one_by_one_come_back_in_their_places(tmp_path, lerobot_dataset, backend):
    key = "observation.images.cam"
    features = {
        "action": {"dtype": "float32", "shape": (1,), "names": None},
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
        key: {"dtype": "video", "shape": (96, 128, 3), "names": ["height", "width", "channels"]},
        "note": {"dtype": "string", "shape": (1,), "names": None},
        "next.done": {"dtype": "bool", "shape": (1,), "names": None},
    }
    written = LeRobotDataset.create("a/b", 30, features, tmp_path / "out")
    for episode, length in enumerate((12, 1, 25)):
        for i in range(length):
            written.add_frame(
                {
                    "action": np.array([i], np.float32),
                    "observation.state": np.array([i, episode], np.float32),
                    key: draw_frame_id(i, episode, 0, 128, 96),
                    "note": f"{episode}/{i}",
                    "next.done": np.array([i == length - 1]),
                    "task": "even" if i % 2 == 0 else "odd",
                }
            )
        written.save_episode()
    written.finalize()
    dataset = lerobot_dataset(tmp_path / "out", backend)
    assert len(dataset) == 38
    for row in range(38):
        item = dataset[row]
        episode, at = int(item["episode_index"]), int(item["frame_index"])
        assert item["observation.state"].tolist() == [at, episode]
        assert (item["note"], item["task"]) == (f"{episode}/{at}", "odd" if at % 2 else "even")
        assert shown(item, key) == (at, episode)
        looked = written[row]
        assert np.array_equal(looked["action"], item["action"].numpy())
        assert np.abs(looked[key] - item[key].numpy()).max() < 3 / 255


def test_both_pass_the_conformance_check(catalog, tmp_path, monkeypatch, conformance):
    guide.write_folder(tmp_path / "robot_recordings", 2)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(SCRIPT))
    conformance(tmp_path / "lerobot_dataset_full")
    conformance(tmp_path / "lerobot_dataset")
