"""Three first hours in a terminal of 80 columns: what is typed is what a screen before said, but for the task.

The screens are kept in docs/first_hours, where people can read them. To make them anew, remove a file and run its test,
which fails then, once. TELECINE_PROGRAM=ENV/bin/telecine shows those of another environment, which needs the extras
rrd, ros, hdf5 and view.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from support.printed_commands import commands
from support.terminal import seen, split
from telecine.core.text.task_text import TASK_TO_GIVE

KEPT = Path(__file__).parents[2] / "docs" / "first_hours"
SO101 = (Path(__file__).parents[2] / "docs" / "so101.md").read_text(encoding="utf-8")
WIDTH = 80
pytestmark = pytest.mark.long


class Hour:
    """What somebody types in a folder, and sees."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.screens = folder, []
        self.last = ""

    def types(self, *words: str, code: int = 0) -> str:
        """The screen of a command; the next one has to be on it, or what is wrong with what to do."""
        exit_code, self.last = seen(self.folder, WIDTH, *words)
        assert exit_code == code, self.last
        assert commands(self.last) or "`telecine " in self.last, f"no next step: {self.last}"
        self.screens.append(f"$ {shlex.join(['telecine', *words])}\n{self.last}[exit {exit_code}]\n")
        return self.last

    def follows(self, start: str, *, task: str = "", out: str = "", code: int = 0) -> str:
        """Pastes the command of the last screen that starts so, with a task and a name filled in."""
        (command,) = [line for line in commands(self.last) if line.startswith(start)]
        words = [task if word == TASK_TO_GIVE else word for word in split(command)]
        return self.types(*[out if out and word == "out" else word for word in words], code=code)

    def same_as(self, name: str) -> None:
        """Compares with the screens that are kept."""
        text, kept = "\n".join(map(normal, self.screens)), KEPT / name
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text, encoding="utf-8")
            pytest.fail(f"{kept} was not there; it was made, read it")
        assert text == kept.read_text(encoding="utf-8")


def normal(screen: str) -> str:
    """Without what changes from run to run or between versions of libraries: durations, bytes, where a file ends."""
    screen = re.sub(r"in about \d[\w ]*; ", "in about N s; ", screen)
    screen = re.sub(r"\bin \d+\.\d s\b", "in N s", screen)
    screen = re.sub(r"\b\d+(\.\d)? (?:[kM]B|B)\b", "N kB", screen)
    screen = re.sub(r"\b\d+\s+of\s+\d+\s+bytes\b|\bbyte\s+\d+\b", "N bytes", screen)
    screen = re.sub(r"\b\d\.\d s are whole \(\d+ records", "N s are whole (N records", screen)
    sized = [re.sub(r"(?<=\S) {2,}", "  ", s) if "N kB" in s or "  size" in s else s for s in screen.split("\n")]
    return "\n".join(sized)


@pytest.fixture
def hour(tmp_path):
    return Hour(tmp_path)


JOINTS = ("shoulder_pan.pos", "shoulder_lift.pos", "elbow_flex.pos", "wrist_flex.pos", "wrist_roll.pos", "gripper.pos")


def arm(rerun, path, number, *, static):
    """Three seconds of an arm with a camera, logged as docs/so101.md says, or as LeRobot's display does."""
    names = {}
    exec(re.findall(r"```python\n(.*?)```", SO101, re.DOTALL)[0], names)
    with rerun.RecordingStream("so101", recording_id=path.stem) as stream:
        stream.save(path)
        rerun.log("task", rerun.TextDocument("pick up the cube"), static=True)
        for step in range(90):
            joints, wanted = (
                {name: 30 * np.sin(at / 10 + k + number) for k, name in enumerate(JOINTS)} for at in (step, step + 3)
            )
            frame = np.full((240, 320, 3), 60 + 20 * number + step, np.uint8)
            frame[step : step + 40, 2 * step : 2 * step + 60] = (200, 60, 30)
            shown = {} if static else {"front": frame}
            names["log_step"](10**18 + step * 10**9 // 30, {**joints, **shown}, wanted)
            if static:
                rerun.log("observation.front", rerun.Image(frame), static=True)
        stream.flush()


def test_a_student_with_recordings_of_an_so101(hour, rerun):
    (hour.folder / "episodes").mkdir()
    arm(rerun, hour.folder / "display.rrd", 0, static=True)
    for number in range(3):
        arm(rerun, hour.folder / "episodes" / f"episode-{number}.rrd", number, static=False)
    screen = hour.types("inspect", "display.rrd")
    assert "/so101/" in screen
    hour.types("inspect", "episodes")
    hour.follows("telecine convert", out="cubes")
    hour.follows("telecine verify")
    hour.types("inspect", "cubes")
    hour.same_as("student.txt")


def bags(folder, count=8, cut=(2, 5)):
    """ROS bags of a camera and joints, some of which end within."""
    from support.hdf5 import jpeg
    from support.mcap import START_NS, Said, coded_picture, joints, write_bag

    noise = np.random.default_rng(0)
    for number in range(count):
        said = []
        for step in range(60):
            at = START_NS + number * 10**12 + step * 10**9 // 30
            blocks = noise.integers(0, 255, (120, 160, 3), np.uint8)  # large enough for several chunks of 1 MB
            frame = np.repeat(np.repeat(blocks, 4, 0), 4, 1)
            said.append(Said("/camera/image/compressed", IMAGE, coded_picture(at, jpeg(frame), ros1=True), at, at))
            for topic in ("/joint_states", "/joint_commands"):
                said.append(Said(topic, "sensor_msgs/msg/JointState", joints(step, at, ros1=True), at, at))
        path = write_bag(folder / f"take_{number}.bag", said)
        if number in cut:
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])


IMAGE = "sensor_msgs/msg/CompressedImage"


def test_an_engineer_with_eight_bags_of_which_two_were_cut(hour):
    pytest.importorskip("rosbags", reason="needs rosbags: pip install 'telecine[ros]'")
    bags(hour.folder / "bags")
    screen = hour.types("inspect", "bags", code=1)
    assert screen.count("s are whole (") == 2
    hour.follows("telecine convert", task="open the drawer", out="drawer", code=1)
    hour.follows("telecine convert")
    hour.follows("telecine verify")
    hour.same_as("engineer.txt")


def test_somebody_who_simulates_with_hdf5_and_lerobot_datasets(hour, h5py):
    from support.dataset import episode, write
    from support.hdf5 import isaaclab

    isaaclab(h5py, hour.folder / "stack.hdf5")
    write(hour.folder / "real", [episode(40, 0), episode(40, 1), episode(40, 2)])
    hour.types("inspect", "stack.hdf5")
    hour.follows("telecine convert", task="stack the cubes", out="stacked")
    hour.follows("telecine verify")
    hour.types("inspect", "real")
    hour.types("edit", "real", "fewer", "--delete", "1", "--dry-run")
    hour.follows("telecine edit")
    hour.types("merge", "fewer", "stacked", "both", code=2)
    hour.same_as("simulation.txt")
