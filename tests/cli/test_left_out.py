"""What a conversion leaves out and what it chose: printed, in `--json`, in the dataset; and rates that are guessed."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from support.cli import telecine
from support.robot import Camera, jittered, write_robot


@pytest.fixture
def robot(tmp_path, rerun):
    write_robot(tmp_path / "in/r0.rrd", {"front": Camera(jittered(30, seed=0), "x264")})
    write_robot(tmp_path / "in/r1.rrd", {"front": Camera(jittered(30, seed=1), "x264")}, episode=1)
    return tmp_path / "in"


PLAN = ["--fps", "30", "--index", "real_time", "--action", "/action:Scalars:scalars", "--task-text", "x"]


def test_streams_that_the_plan_does_not_use_are_listed_everywhere(robot, tmp_path):
    code, out, _ = telecine("convert", robot, tmp_path / "out", *PLAN, "--json")
    report = json.loads(out)
    assert code == 0
    listed = {entry["stream"]: entry for entry in report["left_out"]}
    assert listed["/camera/front:VideoStream:sample"] == {
        "stream": "/camera/front:VideoStream:sample",
        "what": "offered",
        "why": "not in the plan",
        "fix": "",
        "recordings": 2,
        "first": [f"{robot}/r0.rrd#episode-0", f"{robot}/r1.rrd#episode-1"],
    }
    assert [f["code"] for f in report["findings"]] == ["stream-left-out"]
    assert "/camera/front:VideoStream:sample" in report["findings"][0]["message"]
    stored = json.loads((tmp_path / "out/meta/telecine/left_out.json").read_text())
    assert [entry["stream"] for entry in stored["left_out"]] == list(listed)
    assert stored["guesses"] == report["guesses"] == []
    assert str(tmp_path) not in json.dumps(stored)


def test_a_dry_run_lists_the_same_streams(robot, tmp_path):
    code, out, _ = telecine("convert", robot, tmp_path / "out", *PLAN, "--json", "--dry-run")
    assert code == 0
    assert "/camera/front:VideoStream:sample" in [entry["stream"] for entry in json.loads(out)["left_out"]]


def test_appending_keeps_the_earlier_list(robot, tmp_path):
    telecine("convert", robot / "r0.rrd", tmp_path / "out", *PLAN)
    assert telecine("convert", robot / "r1.rrd", tmp_path / "out", *PLAN, "--append")[0] == 0
    earlier = json.loads((tmp_path / "out/meta/telecine/left_out-until-1.json").read_text())
    assert earlier["left_out"][0]["first"] == ["r0.rrd#episode-0"]
    for name, recording in (("report-until-1", "r0.rrd"), ("report", "r1.rrd")):
        rows = pq.read_table(tmp_path / f"out/meta/telecine/{name}.parquet").to_pylist()
        assert [row["recording"] for row in rows] == [f"{recording}#episode-{recording[1]}"]


def test_inspect_says_why_each_stream_is_not_proposed(robot, tmp_path):
    code, out, _ = telecine("inspect", robot, "--json")
    assert code == 0
    assert {entry["why"] for entry in json.loads(out)["left_out"]} <= {"text; only the task is taken from text"}
    assert telecine("inspect", robot)[0] == 0


def steps_only(path, rerun, count=60):
    with rerun.RecordingStream("telecine_test", recording_id="steps") as recording:
        recording.save(str(path))
        index = [rerun.TimeColumn("step", sequence=np.arange(count))]
        for entity in ("/action", "/state"):
            values = rerun.Scalars.columns(scalars=np.arange(2 * count, dtype=float).reshape(count, 2))
            recording.send_columns(entity, index, values)
    return path


def test_a_rate_completes_the_proposal_and_is_fps(rerun, tmp_path):
    path = steps_only(tmp_path / "steps.rrd", rerun)
    code, out, _ = telecine("convert", path, tmp_path / "out", "--rate", "20", "--task-text", "x", "--json")
    assert (code, json.loads(out)["fps"], json.loads(out)["rows"]) == (0, 20, 60)


def test_a_rate_completes_a_plan_whose_fps_is_a_guess(rerun, tmp_path):
    path, plan = steps_only(tmp_path / "steps.rrd", rerun), tmp_path / "plan.yaml"
    assert telecine("inspect", path, "--plan", plan)[0] == 0
    assert "# fps: 30   (a guess)" in plan.read_text()
    assert "fps" not in yaml.safe_load(plan.read_text())
    given = ("--plan", plan, "--task-text", "x", "--json")
    code, out, _ = telecine("convert", path, tmp_path / "out", *given, "--rate", "15")
    assert (code, json.loads(out)["fps"], json.loads(out)["rows"]) == (0, 15, 60)


def test_a_guessed_fps_is_guessed_anew_where_nothing_else_is_given(tmp_path, rerun):
    path, plan = tmp_path / "arm.rrd", tmp_path / "plan.yaml"
    with rerun.RecordingStream("telecine_test", recording_id="arm") as recording:
        recording.save(str(path))
        index = [rerun.TimeColumn("t", duration=np.arange(40) / 20)]
        recording.send_columns("/action", index, rerun.Scalars.columns(scalars=np.zeros((40, 2))))
    assert telecine("inspect", path, "--plan", plan)[0] == 0
    code, out, _ = telecine("convert", path, tmp_path / "out", "--plan", plan, "--task-text", "x", "--json")
    assert (code, json.loads(out)["fps"], json.loads(out)["rows"]) == (0, 20, 40)


@pytest.mark.parametrize("rate", ["often", "0", "-1", "1/0"])
def test_a_rate_that_is_none_is_refused(tmp_path, rate):
    code, _, err = telecine("convert", tmp_path, tmp_path / "out", "--rate", rate)
    assert code == 2
    assert "is not a number of steps a second" in err
