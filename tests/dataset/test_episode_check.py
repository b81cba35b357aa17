from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.dataset import COLUMNS, FPS, PLAIN, TOP, clip, episode, with_column
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.grid import Grid
from telecine.core.video import Clip, FrameFormat
from telecine.dataset.episode_check import check_episode, check_planned
from telecine.dataset.values import to_arrow, to_numpy
from telecine.lerobot_format.paths import Limits
from telecine.lerobot_format.schema import Features

FIRST = Features.of(episode(4))


def refusal(one, features=None, fps=FPS):
    with pytest.raises(DatasetError) as caught:
        check_episode(one, features, fps=fps, limits=Limits())
    return str(caught.value)


def made(column, values, **others):
    """An episode with one more column."""
    base = episode(len(values), **others)
    rows = base.rows.append_column(column.key, values)
    return replace(base, columns=(*base.columns, column), rows=rows)


@pytest.fixture
def coded(tmp_path):
    return clip(tmp_path, TOP, 4)


def test_a_good_episode_gives_its_values():
    one = episode(4, columns=COLUMNS)
    values = check_episode(one, None, fps=FPS, limits=Limits())
    assert list(values) == [c.key for c in COLUMNS if c.dtype != "string"] + ["timestamp"]
    assert values["pose"].shape == (4, 2, 3)
    assert values["contacts"].shape == (4,)


def test_the_message_names_recording_feature_got_and_expected():
    one = with_column(episode(4), "action", pa.array([[0.0] * 4] * 4, pa.list_(pa.float32(), 4)))
    text = refusal(one)
    assert text.startswith("/somewhere/private/recording-0.rrd#id-0 cannot be added: action: got lists of lengths 4")
    assert "expected float32 (3,)" in text


def test_all_problems_are_told_together():
    one = replace(episode(4), columns=(FeatureColumn("a/b", "float16", (0,)), FeatureColumn("index", "float32", (1,))))
    text = refusal(one)
    for words in ("'a/b'", "float16", "shape (0,)", "index: LeRobot's own column", "got columns"):
        assert words in text


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (FeatureColumn("", "float32", (1,)), "expected a feature name"),
        (FeatureColumn("task", "float32", (1,)), "LeRobot's own column"),
        (FeatureColumn("action", "float32", (3,)), "named 2 times"),
        (FeatureColumn("a", "complex64", (1,)), "got dtype complex64"),
        (FeatureColumn("a", "float32", (1,) * 6), "1 to 5 dimensions"),
        (FeatureColumn("a", "float32", ()), "1 to 5 dimensions"),
        (FeatureColumn("a", "float32", (1 << 20,)), "got 1048576 elements, expected at most"),
        (FeatureColumn("a", "string", (2,)), "expected (1,)"),
        (FeatureColumn("a", "float32", (2,), ("x",)), "got 1 name, expected 2"),
        (FeatureColumn("observation.ok", "bool", (1,)), "must be a number"),
        (FeatureColumn("action.name", "string", (1,)), "must be a number"),
    ],
)
def test_features_that_lerobot_cannot_use_are_refused(column, words):
    assert words in refusal(replace(episode(4), columns=(*PLAIN, column)))


def test_a_camera_that_policies_do_not_see_is_refused(coded):
    assert "observation.images." in refusal(episode(4, clips=[replace(coded, key="top")]))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (PLAIN[:1], "observation.state: got nothing, expected float32 (3,) named shoulder, elbow, gripper"),
        ((*PLAIN, COLUMNS[4]), "contacts: got int64 (1,), expected no such feature as in the first episode"),
        ((PLAIN[0], replace(PLAIN[1], names=("a", "b", "c"))), "observation.state: got float32 (3,) named a, b, c"),
        ((*PLAIN, PLAIN[0]), "a feature occurs twice"),
    ],
)
def test_episodes_with_other_features_than_the_first_are_refused(columns, words):
    assert words in refusal(replace(episode(4, columns=columns), columns=columns), FIRST)


@pytest.mark.parametrize("change", [{"width": 32}, {"codec": "hevc"}, {"pix_fmt": "yuvj420p"}])
def test_a_camera_of_another_format_is_refused(coded, change):
    features = Features.of(episode(4, clips=[coded]))
    other = replace(coded, format=replace(coded.format, **change))
    text = refusal(episode(4, clips=[other]), features)
    assert f"{TOP}: got" in text
    assert "expected h264 64x48 yuv420p as in the first episode" in text


@pytest.mark.parametrize("change", [{"codec": "hevc"}, {"pix_fmt": "yuv444p"}])
def test_other_codings_are_taken_where_any_is_and_said_to_be_before_there_are_clips(coded, change):
    features = Features.of(episode(4, clips=[coded]))
    other = replace(coded, format=replace(coded.format, **change))
    check_episode(episode(4, clips=[other]), features, fps=FPS, limits=Limits(), any_coding=True)
    assert check_planned(episode(4), [other], features, fps=FPS, limits=Limits()) == features
    larger = replace(coded, format=replace(coded.format, width=32))
    with pytest.raises(DatasetError, match="got video 32x48, expected video 64x48"):
        check_planned(episode(4), [larger], features, fps=FPS, limits=Limits())


def test_a_camera_tagged_with_another_matrix_is_taken(coded):
    features = Features.of(episode(4, clips=[coded]))
    other = replace(coded, format=replace(coded.format, matrix="bt709"))
    check_episode(episode(4, clips=[other]), features, fps=FPS, limits=Limits())


def test_features_may_come_in_another_order():
    one = episode(4)
    check_episode(replace(one, columns=one.columns[::-1]), FIRST, fps=FPS, limits=Limits())


def test_another_rate_is_refused():
    assert "got 30 fps, expected 25" in refusal(episode(4), fps=25)
    one = replace(episode(4), grid=Grid(0, 4, Fraction(30000, 1001)))
    assert "got 30000/1001 fps, expected 30" in refusal(one)


def test_rows_are_one_per_tick_and_at_least_one():
    assert "got 4 rows, expected 5" in refusal(replace(episode(4), grid=Grid(0, 5, Fraction(FPS))))
    assert "got 0 rows, expected 1" in refusal(episode(0, tasks=[]))


def test_columns_must_be_those_announced():
    one = episode(4)
    assert "got columns" in refusal(replace(one, rows=one.rows.drop_columns(["action"])))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_break_training_are_refused(bad):
    values = to_arrow(np.array([0.0, 1.0, bad, 3.0]), FeatureColumn("x", "float64", (1,)))
    assert "x: NaN, infinity or a value beyond float32 in 1 row, first in row 2" in refusal(
        made(FeatureColumn("x", "float64", (1,)), values)
    )


def test_nulls_and_other_types_are_refused():
    column = FeatureColumn("x", "float32", (1,))
    assert "x: got 1 null" in refusal(made(column, pa.array([1.0, None], pa.float32())))
    assert "x: got double, expected float32" in refusal(made(column, pa.array([1.0])))
    assert "x: got float instead of a list" in refusal(made(replace(column, shape=(2,)), pa.array([1.0], pa.float32())))
    text = FeatureColumn("t", "string", (1,))
    assert "t: got 1 null" in refusal(made(text, pa.array(["a", None])))
    assert "t: got int64, expected string" in refusal(made(text, pa.array([1])))
    assert "task: got int64" in refusal(with_column(episode(2), "task", pa.array([1, 2])))


def test_timestamps_must_be_exactly_the_grid():
    times = np.arange(4, dtype=np.float32) / FPS
    times[2] += 1e-5
    text = refusal(with_column(episode(4), "timestamp", pa.array(times)))
    assert "in row 2, expected 0.0666" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frames": 3}, "got 3 frames from the episode's first on, expected at least 4"),
        ({"preroll": 1}, "got 3 frames"),
        ({"preroll": -1}, "got 5 frames"),
        ({"path": "/nowhere/x.clip"}, "the clip x.clip is gone"),
        ({"histogram": np.zeros((3, 256), np.int64)}, "got a histogram"),
        ({"histogram": np.ones((1, 256), np.int64)}, "shape (1, 256)"),
        ({"sampled": 0}, "from 0 frames"),
    ],
)
def test_clips_that_do_not_serve_the_rows_are_refused(coded, change, words):
    text = refusal(episode(4, clips=[replace(coded, **change)]))
    assert f"{TOP}: " in text
    assert words in text


def test_preroll_before_a_very_long_episode_is_refused(tmp_path):
    path = tmp_path / "long.clip"
    path.write_bytes(b"")
    count = 1024 * 2
    histogram = np.ones((3, 256), np.int64)
    picture = FrameFormat("h264", 64, 48, "yuv420p")
    long = Clip(TOP, str(path), picture, count + 3, 3, 0, True, "", 1, 1, histogram, 1)
    one = replace(episode(count, fps=2), clips=(long,))
    assert "encode this camera instead of copying it" in refusal(one, fps=2)
    check_episode(replace(one, clips=(replace(long, preroll=0),)), None, fps=2, limits=Limits())


@given(st.sampled_from([c for c in COLUMNS if c.dtype != "string"]), st.integers(1, 20), st.integers(0, 5))
def test_values_survive_arrow(column, count, skipped):
    rng = np.random.default_rng(count)
    shape = () if column.shape == (1,) else column.shape
    values = (rng.normal(size=(count + skipped, *shape)) * 3).astype(column.dtype)
    arrow = to_arrow(values, column)
    assert np.array_equal(to_numpy(pa.chunked_array([arrow[skipped:]]), column), values[skipped:])
    halves = pa.chunked_array([arrow[: count // 2], arrow[count // 2 :]])
    assert np.array_equal(to_numpy(halves, column), values)


def test_no_path_of_the_scratch_folder_is_told(coded):
    text = refusal(episode(4, clips=[replace(coded, path=str(Path(coded.path).parent / "gone"))]))
    assert str(Path(coded.path).parent) not in text


def test_an_episode_that_does_not_name_its_elements_joins_one_that_does():
    named, bare = replace(COLUMNS[0], names=None), COLUMNS[0]
    for column in (named, bare):
        one = episode(4)
        one = replace(one, columns=(column, *one.columns[1:]))
        for first in (FIRST, Features.of(one)):
            check_episode(one, first, fps=FPS, limits=Limits())
