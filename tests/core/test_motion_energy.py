"""How much frames change, and which stretches of a recording are looked at."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.motion import joints
from telecine.core.grid import SECOND
from telecine.core.quality.motion_energy import energies, stretches_of
from telecine.core.quality.motion_lag import LONGEST_NS, Paths


def film(places):
    """Grey frames with a bright square at each of the places, in px."""
    made = []
    for place in places:
        grey = np.full((120, 160), 40, np.uint8)
        grey[40:80, place : place + 40] = 200
        made.append(grey)
    return made


def stamps(count):
    return np.arange(count) * SECOND // 60


def test_what_moves_faster_has_more_energy_and_what_stands_has_none():
    found = energies(stamps(5), iter(film([0, 2, 6, 14, 14])))
    assert found.times.tolist() == stamps(5).tolist()
    assert found.values[0] < found.values[1] < found.values[2]
    assert found.values[3] == 0


def test_noise_of_a_level_or_two_is_no_motion():
    rng = np.random.default_rng(0)
    still = film([10])[0]
    noisy = [np.clip(still + rng.integers(-2, 3, still.shape), 0, 255).astype(np.uint8) for _ in range(4)]
    assert energies(stamps(4), noisy).values.max() < 0.05


def test_of_a_slower_camera_whose_frames_are_repeated_each_counts_once():
    places = np.repeat(np.arange(10) * 3, 4)
    found = energies(stamps(40), film(places))
    assert np.diff(found.times) == pytest.approx(4 * SECOND / 60, abs=2)
    assert len(found.values) == 9
    assert (found.values > 0).all()


def test_a_rest_of_a_slower_camera_is_not_stretched_over_what_moves_after_it():
    places = np.concatenate([np.repeat(np.arange(6) * 3, 2), np.full(30, 15), np.repeat(18 + np.arange(6) * 3, 2)])
    found = energies(stamps(len(places)), film(places))
    assert np.diff(found.times)[found.values > 0].max() == pytest.approx(2 * SECOND / 60, abs=2)


def test_frames_that_are_never_the_same_and_frames_that_never_change_all_count():
    assert len(energies(stamps(6), film(range(6))).values) == 5
    assert len(energies(stamps(6), film([3] * 6)).values) == 5
    assert len(energies(stamps(1), film([3])).values) == 0


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="the frame size changes"):
        energies(stamps(2), [np.zeros((120, 160), np.uint8), np.zeros((120, 120), np.uint8)])


@given(start=st.integers(-(10**12), 10**12), seconds=st.integers(0, 3000), most=st.integers(1, 9))
def test_stretches_lie_within_the_recording_in_order_from_end_to_end(start, seconds, most):
    stop = start + seconds * SECOND
    path = Paths(np.array([start, stop + 1]), np.array([[0.0], [1.0]]))
    found = stretches_of(start, stop, path, most)
    assert 1 <= len(found) <= most
    assert all(start <= first <= last <= stop for first, last in found)
    assert found == sorted(found)
    if seconds <= 14 * most:
        assert (found[0][0], found[-1][1]) == (start, stop)
        assert all(b[0] - a[1] <= -2 * LONGEST_NS + 2 for a, b in pairwise(found))


def test_of_a_long_part_the_stretch_with_most_motion_is_taken():
    path = joints(1, seconds=60)
    path.values[: 100 * 30] = path.values[100 * 30]
    path.values[100 * 40 :] = path.values[100 * 40]
    ((first, last),) = stretches_of(0, 60 * SECOND, path, 1)
    assert first >= 29 * SECOND
    assert last <= 41 * SECOND
