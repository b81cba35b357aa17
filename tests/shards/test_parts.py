"""A conversion in parts gives the dataset of one run, whatever happens to the parts on the way."""

import json
import random
import re
import shutil
from contextlib import suppress
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

import telecine as tc
from support.cli import telecine
from support.replaced import places, replaced
from support.robot import Camera, jittered, robot_plan, write_robot
from support.shards import assert_equal, contents, convert_all, episodes_of, write_runs
from telecine.conversion.shards import part
from telecine.core.errors import DatasetError, PlanError
from telecine.dataset.staging import Asker, Staging, workspace
from telecine.sources import registry


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("runs") / "recordings")


@pytest.fixture(scope="module")
def plan(recordings):
    return tc.inspect(str(recordings / "run-05"), executor=None).plan


@pytest.fixture(scope="module")
def whole(recordings, plan, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole") / "out"
    report = tc.convert(recordings, root, plan, workers=0)
    assert (len(report.episodes), len(report.rejected)) == (7, 3), report.all_findings
    return root


@pytest.fixture(scope="module")
def first_of_two(recordings, plan, tmp_path_factory):
    """Where part 1/2 is done, and nothing else."""
    folder = tmp_path_factory.mktemp("parts")
    tc.convert(recordings, folder / "out", plan, shard=(1, 2), workers=0)
    return folder


@pytest.fixture
def begun(first_of_two, tmp_path):
    """A copy of it of the test's own: the target."""
    shutil.copytree(first_of_two, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


@pytest.mark.parametrize("of", [1, 4, 7, pytest.param(50, marks=pytest.mark.long)])
def test_any_number_of_parts_gives_the_dataset_of_one_run(recordings, plan, whole, tmp_path, of):
    order = random.Random(of).sample(range(1, of + 1), of)
    reports, made = convert_all(recordings, tmp_path / "out", plan, of, order)
    assert sum(len(report.episodes) for report in reports.values()) == 7
    assert sum(len(report.rejected) for report in reports.values()) == 3
    assert (made.ok, made.published, made.episodes, len(made.rejected)) == (True, True, 7, 3)
    assert_equal(tmp_path / "out", whole)
    assert tc.verify(tmp_path / "out") == []
    assert episodes_of(whole).column("success").null_count == 2
    assert [f.code for f in made.findings] == ["finalize-rejected", "success-unknown"]
    assert str(recordings) not in str(pq.read_table(tmp_path / "out/meta/telecine/report.parquet").to_pylist())


def test_videos_are_the_same_files_and_frames(tmp_path, rerun):
    for number in range(4):
        tasks = {0.2: "one", 0.6: "two"} if number % 2 else {0.2: "two"}
        cameras = {"front": Camera(jittered(30, seed=number), "jpeg" if number == 2 else "x264")}
        write_robot(tmp_path / "in" / f"r{number}.rrd", cameras, episode=number, tasks=tasks)
    plan = tc.make_plan(robot_plan("front"))
    tc.convert(tmp_path / "in", tmp_path / "whole", plan, workers=0)
    _, made = convert_all(tmp_path / "in", tmp_path / "out", plan, 3)
    assert made.ok
    assert_equal(tmp_path / "out", tmp_path / "whole")
    assert tc.diff(tmp_path / "out", tmp_path / "whole").equal
    assert tc.verify(tmp_path / "out") == []
    video = next((tmp_path / "out" / "videos").rglob("*.mp4"))
    assert video.stat().st_nlink == 2  # the part's own file: no byte was copied


def test_a_part_has_the_same_bytes_each_time(recordings, plan, tmp_path):
    made = []
    for name in ("a", "b"):
        tc.convert(recordings, tmp_path / name, plan, shard="2/3", workers=0)
        made.append({k: v[0] for k, v in contents(workspace(tmp_path / name)).items() if "shard-002" in k})
    assert made[0] == made[1]
    before = contents(tmp_path)
    again = tc.convert(recordings, tmp_path / "a", plan, shard="2/3", workers=0)
    assert (again.ok, [f.code for f in again.findings]) == (True, ["convert-shard"])
    assert contents(tmp_path) == before


def test_whoever_settles_what_parts_share_looks_for_the_files_once(recordings, plan, tmp_path, monkeypatch):
    looked = []
    claimed = registry.claimed
    monkeypatch.setattr(registry, "claimed", lambda *given, **flags: looked.append(given) or claimed(*given, **flags))
    tc.convert(recordings, tmp_path / "out", plan, shard=(1, 2), workers=0)
    assert len(looked) == 1


def test_a_second_finalize_changes_nothing(recordings, plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    convert_all(recordings, "out", plan, 2)
    before = contents(tmp_path)
    code, out, _ = telecine("finalize", "out", "--json")
    assert (code, json.loads(out)["published"], json.loads(out)["counts"]["done"]) == (0, True, 2)
    code, out, _ = telecine("finalize", "out", "--json", "--dry-run")
    assert (code, json.loads(out)["episodes"]) == (0, 7)
    late = tc.convert(recordings, "out", plan, shard=(1, 2), workers=0)
    assert late.ok
    assert contents(tmp_path) == before


def test_rejected_recordings_are_named_after_publication_too(recordings, plan, tmp_path):
    out = tmp_path / "out"
    _, made = convert_all(recordings, out, plan, 4)

    def told(found):  # report.parquet has the recording once, beside the reason
        return [(entry.recording, replace(entry.reason, recording=None)) for entry in found.rejected]

    assert [entry.recording for entry in made.rejected] == ["run-00", "run-01", "run-04"]
    for dry_run in (False, True):
        again = tc.finalize(out, dry_run=dry_run)
        assert told(again) == told(made)
        assert [f for f in again.findings if f.code == "finalize-rejected"] == [made.findings[0]]
    write_runs(tmp_path / "late", 12)
    tc.convert(tmp_path / "late" / "run-11", out, plan, append=True, workers=0)
    assert told(tc.finalize(out)) == told(made)
    shutil.rmtree(workspace(out))
    (report,) = (out / "meta/telecine").glob("report-until-*.parquet")
    report.write_bytes(report.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=f"{report.name}: cannot be read"):
        tc.finalize(out)
    report.unlink()
    assert tc.finalize(out).rejected == ()


def test_one_rejected_recording_is_told_in_the_singular(recordings, plan, tmp_path):
    _, made = convert_all([recordings / "run-01", recordings / "run-05"], tmp_path / "out", plan, 1)
    assert made.findings[0].message == "1 recording was rejected, and is in no episode"


def test_quiet_says_the_result_of_a_run_that_has_nothing_to_make(recordings, plan_file, tmp_path):
    out, one = tmp_path / "out", recordings / "run-05"
    words = ("convert", one, out, "--plan", plan_file, "--workers", "0", "-q")
    telecine(*words)
    assert telecine(*words, "--append")[1].startswith("1 recording is in the dataset already, not appended again")
    target = tmp_path / "parts"
    words = ("convert", one, target, "--plan", plan_file, "--workers", "0", "-q", "--shard")
    shown = [telecine(*words, shard) for shard in ("1/2", "2/2", "1/2", "2/2")]
    assert [code for code, *_ in shown] == [0] * 4
    assert f"part 1/2 has no recording -> {target}" in shown[0][1]
    assert shown[2][1].startswith("this part is done (0 episodes)")
    assert shown[3][1].startswith("this part is done (1 episode)")


def test_what_is_missing_is_named_with_its_command(recordings, plan, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    assert telecine("convert", recordings, "out", "--plan", "plan.yaml", "--shard", "2/3", "--workers", "0")[0] == 0
    code, out, _ = telecine("finalize", "out", "--dry-run")
    assert (code, "1 of 3 parts is done" in out, "missing 3/3" in out) == (0, True, True)
    code, out, _ = telecine("finalize", "out", "--json")
    body = json.loads(out)
    assert (code, body["ok"], body["counts"]["missing"], (tmp_path / "out").exists()) == (1, False, 2, False)
    commands = [part["command"] for part in body["parts"] if part["what"] == "missing"]
    assert commands[1] == f"telecine convert {recordings} out --shard 3/3"
    for command in commands:  # without a plan: the one that the conversion was begun with
        telecine(*command.split()[1:], "--workers", "0")
    assert telecine("finalize", "out")[0] == 0
    assert_equal(tmp_path / "out", whole)


def test_a_part_that_is_not_whole_or_not_ours_is_refused(recordings, plan, whole, begun, tmp_path):
    tc.convert(recordings, begun, plan, shard=(2, 2), workers=0)
    job = workspace(tmp_path / "out") / "job-new"
    rows = next((job / "shard-002" / "data").rglob("*.parquet"))
    there = rows.read_bytes()
    rows.write_bytes(there[:-100])
    made = tc.finalize(tmp_path / "out", workers=0)
    assert (made.ok, made.parts[1].what, made.parts[1].command[-3:]) == (False, "incomplete", "2/2")
    assert f"has {len(there) - 100} bytes" in made.parts[1].why
    rows.unlink()
    assert "is missing" in tc.finalize(tmp_path / "out", workers=0).parts[1].why
    rows.write_bytes(there)
    manifest = job / "shard-002.json"
    told = manifest.read_text()
    manifest.write_text(told.replace('"2/2"', '"1/2"', 1))
    assert tc.finalize(tmp_path / "out", workers=0).parts[1].what == "foreign"
    manifest.write_text(told[:50])
    assert tc.finalize(tmp_path / "out", workers=0).parts[1].what == "incomplete"
    tc.convert(recordings, tmp_path / "out", plan, shard=(2, 2), workers=0)
    assert tc.finalize(tmp_path / "out", workers=0).ok
    assert_equal(tmp_path / "out", whole)


@pytest.mark.parametrize("text", ["[1]", "null", "7", '"x"', "{}", "[" * 100_000, "\xff"])
def test_a_manifest_that_is_other_json_is_incomplete_and_named_with_its_command(text, begun):
    manifest = workspace(begun) / "job-new" / "shard-001.json"
    manifest.write_bytes(text.encode("latin-1"))
    code, out, error = telecine("finalize", begun, "--json", "--dry-run")
    (first, second), problem = json.loads(out)["parts"], f"{manifest}: cannot be read: "
    assert (code, error, first["what"], second["what"]) == (0, "", "incomplete", "missing")
    assert first["why"].startswith(problem)
    assert first["command"].endswith("--shard 1/2")
    assert telecine("finalize", begun)[0] == 1
    assert telecine(*first["command"].split()[1:], "--workers", "0")[0] == 1  # a recording is rejected
    assert tc.finalize(begun, dry_run=True, workers=0).parts[0].what == "done"


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"request": [1]}'])
def test_a_job_that_is_other_json_says_how_it_comes_back_without_loss(text, recordings, plan, begun):
    job = workspace(begun) / "job-new" / "job.json"
    job.write_text(text)
    for words in ((begun, "--dry-run"), (begun,)):
        code, _, error = telecine("finalize", *words)
        assert (code, "cannot be read" in error, "remove it" in error, "--shard 1/N" in error) == (1, True, True, True)
    with pytest.raises(DatasetError, match="job.json: cannot be read"):
        tc.convert(recordings, begun, plan, shard=(1, 2), workers=0)
    job.unlink()
    again = tc.convert(recordings, begun, plan, shard=(1, 2), workers=0)
    assert "this part is done" in again.findings[0].message


def test_a_mark_that_is_other_json_is_named(recordings, plan, tmp_path):
    out = tmp_path / "out"
    convert_all(recordings, out, plan, 1)
    for text in ("[]", "3", '{"id": "a", "request": {}, "episodes": 1, "rows": 2}', '{"id": []}'):
        (out / "meta/telecine/job.json").write_text(text)
        with pytest.raises(DatasetError, match="meta/telecine/job.json: cannot be read: .* remove it"):
            tc.finalize(out, dry_run=True)


def test_documents_of_a_job_that_were_changed_are_refused_or_go_on(recordings, plan, whole, begun, tmp_path):
    """Whatever type an entry has in a manifest or job: finalize says what is wrong, and makes no other dataset."""
    tc.convert(recordings, begun, plan, shard=(2, 2), workers=0)
    chance, home = random.Random(7), workspace(begun) / "job-new"
    for name in ("shard-001.json", "job.json"):
        told = (home / name).read_text()
        every = list(places(json.loads(told)))
        for place in chance.sample(every, 60):
            for new in (None, [], {}, [1], "x", 7, {"a": {}}):
                (home / name).write_text(json.dumps(replaced(json.loads(told), place, new)))
                with suppress(DatasetError):
                    tc.finalize(begun, dry_run=True, workers=0)
        (home / name).write_text(told)
    assert tc.finalize(begun, workers=0).ok
    assert_equal(begun, whole)


def test_another_conversion_into_the_same_place_is_refused(recordings, plan, whole, begun, tmp_path):
    out = begun
    with pytest.raises(DatasetError, match="exists, and another command made it .*--append"):
        tc.convert(recordings, whole, plan, shard=(1, 2), workers=0)
    for change in ({"shard": (1, 3)}, {"fps": 15}, {"where": "rows > 3"}):
        with pytest.raises(PlanError, match="a conversion into it was begun"):
            tc.convert(recordings, out, plan, workers=0, **{"shard": (1, 2), **change})
    with pytest.raises(
        PlanError,
        match="it has another plan: fps is 30 there, 9 here; task.from is '/task' there, not given here; task.c",
    ):
        tc.convert(recordings, out, plan, workers=0, shard=(1, 2), fps=9, task="a")
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    code = telecine("convert", recordings, out, "--plan", tmp_path / "plan.yaml", "--fps", "9", "--shard", "1/2")[0]
    assert code == 2
    with pytest.raises(DatasetError, match="the recordings are not those"):
        tc.convert([recordings / "run-01", recordings / "run-02"], out, plan, shard=(1, 2), workers=0)
    with pytest.raises(PlanError, match="needs a plan"):
        tc.convert(recordings, tmp_path / "other", shard=(1, 2))


def test_all_parts_have_the_same_functions_and_the_command_that_is_missing_names_them(recordings, plan, tmp_path):
    out, mine = tmp_path / "out", tmp_path / "mine.py"
    mine.write_text("def above(x, level):\n    return x > level\n")
    given = tc.make_plan({**plan.to_dict(), "derived": [{"key": "is_high", "value": "above(observation.state, 0.1)"}]})
    tc.convert(recordings, out, given, shard=(1, 2), functions=mine, workers=0)
    missing = tc.finalize(out, dry_run=True, workers=0).parts[1].command
    assert missing.endswith(f"--functions {mine} --shard 2/2")
    mine.write_text("def above(x, level):\n    return x >= level\n")
    with pytest.raises(PlanError, match=r"its --functions was mine.py sha256:\w+, this one is mine.py sha256:\w+"):
        tc.convert(recordings, out, given, shard=(2, 2), functions=mine, workers=0)
    with pytest.raises(PlanError, match=r"its --functions was mine.py sha256:\w+, this one is none"):
        tc.convert(recordings, out, given, shard=(2, 2), workers=0)
    mine.write_text("def above(x, level):\n    return x > level\n")
    assert telecine(*missing.split()[1:], "--workers", "0")[0] == 0
    assert tc.finalize(out, workers=0).ok
    assert "is_high" in json.loads((out / "meta/info.json").read_text())["features"]


def test_a_part_that_fails_says_so_and_can_be_made_again(recordings, plan, whole, begun, monkeypatch):
    out = begun

    def full(*_args):
        raise DatasetError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(part, "write_manifest", full)
        with pytest.raises(DatasetError, match="no space left"):
            tc.convert(recordings, out, plan, shard=(2, 2), workers=0)
    made = tc.finalize(out, dry_run=True, workers=0)
    assert (made.ok, made.parts[1].what, made.parts[1].why) == (True, "failed", "no space left")
    tc.convert(recordings, out, plan, shard=(2, 2), workers=0)
    assert tc.finalize(out, workers=0).ok
    assert_equal(out, whole)


def test_two_at_once_never_write_the_same_part(recordings, plan, whole, begun):
    out = begun
    other = Staging(workspace(out) / "job-new" / "shard-002", overwrite=True, asker=Asker())
    with pytest.raises(DatasetError, match="^" + re.escape(f"{out}: part 2/2: locked")):
        tc.convert(recordings, out, plan, shard=(2, 2), workers=0)
    other.close()
    tc.convert(recordings, out, plan, shard=(2, 2), workers=0)
    assert tc.finalize(out, workers=0).ok
    assert_equal(out, whole)


def test_parts_append_to_a_dataset(recordings, plan, whole, tmp_path):
    out, first = tmp_path / "out", [recordings / f"run-{n:02d}" for n in range(4)]
    for root in (out, tmp_path / "one"):
        tc.convert(first, root, plan, workers=0)
    tc.convert(recordings, tmp_path / "one", plan, append=True, workers=0)
    reports, made = convert_all(recordings, out, plan, 3, [2, 3, 1], append=True)
    assert (sum(len(r.known) for r in reports.values()), made.episodes, made.ok) == (2, 7, True)
    notes = [finding for report in reports.values() for finding in report.findings if finding.code == "convert-known"]
    assert {note.where for note in notes} == {str(out)}
    assert_equal(out, tmp_path / "one")
    assert tc.verify(out) == []
    before = contents(out)
    assert tc.finalize(out, workers=0).ok
    assert tc.convert(recordings, out, plan, shard=(1, 3), append=True, workers=0).ok
    assert contents(out) == before


def test_without_a_usable_recording_there_is_no_dataset(recordings, plan, tmp_path):
    with pytest.raises(DatasetError, match="no recording was usable"):
        convert_all(recordings / "run-01", tmp_path / "out", plan, 2)


def test_a_target_without_a_job_says_how_to_begin(whole, tmp_path):
    for words in (("finalize",), ("finalize", "--dry-run"), ("finalize", "--json", "--dry-run")):
        for target, begin in ((tmp_path / "nowhere", "--plan PLAN --shard 1/N"), (whole, "--append --shard 1/N")):
            code, out, error = telecine(*words, target)
            assert (code, out) == (1, "")
            assert "no conversion in parts was begun" in error
            assert begin in error


def test_a_conversion_of_all_where_parts_were_begun_is_refused_before_any_work(
    recordings, plan, whole, begun, monkeypatch
):
    before, job = contents(begun.parent), workspace(begun) / "job-new"
    (begun.parent / "link").symlink_to(begun)
    with monkeypatch.context() as idle:
        idle.setattr(registry, "claimed", None)
        for out in (begun, begun.parent / "link"):
            for flags in ({}, {"overwrite": True}):
                with pytest.raises(DatasetError, match=f"finalize .* --dry-run.* remove {job} "):
                    tc.convert(recordings, out, plan, workers=0, **flags)
    (begun.parent / "link").unlink()
    assert contents(begun.parent) == before
    tc.convert(recordings, begun, plan, shard=(2, 2), workers=0)
    assert tc.finalize(begun, workers=0).ok
    tc.convert(recordings, begun, plan, append=True, workers=0)  # the parts are in the dataset
    tc.convert(recordings, begun, plan, overwrite=True, workers=0)
    with pytest.raises(DatasetError, match=f"of another command than the parts in {job}. .* move the dataset away"):
        tc.finalize(begun, dry_run=True)
    shutil.rmtree(begun)
    assert tc.finalize(begun, workers=0).ok
    assert_equal(begun, whole)


def test_episodes_are_not_added_where_parts_of_them_were_begun(recordings, plan, tmp_path):
    out = tmp_path / "out"
    tc.convert(recordings / "run-05", out, plan, workers=0)
    tc.convert(recordings, out, plan, append=True, shard=(1, 2), workers=0)
    for flag in ("append", "overwrite"):
        with pytest.raises(DatasetError, match="a conversion in parts was begun here"):
            tc.convert(recordings, out, plan, workers=0, **{flag: True})
    assert [part.what for part in tc.finalize(out, dry_run=True).parts] == ["done", "missing"]
