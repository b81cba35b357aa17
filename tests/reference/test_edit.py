"""Edited datasets in LeRobot: its reader gives every row and frame, and its tools take them."""

import numpy as np
import pytest

from support.dataset import TOP, WRIST, episode, two_cameras, write
from support.pictures import read_frame_id
from telecine.editing.edit import edit

LENGTHS = (23, 12, 31)


@pytest.mark.parametrize(
    "options", [{}, {"preset": "archive", "codec": "h264"}, {"codec": "av1"}, {"preset": "images"}]
)
def test_lerobot_reads_each_kept_row_and_its_frame(tmp_path, lerobot_dataset, conformance, options):
    clips = [two_cameras(tmp_path, n, i, **options) for i, n in enumerate(LENGTHS)]
    write(tmp_path / "in", [episode(n, i, clips=clips[i]) for i, n in enumerate(LENGTHS)])
    edit(tmp_path / "in", tmp_path / "out", delete="1", trim="2:4..29", split="0:11", task="2=wipe")
    dataset = lerobot_dataset(tmp_path / "out")
    wanted = [(0, row) for row in range(23)] + [(2, row) for row in range(4, 29)]
    assert len(dataset) == len(wanted)
    for position, (number, row) in enumerate(wanted):
        item = dataset[position]
        for camera, key in enumerate((TOP, WRIST)):
            shown = (item[key].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
            assert read_frame_id(shown) == (row, number, camera)
        assert item["task"] == ("wipe" if number == 2 else "pick up the cube")
    conformance(tmp_path / "out")
