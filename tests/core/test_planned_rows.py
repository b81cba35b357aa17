"""What a plan would do is what it does: the same rows as `resample`, and a reason where that refuses."""

import numpy as np
import pytest

from telecine.core.align import MISSING
from telecine.core.errors import AlignError
from telecine.core.plan.model import make_plan
from telecine.core.recording import MemoryStream, Recording, Ref, Schema
from telecine.core.resample.planned_rows import planned_rows
from telecine.core.resample.resample import resample

MS = 1_000_000


def numbers(name, times_ms, static=False):
    times = np.asarray(times_ms, np.int64) * MS
    values = np.stack([times / 1e9, np.sin(times / 1e9)], axis=1) if not static else np.ones((1, 2))
    return MemoryStream(name, "vector", Schema("float64", (2,)), {} if static else {"t": times}, values)


def recorded(**streams):
    return Recording(Ref("mem", "take"), {f"/{name}": stream for name, stream in streams.items()})


def planned(features, fps=10, **more):
    return make_plan({"fps": fps, "clock": {"timeline": "t"}, "task": "pick", "features": features, **more})


@pytest.fixture
def take():
    return recorded(
        fast=numbers("/fast", range(3, 3000, 7)),
        slow=numbers("/slow", range(0, 3000, 90)),
        still=numbers("/still", [0], True),
    )


@pytest.mark.parametrize("how", ["hold", "nearest", "linear"])
def test_ages_are_those_that_resample_reports(take, how):
    plan = planned(
        {"action": {"from": ["/fast", "/still"], "how": how}, "observation.state": {"from": "/slow", "how": how}}
    )
    made, seen = resample(take, plan), planned_rows(take, plan)
    assert np.array_equal(seen.ticks, made.grid.ticks())
    assert [(s.key, s.source.stream.name) for s in seen.sources] == [(u.key, u.stream) for u in made.uses]
    for source, use in zip(seen.sources, made.uses, strict=True):
        ages = np.abs(source.ages)
        assert (int(np.median(ages)), int(ages.max()), source.problem) == (use.age_median_ns, use.age_max_ns, "")


def test_a_row_later_is_that_row(take):
    plan = planned({"action": {"from": "/fast", "shift": 2}, "observation.state": "/fast"})
    action, state = planned_rows(take, plan).sources
    assert np.array_equal(action.rows[:-2], state.rows[2:])
    assert action.ticks.size == state.ticks.size


def test_rows_without_a_sample_are_missing_and_the_reason_is_said():
    times = [*range(0, 1000, 20), *range(2000, 3000, 20)]
    take = recorded(a=numbers("/a", times), b=numbers("/b", range(0, 3000, 20)))
    for how, text in (("hold", "no sample within its limit"), ("linear", "no samples on both sides of")):
        plan = planned({"action": {"from": "/a", "how": how, "limit": "100ms"}, "observation.state": "/b"})
        with pytest.raises(AlignError):
            resample(take, plan)
        gap, whole = planned_rows(take, plan).sources
        assert text in gap.problem
        assert (gap.rows == MISSING).sum() >= 8
        assert (gap.ages[gap.rows == MISSING] == 0).all()
        assert (whole.rows != MISSING).all()


def test_too_few_rows_for_a_shift_are_refused():
    take = recorded(a=numbers("/a", range(0, 300, 20)))
    with pytest.raises(AlignError, match="too few for a shift of 9"):
        planned_rows(take, planned({"action": {"from": "/a", "shift": 9}}))
