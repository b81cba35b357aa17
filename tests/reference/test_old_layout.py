"""LeRobot's own converter takes our v2.1 dataset, and what comes out is our v3.0 dataset."""

import subprocess
import sys

import numpy as np

from support.dataset import everything, write
from telecine.dataset.reader import Dataset
from telecine.dataset.v2_writer import write_v2


def test_lerobots_converter_makes_of_it_what_we_write_ourselves(tmp_path, lerobot_dataset):
    ours = write(tmp_path / "ours", everything(tmp_path)[::2])  # it refuses episodes of one row
    theirs, scratch = tmp_path / "theirs", tmp_path / "scratch"
    theirs.mkdir()
    scratch.mkdir()
    write_v2(ours, theirs, "v2.1", scratch=scratch)
    command = ["lerobot.scripts.convert_dataset_v21_to_v30", "--repo-id=local/x", f"--root={theirs}"]
    ran = subprocess.run(
        [sys.executable, "-m", *command, "--push-to-hub=false"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    one, other = lerobot_dataset(ours), lerobot_dataset(theirs)
    assert len(one) == len(other)
    for row in range(len(one)):
        first, second = one[row], other[row]
        assert set(first) == set(second)
        for key, value in first.items():
            if isinstance(value, str):
                assert second[key] == value, key
            else:
                np.testing.assert_array_equal(value.numpy(), second[key].numpy(), err_msg=key)
    before, after = (Dataset(root).json("meta/stats.json") for root in (ours, theirs))
    for key in ("action", "observation.state"):
        for name in ("min", "max", "mean", "std", "count"):
            np.testing.assert_allclose(after[key][name], before[key][name], rtol=1e-6, err_msg=f"{key} {name}")
