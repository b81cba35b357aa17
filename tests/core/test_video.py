"""Copy or encode."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.video import Copy, Encode, PacketIndex, PictureFormat, Wish, decide

H264 = PictureFormat("h264", 64, 48, "yuv420p")


def index(count=30, gop=10, *, display=None, start=0, formats=(H264,), **flags):
    key = np.zeros(count, bool)
    key[start::gop] = True
    shown = np.arange(count) if display is None else np.asarray(display)
    return PacketIndex(key, shown, np.zeros(count, bool), np.ones(count, np.int64), formats, **flags)


def wish(**changes):
    base = {"codec": "h264", "copy": "auto", "crf": 20, "gop": 5, "preset": "train", "size": None}
    return Wish(**{**base, **changes})


def test_one_to_one_from_a_keyframe_is_copied():
    assert decide(np.arange(10, 20), index(), wish()) == Copy(10, 20, 0, 10)


def test_a_start_between_keyframes_encodes_the_rows_before_the_next_keyframe_again():
    assert decide(np.arange(13, 28), index(), wish()) == Copy(20, 28, 0, 8, head=7)
    assert decide(np.arange(13, 21), index(), wish()) == Copy(20, 21, 0, 1, head=7)


def test_copy_always_keeps_the_pictures_before_a_start_between_keyframes():
    assert decide(np.arange(13, 20), index(), wish(copy="always")) == Copy(10, 20, 3, 7)


def test_b_frames_are_copied_up_to_where_no_picture_is_missing():
    # decode order 0 2 1 4 3 | 5 7 6 9 8
    display = [0, 2, 1, 4, 3, 5, 7, 6, 9, 8]
    assert decide(np.arange(0, 9), index(10, 5, display=display), wish()) == Copy(0, 10, 0, 9)
    assert decide(np.arange(0, 8), index(10, 5, display=display), wish()) == Copy(0, 8, 0, 8)
    assert decide(np.arange(0, 7), index(10, 5, display=display), wish()) == Copy(0, 8, 0, 7)


@pytest.mark.parametrize(
    ("rows", "made", "wanted", "why"),
    [
        (np.arange(5), index(), wish(copy="never"), "copy: never"),
        (np.arange(5), index(), wish(codec="png"), "PNG"),
        (np.arange(5), index(), wish(codec="av1"), "the source is h264, the dataset av1"),
        (np.arange(5), index(), wish(size=(32, 32)), "64x48, resized to 32x32"),
        (np.arange(5), index(formats=()), wish(), "changes its picture format"),
        (np.arange(5), index(formats=(H264, H264)), wish(), "changes its picture format 1"),
        (np.arange(5), index(formats=(PictureFormat("h264", 64, 48, "yuv444p"),)), wish(), "pixel format yuv444p"),
        (np.arange(5), index(formats=(PictureFormat("av1", 64, 48, "yuvj420p"),)), wish(codec="av1"), "yuvj420p"),
        (np.arange(5), index(open_gop=True), wish(), "open groups"),
        (
            np.arange(5),
            index(5, 5, display=[0, 4, 2, 1, 3], formats=(PictureFormat("hevc", 64, 48, "yuv420p"),)),
            wish(codec="hevc"),
            "nested B-frames",
        ),
        (np.arange(5), index(intra_refresh=True), wish(), "intra refresh"),
        (np.array([0, 1, 1, 2]), index(), wish(), "1 repeated"),
        (np.array([0, 1, 4, 5]), index(), wish(), "1 times some left out"),
        (np.arange(5), index(start=7), wish(), "no keyframe at or before"),
        (np.arange(90), index(200, 100), wish(), "keyframes are up to 90 pictures apart"),
        (np.arange(3), index(3, 3, display=[0, 2, 1]), wish(), None),
        (np.arange(13, 20), index(), wish(), "lies between two keyframes"),
        (np.arange(13, 28), index(formats=(PictureFormat("h264", 64, 48, "yuv420p", "bt709"),)), wish(), "colour tags"),
        (np.arange(13, 28), index(formats=(PictureFormat("h264", 64, 48, "yuvj420p"),)), wish(), "colour tags"),
        (np.array([3, 4]), index(6, 3, display=[0, 2, 4, 3, 1, 5]), wish(), "whole groups"),
        (np.array([0, 1]), index(6, 3, display=[0, 2, 4, 3, 5, 1]), wish(copy="always"), None),
    ],
)
def test_everything_else_is_encoded_with_its_reason(rows, made, wanted, why):
    answer = decide(rows, made, wanted)
    if why is None:
        assert isinstance(answer, Copy)
    else:
        assert isinstance(answer, Encode)
        assert why in answer.why


def test_copy_always_takes_any_distance_of_keyframes():
    assert isinstance(decide(np.arange(90), index(200, 100), wish(copy="always")), Copy)


def test_the_index_tells_delay_and_longest_gop():
    assert index(25, 10).longest_gop == 10
    assert index(25, 10, start=30).longest_gop == 25
    assert index(5, 5, display=[0, 3, 1, 2, 4]).reorder_delay == 1
    empty = index(0)
    assert (empty.longest_gop, empty.reorder_delay, empty.count) == (0, 0, 0)


@st.composite
def streams_with_b_frames(draw):
    """Closed groups of pictures in decode order, each shuffled the way B-frames are: references come first."""
    display, keys, base = [], [], 0
    for length in draw(st.lists(st.integers(1, 12), min_size=1, max_size=6)):
        keys.append(len(display))
        display.append(base)
        at = 1
        while at < length:
            mini = min(draw(st.integers(1, 4)), length - at)
            display += [base + at + mini - 1, *range(base + at, base + at + mini - 1)]
            at += mini
        base += length
    flags = np.zeros(len(display), bool)
    flags[keys] = True
    first = draw(st.integers(0, base - 1))
    return flags, np.array(display), np.arange(first, draw(st.integers(first, base - 1)) + 1)


@given(streams_with_b_frames())
def test_head_and_copy_together_show_every_row_once(case):
    flags, display, rows = case
    n = len(display)
    made = PacketIndex(flags, display, np.zeros(n, bool), np.ones(n, np.int64), (H264,))
    answer = decide(rows, made, wish())
    if isinstance(answer, Copy):
        assert answer.head + answer.count == len(rows)
        assert answer.preroll == 0
        assert flags[answer.first]
        assert display[answer.first] == rows[answer.head]
    else:
        assert not np.any(flags & (display > rows[0]) & (display <= rows[-1]))


@given(streams_with_b_frames())
def test_a_copy_starts_at_a_keyframe_and_holds_every_row_without_a_hole(case):
    flags, display, rows = case
    n = len(display)
    made = PacketIndex(flags, display, np.zeros(n, bool), np.ones(n, np.int64), (H264,))
    copy = decide(rows, made, wish(copy="always"))
    assert isinstance(copy, Copy)
    assert flags[copy.first]
    shown = np.sort(display[copy.first : copy.stop]) - display[copy.first]
    np.testing.assert_array_equal(shown, np.arange(copy.stop - copy.first))
    assert display[copy.first] + copy.preroll == rows[0]
    assert copy.preroll + copy.count <= copy.stop - copy.first
    assert not np.any(flags[copy.first + 1 : copy.stop] & (display[copy.first + 1 : copy.stop] <= rows[0]))
