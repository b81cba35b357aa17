"""LeRobot's own reader on what the recorder writes: after every episode, and after a script made for LeRobotDataset."""

import numpy as np
import pytest

from support.pictures import draw_frame_id, read_frame_id
from telecine import Recorder

FRONT = "observation.images.front"


def frame_number(item):
    return read_frame_id((item[FRONT].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8))[:2]


def test_lerobot_reads_the_dataset_after_every_episode(tmp_path, lerobot_dataset):
    with Recorder(tmp_path / "set", fps=30) as recorder:
        rows = 0
        for episode in range(3):
            recorder.start_episode(f"task {episode}")
            for number in range(20 + episode):
                state = np.array([number, episode], np.float32)
                values = {"observation.state": state, "action": state, FRONT: draw_frame_id(number, episode, 0, 96, 64)}
                recorder.add(number * 10**9 // 30, values)
            rows += recorder.end_episode(success=episode == 1).rows
            dataset = lerobot_dataset(tmp_path / "set")
            assert (len(dataset), dataset.num_episodes) == (rows, episode + 1)
            last = dataset[rows - 1]
            assert last["observation.state"].tolist() == [19 + episode, episode]
            assert frame_number(last) == (19 + episode, episode)
            assert last["task"] == f"task {episode}"
            assert bool(last["next.success"]) == (episode == 1)


def script(dataset):
    """A recording loop as LeRobot's users write it."""
    for episode in range(2):
        for number in range(15):
            dataset.add_frame(
                {
                    "observation.state": np.array([number, episode], np.float32),
                    "action": np.array([number + 1], np.float32),
                    FRONT: draw_frame_id(number, episode, 0, 96, 64),
                    "task": "stack",
                }
            )
        if episode == 0:
            dataset.save_episode()
    dataset.clear_episode_buffer()
    dataset.add_frame(
        {
            "observation.state": np.zeros(2, np.float32),
            "action": np.zeros(1, np.float32),
            FRONT: draw_frame_id(0, 7, 0, 96, 64),
            "task": "stack",
        }
    )
    assert dataset.has_pending_frames()
    dataset.save_episode()
    assert dataset.num_episodes == 2
    dataset.finalize()


@pytest.mark.parametrize("writer", ["telecine", "lerobot"])
def test_a_script_for_lerobots_class_changes_its_constructor_only(tmp_path, writer, lerobot_dataset):
    if writer == "telecine":
        dataset = Recorder(tmp_path / "set", fps=30)
    else:
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        numbers = {"dtype": "float32", "names": None}
        video = {"dtype": "video", "shape": (64, 96, 3), "names": ["height", "width", "channels"]}
        features = {"observation.state": {**numbers, "shape": (2,)}, "action": {**numbers, "shape": (1,)}, FRONT: video}
        dataset = LeRobotDataset.create("local/set", 30, features, root=tmp_path / "set")
    script(dataset)
    read = lerobot_dataset(tmp_path / "set")
    assert (len(read), read.num_episodes) == (16, 2)
    for row in (0, 7, 14):
        assert read[row]["observation.state"].tolist() == [row, 0]
        assert read[row]["task"] == "stack"
        if writer == "telecine":
            assert frame_number(read[row]) == (row, 0)
    assert read[15]["frame_index"].item() == 0
