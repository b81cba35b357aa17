"""Packets into clips, and which pictures stand for them in the statistics."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import video
from telecine.core.errors import VideoError
from telecine.core.packets import index_packets, is_self_contained
from telecine.core.video import Copy
from telecine.video.clip import read_clip
from telecine.video.copy import copy, sampled_pictures
from telecine.video.histogram import Histogram

DEPTHS = {"h264 b-frames": 2, "hevc closed": 2, "hevc shallow": 1}
EITHER = ["h264", "h264 b-frames", "hevc closed", "av1"]


def packets_of(path):
    return [bytes(data) for data, _, _ in read_clip(path)]


@pytest.mark.parametrize("name", video.STREAMS)
def test_a_clip_holds_the_packets_as_they_are(tmp_path, name):
    codec = name.split()[0]
    packets = video.STREAMS[name](25)
    clip = video.make_clip(packets, codec, tmp_path / "clip")
    index = index_packets(packets, codec)
    stored = list(read_clip(clip.path))
    assert [bytes(data) for data, _, _ in stored] == packets
    assert [display for _, display, _ in stored] == index.display.tolist()
    assert [i for i, (_, _, key) in enumerate(stored) if key] == [0, 10, 20]
    assert (clip.frames, clip.preroll, clip.gop, clip.copied, clip.why) == (25, 0, 10, True, "exact")
    assert clip.format == index.formats[0]
    assert clip.reorder_delay == index.reorder_delay == DEPTHS.get(name, 0)
    assert clip.size_bytes == sum(map(len, packets))
    assert (clip.key, clip.encoder) == ("observation.images.cam", {})


@pytest.mark.parametrize("name", EITHER)
def test_a_part_of_a_stream_is_shown_from_its_own_start(tmp_path, name):
    codec = name.split()[0]
    clip = video.make_clip(video.STREAMS[name](40), codec, tmp_path / "clip", first=10, stop=30, preroll=3, count=15)
    stored = list(read_clip(clip.path))
    assert sorted(display for _, display, _ in stored) == list(range(20))
    assert video.shown_ids(packets_of(clip.path), codec) == [(10 + i, 0) for i in range(20)]
    assert (clip.frames, clip.preroll) == (20, 3)


@pytest.mark.parametrize("name", EITHER)
def test_headers_that_were_sent_once_are_put_before_every_keyframe(tmp_path, name):
    codec = name.split()[0]
    packets = video.headers_once(video.STREAMS[name](40), codec)
    clip = video.make_clip(packets, codec, tmp_path / "clip", first=10, stop=30)
    stored = packets_of(clip.path)
    assert [i for i, data in enumerate(stored) if is_self_contained(data, codec)] == [0, 10]
    assert video.shown_ids(stored, codec) == [(10 + i, 0) for i in range(20)]


@pytest.mark.parametrize("name", EITHER)
def test_colours_are_those_of_pictures_that_rows_show(tmp_path, name):
    codec = name.split()[0]
    packets = video.STREAMS[name](40)
    clip = video.make_clip(packets, codec, tmp_path / "clip", preroll=12, count=15)
    histogram = Histogram()
    for frame in video.decode(packets, codec)[12:27]:
        histogram.add(frame.to_ndarray(format="rgb24"))
    assert clip.sampled == 15
    assert np.array_equal(clip.histogram, histogram.counts)


def test_a_start_without_a_keyframe_is_refused(tmp_path):
    with pytest.raises(VideoError, match=r"/cam: packet 3 is not a keyframe"):
        video.make_clip(video.x264(20), "h264", tmp_path / "clip", first=3)


def test_a_run_of_packets_that_leaves_a_picture_out_is_refused(tmp_path):
    packets = video.STREAMS["h264 b-frames"](30)
    with pytest.raises(VideoError, match="packets 0 to 1 do not hold a gapless run of pictures"):
        video.make_clip(packets, "h264", tmp_path / "clip", stop=2)


@pytest.mark.parametrize("decision", [Copy(0, 10, 3, 8), Copy(0, 0, 0, 0)])
def test_more_rows_than_pictures_are_refused(tmp_path, decision):
    packets = video.x264(10)
    with pytest.raises(VideoError, match="do not fit"):
        copy(
            video.stream(packets, "h264"),
            video.CLOCK,
            index_packets(packets, "h264"),
            decision,
            key="k",
            path=str(tmp_path / "clip"),
            why="",
        )


def test_a_stream_that_ends_before_its_index_is_refused(tmp_path):
    packets = video.x264(20)
    with pytest.raises(VideoError, match="ends after 15 of 20 packets"):
        copy(
            video.stream(packets[:15], "h264"),
            video.CLOCK,
            index_packets(packets, "h264"),
            Copy(0, 20, 0, 20),
            key="k",
            path=str(tmp_path / "clip"),
            why="",
        )


def test_two_picture_formats_are_refused(tmp_path):
    packets = [*video.x264(10), *video.x264(10, size=(160, 96))]
    with pytest.raises(VideoError, match="2 picture formats"):
        video.make_clip(packets, "h264", tmp_path / "clip")


@pytest.mark.parametrize("name", ["h264", "h264 main cabac", "h264 b-frames", "av1"])
@pytest.mark.parametrize("at", [0, 10, 19])
def test_a_truncated_packet_among_the_sampled_ones_is_a_video_error(tmp_path, name, at):
    codec = name.split()[0]
    packets = video.STREAMS[name](20)
    index = index_packets(packets, codec)
    packets[at] = packets[at][: max(len(packets[at]) * 2 // 3, 9)]
    with pytest.raises(VideoError, match=r"damaged|not decoded"):
        copy(
            video.stream(packets, codec),
            video.CLOCK,
            index,
            Copy(0, 20, 0, 20),
            key="k",
            path=str(tmp_path / "clip"),
            why="",
        )


def test_only_keyframes_are_decoded_of_long_episodes_with_short_groups(tmp_path):
    packets = video.x264(600, gop=30)
    clip = video.make_clip(packets, "h264", tmp_path / "clip")
    index = index_packets(packets, "h264")
    wanted = sampled_pictures(index.display, index.keyframe, 0, 600)
    assert clip.sampled == wanted.size >= 20
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
def test_sampled_pictures_are_shown_ones_and_at_least_twenty(episode):
    display, keyframe, preroll, count = episode
    wanted = sampled_pictures(display, keyframe, preroll, count)
    assert wanted.size >= min(20, count)
    assert np.all(np.diff(wanted) > 0)
    assert preroll <= wanted[0]
    assert wanted[-1] < preroll + count
    assert wanted.size <= max(60, 2 * min(20, count))


@given(episodes())
def test_sampled_pictures_leave_no_long_stretch_out(episode):
    display, keyframe, preroll, count = episode
    wanted = sampled_pictures(display, keyframe, preroll, count)
    longest = np.max(np.diff(np.concatenate([[preroll], wanted, [preroll + count - 1]])))
    assert longest <= 2 * max(15, count // 20) + count // 19 + 1


def test_a_clip_is_told_from_an_encoded_one(tmp_path):
    clip = video.make_clip(video.x264(3), "h264", tmp_path / "clip")
    assert dataclasses.replace(clip, copied=False).copied is False
