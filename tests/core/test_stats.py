import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from telecine.core.stats import (
    QUANTILES,
    STATISTICS,
    Moments,
    Stats,
    camera_stats,
    column_stats,
    constant,
)

finite = st.floats(-1e6, 1e6, width=32)
columns = hnp.arrays(np.float32, st.tuples(st.integers(1, 60), st.integers(1, 4)), elements=finite)
histograms = hnp.arrays(np.int64, (3, 256), elements=st.integers(0, 1000)).filter(lambda h: h.any(axis=1).all())


def close(a: np.ndarray, b: np.ndarray, scale: float) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-9 * scale))


def same_moments(a: Moments, b: Moments, scale: float = 1e6) -> bool:
    # The std of nearly equal values far from zero is the root of a rounding error.
    spread = bool(np.allclose(a.std, b.std, rtol=1e-6, atol=1e-6 * scale))
    ends = np.array_equal(a.low, b.low) and np.array_equal(a.high, b.high)
    return bool(ends) and close(a.mean, b.mean, scale) and spread and a.count == b.count


@given(columns)
def test_moments_are_those_of_numpy(values):
    moments = column_stats(values).moments
    wide = values.astype(np.float64)
    expected = Moments(wide.min(0), wide.max(0), wide.mean(0), wide.std(0), len(wide))
    assert same_moments(moments, expected)


@given(columns, st.data())
def test_pooling_parts_equals_the_whole(values, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(values) - 1, 1)), max_size=4)))
    parts = [part for part in np.split(values, cuts) if len(part)]
    pooled = reduce(Moments.pooled, (column_stats(part).moments for part in parts))
    assert same_moments(pooled, column_stats(values).moments)


@given(st.lists(columns.map(lambda v: v[:, :1]), min_size=2, max_size=6), st.randoms())
def test_the_order_of_parts_does_not_matter(parts, random):
    shuffled = random.sample(parts, len(parts))
    forwards, backwards = (
        reduce(Moments.pooled, (column_stats(p).moments for p in order)) for order in (parts, shuffled)
    )
    assert same_moments(forwards, backwards)


@given(columns)
def test_quantiles_rise_between_min_and_max(values):
    stats = column_stats(values)
    ladder = np.stack([stats.moments.low, *stats.quantiles, stats.moments.high])
    assert np.all(np.diff(ladder, axis=0) >= 0)


@given(columns)
def test_quantiles_are_within_two_bins_of_an_observed_quantile(values):
    stats = column_stats(values)
    exact = np.quantile(values.astype(np.float64), list(QUANTILES.values()), axis=0, method="inverted_cdf")
    bin_width = (stats.moments.high - stats.moments.low) / 5000
    assert np.all(np.abs(stats.quantiles - exact) <= 2 * bin_width + 1e-6)


@given(finite, st.integers(1, 50))
def test_a_constant_column_has_that_constant_everywhere_and_no_spread(value, count):
    stats = column_stats(np.full((count, 2), value, np.float32))
    expected = np.full(2, np.float64(np.float32(value)))
    assert stats.moments.std.tolist() == [0.0, 0.0]
    for found in (stats.moments.low, stats.moments.high, stats.moments.mean, *stats.quantiles):
        assert np.array_equal(found, expected)


def test_a_constant_so_large_that_bins_have_no_width_is_kept():
    stats = column_stats(np.full((7, 1), 1e16))
    assert stats.quantiles.ravel().tolist() == [1e16] * 5


def test_one_row_gives_its_values_as_every_quantile():
    stats = column_stats(np.array([[1.0, 5.0]]))
    assert stats.moments.count == 1
    assert stats.quantiles.tolist() == [[1.0, 5.0]] * 5


def test_more_dimensions_are_reduced_over_all_but_the_last():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    stats = column_stats(values)
    assert stats.moments.mean.tolist() == values.reshape(-1, 4).mean(0).tolist()
    assert stats.moments.count == 2
    assert stats.quantiles.shape == (5, 4)


def test_one_row_of_more_dimensions_has_true_quantiles():
    stats = column_stats(np.arange(12.0).reshape(1, 3, 4))
    assert stats.moments.low.tolist() == [0, 1, 2, 3]
    assert stats.quantiles[2].round(1).tolist() == [4, 5, 6, 7]


def test_scalars_bools_and_integers_are_counted_as_floats():
    stats = column_stats(np.array([True, False, True, True]))
    assert stats.moments.mean.tolist() == [0.75]
    assert stats.lists()["count"] == [4]
    assert column_stats(np.array([2**40, 2**40 + 2])).moments.mean.tolist() == [2.0**40 + 1]


def test_lists_have_the_names_order_and_shapes_of_the_format():
    lists = column_stats(np.array([[1.0, 2.0], [3.0, 4.0]])).lists()
    assert tuple(lists) == STATISTICS == ("min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99")
    assert lists["min"] == [1.0, 2.0]
    assert lists["std"] == [1.0, 1.0]
    frames = camera_stats(np.eye(3, 256, dtype=np.int64), 1).lists()
    assert frames["max"] == [[[0.0]], [[1 / 255]], [[2 / 255]]]
    assert frames["count"] == [1]


@given(histograms)
def test_camera_statistics_are_those_of_the_pixels(histogram):
    stats = camera_stats(histogram, 5)
    for channel, counts in enumerate(histogram):
        pixels = np.repeat(np.arange(256), counts) / 255
        moments = stats.moments
        assert moments.low[channel, 0, 0] == pixels.min()
        assert moments.high[channel, 0, 0] == pixels.max()
        assert math.isclose(moments.mean[channel, 0, 0], pixels.mean(), rel_tol=1e-9, abs_tol=1e-12)
        assert math.isclose(moments.std[channel, 0, 0], pixels.std(), rel_tol=1e-6, abs_tol=1e-9)
        exact = np.quantile(pixels, list(QUANTILES.values()), method="inverted_cdf")
        assert np.all(np.abs(stats.quantiles[:, channel, 0, 0] - exact) <= 2 / 5000 + 1e-9)


@given(st.lists(columns.map(lambda v: v[:, :1]), min_size=1, max_size=5), st.randoms())
def test_pooled_quantiles_are_the_outer_ones_in_any_order(parts, random):
    stats = [column_stats(part) for part in parts]
    pooled = reduce(Stats.pooled, random.sample(stats, len(stats)))
    each = np.stack([own.quantiles for own in stats])
    assert np.array_equal(pooled.quantiles, [*each[:, :3].min(axis=0), *each[:, 3:].max(axis=0)])
    whole = column_stats(np.concatenate(parts))
    assert same_moments(pooled.moments, whole.moments)


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_pooling_keeps_a_small_spread_far_from_zero(offset):
    values = offset + np.random.default_rng(1).normal(size=4000)
    pooled = reduce(Moments.pooled, (column_stats(part).moments for part in np.split(values, 400)))
    assert math.isclose(pooled.std[0], values.std(), rel_tol=1e-6)


def test_pooled_frames_have_exact_moments():
    one, other = np.zeros((3, 256), np.int64), np.zeros((3, 256), np.int64)
    one[:, 0], other[:, 255] = 10, 30
    pooled = camera_stats(one, 1).pooled(camera_stats(other, 3))
    assert same_moments(pooled.moments, camera_stats(one + other, 4).moments, 1.0)
    np.testing.assert_allclose(
        pooled.quantiles.reshape(5, 3), np.repeat([[0], [0], [0], [1], [1]], 3, axis=1), atol=1e-3
    )


def test_statistics_of_moved_values_are_moved():
    values = np.array([3.0, 1.0, 4.0])
    moved, again = column_stats(values).plus(10.0), column_stats(values + 10.0)
    for name, value in moved.lists().items():
        np.testing.assert_allclose(value, again.lists()[name], atol=1e-3, err_msg=name)


def test_statistics_of_equal_values_need_no_values():
    assert constant(2.5, 7).lists() == column_stats(np.full(7, 2.5)).lists()
