"""Names of cameras and of vector elements."""

import pytest

from telecine.core.naming import MOST_NAMED, camera_name, element_names, file_below, joined_names, numbered


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


def test_a_template_gives_a_path_in_the_folder():
    assert file_below("videos/{key}/file-{file:03d}.mp4", key="top", file=7) == "videos/top/file-007.mp4"
    assert file_below("data/..a/b..c", key=1) == "data/..a/b..c"


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/x", "\\x", "a\\..\\x", "C:x", ""])
def test_no_template_leads_out_of_its_folder(key):
    with pytest.raises(ValueError, match="leads out"):
        file_below("{key}/file.mp4", key=key)


@pytest.mark.parametrize(
    "template", ["{a:999999999999d}", "{a.__class__}", "{a[0]}", "{a!r}", "{}", "{a:{a}}", "{{", "{a:>99999999}"]
)
def test_a_template_that_asks_for_more_than_fields_is_not_filled_in(template):
    with pytest.raises(ValueError, match="is no template"):
        file_below(template, a=1)


@pytest.mark.parametrize("template", ["{b}", "{0}"])
def test_a_field_that_is_not_known_is_named(template):
    with pytest.raises(ValueError, match="field that is not known"):
        file_below(template, a=1)


@pytest.mark.parametrize(
    ("streams", "known", "expected"),
    [
        (["/left/joint_states:position", "/right/joint_states:position"], [("j1", "j2")] * 2,
         [("left_j1", "left_j2"), ("right_j1", "right_j2")]),
        (["/master/joint_left:position", "/master/joint_right:position"], [("j1",)] * 2,
         [("joint_left_j1",), ("joint_right_j1",)]),
        (["/tf:base->left_tool", "/tf:base->right_tool"], [("x",)] * 2, [("left_tool_x",), ("right_tool_x",)]),
        (["/l/s:position", "/r/s:position"], [("l_j1",), ("l_j1",)], [("l_j1",), ("r_l_j1",)]),
        (["/joints:position", "/gripper/left:data"], [("j1", "j2"), None], [("j1", "j2"), ("gripper_left",)]),
        (["/obs/arm:Scalars:scalars", "/obs/hand:Scalars:scalars"], [None, None], [("arm",), ("hand",)]),
        (["/data", "/a"], [None, ("x",)], [("data",), ("x",)]),
    ],
)  # fmt: skip
def test_vectors_side_by_side_get_names_that_tell_them_apart(streams, known, expected):
    assert list(joined_names(streams, known, [[0]] * len(streams))) == expected


def test_numbers_called_after_their_own_path_say_it_once():
    streams = [f"/state/{side}/joint_{n}:Scalars:scalars" for side in ("left", "right") for n in (1, 2)]
    named = joined_names(streams, [("joint_1",), ("joint_2",)] * 2, [[0]] * 4)
    assert list(named) == [("left_joint_1",), ("left_joint_2",), ("right_joint_1",), ("right_joint_2",)]


def test_elements_without_names_are_called_by_their_number_in_the_stream():
    named = list(joined_names(["/arm", "/hand:data"], [("a",), None], [[0], [3, 5]]))
    assert named == [("a",), ("hand_3", "hand_5")]


def test_no_element_is_named_of_a_vector_that_no_feature_can_be():
    assert numbered("x", 2) == ("x_0", "x_1")
    assert len(numbered("x", MOST_NAMED)) == MOST_NAMED
    assert numbered("x", MOST_NAMED + 1) is None
    assert element_names("image", (1 << 40,)) is None
