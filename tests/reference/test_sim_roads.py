"""A simulated episode on four roads (recorder, run folder, RRD, MCAP): LeRobot reads the same rows and frames."""

import numpy as np
import pytest

from telecine.conversion.pipeline import Options, convert
from telecine.core.plan.model import make_plan
from telecine.recorder.sim.record import record

SETTINGS = {"episodes": 2, "seed": 3, "seconds": 3.0, "fps": 10, "size": (96, 64)}
CAMERAS = ("observation.images.front", "observation.images.wrist")
ROADS = {
    "run": ("sim", "/robot_joints", "/front", "/wrist", "/task"),
    "rrd": ("sim_time", "/joint_states", "/camera/front", "/camera/wrist", "/task"),
    "mcap": ("log_time", "/joint_states:values", "/camera/front", "/camera/wrist", "/task"),
}


def plan_for(kind):
    clock, state, front, wrist, task = ROADS[kind]
    action = "/action:values" if kind == "mcap" else "/action"
    joints = [state, "/gripper_width"] if kind == "run" else [state]
    features = {
        "observation.state": {"from": joints},
        "action": {"from": action},
        CAMERAS[0]: {"from": front},
        CAMERAS[1]: {"from": wrist},
    }
    body = {"fps": 10, "clock": {"timeline": clock}, "features": features, "task": {"from": task}}
    return make_plan(body | {"robot_type": "telecine_sim"})


@pytest.fixture(scope="module")
def direct(mujoco, tmp_path_factory):
    root = tmp_path_factory.mktemp("direct") / "set"
    record(root, **SETTINGS)
    return root


@pytest.mark.parametrize("kind", sorted(ROADS))
def test_every_road_gives_the_rows_and_pictures_of_the_recorder(kind, direct, tmp_path, lerobot_dataset, request):
    if kind != "run":
        request.getfixturevalue("rerun" if kind == "rrd" else "mcap")
    record(tmp_path / kind, kind=kind, **SETTINGS)
    report = convert([tmp_path / kind], tmp_path / "set", plan_for(kind), Options(workers=0))
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    ours, theirs = lerobot_dataset(direct), lerobot_dataset(tmp_path / "set")
    assert len(ours) == len(theirs) == 60
    for row in range(60):
        one, other = ours[row], theirs[row]
        assert one["task"] == other["task"]
        assert one["next.success"] == other["next.success"]
        for key in ("observation.state", "action", "timestamp", "episode_index", "frame_index", "task_index"):
            np.testing.assert_array_equal(one[key].numpy(), other[key].numpy())
        for key in CAMERAS:  # all roads copy the packets of one encoder
            np.testing.assert_array_equal(one[key].numpy(), other[key].numpy())


def test_the_recorders_dataset_passes_the_conformance_check(direct, conformance):
    conformance(direct)
