"""What the readers and checkers of others say of our datasets, each in an environment of its own (install.py).

docs/consumers.md has a row for each. A warning that is theirs, about the demo's own motion, is named here one by one.
"""

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.install import program
from support import torchcodec_libs
from telecine.cli.main import app
from telecine.dataset.v2_writer import write_v2
from telecine.inspection.dataset_summary import summarize

pytestmark = pytest.mark.long
EPISODES = 2


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's dataset of 3 seconds an episode."""
    folder = tmp_path_factory.mktemp("demo")
    done = CliRunner().invoke(app, ["demo", str(folder), "--episodes", str(EPISODES), "--seconds", "3"])
    assert done.exit_code == 0, done.output
    return folder / "dataset"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of a simulated robot, 3 episodes of 6 seconds."""
    pytest.importorskip("mujoco")
    out = tmp_path_factory.mktemp("simulated") / "dataset"
    done = CliRunner().invoke(app, ["record", "sim", str(out), "--episodes", "3"])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module", params=["demo", "simulated"])
def checked(request: pytest.FixtureRequest) -> Path:
    """Each dataset that readers and checkers see."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module", params=["v2.1", "gr00t"])
def older(request: pytest.FixtureRequest, checked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in the layouts of a file an episode."""
    folder = tmp_path_factory.mktemp("older")
    write_v2(checked, folder, request.param, scratch=tmp_path_factory.mktemp("scratch"))
    return folder


def run(name: str, *arguments: str, command: str = "python", code: tuple[int, ...] = (0,), **variables: str) -> str:
    """The output of a program of a consumer, which ends with `code`; variables: more of its environment."""
    tool = program(name, command)
    if not tool.is_file():
        pytest.skip(f"needs its environment: python tests/consumers/install.py {name}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE"))}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "COLUMNS": "200", **variables}
    libraries = torchcodec_libs.link_folder(Path(os.environ.get("TMPDIR", "/tmp")))
    if libraries is not None:
        environment = torchcodec_libs.environment_with(libraries) | environment
    done = subprocess.run(
        [tool, *arguments], capture_output=True, text=True, timeout=1800, env=environment, check=False
    )
    assert done.returncode in code, done.stdout + done.stderr
    return done.stdout


LEROBOT_033 = """
import sys
from lerobot.datasets.lerobot_dataset import LeRobotDataset
window = {"action": [i / 30 for i in range(10)]}
dataset = LeRobotDataset("local/x", root=sys.argv[1], video_backend=sys.argv[2], delta_timestamps=window)
for number in (0, len(dataset) // 2, len(dataset) - 1):
    item = dataset[number]
    assert item["action"].shape == (10, dataset.meta.shapes["action"][0])
    assert all(item[key].shape[0] == 3 for key in dataset.meta.camera_keys)
    assert item["task"]
print(len(dataset), dataset.num_episodes)
"""


def test_lerobot_033_with_datasets_36_loads_the_older_layouts(older: Path) -> None:
    rows, episodes = run("lerobot-0.3.3", "-c", LEROBOT_033, str(older), "torchcodec").split()
    assert (int(rows), int(episodes)) == (total(older), len(summarize(older).episodes))


def total(dataset: Path) -> int:
    """Rows as our own reader counts them."""
    return summarize(dataset).frames


RAY = """
import sys, ray
ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR", object_store_memory=500_000_000)
dataset = ray.data.read_lerobot(sys.argv[1])
row = dataset.take(1)[0]
assert {"action", "observation.state", "observation.images.front"} <= set(row), sorted(row)
print(dataset.count())
"""


PATIENT = {"RAY_worker_niceness": "0", "RAY_raylet_start_wait_time_s": "300"}
"""Ray's workers run at nice 15 of their own accord: on a busy machine they get no processor, and Ray only says that
"cluster resources are not enough"."""


def test_ray_reads_every_row(demo: Path) -> None:
    assert int(run("ray", "-c", RAY, str(demo), **PATIENT).split()[-1]) == total(demo)


DAFT = """
import sys, daft
from daft.datasets import lerobot
frames = lerobot.read(sys.argv[1], load_video_frames="observation.images.front")
assert len(frames.where(daft.col("index") < 3).collect()) == 3
print(lerobot.read(sys.argv[1]).count_rows())
"""


def test_daft_reads_every_row_of_every_layout(checked: Path, older: Path) -> None:
    for folder in (checked, older):
        assert int(run("daft", "-c", DAFT, str(folder)).split()[-1]) == total(checked)


def test_rdq_finds_nothing_but_that_there_is_no_licence(checked: Path) -> None:
    text = run("rdq", "check", str(checked), command="rdq", code=(0, 1, 2))
    episodes = len(summarize(checked).episodes)
    assert f"usable episodes {episodes}/{episodes} (100%)" in text
    assert "FAIL" not in text
    assert text.count("STOP") == text.count("STOP  No licence") <= 1


def test_robovet_finds_nothing(checked: Path) -> None:
    text = run("robovet", "doctor", str(checked), command="robovet")
    assert "0 fail · 0 warn" in text


def test_kalanos_finds_nothing(checked: Path) -> None:
    text = run("kalanos", "grade", str(checked), command="kalanos", code=(0, 1, 2))
    assert "blocked 0" in text
    assert f"eligible {len(summarize(checked).episodes)}" in text
    assert "Findings\n  none" in text


MOTION = {
    "demo": {"Data Distribution", "Episode Health", "Training Readiness", "Anomaly Detection"},
    "simulated": {"Action Quality", "Anomaly Detection", "Per-Episode Summary"},
}
"""Sections of lerobot-doctor that warn of the robots' own motion. Two joints of the demo's arm never move, and its
episodes are short on purpose; the simulated hand waits while it closes, and does not turn."""


@pytest.mark.parametrize("name", MOTION)
def test_lerobot_doctor_warns_of_the_robots_motion_only(request: pytest.FixtureRequest, name: str) -> None:
    text = run("lerobot-doctor", "check", str(request.getfixturevalue(name)), command="lerobot-doctor", code=(0, 1))
    assert "[FAIL]" not in text
    warned = {line.removeprefix("[WARN] ").strip() for line in text.splitlines() if line.startswith("[WARN]")}
    assert warned <= MOTION[name]
