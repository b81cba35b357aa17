"""An interrupted conversion is taken up by content, and ends in the same bytes; however many processes work."""

import hashlib
import json
import os
import shutil
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.conversion import worker
from telecine.conversion.lasting import lasting_summary, lasting_tables
from telecine.conversion.pipeline import Options, convert
from telecine.conversion.report import Rejected
from telecine.core.errors import DatasetError
from telecine.core.findings import Finding
from telecine.core.plan.model import make_plan
from telecine.dataset.staging import workspace
from telecine.inspection.compare import compare
from telecine.run.executor import serial

pytestmark = pytest.mark.usefixtures("rerun")
COUNT = 4


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, rerun):
    folder = tmp_path_factory.mktemp("resume") / "recordings"
    for number in range(COUNT):
        store = "jpeg" if number % 2 else "x264"
        write_robot(
            folder / f"r{number}.rrd", {"front": Camera(jittered(20 + number, seed=number), store)}, episode=number
        )
    return folder


PLAN = make_plan(robot_plan("front"))


@pytest.fixture(scope="module")
def undisturbed(recordings, tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed") / "out"
    assert convert([recordings], root, PLAN).ok
    return contents(root)


def contents(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def interrupted(after):
    """A run that is stopped in the middle of item `after`, by what Ctrl-C raises."""

    def run(fn, items, tell):
        for number, item in enumerate(items):
            if number == after and getattr(fn, "func", fn) is worker.build:
                raise KeyboardInterrupt
            yield fn(item, tell)

    return run


def counted(calls):
    """A run that notes the recordings it really works on."""

    def run(fn, items, tell):
        for item in items:
            answer = fn(item, tell)
            if (
                getattr(fn, "func", fn) is worker.build
                and not isinstance(answer, worker.Known)
                and not getattr(answer, "taken_up", False)
            ):
                calls.append(item.label.rpartition("/")[2].partition("#")[0])
            yield answer

    return run


def interrupt(recordings, root, plan=PLAN, after=2, options=Options()):
    with pytest.raises(KeyboardInterrupt) as error:
        convert([recordings], root, plan, options, executor=interrupted(after))
    return error.value


def messages(report, code):
    return [f.message for f in report.findings if f.code == code]


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_processes_gives_the_same_bytes(recordings, tmp_path, undisturbed, workers):
    heard, finished = [], []

    class Heard:
        def begin(self, total_bytes, phase, items=0):
            heard.append(-total_bytes)

        def advance(self, done_bytes, label):
            heard.append(done_bytes)

        def finish(self, items=1):
            finished.append(items)

    report = convert([recordings], tmp_path / "out", PLAN, Options(workers=workers), progress=Heard())
    assert report.ok
    assert contents(tmp_path / "out") == undisturbed
    assert sum(heard) == 0  # of converting and of verifying
    assert sum(finished) == COUNT
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_interrupted_run_is_taken_up_to_the_same_bytes(recordings, tmp_path, undisturbed):
    error = interrupt(recordings, tmp_path / "out")
    assert "2 finished episodes" in error.__notes__[0]
    assert not (tmp_path / "out").exists()
    calls = []
    report = convert([recordings], tmp_path / "out", PLAN, executor=counted(calls))
    assert calls == ["r2.rrd", "r3.rrd"]
    assert messages(report, "convert-resumed") == ["taken up from an interrupted run: 2 finished episodes"]
    assert contents(tmp_path / "out") == undisturbed
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_another_plan_reuses_nothing(recordings, tmp_path):
    interrupt(recordings, tmp_path / "out")
    calls = []
    report = convert([recordings], tmp_path / "out", make_plan(robot_plan("front", fps=15)), executor=counted(calls))
    assert len(calls) == COUNT
    assert "2 finished episodes" in messages(report, "convert-leftover")[0]


def test_another_version_reuses_nothing(recordings, tmp_path, monkeypatch):
    interrupt(recordings, tmp_path / "out")
    monkeypatch.setattr("telecine.conversion.checkpoint._versions", lambda: ("telecine 99",))
    calls = []
    convert([recordings], tmp_path / "out", PLAN, executor=counted(calls))
    assert len(calls) == COUNT


def test_a_changed_recording_of_the_same_name_and_size_is_read_again(recordings, tmp_path):
    mine = tmp_path / "recordings"
    shutil.copytree(recordings, mine)
    interrupt(mine, tmp_path / "out")
    before, content = (mine / "r0.rrd").stat(), bytearray((mine / "r0.rrd").read_bytes())
    content[len(content) // 2] ^= 1
    (mine / "r0.rrd").write_bytes(content)
    os.utime(mine / "r0.rrd", ns=(before.st_atime_ns, before.st_mtime_ns))
    calls = []
    convert([mine], tmp_path / "out", PLAN, executor=counted(calls))
    assert calls == ["r0.rrd", "r2.rrd", "r3.rrd"]


def test_without_resume_nothing_is_kept_or_taken_up(recordings, tmp_path, undisturbed):
    interrupt(recordings, tmp_path / "out")
    error = interrupt(recordings, tmp_path / "out", options=Options(resume=False), after=3)
    assert not hasattr(error, "__notes__")
    assert not workspace(tmp_path / "out").exists()
    convert([recordings], tmp_path / "out", PLAN, Options(resume=False))
    assert contents(tmp_path / "out") == undisturbed


def test_an_episode_that_was_damaged_on_disk_is_made_again(recordings, tmp_path, undisturbed):
    interrupt(recordings, tmp_path / "out")
    scratch = workspace(tmp_path / "out") / "scratch"
    clip = next(scratch.glob("*/*/*.clip"))
    clip.write_bytes(clip.read_bytes()[:100])
    with pytest.raises(Exception, match="cannot be read"):
        convert([recordings], tmp_path / "out", PLAN, executor=serial)
    convert([recordings], tmp_path / "out", PLAN, executor=serial)
    assert contents(tmp_path / "out") == undisturbed


def test_an_episode_from_before_the_machine_went_down_must_have_been_synced(recordings, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        convert([recordings], tmp_path / "out", PLAN, progress=Interrupting(3))
    monkeypatch.setattr("telecine.conversion.checkpoint._boot", lambda: "another start")
    calls = []
    convert([recordings], tmp_path / "out", PLAN, executor=counted(calls))
    assert len(calls) == COUNT


class Interrupting:
    """Ctrl-C at the n-th sign of progress."""

    def __init__(self, left):
        self.left = left

    def begin(self, total_bytes, phase, items=0):
        pass

    def advance(self, done_bytes, label):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def finish(self, items=1):
        pass


def test_a_run_that_died_reading_makes_the_next_one_careful(recordings, tmp_path, undisturbed):
    interrupt(recordings, tmp_path / "out")
    (workspace(tmp_path / "out") / "scratch" / "reading").write_text("r2.rrd")
    report = convert([recordings], tmp_path / "out", PLAN)
    (warning,) = [f for f in report.findings if f.code == "convert-crashed"]
    assert warning.where == "r2.rrd"
    assert contents(tmp_path / "out") == undisturbed


def test_provenance_names_source_span_plan_and_tool(recordings, tmp_path):
    report = convert([recordings], tmp_path / "out", PLAN)
    rows = pq.read_table(tmp_path / "out/meta/telecine/provenance.parquet").to_pylist()
    for row, episode in zip(rows, report.episodes, strict=True):
        assert row["source_sha256"] == hashlib.sha256((recordings / row["source"]).read_bytes()).hexdigest()
        assert row["plan_digest"] == report.plan_digest
        assert row["tool"].startswith("telecine ")
        assert row["stop_ns"] - row["start_ns"] == pytest.approx(episode.rows * 1e9 / report.fps, abs=1)
        assert row["success"] is None


def only(recordings, folder, *numbers):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        shutil.copy(recordings / f"r{number}.rrd", folder)
    return folder


def test_new_recordings_are_appended_and_known_ones_left_out(recordings, tmp_path):
    mine = only(recordings, tmp_path / "recordings", 0, 1)
    convert([mine], tmp_path / "out", PLAN)
    before = contents(tmp_path / "out")
    report = convert([only(recordings, mine, 2, 3)], tmp_path / "out", PLAN, Options(append=True, workers=1))
    assert report.ok
    assert [e.index for e in report.episodes] == [2, 3]
    assert len(report.known) == 2
    after = contents(tmp_path / "out")
    assert {n: after[n] for n in before if n.startswith(("data/", "videos/"))} == {
        n: before[n] for n in before if n.startswith(("data/", "videos/"))
    }
    again = convert([mine], tmp_path / "out", PLAN, Options(append=True))
    assert again.ok
    assert (len(again.known), again.episodes) == (4, ())
    assert contents(tmp_path / "out") == after
    assert compare(tmp_path / "out", [mine]) == []


def test_each_episode_is_compared_by_the_plan_it_was_made_with(recordings, tmp_path):
    first, second = only(recordings, tmp_path / "a", 0), only(recordings, tmp_path / "b", 1)
    convert([first], tmp_path / "out", PLAN)
    other = make_plan(robot_plan("front") | {"task": "another"})
    assert convert([second], tmp_path / "out", other, Options(append=True)).ok
    assert compare(tmp_path / "out", [first, second]) == []


def test_an_interrupted_append_leaves_the_dataset_and_is_taken_up(recordings, tmp_path):
    mine = only(recordings, tmp_path / "recordings", 0)
    convert([mine], tmp_path / "out", PLAN)
    before = contents(tmp_path / "out")
    interrupt(recordings, tmp_path / "out", after=3, options=Options(append=True))
    assert contents(tmp_path / "out") == before
    calls = []
    report = convert([recordings], tmp_path / "out", PLAN, Options(append=True), executor=counted(calls))
    assert (calls, len(report.episodes)) == (["r3.rrd"], 3)


def test_a_dataset_that_is_not_sound_is_not_appended_to(recordings, tmp_path):
    convert([only(recordings, tmp_path / "recordings", 0)], tmp_path / "out", PLAN)
    with pytest.raises(DatasetError, match="not both"):
        convert([recordings], tmp_path / "out", PLAN, Options(append=True, overwrite=True))
    (tmp_path / "out/meta/stats.json").unlink()
    with pytest.raises(DatasetError, match="not a sound dataset"):
        convert([recordings], tmp_path / "out", PLAN, Options(append=True))


def test_the_report_in_the_dataset_says_what_became_of_each_recording(recordings, tmp_path):
    mine = only(recordings, tmp_path / "recordings", 0, 1)
    (mine / "bad.rrd").write_bytes(b"RRF2 and nothing else")
    report = convert([mine], tmp_path / "out", PLAN)
    text = (tmp_path / "out/meta/telecine/report.json").read_text()
    summary, rows = json.loads(text), pq.read_table(tmp_path / "out/meta/telecine/report.parquet").to_pylist()
    assert [r["recording"].partition("#")[0] for r in rows] == ["r0.rrd", "r1.rrd", "bad.rrd"]
    assert [(r["episode_index"], r["rows"]) for r in rows] == [
        *((e.index, e.rows) for e in report.episodes),
        (None, None),
    ]
    assert rows[2]["findings"][0]["message"] == report.rejected[0].reason.message
    assert [use["age_max_ns"] for use in rows[1]["uses"]] == [use.age_max_ns for use in report.episodes[1].uses]
    assert [clip["pictures"]["copied"] for clip in rows[0]["clips"]] == [
        clip.pictures.copied for clip in report.episodes[0].clips
    ]
    assert (summary["total_episodes"], summary["total_rejected"], summary["rows"]) == (2, 1, report.rows)
    assert summary["rejected_by_code"] == {report.rejected[0].reason.code: 1}
    assert str(tmp_path) not in text + str(rows)
    moved = tmp_path / "elsewhere" / "recordings"
    shutil.move(mine, moved)
    convert([moved], tmp_path / "again", PLAN, Options(workers=1))
    assert contents(tmp_path / "again") == contents(tmp_path / "out")


def test_the_summary_of_a_report_does_not_grow_with_the_recordings(recordings, tmp_path):
    report = convert([only(recordings, tmp_path / "recordings", 0)], tmp_path / "out", PLAN)
    rejected = [
        Rejected(f"bad-{i}.rrd", Finding("source-unreadable", "error", f"bad-{i}.rrd", f"damage {i}"))
        for i in range(2500)
    ]
    odd = [Finding("stream-left-out", "warning", f"dataset {i}", f"another {i}") for i in range(2500)]
    large = replace(report, rejected=tuple(rejected), findings=tuple(odd), known=("again.rrd",) * 2500)
    summary = lasting_summary(large, [])
    assert len(summary) < 30_000
    assert json.loads(summary)["rejected_by_code"] == {"source-unreadable": 2500}
    tables = list(lasting_tables(large, []))
    assert [table.num_rows for table in tables] == [1000, 1000, 501]
    assert tables[2].column("recording")[-1].as_py() == "bad-2499.rrd"


def test_a_strict_run_that_stops_keeps_what_it_made(recordings, tmp_path):
    mine = only(recordings, tmp_path / "recordings", 0, 1)
    write_robot(mine / "r1b.rrd", {"other": Camera(jittered(5), "jpeg")}, recording_id="r1b")
    report = convert([mine], tmp_path / "out", PLAN, Options(strict=True))
    assert not report.ok
    assert "2 finished episodes are kept" in messages(report, "convert-nothing")[0]
    (mine / "r1b.rrd").unlink()
    calls = []
    assert convert([mine], tmp_path / "out", PLAN, Options(strict=True), executor=counted(calls)).ok
    assert calls == []
