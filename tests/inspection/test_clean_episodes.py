"""Sound episodes have no findings: simulated ones of several seeds, rates and frame sizes, and the demo's.

With those that LeRobot's own writer records (tests/reference/test_quality.py) the long tests are a hundred episodes, of
seeds that no threshold was chosen by.
"""

import pytest

from telecine.commands.demo import demo
from telecine.inspection.quality import check_dataset
from telecine.recorder.sim.record import record

pytestmark = pytest.mark.filterwarnings("ignore:.*record-behind")  # the encoder of a busy machine


RESTS = {"look-idle", "look-constant"}
"""What is so, and no defect: the robot waits for a second when it is done; joints of the demo's arm are never asked."""


def told(root):
    """What is found, as text."""
    return [str(f) for f in check_dataset(root, remember=False) if f.code not in RESTS or f.severity != "info"]


@pytest.mark.usefixtures("mujoco")
def test_some_simulated_episodes_have_no_findings(tmp_path):
    record(tmp_path / "set", episodes=5, seconds=4.0, fps=10, size=(96, 72), seed=20)
    assert told(tmp_path / "set") == []


@pytest.mark.long
@pytest.mark.usefixtures("mujoco")
@pytest.mark.parametrize(
    ("task", "episodes", "seconds", "fps", "size", "seed"),
    [
        ("pick", 10, 5.0, 20, (160, 120), 930_000),
        ("pick", 6, 6.0, 30, (320, 240), 931_000),
        ("pick", 8, 8.0, 10, (128, 96), 932_000),
        ("pick", 6, 5.0, 50, (96, 72), 933_000),
        ("handover", 14, 6.0, 30, (96, 72), 934_000),
        ("handover", 8, 6.0, 15, (160, 120), 935_000),
        ("handover", 8, 7.0, 20, (128, 96), 936_000),
    ],
)
def test_simulated_episodes_have_no_findings(tmp_path, task, episodes, seconds, fps, size, seed):
    record(tmp_path / "set", task=task, episodes=episodes, seconds=seconds, fps=fps, size=size, seed=seed)
    assert told(tmp_path / "set") == []


@pytest.mark.long
@pytest.mark.usefixtures("rerun")
def test_episodes_of_the_demo_have_no_findings(tmp_path):
    demo(tmp_path / "demo", episodes=20, seconds=5.0, seed=930_007)
    assert told(tmp_path / "demo" / "dataset") == []
