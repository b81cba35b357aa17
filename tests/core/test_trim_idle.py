"""Idle time at the ends of episodes: laws over random motions, then through `resample`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from support.memory import every, images, ramp, recording, static, text, vector
from telecine.core.errors import PlanError
from telecine.core.plan.model import make_plan
from telecine.core.resample.resample import resample
from telecine.core.resample.trim_idle import moving

S = 10**9
walks = hnp.arrays(np.float64, st.tuples(st.integers(0, 30), st.integers(1, 3)), elements=st.floats(-1, 1, width=16))


@given(walks, st.floats(0.01, 0.5))
def test_outside_the_kept_span_nothing_moves(values, still):
    times = np.arange(len(values), dtype=np.int64) * S
    found = moving(times, values, still)
    if found is None:
        return
    start, stop = found
    assert times[0] <= start <= stop <= times[-1]
    if start < stop:
        assert np.all(np.abs(values[times < start] - values[0]) <= still)
        assert np.all(np.abs(values[times > stop] - values[-1]) <= still)


@given(walks, st.integers(0, 5), st.integers(0, 5))
def test_longer_idling_at_the_ends_changes_nothing_but_where_the_motion_lies(values, before, after):
    if not len(values):
        return
    padded = np.concatenate([values[:1].repeat(before, 0), values, values[-1:].repeat(after, 0)])
    plain = moving(np.arange(len(values), dtype=np.int64), values, 0.1)
    shifted = moving(np.arange(len(padded), dtype=np.int64), padded, 0.1)
    assert shifted == (None if plain is None else (plain[0] + before, plain[1] + before))


def arm(clock_s=10.0):
    """Still until 3 s, moving until 6 s, then at rest, with noise far below a hundredth."""
    times = every(100, clock_s)
    t = times / S
    noise = np.random.default_rng(1).normal(0, 1e-4, (times.size, 2))
    return vector("arm", times, np.stack([np.clip(t - 3, 0, 3), np.zeros_like(t)], 1) + noise)


def placed(rec, trim, features=None):
    features = features or {"action": "arm"}
    body = {"fps": 10, "clock": {"timeline": "real_time"}, "features": features, "task": "go", "trim": trim}
    return resample(rec, make_plan(body))


def test_idle_ends_are_left_out_up_to_the_margin_and_the_report_says_what_was_kept():
    made = placed(recording(arm()), {"still": 0.01, "margin": "200ms"})
    assert made.grid.start_ns / S == pytest.approx(2.8, abs=0.03)
    assert made.grid.ticks()[-1] / S == pytest.approx(6.2, abs=0.12)
    (finding,) = [f for f in made.findings if f.code == "align-idle"]
    assert finding.severity == "info"
    assert finding.message.startswith("kept 2.8")
    assert "align-trimmed" not in [f.code for f in made.findings]


def test_any_planned_action_or_observation_counts_as_motion_and_others_do_not():
    hand = vector("hand", every(50, 10), np.where(every(50, 10) > 8 * S, 1.0, 0.0))
    rec = recording(arm(), hand, ramp("clock", every(50, 10)), text("t", every(1, 10), ["x"] * 10))
    features = {"action": "arm", "observation.state": "hand", "info.clock": "clock", "info.note": "t"}
    assert placed(rec, {"still": 0.01}, features).grid.ticks()[-1] / S == pytest.approx(8.5, abs=0.12)
    features["observation.state"] = {"from": {"stream": "arm", "fields": [1]}}
    assert placed(rec, {"still": 0.01}, features).grid.ticks()[-1] / S == pytest.approx(6.5, abs=0.12)
    assert placed(rec, {"still": 0.01, "by": ["hand"]}, features).grid.start_ns / S == pytest.approx(7.5, abs=0.1)


def test_a_recording_in_which_nothing_moves_is_kept_whole_with_a_warning():
    made = placed(recording(arm()), {"still": 9})
    assert made.grid.count == 100
    (finding,) = [f for f in made.findings if f.code == "align-idle"]
    assert finding.severity == "warning"


def test_motion_must_be_that_of_numbers():
    rec = recording(arm(), static("s", [1.0]), images("cam", every(10, 1), [np.zeros((2, 2, 3), np.uint8)] * 10))
    with pytest.raises(PlanError, match="trim.by: no numbers that move in s, cam"):
        placed(rec, {"still": 0.1, "by": ["s", "cam"]})
    with pytest.raises(PlanError, match="trim: no planned action or observation holds numbers"):
        placed(rec, {"still": 0.1}, {"observation.images.cam": "cam"})
