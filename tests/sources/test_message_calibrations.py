"""Calibrations of cameras: from camera_info beside the images, and from the chain of static transforms."""

import numpy as np
import pytest

from support.memory import seconds
from support.ros import MemoryTopic, lists, numbers, texts
from telecine.core.recording import Ref
from telecine.sources.messages.model import Contents, LeafColumn
from telecine.sources.messages.streams import recording_of

K = [600.0, 0, 320, 0, 601, 240, 0, 0, 1]


def recording(*topics):
    return recording_of(Ref("mcap", "x.mcap"), Contents(tuple(sorted(topics, key=lambda t: t.name))))


def info(name, frame="cam_optical", k=K, **more):
    columns = {
        "header.frame_id": texts([frame] * 2), "height": numbers([480, 480], "uint32"),
        "width": numbers([640, 640], "uint32"), "distortion_model": texts(["plumb_bob"] * 2),
        "d[]": lists([[0.1, 0.2, 0, 0, 0]] * 2), "k[]": lists([k, K]), **more,
    }  # fmt: skip
    return MemoryTopic(name, "sensor_msgs/msg/CameraInfo", seconds(1, 2), columns)


def images(name):
    columns = {"format": texts(["jpeg"] * 2), "data[]": lists([[0xFF, 0xD8, 0xFF, *[0] * 61]] * 2, "uint8")}
    return MemoryTopic(name, "sensor_msgs/msg/CompressedImage", seconds(1, 2), columns)


def static(*pairs, name="/tf_static"):
    """(parent, child, (x, y, z, qx, qy, qz, qw)) each, in one message."""
    bounds = (np.array([0, len(pairs)]),)
    parents, children = texts([p for p, _, _ in pairs]), texts([c for _, c, _ in pairs])
    values = np.array([v for _, _, v in pairs], float).reshape(-1, 7)
    axes = ("translation.x", "translation.y", "translation.z", *(f"rotation.{a}" for a in "xyzw"))
    columns = {f"transforms[].transform.{a}": LeafColumn(values[:, i], bounds) for i, a in enumerate(axes)}
    columns["transforms[].header.frame_id"] = LeafColumn(parents.values, bounds, parents.texts)
    columns["transforms[].child_frame_id"] = LeafColumn(children.values, bounds, children.texts)
    return MemoryTopic(name, "tf2_msgs/msg/TFMessage", seconds(1), columns, latched=True)


def test_camera_info_goes_with_the_images_of_its_namespace():
    found = recording(info("/front/camera_info"), images("/front/image_raw/compressed"), images("/wrist/image_raw"))
    assert list(found.calibrations) == ["/front/image_raw/compressed"]
    calibration = found.calibrations["/front/image_raw/compressed"]
    assert (calibration.width, calibration.height, calibration.intrinsics) == (640, 480, tuple(K))
    assert (calibration.distortion_model, calibration.distortion) == ("plumb_bob", (0.1, 0.2, 0, 0, 0))
    assert (calibration.extrinsics, calibration.frame) == (None, None)
    why = {item.stream: item.why for item in found.left_out}
    assert "meta/telecine/cameras.json" in why["/front/camera_info"]


def test_static_transforms_lead_from_the_camera_to_the_base():
    half = np.sqrt(0.5)
    chain = static(
        ("world", "base_link", (9, 9, 9, 0, 0, 0, 1)),
        ("base_link", "mast", (0, 0, 1, 0, 0, half, half)),  # turned by 90 degrees about z
        ("mast", "cam_optical", (2, 0, 0, 0, 0, 0, 1)),
    )
    found = recording(info("/front/camera_info"), images("/front/image_raw"), chain)
    calibration = found.calibrations["/front/image_raw"]
    expected = [[0, -1, 0, 0], [1, 0, 0, 2], [0, 0, 1, 1], [0, 0, 0, 1]]
    np.testing.assert_allclose(np.reshape(calibration.extrinsics, (4, 4)), expected, atol=1e-12)
    assert calibration.frame == "base_link"


def test_a_camera_on_a_moving_link_stands_in_that_link():
    found = recording(info("/w/camera_info"), images("/w/image_raw"), static(("tool0", "cam_optical", [0] * 6 + [1])))
    assert found.calibrations["/w/image_raw"].frame == "tool0"


def test_frames_that_go_in_a_circle_end():
    circle = static(("a", "cam_optical", [0] * 6 + [1]), ("cam_optical", "a", [0] * 6 + [1]))
    assert recording(info("/w/camera_info"), images("/w/image_raw"), circle).calibrations["/w/image_raw"].frame


@pytest.mark.parametrize("k", [[0.0] * 9, [float("nan")] * 9])
def test_a_camera_that_is_not_calibrated_has_no_intrinsics(k):
    found = recording(info("/w/camera_info", k=k), images("/w/image_raw"))
    assert found.calibrations["/w/image_raw"].intrinsics is None
