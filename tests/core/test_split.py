"""One long recording into episodes: laws for pauses and markers, hand-computed cases for the rest."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.memory import every, images, ramp, recording, seconds, static, text, vector
from telecine.core.errors import AlignError, PlanError
from telecine.core.plan.model import make_plan, parse_plan
from telecine.core.plan.spans_csv import spans_of_csv
from telecine.core.recording import Part
from telecine.core.resample.resample import resample
from telecine.core.resample.split import at_changes, at_gaps, between_values, split, while_high

S = 10**9
stamps = st.lists(st.integers(0, 60), max_size=40).map(lambda v: np.sort(np.array(v, np.int64)) * S)


def plan(split, features=None, **rest):
    features = features or {"action": {"from": "a", "limit": "auto"}}
    body = {"fps": 10, "clock": {"timeline": "real_time"}, "features": features, "task": "go", "split": split}
    return make_plan({**body, **rest})


def spans(cut):
    return [(p.start_ns / S, p.stop_ns / S) for p in cut.parts]


@given(stamps, st.integers(1, 10))
def test_pauses_leave_every_stamp_in_exactly_one_episode(times, gap):
    found = at_gaps(times, gap * S)
    inside = np.zeros(times.size, int)
    for start, stop in found:
        here = (times >= start) & (times <= stop)
        inside += here
        assert np.all(np.diff(times[here]) <= gap * S)
    assert np.all(inside == 1)
    assert all(b[0] - a[1] > gap * S for a, b in pairwise(found))


@given(st.lists(st.booleans(), max_size=30))
def test_a_level_is_high_in_its_episodes_and_nowhere_else(levels):
    times = np.arange(len(levels), dtype=np.int64) * S
    found = while_high(times, np.array(levels, bool), len(levels) * S)
    inside = [any(start <= t <= stop for start, stop in found) for t in times]
    assert inside == levels


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=30))
def test_changes_divide_all_time_from_the_first_marker_on(values):
    times = np.arange(len(values), dtype=np.int64) * S
    found = at_changes(times, values, len(values) * S)
    assert found[0][0] == 0
    assert found[-1][1] == len(values) * S
    assert all(b[0] == a[1] + 1 for a, b in pairwise(found))
    assert len(found) == 1 + sum(a != b for a, b in pairwise(values))


def test_a_second_start_ends_the_episode_before_and_the_last_one_runs_to_the_end():
    times = seconds(1, 2, 4, 6, 9)
    starts = [True, True, False, False, True]
    stops = [False, False, True, True, False]
    assert between_values(times, starts, stops, 10 * S) == [(S, 2 * S - 1), (2 * S, 4 * S - 1), (9 * S, 10 * S)]
    assert between_values(seconds(11), [True], [False], 10 * S) == []


def test_pauses_are_those_of_all_running_streams_together():
    a = np.concatenate([every(20, 2), every(20, 7, 5)])
    rec = recording(ramp("a", a), ramp("b", every(20, 2.5)), text("note", seconds(3.5), ["hi"]))
    features = {"action": "a", "other": "b", "info.note": "note"}
    assert spans(split(rec, plan({"gaps": "1s"}, features))) == [(0, 2.45), (5, 6.95)]
    assert spans(split(rec, plan({"gaps": "1s", "stream": "a"}, features))) == [(0, 1.95), (5, 6.95)]


def test_markers_may_be_numbers_or_text():
    a = ramp("a", every(20, 10))
    button = vector("button", seconds(1, 2, 5, 6), [0.0, 1.0, 0.0, 2.0])
    phase = text("phase", seconds(1, 3, 4, 8), ["begin", "begin", "end", "begin "])
    rec = recording(a, button, phase)
    assert spans(split(rec, plan({"marker": "button"}))) == [(2, 5 - 1e-9), (6, 9.95)]
    assert spans(split(rec, plan({"marker": "button", "edges": "change"})))[0] == (1, 2 - 1e-9)
    assert spans(split(rec, plan({"marker": "button", "start": 2}))) == [(6, 9.95)]
    assert spans(split(rec, plan({"marker": "phase", "edges": "change"})))[:2] == [(1, 4 - 1e-9), (4, 8 - 1e-9)]
    told = split(rec, plan({"marker": "phase", "start": "begin", "stop": "end"}))
    assert spans(told) == [(1, 3 - 1e-9), (3, 4 - 1e-9), (8, 9.95)]
    with pytest.raises(AlignError, match="the marker button never holds the value 'go'"):
        split(rec, plan({"marker": "button", "start": "go"}))


def test_short_episodes_are_left_out_and_keep_their_numbers():
    rec = recording(ramp("a", np.concatenate([every(20, 0.4), every(20, 9, 5)])))
    cut = split(rec, plan({"gaps": "1s", "shortest": "1s"}))
    assert [p.number for p in cut.parts] == [1]
    assert [p.number for p in cut.short] == [0]


def test_spans_by_hand_count_from_the_start_or_are_stamps_and_carry_task_and_success():
    epoch = 1_700_000_000
    rec = recording(ramp("a", every(20, epoch + 10, epoch)), path="x/take.mcap")
    labels = [
        {"recording": "take", "start": 2, "stop": 4, "task": "pick", "success": True},
        {"recording": "take.mcap", "start": epoch + 5, "stop": (epoch + 6) * S},
        {"recording": "other", "start": "1s", "stop": "2s"},
        {"start": "500ms", "stop": 1.5},
    ]
    cut = split(rec, plan({"spans": labels}))
    assert [(round(s - epoch, 3), round(e - epoch, 3)) for s, e in spans(cut)] == [(0.5, 1.5), (2, 4), (5, 6)]
    assert [(p.task, p.success) for p in cut.parts] == [(None, None), ("pick", True), (None, None)]
    with pytest.raises(AlignError, match="no span is given for it; looked for 'rec', 'take.mcap', 'take'"):
        split(rec, plan({"spans": labels[2:3]}))


def test_a_recording_without_stamps_has_no_pauses():
    with pytest.raises(AlignError, match="no planned stream has timestamps"):
        split(recording(static("a", [1.0])), plan({"gaps": "1s"}))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "exactly one of gaps, marker and spans, got none"),
        ({"gaps": "1s", "marker": "m"}, "got gaps, marker"),
        ({"gaps": "0s"}, "longer than zero"),
        ({"spans": []}, "spans: none given"),
        ({"marker": "m", "stream": "a"}, "stream: has a meaning with gaps only"),
        ({"gaps": "1s", "start": "x"}, "with marker only"),
        ({"marker": "m", "stop": "x"}, "give `start` as well"),
        ({"marker": "m", "start": "x", "edges": "change"}, "edges: leave it out"),
        ({"spans": [{"start": 2, "stop": 2}]}, "does not lie after"),
        ({"spans": [{"start": 2, "stop": 1_700_000_000}]}, "of two kinds"),
        ({"spans": [{"start": 2, "stop": 3, "task": " "}]}, "task text is empty"),
        ({"spans": [{"start": "soon", "stop": 3}]}, "'soon' is not a duration"),
        ("2s", "split"),
    ],
)
def test_a_rule_that_says_nothing_clear_is_refused(rule, message):
    with pytest.raises(PlanError, match=message):
        plan(rule)


def test_a_rule_that_does_not_fit_the_recording_is_a_plan_error():
    rec = recording(
        ramp("a", every(20, 2)),
        text("t", seconds(0), ["x"]),
        static("s", [1.0]),
        images("cam", every(20, 1), [np.zeros((2, 2, 3), np.uint8)] * 20),
    )
    for rule, message in (
        ({"marker": "t"}, "text, which is not high or low"),
        ({"marker": "cam"}, "a image stream"),
        ({"marker": "s"}, "one static value"),
        ({"marker": "nix"}, "split.marker: no stream 'nix'"),
        ({"gaps": "1s", "stream": "nix"}, "split.stream: no stream 'nix'"),
    ):
        with pytest.raises(PlanError, match=message):
            split(rec, plan(rule))


def test_a_plan_with_split_and_trim_reads_back_equal():
    labels = [
        {"recording": "r", "start": 1.25, "stop": 3, "success": False},
        {"start": 1_700_000_000, "stop": 2 * 10**18},
    ]
    for rule in ({"gaps": "2s"}, {"marker": "m", "start": True}, {"spans": labels}):
        made = plan(rule, trim={"still": 0.01, "by": ["a"]})
        assert parse_plan(made.to_yaml()) == made


def placed_part(rec, part, features=None, **rest):
    rec.ref = type(rec.ref)(rec.ref.format, rec.ref.path, rec.ref.id, part=part)
    return resample(rec, plan(None, features, **rest))


def test_a_part_takes_rows_from_its_span_only_and_a_sample_from_just_before():
    rec = recording(ramp("a", every(20, 10)))
    placed = placed_part(rec, Part(3, 2_030_000_000, 4 * S, "pick", False))
    assert (placed.grid.start_ns / S, placed.grid.count) == (2.03, 20)
    assert placed.rows.column("action").to_pylist()[0][0] == pytest.approx(2.0)
    assert set(placed.rows.column("task").to_pylist()) == {"pick"}
    assert placed.facts.success is False
    assert placed.ref.label.endswith("@3")


def test_a_part_behind_a_pause_takes_nothing_from_before_it():
    rec = recording(
        ramp("a", np.concatenate([every(20, 2), every(20, 7, 5)])),
        ramp("b", np.concatenate([every(20, 2), every(20, 6.5, 5.21)])),
        text("t", seconds(0.5, 5.5), ["one", "two"]),
    )
    features = {"action": "a", "other": "b", "info.note": "t"}
    placed = placed_part(rec, Part(1, 5 * S, 7 * S), features, task={"from": "t"})
    assert placed.grid.start_ns / S == pytest.approx(5.21)
    assert placed.rows.column("other").to_pylist()[0][0] == pytest.approx(5.21)
    assert placed.rows.column("info.note").to_pylist()[0] == "one"
    assert placed.grid.ticks()[-1] < 6.55 * S


def test_a_part_in_which_a_stream_is_silent_is_refused():
    rec = recording(ramp("a", every(20, 10)), ramp("b", every(20, 2)))
    with pytest.raises(AlignError, match=r"b has no samples in this part, 1.000 s long"):
        placed_part(rec, Part(0, 5 * S, 6 * S), {"action": "a", "other": "b"})


@pytest.mark.parametrize(("said", "meant"), [("True", True), ("failed", False), ("maybe", None), ("", None)])
def test_success_is_taken_from_the_recording_where_it_says_so(said, meant):
    rec = recording(ramp("a", every(20, 1)))
    rec.attrs = {"success": said} if said else {}
    assert resample(rec, plan(None)).facts.success is meant


def test_a_table_of_spans_becomes_part_of_the_plan():
    table = '\ufeffrecording, start, stop, task, success\ntake,1.5,3,"pick, place",yes\n,4,5,,\n'
    assert spans_of_csv(table, "labels.csv") == [
        {"recording": "take", "start": "1.5", "stop": "3", "task": "pick, place", "success": True},
        {"start": "4", "stop": "5"},
    ]
    assert len(plan({"spans": spans_of_csv(table, "labels.csv")}).split.spans) == 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("start,end\n1,2\n", "unknown column 'end'; known are recording, start, stop, task, success; no column stop"),
        ("start,stop\n", "no span"),
        ("", "no column start and stop"),
        ("start,stop\n1,2,3\n", "line 2: more cells than columns"),
        ("start,stop,success\n1,,perhaps\n", "line 2: no stop; line 2: success 'perhaps' is neither"),
        ('start,stop\n"1,2', "not a CSV file"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_its_line(table, message):
    with pytest.raises(PlanError, match=message):
        spans_of_csv(table, "labels.csv")
