"""Edited datasets in LeRobot: its reader gives every row and frame, and its tools take them."""

import numpy as np
import pytest

from support.dataset import TOP, WRIST, episode, two_cameras, write
from support.pictures import read_frame_id
from telecine.editing.edit import edit
from telecine.editing.merge import merge

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


def test_lerobot_reads_merged_datasets(tmp_path, lerobot_dataset, conformance):
    for name, numbers in (("a", (0, 1)), ("b", (2,))):
        clips = {n: two_cameras(tmp_path, LENGTHS[n], n) for n in numbers}
        write(tmp_path / name, [episode(LENGTHS[n], n, clips=clips[n], task=f"task {n % 2}") for n in numbers])
    merge([tmp_path / "b", tmp_path / "a"], tmp_path / "out")
    dataset = lerobot_dataset(tmp_path / "out")
    wanted = [(n, row) for n in (2, 0, 1) for row in range(LENGTHS[n])]
    for position in range(0, len(wanted), 5):
        number, row = wanted[position]
        item = dataset[position]
        shown = (item[TOP].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
        assert read_frame_id(shown) == (row, number, 0)
        assert item["task"] == f"task {number % 2}"
    conformance(tmp_path / "out")
