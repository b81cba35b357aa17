"""What each project's own loader reads of its demonstrations, beside what a dataset of telecine holds of them.

The loaders are the projects' own, unchanged, laid into folders by install.py; ManiSkill's imports its simulator, in
whose place stand-ins answer. LIBERO's `get_dataset` is robomimic's loader. docs/hdf5.md says what has no loader to ask.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from consumers.install import FOLDER
from support.hdf5_layouts import LAYOUTS
from support.proposed import shown_frame
from telecine import convert
from telecine.dataset.reader import Dataset

pytestmark = pytest.mark.long

ROBOMIMIC = """
import sys
import numpy as np
import robomimic.utils.obs_utils as specs
from robomimic.utils.dataset import SequenceDataset
path, out, low, rgb = sys.argv[1:]
keys = {"low_dim": low.split(","), "rgb": rgb.split(",")}
specs.initialize_obs_utils_with_obs_specs({"obs": keys})
loader = SequenceDataset(path, [*keys["low_dim"], *keys["rgb"]], ["actions"], load_next_obs=False)
rows = [loader[i] for i in range(len(loader))]
found = {name: np.stack([row["obs"][name][0] for row in rows]) for name in loader.obs_keys}
lengths = [loader._demo_id_to_demo_length[demo] for demo in loader.demos]
np.savez(out, action=np.stack([row["actions"][0] for row in rows]), lengths=lengths, demos=loader.demos, **found)
"""
MANISKILL = """
import sys
from unittest.mock import MagicMock
import numpy as np
import importlib.util
from types import ModuleType
package = ModuleType("mani_skill")
package.__path__ = list(importlib.util.find_spec("mani_skill").submodule_search_locations)
sys.modules["mani_skill"] = package
for name in ("sapien", "sapien.physx", "mani_skill.utils.structs", "mani_skill.utils.structs.types"):
    sys.modules[name] = MagicMock()
from mani_skill.trajectory.dataset import ManiSkillTrajectoryDataset
loader = ManiSkillTrajectoryDataset(sys.argv[1])
camera = loader.obs["sensor_data"]["base_camera"]["rgb"]
np.savez(sys.argv[2], action=loader.actions, state=loader.obs["agent"]["qpos"], rgb=camera, success=loader.success)
"""
MINARI = """
import sys
from pathlib import Path
import numpy as np
from gymnasium.spaces import Box, Dict
from minari import MinariDataset
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage
form, folder, out = sys.argv[1:]
seen = {"observation": Box(-9, 9, (5,), np.float32), "desired_goal": Box(-9, 9, (3,), np.float32),
        "image": Box(0, 255, (48, 64, 3), np.uint8)}
storage = MinariStorage.new(Path(folder), Dict(seen), Box(-9, 9, (4,), np.float32), data_format=form)
patches = np.zeros((48, 64, 3), np.uint8)
for third in range(3):
    patches[:, third * 64 // 3 : (third + 1) * 64 // 3, third] = 220
def buffer(number, steps):
    values = np.random.default_rng(number)
    frames = np.stack([patches] * (steps + 1))
    frames[:, :8] = values.integers(0, 255, (steps + 1, 8, 64, 3)) * (number > 0)
    observations = {"observation": values.random((steps + 1, 5), np.float32),
                    "desired_goal": values.random((steps + 1, 3), np.float32), "image": frames}
    return EpisodeBuffer(id=number, observations=observations, actions=values.random((steps, 4), np.float32),
                         rewards=list(values.random(steps)), terminations=[False] * (steps - 1) + [True],
                         truncations=[False] * steps)
storage.update_episodes([buffer(0, 6), buffer(1, 9), buffer(10, 4)] if form != "hdf5" else [buffer(0, 6), buffer(1, 9)])
loader = MinariStorage.read(folder)
count = 3 if form != "hdf5" else 2
numbers = (0, 1, 10)[:count]
found = list(loader.get_episodes(numbers))
np.savez(out, action=np.concatenate([e["actions"] for e in found]), lengths=[len(e["actions"]) for e in found],
         state=np.concatenate([e["observations"]["observation"][:-1] for e in found]),
         reward=np.concatenate([e["rewards"] for e in found]), done=np.concatenate([e["terminations"] for e in found]))
"""


def own(package: str, script: str, *arguments: str) -> None:
    """Run a project's loader on our environment's libraries."""
    if not (FOLDER / package).is_dir():
        pytest.skip(f"needs its package: python tests/consumers/install.py {package}")
    environment = os.environ | {"PYTHONPATH": str(FOLDER / package), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def all_rows(dataset: Dataset, key: str) -> np.ndarray:
    """One feature of all episodes, in order."""
    rows = [np.array(dataset.rows(e.index, [key])[key].to_pylist()) for e in dataset.episodes]
    return np.concatenate(rows).astype("f4")


def converted(path: Path, out: Path, **flags: object) -> Dataset:
    """The dataset of everything in the file."""
    assert convert(path, out, **flags).ok
    return Dataset(out)


def assert_looks_like(dataset: Dataset, key: str, frames: np.ndarray) -> None:
    """First and last frame show those colours where they are, but for what coding loses."""
    last = dataset.episodes[-1]
    for shown, frame in (
        (shown_frame(dataset, key), frames[0]),
        (shown_frame(dataset, key, last.length - 1, last.index), frames[-1]),
    ):
        assert np.abs(shown.astype(int) - frame.astype(int)).mean() < 12


@pytest.mark.parametrize(
    ("layout", "camera", "turned"),
    [
        ("robomimic", "agentview_image", False),
        ("mimicgen", "agentview_image", False),
        ("libero", "agentview_rgb", True),
    ],
)
def test_robomimics_sequence_dataset(h5py, tmp_path, layout, camera, turned):
    expected = LAYOUTS[layout]
    path = expected.write(h5py, tmp_path)
    low = [name.removeprefix("obs/") for name in expected.state]
    own("robomimic", ROBOMIMIC, str(path), str(tmp_path / "own.npz"), ",".join(low), camera)
    loader = np.load(tmp_path / "own.npz")
    dataset = converted(path, tmp_path / "out", **expected.convert_flags())
    assert [e.length for e in dataset.episodes] == loader["lengths"].tolist()
    assert [p["recording_id"].rpartition("/")[2] for p in dataset.provenance] == loader["demos"].tolist()
    assert np.array_equal(all_rows(dataset, "action"), loader["action"].astype("f4"))
    state = np.concatenate([loader[name] for name in low], axis=1)
    assert np.array_equal(all_rows(dataset, "observation.state"), state.astype("f4"))
    frames = loader[camera][:, ::-1, ::-1] if turned else loader[camera]  # LIBERO's are stored upside down
    assert_looks_like(dataset, "observation.images.agentview", frames)


def test_maniskills_trajectory_dataset(h5py, tmp_path):
    expected = LAYOUTS["maniskill"]
    path = expected.write(h5py, tmp_path)
    own("mani-skill", MANISKILL, str(path), str(tmp_path / "own.npz"))
    loader = np.load(tmp_path / "own.npz")
    dataset = converted(path, tmp_path / "out", **expected.convert_flags())
    assert np.array_equal(all_rows(dataset, "action"), loader["action"])
    assert np.array_equal(all_rows(dataset, "observation.state"), loader["state"])
    assert np.array_equal(all_rows(dataset, "next.success").astype(bool), loader["success"])
    assert_looks_like(dataset, "observation.images.base", loader["rgb"])


@pytest.mark.parametrize("form", ["hdf5", "arrow", "parquet"])
def test_minaris_own_writer_and_reader(h5py, tmp_path, form):
    (tmp_path / "set").mkdir()
    own("minari", MINARI, form, str(tmp_path / "set/data"), str(tmp_path / "own.npz"))
    loader = np.load(tmp_path / "own.npz")
    dataset = converted(tmp_path / "set", tmp_path / "out", task="reach", rate=25)
    assert [e.length for e in dataset.episodes] == loader["lengths"].tolist()
    for key, name in (("action", "action"), ("observation.state", "state"), ("next.reward", "reward")):
        assert np.array_equal(all_rows(dataset, key), loader[name].astype("f4"))
    assert np.array_equal(all_rows(dataset, "next.done").astype(bool), loader["done"])
    shown = shown_frame(dataset, "observation.images.image")
    assert [int(shown[24, x].argmax()) for x in (10, 32, 54)] == [0, 1, 2]
