"""Runs of RoboSandbox: time from `t`, damage named, no action never silent."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support.robosandbox import STEP_S, commanded, line, write_run, write_video
from support.samples import sample
from telecine.cli.main import app
from telecine.core.errors import SourceError
from telecine.dataset.reader import Dataset
from telecine.sources import registry
from telecine.testing import SourceContract

MISSING = "no action was recorded"


class TestRobosandbox(SourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path) -> Sequence[str]:
        write_run(tmp_path / "runs" / "take_10", 12, actions=True)
        write_run(tmp_path / "runs" / "take_9", 12)
        return [str(tmp_path / "runs")]


def run(*arguments):
    result = CliRunner().invoke(app, ["convert", *map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout.startswith("{") else result.stderr


def opened(folder):
    (ref,) = registry.find([folder]).refs
    return registry.open(ref)


def findings(folder):
    return [(f.code, f.severity) for f in registry.find([folder]).findings], [m for _, m in opened(folder).notes]


def test_time_is_that_of_the_lines_and_not_of_the_video(tmp_path):
    with opened(write_run(tmp_path / "run", 20)) as recording:
        times = recording.streams["/scene"].times("sim")
        assert times.tolist() == [round((0.122 + i * STEP_S) * 1e9) for i in range(20)]
        assert len(list(recording.streams["/scene"].packets("sim"))) == 20


def test_a_run_converts_without_a_flag(tmp_path):
    code, report = run(write_run(tmp_path / "run", 30, episode={"robot_type": "sixdof"}), tmp_path / "out")
    assert code == 0, report
    dataset = Dataset(tmp_path / "out")
    assert (dataset.fps, dataset.robot_type) == (30, "sixdof")  # asked for 30, though the lines come at 29.4 Hz
    shapes = {f.key: (f.dtype, f.shape) for f in dataset.features}
    assert shapes["observation.state"] == shapes["action"] == ("float32", (7,))
    assert shapes["observation.images.scene"] == ("video", (120, 160, 3))
    assert dataset.rows(0).column("next.success").to_pylist()[-2:] == [False, True]
    assert dataset.provenance[0]["outcome"] == "success"
    assert "outcome" not in {f.key for f in dataset.features}
    assert dataset.tasks == ("pick up the red cube",)


def test_recorded_actions_are_taken_as_they_are(tmp_path):
    code, _ = run(write_run(tmp_path / "run", 30, actions=True), tmp_path / "out")
    rows = Dataset(tmp_path / "out").rows(0)
    action = np.array(rows.column("action").to_pylist())
    recorded = np.array([[*a["joints"], a["gripper"]] for a in map(commanded, range(30))], np.float32)
    assert code == 0
    assert np.isin(action[:, 0], recorded[:, 0]).all()
    assert set(action[:, 6]) == {0.0, 1.0}  # closed is 1, as it was recorded; the state keeps its metres


@pytest.mark.parametrize(("policy", "ahead"), [("next_state", 1), ("same_state", 0)])
def test_what_stands_in_for_the_action_is_said_and_kept(tmp_path, policy, ahead):
    folder = write_run(tmp_path / "run", 30)
    code, report = run(folder, tmp_path / "out", "--missing-action", policy)
    dataset = Dataset(tmp_path / "out")
    rows = dataset.rows(0)
    states = np.array([[*line(i)["robot_joints"], line(i)["gripper_width"]] for i in range(30)], np.float32)
    state, action = (np.array(rows.column(k).to_pylist(), np.float32) for k in ("observation.state", "action"))
    held = [int(np.flatnonzero((states == s).all(axis=1))[0]) for s in state]
    assert code == 0
    # One step further in the recording, not one row; the last line has no successor and makes no row of its own.
    shown = [min(h + ahead, 29) for h in held]
    np.testing.assert_array_equal(action, states[shown])
    assert f"/{policy}" in (tmp_path / "out" / "meta" / "telecine" / "plan.yaml").read_text()
    assert f"/{policy}" in (tmp_path / "out" / "README.md").read_text()
    told = [f["message"] for f in report["findings"] if f["code"] == "plan-proposed" and f["severity"] == "warning"]
    assert any(f"/{policy}" in message for message in told)


def test_a_missing_action_can_be_an_error(tmp_path):
    code, message = run(write_run(tmp_path / "run"), tmp_path / "out", "--missing-action", "error")
    assert code == 2
    assert MISSING in message
    assert not (tmp_path / "out").exists()


def test_many_runs_make_one_dataset_and_bad_ones_are_named(tmp_path):
    runs = tmp_path / "runs"
    for number in range(3):
        write_run(runs / f"good_{number}", 12, episode={"task": f"task {number % 2}"})
    write_run(runs / "empty", 0, result={"success": False, "reason": "unreachable"})
    write_run(runs / "seven joints", 12, dof=7)
    code, report = run(runs, tmp_path / "out")
    assert code == 1
    assert [e["recording"].rpartition("/")[2] for e in report["episodes"]] == ["good_0", "good_1", "good_2"]
    reasons = {r["recording"].rpartition("/")[2]: r["reason"] for r in report["rejected"]}
    assert reasons["empty"]["code"] == "source-empty"
    assert "unreachable" in reasons["empty"]["message"]
    assert reasons["seven joints"]["code"] == "plan-mismatch"
    assert "gives 8 numbers, the dataset has 7" in reasons["seven joints"]["message"]


def test_a_torn_last_line_is_left_out_and_said(tmp_path):
    folder = write_run(tmp_path / "run", 10, pictures=0)
    events = folder / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-40])
    (folder / "result.json").unlink()
    with opened(folder) as recording:
        assert recording.streams["/robot_joints"].times("sim").size == 9
        assert recording.attrs["outcome"] == "interrupted"
        told = " ".join(message for code, message in recording.notes if code == "source-truncated")
    assert "ends within a line" in told
    assert "no result.json" in told
    assert "no video.mp4" in told
    assert run(folder, tmp_path / "out")[0] == 0


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_a_cut_within_the_first_line_leaves_nothing(tmp_path, cut):
    folder = write_run(tmp_path / "run", 3)
    events = folder / "events.jsonl"
    events.write_bytes(events.read_bytes()[:cut])
    code, report = run(folder, tmp_path / "out")
    assert code == 1
    assert "no whole line" in report["findings"][0]["message"]


@pytest.mark.parametrize("cut", [500, 700])
def test_a_cut_later_is_noted_and_the_video_has_pictures_of_no_line(tmp_path, cut):
    folder = write_run(tmp_path / "run", 3)
    events = folder / "events.jsonl"
    events.write_bytes(events.read_bytes()[:cut])
    with opened(folder) as recording:
        assert "source-truncated" in dict(recording.notes)
        with pytest.raises(SourceError, match=r"3 frames for \d line"):
            list(recording.streams["/scene"].packets("sim"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"t": 0.0}, "t goes back"),
        ({"t": "soon"}, "t is 'soon'"),
        ({"t": float("nan")}, "t is nan"),
        ({"robot_joints": None}, "robot_joints is None"),
        ({"robot_joints": [0.1]}, "holds 1 number, the lines before 6"),
        ({"robot_joints": [True] * 6}, "expected numbers"),
        ({"gripper_width": [0.1, 0.2]}, "gripper_width holds 2 numbers"),
        ({"ee_pose": {"xyz": [0, 0]}}, "ee_pose.xyz"),
        ({"ee_pose": [0]}, "expected xyz and quat_xyzw"),
        ({"action": "left"}, "expected numbers"),
    ],
)
def test_a_line_that_is_not_as_recorded_is_named(tmp_path, change, said):
    folder = write_run(tmp_path / "run", 5, pictures=0)
    lines = [line(i) for i in range(5)]
    lines[3] |= change
    (folder / "events.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    with pytest.raises(SourceError, match="events.jsonl line 4"):
        opened(folder)
    code, message = run(folder, tmp_path / "out")
    assert code == 1
    assert said in str(message)


def test_lines_that_are_no_json_are_named(tmp_path):
    folder = write_run(tmp_path / "run", 5)
    content = (folder / "events.jsonl").read_bytes().split(b"\n")
    for bad in (b"[1, 2]", b"{", b"\xff\xfe", b"[" * 100_000):
        (folder / "events.jsonl").write_bytes(b"\n".join([*content[:2], bad, *content[2:]]))
        with pytest.raises(SourceError, match="line 3 is not a JSON object"):
            opened(folder)


def test_nan_rejects_the_run_with_the_place(tmp_path):
    folder = write_run(tmp_path / "run", 10)
    lines = [line(i) for i in range(10)]
    lines[4]["robot_joints"][2] = float("nan")
    (folder / "events.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    code, report = run(folder, tmp_path / "out")
    assert code == 1
    assert "NaN or infinity" in report["rejected"][0]["reason"]["message"]


def test_a_video_of_another_length_is_no_camera(tmp_path):
    for count in (9, 11):
        folder = write_run(tmp_path / f"run{count}", 10, pictures=count)
        code, report = run(folder, tmp_path / f"out{count}")
        assert code == 1
        assert f"{count} frames for 10 lines" in str(report)


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({}, "success"),
        ({"success": False, "reason": "replan_exhausted"}, "failed"),
        ({"success": False, "reason": "aborted"}, "interrupted"),
        ({"success": False, "reason": "stopped_by_user"}, "unknown"),
        ({"success": None}, "unknown"),
    ],
)
def test_the_outcome_is_what_the_run_really_tells(tmp_path, result, outcome):
    with opened(write_run(tmp_path / "run", 3, result=result)) as recording:
        assert recording.attrs["outcome"] == outcome
        assert recording.streams["/outcome"].take(np.zeros(2, np.int64), "sim") == [outcome] * 2


def test_what_contradicts_itself_is_noted(tmp_path):
    episode, result = {"source": "viewer", "task": "pick_cube"}, {"frames": 7, "episode_id": "other"}
    _, notes = findings(write_run(tmp_path / "run", 3, episode=episode, result=result))
    told = " ".join(notes)
    assert "7 frames, events.jsonl holds 3" in told
    assert "different episode ids" in told
    assert "task's name" in told


def test_a_broken_result_is_an_unknown_outcome(tmp_path):
    folder = write_run(tmp_path / "run", 3)
    (folder / "result.json").write_text('{"success": tr')
    with opened(folder) as recording:
        assert recording.attrs["outcome"] == "interrupted"
        assert any("result.json cannot be read" in message for _, message in recording.notes)


def test_actions_in_some_lines_only_are_noted(tmp_path):
    folder = write_run(tmp_path / "run", 4)
    lines = [line(i, action=None if i == 1 else commanded(i)) for i in range(4)]
    (folder / "events.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    with opened(folder) as recording:
        assert recording.streams["/action"].times("sim").size == 3
        assert ("action-missing", "1 of 4 lines holds no action") in recording.notes


def test_a_folder_that_is_not_quite_a_run_says_which_file_is_missing(tmp_path):
    folder = write_run(tmp_path / "run", 3)
    (folder / "events.jsonl").unlink()
    (finding,) = registry.find([folder]).findings
    assert "events.jsonl missing" in finding.message
    shutil.rmtree(folder)
    folder.mkdir()
    write_video(folder / "video.mp4", 3)
    with pytest.raises(SourceError, match=r"no recording found.*events\.jsonl"):
        registry.find([folder])


def test_further_cameras_and_names_come_from_the_folder(tmp_path):
    names = {"joint_names": [f"arm.{i}" for i in range(6)], "gripper_names": ["jaw"]}
    folder = write_run(tmp_path / "run", 5, episode=names)
    write_video(folder / "video.wrist.mp4", 5, episode=1)
    with opened(folder) as recording:
        assert recording.features["observation.images.wrist"] == ("/wrist",)
        assert recording.streams["/same_state"].schema.names == (*names["joint_names"], "jaw")


@pytest.mark.parametrize(
    "name",
    [
        "builtin6dof_pick_cube__demo_success",
        "builtin6dof_viewer_teleop__2frames",
        "franka_pick_apple__kill9_partial",
        "franka_pick_apple__record_demo_success",
        "franka_pick_cube__with_recorded_actions",
        "franka_pick_heavy__verification_failed",
    ],
)
def test_every_run_of_the_real_recorder_converts(tmp_path, name):
    folder = sample(f"robosandbox/{name}")
    code, report = run(folder, tmp_path / "out")
    assert code == 0, report


def test_a_real_run_without_a_step_says_why(tmp_path):
    folder = sample("robosandbox/builtin6dof_pick_unreachable__fail_zero_frames")
    code, report = run(folder, tmp_path / "out")
    assert code == 1
    (said,) = (finding["message"] for finding in report["findings"])
    assert "ended before its first step" in said
    assert "unreachable" in said


def test_more_elements_than_a_feature_may_have_get_no_names(tmp_path):
    folder = write_run(tmp_path / "run", 2, dof=40_000, actions=True, pictures=0)
    with opened(folder) as recording:
        names = {name: recording.streams[name].schema.names for name in ("/robot_joints", "/same_state", "/action")}
        assert names == dict.fromkeys(names)
        assert recording.streams["/gripper_width"].schema.names == ("gripper",)
