"""What several stretches say together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.motion import MS, joints, seen
from telecine.core.grid import SECOND
from telecine.core.quality.lag_estimate import lag_of
from telecine.core.quality.motion_lag import StretchLag, camera_lag


def stretch(ms, error_ms=5.0, at_s=0.0, match=0.95):
    return StretchLag(ms * MS, error_ms * MS, match, round(at_s * SECOND))


def unknown(why, match=0.0):
    return StretchLag(None, 0.0, match, 0, why)


def episodes(*values):
    return {f"take_{number}": [stretch(ms)] for number, ms in enumerate(values)}


def test_stretches_that_agree_give_their_mean_and_an_interval():
    lag = lag_of(episodes(50, 54, 58))
    assert lag.ms == 54
    assert lag.interval_ms == (pytest.approx(43, abs=3), pytest.approx(65, abs=3))
    assert (lag.why, lag.episodes, lag.odd, lag.drifts) == ("", (3, 3), {}, {})


def test_a_stretch_that_nothing_confirms_has_a_wider_interval():
    alone, both = lag_of(episodes(50)), lag_of(episodes(50, 50))
    assert alone.interval_ms[1] - alone.interval_ms[0] > 1.4 * (both.interval_ms[1] - both.interval_ms[0])


def test_no_number_of_stretches_makes_the_interval_narrower_than_the_methods_own_error():
    low, high = lag_of(episodes(*[20] * 200)).interval_ms
    assert 15 < high - low < 17


def test_stamps_of_rows_widen_the_interval():
    rows, own = lag_of(episodes(20, 20, 20), grain_ns=SECOND // 15), lag_of(episodes(20, 20, 20))
    assert rows.interval_ms[0] < own.interval_ms[0]


@given(st.lists(st.floats(-200, 300), min_size=1, max_size=8), st.floats(-100, 100))
@settings(max_examples=60, deadline=None)
def test_the_lag_of_later_stretches_is_as_much_later(values, later):
    before, after = lag_of(episodes(*values)), lag_of(episodes(*[v + later for v in values]))
    assert (before.ms is None) == (after.ms is None)
    if before.ms is not None:
        assert after.ms - before.ms == pytest.approx(later, abs=0.2)


def test_one_episode_far_from_the_others_is_named_and_does_not_count():
    lag = lag_of(episodes(10, 12, 14, 260, 9))
    assert lag.ms == pytest.approx(12, abs=4)
    assert lag.odd == {"take_3": 260}


def test_of_two_episodes_none_is_the_odd_one():
    lag = lag_of(episodes(10, 200))
    assert (lag.ms, lag.interval_ms) == (None, None)
    assert lag.why == "episodes disagree: from 10 to 200 ms"


def test_parts_of_one_episode_that_disagree_tell_nothing():
    lag = lag_of({"take": [stretch(0), stretch(90), stretch(180)]})
    assert lag.why == "parts of the episode disagree: from 0 to 180 ms"


def test_a_lag_known_to_within_a_tenth_of_a_second_is_not_told():
    lag = lag_of({"take": [stretch(30, error_ms=60)]})
    assert (lag.ms, lag.why) == (None, "the motion is not clear enough: 30 ms, give or take 178")


def test_the_most_frequent_reason_found_in_motion_is_told():
    whys = [unknown("too little motion"), unknown("too little motion"), unknown("periodic", match=0.9)]
    assert lag_of({"take": whys}).why == "periodic"
    assert lag_of({"take": whys[:2]}).why == "too little motion"
    assert lag_of({}).why == "nothing could be read"


def test_of_recordings_that_are_too_short_the_longest_says_how_much_too_short():
    short = [StretchLag(None, 0, 0, 0, f"{s} s that both streams cover, 3 s are needed", s * SECOND) for s in (1, 2, 1)]
    said = lag_of({str(number): [one] for number, one in enumerate(short)})
    assert said.why == "at most 2 s that both streams cover, 3 s are needed"
    assert lag_of({"take": short[:1]}).why == "1 s that both streams cover, 3 s are needed"


def test_few_stretches_among_many_that_show_something_else_tell_nothing():
    lag = lag_of({"take": [stretch(10), *[unknown("the motion is periodic", match=0.9)] * 3]})
    assert (lag.ms, lag.why, lag.episodes) == (None, "the motion is periodic", (1, 1))


def faint(*values):
    """Episodes of which none is clear by itself."""
    return {
        f"take_{n}": [StretchLag(None, 9 * MS, 0.5, 0, "explains 50 %", faint_ns=ms * MS)]
        for n, ms in enumerate(values)
    }


def test_many_unclear_episodes_that_agree_tell_what_they_agree_on():
    lag = lag_of(faint(45, 60, 37, 61, 27, 91, 45, 81))
    assert lag.ms == 52.5
    assert lag.interval_ms == (pytest.approx(28, abs=1), pytest.approx(77, abs=1))
    assert (lag.why, lag.episodes, lag.odd) == ("", (8, 8), {})
    with_a_clear_one = faint(45, 60, 37, 61, 27, 91, 45) | {"clear": [stretch(81)]}
    assert lag_of(with_a_clear_one).ms == 52.5


@pytest.mark.parametrize(
    "values", [(45, 60, 37, 61, 27), (45, -300, 37, 410, 27, 91, -120, 81), (0, 60, 118, 0, 60, 118, 59)]
)
def test_few_unclear_episodes_or_such_as_disagree_tell_nothing(values):
    lag = lag_of(faint(*values))
    assert lag.ms is None
    assert lag.why == "explains 50 %"


def test_unclear_episodes_beside_more_that_say_nothing_tell_nothing():
    silent = {f"other_{n}": [unknown("explains 9 %", 0.09)] for n in range(8)}
    assert lag_of(faint(*[50] * 8) | silent).ms is None


def test_stretches_without_motion_do_not_count_against_others():
    lag = lag_of({"a": [stretch(10)], "b": [unknown("too little motion")] * 5})
    assert lag.ms == 10
    assert lag.episodes == (1, 2)


def test_a_clock_that_drifts_is_told_and_the_lag_is_that_of_the_middle():
    own = [stretch(20 + 8 * n, at_s=30 * n) for n in range(8)]
    lag = lag_of({"take": own, "other": [stretch(48, at_s=30 * n) for n in range(4)]})
    assert lag.drifts == {"take": pytest.approx(56, abs=2)}
    assert lag.ms == pytest.approx(48, abs=2)


@pytest.mark.parametrize("growth", [0.0, 3.0])
def test_less_drift_than_30_ms_is_not_told(growth):
    lag = lag_of({"take": [stretch(20 + growth * n, at_s=30 * n) for n in range(8)]})
    assert lag.drifts == {}
    assert lag.ms == pytest.approx(20 + 3.5 * growth, abs=1)


def test_one_stretch_of_another_lag_is_no_drift():
    values = [20, 20, 20, 20, 20, 20, 20, 90]
    lag = lag_of({"take": [stretch(ms, at_s=30 * n) for n, ms in enumerate(values)]})
    assert lag.drifts == {}
    assert lag.ms == pytest.approx(20, abs=3)


def test_stretches_of_one_moment_have_no_drift():
    assert lag_of({"take": [stretch(ms) for ms in (20, 21, 22, 23)]}).drifts == {}


def test_motion_of_others_makes_no_lag():
    said = {str(n): [camera_lag(seen(joints(n), 0, seed=n), joints(n + 100))] for n in range(12)}
    assert lag_of(said).ms is None


def test_the_truth_is_within_the_interval_19_times_of_20():
    rng = np.random.default_rng(7)
    inside, widths = 0, []
    for trial in range(20):
        lag_ns, fps = int(rng.integers(-120, 201)) * MS, int(rng.choice([15, 30, 60]))
        said = {}
        for number in range(3):
            path = joints(1000 * trial + number, seconds=7, hz=int(rng.choice([30, 100])))
            camera = seen(path, lag_ns, seed=number, fps=fps, jitter_ns=SECOND // fps // 6)
            said[str(number)] = [camera_lag(camera, path)]
        lag = lag_of(said)
        low, high = lag.interval_ms
        inside += low <= lag_ns / MS <= high
        widths.append(high - low)
    assert inside >= 19
    assert max(widths) <= 40
