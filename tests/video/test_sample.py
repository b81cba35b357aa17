"""Which frames stand for a copied camera in the statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import video
from telecine.core.bitstream.packets import index_packets
from telecine.video.sample_frames import sampled_frames


def test_only_keyframes_are_decoded_of_long_episodes_with_short_groups(tmp_path):
    packets = video.x264(600, gop=30)
    clip = video.make_clip(packets, "h264", tmp_path / "clip")
    index = index_packets(packets, "h264")
    wanted, more = sampled_frames(index.display, index.keyframe, 0, 600)
    assert clip.sampled == wanted.size == 6
    assert np.isin([*wanted, *more], np.flatnonzero(index.keyframe)).all()


@st.composite
def episodes(draw):
    """(display, keyframe, preroll, count) of groups with leading order kept, some with B-frames."""
    lengths = draw(st.lists(st.integers(1, 300), min_size=1, max_size=12))
    display = []
    for length in lengths:
        group = list(range(len(display), len(display) + length))
        if length > 3 and draw(st.booleans()):
            group[1:4] = [group[3], group[1], group[2]]
        display += group
    keyframe = np.zeros(len(display), np.bool_)
    keyframe[np.cumsum([0, *lengths[:-1]])] = True
    preroll = draw(st.integers(0, len(display) - 1))
    return np.array(display), keyframe, preroll, draw(st.integers(1, len(display) - preroll))


@given(episodes())
def test_sampled_pictures_are_shown_ones_and_spread_from_end_to_end(episode):
    display, keyframe, preroll, count = episode
    wanted, more = sampled_frames(display, keyframe, preroll, count)
    for some in (wanted, more):
        assert np.all(np.diff(some) > 0)
        assert np.all((preroll <= some) & (some < preroll + count))
    assert not np.intersect1d(wanted, more).size
    assert wanted.size >= min(4, count)
    assert wanted.size + more.size <= 90
    part = count / min(6, count)
    assert np.max(np.diff(np.concatenate([[preroll], wanted, [preroll + count - 1]]))) <= 3 * part + 2


@given(episodes())
def test_pictures_between_keyframes_are_taken_only_where_keyframes_are_far(episode):
    display, keyframe, preroll, count = episode
    wanted, more = sampled_frames(display, keyframe, preroll, count)
    keys = display[keyframe]
    assert np.isin(more, keys).all()
    assert np.isin(wanted, keys).all() or wanted.size >= min(count, 7)


def test_the_end_of_a_short_episode_decodes_no_group_for_one_picture():
    keyframe = np.arange(300) % 60 == 0
    wanted, _ = sampled_frames(np.arange(300), keyframe, 0, 300)
    assert np.array_equal(wanted, np.flatnonzero(keyframe))


@pytest.mark.parametrize("gop", [45, 60])
def test_few_keyframes_are_all_sampled_the_first_among_them(gop):
    keyframe = np.arange(360) % gop == 0
    wanted, _ = sampled_frames(np.arange(360), keyframe, 0, 360)
    assert np.array_equal(wanted, np.flatnonzero(keyframe))


@pytest.mark.parametrize("gop", [15, 30, 45, 60])
def test_mean_and_deviation_of_several_episodes_are_within_a_hundredth(gop):
    """A wrist camera that goes down to a bright table and up again, once in an episode, sooner or later."""
    found, truth = np.zeros(256), np.zeros(256)
    for start in (0.0, 0.3, 0.5, 0.9):
        levels = np.uint8(110 + 70 * np.sin(2 * np.pi * (np.arange(360) / 360 + start)))
        wanted, _ = sampled_frames(np.arange(360), np.arange(360) % gop == 0, 0, 360)
        found += np.bincount(levels[wanted], minlength=256) / wanted.size
        truth += np.bincount(levels, minlength=256) / levels.size
    assert abs(mean_of(found) - mean_of(truth)) <= 2.55
    assert abs(deviation_of(found) - deviation_of(truth)) <= 2.55


def test_one_keyframe_stands_for_nothing_but_its_surroundings():
    keyframe = np.arange(900) == 0
    wanted, more = sampled_frames(np.arange(900), keyframe, 0, 900)
    assert (wanted.size, more.size) == (18, 0)


def clip_of(levels, path):
    """The clip of grey pictures of these levels, a keyframe every 15."""
    pictures = np.broadcast_to(np.uint8(levels)[:, None, None, None], (len(levels), 64, 64, 3))
    return video.make_clip(video.x264(len(levels), gop=15, size=(64, 64), pictures=pictures), "h264", path)


def share_below(counts):
    """The share of pixels at or below each level."""
    return np.cumsum(counts) / np.sum(counts)


def mean_of(counts):
    return counts @ np.arange(256) / np.sum(counts)


def deviation_of(counts):
    return np.sqrt(counts @ np.arange(256) ** 2 / np.sum(counts) - mean_of(counts) ** 2)


@pytest.mark.parametrize("share", [0.15, 0.37, 0.5, 0.81])
def test_a_camera_of_two_looks_is_sampled_more_densely(tmp_path, share):
    """A wrist camera above a dark table, then before a bright bin."""
    levels = np.where(np.arange(900) < share * 900, 30, 190) + np.arange(900) % 7
    clip = clip_of(levels, tmp_path / "clip")
    assert clip.sampled == 18
    found, truth = clip.histogram[0], np.bincount(levels, minlength=256)
    assert (
        abs(mean_of(found) - mean_of(truth)) <= 160 / 36 + 4
    )  # the step / 2n, and keyframes of others of the 7 levels
    no_frame_has = slice(60, 170)
    assert np.all(np.abs(share_below(found) - share_below(truth))[no_frame_has] <= 1 / 18)


def test_a_camera_that_only_drifts_is_not(tmp_path):
    levels = np.linspace(60, 120, 900)
    clip = clip_of(levels.round(), tmp_path / "clip")
    assert clip.sampled == 6
    assert abs(mean_of(clip.histogram[0]) - mean_of(np.bincount(levels.astype(int), minlength=256))) <= 2.55
