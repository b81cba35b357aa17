"""Laws of the grid."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.grid import SECOND, Grid, grid_of, off_rows_s, tick_at

rates = st.fractions(min_value=Fraction(1, 10), max_value=1000, max_denominator=1001)


@given(st.integers(0, 2 * 10**18), st.integers(0, 500), rates)
def test_a_tick_is_never_off_by_more_than_half_a_nanosecond(start, count, fps):
    for i, tick in enumerate(Grid(start, count, fps).ticks().tolist()):
        assert abs(Fraction(tick - start) - i * SECOND / fps) <= Fraction(1, 2)


def test_ticks_do_not_drift_in_ten_hours():
    grid = Grid(0, 30 * 36_000 + 1, Fraction(30))
    assert grid.ticks()[-1] == 36_000 * SECOND


@given(st.integers(0, 10**12), st.integers(-10, 10**10), rates)
def test_between_is_the_longest_grid_inside_the_span(start, length, fps):
    grid = Grid.between(start, start + length, fps)
    longer = Grid(start, grid.count + 1, fps).ticks()
    assert longer[-1] > start + length
    assert np.all(grid.ticks() <= start + length)


@pytest.mark.parametrize(("fps", "count"), [(Fraction(0), 1), (Fraction(-1), 1), (Fraction(30), -1)])
def test_a_grid_without_sense_is_refused(fps, count):
    with pytest.raises(ValueError, match="a grid needs"):
        Grid(0, count, fps)


USUAL = [5, 10, 12.5, 15, 20, 24, 25, 30, 50, 60, 100, 200, Fraction(30000, 1001), Fraction(60000, 1001)]


@given(st.integers(0, 10**18), st.integers(2, 300), st.sampled_from(USUAL), st.data())
def test_stamps_on_a_grid_are_found_with_when_the_next_is_due(start, count, fps, data):
    grid = Grid(start, count, Fraction(fps))
    lost = data.draw(st.sets(st.integers(1, max(count - 2, 1)), max_size=count // 4))
    times = np.delete(grid.ticks(), [i for i in lost if i < count - 1])
    found = grid_of(times)
    if np.median(np.diff(times)) > 1.49e9 / fps:  # so many are lost that half as much again is typical
        return
    assert found is not None
    assert abs(found.stop_ns - grid.stop_ns) <= 1
    assert found.fps == grid.fps


@given(st.integers(5, 200), st.sampled_from([15, 30, 60]), st.integers(0, 99))
def test_a_camera_that_jitters_is_on_no_grid(count, fps, seed):
    noise = np.random.default_rng(seed).integers(-3_000_000, 3_000_001, count)
    assert grid_of(np.sort(Grid(0, count, Fraction(fps)).ticks() + noise)) is None


def test_one_stamp_or_equal_ones_are_on_no_grid():
    assert grid_of(np.array([5])) is None
    assert grid_of(np.array([5, 5])) is None
    assert grid_of(np.array([0, 10**11])) is None


def test_a_stamp_far_away_takes_no_memory():
    found = grid_of(np.array([0, 33_333_333, 66_666_667, 4 * 10**18]))
    assert found is not None
    assert found.count == 120_000_000_001


@given(number=st.integers(0, 10**9), fps=st.integers(1, 1000))
def test_a_tick_is_the_nearest_nanosecond_and_a_half_is_rounded_up(number, fps):
    assert tick_at(number, fps) == int(Fraction(number * SECOND, fps) + Fraction(1, 2))


@given(st.integers(1, 240), st.integers(0, 10**6))
def test_a_time_that_float32_cannot_say_better_is_on_its_row(fps, row):
    stored = np.array([np.float32(row / fps)])
    assert off_rows_s(stored, fps, np.array([row])) == 0
    assert off_rows_s(np.array([row / fps]), fps, np.array([row])) == 0
    assert off_rows_s(stored + np.float32(1 / fps), fps, np.array([row])) == pytest.approx(1 / fps, rel=0.1, abs=0.02)


def test_times_of_no_number_are_off_every_row():
    assert not (off_rows_s(np.array([0.0, np.nan, np.inf, 1e300]), 1) < 1e-4)[1:].any()
