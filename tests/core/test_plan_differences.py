"""Where two plans differ, their first different keys are named."""

import pytest

from telecine.core.plan.differences import plan_differences


@pytest.mark.parametrize(
    ("there", "here", "said"),
    [
        ({"fps": 15}, {"fps": 9}, "fps is 15 there, 9 here"),
        ({"fps": 15}, {"fps": 15, "layout": "v2.1"}, "layout is not given there, 'v2.1' here"),
        ({"robot_type": "so101"}, {}, "robot_type is 'so101' there, not given here"),
        (
            {"features": {"action": {"from": "/a", "limit": "4ms"}}},
            {"features": {"action": {"from": ["/a", "/b"], "limit": "5ms"}}},
            "features.action.from is another; features.action.limit is '4ms' there, '5ms' here",
        ),
        ({"features": {"action": {"from": "/a"}}}, {"features": {}}, "features.action is another"),
        (
            dict.fromkeys("abcde", 1),
            dict.fromkeys("abcde", 2),
            "a is 1 there, 2 here; b is 1 there, 2 here; c is 1 there, 2 here; and 2 more",
        ),
        ({"features": {"a": 1, "b": 2}}, {"features": {"b": 2, "a": 1}}, "the order of its features is another"),
    ],
)
def test_the_first_keys_that_differ_are_named(there, here, said):
    assert plan_differences(there, here) == said
