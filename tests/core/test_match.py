"""The fewest changes between frames and ticks: laws, and every assignment tried on small cases."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.align import hold, nearest
from telecine.core.copying.match import ROWS_PER_CHANGE, Windows, fewest_changes, reach_of, refreshed, settle, windows

FRAME = 33_333_333
times = st.lists(st.integers(0, 400), min_size=1, max_size=12).map(lambda v: np.array(sorted(v), np.int64))
ticks = st.lists(st.integers(0, 450), min_size=1, max_size=6).map(lambda v: np.array(sorted(v), np.int64))
reaches = st.integers(0, 200)


def changes(rows):
    return int(np.sum(np.abs(np.diff(rows) - 1)))


@st.composite
def placed(draw):
    """(times, ticks, reach, causal), every tick at or after the first frame when causal."""
    stamps, at, causal = draw(times), draw(ticks), draw(st.booleans())
    return stamps, np.maximum(at, stamps[0]) if causal else at, draw(reaches), causal


@given(placed())
def test_no_frame_is_further_than_the_reach_or_than_hold_itself(case):
    stamps, at, reach, causal = case
    rows = fewest_changes(windows(stamps, at, reach, causal=causal))
    plain = (hold if causal else nearest)(stamps, at, None)
    off = np.abs(at - stamps[rows])
    assert np.all((off <= reach) | (rows == plain))
    assert rows.size == at.size
    if causal:
        assert np.all(stamps[rows] <= at)


@given(placed())
def test_order_is_kept(case):
    stamps, at, reach, causal = case
    assert np.all(np.diff(fewest_changes(windows(stamps, at, reach, causal=causal))) >= 0)


@given(placed())
def test_no_other_assignment_has_fewer_changes_nor_with_hold_later_frames(case):
    stamps, at, reach, causal = case
    allowed = windows(stamps, at, reach, causal=causal)
    rows = fewest_changes(allowed)
    spans = [range(a, b + 1) for a, b in zip(allowed.low.tolist(), allowed.high.tolist(), strict=True)]
    if np.prod([len(s) for s in spans]) > 20_000:
        return
    every = [r for r in product(*spans) if all(a <= b for a, b in pairwise(r))]
    least = min(changes(r) for r in every)
    assert changes(rows) == least
    if causal:
        assert rows.sum() == max(sum(r) for r in every if changes(r) == least)


@given(placed())
def test_never_more_changes_than_hold_makes(case):
    stamps, at, reach, causal = case
    rows = fewest_changes(windows(stamps, at, reach, causal=causal))
    assert changes(rows) <= changes((hold if causal else nearest)(stamps, at, None))


def test_jitter_alone_changes_nothing():
    grid = np.arange(300) * FRAME
    stamps = grid + np.random.default_rng(0).integers(-12_000_000, 12_000_001, 300)
    at = grid[1:]
    assert changes(hold(stamps, at, None)) > 100
    assert changes(fewest_changes(windows(stamps, at, FRAME * 3 // 2, causal=True))) == 0


def test_drift_costs_one_repeat_for_each_period_lost():
    stamps = (np.arange(3000) / 29.97 * 1e9).astype(np.int64)
    stamps += np.random.default_rng(0).integers(-4_000_000, 4_000_001, 3000)
    at = np.arange(60, 2990) * FRAME
    rows = fewest_changes(windows(stamps, at, FRAME * 3 // 2, causal=True))
    assert changes(hold(stamps, at, None)) > 20
    assert changes(rows) in (2, 3)
    assert np.all(np.diff(rows) <= 1)


def test_a_lost_frame_costs_one_repeat():
    stamps = np.delete(np.arange(100) * FRAME, 40)
    rows = fewest_changes(windows(stamps, np.arange(100) * FRAME, FRAME * 3 // 2, causal=True))
    assert changes(rows) == 1


@pytest.mark.parametrize("causal", [True, False])
def test_what_hold_and_nearest_choose_stays_where_it_needs_no_change(causal):
    stamps = np.arange(100) * FRAME + np.random.default_rng(0).integers(-5_000_000, 5_000_001, 100)
    at = np.arange(1, 90) * FRAME + (6_000_000 if causal else 0)
    rows = fewest_changes(windows(stamps, at, 2 * FRAME, causal=causal))
    np.testing.assert_array_equal(rows, np.arange(1, 90))


def test_no_ticks_give_no_rows():
    nothing = np.empty(0, np.int64)
    assert fewest_changes(Windows(nothing, nothing, nothing)).size == 0


@given(placed())
def test_older_frames_are_shown_only_where_that_saves_changes_enough(case):
    stamps, at, reach, causal = case
    allowed = windows(stamps, at, reach, causal=causal)
    rows = refreshed(fewest_changes(allowed), allowed)

    def price(r):
        return ROWS_PER_CHANGE * changes(r) + np.abs(r - allowed.wanted).sum()

    assert np.all((allowed.low <= rows) & (rows <= allowed.high))
    assert np.all(np.diff(rows) >= 0)
    assert price(rows) <= min(price(fewest_changes(allowed)), price(allowed.wanted))


def test_one_lost_frame_does_not_make_all_before_it_older():
    stamps = np.delete(np.arange(100) * FRAME, 60)
    allowed = windows(stamps, np.arange(1, 100) * FRAME, FRAME * 3 // 2, causal=True)
    assert changes(fewest_changes(allowed)) == 0
    np.testing.assert_array_equal(refreshed(fewest_changes(allowed), allowed), allowed.wanted)


@st.composite
def settled(draw):
    stamps, at, reach, causal = draw(placed())
    keys = np.arange(0, stamps.size, draw(st.integers(1, 5)))
    repeats = draw(st.none() | st.just(np.ones(stamps.size, np.int64)) | st.just(np.zeros(stamps.size, np.int64)))
    return windows(stamps, at, reach, causal=causal), keys, repeats


@given(settled())
def test_changes_that_settle_stay_as_many_and_within_their_windows(case):
    allowed, keys, repeats = case
    before = fewest_changes(allowed)
    after = settle(before.copy(), allowed, keys, repeats)
    assert changes(after) == changes(before)
    assert np.all((allowed.low <= after) & (after <= allowed.high))
    assert np.all(np.diff(after) >= 0)


def loose(rows, by):
    """Windows of `by` frames to either side."""
    return Windows(rows - by, rows + by, rows)


@pytest.mark.parametrize(("at", "settled_at"), [(12, 10), (17, 20), (10, 10)])
def test_a_frame_is_left_out_just_before_a_keyframe(at, settled_at):
    rows = np.arange(30)
    rows[at - 1 :] += 1  # leaves out frame at - 1
    out = settle(rows, loose(rows, 1), np.arange(0, 40, 10), None)
    assert np.setdiff1d(np.arange(30), out).tolist() == [settled_at - 1]


def test_a_repeat_moves_before_a_keyframe_only_where_no_skipped_frame_fits():
    rows = np.sort(np.append(np.arange(30), 12))
    assert np.flatnonzero(np.diff(settle(rows, loose(rows, 1), np.arange(0, 40, 10), None)) == 0).tolist() == [9]
    fits = np.ones(30, np.int64)
    np.testing.assert_array_equal(settle(rows, loose(rows, 1), np.arange(0, 40, 10), fits), rows)


def test_a_change_stays_where_no_window_lets_it_move():
    rows = np.delete(np.arange(31), 14)
    np.testing.assert_array_equal(settle(rows.copy(), loose(rows, 0), np.arange(0, 40, 10), None), rows)


@given(placed())
def test_no_frame_but_the_aligned_one_is_beyond_reach_of_row_or_aligned_frame(case):
    stamps, at, reach, causal = case
    allowed = windows(stamps, at, reach, causal=causal)
    for tick, low, high, want in zip(at, allowed.low, allowed.high, allowed.wanted, strict=True):
        for frame in range(low, high + 1):
            if frame != want:
                assert abs(tick - stamps[frame]) <= reach
                assert abs(stamps[want] - stamps[frame]) <= reach


def test_a_slack_is_taken_as_it_is_given():
    assert reach_of(12_000_000, np.arange(9) * FRAME, FRAME, causal=True) == 12_000_000


@pytest.mark.parametrize("fps", [15, 24, 30, 30000 / 1001, 60])
def test_frames_on_a_grid_are_never_shifted_by_default(fps):
    times = np.round(np.arange(50) * 1e9 / fps).astype(np.int64)
    assert reach_of("auto", times, FRAME, causal=True) == 0


@pytest.mark.parametrize(
    ("hz", "causal", "periods"), [(30, True, 1.5), (30, False, 1), (60, True, 0.75), (15, True, 1.5)]
)
def test_a_camera_that_jitters_may_show_the_frame_beside_the_aligned_one(hz, causal, periods):
    noise = np.random.default_rng(0).integers(-3_000_000, 3_000_000, 400)
    times = np.sort(np.arange(400) * 10**9 // hz + noise)
    assert reach_of("auto", times, FRAME, causal=causal) == pytest.approx(periods * FRAME, rel=0.02)
