"""YAML that strangers wrote: plain data within bounds."""

import pytest

from telecine.core.text.documents import DEEPEST_YAML, plain_yaml, suggest


def test_plain_values_are_read_however_they_are_nested_up_to_the_limit():
    assert plain_yaml("a: [1, {b: 2}]") == {"a": [1, {"b": 2}]}
    deepest = plain_yaml("[" * DEEPEST_YAML + "]" * DEEPEST_YAML)
    for _ in range(DEEPEST_YAML - 1):
        (deepest,) = deepest
    assert deepest == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x [1]\nb: *x", "aliases"),
        ("[" * (DEEPEST_YAML + 1) + "]" * (DEEPEST_YAML + 1), f"nested deeper than {DEEPEST_YAML}"),
    ],
)
def test_yaml_that_could_expand_or_exhaust_the_stack_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        plain_yaml(text)


def test_a_suggestion_weighs_what_tells_names_apart():
    cameras = ["/camera/front/image", "/camera/wrist/image", "/wrist_cam/image_raw"]
    assert suggest("/camera/rist/image", cameras) == "; did you mean '/camera/wrist/image'?"
    arms = ["/left_arm/joint_states", "/right_arm/joint_states", "/left_arm/gripper"]
    assert suggest("/rigth_arm/joint_states", arms) == "; did you mean '/right_arm/joint_states'?"
    assert suggest("nothing like it", ["fps", "task"]) == ""
    assert suggest("€", ["£", "fps"]) == ""
    assert suggest("fps", []) == ""


def test_a_number_in_base_60_of_very_many_digits_is_not_calculated():
    assert plain_yaml("a: 1:30") == {"a": 90}
    with pytest.raises(ValueError, match="base 60"):
        plain_yaml("a: 1" + ":59" * 10_001)
