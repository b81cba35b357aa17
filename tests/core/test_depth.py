"""Depth on 4096 steps: laws of the formula; that it is LeRobot's is shown in tests/reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.depth import LEVELS, DepthScale, depth_scale, depth_size_problem, is_depth
from telecine.core.stats import camera_stats

USUAL = DepthScale()
SCALES = [USUAL, DepthScale(0.2, 1.5), DepthScale(0.0, 4.0, 0.0, use_log=False), DepthScale(0.5, 3.0, 0.1, unit="m")]


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50))
def test_codes_grow_with_distance_and_come_back_within_a_step(values):
    depth = np.sort(np.array(values, np.uint16))
    codes = USUAL.codes(depth, "mm")
    assert np.all(np.diff(codes.astype(int)) >= 0)
    inside = (depth >= 10) & (depth <= 10_000)
    assert np.all(np.abs(USUAL.levels()[codes[inside]] - depth[inside]) <= 2)
    assert np.all(codes[depth < 10] == 0)
    assert np.all(codes[depth > 10_000] == LEVELS - 1)


def test_metres_and_millimetres_mean_the_same_and_unknown_is_the_nearest_step():
    metres = np.array([0.0, np.nan, -1.0, 0.5, 2.25, 9.0, np.inf], np.float32)
    codes = USUAL.codes(metres, "m")
    assert codes[:3].tolist() == [0, 0, 0]
    assert codes[-1] == LEVELS - 1
    assert np.abs(codes[3:6].astype(int) - USUAL.codes(metres[3:6] * 1000, "mm").astype(int)).max() <= 1
    assert (is_depth("gray12le"), is_depth("yuv420p")) == (True, False)


def test_statistics_of_depth_are_in_millimetres():
    codes = USUAL.codes(np.array([500, 500, 1500, 2500], np.uint16), "mm")
    stats = camera_stats(np.bincount(codes, minlength=LEVELS)[None], 1, USUAL).lists()
    for name, expected in (("min", 500), ("max", 2500), ("mean", 1250), ("q50", 500)):
        assert np.shape(stats[name]) == (1, 1, 1)
        assert abs(stats[name][0][0][0] - expected) <= 3, name


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_comes_back_from_its_entry_and_every_code_from_its_distance(scale):
    assert depth_scale({**scale.info, "depth_unit": scale.unit}) == scale
    codes = scale.codes(scale.levels("m").astype(np.float32), "m")
    assert np.array_equal(codes, np.arange(LEVELS))
    assert scale.levels()[[0, -1]].tolist() == [scale.min_m * 1000, scale.max_m * 1000]


def test_statistics_are_in_the_unit_of_the_scale():
    (metres,) = (s for s in SCALES if s.unit == "m")
    codes = metres.codes(np.array([0.6, 2.5], np.float32), "m")
    stats = camera_stats(np.bincount(codes, minlength=LEVELS)[None], 1, metres).lists()
    assert abs(stats["max"][0][0][0] - 2.5) < 0.002


@pytest.mark.parametrize(
    "entry",
    [
        {"video.depth_min": "1"}, {"video.use_log": 1}, {"video.depth_min": 10.0}, {"video.depth_max": 0},
        {"video.shift": -1.0}, {"depth_unit": "inch"},
    ],
)  # fmt: skip
def test_what_lerobot_could_decode_nothing_by_is_refused(entry):
    with pytest.raises(ValueError, match="depth in"):
        depth_scale(entry)
    assert depth_scale({}) == USUAL


def test_depth_that_its_encoder_cannot_open_is_named():
    assert depth_size_problem(16, 17) == ""
    assert "8x16 px" in depth_size_problem(8, 16)
