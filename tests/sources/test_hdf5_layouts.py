"""Every layout against what h5py reads: values, colours, order of frames and episodes, task, rate and outcome."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from support import hdf5 as make
from support.hdf5 import patch_colours
from telecine import convert
from telecine.dataset.reader import Dataset
from telecine.video.mp4_reader import decode_at


@dataclass(frozen=True)
class Expected:
    """What a dataset of one layout has to hold; rows: of the file's arrays, by episode."""

    write: Callable
    groups: tuple[str, ...] = ("",)
    state: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    fps: int = 20
    task: str | None = None
    success: tuple[bool | None, ...] = (None,)
    rows: slice = field(default_factory=lambda: slice(None))
    action_rows: slice | None = None
    rate: int | None = None


DEMOS = ("data/demo_0", "data/demo_1", "data/demo_2", "data/demo_10")
POSE = tuple(f"obs/robot0_{part}" for part in ("eef_pos", "eef_quat", "gripper_qpos"))
ARMS = ("left_arm_joint_states", "left_ee_joint_states", "right_arm_joint_states", "right_ee_joint_states")
LAYOUTS = {
    "isaaclab": Expected(
        lambda h5, at: make.isaaclab(h5, at / "x.hdf5", demos=(2, 10, 0, 1)), DEMOS,
        ("obs/joint_pos", "obs/gripper_pos"), ("actions",), success=(True, False, True, True),
    ),
    "robomimic": Expected(
        lambda h5, at: make.robomimic(h5, at / "x.hdf5", control_freq=25, ep_lang="stack"),
        ("data/demo_1", "data/demo_2"), POSE, ("actions",), fps=25, task="stack", success=(None, None),
    ),
    "robosuite": Expected(
        lambda h5, at: make.robosuite(h5, at / "x.hdf5"), ("data/demo_1",), ("states",), ("actions",)
    ),
    "libero": Expected(
        lambda h5, at: make.libero(h5, at / "x.hdf5"), ("data/demo_0",), ("obs/ee_states", "obs/gripper_states"),
        ("actions",), task="lift the cube",
    ),
    "maniskill": Expected(
        lambda h5, at: make.maniskill(h5, at / "x.h5"), ("traj_0", "traj_1"), ("obs/agent/qpos",), ("actions",),
        success=(False, True), rows=slice(0, 7), action_rows=slice(None),
    ),
    "aloha": Expected(
        lambda h5, at: make.aloha(h5, at / "x.hdf5"), state=("observations/qpos",), action=("action",), fps=50
    ),
    "robomind": Expected(
        lambda h5, at: make.robomind(h5, at / "h5_agilex_3rgb" / "x.hdf5"), fps=30,
        state=("puppet/joint_position_left", "puppet/joint_position_right"),
        action=("master/joint_position_left", "master/joint_position_right"),
    ),
    "robotwin": Expected(
        lambda h5, at: make.robotwin(h5, at / "x.hdf5"), state=tuple(f"state/{arm}" for arm in ARMS),
        action=tuple(f"action/{arm}" for arm in ARMS), fps=15, task="Pick up the cup.",
    ),
    "robotwin-older": Expected(
        lambda h5, at: make.robotwin_older(h5, at / "data" / "x.hdf5"), state=("joint_action/vector",),
        action=("joint_action/vector",), fps=10, rate=10, task="Lift it.", rows=slice(0, 5), action_rows=slice(1, 6),
    ),
    "droid": Expected(
        lambda h5, at: make.droid(h5, at / "x" / "trajectory.h5"), rows=slice(2, 11), fps=15, success=(True,),
        state=("observation/robot_state/joint_positions", "observation/robot_state/gripper_position"),
        action=("action/joint_position", "action/gripper_position"), task="Put the marker in the cup",
    ),
    "agibot": Expected(
        lambda h5, at: make.agibot(h5, at), state=("state/joint/position", "state/head/position"), fps=30,
        action=("action/joint/position", "action/head/position"), task="Picking items", rows=slice(1, 10),
    ),
}  # fmt: skip


def side_by_side(group, names, rows, count):
    """Rows of several arrays as one; those that are as many as the rows wanted are taken whole."""
    arrays = [np.asarray(group[name]) for name in names]
    taken = [a if len(a) == count else a[rows] for a in arrays]
    return np.concatenate([a.reshape(len(a), -1) for a in taken], axis=1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_dataset_is_what_the_file_holds(h5py, tmp_path, name):
    expected = LAYOUTS[name]
    path = expected.write(h5py, tmp_path)
    more = {} if expected.task else {"task": "go"}
    report = convert(path, tmp_path / "out", rate=expected.rate, **more)
    assert report.ok, [str(f) for f in report.all_findings]
    dataset = Dataset(tmp_path / "out")
    cameras = [feature.key for feature in dataset.features if feature.dtype == "video"]
    assert bool(cameras) == (name != "robosuite")
    assert report.fps == dataset.fps == expected.fps
    assert [episode.success for episode in report.episodes] == list(expected.success)
    assert [said["recording_id"].strip("/") for said in dataset.provenance] == list(expected.groups)
    with h5py.File(path) as file:
        for episode, place in enumerate(expected.groups):
            group = file[place or "/"]
            stored = dataset.rows(episode, ["observation.state", "action"])
            state, action = (np.array(stored[key].to_pylist()) for key in ("observation.state", "action"))
            count = len(state)
            assert np.array_equal(
                state.astype("f4"), side_by_side(group, expected.state, expected.rows, -1).astype("f4")
            )
            wanted = side_by_side(group, expected.action, expected.action_rows or expected.rows, count)
            assert np.array_equal(action.astype("f4"), wanted.astype("f4"))
            assert dataset.episodes[episode].tasks[0].startswith(expected.task or "go")
            first = expected.rows.start or 0
            for key in cameras:
                for row in (0, count - 1):
                    shown, frame = dataset.frame(key, episode, row)
                    ((_, rgb),) = decode_at(str(shown), [frame])
                    assert patch_colours(rgb) == [0, 1, 2]
                    assert rgb[2].min(axis=1).argmax() == first + row
