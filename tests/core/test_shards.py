"""Parts of a conversion: how they are named, and that they share out the recordings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.errors import PlanError
from telecine.core.shards import MOST_CHUNKS, Shard, chunk_of, chunks_of, cut, shard_of, shards_for


@given(st.lists(st.integers(0, 10**12), max_size=40), st.integers(1, 60))
def test_every_recording_is_in_one_part_in_order(sizes, of):
    parts = cut(sizes, of)
    assert [position for part in parts for position in part] == list(range(len(sizes)))
    assert len(parts) == of


@given(st.integers(1, 50), st.integers(1, 20))
def test_recordings_of_one_size_are_shared_out_evenly(count, of):
    lengths = [len(part) for part in cut([5] * count, of)]
    assert max(lengths) - min(lengths) <= 1


def test_a_part_is_named_by_a_text_or_a_pair():
    assert shard_of(" 7/200 ") == shard_of((7, 200)) == Shard(7, 200)
    assert (str(Shard(7, 200)), Shard(7, 200).name) == ("7/200", "shard-007")


@pytest.mark.parametrize("given", ["0/200", "201/200", "7", "7/200/3", "a/b", "1/0", "1/1001", (1,), (1, "2"), 7])
def test_what_is_no_part_is_refused(given):
    with pytest.raises(PlanError, match="--shard"):
        shard_of(given)


def test_every_part_has_chunks_of_its_own_and_the_last_one_the_rest():
    assert [chunk_of(Shard(n, 3), 5) for n in (1, 2, 3)] == [5, 6, 7]
    assert [chunks_of(Shard(n, 3), 5) for n in (1, 2, 3)] == [1, 1, MOST_CHUNKS - 7]


@pytest.mark.parametrize(
    ("recordings", "size", "slots", "parts"),
    [
        (1000, 1 << 20, 64, 1),  # small: starting one more process would not pay
        (1000, 8 << 30, 2, 8),  # four for each place
        (1000, 800 << 30, 2, 100),  # 8 GiB each at most
        (3, 800 << 30, 2, 3),
        (1000, 0, 2, 8),
        (76_000, 8_700 << 30, 64, MOST_CHUNKS),
        (0, 0, 1, 1),
    ],
)
def test_parts_are_as_many_as_pay(recordings, size, slots, parts):
    assert shards_for(recordings, size, slots) == parts
