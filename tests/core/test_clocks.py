"""Clocks of senders and of the recorder: laws for domains, hand-computed cases for faults."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.memory import seconds
from telecine.core.clocks import (
    LATER_NS,
    SAME_NS,
    domains,
    faults,
    format_offset,
    log_scale,
    on_stamps,
    pace,
    shared_pace,
)

S = 10**9
DAY = 86400 * S


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(-20 * S, 20 * S), max_size=12))
def test_every_topic_has_one_clock_and_only_certain_ones_are_moved(distances):
    found = domains(distances)
    assert sorted(t for d in found for t in d.topics) == sorted(distances)
    ends = [[distances[t] for t in d.topics] for d in found]
    assert all(max(a) <= min(b) for a, b in pairwise(ends))
    for domain, own in zip(found, ends, strict=True):
        assert domain.distance_ns == int(np.median(own))
        certain = domain.distance_ns < -LATER_NS or domain.distance_ns > SAME_NS
        assert domain.offset_ns == (domain.distance_ns if certain else 0)


@pytest.mark.parametrize(
    ("ms", "relation", "moved"),
    [(-600, "later", -600), (-5, "same", 0), (150, "same", 0), (300, "delayed", 0), (1300, "other", 1300)],
)
def test_a_camera_a_steady_offset_away(ms, relation, moved):
    found = {t: d for d in domains({"/cam": ms * 10**6, "/joints": 2_000_000}) for t in d.topics}
    assert (found["/cam"].relation, found["/cam"].offset_ns) == (relation, moved * 10**6)
    assert (found["/joints"].relation, found["/joints"].offset_ns) == ("same", 0)


def test_latency_that_all_share_is_no_other_clock():
    assert [d.relation for d in domains({"/cam": 400_000_000, "/joints": 300_000_000})] == ["same"]


def test_the_pace_of_a_slow_simulation_is_measured_and_latency_is_none():
    logged = seconds(*np.arange(40) / 4)
    assert pace((logged * 0.5).astype(np.int64), logged) == pytest.approx(0.5)
    late = logged - np.array([100_000_000] * 39 + [0])
    assert pace(late, logged) == 1
    assert pace(logged[:3], logged[:3]) is None


@pytest.mark.parametrize(("paces", "shared"), [((), 1), ((0.5, 0.51), 0.51), ((0.5, 1), 1), ((1, 1, 1), 1)])
def test_only_a_pace_that_all_senders_share_is_that_of_a_simulation(paces, shared):
    assert shared_pace(paces) == shared


@given(
    st.floats(0.1, 10),
    st.lists(st.integers(0, 10**12), min_size=1, max_size=20).map(sorted),
    st.lists(st.integers(-(10**12), 2 * 10**12), max_size=20),
)
def test_times_are_moved_onto_a_steady_clock_of_another_pace(pace_, theirs, asked):
    known, start = np.array(theirs, np.int64), 5 * DAY
    ours = start + np.rint((known - known[0]) * pace_).astype(np.int64)
    moved = on_stamps(np.array(asked, np.int64), (known, ours), pace_)
    wanted = start + (np.array(asked, np.float64) - known[0]) * pace_
    np.testing.assert_allclose(moved, wanted, atol=2, rtol=1e-9)


def test_cameras_stamped_by_another_computer_days_away_are_one_clock():
    found = domains({"/cam": 6 * DAY + S // 10, "/joints": 6 * DAY, "/cmd": 40_000_000})
    assert [(d.topics, d.offset_ns) for d in found] == [
        (("/cmd",), 0),
        (("/joints", "/cam"), 6 * DAY + S // 20),
    ]


def test_stamps_are_faulty_when_unset_going_back_or_set_anew_and_not_when_messages_are_lost():
    logged = seconds(10, 11, 12, 20, 21)
    assert not faults(seconds(1, 2, 3, 11, 12), logged)
    assert str(faults(seconds(0, 2, 1, 11, 12), logged)) == "1 unset, 1 going back, 1 jumping by over 1 s"
    assert str(faults(seconds(1, 2, 3, 90, 91), logged)) == "1 jumping by over 1 s"


def test_a_recorder_that_counts_in_milliseconds_is_known_by_the_stamps():
    stamps = seconds(1_700_000_000, 1_700_000_001)
    assert log_scale(stamps // 10**6, stamps) == (10**6, "milliseconds")
    assert log_scale(stamps // 1000, stamps) == (1000, "microseconds")
    assert log_scale(stamps, stamps) == (1, "")
    assert log_scale(seconds(3, 4), seconds(3, 4)) == (1, "")  # simulated time
    assert log_scale(seconds(3, 4), stamps) == (1, "")
    assert log_scale(seconds(), stamps) == (1, "")


@pytest.mark.parametrize(("ns", "told"), [(6 * DAY, "+6.000 days"), (-17 * S, "-17.000 s")])
def test_offsets_are_told_in_the_unit_people_would_use(ns, told):
    assert format_offset(ns) == told
