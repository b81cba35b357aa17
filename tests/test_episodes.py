"""One long recording becomes several episodes, each with its own frames, task and success."""

import os
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from support.robot import ORIGIN_NS, Camera, jittered, mode_signal, robot_plan, write_robot
from telecine import compare, convert, make_plan
from telecine.conversion.dry_run import dry_run
from telecine.conversion.pipeline import Options
from telecine.core.recording import Part
from telecine.sources import part_cache, registry
from telecine.sources.border import UnexpectedError

pytestmark = pytest.mark.usefixtures("rerun")

LABELS = [
    {"recording": "long", "start": 0.4, "stop": 1.4, "task": "pick", "success": True},
    {"recording": "long", "start": 1.5, "stop": 2.3, "success": False},
]


def long_recording(tmp_path, store):
    cameras = {"front": Camera(jittered(70), store)}
    write_robot(tmp_path / "recordings" / "long.rrd", cameras, stop_s=2.9, extra=mode_signal(2.9))
    return tmp_path / "recordings"


@pytest.mark.parametrize("store", ["x264", "jpeg"])
def test_spans_become_episodes_that_hold_what_the_recording_shows_then(tmp_path, store):
    folder, root = long_recording(tmp_path, store), tmp_path / "out"
    report = convert([folder], root, make_plan(robot_plan("front", split={"spans": LABELS})))
    assert report.ok, report.rejected
    assert [(e.recording.rpartition("@")[2], e.rows) for e in report.episodes] == [("0", 30), ("1", 24)]
    assert [e.tasks for e in report.episodes] == [("pick",), ("task 0",)]
    assert [f.code for f in compare(root, [folder]) if f.severity != "info"] == []
    origins = pq.read_table(root / "meta" / "telecine" / "provenance.parquet").to_pylist()
    assert [o["success"] for o in origins] == [True, False]
    starts = [(o["start_ns"] - ORIGIN_NS) / 1e9 for o in origins]
    assert starts == pytest.approx([0.6, 1.7], abs=1 / 30)  # the first stamp of all is at 0.2 s


def test_a_marker_and_idle_ends_are_found_and_told(tmp_path):
    folder = long_recording(tmp_path, "jpeg")
    split = {"marker": "/phase", "edges": "change", "shortest": "450ms"}
    plan = make_plan(robot_plan("front", split=split, trim={"still": 0.05, "by": ["/action"], "margin": "0s"}))
    report = convert([folder], tmp_path / "out", plan)
    assert report.ok, report.rejected
    assert [f.code for f in report.findings if f.code.startswith("split")] == ["split-parts", "split-short"]
    assert all("align-idle" in [f.code for f in e.findings] for e in report.episodes)
    assert [r.rows for r in dry_run([folder], plan).recordings] == [e.rows for e in report.episodes]


def test_a_recording_without_an_episode_is_rejected_by_name(tmp_path):
    folder = long_recording(tmp_path, "jpeg")
    labels = [{**LABELS[0], "recording": "other"}]
    report = convert([folder], tmp_path / "out", make_plan(robot_plan("front", split={"spans": labels})))
    assert [(f.code, f.severity) for f in report.findings] == [("split-none", "error")] * 2
    assert "names the recording 'other', which is not there" in report.findings[0].message
    assert "1 of 1 recording has no span, left out: long.rrd#episode-0" in report.findings[1].message
    assert not report.ok
    never = make_plan(robot_plan("front", split={"marker": "/phase", "start": "never"}))
    report = convert([folder], tmp_path / "out", never)
    assert [(r.recording.rpartition("/")[2], r.reason.code) for r in report.rejected] == [
        ("long.rrd#episode-0", "split-none")
    ]
    with_misfit = make_plan(robot_plan("front", split={"marker": "/phases", "edges": "change"}))
    report = convert([folder], tmp_path / "out", with_misfit)
    assert [r.reason.code for r in report.rejected] == ["plan-mismatch"]
    assert "did you mean '/phase'" in report.rejected[0].reason.message


def test_recordings_that_no_span_names_are_left_out_on_purpose(tmp_path):
    folder = long_recording(tmp_path, "jpeg")
    write_robot(folder / "other.rrd", {"front": Camera(jittered(20), "jpeg")}, episode=1)
    labels = [{**label, "recording": "long"} for label in LABELS]
    plan = make_plan(robot_plan("front", split={"spans": labels}))
    report = convert([folder], tmp_path / "out", plan)
    assert report.ok
    assert [e.recording.rpartition("/")[2] for e in report.episodes] == ["long.rrd#episode-0@0", "long.rrd#episode-0@1"]
    (left_out,) = (f for f in report.findings if f.code == "split-none")
    assert (left_out.severity, left_out.message) == (
        "info",
        "1 of 2 recordings has no span, left out: other.rrd#episode-1",
    )
    assert [f.severity for f in compare(tmp_path / "out", [folder]) if f.severity == "error"] == []


def test_a_recording_is_opened_once_for_all_its_episodes_and_closed(tmp_path, monkeypatch):
    folder, root = long_recording(tmp_path, "jpeg"), tmp_path / "out"
    plan = make_plan(robot_plan("front", split={"spans": LABELS}))
    opened, closed = [], []
    open_ = registry.open

    def counted(ref):
        recording = open_(ref)
        opened.append(ref.label)
        close = recording.close
        return replace(recording, close=lambda: (closed.append(ref.label), close and close()))

    monkeypatch.setattr(registry, "open", counted)
    for work in (
        lambda: convert([folder], root, plan, Options(workers=0, verify=False)),
        lambda: dry_run([folder], plan),
        lambda: compare(root, [folder]),
    ):
        work()
        assert opened == closed
        assert [label.rpartition("/")[2] for label in opened] == ["long.rrd#episode-0"]
        opened.clear(), closed.clear()


def test_a_recording_that_changes_between_its_episodes_is_opened_again(tmp_path, monkeypatch):
    (ref,) = registry.find([long_recording(tmp_path, "jpeg")]).refs
    parts = [replace(ref, part=Part(number, 0, 1)) for number in range(3)]
    opened = []
    open_ = registry.open
    monkeypatch.setattr(registry, "open", lambda ref: (opened.append(ref), open_(ref))[1])
    with part_cache.none_left_open():
        for number, part in enumerate(parts):
            with part_cache.opened(part) as recording:
                assert recording.ref == part
            assert len(opened) == 1 + number // 2
            if number == 1:
                os.utime(ref.path, ns=(1, 1))
        with pytest.raises(UnexpectedError, match="ZeroDivisionError"), part_cache.opened(parts[0]):
            raise ZeroDivisionError
        with part_cache.opened(parts[0]):
            assert len(opened) == 3  # after a failure nothing is taken for sound


def test_the_kept_span_is_shown(tmp_path, capsys):
    from rich.console import Console

    from telecine.cli.screen.tables import show_report

    folder = long_recording(tmp_path, "jpeg")
    plan = make_plan(robot_plan("front", trim={"still": 0.05, "by": ["/action"], "margin": "0s"}))
    show_report(Console(width=300), convert([folder], tmp_path / "out", plan))
    assert "idle at the start" in capsys.readouterr().out
