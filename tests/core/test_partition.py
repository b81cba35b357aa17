"""Episodes shared out between datasets: by recording, by task, and the same for the same seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.edit.partition import parse_shares, partition
from telecine.core.edit.resolve import SourceEpisode
from telecine.core.errors import EditError


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), min_size=12, max_size=60), st.integers(0, 99))
def test_no_recording_is_in_two_parts_and_every_episode_in_one(episodes, seed):
    held = [SourceEpisode(5, (task,), f"r{recording}") for task, recording in episodes]
    try:
        parts = partition(held, parse_shares("train=0.5,val=0.5"), seed=seed)
    except EditError:
        assert len({e.recording for e in held}) < 4
        return
    assert sorted(n for numbers in parts.values() for n in numbers) == list(range(len(held)))
    assert not {held[n].recording for n in parts["train"]} & {held[n].recording for n in parts["val"]}
    assert parts == partition(held, parse_shares("train=0.5,val=0.5"), seed=seed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "train",
        "train=1",
        "train=0.5,val=0.6",
        "a=0.5,a=0.5",
        "a/b=0.5,c=0.5",
        "a=x,b=1",
        "a=1/0,b=1",
        "a=1e99999999,b=1",
    ],
)
def test_shares_that_make_no_whole_are_refused(text):
    with pytest.raises(EditError, match="--into"):
        parse_shares(text)


def test_a_share_that_gets_nothing_is_named():
    with pytest.raises(EditError, match="1 recording is too few, nothing is left for val"):
        partition([SourceEpisode(5, (), "r")] * 3, parse_shares("train=0.9,val=0.1"), seed=0)


def test_episodes_without_a_recording_are_shared_out_one_by_one():
    parts = partition([SourceEpisode(5, ("pick",), "")] * 10, parse_shares("train=0.9,val=0.1"), seed=0)
    assert [len(numbers) for numbers in parts.values()] == [9, 1]
