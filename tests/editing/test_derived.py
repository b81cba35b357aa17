"""Derived columns in datasets: by edits and by conversion, with names, statistics, and the way back."""

import json

import numpy as np
import pytest

from support.cli import telecine
from support.dataset import COLUMNS, PLAIN, episode, write
from telecine.commands.edit import edit
from telecine.commands.tools import tools_of
from telecine.core.derive.kinematics import forward_kinematics
from telecine.core.derive.rotations import to_matrix
from telecine.core.errors import DatasetError, EditError, PlanError
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.recorder.sim.scene import FORE_M, JOINTS, ONE_ARM, SHOULDER_M, TOOL_M, UPPER_M, free, mjcf

DERIVED = "meta/telecine/derived.json"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write(tmp_path_factory.mktemp("derived") / "picks", [episode(n, i) for i, n in enumerate((12, 7))])


def column(root, number, key):
    return np.array(Dataset(root).rows(number, [key]).column(key).to_pylist())


def test_an_edit_replaces_the_action_and_the_inverse_gives_it_back(source, tmp_path):
    add = ["action=relative(action, observation.state[0:3] * 0.5)", "speed=norm(velocity(observation.state))"]
    assert edit(source, tmp_path / "out", add=add, drop="action", trim="0:2..10").ok
    assert verify(tmp_path / "out") == []
    action, state = column(source, 0, "action")[2:10], column(source, 0, "observation.state")[2:10]
    made = column(tmp_path / "out", 0, "action")
    np.testing.assert_allclose(made, action - state * 0.5, atol=1e-6)
    speed = np.linalg.norm(np.gradient(state, axis=0) * 30, axis=1)
    np.testing.assert_allclose(column(tmp_path / "out", 0, "speed"), speed, rtol=1e-4)
    info, stats = Dataset(tmp_path / "out").info, json.loads((tmp_path / "out/meta/stats.json").read_text())
    assert info["features"]["action"]["names"] == list(PLAIN[0].names)
    assert info["features"]["speed"] == {"dtype": "float32", "shape": [1], "names": ["norm"]}
    both = np.concatenate([column(tmp_path / "out", n, "action") for n in (0, 1)])
    np.testing.assert_allclose(stats["action"]["mean"], both.mean(axis=0), atol=1e-6)
    noted = json.loads((tmp_path / "out" / DERIVED).read_text())
    way = noted["action"]["inverse"]
    assert way == {"column": "action", "value": "absolute(action, observation.state[0:3] * 0.5)"}
    edit(tmp_path / "out", tmp_path / "back", add=f"absolute={way['value']}", drop="speed")
    np.testing.assert_allclose(column(tmp_path / "back", 0, "absolute"), action, atol=1e-6)
    assert set(json.loads((tmp_path / "back" / DERIVED).read_text())) == {"action", "absolute"}


def test_columns_of_text_and_of_several_dimensions_are_no_operands(tmp_path):
    root = write(tmp_path / "picks", [episode(9, 0, columns=COLUMNS)])
    assert edit(root, tmp_path / "out", add="twice=action * 2").ok
    np.testing.assert_allclose(column(tmp_path / "out", 0, "twice"), column(root, 0, "action") * 2)
    for key in ("note", "pose"):
        with pytest.raises(EditError, match=f"there is no {key}"):
            edit(root, tmp_path / "no", add=f"new={key} * 2")


def test_an_edit_names_what_cannot_be_computed(source, tmp_path):
    for add, said in (
        ("action=delta(action)", "features.add: action is there already; drop that one too"),
        ("new=delta(note)", "features.add: derived column new: 'delta(note)': there is no note"),
        ("new=log(action - 9)", "features.add: derived column new: NaN or infinity in 12 rows"),
        ("new=mine(action)", "no function 'mine'"),
        ("timestamp=action", "timestamp is there already"),
        ("new", "--add: 'new' is not of the form NAME=VALUE"),
    ):
        with pytest.raises(EditError) as caught:
            edit(source, tmp_path / "no", add=add)
        assert said in str(caught.value)
    late = "new=1 / (observation.state[0] - observation.state[0])"
    with pytest.raises(EditError, match="NaN or infinity"):
        edit(source, tmp_path / "no", add=late)
    first = column(source, 1, "observation.state")[3, 0]
    said = r"episodes 0, 1: derived column new: NaN or infinity in 1 row, first in row 3 of an episode"
    with pytest.raises(DatasetError, match=said):
        edit(source, tmp_path / "no", add=f"new=1 / (observation.state[0] - {float(first)!r})")
    assert not (tmp_path / "no").exists()


def test_functions_come_from_a_file_that_the_command_line_names(source, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\ndef above(x, level):\n    return np.max(x, axis=1) > level\n"
    )
    flags = ("--functions", tmp_path / "mine.py", "--add", "up=above(action, 0.5)")
    assert telecine("edit", source, tmp_path / "out", *flags)[0] == 0
    assert column(tmp_path / "out", 0, "up").tolist() == (column(source, 0, "action").max(axis=1) > 0.5).tolist()
    noted = json.loads((tmp_path / "out" / DERIVED).read_text())["up"]
    assert noted["with"]["functions"].startswith("mine.py sha256:")
    for text, said in (("x = 1", "defines no function"), ("1 / 0", "ZeroDivisionError"), ("def", "SyntaxError")):
        (tmp_path / "bad.py").write_text(text)
        with pytest.raises(PlanError, match=f"--functions .*bad.py: {said}"):
            tools_of(tmp_path / "bad.py", None)
    with pytest.raises(PlanError, match="there is no such file"):
        tools_of(tmp_path / "bad.txt", None)
    (tmp_path / "bad.txt").write_text("x = 1")
    with pytest.raises(PlanError, match="not a Python file"):
        tools_of(tmp_path / "bad.txt", None)


def test_a_conversion_computes_columns_and_keeps_what_they_are(source, tmp_path):
    flags = ("--add", "action=delta(action)", "--add", "observation.rel=relative(action, observation.state)")
    assert telecine("convert", source, tmp_path / "out", *flags, "--workers", "0")[0] == 0
    action = column(source, 0, "action")
    np.testing.assert_allclose(column(tmp_path / "out", 0, "action")[:-1], np.diff(action, axis=0), atol=1e-6)
    noted = json.loads((tmp_path / "out" / DERIVED).read_text())
    assert noted["observation.rel"]["frame"] == "observation.state"
    assert noted["action"]["inverse"]["value"] == "accumulate(action, first)"
    assert "derived" in (tmp_path / "out/meta/telecine/plan.yaml").read_text()
    assert verify(tmp_path / "out") == []
    assert telecine("verify", tmp_path / "out", "--against", source)[0] == 0
    code, _, errors = telecine("convert", source, tmp_path / "no", "--add", "x=delta(actoin)", "--workers", "0")
    assert (code, "there is no actoin" in errors) == (2, True)
    code, out, errors = telecine("convert", source, tmp_path / "no", "--add", "x=log(action - 9)", "--workers", "0")
    assert (code, "NaN or infinity in 12 rows" in out + errors) == (1, True)


def urdf():
    """The simulated arm of `record sim`, written by hand: its joints as scene.py places them."""
    steps = (
        ("shoulder_pan", 0, SHOULDER_M, "0 0 1"), ("shoulder_lift", 0, 0, "0 -1 0"),
        ("elbow_flex", UPPER_M, 0, "0 -1 0"), ("wrist_flex", FORE_M, 0, "0 -1 0"), ("wrist_roll", 0, 0, "1 0 0"),
    )  # fmt: skip
    parts, parent = ['<robot name="arm"><link name="base"/>'], "base"
    for name, x, z, axis in steps:
        parts.append(
            f'<link name="{name}_link"><visual><geometry><mesh filename="gone.stl"/></geometry></visual></link>'
            f'<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{name}_link"/>'
            f'<origin xyz="{x} 0 {z}"/><axis xyz="{axis}"/>'
            '<limit lower="-4" upper="4" effort="1" velocity="1"/></joint>'
        )
        parent = f"{name}_link"
    parts.append(
        f'<link name="tool"/><joint name="tip" type="fixed"><parent link="{parent}"/><child link="tool"/>'
        f'<origin xyz="{TOOL_M} 0 0" rpy="0 1.5707963267948966 0"/></joint></robot>'
    )
    return "".join(parts)


def test_forward_kinematics_agree_with_mujoco_on_the_simulated_arm(tmp_path, mujoco):
    (tmp_path / "arm.urdf").write_text(urdf())
    robot = tools_of(None, tmp_path / "arm.urdf").robot
    angles = np.random.default_rng(3).uniform(-1.2, 1.2, (40, 5))
    poses = forward_kinematics(robot, angles, "tool")
    thing = free('size="0.02 0.02 0.02"', mass_kg=0.1)
    model = mujoco.MjModel.from_xml_string(mjcf(ONE_ARM, thing=thing, timestep_s=0.01))
    data = mujoco.MjData(model)
    for row, pose in zip(angles, poses, strict=True):
        for name, angle in zip(JOINTS, row, strict=True):
            data.qpos[model.joint(name).qposadr[0]] = angle
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(pose[:3], data.site("tip").xpos, atol=1e-9)
        hand = data.body("hand").xmat.reshape(3, 3) @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # the turn of `tip`
        np.testing.assert_allclose(to_matrix(pose[None, 3:])[0], hand, atol=1e-9)
    for text, said in (("<mujoco/>", "no URDF file"), ("<robot", "not a URDF that MuJoCo reads")):
        (tmp_path / "bad.urdf").write_text(text)
        with pytest.raises(PlanError, match=said):
            tools_of(None, tmp_path / "bad.urdf")
    with pytest.raises(PlanError, match="cannot be read: No such file"):
        tools_of(None, tmp_path / "none.urdf")


def test_parts_of_a_conversion_compute_the_same_columns(source, tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "{fps: 30, clock: {timeline: time}, task: {from: /task}, features: {action: /action},"
        " derived: [{key: action, value: delta(action)}, {key: far, value: norm(action)}]}"
    )
    how = ("--plan", tmp_path / "plan.yaml", "--workers", "0")
    for shard in ("1/2", "2/2"):
        assert telecine("convert", source, tmp_path / "parts", *how, "--shard", shard)[0] == 0
    assert telecine("finalize", tmp_path / "parts")[0] == 0
    assert telecine("convert", source, tmp_path / "whole", *how)[0] == 0
    for number in (0, 1):
        assert Dataset(tmp_path / "parts").rows(number) == Dataset(tmp_path / "whole").rows(number)
    assert (tmp_path / "parts" / DERIVED).read_text() == (tmp_path / "whole" / DERIVED).read_text()
