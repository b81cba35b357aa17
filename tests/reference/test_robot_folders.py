"""RLDS and folders of robots, converted, verified and read by LeRobot: values, colours, order, task and rate."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import minari, rlds, robot_folders
from support.hdf5 import patch_colours, ramp
from support.proposed import convert_proposed
from support.robot_folders import BRIDGE_STEPS, CALVIN_STEPS, SENTENCES, STEPS
from telecine.dataset.verify.verify import verify


@dataclass(frozen=True)
class Folder:
    """write: puts it below a folder. rows: of each episode, the actions. marker: camera -> the first row's mark."""

    write: Callable[[Path, Callable[[str], Any]], object]
    fps: int
    tasks: tuple[str, str]
    actions: tuple[np.ndarray, np.ndarray]
    marks: dict[str, tuple[int, int]]
    given: dict[str, Any] = field(default_factory=dict)


def write_calvin(root, need):
    robot_folders.calvin(root / "training")


def write_rlds(root, need):
    need("crc32c")
    rlds.dataset(root, [[rlds.episode(0)], [rlds.episode(1, 4)]])


def write_minari(form):
    def write(root, need):
        place = root / "fetch/reach-v0/data"
        minari.write_hdf5(need("h5py"), place) if form == "hdf5" else minari.write(place, form)

    return write


def write_unitree(root, need):
    robot_folders.unitree(root / "task", 9)
    robot_folders.unitree(root / "task", 10, steps=4)


def write_bridge(root, need):
    group = root / "2022-05-05_10-00-00/raw/traj_group0"
    robot_folders.bridge(group / "traj0")
    robot_folders.bridge(group / "traj1", 3)


def write_gello(root, need):
    robot_folders.gello(root / "0301_100000")
    robot_folders.gello(root / "0301_100100", 5)


def arms(number, steps):
    """The actions of a Unitree episode: two arms and a gripper."""
    return np.hstack([ramp(STEPS, 2, number), ramp(STEPS, 2, number + 1), np.arange(STEPS)[:, None] / 10])[:steps]


CALVIN_ACTIONS = ramp(CALVIN_STEPS, 7, 2)
FOLDERS = {
    "rlds": Folder(
        write_rlds, 5, rlds.TASKS, (ramp(6, 7, 0), ramp(4, 7, 1)), {"observation.images.image_0": (0, 0)}
    ),
    "calvin": Folder(
        write_calvin, 30, tuple(SENTENCES), (CALVIN_ACTIONS[:8], CALVIN_ACTIONS[9:16]),
        {"observation.images.static": (0, 9), "observation.images.gripper": (0, 9)},
    ),
    **{
        f"minari {form}": Folder(
            write_minari(form), 25, ("reach", "reach"), tuple(ramp(n, 4, i + 1) for i, n in enumerate(minari.STEPS)),
            {"observation.images.image": (0, 0)}, {"task_text": "reach", "fps": 25, "rate": 25},
        )
        for form in ("arrow", "parquet", "hdf5")
    },
    "unitree": Folder(
        write_unitree, 30, ("Pick up the red cup.",) * 2, (arms(9, 6), arms(10, 4)),
        {"observation.images.color_0": (0, 0), "observation.images.color_1": (10, 10)},
    ),
    "bridge raw": Folder(
        write_bridge, 5, ("put the pot down",) * 2, tuple(ramp(BRIDGE_STEPS - 1, 7, n) for n in (50, 53)),
        {"observation.images.images0": (0, 0), "observation.images.images1": (9, 9)},
    ),
    "gello": Folder(
        write_gello, 10, ("tidy up",) * 2, tuple(ramp(STEPS, 7, n) for n in (1, 6)),
        {"observation.images.wrist": (0, 0)}, {"task_text": "tidy up"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_lerobot_reads_the_rows_and_frames_of_every_folder(request, tmp_path, lerobot_dataset, name):
    expected = FOLDERS[name]
    expected.write(tmp_path / "in", request.getfixturevalue)
    convert_proposed(tmp_path / "in", tmp_path / "out", **expected.given)
    assert verify(tmp_path / "out") == []
    dataset = lerobot_dataset(tmp_path / "out")
    assert (dataset.fps, dataset.num_episodes) == (expected.fps, 2)
    assert set(expected.marks) <= set(dataset.meta.camera_keys)
    places = itertools.chain.from_iterable(
        ((episode, row) for row in range(len(rows))) for episode, rows in enumerate(expected.actions)
    )
    for position, (episode, row) in enumerate(places):
        item = dataset[position]
        assert (int(item["episode_index"]), item["task"]) == (episode, expected.tasks[episode])
        assert np.allclose(item["action"].numpy(), expected.actions[episode][row])
        for key, marks in expected.marks.items():
            rgb = (item[key].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
            assert patch_colours(rgb) == [0, 1, 2]
            assert rgb[2].min(axis=1).argmax() == (marks[episode] + row) % rgb.shape[1]
    assert len(dataset) == sum(map(len, expected.actions))
