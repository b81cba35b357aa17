"""Names of cameras and of vector elements."""

import pytest

from telecine.core.naming import camera_name, element_names


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("wrist_cam", "wrist"),
        ("camera_rgb", "camera"),
        ("agentview_image", "agentview"),
        ("cam_high", "cam_high"),
        ("_rgb", "rgb"),
        ("front camera", "front"),
        ("top/left_color", "top_left"),
    ],
)
def test_a_camera_is_called_by_what_tells_it_from_others(given, name):
    assert camera_name(given) == name


@pytest.mark.parametrize(
    ("name", "shape", "quaternion", "names"),
    [
        ("eef_pos", (3,), "", ("eef_pos_x", "eef_pos_y", "eef_pos_z")),
        ("joint_pos", (3,), "", ("joint_pos_0", "joint_pos_1", "joint_pos_2")),
        ("eef_quat", (4,), "wxyz", ("eef_quat_w", "eef_quat_x", "eef_quat_y", "eef_quat_z")),
        ("eef_quat", (4,), "", ("eef_quat_0", "eef_quat_1", "eef_quat_2", "eef_quat_3")),
        ("root_pose", (7,), "xyzw", tuple(f"root_pose_{p}" for p in ("x", "y", "z", "qx", "qy", "qz", "qw"))),
        ("gripper", (), "", ("gripper",)),
        ("keypoints", (9, 2), "", None),
    ],
)
def test_elements_are_named_by_axis_where_the_name_tells(name, shape, quaternion, names):
    assert element_names(name, shape, quaternion) == names
