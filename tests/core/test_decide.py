"""Copy, splice or encode."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.copying import decide as module
from telecine.core.copying.decide import decide, decide_cut, decide_kept, encoding_cost
from telecine.core.copying.splice import Copied, Encoded, Repeated, Splice, shown
from telecine.core.video import Encode, FrameFormat, PacketIndex, VideoSettings

H264 = FrameFormat("h264", 64, 48, "yuv420p")


def index(count=30, gop=10, *, display=None, start=0, formats=(H264,), **more):
    key = np.zeros(count, bool)
    key[start::gop] = True
    order = np.arange(count) if display is None else np.asarray(display)
    return PacketIndex(key, order, np.zeros(count, bool), np.ones(count, np.int64), formats, **more)


def repeatable(count=30, gop=10, times=9):
    return index(count, gop, repeats=np.full(count, times))


def settings(**changes):
    base = {"codec": "h264", "copy": "auto", "crf": 20, "gop": 5, "preset": "train", "size": None}
    return VideoSettings(**{**base, **changes})


def decided(rows, made, **changes):
    return decide(np.asarray(rows), made, settings(**changes))


def without(count, *left_out):
    return np.setdiff1d(np.arange(count), left_out)


def test_one_to_one_from_a_keyframe_is_copied():
    assert decided(range(10, 20), index()) == Splice((Copied(10, 20),))
    assert decided(range(10, 17), index()) == Splice((Copied(10, 17),))


def test_a_start_between_keyframes_encodes_the_rows_before_the_next_keyframe_again():
    assert decided(range(13, 28), index()) == Splice((Encoded(0, 7), Copied(20, 28)))


def test_copy_always_keeps_the_frames_before_a_start_between_keyframes():
    assert decided(range(13, 20), index(), copy="always") == Splice((Copied(10, 20),), preroll=3)


@pytest.mark.parametrize(
    ("made", "depth"),
    [
        (index(formats=(FrameFormat("h264", 64, 48, "yuv444p"),)), False),
        (index(formats=(FrameFormat("av1", 64, 48, "yuv420p10le"),)), False),
        (index(gop=30), False),
        (index(formats=(FrameFormat("hevc", 64, 48, "gray12le"),)), True),
    ],
)
def test_what_is_in_a_dataset_is_kept_however_it_is_coded(made, depth):
    assert decide_kept(np.arange(10, 20), made, depth=depth).encoded == 0
    assert decide_kept(np.arange(30), made, depth=depth) == Splice((Copied(0, 30),))


def test_what_is_in_a_dataset_is_encoded_where_no_keyframe_begins_it_or_it_is_no_depth():
    assert decide_kept(np.arange(10), index(start=5)) == Encode("no keyframe at or before the first row")
    assert isinstance(decide_kept(np.arange(10), index(), depth=True), Encode)
    assert isinstance(decide_kept(np.arange(10), index(formats=(H264, FrameFormat("h264", 32, 32, "yuv420p")))), Encode)


def test_a_frame_left_out_costs_the_rest_of_its_group():
    rows = without(40, 16)
    assert decided(rows, index(40)) == Splice((Copied(0, 16), Encoded(16, 19), Copied(20, 40)))


def test_frames_left_out_before_a_keyframe_cost_nothing():
    assert decided(without(40, 18, 19, 39), index(40)) == Splice((Copied(0, 18), Copied(20, 39)))


def test_whole_groups_are_left_out_for_nothing():
    assert decided(without(40, *range(10, 30)), index(40)) == Splice((Copied(0, 10), Copied(30, 40)))


def test_a_repeated_frame_is_skipped_where_that_fits():
    rows = np.sort(np.append(np.arange(30), [12, 12, 29]))
    assert decided(rows, repeatable()) == Splice(
        (Copied(0, 13), Repeated(12, 2), Copied(13, 30), Repeated(29, 1)),
    )


def test_a_repeated_frame_that_does_not_fit_costs_the_rest_of_its_group():
    rows = np.sort(np.append(np.arange(30), [17, 17]))
    expected = Splice((Copied(0, 18), Encoded(18, 22), Copied(20, 30)))
    assert decided(rows, index()) == expected
    assert decided(rows, repeatable(times=1)) == expected


def test_a_repeat_after_one_that_does_not_fit_is_encoded_with_the_rest():
    made = repeatable()
    made.repeats[14] = 0
    rows = np.sort(np.append(np.arange(30), [12, 14, 16]))
    assert decided(rows, made, copy="always") == Splice(
        (Copied(0, 13), Repeated(12, 1), Copied(13, 15), Encoded(16, 23), Copied(20, 30))
    )


def test_b_frames_are_copied_up_to_where_no_frame_is_missing():
    made = index(10, 5, display=[0, 2, 1, 4, 3, 5, 7, 6, 9, 8])
    assert decided(range(9), made) == Splice((Copied(0, 8), Encoded(8, 9)))
    assert decided(range(8), made) == Splice((Copied(0, 8),))
    assert decided([0, 1, 2, 4, 5, 6, 7, 8, 9], made) == Splice((Copied(0, 3), Encoded(3, 4), Copied(5, 10)))
    assert decided([0, 1, 2, 2, 3, 5, 6, 7, 8, 9], made) == Splice((Copied(0, 3), Encoded(3, 5), Copied(5, 10)))


def test_copy_always_keeps_the_frames_after_the_last_row_that_b_frames_need():
    made = index(10, 5, display=[0, 2, 1, 4, 3, 5, 7, 6, 9, 8])
    assert decided(range(9), made, copy="always") == Splice((Copied(0, 10),), unused=1)
    assert decided(range(1, 9), made, copy="always") == Splice((Copied(0, 10),), preroll=1, unused=1)


def test_parts_are_encoded_only_while_that_pays():
    long = index(3000, 30)
    assert isinstance(decided(without(3000, *range(15, 3000, 300)), long), Splice)
    assert isinstance(decided(without(3000, *range(7, 3000, 31)), long), Splice)
    answer = decided(without(3000, *range(7, 3000, 13)), long)
    assert isinstance(answer, Encode)
    assert "231 times some left out" in answer.why
    assert "of all" in answer.why
    assert isinstance(decided(without(3000, *range(7, 3000, 13)), long, copy="always"), Splice)


def test_the_cost_counts_each_row_once_and_what_is_decoded_for_it():
    starts = np.array([0, 10, 20])
    assert encoding_cost(np.array([3, 4, 4]), index(), starts) == 3 + 5 / 4
    assert encoding_cost(np.array([9, 10, 25]), index(), starts) == 3 + (10 + 1 + 6) / 4


@pytest.mark.parametrize(
    ("rows", "made", "wanted", "why"),
    [
        (np.arange(5), index(), settings(copy="never"), "copy: never"),
        (np.arange(5), index(), settings(codec="png"), "PNG"),
        (np.arange(5), index(), settings(codec="av1"), "the source is h264, the dataset av1"),
        (np.arange(5), index(), settings(size=(32, 32)), "64x48, resized to 32x32"),
        (np.arange(5), index(formats=()), settings(), "changes its frame format"),
        (np.arange(5), index(formats=(H264, H264)), settings(), "changes its frame format 1"),
        (np.arange(5), index(formats=(FrameFormat("h264", 64, 48, "yuv444p"),)), settings(), "pixel format yuv444p"),
        (np.arange(5), index(formats=(FrameFormat("av1", 64, 48, "yuvj420p"),)), settings(codec="av1"), "yuvj420p"),
        (np.arange(5), index(open_gop=True), settings(), "open groups"),
        (
            np.arange(5),
            index(5, 5, display=[0, 4, 2, 1, 3], formats=(FrameFormat("hevc", 64, 48, "yuv420p"),)),
            settings(codec="hevc"),
            "nested B-frames",
        ),
        (np.arange(5), index(intra_refresh=True), settings(), "intra refresh"),
        (np.array([1, 1, 2]), index(), settings(), "1 repeated"),
        (np.array([1, 4, 5]), index(), settings(), "1 time some left out"),
        (np.arange(5), index(start=7), settings(), "no keyframe at or before"),
        (np.arange(5), index(start=40), settings(), "no keyframe at or before"),
        (np.arange(90), index(200, 100), settings(), "keyframes are up to 90 frames apart"),
        (np.arange(13, 20), index(), settings(), "lies between two keyframes"),
        (
            np.arange(3, 10),
            index(10, 5, display=[0, 2, 1, 4, 3, 5, 7, 6, 9, 8], formats=(FrameFormat("hevc", 64, 48, "yuv420p"),)),
            settings(codec="hevc"),
            "B-frames do not mix",
        ),
        (np.array([3, 4]), index(6, 3, display=[0, 2, 4, 3, 1, 5]), settings(), "whole groups"),
        (np.array([0, 1]), index(6, 3, display=[0, 2, 4, 3, 5, 1]), settings(copy="always"), "whole groups"),
    ],
)
def test_everything_else_is_encoded_with_its_reason(rows, made, wanted, why):
    answer = decide(rows, made, wanted)
    assert isinstance(answer, Encode)
    assert why in answer.why


def test_copy_always_takes_any_distance_of_keyframes():
    assert isinstance(decided(range(90), index(200, 100), copy="always"), Splice)


def test_repeats_count_into_the_distance_of_keyframes():
    rows = np.sort(np.append(np.arange(100), [3] * 20))
    answer = decided(rows, repeatable(100, 50, 30))
    assert isinstance(answer, Encode)
    assert "up to 70 frames" in answer.why


@st.composite
def streams(draw):
    """(index, rows): closed groups in decode order, some with B-frames, and any rows from the first keyframe on."""
    display, keys, base = [], [], 0
    reorder = draw(st.booleans())
    for length in draw(st.lists(st.integers(1, 12), min_size=1, max_size=6)):
        keys.append(len(display))
        display.append(base)
        at = 1
        while at < length:
            mini = min(draw(st.integers(1, 4)) if reorder else 1, length - at)
            display += [base + at + mini - 1, *range(base + at, base + at + mini - 1)]
            at += mini
        base += length
    flags = np.zeros(base, bool)
    flags[keys] = True
    plain = st.just(np.full(base, 3)) if display == sorted(display) else st.none()
    made = replace(index(base, base, display=display), keyframe=flags, repeats=draw(st.none() | plain))
    first = draw(st.integers(0, base - 1))
    steps = draw(st.lists(st.sampled_from([1] * 8 + [0, 0, 2, 3]), max_size=30))
    rows = np.cumsum([first, *steps])
    return made, rows[rows < base]


@given(streams(), st.sampled_from(["auto", "always"]))
def test_a_splice_shows_exactly_the_rows(case, copy):
    made, rows = case
    splice = decide(rows, made, settings(copy=copy))
    if isinstance(splice, Splice):
        frames = shown(splice, rows, made)
        np.testing.assert_array_equal(frames[splice.preroll : frames.size - splice.unused], rows)
        assert splice.copied + splice.repeated + splice.encoded == rows.size + splice.preroll + splice.unused
        assert copy == "always" or splice.preroll == splice.unused == 0


@given(streams())
def test_a_group_that_rows_show_as_it_is_is_never_encoded_again(case):
    made, rows = case
    splice = decide(rows, made, settings(copy="always"))
    starts = np.flatnonzero(made.keyframe)
    again = set()
    if isinstance(splice, Splice):
        for run in splice.runs:
            again |= set(rows[run.start : run.stop].tolist()) if isinstance(run, Encoded) else set()
    for first, stop in zip(starts, np.append(starts[1:], made.count), strict=True):
        asked = rows[(rows >= first) & (rows < stop)]
        if np.array_equal(asked, np.arange(first, stop)):
            assert isinstance(splice, Splice)
            assert not again & set(range(first, stop))


@given(streams())
def test_repeats_fit_where_they_are_put(case):
    made, rows = case
    splice = decide(rows, made, settings(copy="always"))
    repeated = [r for r in splice.runs if isinstance(r, Repeated)] if isinstance(splice, Splice) else []
    assert all(made.repeats is not None and r.times <= made.repeats[r.packet] for r in repeated)


def test_a_cut_copies_whole_groups_and_re_encodes_the_rest():
    assert decide_cut(np.arange(10, 20), index()) == Splice((Copied(10, 20),))
    assert decide_cut(np.arange(13, 28), index()) == Splice((Encoded(0, 7), Copied(20, 28)))


def test_a_cut_at_keyframes_copies_all_between_them():
    b_frames = [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11]
    for made in (index(12, 4), index(12, 4, display=b_frames)):
        for first, stop in ((0, 12), (0, 4), (4, 8), (4, 12)):
            assert decide_cut(np.arange(first, stop), made) == Splice((Copied(first, stop),))
    assert decide_cut(np.arange(4, 11), index(12, 4, display=b_frames)) == Splice((Copied(4, 11),))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (index(formats=()), "changes its frame format 0 times"),
        (index(formats=(H264, replace(H264, width=32))), "changes its frame format 1 time"),
        (index(start=5), "no keyframe at or before the first row"),
        (index(4, 2, display=[0, 2, 1, 3]), "not stored in whole groups"),
        (index(gop=40), "it lies between two keyframes"),
        (
            index(12, 4, display=[0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11], formats=(replace(H264, codec="hevc"),)),
            "B-frames do not mix",
        ),
    ],
)
def test_a_cut_that_cannot_be_copied_says_why(made, reason):
    decision = decide_cut(np.arange(3, min(14, made.count)), made)
    assert isinstance(decision, Encode)
    assert reason in decision.why


@given(streams(), st.integers(0, 40), st.integers(1, 40), st.sampled_from(["auto", "always"]))
def test_what_is_copied_in_one_run_is_what_its_groups_give(case, first, count, copy):
    made, rows = case[0], np.arange(first, first + count)
    rows = rows[rows < made.count]
    if not rows.size:
        return
    at_once = decided(rows, made, copy=copy), decide_cut(rows, made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_whole_run", lambda *_: None)
        assert (decided(rows, made, copy=copy), decide_cut(rows, made)) == at_once
