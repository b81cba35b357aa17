"""A recording becomes rows: hand-computed cases, and laws over random rates."""

import math
import re
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.memory import every, images, ramp, recording, seconds, static, text, vector
from telecine.core.errors import AlignError, PlanError, SourceError
from telecine.core.findings import Finding, FindingSpan
from telecine.core.grid import Grid
from telecine.core.plan.bind import Source
from telecine.core.plan.fields import format_duration, parse_duration
from telecine.core.plan.model import make_plan
from telecine.core.recording import MemoryStream, Schema
from telecine.core.resample.resample import resample


def plan(features, *, fps=10, task="go", **rest):
    clock = {"timeline": "real_time", **rest.pop("clock", {})}
    return make_plan({"fps": fps, "clock": clock, "features": features, "task": task, **rest})


def rows(placed, key):
    return np.array(placed.rows.column(key).to_pylist())


def codes(placed):
    return [f.code for f in placed.findings]


@settings(max_examples=40)
@given(
    st.integers(1, 60),
    st.floats(3, 400),
    st.floats(3, 400),
    st.floats(0, 0.4),
    st.floats(1.0, 3.0),
)
def test_the_row_count_follows_from_the_time_span_and_values_are_never_from_the_future(fps, hz_a, hz_b, start, length):
    rec = recording(ramp("a", every(hz_a, length)), ramp("b", every(hz_b, length, start)))
    placed = resample(rec, plan({"action": "a", "observation.state": {"from": "b", "limit": "auto"}}, fps=fps))
    ticks = placed.grid.ticks() / 1e9
    last = min(every(hz_a, length)[-1] / 1e9 + 1 / hz_a, every(hz_b, length, start)[-1] / 1e9 + 1 / hz_b)
    first = max(0, every(hz_b, length, start)[0] / 1e9)
    assert placed.grid.count == pytest.approx((last - first) * fps, abs=1.5)
    for key, hz in (("action", hz_a), ("observation.state", hz_b)):
        age = ticks - rows(placed, key)[:, 0]
        assert age.min() >= -1e-6
        assert age.max() <= 1 / hz + 1e-6
    np.testing.assert_allclose(rows(placed, "timestamp"), np.arange(placed.grid.count) / fps, atol=1e-5)


def test_streams_are_concatenated_in_the_order_given_with_chosen_fields():
    times = every(50, 1)
    rec = recording(ramp("joints", times, 3, names=("x", "y", "z")), ramp("grip", times, 1), ramp("more", times, 2))
    features = {"action": {"from": [{"stream": "grip"}, {"stream": "joints", "fields": ["z", 0]}, "more"]}}
    placed = resample(rec, plan(features))
    np.testing.assert_allclose(rows(placed, "action")[0], [0, 200, 0, 0, 100])
    assert placed.columns[0].shape == (5,)
    assert placed.columns[0].names == ("grip", "z", "x", "more_0", "more_1")


def test_names_come_from_the_streams_when_all_have_them():
    times = every(50, 1)
    rec = recording(ramp("a", times, 2, names=("x", "y")), ramp("b", times, 1, names=("z",)))
    placed = resample(rec, plan({"action": {"from": ["a", {"stream": "b"}]}}))
    assert placed.columns[0].names == ("x", "y", "z")


def test_an_entity_path_is_enough_when_one_stream_lies_there():
    rec = recording(ramp("/action:Scalars:scalars", every(50, 1)))
    assert resample(rec, plan({"action": "/action"})).grid.count == 10


def test_a_jittered_camera_of_the_nominal_rate_gives_one_row_a_frame():
    rng = np.random.default_rng(3)
    times = every(30, 10) + 123_000_000 + rng.integers(-4_000_000, 4_000_000, 300)
    frames = [np.full((4, 4, 3), 1, np.uint8)] * 300
    rec = recording(ramp("a", every(200, 11)), images("cam", times, frames))
    placed = resample(rec, plan({"action": "a", "observation.images.cam": "cam"}, fps=30))
    assert placed.grid.count == 300
    np.testing.assert_array_equal(placed.cameras[0].rows, np.arange(300))
    assert not [c for c in codes(placed) if c.startswith("video-")]


def test_a_single_sample_stands_within_its_limit_as_long_as_others_go_on():
    frame = [np.full((4, 4, 3), 1, np.uint8)]
    rec = recording(images("cam", seconds(1.0), frame), ramp("a", seconds(1.1)))
    placed = resample(rec, plan({"observation.images.cam": "cam", "action": {"from": "a", "limit": "none"}}))
    assert (placed.grid.start_ns, placed.grid.count) == (1_100_000_000, 1)
    long = recording(images("cam", seconds(1.0), frame), ramp("a", every(50, 2)))
    assert resample(long, plan({"observation.images.cam": "cam", "action": "a"})).grid.count == 3
    with pytest.raises(AlignError, match="do not overlap"):
        resample(rec, plan({"observation.images.cam": {"from": "cam", "limit": "90ms"}, "action": "a"}))


def test_where_any_age_counts_the_first_steady_stream_ends_the_episode_else_the_last_of_all():
    any_age = {"action": {"from": "a", "limit": "none"}, "observation.state": {"from": "b", "limit": "none"}}
    events = (ramp("a", seconds(0, 0.3, 7.0)), ramp("b", seconds(0.5, 3.0)))
    assert resample(recording(*events), plan(any_age)).grid.count == 66  # from 0.5 s to 7 s
    steady = {**any_age, "x": {"from": "c", "limit": "none", "repeats": "allowed"}}
    made = resample(recording(*events, ramp("c", every(50, 2))), plan(steady))
    assert made.grid.stop_ns == 2_000_000_000


def test_a_camera_of_2997_against_30_repeats_about_one_frame_in_a_thousand():
    times = np.round(np.arange(3000) * 1e9 * 1001 / 30000).astype(np.int64)
    frames = [np.full((4, 4, 3), 1, np.uint8)] * 3000
    placed = resample(recording(images("cam", times, frames)), plan({"observation.images.cam": "cam"}, fps=30))
    steps = np.diff(placed.cameras[0].rows)
    assert 2 <= int(np.sum(steps == 0)) <= 4
    assert set(steps) == {0, 1}
    assert "video-frames-repeated" in codes(placed)


def test_a_late_stream_trims_the_start_and_says_so():
    rec = recording(ramp("a", every(50, 4)), ramp("b", every(50, 4, 1.5)))
    placed = resample(rec, plan({"action": "a", "observation.state": "b"}))
    assert placed.grid.start_ns == 1_500_000_000
    (note,) = [f for f in placed.findings if f.code == "align-trimmed"]
    assert note.severity == "warning"
    assert "1.500 s cut from the start, where b has no samples" in note.message
    assert (note.stream, note.span) == ("b", FindingSpan(0, 1_500_000_000, "real_time"))
    ended = resample(recording(ramp("a", every(50, 4)), ramp("b", every(50, 2))), plan({"action": "a", "x": "b"}))
    (note,) = [f for f in ended.findings if f.code == "align-trimmed"]
    last = int(ended.grid.ticks()[-1])
    assert (note.stream, note.span) == ("b", FindingSpan(last, 3_999_899_999, "real_time"))


def test_a_late_stream_that_must_be_whole_is_an_error():
    rec = recording(ramp("a", every(50, 4)), ramp("b", every(50, 4, 1.5)))
    with pytest.raises(AlignError, match=r"b starts 1\.500 s late"):
        resample(rec, plan({"action": "a", "observation.state": {"from": "b", "missing": "error"}}))


def test_an_early_end_of_a_stream_that_must_be_whole_is_an_error():
    rec = recording(ramp("a", every(50, 4)), ramp("b", every(50, 2)))
    with pytest.raises(AlignError, match=r"b ends 2\.000 s early"):
        resample(rec, plan({"action": "a", "observation.state": {"from": "b", "missing": "error"}}))


def test_a_long_gap_is_an_error_that_names_the_split_which_takes_it_out():
    times = np.concatenate([every(50, 1), every(50, 4, 3)])
    rec = recording(ramp("a", every(50, 4)), ramp("b", times))
    with pytest.raises(
        AlignError, match=r"observation.state: b has no sample within its limit at 1[78] of 40 rows"
    ) as said:
        resample(rec, plan({"action": "a", "observation.state": "b"}))
    assert "`split: {gaps: 250ms, stream: 'b'}`" in str(said.value)
    placed = resample(rec, plan({"action": "a", "observation.state": {"from": "b", "limit": "1920ms"}}))
    assert placed.uses[1].age_max_ns == 1_920_000_000
    assert "align-gap" in codes(placed)


@pytest.mark.parametrize("how", ["nearest", "linear"])
def test_the_suggested_limit_is_accepted(how):
    times = np.concatenate([every(50, 1), every(50, 4, 1.9)])
    rec = recording(ramp("a", every(50, 3.9)), ramp("b", times))
    features = {"action": "a", "observation.state": {"from": "b", "how": how}}
    with pytest.raises(AlignError) as said:
        resample(rec, plan(features))
    limit = str(said.value).partition("a limit of ")[2].partition(" ")[0]
    features["observation.state"]["limit"] = limit
    assert resample(rec, plan(features)).grid.count >= 39


def test_linear_and_slerp_blend_between_samples():
    angle = np.array([0.0, 1.0])
    quaternions = np.stack([0 * angle, 0 * angle, np.sin(angle / 2), np.cos(angle / 2)], axis=1)
    rec = recording(ramp("a", every(1, 2)), vector("q", every(1, 2), quaternions))
    features = {"action": {"from": "a", "how": "linear"}, "observation.pose": {"from": "q", "how": "slerp"}}
    placed = resample(rec, plan({k: {**v, "limit": "1s"} for k, v in features.items()}, fps=4))
    np.testing.assert_allclose(rows(placed, "action")[:, 0], [0, 0.25, 0.5, 0.75, 1.0], atol=1e-6)
    np.testing.assert_allclose(rows(placed, "observation.pose")[2], [0, 0, np.sin(0.25), np.cos(0.25)], atol=1e-6)


def test_slerp_refuses_quaternions_that_are_not_unit():
    rec = recording(vector("q", every(1, 3), np.full((3, 4), 2.0)))
    with pytest.raises(AlignError, match="slerp needs unit quaternions, found one of length 4"):
        resample(rec, plan({"observation.pose": {"from": "q", "how": "slerp", "limit": "1s"}}))


def test_a_task_text_holds_from_when_it_was_logged():
    rec = recording(ramp("a", every(50, 2)), text("say", seconds(0, 1), ["pick", "place"]))
    placed = resample(rec, plan({"action": "a"}, task={"from": "say"}))
    assert placed.rows.column("task").to_pylist() == ["pick"] * 10 + ["place"] * 10


@pytest.mark.parametrize(("ident", "path"), [("one", "x.rrd"), ("", "folder/one.rrd"), ("", "folder/one")])
def test_a_task_is_found_by_recording_id_or_file_name(ident, path):
    rec = recording(ramp("a", every(50, 1)), ident=ident, path=path)
    placed = resample(rec, plan({"action": "a"}, task={"recordings": {"one": "pick", "two": "place"}}))
    assert set(placed.rows.column("task").to_pylist()) == {"pick"}


def test_a_recording_without_its_task_is_refused():
    with pytest.raises(PlanError, match="task.recordings: no text for mem.rrd#rec"):
        resample(recording(ramp("a", every(50, 1))), plan({"action": "a"}, task={"recordings": {"one": "pick"}}))


def test_an_empty_task_text_is_refused():
    rec = recording(ramp("a", every(50, 1)), text("say", seconds(0), [" "]))
    with pytest.raises(AlignError, match="empty task text"):
        resample(rec, plan({"action": "a"}, task={"from": "say"}))


def test_an_empty_task_of_a_dataset_is_carried_over_and_named():
    rec = recording(ramp("a", every(50, 1)), text("say", seconds(0), [" "]))
    in_dataset = replace(rec, rows=Grid(0, 50, Fraction(50)))
    placed = resample(in_dataset, plan({"action": "a"}, task={"from": "say"}))
    assert set(placed.rows.column("task").to_pylist()) == {" "}
    assert [(f.severity, f.stream) for f in placed.findings if f.code == "look-task"] == [("warning", "say")]


def test_a_static_value_is_valid_for_the_whole_episode():
    rec = recording(ramp("a", every(50, 1)), static("gain", [1.5, 2.5]), static("say", "pick", kind="text"))
    placed = resample(rec, plan({"action": "a", "gain": "gain"}, task={"from": "say"}))
    assert placed.rows.column("gain").to_pylist() == [[1.5, 2.5]] * 10
    assert placed.rows.column("task").to_pylist() == ["pick"] * 10


def test_a_plan_of_static_streams_alone_has_no_rows():
    with pytest.raises(AlignError, match="every planned stream is static"):
        resample(recording(static("gain", [1.5])), plan({"gain": "gain"}))


def test_follow_takes_the_stamps_of_its_stream_and_can_keep_them():
    rng = np.random.default_rng(5)
    times = every(10, 5) + rng.integers(-9_000_000, 9_000_000, 50)
    rec = recording(ramp("a", every(200, 6)), ramp("b", times))
    placed = resample(rec, plan({"action": "a", "observation.state": "b"}, clock={"follow": "b", "keep": "measured"}))
    kept = placed.grid.start_ns / 1e9 + rows(placed, "measured")
    np.testing.assert_allclose(kept, times[times >= 0][: len(kept)] / 1e9)
    np.testing.assert_allclose(rows(placed, "observation.state")[:, 0], kept, atol=1e-6)
    np.testing.assert_allclose(rows(placed, "timestamp"), np.arange(placed.grid.count) / 10, atol=1e-6)


def test_follow_refuses_a_rate_that_contradicts_fps_with_both_numbers():
    rec = recording(ramp("a", every(24, 5)))
    with pytest.raises(AlignError, match=r"a runs at 24\.000 Hz, the plan says fps 30: 20\.0 % apart"):
        resample(rec, plan({"action": "a"}, fps=30, clock={"follow": "a"}))


@pytest.mark.parametrize(("hz", "tolerance"), [(10.08, None), (9.92, None), (10.15, 0.02)])
def test_follow_takes_a_rate_within_the_tolerance(hz, tolerance):
    clock = {"follow": "a"} | ({} if tolerance is None else {"tolerance": tolerance})
    assert resample(recording(ramp("a", every(hz, 3))), plan({"action": "a"}, clock=clock)).grid.count >= 29


@pytest.mark.parametrize(("hz", "tolerance"), [(10.12, None), (9.88, None), (10.25, 0.02)])
def test_follow_refuses_a_rate_just_beyond_the_tolerance(hz, tolerance):
    clock = {"follow": "a"} | ({} if tolerance is None else {"tolerance": tolerance})
    with pytest.raises(AlignError, match=f"{100 * (tolerance or 0.01):.1f} % accepted; set fps to 10"):
        resample(recording(ramp("a", every(hz, 3))), plan({"action": "a"}, clock=clock))


@pytest.mark.parametrize("how", ["hold", "nearest", "linear"])
@settings(max_examples=20)
@given(st.integers(400_000_001, 900_000_000))
def test_the_limit_that_a_gap_is_told_is_the_least_whole_ms_that_accepts_it(how, gap_ns):
    before = every(50, 1)
    times = np.concatenate([before, before[-1] + gap_ns + before])
    rec = recording(ramp("a", every(50, 3)), ramp("b", times))
    features = {"action": "a", "observation.state": {"from": "b", "how": how, "limit": "100ms"}}
    with pytest.raises(AlignError, match="would accept the gap") as refused:
        resample(rec, plan(features))
    told = re.search(r"a limit of (\S+) would", str(refused.value)).group(1)
    features["observation.state"]["limit"] = told
    assert resample(rec, plan(features)).grid.count >= 20
    features["observation.state"]["limit"] = format_duration(parse_duration(told) - 1_000_000)
    with pytest.raises(AlignError, match="would accept the gap"):
        resample(rec, plan(features))


def test_a_static_stream_cannot_be_followed():
    with pytest.raises(PlanError, match="static; it has no timestamps to follow"):
        resample(recording(ramp("a", every(24, 5)), static("s", [1.0])), plan({"action": "a"}, clock={"follow": "s"}))


@pytest.mark.parametrize("rate", ["1000000000", "30", "29.97", "30000/1001", "29.97002997", "1000000"])
def test_counts_become_time_exactly_however_far_they_count(rate):
    most = int(1_760_000_000 * Fraction(rate))
    counts = np.array([0, 1, 7, most - 1, most, most + 13], np.int64)
    times = Source(
        vector("/a", counts, np.zeros(6), clock="step", kind="sequence"), "step", rate=Fraction(rate)
    ).times()
    assert times.tolist() == [math.floor(c * 10**9 / Fraction(rate) + Fraction(1, 2)) for c in counts.tolist()]


def test_nanoseconds_that_are_taken_for_steps_are_named():
    ns = np.array([0, 33_000_000], np.int64) + 1_760_000_000 * 10**9
    with pytest.raises(PlanError, match="at 30 a second is no date; nanoseconds .* have --rate 1000000000"):
        Source(vector("/a", ns, np.zeros(2), clock="step", kind="sequence"), "step", rate=Fraction(30)).times()


def test_a_sequence_timeline_needs_a_rate():
    times = np.arange(100)
    rec = recording(vector("a", times, times * 1.0, clock="step", kind="sequence"))
    with pytest.raises(PlanError, match="timeline 'step' counts steps, not time"):
        resample(rec, plan({"action": "a"}, clock={"timeline": "step"}))
    placed = resample(rec, plan({"action": "a"}, clock={"timeline": "step", "rate": 50}))
    np.testing.assert_array_equal(rows(placed, "action")[:4], [0, 5, 10, 15])


def test_an_offset_moves_a_stream_against_the_others():
    rec = recording(ramp("a", every(100, 2)), ramp("b", every(100, 2)))
    placed = resample(rec, plan({"action": "a", "observation.state": {"from": {"stream": "b", "offset": "-100ms"}}}))
    np.testing.assert_allclose(rows(placed, "observation.state")[:, 0] - rows(placed, "action")[:, 0], 0.1, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "values"), [("int64", [0, 1, 2]), ("bool", [0, 1, 1]), ("uint8", [0, 255, 7]), ("float64", [0.1, 1, 2])]
)
def test_values_become_the_type_asked_for(dtype, values):
    rec = recording(vector("a", every(10, 0.3), np.array(values, np.float64)))
    placed = resample(rec, plan({"note": {"from": "a", "dtype": dtype}}))
    assert placed.columns[0].dtype == dtype
    assert str(placed.rows.column("note").type) == dtype.replace("float64", "double")
    assert placed.rows.column("note").to_pylist() == values


@pytest.mark.parametrize(("dtype", "value"), [("int64", 0.5), ("bool", 2.0), ("uint8", 256.0), ("float32", 1e39)])
def test_values_that_the_type_cannot_hold_are_refused(dtype, value):
    rec = recording(vector("a", every(10, 0.2), [1.0, value]))
    with pytest.raises(AlignError, match=f"at 0.100 s does not fit {dtype}"):
        resample(rec, plan({"note": {"from": "a", "dtype": dtype}}))


def test_integer_and_bool_streams_keep_their_type():
    rec = recording(vector("i", every(10, 1), np.arange(10)), vector("b", every(10, 1), np.arange(10) > 4))
    placed = resample(rec, plan({"count": "i", "flag": "b"}))
    assert [c.dtype for c in placed.columns] == ["int64", "bool"]


def test_several_dimensions_are_kept():
    rec = recording(vector("m", every(10, 1), np.arange(60.0).reshape(10, 2, 3)))
    placed = resample(rec, plan({"matrix": "m"}))
    assert placed.columns[0].shape == (2, 3)
    assert placed.rows.column("matrix").to_pylist()[1] == [[6, 7, 8], [9, 10, 11]]


def test_a_number_type_that_lerobot_does_not_know_is_refused():
    rec = recording(vector("c", every(10, 1), np.zeros(10, np.complex64)))
    with pytest.raises(PlanError, match="complex64 is not a number type"):
        resample(rec, plan({"action": "c"}))


def test_nan_in_a_used_row_is_refused_with_its_place():
    values = np.zeros((100, 2))
    values[50:60, 1] = np.nan
    rec = recording(vector("a", every(100, 1), values))
    with pytest.raises(AlignError, match=r"1 of 10 rows holds NaN or infinity, first at 0\.500 s in element 1"):
        resample(rec, plan({"action": "a"}))


def test_nan_that_no_row_uses_does_no_harm():
    values = np.zeros(100)
    values[55] = np.nan
    assert resample(recording(vector("a", every(100, 1), values)), plan({"action": "a"})).grid.count == 10


def test_streams_that_never_overlap_are_refused_with_their_spans():
    rec = recording(ramp("a", every(50, 1)), ramp("b", every(50, 7, 5)))
    with pytest.raises(AlignError, match=r"do not overlap in time: a from 0\.000 s to 1\.000 s; b from 5\.000 s"):
        resample(rec, plan({"action": "a", "observation.state": "b"}))


def test_a_stream_without_samples_is_refused():
    with pytest.raises(AlignError, match="b has no samples on 'real_time'"):
        resample(recording(ramp("a", every(50, 1)), ramp("b", [])), plan({"action": "a", "observation.state": "b"}))


def test_an_overlap_without_a_tick_is_refused():
    rec = recording(ramp("a", every(50, 1)), ramp("b", seconds(0.5)))
    with pytest.raises(AlignError, match="too short for one row"):
        resample(
            rec, plan({"action": "a", "observation.state": {"from": "b", "limit": "50ms"}}, clock={"phase": "99ms"})
        )


def test_stamps_that_go_back_are_sorted_and_reported():
    times = np.array([0, 10, 30, 20, 40], np.int64) * 10_000_000
    rec = recording(vector("a", times, np.array([0.0, 1, 3, 2, 4])))
    placed = resample(rec, plan({"action": "a"}))
    assert rows(placed, "action").tolist() == [0, 1, 2, 3, 4]
    assert "align-backwards" in codes(placed)


def test_of_two_samples_with_one_stamp_the_last_counts_and_it_is_reported():
    times = np.array([0, 10, 10, 20], np.int64) * 10_000_000
    placed = resample(recording(vector("a", times, np.array([0.0, 1, 2, 3]))), plan({"action": "a"}))
    assert rows(placed, "action").tolist() == [0, 2, 3]
    assert "align-duplicates" in codes(placed)


def test_notes_of_the_source_become_findings():
    rec = recording(ramp("a", every(50, 1)))
    rec.notes = (("source-recovered", "read up to byte 100"),)
    assert "source-recovered" in codes(resample(rec, plan({"action": "a"})))


def test_text_features_are_held_without_a_limit():
    rec = recording(ramp("a", every(50, 4)), text("phase", seconds(0, 2), ["reach", "grasp"]))
    placed = resample(rec, plan({"action": "a", "subtask": "phase"}))
    assert placed.columns[1].dtype == "string"
    assert placed.rows.column("subtask").to_pylist() == ["reach"] * 20 + ["grasp"] * 20


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"action": "/joint"}, "features.action.from: no stream '/joint'; did you mean '/joints'?"),
        ({"action": "/two"}, "'/two' holds 2 streams; name one of /two:A:x, /two:B:y"),
        ({"action": {"from": {"stream": "/joints", "timeline": "real_tim"}}}, "did you mean 'real_time'?"),
        ({"action": {"from": {"stream": "/joints", "timeline": "zzz"}}}, "it has real_time"),
        ({"action": {"from": {"stream": "/joints", "fields": ["elbo"]}}}, "did you mean 'elbow'?"),
        ({"action": {"from": {"stream": "/joints", "fields": [7]}}}, "7 is not in /joints (width 2"),
        ({"note": {"from": {"stream": "/say", "fields": [0]}}}, "/say is not a plain vector"),
        ({"action": {"from": ["/joints", "/say"]}}, "only vectors can be concatenated"),
        ({"action": {"from": ["/joints", "/matrix"]}}, "only one-dimensional vectors"),
        ({"note": {"from": "/say", "how": "linear"}}, "linear needs numbers"),
        ({"action": {"from": "/joints", "how": "slerp"}}, "4 numbers a stream; got [2]"),
        ({"front": "/cam"}, "cameras are named observation.images.NAME"),
        ({"observation.images.a": {"from": "/cam", "names": ["x"]}}, "no meaning for a camera"),
        ({"observation.images.a": "/joints"}, "is a vector stream, not a camera"),
        ({"action": {"from": "/joints", "video": {}}}, "is a vector stream, not a camera"),
        ({"note": {"from": "/say", "dtype": "int8"}}, "text is stored as string, not int8"),
        ({"note": {"from": "/joints", "dtype": "string"}}, "numbers are not stored as string"),
        ({"observation.note": "/say"}, "text under observation*"),
        ({"action": {"from": "/joints", "names": ["a"]}}, "1 name for 2 numbers"),
        ({"action": {"from": {"stream": "/joints", "fields": [0]}, "names": ["a", "b"]}}, "2 names for 1 number"),
        ({"action": {"from": "/joints", "width": 3}}, "/joints gives 2 numbers, the dataset has 3"),
        ({"observation.images.a": {"from": "/cam", "width": 3}}, "/cam gives no numbers, the dataset has 3"),
        ({"observation.images.a": "/packet"}, "is one static packet of video, not a camera"),
        ({"action": {"from": ["/joints", "/joint"]}}, "no stream '/joint'"),
    ],
)
def test_a_plan_that_does_not_fit_says_why(features, said):
    times = every(50, 1)
    frame = np.zeros((2, 2, 3), np.uint8)
    packet = images("/packet", [], [frame])
    packet = type(packet)("/packet", "video", packet.schema, {}, packet.values)
    rec = recording(
        ramp("/joints", times, names=("elbow", "wrist")),
        ramp("/two:A:x", times),
        ramp("/two:B:y", times),
        vector("/matrix", times, np.zeros((50, 2, 2))),
        text("/say", times, ["x"] * 50),
        images("/cam", times, [frame] * 50),
        packet,
    )
    with pytest.raises(PlanError) as caught:
        resample(rec, plan(features))
    assert said in str(caught.value)


def test_the_task_must_be_text_and_exist():
    rec = recording(ramp("/joints", every(50, 1)))
    with pytest.raises(PlanError, match="task.from: /joints is a vector stream, not text"):
        resample(rec, plan({"action": "/joints"}, task={"from": "/joints"}))
    with pytest.raises(PlanError, match="task.from: no stream '/say'; the recording has /joints"):
        resample(rec, plan({"action": "/joints"}, task={"from": "/say"}))


def test_streams_whose_rows_are_not_what_their_schema_says_are_refused():
    stream = vector("a", every(50, 1), np.zeros((50, 3)))
    liar = type(stream)("a", "vector", Schema("float64", (2,)), stream.stamps, stream.values)
    with pytest.raises(AlignError, match="rows hold 3 numbers, expected"):
        resample(recording(liar), plan({"action": "a"}))


def test_linear_makes_floats_of_integers():
    rec = recording(vector("i", every(10, 1), np.arange(10)))
    placed = resample(rec, plan({"count": {"from": "i", "how": "linear"}}, fps=20))
    assert placed.columns[0].dtype == "float32"
    assert rows(placed, "count")[:3].tolist() == [0, 0.5, 1]


def test_an_episode_is_its_placement_with_clips():
    rec = recording(ramp("a", every(50, 2)), text("say", seconds(0, 1), ["pick", "place"]))
    placed = resample(rec, plan({"action": "a"}, task={"from": "say"}))
    note = Finding("video-copied", "info", "x", "20 frames")
    episode = placed.with_clips((), (note,))
    assert episode.tasks == ("pick", "place")
    assert episode.findings == (*placed.findings, note)
    assert episode.rows is placed.rows


def test_a_camera_faster_than_the_grid_says_how_many_frames_no_row_shows():
    frames = [np.zeros((2, 2, 3), np.uint8)] * 100
    placed = resample(recording(images("cam", every(50, 2), frames)), plan({"observation.images.cam": "cam"}, fps=25))
    assert np.unique(np.diff(placed.cameras[0].rows)).tolist() == [2]
    assert "video-frames-dropped" in codes(placed)


def test_a_plain_number_is_a_vector_of_one():
    stream = vector("q", every(10, 1), np.arange(10.0))
    plain = type(stream)("q", "vector", Schema("float64", ()), stream.stamps, stream.values[:, 0])
    assert resample(recording(plain), plan({"note": "q"})).columns[0].shape == (1,)
    with pytest.raises(PlanError, match="2 names for 1 number"):
        resample(recording(plain), plan({"note": {"from": "q", "names": ["a", "b"]}}))


@pytest.mark.parametrize("far_s", [100_000, 10**9])
def test_one_stamp_far_from_the_others_is_refused_before_rows_are_made_for_the_time_between(far_s):
    times = every(50, 1)
    times[-1] += far_s * 10**9
    with pytest.raises(AlignError, match=r"the streams span .* days, more than an episode has"):
        resample(recording(ramp("a", times)), plan({"action": "a"}))


RATES = (5, 10, 12, 15, 20, 24, 25, 30, 50, 60, 90, 100, 120, 240)


def rows_of(length, fps, *, declared=True):
    """An episode of rows, each numbered; declared: as a dataset's, whose last row is known to be one period long."""
    grid = Grid(0, length, Fraction(fps))
    stream = vector("/a", grid.ticks(), np.arange(length), clock="time", kind="duration")
    return replace(recording(stream), rows=grid if declared else None)


@cache
def plan_at(fps, **feature):
    return plan({"action": {"from": "/a", **feature}}, fps=fps, clock={"timeline": "time"})


def shown(recording_, fps, **feature):
    return rows(resample(recording_, plan_at(fps, **feature)), "action").ravel()


@pytest.mark.parametrize("fps", RATES)
def test_rows_follow_from_length_and_rates_alone(fps):
    for length in range(1, 201):
        source = RATES[length % len(RATES)]
        expected = np.arange(-(-length * fps // source)) * source // fps
        np.testing.assert_array_equal(shown(rows_of(length, source), fps), expected)
        if length % 5 == 2:
            np.testing.assert_array_equal(shown(rows_of(length, source, declared=False), fps), expected)


@pytest.mark.parametrize(("source", "fps"), [(30, 15), (30, 10), (60, 30), (50, 25), (15, 30), (30, 60), (30, 30)])
def test_every_length_has_its_rows_at_the_usual_rates(source, fps):
    for length in range(1, 201):
        expected = np.arange(-(-length * fps // source)) * source // fps
        np.testing.assert_array_equal(shown(rows_of(length, source), fps), expected)


@pytest.mark.long
@pytest.mark.parametrize("source", RATES)
@pytest.mark.parametrize("fps", RATES)
def test_every_length_has_its_rows_at_every_pair_of_rates(source, fps):
    for length in range(1, 201):
        expected = np.arange(-(-length * fps // source)) * source // fps
        for declared in (True, length == 1):  # one sample alone has no rate
            np.testing.assert_array_equal(shown(rows_of(length, source, declared=declared), fps), expected)


@given(st.integers(1, 200), st.sampled_from(RATES), st.sampled_from(RATES), st.sampled_from(["hold", "nearest"]))
def test_a_row_lasts_its_period_however_it_is_aligned(length, source, fps, how):
    found = shown(rows_of(length, source), fps, how=how)
    assert found.size == -(-length * fps // source)
    exact = np.arange(found.size) * source / fps
    assert np.all(np.abs(found - exact) <= (1 if how == "hold" else 0.5) + (exact > length - 1))


def test_between_rows_nothing_is_extrapolated():
    found = shown(rows_of(4, 10), 20, how="linear")
    np.testing.assert_allclose(found, [0, 0.5, 1, 1.5, 2, 2.5, 3])


def test_a_limit_shorter_than_a_row_ends_the_last_row_early():
    assert shown(rows_of(1, 10), 50, limit="60ms").tolist() == [0, 0, 0, 0]


def test_rows_can_be_counted_on_a_clock_of_steps():
    grid = Grid(0, 7, Fraction(30))
    stream = vector("/a", np.arange(7), np.arange(7), clock="step", kind="sequence")
    source = replace(recording(stream), rows=grid)
    made = resample(source, plan({"action": "/a"}, fps=15, clock={"timeline": "step", "rate": 30}))
    assert rows(made, "action").ravel().tolist() == [0, 2, 4, 6]


def test_frames_from_outside_of_the_rows_are_in_no_row():
    grid = Grid(0, 5, Fraction(10))
    camera = images("/cam", grid.at(np.arange(-3, 9)), [np.full((2, 2, 3), i, np.uint8) for i in range(12)], "time")
    source = replace(recording(replace(camera, clock_kind="duration")), rows=grid)
    made = resample(source, plan({"observation.images.cam": "/cam"}, clock={"timeline": "time"}))
    assert made.cameras[0].rows.tolist() == [3, 4, 5, 6, 7]


def test_rows_that_show_another_frame_than_the_aligned_one_are_counted():
    times = every(30, 2)
    camera = images("/cam", times, [np.zeros((2, 2, 3), np.uint8)] * 60)
    features = {"observation.images.cam": "/cam"}
    made = resample(
        recording(camera), plan(features, fps=30), lambda bound, ticks, rows, limit: np.maximum(rows - 1, 0)
    )
    (use,) = made.uses
    assert (use.shifted, use.shifted_ns) == (59, pytest.approx(33_333_333, abs=3))
    (found,) = [f for f in made.findings if f.code == "video-frames-shifted"]
    assert found.message.startswith("59 rows show a frame beside the aligned one, up to 33.3 ms from the time")


def test_repeated_frames_say_which_rows_and_why():
    camera = images("/cam", every(15, 2), [np.zeros((2, 2, 3), np.uint8)] * 30)
    made = resample(recording(camera), plan({"observation.images.cam": "/cam"}, fps=30))
    (found,) = [f for f in made.findings if f.code == "video-frames-repeated"]
    assert found.message == (
        "30 of 60 rows repeat the frame before (1, 3, 5 ... 59): the camera runs at 15 Hz, rows at 30"
    )


def stored(times, length=6, fps=10):
    """What a resampled episode of rows says of the times that are stored with them."""
    made = resample(replace(rows_of(length, fps), stored_times=times), plan_at(fps))
    return [f.message for f in made.findings if f.code == "source-timestamps"]


def test_stored_times_off_the_grid_are_counted():
    times = (np.arange(6) / 10).astype(np.float32)
    assert stored(lambda: times) == []
    (message,) = stored(lambda: times + np.float32(0.005) * (np.arange(6) > 3))
    assert message.startswith("2 of 6 timestamps are off the grid of 10 fps, by up to 5.0 ms, first in row 4; row i is")


def test_long_episodes_of_exact_float32_times_are_on_their_grid():
    times = (np.arange(60_000) / 10).astype(np.float32)
    assert stored(lambda: times, 60_000) == []


def test_stored_times_that_cannot_be_read_cost_nothing_else():
    def broken():
        raise SourceError("no column timestamp")

    assert stored(broken) == ["they cannot be compared: no column timestamp"]


def stalled(stall_at, missing="trim"):
    """(episode, or error) of a state at 30 Hz that has no samples for a second from `stall_at` on."""
    times = every(30, 5)
    kept = times[(times < stall_at * 1e9) | (times >= (stall_at + 1) * 1e9)]
    rec = recording(ramp("/action", every(30, 5)), ramp("/state", kept))
    features = {"action": "/action", "observation.state": {"from": "/state", "missing": missing}}
    return resample(rec, plan(features, fps=30))


@pytest.mark.parametrize("stall_at", [0.05, 0.3, 0.45])
def test_a_stall_within_half_a_second_of_the_start_costs_the_start(stall_at):
    placed = stalled(stall_at)
    (cut,) = [f for f in placed.findings if f.code == "align-trimmed"]
    assert (cut.severity, "/state" in cut.message) == ("warning", True)
    assert placed.grid.start_ns >= (stall_at + 1) * 1e9
    assert placed.grid.count >= (5 - stall_at - 1.1) * 30


def test_a_stall_later_on_or_under_missing_error_still_rejects():
    for stall_at, missing in ((2.0, "trim"), (0.3, "error")):
        with pytest.raises(AlignError, match="/state"):
            stalled(stall_at, missing)


def test_what_a_stream_remarks_of_its_samples_becomes_a_finding():
    class Odd(MemoryStream):
        def remarks(self):
            return (("clock-shared", "2 samples share a stamp"),)

    plain = ramp("a", every(50, 1))
    odd = Odd(plain.name, plain.kind, plain.schema, plain.stamps, plain.values)
    (found,) = [f for f in resample(recording(odd), plan({"action": "a"})).findings if f.code == "clock-shared"]
    assert (found.severity, found.stream, found.message) == ("info", "a", "2 samples share a stamp")
