"""The console command, run with the commands of the seeds as they are printed there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support import guide, rrd
from support.video import picture_id
from telecine.compat.rerun_export import main
from telecine.dataset.reader import Dataset
from telecine.video.mp4_reader import decode_all

README_BASIC = r"""
rerun_export \
  --rrd-dir /path/to/recordings \
  --output /path/to/output/dataset \
  --dataset-name my_robot_dataset \
  --fps 10 \
  --index real_time \
  --action /action:Scalars:scalars \
  --state /observation/joint_positions:Scalars:scalars \
  --task /language_instruction:TextDocument:text \
  --video front:/camera/front:VideoStream:sample
"""
README_EXAMPLE = r"""
rerun_export \
  --rrd-dir ./robot_recordings \
  --output ./lerobot_dataset \
  --dataset-name robot_demos \
  --fps 15 \
  --action /robot/action:Scalars:scalars \
  --state /robot/state:Scalars:scalars \
  --task /task:TextDocument:text \
  --video front:/camera/front:VideoStream:sample \
  --video wrist:/camera/wrist:VideoStream:sample \
  --action-names "joint_0,joint_1,joint_2,gripper" \
  --state-names "joint_0,joint_1,joint_2,gripper"
"""
GUIDE = r"""
rerun_export \
  --rrd-dir ./robot_recordings \
  --output ./lerobot_dataset \
  --dataset-name robot_demos \
  --fps 15 \
  --action /action/joint_positions:Scalars:scalars \
  --state /observation/joint_positions:Scalars:scalars \
  --task /language_instruction:TextDocument:text \
  --video front:/camera/front \
  --video wrist:/camera/wrist
"""


@pytest.fixture(scope="module")
def recordings(rerun, tmp_path_factory):
    return guide.write_folder(tmp_path_factory.mktemp("seeds") / "robot_recordings")


@pytest.fixture
def here(recordings, tmp_path, monkeypatch):
    """A working folder with the recordings where the commands look for them."""
    (tmp_path / "robot_recordings").symlink_to(recordings)
    (tmp_path / "recordings").symlink_to(recordings)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words_of(command):
    """The words as a shell takes them, which joins lines that end with a backslash."""
    return shlex.split(command.replace("\\\n", " "))


def run(command, folder=Path("/path/to"), **changes):
    """The exit code of a printed command; `/path/to` becomes `folder`, and named flags get other values."""
    words = [word.replace("/path/to", str(folder)) for word in words_of(command)]
    assert words[0] == "rerun_export"
    for name, value in changes.items():
        flag = "--" + name.replace("_", "-")
        at = words.index(flag)
        words[at : at + 2] = [] if value is None else [flag, value]
    try:
        return main(words[1:])
    except SystemExit as stop:
        return stop.code


def assert_held(dataset, key, hz, width=4):
    """Every row holds the last sample before it: its time is at most a (jittered) period old, never ahead."""
    starts = [row["start_ns"] for row in dataset.provenance]
    for episode, start in enumerate(starts):
        values = np.array(dataset.rows(episode).column(key).to_pylist())
        ticks = start + np.round(np.arange(len(values)) * 1e9 / dataset.fps)
        for element in range(width):
            age = guide.value_at(ticks, element) - values[:, element]
            assert age.min() > -1e-4  # float32
            assert age.max() < 1.25 / hz


def shown(dataset, key):
    """(frame, episode) of every row's picture, episode by episode."""
    found = []
    for episode, facts in enumerate(dataset.episodes):
        path, first = dataset.frame(key, episode, 0)
        pictures = list(decode_all(str(path)))
        found.append([picture_id(p) for p in pictures[first : first + facts.length]])
    return found


def test_the_basic_command_of_the_readme_runs_word_for_word(here, capsys):
    assert run(README_BASIC, here) == 0
    out = capsys.readouterr().out
    assert out.startswith("my_robot_dataset: 2 episodes, 64 rows at 10 fps -> ")
    dataset = Dataset(here / "output" / "dataset")
    assert [c.key for c in dataset.features[:3]] == ["action", "observation.state", "observation.images.front"]
    assert [e.length for e in dataset.episodes] == [32, 32]
    assert dataset.tasks == ("pick the cube 0", "pick the cube 1")
    assert_held(dataset, "action", 50)
    assert_held(dataset, "observation.state", 200)
    for episode, ids in enumerate(shown(dataset, "observation.images.front")):
        assert {e for _, e in ids} == {episode}
        steps = np.diff([frame for frame, _ in ids])
        assert set(steps.tolist()) <= {1, 2}


def test_the_example_workflow_of_the_readme_runs_word_for_word(here, capsys):
    assert run(README_EXAMPLE) == 0
    assert "front: 2 h264 copied" in capsys.readouterr().out
    dataset = Dataset(here / "lerobot_dataset")
    named = {c.key: c.names for c in dataset.features}
    assert named["action"] == named["observation.state"] == guide.NAMES
    assert_held(dataset, "action", 50)
    for key in ("observation.images.front", "observation.images.wrist"):
        for episode, ids in enumerate(shown(dataset, key)):
            first = ids[0][0]
            assert ids == [(first + i, episode) for i in range(len(ids))]


def test_the_command_of_the_guide_runs_word_for_word_as_a_console_command(here):
    script = Path(sys.executable).with_name("rerun_export")
    words = words_of(GUIDE)
    ran = subprocess.run([str(script), *words[1:]], cwd=here, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"robot_demos: 2 episodes, \d+ rows at 15 fps -> .*lerobot_dataset", ran.stdout)
    dataset = Dataset(here / "lerobot_dataset")
    assert dataset.fps == 15
    assert dataset.cameras == ("observation.images.front", "observation.images.wrist")
    assert_held(dataset, "observation.state", 200)


def test_the_number_of_rows_follows_from_time_and_not_from_the_sources(here):
    assert run(README_BASIC, here, fps="37", video=None) == 0
    dataset = Dataset(here / "output" / "dataset")
    spans = [e.length / 37 for e in dataset.episodes]
    assert all(abs(span - 3.5) < 0.05 for span in spans)


def test_a_recording_that_cannot_be_used_costs_exit_code_1_and_not_the_others(here, tmp_path, capsys):
    (tmp_path / "recordings").unlink()
    folder = guide.write_folder(tmp_path / "recordings", 1)
    guide.write(folder / "no_camera.rrd", 1, recording_id="blind", cameras=())
    (folder / "broken.rrd").write_bytes(b"this is no recording")
    assert run(README_BASIC, here) == 1
    out = capsys.readouterr().out
    assert "my_robot_dataset: 1 episode" in out
    assert re.search(r"rejected .*no_camera\.rrd.*/camera/front", out, re.DOTALL)
    assert re.search(r"rejected .*broken\.rrd", out)
    assert len(Dataset(here / "output" / "dataset")) == 1


def test_an_existing_target_is_left_as_it_is(here, capsys):
    (here / "lerobot_dataset").mkdir()
    (here / "lerobot_dataset" / "mine.txt").write_text("kept")
    assert run(README_EXAMPLE) == 1
    assert "exists and is not empty" in capsys.readouterr().err
    assert [p.name for p in (here / "lerobot_dataset").iterdir()] == ["mine.txt"]


def test_a_folder_without_recordings_says_so(here, tmp_path, capsys):
    (tmp_path / "robot_recordings").unlink()
    (tmp_path / "robot_recordings").mkdir()
    (tmp_path / "robot_recordings" / "bad.rrd").write_bytes(b"")
    assert run(README_EXAMPLE) == 1
    assert "bad.rrd" in capsys.readouterr().err
    assert not (here / "lerobot_dataset").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": None}, "--action"),
        ({"fps": "0"}, "fps"),
        ({"fps": "29.97"}, "--fps"),
        ({"video": "front"}, "key:path"),
        ({"video": "wrist:/camera/front"}, "given twice"),
        ({"rrd_dir": "./nowhere"}, "not a folder"),
    ],
)
def test_a_wrong_command_line_ends_with_exit_code_2(here, capsys, changes, message):
    assert run(README_EXAMPLE, **changes) == 2
    assert message in capsys.readouterr().err
    assert not (here / "lerobot_dataset").exists()


def test_without_task_every_row_says_task(here):
    assert run(README_BASIC, here, task=None, video=None) == 0
    assert Dataset(here / "output" / "dataset").tasks == ("task",)


def test_use_videos_is_accepted_and_use_images_stores_pictures_in_the_rows(here):
    assert run(GUIDE + " --use-videos") == 0
    assert {c.dtype for c in Dataset(here / "lerobot_dataset").features if "images" in c.key} == {"video"}
    assert run(GUIDE + " --use-images", output="./images") == 0
    dataset = Dataset(here / "images")
    assert {c.dtype for c in dataset.features if "images" in c.key} == {"image"}


def test_interrupting_ends_with_exit_code_130(here, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("telecine.compat.command.convert", interrupted)
    assert run(README_EXAMPLE) == 130


def test_findings_that_are_no_information_are_printed(rerun, tmp_path, capsys, monkeypatch):
    times = np.concatenate([guide.stamps(50, 1, 1, 0), guide.stamps(50, 1, 1, 1) + 2_000_000_000])
    vector = rrd.Vectors(times, guide.vectors(times))
    rrd.write_rrd(tmp_path / "in" / "gap.rrd", {"/a": vector})
    flags = ["--action", "/a:Scalars:scalars", "--state", "/a:Scalars:scalars"]
    assert main(["--rrd-dir", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--fps", "10", *flags]) in (0, 1)
    assert "/a:Scalars:scalars" in capsys.readouterr().out


def test_recordings_are_chosen_and_named_by_the_examples_flags(here, capsys):
    words = words_of(GUIDE)[1:]
    assert main([*words, "--segments", "rec_1", "rec_0", "--max-segments", "1", "--repo-id", "me/demos"]) == 0
    assert [p["recording_id"] for p in Dataset(here / "lerobot_dataset").provenance] == ["rec_0"]
    assert "me/demos: 1 episode" in capsys.readouterr().out
