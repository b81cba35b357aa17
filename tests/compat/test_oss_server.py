"""`oss_server_lerobot`: the seed's command as it is printed there, over .rrd files and over messages."""

import json
import shlex

import numpy as np
import pytest

from support.mcap import write_mcap
from support.robot import Camera, jittered, write_robot
from support.rrd import Custom, Vectors, write_rrd
from support.teleop import said, teleop
from telecine.compat.oss_server_lerobot import main
from telecine.dataset.reader import Dataset

SEED = r"""
oss_server_lerobot \
  --rrd-dir /path/to/rrds \
  --output /path/to/lerobot_dataset \
  --dataset-name robot_runs \
  --fps 10 \
  --index real_time \
  --action-path /action \
  --state-path /observation/joint_positions \
  --task-path /language_instruction \
  --image front:/camera/front:raw
"""


def run(folder, out, *more, **paths):
    """The exit code of the seed's command with other folders and paths, and further flags."""
    words = shlex.split(SEED.replace("\\\n", " "))[1:]
    given = {"rrd-dir": str(folder), "output": str(out), **{k.replace("_", "-"): v for k, v in paths.items()}}
    for flag, value in given.items():
        at = words.index(f"--{flag}")
        words[at : at + 2] = [] if value is None else [f"--{flag}", value]
    return main([*words, *more])


@pytest.mark.usefixtures("rerun")
@pytest.mark.parametrize(("store", "kind"), [("rgb24", "raw"), ("jpeg", "compressed"), ("x264", "video")])
def test_the_command_of_the_seed_makes_a_dataset(tmp_path, capsys, store, kind):
    write_robot(tmp_path / "in" / "a.rrd", {"front": Camera(jittered(70), store)}, stop_s=2.9)
    paths = {"state_path": "/joints", "task_path": "/task", "image": f"front:/camera/front:{kind}"}
    assert run(tmp_path / "in", tmp_path / "out", **paths) == 0
    made = Dataset(tmp_path / "out")
    assert (made.fps, list(made.tasks)) == (10, ["task 0"])
    assert "robot_runs: 1 episode" in capsys.readouterr().out


@pytest.mark.usefixtures("mcap")
def test_a_folder_of_messages_is_taken_by_the_same_flags(tmp_path):
    write_mcap(tmp_path / "in" / "a.mcap", said(teleop(40), coding="h264"))
    paths = {"action_path": "/leader/joint_states", "task_path": "/task", "image": "front:/camera/front:video"}
    for number, state in enumerate(("/joint_states", "/joint_states:sensor_msgs.msg.JointState:position")):
        out = tmp_path / f"out-{number}"
        assert run(tmp_path / "in", out, state_path=state, **paths) == 0
        info = json.loads((out / "meta" / "info.json").read_text())
        assert info["features"]["observation.state"]["names"] == ["time", "sin"]
    more = ("--state-column", "position", "--video-format", "h264")
    assert run(tmp_path / "in", tmp_path / "out", *more, state_path="/joint_states", **paths) == 0


@pytest.mark.usefixtures("mcap")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"image": "front:/camera/front"}, "not of the form key:path:kind"),
        ({"image": "front:/camera/front:video"}, "holds image, not what 'video' means"),
        ({"rrd_dir": "nowhere"}, "is not a folder"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(tmp_path, capsys, flags, message):
    write_mcap(tmp_path / "in" / "a.mcap", said(teleop(10)))
    with pytest.raises(SystemExit) as stopped:
        run(**{"folder": tmp_path / "in", "out": tmp_path / "out", **flags})
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("rerun")
def test_all_flags_of_the_example_are_taken(tmp_path, capsys):
    for i in range(3):
        write_robot(tmp_path / "in" / f"{i}.rrd", {"front": Camera(jittered(70), "jpeg")}, stop_s=2.9, episode=i)
    paths = {"state_path": "/joints", "image": "front:/camera/front:compressed"}
    more = (
        "--repo-id",
        "me/runs",
        "--segments",
        "episode-2",
        "episode-0",
        "--max-segments",
        "1",
        "--task-default",
        "lift",
    )
    more += ("--action-names", "a,b", "--state-names", "c,d,e", "--vcodec", "libsvtav1")
    assert run(tmp_path / "in", tmp_path / "out", *more, task_path=None, **paths) == 0
    assert "me/runs: 1 episode" in capsys.readouterr().out
    made, info = Dataset(tmp_path / "out"), json.loads((tmp_path / "out" / "meta" / "info.json").read_text())
    assert [p["recording_id"] for p in made.provenance] == ["episode-0"]
    assert list(made.tasks) == ["lift"]
    assert (info["features"]["action"]["names"], info["features"]["observation.state"]["names"]) == (
        ["a", "b"], ["c", "d", "e"],
    )  # fmt: skip
    assert info["features"]["observation.images.front"]["info"]["video.codec"] == "av1"
    assert run(tmp_path / "in", tmp_path / "images", "--use-images", **paths | {"task_path": "/task"}) == 0
    info = json.loads((tmp_path / "images" / "meta" / "info.json").read_text())
    assert info["features"]["observation.images.front"]["dtype"] == "image"


@pytest.mark.usefixtures("rerun")
def test_a_field_of_a_custom_archetype_is_named_by_its_field(tmp_path):
    t = np.arange(60) * 33_333_333 + 10**18
    values = np.arange(180).reshape(60, 3)
    arm = Custom(t, "schemas.proto.JointState", {"joint_positions": values, "joint_velocities": -values})
    write_rrd(tmp_path / "in" / "a.rrd", {"/robot_right/joint_states": arm})
    words = ["--rrd-dir", str(tmp_path / "in"), "--fps", "30"]
    for name in ("action", "state"):
        words += [f"--{name}-path", "/robot_right/joint_states", f"--{name}-column", "joint_positions"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert Dataset(tmp_path / "out").rows(0)["observation.state"].to_pylist() == values.tolist()


@pytest.mark.usefixtures("rerun")
def test_a_timeline_that_counts_is_time_with_a_rate(tmp_path):
    steps = {"step": np.arange(60)}
    write_rrd(tmp_path / "in" / "a.rrd", {"/a": Vectors(steps, np.zeros((60, 2)))})
    words = ["--rrd-dir", str(tmp_path / "in"), "--fps", "10", "--index", "step", "--rate", "20"]
    assert main([*words, "--action-path", "/a", "--state-path", "/a", "--output", str(tmp_path / "out")]) == 0
    assert Dataset(tmp_path / "out").frames == 30
