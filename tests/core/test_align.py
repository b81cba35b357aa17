"""Laws of alignment."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.align import (
    MISSING,
    CameraTimes,
    between,
    choose_phase,
    hold,
    keeps_pace,
    linear,
    measure,
    nearest,
    slerp,
)
from telecine.core.grid import SECOND, Grid

stamps = st.lists(st.integers(0, 2000), max_size=40).map(lambda v: np.sort(np.array(v, np.int64)))
ticks = st.lists(st.integers(-100, 2100), max_size=40).map(lambda v: np.array(v, np.int64))
limits = st.none() | st.integers(0, 500)


@given(stamps, ticks, limits)
def test_hold_is_the_last_sample_at_or_before_the_tick(times, ticks, limit):
    for tick, row in zip(ticks, hold(times, ticks, limit), strict=True):
        past = [i for i, t in enumerate(times) if t <= tick and (limit is None or tick - t <= limit)]
        assert row == (past[-1] if past else MISSING)


@given(stamps, ticks)
def test_hold_never_looks_ahead(times, ticks):
    rows = hold(times, ticks, None)
    found = rows != MISSING
    assert np.all(times[rows[found]] <= ticks[found])


@given(stamps, ticks, limits)
def test_nearest_is_nearest_and_the_earlier_on_a_tie(times, ticks, limit):
    for tick, row in zip(ticks, nearest(times, ticks, limit), strict=True):
        near = sorted((abs(int(t) - tick), t, -i) for i, t in enumerate(times))
        if near and (limit is None or near[0][0] <= limit):
            assert row == -near[0][2]
        else:
            assert row == MISSING


@given(stamps, ticks, limits)
def test_between_needs_a_sample_on_both_sides_within_the_limit(times, ticks, limit):
    blend = between(times, ticks, limit)
    for tick, b, a, w in zip(ticks, blend.before, blend.after, blend.weight, strict=True):
        lower = [i for i, t in enumerate(times) if t <= tick]
        upper = [i for i, t in enumerate(times) if t >= tick]
        ok = bool(lower) and bool(upper)
        if ok:
            left, right = int(times[lower[-1]]), int(times[upper[0]])
            ok = limit is None or (tick - left <= limit and right - tick <= limit)
        if not ok:
            assert (b, a) == (MISSING, MISSING)
            continue
        assert times[b] == left
        assert times[a] == right
        assert 0 <= w < 1
        if right > left:
            assert w == pytest.approx((tick - left) / (right - left))


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20))
def test_linear_reproduces_a_straight_line(points):
    times = np.unique(np.array(points, np.int64)) * 10
    ticks = np.arange(times[0], times[-1] + 1, dtype=np.int64)
    blend = between(times, ticks, None)
    values = np.stack([times * 2.0 + 1, -times * 0.5], axis=1)
    made = linear(values[blend.before], values[blend.after], blend.weight)
    np.testing.assert_allclose(made, np.stack([ticks * 2.0 + 1, -ticks * 0.5], axis=1), atol=1e-9)


def test_slerp_turns_at_constant_speed_along_the_shorter_arc():
    def about_z(angle):
        return np.array([[0.0, 0.0, np.sin(angle / 2), np.cos(angle / 2)]])

    for weight in (0.0, 0.25, 0.5, 1.0):
        made = slerp(about_z(0.2), -about_z(1.4), np.array([weight]))
        wanted = about_z(0.2 + weight * 1.2)
        np.testing.assert_allclose(np.abs(np.sum(made * wanted)), 1.0, atol=1e-12)


def test_slerp_of_equal_quaternions_is_that_quaternion():
    q = np.array([[0.5, 0.5, 0.5, 0.5]])
    np.testing.assert_allclose(slerp(q, q, np.array([0.3])), q)


@given(
    st.integers(1, 240),
    st.integers(60, 200),
    st.integers(0, 10**9),
    st.randoms(use_true_random=False),
    st.floats(0, 0.4),
)
def test_the_chosen_phase_gives_each_frame_of_a_jittered_camera_its_own_tick(fps, count, offset, random, jitter):
    grid = Grid(offset, count, Fraction(fps))
    reach = int(jitter * SECOND / fps)
    times = np.sort(grid.ticks() + np.array([random.randint(-reach, reach) for _ in range(count)], np.int64))
    origin = int(times[0])
    phase = choose_phase([CameraTimes(times, "hold")], origin, Fraction(fps))
    assert 0 <= phase <= SECOND // fps
    ticks = Grid(origin + phase, count, Fraction(fps)).ticks()
    rows = hold(times, ticks, None)
    assert np.all(np.diff(rows) == 1)


def test_a_camera_that_is_early_or_late_but_never_in_time_gets_each_frame_its_own_tick():
    ticks = Grid(0, 60, Fraction(100)).ticks()
    times = ticks + 3_750_000 * np.where(np.arange(60) % 3 == 0, 1, -1)
    phase = choose_phase([CameraTimes(times, "hold")], int(times[0]), Fraction(100))
    rows = hold(times, Grid(int(times[0]) + phase, 60, Fraction(100)).ticks(), None)
    assert np.all(np.diff(rows) == 1)


def test_the_chosen_phase_serves_two_cameras_at_once_with_the_least_age():
    first = Grid(0, 100, Fraction(30)).ticks()
    second = first + 4_000_000
    phase = choose_phase([CameraTimes(first, "hold"), CameraTimes(second, "hold")], 0, Fraction(30))
    assert phase in (4_000_000, 4_000_001)  # ticks are rounded to whole nanoseconds


def test_cameras_at_other_rates_have_no_say_in_the_phase():
    slow = Grid(5_000_000, 100, Fraction(15)).ticks()
    assert choose_phase([CameraTimes(slow, "hold")], 0, Fraction(30)) == 0


def test_nearest_cameras_get_a_tick_in_the_middle_of_their_jitter():
    ticks = Grid(10_000_000, 100, Fraction(25)).ticks()
    times = ticks + np.tile(np.array([-2_000_000, 2_000_000], np.int64), 50)
    assert choose_phase([CameraTimes(times, "nearest")], 0, Fraction(25)) == 10_000_000


def test_measure_counts_gaps_and_duplicates_and_ignores_both_for_the_period():
    times = np.array([0, 10, 20, 20, 30, 100, 110], np.int64) * 1_000_000
    rate = measure(times)
    assert (rate.samples, rate.period_ns, rate.gaps, rate.duplicates) == (7, 10_000_000, 1, 1)
    assert rate.longest_ns == 70_000_000
    assert rate.hz == pytest.approx(5 / 0.11)
    assert rate.auto_limit_ns == SECOND // 4


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
def test_the_period_is_the_median_distance_and_the_jitter_its_median_deviation(distances):
    rate = measure(np.cumsum([0, *distances]))
    assert rate.period_ns == int(np.median(distances))
    assert rate.jitter_ns == int(np.median(np.abs(np.array(distances) - rate.period_ns)))


@pytest.mark.parametrize("times", [[], [5], [5, 5]])
def test_measure_of_too_few_stamps_says_zero(times):
    rate = measure(np.array(times, np.int64))
    assert (rate.hz, rate.period_ns) == (0.0, 0)
    assert rate.duplicates == max(len(times) - 1, 0)


def test_measure_of_stamps_further_apart_than_int64_holds_warns_of_nothing():
    rate = measure(np.array([-(2**63), 0, 2**62, 2**63 - 1], np.int64))
    assert rate.hz == pytest.approx(2 * SECOND / 2**64)
    assert rate.longest_ns == 2**62


def test_a_camera_with_a_single_frame_has_no_say_in_the_phase():
    assert choose_phase([CameraTimes(np.array([7], np.int64), "hold")], 0, Fraction(30)) == 0


def test_a_stream_without_a_period_keeps_no_pace():
    assert not keeps_pace(np.array([3], np.int64), Fraction(30))


@given(st.integers(5, 60), st.randoms(use_true_random=False), st.floats(0, 0.24), st.data())
def test_a_short_jittered_camera_that_lost_frames_still_keeps_pace(count, random, jitter, data):
    reach = int(jitter * SECOND / 30)
    times = Grid(10**9, count, Fraction(30)).ticks()
    times = times + np.array([random.randint(-reach, reach) for _ in range(count)], np.int64)
    lost = data.draw(st.sets(st.integers(1, count - 2), max_size=count // 4))
    kept = np.delete(times, sorted(lost))
    assert keeps_pace(kept, Fraction(30))
    phase = choose_phase([CameraTimes(kept, "hold")], int(kept[0]), Fraction(30))
    ticks = Grid(int(kept[0]) + phase, count, Fraction(30)).ticks()
    assert np.unique(hold(kept, ticks, None)).size == kept.size


@pytest.mark.parametrize("fps", [10, 15, 20, 25, 40, 60])
def test_a_camera_at_another_rate_does_not_keep_pace(fps):
    assert not keeps_pace(Grid(0, 90, Fraction(fps)).ticks(), Fraction(30))
