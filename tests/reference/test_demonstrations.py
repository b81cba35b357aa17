"""Demonstration files of every layout, converted and read by LeRobot: values, colours, order, task, rate, outcome."""

import importlib

import numpy as np
import pytest

from support import hdf5 as make
from support.hdf5 import patch_colours
from support.hdf5_layouts import BLIND, LAYOUTS
from support.proposed import shown_frame
from telecine import convert
from telecine.dataset.reader import Dataset


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


def aloha_file(h5py, path, rows, **attrs):
    """As act-plus-plus's compress_data.py and ALOHA's recorders store coded frames."""
    longest = max(map(len, rows))
    with h5py.File(path, "w") as file:
        file.attrs.update(attrs)
        file["action"], file["observations/qpos"] = make.ramp(len(rows), 14), make.ramp(len(rows), 14, 1)
        file["observations/images/top"] = np.stack([np.frombuffer(row.ljust(longest, b"\0"), "u1") for row in rows])
        file["compress_len"] = np.array([[len(row) for row in rows]], "f4")
    return path


SIMULATED = {"sim": True, "compress": True}


@pytest.mark.parametrize(
    ("attrs", "quality", "given", "exchanged"),
    [
        (SIMULATED, 50, "rgb", True),
        (SIMULATED, 95, "bgr", False),
        (SIMULATED | {"sim": False}, 50, "bgr", False),
        ({"compress": True}, 50, "bgr", False),
        ({"sim": True}, 50, "bgr", False),
    ],
)
def test_acts_own_loader_and_ours_agree_where_nothing_but_the_writer_tells(
    h5py, tmp_path, attrs, quality, given, exchanged
):
    """Frames of pure colours, coded by cv2 itself; ACT's loader takes what cv2.imdecode gives for RGB."""
    cv2 = importlib.import_module("cv2")
    film = make.film(6)
    arrays = film if given == "rgb" else film[..., ::-1]  # what the writer gave to cv2.imencode
    rows = [
        cv2.imencode(".jpg", np.ascontiguousarray(a), [int(cv2.IMWRITE_JPEG_QUALITY), quality])[1].tobytes()
        for a in arrays
    ]
    path = aloha_file(h5py, tmp_path / "x.hdf5", rows, **attrs)
    report = convert(path, tmp_path / "out", task="go")
    assert report.ok
    (said,) = [f.message for f in report.episodes[0].findings if "JPEG" in f.message]
    assert ("are exchanged" in said) is exchanged
    rgb = shown_frame(Dataset(tmp_path / "out"), "observation.images.top", 3)
    assert patch_colours(rgb) == [0, 1, 2]
    with h5py.File(path) as file:
        loaded = cv2.imdecode(file["observations/images/top"][3], 1)
    as_rgb = loaded if exchanged else loaded[..., ::-1]
    assert np.abs(rgb.astype(int) - as_rgb.astype(int)).mean() < 15
