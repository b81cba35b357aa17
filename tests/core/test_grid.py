"""Laws of the grid."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.grid import SECOND, Grid

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
