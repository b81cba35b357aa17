"""Which frames are whose: by counts where those leave no doubt, lost where they do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.frame_claims import with_exchanged_files, with_forgotten, with_order, with_unnamed
from telecine.core.frame_ranges import (
    ClaimedFrames,
    FrameRange,
    FrameTimes,
    UnknownFrames,
    assign_frames,
    frame_times,
    with_gaps,
)

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def in_files(lengths, cuts):
    """(frames per file, the true place of each episode) when episodes go over files that end at `cuts`."""
    frames, places = [0], []
    for number, length in enumerate(lengths):
        if number in cuts and frames[-1]:
            frames.append(0)
        places.append(ClaimedFrames(len(frames) - 1, frames[-1], length))
        frames[-1] += length
    return frames, places


def spans(placed):
    return [(p.file, p.first, p.count) if isinstance(p, FrameRange) else None for p in placed]


def truth(places):
    return [(p.file, p.first, p.count) for p in places]


@given(LENGTHS, st.sets(st.integers(1, 11)))
def test_a_sound_dataset_stays_as_it_is_whether_or_not_anything_is_told(lengths, cuts):
    frames, places = in_files(lengths, cuts)
    told = assign_frames(lengths, frames, places)
    assert spans(told) == truth(places)
    assert all(p.note == "" for p in told)
    assert spans(assign_frames(lengths, frames, [None] * len(lengths))) == truth(places)


@given(LENGTHS, st.sets(st.integers(1, 11)), st.data())
def test_wrong_offsets_are_mended_when_the_counts_agree(lengths, cuts, data):
    frames, places = in_files(lengths, cuts)
    shift = data.draw(st.integers(0, 5))
    wrong = [ClaimedFrames(p.file, p.first + shift, p.count) for p in places]
    assert spans(assign_frames(lengths, frames, wrong)) == truth(places)


@given(LENGTHS, st.sets(st.integers(1, 11)), st.data())
def test_no_frame_is_given_to_two_rows_whatever_is_told(lengths, cuts, data):
    frames, _ = in_files(lengths, cuts)
    number = st.integers(-3, 40)
    told = data.draw(
        st.lists(
            st.one_of(st.none(), st.builds(ClaimedFrames, st.integers(-1, len(frames)), number, st.integers(0, 40))),
            min_size=len(lengths),
            max_size=len(lengths),
        )
    )
    taken = set()
    for length, place in zip(lengths, assign_frames(lengths, frames, told), strict=True):
        if isinstance(place, UnknownFrames):
            assert place.why
            continue
        assert 0 < place.count <= length
        mine = {(place.file, place.first + i) for i in range(place.count)}
        assert not mine & taken
        assert all(0 <= at < frames[file] for file, at in mine)
        taken |= mine


def test_an_episode_whose_frames_were_dropped_is_lost_and_no_other():
    told = [ClaimedFrames(0, 0, 10), ClaimedFrames(0, 10, 8), ClaimedFrames(0, 18, 10)]
    placed = assign_frames([10, 10, 10], [28], told)
    assert spans(placed) == [(0, 0, 10), None, (0, 18, 10)]
    assert placed[1] == UnknownFrames("10 rows have 8 frames, and nothing tells which rows are without")


def test_frames_after_the_last_row_are_left_out_where_its_rows_are_all_there():
    told = [ClaimedFrames(0, 0, 13), ClaimedFrames(0, 13, 10)]
    placed = assign_frames([10, 10], [23], told, stated=[10, 10])
    assert (placed[0].note, placed[1]) == ("3 frames after its last row left out", FrameRange(0, 13, 10))
    assert "LeRobot's recorder leaves behind" in placed[0].doubt
    for stated, text in ((13, "13 rows are stated"), (None, "10 rows are there")):
        placed = assign_frames([10, 10], [23], told, stated=[stated, 10])
        assert placed[0].is_choice
        assert text in placed[0].why
        believed = assign_frames([10, 10], [23], told, stated=[stated, 10], trust_video=True)
        assert (spans(believed), believed[0].doubt) == ([(0, 0, 10), (0, 13, 10)], placed[0].why)


def test_frames_that_nothing_knows_leave_every_episode_of_their_file_in_doubt():
    told = [ClaimedFrames(0, 0, 10), ClaimedFrames(0, 10, 10), ClaimedFrames(1, 0, 10)]
    placed = assign_frames([10, 10, 10], [21, 10], told)
    assert spans(placed) == [None, None, (1, 0, 10)]
    assert all(p.is_choice and "21 frames, 1 behind all" in p.why for p in placed[:2])
    believed = assign_frames([10, 10, 10], [21, 10], told, trust_video=True)
    assert spans(believed) == [(0, 0, 10), (0, 10, 10), (1, 0, 10)]
    assert [bool(p.doubt) for p in believed] == [True, True, False]


def test_frames_between_episodes_are_of_no_row_where_both_together_fill_the_file():
    told = [ClaimedFrames(0, 0, 10), ClaimedFrames(0, 13, 10)]
    placed = assign_frames([10, 10], [23], told)
    assert spans(placed) == [(0, 0, 10), (0, 13, 10)]
    assert (placed[0].doubt, "3 frames before its first" in placed[1].doubt) == ("", True)
    assert not any(p.doubt for p in assign_frames([10, 10], [23], told, sound={0}))


def test_two_episodes_on_one_span_take_the_order_of_the_format():
    told = [ClaimedFrames(0, first, n) for first, n in ((0, 20), (20, 9), (29, 15), (20, 9))]
    assert spans(assign_frames([20, 9, 15, 9], [53], told)) == [(0, 0, 20), (0, 20, 9), (0, 29, 15), (0, 44, 9)]
    other = [ClaimedFrames(0, 9, 5), ClaimedFrames(0, 0, 9)]
    assert spans(assign_frames([5, 9], [14], other)) == [(0, 9, 5), (0, 0, 9)]


def test_an_episode_the_metadata_forgot_fills_what_its_neighbours_leave():
    told = [ClaimedFrames(0, 0, 10), None, None, ClaimedFrames(0, 18, 10), None, ClaimedFrames(1, 0, 4)]
    found = with_forgotten([10, 5, 3, 10, 6, 4], told)
    assert found == [told[0], ClaimedFrames(0, 10, 5), ClaimedFrames(0, 15, 3), told[3], None, told[5]]
    assert with_forgotten([10, 5, 4, 10, 6, 4], told) == told


def test_a_claim_beyond_the_files_end_leaves_all_of_them_in_doubt():
    placed = assign_frames([10, 4], [15], [ClaimedFrames(0, 0, 10), ClaimedFrames(0, 12, 4)])
    assert spans(placed) == [None, None]
    assert "14 rows up to its frame 15" in placed[0].why


def test_files_under_each_others_numbers_are_told_apart_by_their_counts():
    told = [ClaimedFrames(0, 0, 20), ClaimedFrames(0, 20, 9), ClaimedFrames(1, 0, 18), ClaimedFrames(2, 0, 5), None]
    found = with_exchanged_files([20, 9, 18, 5, 1], [18, 29, 5], told)
    assert [claim and claim.file for claim in found] == [1, 1, 0, 2, None]
    for frames in ([29, 18, 5], [18, 30, 5], [18, 18, 29]):
        assert with_exchanged_files([20, 9, 18, 5, 1], frames, told) == told


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 60), st.floats(0, 0.2))
def test_times_tell_which_places_have_no_frame(gaps, fps, jitter):
    places = np.cumsum([gap + 1 for gap in gaps]) - gaps[0] - 1
    times = (places + jitter * (-1) ** np.arange(places.size)) / fps
    found = frame_times(times, fps)
    missing = sorted(set(range(int(places[-1]))) - set(places.tolist()))
    if len(missing) < places.size:
        assert found == FrameTimes(tuple(missing))
    else:
        assert found.is_irregular
    assert frame_times(times + 3 / fps, fps, places.size + 3) == (found if missing else FrameTimes((0, 1, 2)))


def test_times_that_are_neither_on_the_grid_nor_even_are_irregular():
    assert frame_times(np.array([0, 1, 1.5, 2, 4]) / 30, 30) == FrameTimes(is_irregular=True)
    assert frame_times(np.arange(9) / 60, 30) == FrameTimes()  # at another rate, but evenly
    assert frame_times(np.empty(0), 30) == FrameTimes()
    assert frame_times(np.array([0.0, 1e9]), 30) == FrameTimes(is_irregular=True)


def test_a_video_that_was_cut_keeps_the_frames_it_has():
    told = [ClaimedFrames(0, 0, 10), ClaimedFrames(0, 10, 10), ClaimedFrames(0, 20, 10)]
    placed = assign_frames([10, 10, 10], [14], told, {0})
    assert placed[:2] == [FrameRange(0, 0, 10), FrameRange(0, 10, 4, "the file ends after 4 of its 10 frames")]
    assert placed[2] == UnknownFrames("its frames begin at 20, the file holds 14")


def test_a_frame_that_is_missing_anywhere_costs_every_episode_of_its_file_and_no_other():
    told = [ClaimedFrames(0, 0, 10), ClaimedFrames(0, 10, 10), ClaimedFrames(1, 0, 10)]
    placed = assign_frames([10, 10, 10], [19, 10], told)
    assert spans(placed) == [None, None, (1, 0, 10)]
    assert "19 frames for 20 rows" in placed[0].why


def test_a_place_without_a_frame_costs_its_episode_and_moves_those_behind_it():
    ranges = [with_gaps(FrameRange(0, first, 10), [13]) for first in (0, 10, 20)]
    assert spans(ranges) == [(0, 0, 10), None, (0, 19, 10)]
    assert "row 3 has no frame" in ranges[1].why
    assert with_gaps(UnknownFrames("lost"), [1]) == UnknownFrames("lost")


def test_a_wrong_end_is_told_by_the_start_of_the_next():
    placed = assign_frames([10, 10], [20], [ClaimedFrames(0, 0, 9), ClaimedFrames(0, 10, 10)], cut={0})
    assert placed == [
        FrameRange(0, 0, 10, "the metadata said frames 0 to 8, the counts say 0 to 9"),
        FrameRange(0, 10, 10),
    ]


def test_episodes_that_overlap_are_lost():
    placed = assign_frames([10, 10], [25], [ClaimedFrames(0, 0, 12), ClaimedFrames(0, 8, 10)])
    assert [type(p) for p in placed] == [UnknownFrames, UnknownFrames]


def test_a_file_that_is_not_there_loses_its_episodes():
    placed = assign_frames([10, 10], [10], [ClaimedFrames(0, 0, 10), ClaimedFrames(-1, 0, 10)])
    assert placed[1] == UnknownFrames("the video file that the metadata names is not there")


def test_episodes_the_metadata_forgot_follow_the_last_one_it_knows():
    told = [ClaimedFrames(0, 0, 10), None, None, None]
    assert spans(assign_frames([10, 5, 7, 3], [15, 10], told)) == [(0, 0, 10), (0, 10, 5), (1, 0, 7), (1, 7, 3)]


def test_frames_that_the_metadata_counted_wrongly_are_not_given_again():
    placed = assign_frames([1, 1], [1, 1], [None, ClaimedFrames(0, 0, 0)])
    assert spans(placed) == [(1, 0, 1), (0, 0, 1)]


def test_rows_written_before_their_video_have_no_frames():
    placed = assign_frames([10, 5, 7], [15], [None] * 3)
    assert spans(placed) == [(0, 0, 10), (0, 10, 5), None]
    assert placed[2] == UnknownFrames("no video holds its frames")


def test_frames_behind_episodes_that_no_metadata_places_leave_them_in_doubt():
    placed = assign_frames([8, 10, 5], [8, 22], [None] * 3)
    assert spans(placed) == [(0, 0, 8), None, None]
    assert all(p.is_choice for p in placed[1:])
    assert spans(assign_frames([10, 5], [22], [None] * 2, trust_video=True)) == [(0, 0, 10), (0, 10, 5)]


def test_a_file_with_missing_frames_leaves_whole_files_behind_it_usable():
    placed = assign_frames([10, 5, 7, 3, 8, 2], [15, 9, 10], [None] * 6)
    assert spans(placed) == [(0, 0, 10), (0, 10, 5), None, None, (2, 0, 8), (2, 8, 2)]
    assert placed[2] == UnknownFrames("the videos hold 19 frames for 20 rows, and nothing tells whose are missing")


def test_a_file_that_ends_early_keeps_what_is_whole_without_metadata_too():
    assert spans(assign_frames([10, 5, 7, 3], [13, 3], [None] * 4, {0})) == [(0, 0, 10), None, None, (1, 0, 3)]


def test_nothing_is_sure_behind_a_file_when_the_last_one_does_not_fit_either():
    assert spans(assign_frames([10, 5, 7, 3], [14, 9], [None] * 4)) == [None] * 4


@given(LENGTHS, st.sets(st.integers(1, 11)), st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11), max_size=1))
def test_files_that_nothing_names_are_given_back_or_nobody_gets_them(lengths, cuts, unnamed, gone):
    frames, places = in_files(lengths, cuts)
    unnamed = unnamed | gone
    claims = [ClaimedFrames(-1, p.first, p.count) if p.file in unnamed else p for p in places]
    counts = [0 if file in gone else count for file, count in enumerate(frames)]
    found = with_unnamed(lengths, counts, claims)
    for place, own in zip(places, found, strict=True):
        assert own == place or (gone and place.file in unnamed)
        if gone and own != place:  # by the count of another file it may fit, never with other counts
            assert own.file == -1 or counts[own.file] == frames[place.file]
    if not gone & set(range(len(frames))):
        assert found == places


def test_two_files_of_one_length_of_which_one_is_gone_go_to_nobody():
    claims = [ClaimedFrames(-1, 0, 5), ClaimedFrames(0, 0, 7), ClaimedFrames(-1, 0, 5)]
    assert with_unnamed([5, 7, 5], [7, 5], claims) == claims


def test_files_whose_names_tell_no_order_are_given_back_by_counts_that_only_one_has():
    claims = [ClaimedFrames(-1, 0, 5), ClaimedFrames(-1, 0, 7), ClaimedFrames(-1, 0, 5)]
    by_counts = [ClaimedFrames(-1, 0, 5), ClaimedFrames(1, 0, 7), ClaimedFrames(-1, 0, 5)]
    assert with_unnamed([5, 7, 5], [5, 7, 5], claims, {0, 1, 2}) == by_counts
    assert with_unnamed([5, 7], [7, 5], claims[:2], {0, 1}) == [ClaimedFrames(1, 0, 5), ClaimedFrames(0, 0, 7)]
    assert with_unnamed([5, 7], [5, 7], claims[:2], {0, 1}) == [ClaimedFrames(0, 0, 5), ClaimedFrames(1, 0, 7)]


@given(LENGTHS, st.randoms(use_true_random=False))
def test_claims_that_fill_a_file_in_another_order_are_put_in_that_of_episodes(lengths, random):
    episodes = [2 * i + 3 for i in range(len(lengths))]
    placed = list(range(len(lengths)))
    random.shuffle(placed)
    claims: list[ClaimedFrames | None] = [None] * len(lengths)
    right, first, at = [], 0, 0
    for i in placed:
        claims[i] = ClaimedFrames(0, first, lengths[i])
        first += lengths[i]
    for length in lengths:
        right.append(ClaimedFrames(0, at, length))
        at += length
    assert with_order(lengths, [sum(lengths)], claims, episodes) == right
    assert with_order(lengths, [sum(lengths) + 1], claims, episodes) == claims
    assert with_order(lengths, [sum(lengths)], [None, *claims[1:]], episodes) == [None, *claims[1:]]
