"""Which frames stand for a copied camera in the statistics."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from support import video
from telecine.core.bitstream.packets import index_packets
from telecine.video.sample_frames import sampled_frames


def test_only_keyframes_are_decoded_of_long_episodes_with_short_groups(tmp_path):
    packets = video.x264(600, gop=30)
    clip = video.make_clip(packets, "h264", tmp_path / "clip")
    index = index_packets(packets, "h264")
    wanted = sampled_frames(index.display, index.keyframe, 0, 600)
    assert clip.sampled == wanted.size >= 12
    assert np.isin(wanted, np.flatnonzero(index.keyframe)).all()


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
def test_sampled_pictures_are_shown_ones_and_at_least_twelve(episode):
    display, keyframe, preroll, count = episode
    wanted = sampled_frames(display, keyframe, preroll, count)
    assert wanted.size >= min(12, count)
    assert np.all(np.diff(wanted) > 0)
    assert preroll <= wanted[0]
    assert wanted[-1] < preroll + count
    assert wanted.size <= max(60, 2 * min(12, count))


@given(episodes())
def test_sampled_pictures_leave_no_long_stretch_out(episode):
    display, keyframe, preroll, count = episode
    wanted = sampled_frames(display, keyframe, preroll, count)
    longest = np.max(np.diff(np.concatenate([[preroll], wanted, [preroll + count - 1]])))
    assert longest <= 2 * max(15, count // 20) + count // 11 + 1
