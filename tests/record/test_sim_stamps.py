"""Stamps of simulated cameras that are wrong on purpose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.errors import PlanError
from telecine.core.grid import SECOND
from telecine.recorder.sim.record import record
from telecine.recorder.sim.spoil import Spoil, parse_spoil
from telecine.recorder.sim.stamps import StampErrors

MS = 1_000_000
TIMES = np.arange(90) * SECOND // 30


@given(late=st.integers(-200, 200), jitter=st.integers(0, 40), drift=st.integers(-100, 100), seed=st.integers(0, 99))
def test_stamps_are_off_by_no_more_than_asked_for_and_in_order(late, jitter, drift, seed):
    errors = StampErrors(late * MS, jitter * MS, drift * MS)
    made = errors.stamped(TIMES, "front", seed)
    line = TIMES + late * MS + np.linspace(0, drift * MS, 90)
    assert (np.diff(made) >= 0).all()
    assert np.abs(made - line).max() <= jitter * MS + 1
    assert errors.stamped(TIMES, "front", seed).tolist() == made.tolist()


def test_cameras_have_jitter_of_their_own():
    errors = StampErrors(jitter=5 * MS)
    front, wrist = errors.stamped(TIMES, "front", 0), errors.stamped(TIMES, "wrist", 0)
    assert (front != wrist).any()
    assert StampErrors().stamped(TIMES, "front", 0) is TIMES


def test_each_kind_has_a_duration():
    assert parse_spoil("jitter=5ms") == Spoil("jitter", None, 5 * MS)
    assert parse_spoil("drift=-60ms@1") == Spoil("drift", 1, -60 * MS)
    with pytest.raises(PlanError, match="lag, jitter, drift need a duration"):
        parse_spoil("jitter")
    with pytest.raises(PlanError, match="lag, jitter, drift need a duration"):
        parse_spoil("dark=5ms")
    with pytest.raises(PlanError, match="drift=60ms"):
        parse_spoil("drfit=5ms")


@pytest.mark.parametrize("kind", ["dataset", "run"])
def test_jitter_needs_recordings_in_which_each_stream_has_its_own_stamps(tmp_path, kind):
    with pytest.raises(PlanError, match="--spoil jitter is made in timestamps"):
        record(tmp_path / "out", kind=kind, spoil=[parse_spoil("jitter=5ms")])
