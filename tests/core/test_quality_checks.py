"""What an eye would stop at, on arrays made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.quality_checks import (
    action_findings,
    idle_findings,
    is_small,
    length_findings,
    moving,
    small_text,
    time_findings,
    value_findings,
    width_findings,
)
from telecine.core.quality_screen import suspects

WAVE = np.sin(np.arange(90) / 7)[:, None] * [1.0, 2.0]


def codes(findings):
    return [(f.code, f.severity) for f in findings]


def test_an_action_that_is_the_state_is_named():
    assert codes(action_findings(WAVE, WAVE, "e")) == [("look-action-state", "warning")]
    assert codes(action_findings(WAVE, np.roll(WAVE, -1, axis=0), "e")) == []
    assert codes(action_findings(WAVE, WAVE[:, :1], "e")) == []
    assert codes(width_findings(6, 7)) == [("look-width", "info")]
    assert codes(width_findings(6, 6)) == []
    assert codes(action_findings(WAVE[:0], WAVE[:0], "e")) == []


def test_nan_is_an_error_with_its_row():
    broken = WAVE.copy()
    broken[7, 1] = np.nan
    (finding,) = value_findings(broken, "e")
    assert (finding.code, finding.severity) == ("look-values", "error")
    assert "first in row 7" in finding.message


def test_still_ends_are_measured():
    ramp = np.concatenate([np.zeros(60), np.linspace(0, 1, 60), np.ones(15)])[:, None]
    assert moving(ramp) == (60, 120)
    (finding,) = idle_findings(ramp, 30, "e")
    assert (finding.message, finding.rows) == ("nothing moves for 2.0 s at the start", (0, 60))
    assert codes(idle_findings(WAVE, 30, "e")) == []
    assert codes(idle_findings(np.ones((9, 2)), 30, "e")) == [("look-idle", "warning")]


@pytest.mark.parametrize(("shift", "found"), [(0.0, 0), (0.00005, 0), (0.001, 1), (np.nan, 1)])
def test_timestamps_off_the_grid_are_an_error(shift, found):
    stamps = np.arange(20) / 30
    stamps[5] += shift
    assert codes(time_findings(stamps, 30, "e")) == [("look-timestamps", "error")] * found


def test_short_episodes_are_named_by_seconds_and_by_comparison():
    assert [f.where for f in length_findings([300, 20, 45, 310, 305], 30)] == ["episode 1", "episode 2"]
    assert codes(length_findings([], 30)) == []
    (long,) = length_findings([90, 95, 92, 88, 400], 30)
    assert (long.code, long.severity, long.episode, long.rows) == ("look-long", "info", 4, (0, 400))


@st.composite
def runs(draw):
    """Numbers of a few episodes one after the other, with plateaus, ends, copies and odd times among them."""
    lengths = np.array(draw(st.lists(st.integers(1, 60), min_size=1, max_size=5)))
    rng, count = np.random.default_rng(draw(st.integers(0, 2**32))), lengths.sum()
    state = rng.normal(size=(count, 2))
    kind = rng.integers(0, 6, len(lengths)).repeat(lengths)
    state[kind == 1] = np.clip(state[kind == 1], -0.5, 0.5)
    state[kind == 2] = 1.0
    frames = np.concatenate([np.arange(n) for n in lengths])
    state[(kind == 3) & (frames > 12)] = 0.25
    action = np.where((kind == 4)[:, None], state, state + rng.normal(size=state.shape))
    action[kind == 5] = rng.choice([0.0, 1.0], (np.count_nonzero(kind == 5), 2))
    timestamp = frames / 10 + 0.2 * (rng.random(count) < draw(st.sampled_from([0, 0.02])))
    state[rng.random(count) < draw(st.sampled_from([0, 0.01]))] = np.nan
    return {"observation.state": state, "action": action, "timestamp": timestamp[:, None]}, lengths


@given(runs())
def test_the_checks_find_nothing_in_an_episode_that_is_not_picked(run):
    known, lengths = run
    stops = np.cumsum(lengths)
    picked = suspects(known, lengths, 10, state="observation.state", action="action")
    for start, stop, odd in zip(stops - lengths, stops, picked, strict=True):
        state, action, times = (values[start:stop] for values in known.values())
        found = [*value_findings(state, ""), *value_findings(action, "")]
        found += [*action_findings(state, action, ""), *time_findings(times[:, 0], 10, "")]
        if np.isfinite(state).all():
            found += idle_findings(np.concatenate([state, action], axis=1), 10, "")
        assert odd or not found


def test_an_episode_of_moving_joints_is_not_picked():
    time = np.arange(40)[:, None] / 10
    known = {
        "observation.state": np.sin(time),
        "action": np.sin(time + 0.1),
        "timestamp": np.arange(40)[:, None] % 20 / 10,
    }
    assert suspects(known, np.array([20, 20]), 10, state="observation.state", action="action").tolist() == [
        False,
        False,
    ]


def test_episodes_without_rows_and_without_numbers_are_screened():
    assert suspects({}, np.array([0, 3]), 10, state="s", action="a").tolist() == [True, True]
    assert suspects({"other": np.zeros((4, 1))}, np.array([4]), 10, state="s", action="a").tolist() == [False]


@pytest.mark.parametrize(("size", "small"), [((64, 48), True), ((640, 63), True), ((64, 64), False), ((0, 0), False)])
def test_frames_are_small_by_their_shorter_side(size, small):
    assert is_small(*size) is small
    assert small_text(*size).startswith(f"{size[0]}x{size[1]} is too small")
