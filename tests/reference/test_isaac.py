"""What Isaac Lab's recorder manager leaves, read by LeRobot."""

import numpy as np
import pytest

from support import isaac_lab
from support.isaac import HEIGHT, WIDTH, Env
from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler


@pytest.mark.parametrize("suffix", ["", "_failed"])
def test_lerobot_loads_what_the_recorder_manager_wrote(lerobot_dataset, tmp_path, suffix):
    version = isaac_lab.version()
    if not version or isaac_lab.missing(version):
        pytest.skip("outside this repository: isaaclab; see docs/isaaclab.md, Test it")
    manager, configs, _, _ = isaac_lab.load()
    import torch

    cfg = configs.ActionStateRecorderManagerCfg()
    cfg.dataset_export_dir_path, cfg.dataset_filename = str(tmp_path), "mine"
    cfg.dataset_export_mode = manager.DatasetExportMode.EXPORT_SUCCEEDED_FAILED_IN_SEPARATE_FILES
    cfg.dataset_file_handler_class_type = LeRobotDatasetFileHandler
    Env(torch, [(manager.RecorderManager, cfg)]).run(26)
    dataset = lerobot_dataset(tmp_path / f"mine{suffix}.lerobot")
    assert (dataset.num_episodes, dataset.fps) == (2, 20)
    item = dataset[len(dataset) - 1]
    assert tuple(item["observation.images.wrist"].shape) == (3, HEIGHT, WIDTH)
    assert tuple(item["observation.state"].shape) == (11,)
    assert bool(np.asarray(item["next.done"]))
    assert bool(np.asarray(item["next.success"])) is not bool(suffix)
