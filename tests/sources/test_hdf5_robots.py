"""Every arm, hand and agent of known HDF5 layouts, and the colours that only pixels tell."""

import json

import numpy as np
import pytest

from support import hdf5 as make
from support.hdf5 import WOOD, patch_colours
from telecine import convert
from telecine.dataset.reader import Dataset
from telecine.sources import registry
from telecine.video.mp4_reader import decode_at

POSE = {"eef_pos": 3, "eef_quat": 4, "gripper_qpos": 2}
STEPS = 6


def robomimic(h5py, path, observations, actions=7):
    """As robomimic's tools write; observations: name -> width."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "X", "type": 1, "env_kwargs": {"control_freq": 20}})
        data["demo_0/actions"] = make.ramp(STEPS, actions)
        for number, (name, width) in enumerate(sorted(observations.items())):
            data[f"demo_0/obs/{name}"] = make.ramp(STEPS, width, number)
    return path


def declared(path):
    with registry.open(registry.find([path]).refs[0]) as recording:
        return dict(recording.features), dict(recording.notes)


def sided(*prefixes):
    return {f"{prefix}{part}": width for prefix in prefixes for part, width in POSE.items()}


@pytest.mark.parametrize(
    ("observations", "state"),
    [
        (sided("robot0_", "robot1_"), [f"robot{i}_{part}" for i in (0, 1) for part in POSE]),
        (sided("robot0_right_", "robot0_left_"), [f"robot0_{s}_{part}" for s in ("right", "left") for part in POSE]),
        (sided("right_", "left_"), [f"{s}_{part}" for s in ("right", "left") for part in POSE]),
        ({"robot0_joint_pos": 7, "robot0_gripper_qpos": 2}, ["robot0_joint_pos", "robot0_gripper_qpos"]),
        (
            {"robot0_joint_pos": 14, "robot0_right_gripper_qpos": 6, "robot0_left_gripper_qpos": 6},
            ["robot0_joint_pos", "robot0_right_gripper_qpos", "robot0_left_gripper_qpos"],
        ),
        (
            {**sided("robot0_"), "robot0_base_to_eef_pos": 3, "robot0_base_to_eef_quat": 4},
            ["robot0_base_to_eef_pos", "robot0_base_to_eef_quat", "robot0_gripper_qpos"],
        ),
    ],
)
def test_every_arm_and_hand_is_in_the_state_and_bases_are_offered(h5py, tmp_path, observations, state):
    more = {"robot0_base_pos": 3, "robot0_base_quat": 4, "object": 10, "robot0_joint_vel": 7}
    path = robomimic(h5py, tmp_path / "x.hdf5", observations | more)
    assert declared(path)[0]["observation.state"] == tuple(f"/obs/{name}" for name in state)
    report = convert(path, tmp_path / "out", task="go")
    assert report.ok
    assert {"/obs/robot0_base_pos", "/obs/robot0_base_quat"} <= {entry.item.stream for entry in report.left_out}
    stored = np.array(Dataset(tmp_path / "out").rows(0, ["observation.state"])["observation.state"].to_pylist())
    with h5py.File(path) as file:
        assert np.array_equal(stored, np.concatenate([file[f"data/demo_0/obs/{name}"] for name in state], axis=1))


def test_names_of_another_family_are_the_state_with_a_word(h5py, tmp_path):
    path = robomimic(h5py, tmp_path / "x.hdf5", {"joint_positions": 7, "gripper": 1, "cube_pos": 3, "joint_vel": 7})
    features, notes = declared(path)
    assert features["observation.state"] == ("/obs/gripper", "/obs/joint_positions")
    assert "gripper, joint_positions" in notes["source-assumed"]


def test_maniskills_agents_stand_side_by_side_in_order_of_name(h5py, tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for agent in (10, 2):
            file[f"traj_0/actions/panda-{agent}"] = make.ramp(STEPS, 8, agent)
            file[f"traj_0/obs/agent/panda-{agent}/qpos"] = make.ramp(STEPS + 1, 9, agent)
            file[f"traj_0/obs/agent/panda-{agent}/qvel"] = make.ramp(STEPS + 1, 9)
        file["traj_0/success"] = np.arange(STEPS) == STEPS - 1
    report = convert(path, tmp_path / "out", task="go")
    assert report.ok
    dataset = Dataset(tmp_path / "out")
    rows = dataset.rows(0, ["action", "observation.state", "next.success"])
    action, state = (np.array(rows[key].to_pylist(), "f4") for key in ("action", "observation.state"))
    assert np.array_equal(action, np.concatenate([make.ramp(STEPS, 8, 2), make.ramp(STEPS, 8, 10)], axis=1))
    ahead = np.concatenate([make.ramp(STEPS + 1, 9, 2), make.ramp(STEPS + 1, 9, 10)], axis=1)
    assert np.array_equal(state, ahead[:STEPS])
    assert rows["next.success"].to_pylist() == [False] * (STEPS - 1) + [True]
    assert report.episodes[0].success is True


def test_droids_failure_is_the_episodes(h5py, tmp_path):
    path = make.droid(h5py, tmp_path / "x" / "trajectory.h5")
    for beside in path.parent.glob("metadata_*.json"):
        said = json.loads(beside.read_text())
        said.pop("success", None)
        beside.write_text(json.dumps(said))
    with h5py.File(path, "a") as file:
        file.attrs.pop("success", None)
        file.attrs["failure"] = True
    with registry.open(registry.find([path]).refs[0]) as recording:
        assert recording.attrs["success"] == "false"


def test_agibots_error_cause_is_the_episodes(h5py, tmp_path):
    path = make.agibot(h5py, tmp_path, steps=10)
    (beside,) = tmp_path.glob("task_info/*.json")
    (entry,) = json.loads(beside.read_text())
    entry["label_info"] = {"action_config": [{"error_cause": "slipped"}, {"skill": "Pick"}, {"error_cause": "slipped"}]}
    beside.write_text(json.dumps([entry]))
    report = convert(path, tmp_path / "out", task="go")
    assert report.ok
    (facts,) = Dataset(tmp_path / "out").provenance
    assert (facts["error_cause"], facts["success"]) == ("slipped", None)


@pytest.mark.parametrize("exchanged", [False, True])
def test_alohas_jpeg_is_exchanged_only_where_its_pixels_say_so(h5py, tmp_path, exchanged):
    scene = make.film(STEPS)
    scene[:, 12:34] = WOOD
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file["action"], file["observations/qpos"] = make.ramp(STEPS, 14), make.ramp(STEPS, 14)
        coded = make.cv2_jpegs(scene) if exchanged else [make.jpeg(frame) for frame in scene]
        longest = max(map(len, coded))
        file["observations/images/top"] = np.stack([np.frombuffer(c.ljust(longest, b"\0"), "u1") for c in coded])
        file["compress_len"], file.attrs["compress"] = np.array([[len(c) for c in coded]], "f4"), True
    report = convert(path, tmp_path / "out", task="go")
    assert report.ok
    shown, frame = Dataset(tmp_path / "out").frame("observation.images.top", 0, 3)
    ((_, rgb),) = decode_at(str(shown), [frame])
    assert patch_colours(rgb) == [0, 1, 2]
    (said,) = [f.message for f in report.episodes[0].findings if "JPEG" in f.message]
    assert ("are exchanged" in said, "are left as they are" in said) == (exchanged, not exchanged)
    assert f"--jpeg-color {'rgb' if exchanged else 'bgr'}" in said


def test_jpeg_that_says_nothing_of_its_writer_is_left_as_it_is(h5py, tmp_path):
    path = make.aloha(h5py, tmp_path / "x.hdf5", how="true")
    with h5py.File(path, "a") as file:
        file["compress_len"] = np.zeros((1, STEPS), "f4")
    with registry.open(registry.find([path]).refs[0]) as recording:
        assert recording.streams["/observations/images/cam_high"].schema.order == "rgb"
        assert any("left as they are" in text for _, text in recording.notes)


@pytest.mark.parametrize(
    ("stated", "step_ns", "said"),
    [
        (25, 40_000_000, ""),
        ("25", 40_000_000, ""),
        (29.97, 33_366_700, ""),
        (None, 50_000_000, "usual control rate"),
        (1e308, 50_000_000, "'1e+308', which is no rate"),
        (float("nan"), 50_000_000, "'nan', which is no rate"),
        (-5, 50_000_000, "'-5', which is no rate"),
        (True, 50_000_000, "'True', which is no rate"),
        ([25], 50_000_000, "'[25]', which is no rate"),
        ("fast", 50_000_000, "'fast', which is no rate"),
    ],
)
def test_a_rate_that_is_none_is_told_and_the_usual_one_assumed(h5py, tmp_path, stated, step_ns, said):
    path = make.robomimic(h5py, tmp_path / "x.hdf5", control_freq=stated)
    with registry.open(registry.find([path]).refs[0]) as recording:
        stamps = recording.streams["/actions"].times("time")
        told = [text for code, text in recording.notes if code == "source-assumed" and "control rate" in text]
    assert np.ptp(np.diff(stamps)) <= 1
    assert abs(int(np.diff(stamps)[0]) - step_ns) < 100
    assert (len(told), said in "".join(told)) == (bool(said), True)
