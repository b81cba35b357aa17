from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from telecine.lerobot_format.paths import (
    MIB,
    FileIndex,
    Limits,
    data_is_full,
    data_path,
    episodes_are_full,
    episodes_path,
    video_is_full,
    video_path,
)

LIMITS = Limits()
FPS = Fraction(30)


def test_paths_are_lerobots_templates():
    place = FileIndex(1, 12)
    assert data_path(place) == "data/chunk-001/file-012.parquet"
    assert episodes_path(place) == "meta/episodes/chunk-001/file-012.parquet"
    key = "observation.images.top"
    assert video_path(key, place) == "videos/observation.images.top/chunk-001/file-012.mp4"


def test_places_are_numbered_without_holes():
    limits = Limits(files_per_chunk=3)
    place, seen = FileIndex(), []
    for _ in range(7):
        seen.append((place.chunk, place.file))
        place = place.next(limits)
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]


def test_places_sort_like_their_paths():
    places = [FileIndex(0, 9), FileIndex(0, 10), FileIndex(1, 0), FileIndex(10, 2)]
    assert sorted(places) == places
    assert sorted(map(data_path, places)) == list(map(data_path, places))


def test_a_new_file_takes_any_episode():
    assert not data_is_full(4, (0, 0), 10**9, LIMITS)
    assert not video_is_full(0, 0, (10**12, 10**9), FPS, LIMITS)


def test_rows_that_would_pass_the_limit_begin_a_new_file():
    assert not data_is_full(50 * MIB, (500, 10), 499, LIMITS)
    assert data_is_full(50 * MIB, (500, 10), 500, LIMITS)


def test_a_footer_that_would_fill_memory_begins_a_new_file():
    assert not data_is_full(MIB, (500, 199), 1, LIMITS)
    assert data_is_full(MIB, (500, 200), 1, LIMITS)


def test_a_clip_that_would_pass_the_size_limit_begins_a_new_file():
    assert not video_is_full(100 * MIB, 300, (100 * MIB - 1, 300), FPS, LIMITS)
    assert video_is_full(100 * MIB, 300, (100 * MIB, 300), FPS, LIMITS)


def test_a_video_ends_before_float32_seconds_get_coarse():
    assert not video_is_full(1, 1000 * 30, (1, 24 * 30), FPS, LIMITS)
    assert video_is_full(1, 1000 * 30, (1, 24 * 30 + 1), FPS, LIMITS)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from([10, 15, 24, 25, 30, 50, 60, 240]))
def test_no_video_of_several_episodes_passes_1024_seconds(frames, more, fps):
    if not video_is_full(0, frames, (0, more), Fraction(fps), LIMITS):
        assert (frames + more) / fps <= 1024


def test_episode_records_roll_at_the_data_limit():
    assert not episodes_are_full(100 * MIB - 1, LIMITS)
    assert episodes_are_full(100 * MIB, LIMITS)
