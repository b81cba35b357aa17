"""A control for every other test here: the judges accept a dataset that LeRobot wrote itself."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FRAMES = 12


@pytest.fixture
def written_by_lerobot(lerobot: None, tmp_path: Path) -> Path:
    """One episode with one camera, its frames grey at level 20k."""
    dataset_type = importlib.import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    root = tmp_path / "control"
    features = {
        "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
        "observation.images.front": {
            "dtype": "video",
            "shape": (64, 96, 3),
            "names": ["height", "width", "channels"],
        },
    }
    dataset = dataset_type.create("local/control", 10, features=features, root=root, use_videos=True)
    for k in range(FRAMES):
        dataset.add_frame(
            {
                "action": np.array([k, -k], np.float32),
                "observation.images.front": np.full((64, 96, 3), 20 * k, np.uint8),
                "task": "count",
            }
        )
    dataset.save_episode()
    dataset.finalize()
    return root


@pytest.mark.parametrize("backend", ["torchcodec", "pyav"])
def test_lerobot_reads_its_own_dataset(
    written_by_lerobot: Path, lerobot_dataset: Callable[..., Any], backend: str
) -> None:
    dataset = lerobot_dataset(written_by_lerobot, video_backend=backend)
    row = dataset[7]
    assert len(dataset) == FRAMES
    assert row["action"].tolist() == [7, -7]
    assert float(row["observation.images.front"].mean()) == pytest.approx(140 / 255, abs=0.02)
    assert row["task"] == "count"


def test_conformance_passes_lerobots_own_dataset(written_by_lerobot: Path, conformance: Callable[..., Any]) -> None:
    assert conformance(written_by_lerobot, "--no-tools")["ok"]


def test_conformance_fails_a_damaged_dataset(written_by_lerobot: Path, conformance: Callable[..., Any]) -> None:
    path = written_by_lerobot / "meta" / "info.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(info | {"total_frames": FRAMES - 1}), encoding="utf-8")
    with pytest.raises(AssertionError, match="FAIL"):
        conformance(written_by_lerobot, "--static-only")
