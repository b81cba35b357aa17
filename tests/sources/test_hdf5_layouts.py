"""Every layout against what h5py or zarr reads: values, colours, order of frames and episodes, task, rate, outcome."""

import numpy as np
import pytest

from support.hdf5 import patch_colours
from support.hdf5_layouts import BLIND, LAYOUTS
from support.proposed import shown_frame
from telecine import convert
from telecine.dataset.reader import Dataset


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_dataset_is_what_the_file_holds(request, tmp_path, name):
    expected = LAYOUTS[name]
    library = request.getfixturevalue(expected.library)
    path = expected.write(library, tmp_path)
    report = convert(path, tmp_path / "out", **expected.convert_flags())
    assert report.ok, [str(f) for f in report.all_findings]
    dataset = Dataset(tmp_path / "out")
    cameras = [feature.key for feature in dataset.features if feature.dtype == "video"]
    assert bool(cameras) == (name not in BLIND)
    assert report.fps == dataset.fps == expected.fps
    assert [episode.success for episode in report.episodes] == list(expected.success)
    assert [said["recording_id"].strip("/") for said in dataset.provenance] == list(expected.groups)
    file = expected.open(library, path)
    for episode in range(len(expected.groups)):
        stored = dataset.rows(episode, ["observation.state", "action"])
        wanted = expected.arrays(file, episode)
        for key, values in zip(("observation.state", "action"), wanted, strict=True):
            assert np.array_equal(np.array(stored[key].to_pylist()).astype("f4"), values)
        assert dataset.episodes[episode].tasks[0].startswith(expected.task or "go")
        for key in cameras:
            for row in (0, len(wanted[0]) - 1):
                rgb = shown_frame(dataset, key, row, episode)
                assert patch_colours(rgb) == [0, 1, 2]
                assert rgb[2].min(axis=1).argmax() == expected.first_shown(episode) + row
