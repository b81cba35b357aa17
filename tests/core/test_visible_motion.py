"""Which joints a camera shows is learned from what changes in its frames."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from telecine.core.quality.visible_motion import joint_paths, joint_weights, seen_motion

PART = st.floats(0, 1, width=32)


def moves(count=60, width=6, seed=0):
    """(count, width) of two arms of three joints that take turns, and now and then move together."""
    rng = np.random.default_rng(seed)
    moved = rng.uniform(0.02, 0.2, (count, width))
    moved[: count // 3, :3] = 0
    moved[count // 3 : -count // 3, 3:] = 0
    return moved


def test_an_arm_that_a_camera_does_not_show_counts_for_nothing():
    moved = moves()
    weights = joint_weights(40 * moved[:, :3].sum(axis=1), moved)
    assert weights[:3].min() > 1.5
    assert weights[3:].max() < 0.3
    hidden = seen_motion(moved, weights)[:20]
    assert hidden.mean() < 0.1 * seen_motion(moved, weights)[20:40].mean()


def test_few_samples_say_little():
    few, many = (joint_weights(40 * m[:, :3].sum(axis=1), m)[3:].mean() for m in (moves(3), moves(60)))
    assert few > 3 * many


def test_all_joints_count_alike_where_nothing_is_known():
    moved = moves()
    assert joint_weights(np.zeros(60), moved).tolist() == [1] * 6
    assert joint_weights(np.ones(60), np.zeros((60, 6))).tolist() == [1] * 6
    assert joint_weights(np.ones(0), np.zeros((0, 6))).tolist() == [1] * 6


@given(arrays(np.float64, (12, 4), elements=PART), arrays(np.float64, 12, elements=PART))
def test_weights_are_never_negative_and_one_on_average(moved, changes):
    weights = joint_weights(changes, moved)
    assert np.isfinite(weights).all()
    assert weights.min() >= 0
    known = (moved > 0).any(axis=0) if changes @ moved.sum(axis=1) > 0 else np.ones(4, bool)
    np.testing.assert_allclose(weights[known].mean(), 1, rtol=1e-6)


def test_one_joint_alone_is_no_motion_that_a_camera_has_to_show():
    moved = np.zeros((5, 3))
    moved[:, 2] = 1.0
    assert seen_motion(moved, np.ones(3)).tolist() == [0] * 5
    moved[0, 0] = 0.5
    assert seen_motion(moved, np.ones(3)).tolist() == [0.25, 0, 0, 0, 0]
    assert seen_motion(moved[:, 2:], np.ones(1)).tolist() == [0] * 5


def test_paths_count_every_way_in_parts_of_the_range():
    paths = joint_paths(np.array([[0.0, 5.0], [2.0, 5.0], [0.0, 5.0]]))
    assert paths.tolist() == [[0, 0], [1, 0], [2, 0]]
