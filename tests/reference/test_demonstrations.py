"""Demonstration files of every layout, converted and read by LeRobot: values, colours, order, task, rate, outcome."""

import numpy as np
import pytest

from support.hdf5 import patch_colours
from support.hdf5_layouts import BLIND, LAYOUTS
from telecine import convert


def shown(item, key):
    """(height, width, 3) uint8."""
    return (item[key].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)


@pytest.mark.parametrize("name", LAYOUTS)
def test_lerobot_reads_the_rows_and_frames_of_every_layout(request, tmp_path, lerobot_dataset, name):
    expected = LAYOUTS[name]
    library = request.getfixturevalue(expected.library)
    path = expected.write(library, tmp_path)
    assert convert(path, tmp_path / "out", **expected.convert_flags()).ok
    dataset = lerobot_dataset(tmp_path / "out")
    file, start = expected.open(library, path), 0
    assert (dataset.fps, dataset.num_episodes) == (expected.fps, len(expected.groups))
    assert bool(dataset.meta.camera_keys) == (name not in BLIND)
    for episode, success in enumerate(expected.success):
        wanted = dict(zip(("observation.state", "action"), expected.arrays(file, episode), strict=True))
        count = len(wanted["action"])
        for row in (0, count // 2, count - 1):
            item = dataset[start + row]
            assert int(item["episode_index"]) == episode
            assert item["task"].startswith(expected.task or "go")
            assert all(np.array_equal(item[key].numpy(), values[row]) for key, values in wanted.items())
            for key in dataset.meta.camera_keys:
                rgb = shown(item, key)
                assert patch_colours(rgb) == [0, 1, 2]
                assert rgb[2].min(axis=1).argmax() == expected.first_shown(episode) + row
        if success is not None:
            assert bool(item["next.success"]) is success
        start += count
    assert start == len(dataset)
