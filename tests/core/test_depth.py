"""Depth on 4096 steps: laws of the formula; that it is LeRobot's is shown in tests/reference."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.depth import LEVELS, MAX_M, MIN_M, depth_codes, depth_levels, is_depth
from telecine.core.stats import camera_stats


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50))
def test_codes_grow_with_distance_and_come_back_within_a_step(values):
    depth = np.sort(np.array(values, np.uint16))
    codes = depth_codes(depth, "mm")
    assert np.all(np.diff(codes.astype(int)) >= 0)
    inside = (depth >= MIN_M * 1000) & (depth <= MAX_M * 1000)
    assert np.all(np.abs(depth_levels()[codes[inside]] - depth[inside]) <= 2)
    assert np.all(codes[depth < MIN_M * 1000] == 0)
    assert np.all(codes[depth > MAX_M * 1000] == LEVELS - 1)


def test_metres_and_millimetres_mean_the_same_and_unknown_is_the_nearest_step():
    metres = np.array([0.0, np.nan, -1.0, 0.5, 2.25, 9.0, np.inf], np.float32)
    codes = depth_codes(metres, "m")
    assert codes[:3].tolist() == [0, 0, 0]
    assert codes[-1] == LEVELS - 1
    assert np.abs(codes[3:6].astype(int) - depth_codes(metres[3:6] * 1000, "mm").astype(int)).max() <= 1
    assert (is_depth("gray12le"), is_depth("yuv420p")) == (True, False)


def test_statistics_of_depth_are_in_millimetres():
    codes = depth_codes(np.array([500, 500, 1500, 2500], np.uint16), "mm")
    stats = camera_stats(np.bincount(codes, minlength=LEVELS)[None], 1).lists()
    for name, expected in (("min", 500), ("max", 2500), ("mean", 1250), ("q50", 500)):
        assert np.shape(stats[name]) == (1, 1, 1)
        assert abs(stats[name][0][0][0] - expected) <= 3, name
