"""Frames in HDF5 that are no camera as they are: named, with how to get them."""

import numpy as np
import pytest

from support import hdf5 as make
from telecine import convert
from telecine.dataset.reader import Dataset
from telecine.sources import registry
from telecine.sources.hdf5.odd_cameras import odd_camera


def isaaclab(h5py, path, **arrays):
    make.isaaclab(h5py, path, demos=(0,), steps=6)
    with h5py.File(path, "a") as file:
        for name, values in arrays.items():
            file[f"data/demo_0/obs/{name}"] = values
    return path


FRAMES = np.zeros((6, 48, 64, 1))


@pytest.mark.parametrize(
    ("name", "values", "why", "fix"),
    [
        ("wrist_cam", make.film(6).astype("f4") / 255 - 0.4, "colours cannot be had back", "normalize=False"),
        ("table_depth", FRAMES.astype("f4") + 0.7, "depth without a unit", 'attrs["unit"] = "m"'),
        ("distance_to_camera", FRAMES[..., 0].astype("f4"), "depth without a unit", 'attrs["unit"]'),
        ("table_seg", FRAMES.astype("i4"), "segmentation", "colorize_semantic_segmentation=True"),
        ("semantic_segmentation", make.film(6), "segmentation", "--video NAME:/obs/semantic_segmentation"),
        ("something", FRAMES.astype("u2"), "depth or classes without a unit", '"mm" for millimetres'),
    ],
)
def test_unusable_cameras_are_named_with_how_to_get_them(h5py, tmp_path, name, values, why, fix):
    path = isaaclab(h5py, tmp_path / "x.hdf5", **{name: values})
    report = convert(path, tmp_path / "out", task="go")
    assert report.ok
    assert [f.key for f in Dataset(tmp_path / "out").features if f.dtype == "video"] == ["observation.images.table"]
    (entry,) = [e.item for e in report.left_out if e.item.stream == f"/obs/{name}"]
    assert why in entry.why
    assert fix in entry.fix
    (warning,) = [f for f in report.findings if f.code == "stream-left-out"]
    assert f"/obs/{name}" in warning.message


@pytest.mark.parametrize(("unit", "values"), [("m", FRAMES + 0.7), ("millimeters", FRAMES.astype("i2") + 700)])
def test_depth_with_a_unit_can_be_asked_for(h5py, tmp_path, unit, values):
    path = isaaclab(h5py, tmp_path / "x.hdf5", table_depth=values)
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs/table_depth"].attrs["unit"] = unit
    with registry.open(registry.find([path]).refs[0]) as recording:
        stream = recording.streams["/obs/table_depth"]
        frame = next(stream.take(np.array([2]), "time"))
        kind, one = ("f4", 0.7) if frame.encoding == "grayf32le" else ("u2", 700)
        assert np.frombuffer(frame.data, kind)[5] == pytest.approx(one)
        assert any("12-bit depth" in item.fix for item in recording.left_out if item.stream == "/obs/table_depth")


def test_maniskills_depth_is_in_millimetres(h5py, tmp_path):
    with registry.open(registry.find([make.maniskill(h5py, tmp_path / "x.h5")]).refs[0]) as recording:
        assert recording.streams["/obs/sensor_data/base_camera/depth"].schema.unit == "mm"


def test_numbers_that_are_no_frames_are_no_cameras(h5py, tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["pose"], file["clouds"] = np.zeros((6, 4, 4)), np.zeros((6, 2048, 3), "f4")
        file["vector"], file["rgb"] = np.zeros((6, 20)), make.film(6)
        assert [odd_camera(name, file[name], None) for name in file] == [None] * 4
