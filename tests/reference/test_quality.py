"""Episodes that LeRobot's own writer recorded have no findings of quality, with video and with stored images."""

import importlib

import numpy as np
import pytest

from telecine.inspection.quality import check_dataset
from telecine.recorder.sim.play import Play
from telecine.recorder.sim.record import TASKS

FPS, SECONDS, SIZE = 20, 4.0, (96, 72)


def recorded(root, episodes, seed, *, use_videos):
    """A dataset of simulated episodes, handed frame by frame to LeRobot's own writer."""
    dataset = None
    dataset_type = importlib.import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    for number in range(episodes):
        play = Play(TASKS["pick"](seed + number, SECONDS), fps=FPS, size=SIZE, render="rays")
        names = list(play.names)
        for step in play.steps(round(FPS * SECONDS)):
            if dataset is None:
                vector = {"dtype": "float32", "shape": (len(names),), "names": names}
                image = {"dtype": "video" if use_videos else "image", "shape": (SIZE[1], SIZE[0], 3)}
                image |= {"names": ["height", "width", "channels"]}
                cameras = {f"observation.images.{name}": image for name in step.frames}
                features = {"observation.state": vector, "action": vector, **cameras}
                dataset = dataset_type.create("local/set", FPS, features, root=root, use_videos=use_videos)
            frame = {f"observation.images.{name}": rgb for name, rgb in step.frames.items()}
            values = {"observation.state": step.state.astype(np.float32), "action": step.action.astype(np.float32)}
            dataset.add_frame({**frame, **values, "task": "pick up the cube"})
        play.close()
        dataset.save_episode()
    dataset.finalize()


@pytest.mark.usefixtures("mujoco")
@pytest.mark.parametrize(
    ("episodes", "seed", "use_videos"),
    [
        pytest.param(4, 3000, False),
        pytest.param(12, 939_000, True, marks=pytest.mark.long),
        pytest.param(8, 939_100, False, marks=pytest.mark.long),
    ],
)
def test_what_lerobot_records_has_no_findings(tmp_path, episodes, seed, use_videos):
    recorded(tmp_path / "set", episodes, seed, use_videos=use_videos)
    assert [str(finding) for finding in check_dataset(tmp_path / "set", remember=False)] == []
