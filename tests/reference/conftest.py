"""LeRobot as the judge: its own reader, offline, and the conformance check, each with caches of its own.

The whole folder is skipped where LeRobot is not installed (it needs Python 3.12), unless
TELECINE_TESTS_REQUIRE=all.
"""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Read once, when huggingface_hub is imported: so before anything here imports it.
CACHE = tempfile.TemporaryDirectory(prefix="telecine-reference-")
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "SVT_LOG": "1"}
OFFLINE |= {"OMP_NUM_THREADS": "1"}  # PyTorch's threads would wait for each other by spinning
os.environ.update(OFFLINE, HF_HOME=CACHE.name, HF_LEROBOT_HOME=f"{CACHE.name}/lerobot")

REPOSITORY = Path(__file__).parents[2]
CONFORMANCE = REPOSITORY.parent / "shared" / "check" / "conformance.py"
# What LeRobot and its dependencies warn of is not ours to mend; a warning of telecine's stays an error.
THIRD_PARTY = r"(lerobot|datasets|huggingface_hub|torch|torchcodec|torchvision|dill|multiprocess|fsspec)(\..*)?$"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder and let other people's warnings pass."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.reference)
            item.add_marker(pytest.mark.filterwarnings(f"ignore:::{THIRD_PARTY}"))


@pytest.fixture(scope="session", autouse=True)
def lerobot() -> None:
    """Skip without LeRobot; else import it once, with the warnings of its import silenced."""
    if importlib.util.find_spec("lerobot") is None:
        pytest.skip("needs lerobot (Python >= 3.12): pip install 'telecine[reference]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("lerobot.datasets.lerobot_dataset")


@pytest.fixture
def lerobot_dataset(lerobot: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`lerobot_dataset(root, **options)`: LeRobot's own `LeRobotDataset` on a local folder.

    `video_backend` is "torchcodec" unless said otherwise, never LeRobot's silent choice. The Arrow cache is new
    for each test, because LeRobot's is keyed by path and time and can serve an older dataset's rows.
    """
    config = importlib.import_module("datasets.config")
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "arrow-cache")
    dataset_type = importlib.import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset

    def open_dataset(root: Path, video_backend: str = "torchcodec", **options: Any) -> Any:
        return dataset_type(f"local/{Path(root).name}", root=root, video_backend=video_backend, **options)

    return open_dataset


@pytest.fixture(scope="session")
def judge(lerobot: None) -> Iterator[subprocess.Popen[str]]:
    """The process that judges: see judge.py. Offline, with the caches of these tests."""
    if not CONFORMANCE.is_file():
        pytest.skip("outside this repository: the conformance check is not beside this checkout")
    # In the system's temporary folder: below `tmp_path` the sockets of a DataLoader's workers would have names longer
    # than Unix allows, and then it hangs.
    command = [sys.executable, str(Path(__file__).with_name("judge.py")), str(CONFORMANCE)]
    pipe = subprocess.PIPE
    # None of our code runs there, so that tracing it for coverage would only make LeRobot slow.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1, env=environment) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def conformance(judge: subprocess.Popen[str], tmp_path: Path) -> Callable[..., Any]:
    """`conformance(dataset_dir, *flags)`: what the format's conformance check reports, all of it passed.

    The check is a program of its own beside this repository; it opens the dataset with LeRobot, offline.
    """

    def check(dataset_dir: Path, *flags: str) -> Any:
        assert judge.stdin is not None
        assert judge.stdout is not None
        report, log = tmp_path / "conformance.json", tmp_path / "conformance.log"
        asked = {"flags": [str(dataset_dir), "--json", str(report), *flags], "log": str(log)}
        judge.stdin.write(json.dumps(asked) + "\n")
        code = judge.stdout.readline().strip()
        assert code == "0", f"exit code {code}\n{log.read_text(encoding='utf-8') if log.exists() else ''}"
        return json.loads(report.read_text(encoding="utf-8"))

    return check
