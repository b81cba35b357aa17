"""Which frames damage spoils, and what is left of a stream."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.copying.damage import WholeFrames, damage_shown, damaged_frames, frames_of, usable_frames
from telecine.core.recording import MemoryStream, Schema
from telecine.core.video import PacketIndex


def index(count=30, gop=10, *, display=None, problems=(), start=0):
    key = np.zeros(count, bool)
    key[start::gop] = True
    order = np.arange(count) if display is None else np.asarray(display)
    told = tuple((p, "lost") for p in problems)
    return PacketIndex(key, order, np.zeros(count, bool), np.ones(count, np.int64), (), problems=told)


def bad(made):
    return np.flatnonzero(damaged_frames(made)).tolist()


def test_damage_reaches_to_the_next_keyframe():
    assert bad(index(problems=(14,))) == [14, 15, 16, 17, 18, 19]
    assert bad(index(problems=(10, 14))) == list(range(10, 20))
    assert bad(index(problems=(29, 3))) == [3, 4, 5, 6, 7, 8, 9, 29]
    assert bad(index()) == []


def test_frames_before_the_first_keyframe_of_a_damaged_stream_are_spoilt():
    assert bad(index(start=5, problems=(2,))) == [0, 1, 2, 3, 4]
    assert bad(index(3, start=9, problems=(2,))) == [0, 1, 2]


def test_of_b_frames_only_frames_without_a_hole_before_the_damage_are_sound():
    assert bad(index(5, 5, display=[0, 2, 1, 4, 3], problems=(4,))) == [3, 4]
    assert bad(index(5, 5, display=[0, 2, 1, 4, 3], problems=(2,))) == [1, 2, 3, 4]


def test_a_group_mixed_with_one_whose_keyframe_is_lost_is_sound_up_to_where_they_mix():
    # decode order: frames 0 1 2 3 of a group, then those of another one that took the same counts
    assert bad(index(8, 8, display=[0, 1, 3, 5, 2, 4, 6, 7], problems=(4,))) == [2, 3, 4, 5, 6, 7]


@given(st.integers(1, 30), st.integers(1, 12), st.sets(st.integers(0, 29)))
def test_without_b_frames_a_frame_is_sound_when_no_packet_since_its_keyframe_is_damaged(count, gop, problems):
    problems = sorted(p for p in problems if p < count)
    made = index(count, gop, problems=problems)
    expected = [i for i in range(count) if any(i // gop * gop <= p <= i for p in problems)]
    assert bad(made) == expected


def test_cutting_keeps_the_first_run_of_sound_frames():
    flags = np.zeros(30, bool)
    flags[[4, 5, 20]] = True
    assert usable_frames(flags, "cut").tolist() == [0, 1, 2, 3]
    assert usable_frames(flags, "cut", slice(5, 30)).tolist() == list(range(6, 20))
    assert usable_frames(flags, "cut", slice(21, 30)).tolist() == list(range(21, 30))
    assert usable_frames(flags, "cut", slice(4, 6)).tolist() == []
    assert usable_frames(flags, "encode").tolist() == [i for i in range(30) if i not in (4, 5, 20)]


def test_a_sound_stream_has_the_stamps_of_its_frames_and_all_packets():
    stamps = {"t": np.arange(6, dtype=np.int64) * 10}
    stream = MemoryStream("cam", "video", Schema("uint8", encoding="h264"), stamps, [bytes([i]) for i in range(6)])
    sound = WholeFrames(stream, np.array([0, 1, 4]))
    assert sound.times("t").tolist() == [0, 10, 40]
    assert list(sound.packets("t", 2, 4)) == [bytes([2]), bytes([3])]
    assert (sound.name, sound.kind, sound.static, sound.backwards("t")) == ("cam", "video", False, 0)
    assert sound.schema.encoding == "h264"
    assert list(sound.clocks) == ["t"]
    assert frames_of(sound, np.array([1, 2, 2])).tolist() == [1, 4, 4]
    assert frames_of(stream, np.array([1, 2, 2])).tolist() == [1, 2, 2]


@pytest.mark.parametrize("policy", ["cut", "encode"])
def test_nothing_is_left_of_a_stream_that_is_all_spoilt(policy):
    assert usable_frames(np.ones(5, bool), policy).size == 0


def test_damage_is_told_where_it_spoils_a_frame_that_is_asked_for():
    made = index(problems=(14, 24))
    assert damage_shown(made, np.arange(14)) is None
    assert damage_shown(made, np.arange(15)) == (14, "lost")
    assert damage_shown(made, np.arange(18, 30)) == (14, "lost")
    assert damage_shown(made, np.arange(20, 30)) == (24, "lost")
    assert damage_shown(made, np.array([3, 13, 20, 23])) is None
    assert damage_shown(index(9, start=9, problems=(2,)), np.array([1])) == (2, "lost")
