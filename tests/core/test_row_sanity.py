"""Rows that a wrong clock or limit makes are refused with both numbers, and every remedy in a message works."""

import re

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from support.memory import every, images, ramp, recording, text, vector
from telecine.core.errors import AlignError
from telecine.core.grid import SECOND
from telecine.core.plan.model import make_plan
from telecine.core.recording import Part, Recording
from telecine.core.resample.overlap import Bounds
from telecine.core.resample.resample import resample
from telecine.core.resample.row_sanity import count_problem
from telecine.core.resample.split import split


def plan(features, *, fps=10, **rest):
    return make_plan({"fps": fps, "clock": {"timeline": "real_time"}, "features": features, "task": "go", **rest})


PAUSING = np.concatenate([every(50, 1), every(50, 4, 2.5)])


def test_where_every_limit_is_none_an_episode_lasts_to_the_last_common_sample():
    rec = recording(ramp("a", every(30, 4)), ramp("b", every(30, 4)))
    body = {k: {"from": s, "limit": "none"} for k, s in (("action", "a"), ("observation.state", "b"))}
    assert resample(rec, plan(body, fps=30)).grid.count == 120


def test_events_do_not_end_such_an_episode():
    rec = recording(ramp("a", every(30, 4)), ramp("mode", [0, 10**9]))
    body = {k: {"from": s, "limit": "none"} for k, s in (("action", "a"), ("observation.state", "mode"))}
    assert resample(rec, plan(body, fps=30)).grid.count == 120


def test_events_alone_last_to_the_last_of_them():
    rec = recording(ramp("mode", [0, 10**9, 3 * 10**9]))
    assert resample(rec, plan({"action": {"from": "mode", "limit": "none"}})).grid.count == 31


@pytest.mark.parametrize("how", ["hold", "nearest", "linear"])
def test_a_steady_stream_that_pauses_is_refused_with_both_numbers(how):
    rec = recording(ramp("a", every(50, 4)), ramp("b", PAUSING))
    body = {"action": "a", "observation.state": {"from": "b", "limit": "none", "how": how}}
    with pytest.raises(AlignError, match=r"\d+ of 40 rows show a sample up to \d.\d+ s old, because b paused"):
        resample(rec, plan(body))
    body["observation.state"]["repeats"] = "allowed"
    assert resample(rec, plan(body)).grid.count in (39, 40)


def test_the_split_that_the_message_names_works():
    rec = recording(ramp("a", every(50, 4)), ramp("b", PAUSING))
    body = {"action": "a", "observation.state": {"from": "b", "limit": "none"}}
    with pytest.raises(AlignError) as said:
        resample(rec, plan(body))
    rule = yaml.safe_load(re.search(r"`(split: [^`]+)`", str(said.value))[1])
    body["observation.state"]["limit"] = "auto"
    parts = split(rec, plan(body, **rule)).parts
    assert [resample(of(rec, part), plan(body, **rule)).grid.count for part in parts] == [10, 15]


def of(rec: Recording, part: Part) -> Recording:
    return Recording(type(rec.ref)("memory", rec.ref.path, rec.ref.id, part=part), rec.streams)


def test_the_split_that_a_long_gap_names_works():
    rec = recording(ramp("a", every(50, 4)), ramp("b", PAUSING))
    body = {"action": "a", "observation.state": "b"}
    with pytest.raises(AlignError) as said:
        resample(rec, plan(body))
    rule = yaml.safe_load(re.search(r"`(split: [^`]+)`", str(said.value))[1])
    parts = split(rec, plan(body, **rule)).parts
    assert [resample(of(rec, part), plan(body, **rule)).grid.count for part in parts] == [10, 15]


def test_a_steady_stream_that_ends_early_is_refused_and_auto_ends_the_episode_with_it():
    rec = recording(ramp("a", every(50, 4)), ramp("b", every(50, 1)))
    body = {"action": "a", "observation.state": {"from": "b", "limit": "none"}}
    with pytest.raises(AlignError, match=r"b ended early, .*set `limit: auto`, so that the episode ends with it"):
        resample(rec, plan(body))
    assert resample(rec, plan({"action": "a", "observation.state": "b"})).grid.count == 10


def test_texts_and_events_may_stand_for_any_time():
    gripper = np.array([0, 100, 200, 300, 400, 3000, 3100]) * 10**6
    rec = recording(ramp("a", every(50, 4)), ramp("b", gripper), text("say", [0], ["x"]))
    body = {"action": "a", "observation.state": {"from": "b", "limit": "none"}, "note": "say"}
    assert resample(rec, plan(body)).grid.count == 40


def test_a_finite_limit_is_the_persons_own_bound():
    rec = recording(ramp("a", every(50, 4)), ramp("b", PAUSING))
    assert resample(rec, plan({"action": "a", "observation.state": {"from": "b", "limit": "2s"}})).grid.count == 40


def test_a_clock_that_does_not_advance_is_refused():
    rec = recording(vector("a", np.zeros(120), np.arange(120)))
    with pytest.raises(AlignError, match="a has 120 samples with 1 timestamp.*choose another `timeline`"):
        resample(rec, plan({"action": "a"}))


def test_a_camera_of_a_fraction_of_the_episode_is_refused_with_both_numbers():
    frame = np.zeros((2, 2, 3), np.uint8)
    late = every(30, 60, 57.5)
    rec = recording(ramp("a", every(50, 60)), images("/cam", late, [frame] * late.size))
    with pytest.raises(AlignError, match=r"25 of 60\d rows are left, because /cam starts 57500ms after the first"):
        resample(rec, plan({"action": "a", "observation.images.cam": "/cam"}))
    early = recording(ramp("a", every(50, 60)), ramp("b", every(50, 2)))
    with pytest.raises(AlignError, match=r"20 of 60\d rows are left, because b ends 58s before the last"):
        resample(early, plan({"action": "a", "observation.state": "b"}))


def test_a_camera_is_no_event_however_long_it_pauses():
    times = np.concatenate([every(30, 1), every(30, 10, 9)])
    rec = recording(ramp("a", every(50, 10)), images("/cam", times, [np.zeros((2, 2, 3), np.uint8)] * times.size))
    with pytest.raises(AlignError, match="because /cam paused"):
        resample(rec, plan({"action": "a", "observation.images.cam": {"from": "/cam", "limit": "none"}}))


@given(st.floats(1, 400), st.integers(1, 60), st.floats(0.5, 5), st.sampled_from(["none", "auto"]))
def test_a_steady_stream_alone_is_never_refused(hz, fps, length, limit):
    rec = recording(ramp("a", every(hz, length)))
    assert resample(rec, plan({"action": {"from": "a", "limit": limit}}, fps=fps)).grid.count >= 1


@pytest.mark.parametrize(("begins_s", "rows", "told"), [(10, 10, True), (10, 11, False), (0, 10, True), (0, 11, False)])
def test_rows_are_compared_with_those_between_the_first_and_the_last_sample(begins_s, rows, told):
    begin, end, late = (round(s * SECOND) for s in (begins_s, begins_s + 10, begins_s + 9))
    bounds = [Bounds("a", begin, end, False, end, True), Bounds("b", late, end, False, end, True)]
    problem = count_problem(bounds, late + np.arange(rows) * (SECOND // 10), 10)
    expected = "10 of 101 rows are left, because b starts 9s after the first planned sample; leave it out of the plan"
    assert problem == (expected if told else "")
