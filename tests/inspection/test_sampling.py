"""Of very many recordings `inspect` reads some, and says so; looking into many files is shared out."""

import json
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import telecine as tc
from support.cli import telecine
from support.robosandbox import write_run
from telecine.conversion.discovery import find_all
from telecine.core.recording import Ref
from telecine.inspection import recordings
from telecine.inspection.sampling import MOST_INSPECTED, sampled
from telecine.run.worker_count import Workers


@given(count=st.integers(0, 5000), most=st.integers(2, 50))
def test_a_sample_is_spread_evenly_with_both_ends(count, most):
    refs = [Ref("rrd", f"{number:06d}.rrd") for number in range(count)]
    taken = sampled(refs, most)
    assert len(taken) == min(count, most)
    assert list(taken) == sorted(set(taken), key=lambda ref: ref.path)
    if count:
        assert (taken[0], taken[-1]) == (refs[0], refs[-1])
        steps = [int(b.path[:6]) - int(a.path[:6]) for a, b in pairwise(taken)]
        assert max(steps, default=0) - min(steps, default=0) <= 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Six recordings, with a limit of four."""
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        write_run(tmp_path / "in" / f"run-{number}", 8, pictures=0, actions=True)
    monkeypatch.setattr(recordings, "sampled", partial(sampled, most=4))
    return tmp_path


def test_inspect_samples_and_says_so_unless_all_are_asked_for(folder):
    assert MOST_INSPECTED == 1000
    code, out, _ = telecine("inspect", "in", "--plan", "plan.yaml")
    assert (code, "4 of 6 recordings were read" in out) == (0, True)
    assert (folder / "plan.yaml").is_file()
    body = json.loads(telecine("inspect", "in", "--json")[1])
    assert [recording["label"][-1] for recording in body["recordings"]] == ["0", "1", "3", "5"]
    assert (body["found"], [f["code"] for f in body["findings"]].count("inspect-sampled")) == (6, 1)
    code, out, _ = telecine("inspect", "in", "--all", "--json")
    body = json.loads(out)
    assert (code, body["found"], len(body["recordings"])) == (0, 6, 6)
    assert "inspect-sampled" not in [f["code"] for f in body["findings"]]


def test_a_conversion_without_a_plan_says_that_its_plan_is_of_some(folder):
    report = tc.convert("in", "out", workers=0)
    (said,) = [f for f in report.findings if f.code == "inspect-sampled"]
    assert (len(report.episodes), report.ok, "--all --plan" in said.fix) == (6, True, True)


def test_many_files_are_shared_out_and_few_are_not(tmp_path):
    class Counted(Workers):
        def grow(self, recordings, total_bytes, *, safely):
            grown.append((recordings, total_bytes, safely))

    for count in (3, 70):
        for number in range(count):
            (tmp_path / f"{number}.rrd").write_bytes(b"no recording")
        grown = []
        with Counted(0) as workers:
            found = find_all([tmp_path], recover=False, token=None, executor=workers)
        assert (len(found.refs), len(found.findings)) == (0, count)
        assert grown == ([] if count == 3 else [(70, 70 * 12, False)])
