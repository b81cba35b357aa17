"""The plans that ship with telecine, on RLDS datasets with the features that their publishers describe."""

from pathlib import Path

import numpy as np
import pytest

import telecine
from support import rlds as make
from support.hdf5 import jpeg, patches, ramp
from telecine.core.errors import PlanError
from telecine.dataset.reader import Dataset

STEPS = 6
WIDTHS = {
    "fractal": {"observation/base_pose_tool_reached": 7, "observation/gripper_closed": 1, "action/world_vector": 3,
                "action/rotation_delta": 3, "action/gripper_closedness_action": 1},
    "droid": {"observation/joint_position": 7, "observation/gripper_position": 1, "action_dict/joint_position": 7,
              "action_dict/gripper_position": 1},
    "libero": {"observation/state": 8, "action": 7},
    "bridge": {"observation/state": 7, "action": 7},
}  # fmt: skip
CAMERAS = {
    "fractal": ("image",),
    "droid": ("exterior_image_1_left", "exterior_image_2_left", "wrist_image_left"),
    "libero": ("image", "wrist_image"),
    "bridge": ("image_0",),
}
NAMES = {"fractal": "fractal20220817_data", "droid": "droid_100", "libero": "libero_10_no_noops",
         "bridge": "bridge_dataset"}  # fmt: skip


def dataset(root: Path, kind: str) -> tuple[Path, dict[str, np.ndarray]]:
    """(folder, values): numbers of 0 to 1, so that a gripper is one."""
    values = {key: ramp(STEPS, width, n) / 100 for n, (key, width) in enumerate(WIDTHS[kind].items())}
    tree = {}
    for key, width in WIDTHS[kind].items():
        node = tree
        for part in key.split("/")[:-1]:
            node = node.setdefault(part, {})
        node[key.rpartition("/")[2]] = make.tensor(width)
    for camera in CAMERAS[kind]:
        tree["observation"][camera] = make.image()
    language = "natural_language_instruction" if kind == "fractal" else "language_instruction"
    (tree["observation"] if kind == "fractal" else tree)[language] = make.TEXT
    text_key = f"steps/{'observation/' if kind == 'fractal' else ''}{language}"
    frames = {f"steps/observation/{c}": [jpeg(patches(i)) for i in range(STEPS)] for c in CAMERAS[kind]}
    numbers = {f"steps/{key}": array.astype("f4") for key, array in values.items()}
    record = {**numbers, **frames, text_key: [b"open the drawer"] * STEPS}
    return make.dataset(root, [[record]], name=NAMES[kind], step=tree), values


@pytest.mark.parametrize("kind", sorted(WIDTHS))
def test_a_preset_converts_its_dataset_with_grippers_that_open_at_1(crc32c, tmp_path, kind):
    folder, values = dataset(tmp_path, kind)
    report = telecine.convert([folder], tmp_path / "out", plan=f"preset:{kind}")
    assert not report.rejected
    rows = Dataset(tmp_path / "out").rows(0)
    state, action = (np.stack(rows[key].to_pylist()) for key in ("observation.state", "action"))
    parts = list(values.items())
    of_action = [array for key, array in parts if key.startswith("action")]
    of_state = [array for key, array in parts if key.startswith("observation")]
    expected_state, expected_action = np.hstack(of_state), np.hstack(of_action)
    if kind in ("fractal", "droid"):
        expected_state[:, -1] = 1 - expected_state[:, -1]
    if kind == "droid":
        expected_action[:, -1] = 1 - expected_action[:, -1]
    if kind == "libero":
        expected_action[:, -1] = (1 - expected_action[:, -1]) / 2
    assert np.allclose(state, expected_state, atol=1e-6)
    assert np.allclose(action, expected_action, atol=1e-6)
    assert Dataset(tmp_path / "out").episodes[0].tasks == ("open the drawer",)


def test_a_preset_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(PlanError, match="no such plan.*bridge, droid, fractal, libero"):
        telecine.convert([tmp_path], tmp_path / "out", plan="preset:brigde")
