"""What a dry run foretells: sizes near those of the conversion, and times that add up."""

from dataclasses import replace

import pytest

from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.conversion import trial
from telecine.conversion.dry_run import START_S, START_VIDEO_S, dry_run
from telecine.conversion.pipeline import Options, convert
from telecine.conversion.trial import Trial
from telecine.core.plan.model import make_plan


@pytest.fixture
def robots(tmp_path, rerun):
    for number in range(3):
        write_robot(tmp_path / f"in/r{number}.rrd", {"front": Camera(jittered(60), "x264")}, episode=number)
    return tmp_path / "in"


def size_of(root):
    files = [path for part in ("data", "videos") for path in (root / part).rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("fps", [30, 10])
def test_the_size_is_foretold_within_a_third(robots, tmp_path, fps):
    plan = make_plan(robot_plan("front", fps=fps))
    made = dry_run([robots], plan)
    convert([robots], tmp_path / "out", plan, Options(workers=0))
    assert {c.action for r in made.recordings for c in r.cameras} == {"copy" if fps == 30 else "encode"}
    assert made.size_bytes == pytest.approx(size_of(tmp_path / "out"), rel=1 / 3)


def test_frames_coded_on_trial_count_once_in_the_time(robots):
    made = dry_run([robots], make_plan(robot_plan("front", fps=10)))
    assert made.tried_s > 0
    foretold = sum(r.seconds for r in made.recordings) + START_S + START_VIDEO_S
    assert made.seconds == pytest.approx(foretold)
    assert replace(made, looked_s=made.tried_s + 1).seconds == pytest.approx(foretold + 1)
    assert replace(made, recordings=()).seconds == 0
    bare = tuple(replace(r, cameras=()) for r in made.recordings)
    assert replace(made, recordings=bare).seconds == pytest.approx(foretold - START_VIDEO_S)


def test_trials_of_several_recordings_add_up():
    assert Trial(2, 100, 0.5, 0.7) + Trial() + Trial(1, 50, 0.25, 0.3) == Trial(3, 150, 0.75, 1.0)


def test_what_starting_an_encoder_takes_is_not_taken_for_each_frame(robots, monkeypatch):
    """Each coding takes 1 s, and 10 ms for each frame."""
    coded = trial._coded

    def slow(camera, rows, fps, path):
        made = coded(camera, rows, fps, path)
        return replace(made, seconds=1 + made.frames / 100, spent_s=1 + made.frames / 100)

    monkeypatch.setattr(trial, "_coded", slow)
    made = dry_run([robots], make_plan(robot_plan("front", fps=10)))
    frames = sum(camera.frames for r in made.recordings for camera in r.cameras)
    assert sum(camera.seconds for r in made.recordings for camera in r.cameras) == pytest.approx(frames / 100, rel=0.1)
    assert made.tried_s > 2


class Heard:
    """A progress that remembers what it is told of the phase `converting`."""

    def __init__(self):
        self.phase, self.parts, self.total = "", [], 0

    def begin(self, total_bytes, phase, items=0):
        self.phase = phase
        self.total = self.total or total_bytes

    def advance(self, done_bytes, label):
        if self.phase == "converting":
            self.parts.append((label, done_bytes))

    def finish(self, items=1):
        pass


def test_progress_moves_within_a_camera_and_adds_up(robots, tmp_path):
    heard = Heard()
    plan = make_plan(robot_plan("front", fps=10))
    convert([robots], tmp_path / "out", plan, Options(workers=0), progress=heard)
    assert sum(size for _, size in heard.parts) == heard.total
    first = [size for label, size in heard.parts if label == heard.parts[0][0] and size]
    assert len(first) >= 3  # some frames of the one camera, the rest of them, the rest of the recording
