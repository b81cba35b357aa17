"""The lag of one stretch: laws, and what cannot be told."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.motion import MS, joints, seen, swinging
from telecine.core.grid import SECOND
from telecine.core.quality import motion_lag
from telecine.core.quality.motion_lag import Energies, Paths, camera_lag, follower_lag

seeds = st.integers(0, 500)
lags = st.integers(-200, 300).map(lambda ms: ms * MS)
few = settings(max_examples=8, deadline=None)


@given(seed=seeds, lag_ns=lags, fps=st.sampled_from([15, 30, 60]))
@few
def test_a_known_lag_is_found_whatever_the_rate_of_the_camera(seed, lag_ns, fps):
    path = joints(seed)
    found = camera_lag(seen(path, lag_ns, seed=seed, fps=fps, jitter_ns=5 * MS), path)
    assert abs(found.lag_ns - lag_ns) < 8 * MS + 4 * found.error_ns
    assert found.match > 0.8
    assert not found.why


@given(seed=seeds, lag_ns=lags, later_ns=st.integers(-5 * SECOND, 5 * SECOND))
@few
def test_the_zero_of_the_clock_makes_no_difference(seed, lag_ns, later_ns):
    path = joints(seed)
    camera = seen(path, lag_ns, seed=seed)
    moved = camera_lag(Energies(camera.times + later_ns, camera.values), Paths(path.times + later_ns, path.values))
    assert moved.lag_ns == pytest.approx(camera_lag(camera, path).lag_ns, abs=1)


@given(seed=seeds, lag_ns=st.integers(-100, 100).map(lambda ms: ms * MS), later=st.integers(-25, 25))
@few
def test_a_camera_that_is_stamped_later_has_as_much_more_lag(seed, lag_ns, later):
    path = joints(seed)
    camera = seen(path, lag_ns, seed=seed)
    moved = camera_lag(Energies(camera.times + later * 4 * MS, camera.values), path)
    assert moved.lag_ns - camera_lag(camera, path).lag_ns == pytest.approx(later * 4 * MS, abs=4 * MS)


@given(seed=seeds, lag_ns=lags)
@few
def test_played_backwards_the_lag_has_the_other_sign(seed, lag_ns):
    path = joints(seed)
    camera = seen(path, lag_ns, seed=seed)
    backwards = camera_lag(
        Energies(-camera.times[::-1], camera.values[::-1]), Paths(-path.times[::-1], path.values[::-1])
    )
    assert backwards.lag_ns == pytest.approx(-camera_lag(camera, path).lag_ns, abs=3 * MS)


@given(seed=seeds, gain=st.floats(0.01, 100), unit=st.floats(0.01, 100))
@few
def test_brightness_and_units_make_no_difference(seed, gain, unit):
    path = joints(seed)
    camera = seen(path, 60 * MS, seed=seed)
    other = camera_lag(Energies(camera.times, camera.values * gain), Paths(path.times, path.values * unit))
    assert other.lag_ns == pytest.approx(camera_lag(camera, path).lag_ns, abs=MS / 100)


@given(seed=seeds, late_ns=st.integers(-100, 300).map(lambda ms: ms * MS))
@few
def test_what_follows_follows_by_its_lag(seed, late_ns):
    path = joints(seed, hz=50)
    found = follower_lag(Paths(path.times + late_ns, path.values), path)
    assert found.lag_ns == pytest.approx(late_ns, abs=4 * MS), "within a step of the grid"


def test_an_element_that_moves_in_one_of_two_alone_says_nothing_about_the_lag():
    path = joints(3)
    other = path.values.copy()
    other[:, 1:] = 0
    assert follower_lag(Paths(path.times + 40 * MS, path.values), replace(path, values=other)).lag_ns == pytest.approx(
        40 * MS, abs=2 * MS
    )
    none = follower_lag(Paths(path.times, np.zeros_like(path.values)), path)
    assert none.lag_ns is None
    assert none.why == "too little motion: no element moves in both"


def test_elements_that_do_not_follow_do_not_hide_those_that_do():
    path, one, two = joints(3, hz=50), joints(4, hz=50), joints(5, hz=50)
    before = Paths(path.times, np.concatenate([path.values[:, :3], one.values, one.values[:, ::-1] ** 2], axis=1))
    after = Paths(path.times, np.concatenate([path.values[:, :3], two.values, two.values[:, ::-1] ** 2], axis=1))
    late = replace(after, times=after.times + 80 * MS)
    assert follower_lag(late, before).lag_ns == pytest.approx(80 * MS, abs=4 * MS)
    others = [Paths(p.times, p.values[:, 3:]) for p in (late, before)]
    assert follower_lag(*others).lag_ns is None


def test_many_elements_count_by_the_directions_in_which_they_move():
    path = joints(5)
    wide = np.concatenate([path.values @ np.random.default_rng(n).normal(size=(6, 6)) for n in range(5)], axis=1)
    found = camera_lag(seen(path, 80 * MS), Paths(path.times, wide))
    assert found.lag_ns == pytest.approx(80 * MS, abs=20 * MS)


def test_an_element_that_is_nothing_but_noise_does_not_count():
    path = joints(5)
    noise = np.random.default_rng(0).normal(0, 2e-4, (len(path.times), 4))
    found = camera_lag(
        seen(path, 80 * MS), Paths(path.times, np.concatenate([path.values + noise[:, :1], noise], axis=1))
    )
    assert found.lag_ns == pytest.approx(camera_lag(seen(path, 80 * MS), path).lag_ns, abs=2 * MS)


@given(seed=seeds)
@few
def test_a_gain_that_changes_by_factors_within_a_move_is_not_taken_for_time(seed):
    path = joints(seed)
    camera = seen(path, 60 * MS, seed=seed)
    gain = np.exp(0.6 * np.sin(np.cumsum(camera.values) / camera.values.sum() * 20))
    found = camera_lag(Energies(camera.times, camera.values * gain), path)
    assert abs(found.lag_ns - 60 * MS) < 15 * MS + 3 * found.error_ns


def test_rates_and_their_logarithms_that_disagree_say_none(monkeypatch):
    path = joints(3)
    monkeypatch.setattr(motion_lag, "APART_NS", -1)
    found = camera_lag(seen(path, 40 * MS), path)
    assert found.lag_ns is None
    assert found.why.startswith("how fast and when it moves disagree by ")


def test_positions_that_have_nothing_to_do_with_each_other_follow_by_no_lag():
    found = follower_lag(joints(1), joints(2))
    assert found.lag_ns is None
    assert "of what changes" in found.why


def test_one_joint_alone_has_no_other_to_depend_on():
    path = joints(1, width=1)
    assert camera_lag(seen(path, 50 * MS), path).lag_ns == pytest.approx(50 * MS, abs=10 * MS)


@pytest.mark.parametrize("still", ["joints", "camera"])
def test_without_motion_there_is_no_lag(still):
    path = joints(1)
    camera = seen(path, 0)
    if still == "joints":
        found = camera_lag(camera, Paths(path.times, np.ones_like(path.values)))
    else:
        found = camera_lag(Energies(camera.times, np.zeros_like(camera.values)), path)
    assert found.lag_ns is None
    assert found.why.startswith("too little motion")


@pytest.mark.parametrize("count", [0, 1, 200])
def test_too_short_a_stretch_has_no_lag(count):
    path = joints(1)
    short = Paths(path.times[:count], path.values[:count])
    for found in (camera_lag(seen(path, 0), short), follower_lag(path, short), follower_lag(short, path)):
        assert found.lag_ns is None
        assert found.why.endswith(" s that both streams cover, 3 s are needed")
        assert found.short_ns == (0 if count < 2 else path.times[count - 1] - path.times[0])
    assert camera_lag(Energies(path.times[:0], path.values[:0, 0]), path).lag_ns is None


def test_periodic_motion_has_no_lag():
    path = swinging()
    found = camera_lag(seen(path, 40 * MS, noise=0.01), path)
    assert found.lag_ns is None
    assert found.why == "the motion is periodic: it repeats after 0.70 s"


def test_a_lag_beyond_what_is_looked_for_is_not_made_up():
    path = joints(2, seconds=20)
    found = camera_lag(seen(path, 510 * MS, noise=0.0), path)
    assert found.lag_ns is None
    assert found.why == "it fits best at the end of what is looked for, 0.5 s"


def test_what_moves_by_itself_is_not_what_the_joints_do():
    found = camera_lag(seen(joints(1), 0), joints(2))
    assert found.lag_ns is None
    assert "of what changes" in found.why


def test_where_half_of_what_moves_is_something_else_the_lag_is_faint():
    own, other = seen(joints(2), 60 * MS), seen(joints(52), 0, seed=9)
    found = camera_lag(Energies(own.times, own.values + 1.2 * other.values), joints(2))
    assert found.lag_ns is None
    assert "of what changes" in found.why
    assert found.faint_ns == pytest.approx(60 * MS, abs=30 * MS)
