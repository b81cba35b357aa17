"""Clocks of messages end to end: recordings whose stamps are off or run at another pace, converted as proposed.

The first value of every joint and command is the time in s at which it was measured, so rows say what was paired.
"""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from support.mcap import START_NS, Said, header, make, write_mcap
from telecine.conversion.pipeline import convert
from telecine.core.findings import Finding
from telecine.core.grid import SECOND
from telecine.core.plan.model import make_plan
from telecine.core.proposal.propose import propose
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many

STATE, ACTION, BARE = "/joint_states", "/leader/joint_states", "/arm_controller/commands"
LATENCY_NS = 3_000_000
STEP_S = 0.02
"""Between two commands: so old may the newest be."""


def said(topic: str, offset_s: float = 0, *, hz: int = 100, start_s: float = 0, pace: float = 1) -> list[Said]:
    """Three seconds, or as long as shows the `pace` of the clock that stamps; offset_s: what the stamps are off."""
    messages = []
    for k in range(round(start_s * hz), round(3 * max(pace, 1)) * hz):
        time_ns = k * SECOND // hz
        logged = START_NS + round(time_ns / pace) + LATENCY_NS
        value = np.array([time_ns / 1e9, 1.0])
        if topic == BARE:
            kind, layout = "std_msgs/msg/Float64MultiArray", make("std_msgs/msg/MultiArrayLayout", [], 0)
            messages.append(Said(topic, kind, make(kind, layout, value), logged, logged))
            continue
        kind, stamp = "sensor_msgs/msg/JointState", header(START_NS + time_ns + round(offset_s * SECOND))
        message = make(kind, stamp, ["time", "one"], value, np.zeros(0), np.zeros(0))
        messages.append(Said(topic, kind, message, logged, logged))
    return messages


def ages(path: Path, messages: list[Said], offset: str = "") -> tuple[np.ndarray, list[Finding]]:
    """((rows,) s by which commands are older than the states of their rows, findings); offset: of commands, planned."""
    write_mcap(path, sorted(messages, key=lambda one: one.log_ns))
    proposal = propose(inspect_many([path]).recordings, task_text="x", fps=20)
    body = dict(proposal.body)
    if offset:
        stream = {"stream": body["features"]["action"], "offset": offset}
        body["features"] = {**body["features"], "action": {"from": [stream]}}
    out = path.with_suffix("")
    report = convert([path], out, make_plan(body))
    assert report.ok
    rows = Dataset(out).rows(0, ["observation.state", "action"])
    state, command = (np.array(rows[key].to_pylist()).reshape(len(rows), -1)[:, 0] for key in rows.column_names)
    return state - command, list(report.all_findings)


def texts(findings: list[Finding], code: str) -> str:
    return " ".join(finding.message for finding in findings if finding.code == code)


@pytest.mark.parametrize(("offset_s", "moved"), [(-1.3, "+1.303 s"), (1.3, "-1.297 s"), (0.3, "-0.297 s")])
def test_commands_of_a_clock_that_is_certainly_another_are_moved(
    tmp_path: Path, mcap: ModuleType, offset_s: float, moved: str
) -> None:
    found, findings = ages(tmp_path / "a.mcap", said(STATE) + said(ACTION, offset_s, hz=50))
    assert f"moved by {moved}" in texts(findings, "clock-offset")
    assert found.min() > -0.011
    assert found.max() < STEP_S + 0.011


def test_commands_that_may_be_late_or_of_another_clock_are_left_and_named_and_the_plan_corrects_them(
    tmp_path: Path, mcap: ModuleType
) -> None:
    messages = said(STATE) + said(ACTION, -0.3, hz=50)
    found, findings = ages(tmp_path / "a.mcap", messages)
    assert "stamped 0.303 s before it was received" in texts(findings, "clock-delayed")
    assert np.median(found) == pytest.approx(-0.3, abs=STEP_S)
    corrected, _ = ages(tmp_path / "b.mcap", messages, offset="300ms")
    assert np.abs(corrected).max() < STEP_S + 0.011


@pytest.mark.parametrize("pace", [0.5, 2.0])
@pytest.mark.parametrize(("action", "start_s"), [(ACTION, 0), (ACTION, 1.2), (BARE, 0)])
def test_a_simulation_that_runs_slow_or_fast_keeps_its_own_time(
    tmp_path: Path, mcap: ModuleType, pace: float, action: str, start_s: float
) -> None:
    messages = said(STATE, -1000, pace=pace) + said(action, -1000, hz=50, start_s=start_s, pace=pace)
    found, findings = ages(tmp_path / "a.mcap", messages)
    assert f"{pace:.3f} of the recorder's" in texts(findings, "clock-pace")
    assert found.min() > -0.011
    assert found.max() < STEP_S + 0.011
    assert found.size == pytest.approx(20 * (3 * max(pace, 1) - start_s), abs=1)
