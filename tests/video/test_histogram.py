"""Counts of colours and which frames they are taken from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.video.frames.histogram import Histogram, pixel_stride, sample_indices


@given(st.integers(0, 300_000))
def test_sampled_pictures_are_in_order_within_the_episode_and_spread_from_end_to_end(n: int) -> None:
    rows = sample_indices(n)
    assert rows.dtype == np.int64
    assert len(rows) == (n if n < 100 else max(100, min(int(n**0.75), 10_000)))
    assert np.all(np.diff(rows) > 0)
    if n:
        assert rows[0] == 0
        assert rows[-1] == n - 1


@pytest.mark.parametrize(
    ("height", "width", "stride"), [(1, 1, 1), (299, 299, 1), (300, 10, 2), (480, 640, 4), (1080, 1920, 12)]
)
def test_pixels_are_thinned_out_to_about_150_on_the_longer_side(height: int, width: int, stride: int) -> None:
    assert pixel_stride(height, width) == stride


def test_a_histogram_counts_each_channel_by_itself() -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[:, :, 1] = 7
    rgb[0, 0, 2] = 255
    histogram = Histogram()
    histogram.add(rgb)
    histogram.add(rgb)
    assert histogram.sampled == 2
    assert histogram.counts.dtype == np.int64
    assert histogram.counts[0, 0] == histogram.counts[1, 7] == 12
    assert histogram.counts[2, 255] == 2
    assert histogram.counts.sum() == 3 * 12


def test_a_histogram_counts_every_fourth_pixel_at_640_by_480() -> None:
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[::4, ::4] = 200
    histogram = Histogram()
    histogram.add(rgb)
    assert histogram.counts[:, 200].tolist() == [120 * 160] * 3
    assert histogram.counts[:, 0].tolist() == [0] * 3


@pytest.mark.parametrize("size", [(240, 320), (241, 299), (33, 35)])
@pytest.mark.parametrize("frames", [1, 40, 90])
def test_many_frames_are_counted_as_one_by_one(size: tuple[int, int], frames: int) -> None:
    """Far more than are held at a time, with values in pairs and, of odd sizes, not."""
    chance = np.random.default_rng(frames)
    histogram, expected = Histogram(), np.zeros((3, 256), np.int64)
    stride = pixel_stride(*size)
    for number in range(frames):
        rgb = np.minimum(chance.integers(0, 256, (*size, 3)), chance.integers(90, 256)).astype(np.uint8)
        histogram.add(rgb)
        for channel in range(3):
            values, counts = np.unique(rgb[::stride, ::stride, channel], return_counts=True)
            expected[channel, values] += counts
        if number == 20:
            assert np.array_equal(histogram.counts, expected)
    assert np.array_equal(histogram.counts, expected)
    assert histogram.sampled == frames
