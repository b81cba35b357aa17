"""`convert --where`: what became of episodes is counted, and decides which are taken."""

import json

import pytest

from support import hdf5 as make
from support.cli import telecine
from telecine import convert, dry_run
from telecine.core.errors import PlanError
from telecine.dataset.reader import Dataset


@pytest.fixture
def demos(h5py, tmp_path):
    """Isaac Lab's EXPORT_ALL: demos 0 and 2 succeed, 1 fails."""
    return make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(0, 1, 2), steps=6)


def test_the_report_counts_what_became_of_episodes(demos, tmp_path):
    code, said, _ = telecine("convert", demos, tmp_path / "out", "--task-text", "lift")
    assert code == 0
    assert "3 episodes (2 success, 1 failed)" in said
    rows = [Dataset(tmp_path / "out").rows(i, ["next.success"])["next.success"].to_pylist() for i in range(3)]
    assert [r[-1] for r in rows] == [True, False, True]
    assert not any(any(r[:-1]) for r in rows)


def test_where_leaves_the_others_out_by_name(demos, tmp_path):
    arguments = ("convert", demos, tmp_path / "out", "--task-text", "lift", "--where", "success == true", "--json")
    code, said, _ = telecine(*arguments)
    report = json.loads(said)
    assert code == 0
    assert [e["success"] for e in report["episodes"]] == [True, True]
    assert report["outcomes"] == {"success": 2, "failed": 0, "unknown": 0}
    assert report["not_wanted"] == [f"{demos}#/data/demo_1"]
    (finding,) = [f for f in report["findings"] if f["code"] == "convert-where"]
    assert "x.hdf5#/data/demo_1: success is false" in finding["message"]


def test_where_asks_episodes_that_an_interrupted_run_has_made(demos, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("telecine.conversion.pipeline.settle_codecs", lambda plan, *_, **__: plan)
        patch.setattr("telecine.dataset.writer.DatasetWriter.commit", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            convert(demos, tmp_path / "out", task="lift", workers=0)
    report = convert(demos, tmp_path / "out", task="lift", workers=0, where="success == true")
    assert [e.success for e in report.episodes] == [True, True]
    assert len(report.not_wanted) == 1


def test_where_that_leaves_nothing_writes_nothing(demos, tmp_path):
    report = convert(demos, tmp_path / "out", task="lift", where="rows > 100 or 'good' in tags")
    assert not report.ok
    assert [f.code for f in report.findings if f.severity == "error"] == ["convert-nothing"]
    assert len(report.not_wanted) == 3
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["success == true", "success == true and rows >= 2"])
def test_a_failure_that_cannot_be_aligned_is_left_out_not_rejected(h5py, demos, tmp_path, where):
    plan = dry_run(demos, task="lift").plan
    with h5py.File(demos, "r+") as file:
        del file["data/demo_1/obs/joint_pos"]
    assert len(convert(demos, tmp_path / "all", plan, workers=0).rejected) == 1
    report = convert(demos, tmp_path / "out", plan, workers=0, where=where)
    assert report.ok
    assert report.not_wanted == (f"{demos}#/data/demo_1",)
    made = dry_run(demos, plan, where=where)
    assert (made.ok, len(made.recordings)) == (True, 2)


def test_a_dry_run_asks_as_well(demos):
    made = dry_run(demos, task="lift", where="success == false")
    assert [r.recording.rpartition("#")[2] for r in made.recordings] == ["/data/demo_1"]
    assert sum(f.code == "convert-where" for f in made.findings) == 2


@pytest.mark.parametrize("text", ["succes == true", "success ==", "episode == 3", "__import__('os')"])
def test_an_expression_that_means_nothing_is_refused_before_anything_is_read(demos, tmp_path, text):
    with pytest.raises(PlanError, match="--where"):
        convert(demos, tmp_path / "out", task="lift", where=text)
