"""What happens to parts on the way: killed at any instant, made twice at once, strays, a disk that has to hold them."""

import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import telecine as tc
from support.robosandbox import write_run
from support.shards import assert_equal, contents, convert_all, write_runs
from telecine.dataset.staging import workspace
from telecine.dataset.writer import DatasetWriter


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("runs") / "recordings", 8)


def started(recordings, out, plan_file, shard):
    words = ["convert", recordings, out, "--plan", plan_file, "--shard", shard, "--workers", "0", "--quiet"]
    command = [sys.executable, "-m", "telecine", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def killed_until_done(recordings, out, plan_file, of, chance):
    """Make all parts in any order by processes of which one after the other is killed, ever later; how many were."""
    kills, patience_s = 0, 0.5
    waiting = [f"{number}/{of}" for number in range(1, of + 1)]
    while waiting:
        shard = chance.choice(waiting)
        process = started(recordings, out, plan_file, shard)
        try:
            _, error = process.communicate(timeout=chance.uniform(0.1, 1.0) * patience_s)
            assert process.returncode in (0, 1), error
            waiting.remove(shard)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills, patience_s = kills + 1, patience_s * (1.5 if of == 2 else 1.15)
    return kills


@pytest.mark.parametrize("of", [2, pytest.param(5, marks=pytest.mark.long)])
def test_processes_that_are_killed_at_any_instant_lose_nothing(of, recordings, plan_file, whole, tmp_path):
    kills = killed_until_done(recordings, tmp_path / "out", plan_file, of, random.Random(of))
    assert kills
    assert tc.finalize(tmp_path / "out", workers=0).published
    assert_equal(tmp_path / "out", whole)
    assert tc.verify(tmp_path / "out") == []


def test_two_processes_for_one_part_at_once_make_it_once(recordings, plan_file, whole, tmp_path):
    """Both settle the job as well, since nobody did before; who comes second finds the part locked, or done."""
    both = [started(recordings, tmp_path / "out", plan_file, "1/2") for _ in range(2)]
    errors = [process.communicate()[1] for process in both]
    for process, error in zip(both, errors, strict=True):
        assert process.returncode in (0, 1), error
        assert not error or "locked" in error
    made = tc.finalize(tmp_path / "out", dry_run=True)
    assert [part.what for part in made.parts] == ["done", "missing"]
    tc.convert(recordings, tmp_path / "out", plan_file, shard="2/2", workers=0)
    assert tc.finalize(tmp_path / "out", workers=0).published
    assert_equal(tmp_path / "out", whole)


def test_a_conversion_that_ends_leaves_the_next_ones_scratch_folder_alone(recordings, plan_file, tmp_path, monkeypatch):
    """Who comes second for one part begins as soon as the first has let go of the lock."""
    commit, others = DatasetWriter.commit, []

    def commit_and_be_followed(writer, **kept):
        root = commit(writer, **kept)
        others.append(DatasetWriter.create(root, fps=writer.fps, robot_type=None, overwrite=True))
        return root

    monkeypatch.setattr(DatasetWriter, "commit", commit_and_be_followed)
    tc.convert(recordings, tmp_path / "out", plan_file, workers=0)
    (other,) = others
    with other:
        assert other.scratch.is_dir()


def test_strays_and_half_a_part_are_in_no_dataset(recordings, plan_file, whole, tmp_path):
    """LeRobot reads every Parquet file below data/, so nothing but what manifests name may come there."""
    out = tmp_path / "out"
    tc.convert(recordings, out, plan_file, shard="1/2", workers=0)
    job = workspace(out) / "job-new"
    rows = next((job / "shard-001" / "data").rglob("*.parquet"))
    strays = [rows.with_name("file-777.parquet"), job / "shard-002" / "data" / "chunk-000" / "file-000.parquet"]
    strays += [job / "shard-002.json.part", job / ".new-half", job / "shard-009.json"]
    for stray in strays:
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(rows.read_bytes()[:-50])
    assert [part.what for part in tc.finalize(out, dry_run=True).parts] == ["done", "missing"]
    tc.convert(recordings, out, plan_file, shard="2/2", workers=0)
    assert tc.finalize(out, workers=0).published
    assert not [path for path in out.rglob("*") if "777" in path.name]
    assert_equal(out, whole)
    before = contents(out)
    assert tc.finalize(out, workers=0).ok
    assert contents(out) == before


def test_a_part_needs_a_tenth_more_disk_than_it_holds(tmp_path):
    for number in range(30):
        write_run(tmp_path / "in" / f"run-{number:02d}", 40, actions=True)
    plan = tc.inspect(tmp_path / "in" / "run-00").plan
    out, most, ended = tmp_path / "out", [], threading.Event()

    def watch():
        while not ended.is_set():
            with suppress(FileNotFoundError):  # a folder went while it was looked into
                most.append(used_bytes(workspace(out)))
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        tc.convert(tmp_path / "in", out, plan, shard="1/1", workers=0)
    finally:
        ended.set()
        watcher.join()
    part = used_bytes(workspace(out) / "job-new" / "shard-001")
    assert len(most) > 30
    assert max(most) <= 1.1 * part
    linked = convert_all(tmp_path / "in", out, plan, 1)[1]
    assert linked.episodes == 30


def used_bytes(folder):
    """Of all files, each once however many names it has; those that go meanwhile are none."""
    found = {}
    for path in Path(folder).rglob("*"):
        try:
            entry = path.lstat()
        except OSError:
            continue
        if path.is_file():
            found[entry.st_ino] = entry.st_size
    return sum(found.values())
