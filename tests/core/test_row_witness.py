"""Rows that are those of the statistics stored with them, or not, many episodes at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.row_witness import rows_differ
from telecine.core.stats import QUANTILES, column_stats

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def written(lengths, seed=0, width=2):
    """(values of all rows, lengths, name -> statistics of each episode) that belong together."""
    lengths = np.array(lengths, np.int64)
    values = np.random.default_rng(seed).normal(0, 3, (int(lengths.sum()), width)).astype(np.float32)
    parts = [column_stats(own).lists() for own in np.split(values, np.cumsum(lengths)[:-1])]
    return values, lengths, {name: np.array([p[name] for p in parts], float) for name in parts[0] if name != "count"}


@given(LENGTHS, st.integers(0, 1000))
def test_rows_are_those_of_their_own_statistics(lengths, seed):
    assert not rows_differ(*written(lengths, seed)).any()


@given(LENGTHS.filter(lambda found: min(found) > 4), st.integers(0, 1000), st.data())
def test_a_wrong_moment_is_noticed_in_its_episode_alone(lengths, seed, data):
    values, lengths, stored = written(lengths, seed)
    name, at = data.draw(st.sampled_from(("min", "max", "mean", "std"))), data.draw(st.integers(0, len(lengths) - 1))
    stored[name][at, 1] += 30
    assert np.flatnonzero(rows_differ(values, lengths, stored)).tolist() == [at]


def test_a_row_that_moved_between_episodes_is_noticed_by_the_mean():
    values, lengths, stored = written([20, 21])
    moved = values.copy()
    moved[[3, 30]] = values[[30, 3]]
    assert rows_differ(moved, lengths, {"mean": stored["mean"]}).all()
    assert not rows_differ(values, lengths, {"mean": stored["mean"]}).any()


@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles_are_compared_where_all_are_there(name):
    values, lengths, stored = written([50, 7])
    stored[name][0] = np.where(QUANTILES[name] <= 0.5, 9, -9)
    assert rows_differ(values, lengths, stored).tolist() == [True, False]
    del stored[name]
    assert not rows_differ(values, lengths, stored).any()


def test_numbers_that_are_none_and_overflow_are_no_error():
    values, lengths, stored = written([5, 5])
    values[0], values[5] = np.nan, 3e38
    assert rows_differ(values, lengths, stored).tolist() == [True, True]
    stored["min"][:] = np.nan
    assert rows_differ(*written([5, 5])[:2], stored).all()
