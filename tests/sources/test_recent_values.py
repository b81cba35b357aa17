"""Decoded values that are not held are decoded again, and what is held stays within its limit."""

import gc

import numpy as np
import pytest

from support.mcap import some_messages, write_mcap
from telecine.sources import registry
from telecine.sources.shared.recent_values import DECODED, RecentValues


class Owner:
    """Whose values they are."""


def test_the_latest_values_stay_and_the_oldest_go_first():
    held, made = RecentValues(20), []

    def of(owner, size):
        return held.of(owner, lambda: made.append(size) or size, int)

    first, second, third = Owner(), Owner(), Owner()
    assert [of(first, 10), of(second, 10), of(first, 10)] == [10, 10, 10]
    assert (made, held.held_bytes) == ([10, 10], 20)
    of(third, 8)  # the second was asked for longest ago
    of(first, 10)
    assert (made, held.held_bytes) == ([10, 10, 8], 18)
    of(second, 100)  # one alone may be larger
    assert (made, held.held_bytes) == ([10, 10, 8, 100], 100)


def test_values_go_with_their_owner_and_a_lower_limit_ends():
    held, owner = RecentValues(100), Owner()
    with held.at_most(5):
        held.of(owner, lambda: 50, int)
        held.of(other := Owner(), lambda: 5, int)
        assert held.held_bytes == 5
    held.of(owner, lambda: 50, int)
    assert held.held_bytes == 55
    del owner, other
    gc.collect()
    assert held.held_bytes == 0


@pytest.fixture(scope="module")
def recording(mcap, tmp_path_factory):
    """The only recording of a file."""
    path = write_mcap(tmp_path_factory.mktemp("recent") / "a.mcap", some_messages(50))
    (claim,) = registry.claimed([path])
    (ref,) = registry.index(claim).refs
    return ref


def read(ref):
    """All timestamps and values of numbers and texts, each stream asked twice."""
    found = {}
    with registry.open(ref) as opened:
        for _ in range(2):
            for name, stream in opened.streams.items():
                for clock in () if stream.static else stream.clocks:
                    times = stream.times(clock)
                    values = stream.take(np.arange(times.size), clock) if stream.kind in ("vector", "text") else ()
                    found[name, clock] = times.tolist(), [np.asarray(value).tolist() for value in values]
    return found


def test_streams_are_the_same_where_nothing_but_the_latest_is_held(recording):
    whole = read(recording)
    assert len(whole) > 4
    with DECODED.at_most(0):
        assert read(recording) == whole


def test_streams_of_one_topic_share_their_stamps(recording):
    with registry.open(recording) as opened:
        one, other = (opened.streams[f"/joints:{what}"] for what in ("position", "velocity"))
        assert one._ordered[0] is other._ordered[0]
