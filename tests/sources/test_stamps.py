"""Stamps stored as floats: what they mean, not what floats make of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.grid import SECOND
from telecine.sources.shared.stamps import stamps_of, times_of_seconds

RATES = st.sampled_from([5, 10, 15, 20, 25, 30, 50, 60, 100, 200, 500, 1000])


@given(rate=RATES, start=st.floats(1.5e9, 1.9e9), count=st.integers(20, 300))
def test_seconds_since_1970_on_a_grid_never_come_after_its_ticks(rate, start, count):
    """A row holds the last sample that is not after it: a stamp that is late by a float's step would repeat one."""
    seconds = start + np.arange(count) / rate
    for times in (stamps_of("timestamp", seconds).times, times_of_seconds(seconds)):
        late = (times - times[0]) * rate - np.arange(count) * SECOND
        assert np.abs(late).max() <= rate


@pytest.mark.parametrize("jitter_s", [2e-6, 1e-3])
def test_stamps_that_are_off_the_grid_by_more_than_a_float_stay(jitter_s):
    seconds = 1.7e9 + np.arange(100) / 20 + np.random.default_rng(0).normal(0, jitter_s, 100)
    whole = np.round((seconds - 1.7e9) * SECOND).astype(np.int64)
    assert np.abs(stamps_of("timestamp", seconds).times - 1_700_000_000 * SECOND - whole).max() <= 1
