"""Real teleoperation recordings of others convert with the plan that `inspect` proposes, unedited."""

from pathlib import Path

import pytest

from telecine.conversion.pipeline import convert
from telecine.core.proposal.propose import propose
from telecine.inspection.recordings import inspect_many

SAMPLES = Path(__file__).parents[2] / "shared" / "samples" / "mcap"
pytestmark = [
    pytest.mark.usefixtures("mcap"),
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="outside this repository: recordings of other projects"),
]
ROBOTS = "archebase+robocodec/tests/fixtures/robocodec_test_"


@pytest.mark.parametrize(
    ("name", "cameras", "action", "state"),
    [
        (f"{ROBOTS}0.mcap", 4, 28, 28),
        (f"{ROBOTS}3.mcap", 2, 16, 16),
        (f"{ROBOTS}6.mcap", 4, None, None),
        (f"{ROBOTS}12.mcap", 4, 14, 16),
        (f"{ROBOTS}16.mcap", 4, None, None),
        (f"{ROBOTS}18.bag", 6, None, None),
        ("jsk-ros-pkg+jsk_pr2eus/_history/202d7309_pr1012_sensors.bag", 0, None, None),
    ],
)
def test_a_teleoperated_robot_converts_with_the_proposed_plan(tmp_path, name, cameras, action, state):
    proposal = propose(inspect_many([SAMPLES / name]).recordings, task_text="tidy up")
    assert proposal.plan is not None
    report = convert([SAMPLES / name], tmp_path / "out", proposal.plan)
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    assert sum(f.key.startswith("observation.images.") for f in proposal.plan.features) == cameras
    from telecine.dataset.reader import Dataset

    widths = {f.key: f.shape for f in Dataset(tmp_path / "out").features}
    assert action is None or widths["action"] == (action,)
    assert state is None or widths["observation.state"] == (state,)


def test_cameras_stamped_a_week_away_are_told_with_their_offset():
    (facts,) = inspect_many([SAMPLES / f"{ROBOTS}12.mcap"]).recordings
    told = {s.name: dict(s.remarks).get("clock-offset", "") for s in facts.streams}
    assert "moved by -7.412 days" in told["/ob_camera_01/color/image_raw/compressed"]
    assert "moved by -7.412 days" in told["io_teleop/joint_states:position"]
    assert told["io_teleop/joint_cmd:position"] == ""
