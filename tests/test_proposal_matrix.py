"""Generated recordings through inspect, plan, convert and verify, by the proposed plan: exact, or the cause is named.

The short form has every clock, rate, camera and fault; the long form (`-m long`) 400 of all combinations that make
sense. What a row shows is found without telecine: values are times.
"""

import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.cli import telecine
from support.matrix import CAMERAS, CLOCKS, FAULTS, ORIGIN_NS, PAUSE_S, RATES, SECONDS, few_cases, many_cases, write

CAUSES = {
    "lacking": "/cam/front",
    "width": "vector float64 (3), in the others vector float64 (2)",
    "cut": "r2.rrd",
    "short": "/cam/front",
}
"""What `inspect` says of a recording that is then rejected."""
WARNINGS = {
    "late": {"align-trimmed"},
    "tensor": {"stream-unreadable"},
    "pause": set(),
    "short": set(),
}
"""Codes that a fault may cause; nothing else may be a warning or an error."""


def road(case, folder, rerun):
    """The recordings' truth, what inspect said, and (exit code, report) of the conversion by the proposed plan."""
    truth = write(case, folder / "in", rerun)
    plan = folder / "plan.yaml"
    _, said, _ = telecine("inspect", folder / "in", "--plan", plan, "--json")
    rate = ("--rate", case.rate) if case.rate else ()
    given = ("--plan", plan, "--task-text", "x", "--json", "--workers", "0", *rate)
    code, report, error = telecine("convert", folder / "in", folder / "out", *given)
    return truth, json.loads(said), (code, json.loads(report) if report else error)


def check(case, folder, rerun):
    """How it ended: exact, warned or refused; AssertionError where it is none of these."""
    truth, seen, (code, report) = road(case, folder, rerun)
    assert isinstance(report, dict), (case.name, report)
    used = {s for entry in seen["proposed_plan"]["features"].values() for s in _streams(entry)}
    refused = case.fault in ("lacking", "width", "cut") or (case.fault == "short" and case.camera == "mid_gop")
    assert used >= {"/action:Scalars:scalars", "/state:Scalars:scalars"}
    assert any("/cam/front" in s for s in used) == (case.camera != "none")
    if refused:
        assert code == 1
        assert [r["recording"].partition("#")[0].endswith(f"r{case.odd}.rrd") for r in report["rejected"]] == [True]
        assert CAUSES[case.fault] in json.dumps(seen["guesses"]) + json.dumps(seen["findings"])
    else:
        assert code == 0, report["rejected"]
    assert {e["recording"].rpartition("/")[2].partition("#")[0] for e in report["episodes"]} >= {
        f"r{n}.rrd" for n in range(len(truth)) if n != case.odd or not (refused or case.fault == "short")
    }
    _check_warnings(case, report)
    _check_rows(case, folder / "out", truth, report)
    inputs = folder / "in"
    if case.fault == "cut":
        (inputs / "r2.rrd").unlink()
    assert telecine("verify", folder / "out", "--against", inputs)[0] == 0
    if refused:
        return "refused"
    return "exact" if case.fault == "none" and case.camera != "mid_gop" else "warned"


def _streams(entry):
    source = entry["from"] if isinstance(entry, dict) else entry
    return [source] if isinstance(source, str) else source


def _check_warnings(case, report):
    findings = [*report["findings"], *(f for e in report["episodes"] for f in e["findings"])]
    loud = {f["code"] for f in findings if f["severity"] != "info"}
    allowed = WARNINGS.get(case.fault, set())
    if case.camera == "mid_gop":
        allowed = allowed | {"video-damaged"} | ({"align-trimmed"} if case.rates[0] < 30 else set())
    assert loud <= allowed, (loud, [f for f in findings if f["code"] in loud - allowed])
    if case.fault == "tensor":
        assert "stream-unreadable" in loud
        assert any(entry["stream"].startswith("/map") for entry in report["left_out"])


def _check_rows(case, root, truth, report):
    """Every row has the last sample at or before its tick, and there are as many as the recordings are long."""
    fps = json.loads((root / "meta/info.json").read_text())["fps"]
    assert fps == (case.rates[0] if case.camera != "none" or case.rate else min(case.rates[1], 30))
    rows = pq.read_table(root / "data").to_pylist()
    origin = {"timestamp": ORIGIN_NS, "live": ORIGIN_NS, "both": ORIGIN_NS}.get(case.clock, 0)
    for line in pq.read_table(root / "meta/telecine/provenance.parquet").to_pylist():
        own = [r for r in rows if r["episode_index"] == line["episode_index"]]
        times = truth[line["source"].rpartition("/")[2]]
        ticks = line["start_ns"] - origin + np.round(np.arange(len(own)) * 1e9 / fps)
        for key, name in (("action", "action"), ("observation.state", "state")):
            known = np.round(times[name] * 1e9)
            expected = times[name][np.searchsorted(known, ticks + 1, side="right") - 1]
            np.testing.assert_allclose([r[key][0] for r in own], expected, atol=1e-6)
        if case.fault != "short":
            lost = max(t[0] for t in times.values()) + (0.8 if case.camera == "mid_gop" else 0)
            assert (SECONDS - lost) * fps - 2 <= len(own) <= SECONDS * fps + 1
    if case.fault == "pause":
        assert len(report["episodes"]) == 2 * len(truth)
        assert max(u["age_max_ns"] for e in report["episodes"] for u in e["uses"]) < PAUSE_S * 1e9


@pytest.mark.parametrize("case", few_cases(), ids=lambda case: case.name)
def test_a_few_of_the_matrix(case, tmp_path, rerun):
    check(case, tmp_path, rerun)


def test_the_few_have_every_value_of_every_dimension():
    few = few_cases()
    assert {c.clock for c in few} == set(CLOCKS)
    assert {c.rates for c in few} == set(RATES)
    assert {c.camera for c in few} == set(CAMERAS)
    assert {c.fault for c in few} == set(FAULTS)


@pytest.mark.long
def test_the_whole_matrix(tmp_path, rerun):
    ended, wrong = Counter(), []
    for case in many_cases():
        try:
            ended[check(case, tmp_path / case.name, rerun)] += 1
        except AssertionError as error:
            wrong.append((case.name, str(error)[:300]))
    assert not wrong, f"{len(wrong)} of {len(many_cases())}: {wrong[:5]}"
    assert sum(ended.values()) == len(many_cases()), ended
    print(dict(ended))  # for docs/testing.md
