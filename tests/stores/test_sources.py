"""Recordings in a bucket give the dataset that local ones give, and leave nothing behind here."""

from pathlib import Path

import pytest

import telecine as tc
from support.cli import telecine
from support.robosandbox import write_run
from support.shards import assert_equal, rows_of, write_runs
from telecine.core.errors import SourceError
from telecine.dataset.reader import Dataset
from telecine.storage.local import LocalStore


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run folders, and their plan."""
    folder = write_runs(tmp_path_factory.mktemp("runs") / "recordings", count=7)
    return folder, tc.inspect(str(folder / "run-05")).plan


def left_in(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


@pytest.mark.parametrize("workers", [0, 2])
def test_folders_of_a_bucket_give_the_same_dataset(runs, bucket, scratch, tmp_path, workers):
    folder, plan = runs
    address = bucket.upload(folder, "raw/monday")
    local = tc.convert(folder, tmp_path / "local", plan, workers=0)
    there = tc.convert(address, tmp_path / "there", plan, workers=workers)
    assert [len(there.episodes), len(there.rejected)] == [len(local.episodes), len(local.rejected)] == [4, 3]
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "local")
    facts, known = Dataset(tmp_path / "there").provenance, Dataset(tmp_path / "local").provenance
    assert [row["source_sha256"] for row in facts] == [row["source_sha256"] for row in known]
    assert [row["source"].replace(address, str(folder)) for row in facts] == [row["source"] for row in known]
    assert left_in(scratch) == []
    assert str(scratch) not in str(there.to_dict())


def test_inspect_proposes_the_same_plan_and_names_addresses(runs, bucket, scratch):
    folder, _ = runs
    address = bucket.upload(folder, "raw")
    seen, known = tc.inspect(address), tc.inspect(str(folder))
    assert seen.plan == known.plan
    assert [r.label for r in seen.recordings] == [r.label.replace(str(folder), address) for r in known.recordings]
    assert str(scratch) not in str(seen.to_dict())
    assert left_in(scratch) == []


def test_one_file_a_glob_and_a_path_object_are_found(runs, bucket, tmp_path):
    folder, plan = runs
    bucket.upload(folder, "raw")
    for given in ("raw/run-05", "raw/run-0[56]", "raw/run-05/events.jsonl"):
        count = 2 if "[" in given else 1
        assert len(tc.inspect(bucket.address(given)).recordings) == count
    assert tc.convert(Path(bucket.address("raw/run-05")), tmp_path / "out", plan, workers=0).rows > 0


def test_a_damaged_recording_costs_no_other_and_is_named_by_its_address(runs, bucket, scratch, tmp_path):
    _folder, plan = runs
    write_run(tmp_path / "in" / "good", 10, pictures=0)
    write_run(tmp_path / "in" / "bad", 10, pictures=0)
    (tmp_path / "in" / "bad" / "events.jsonl").write_bytes(b'{"robot_joints": [1, 2\n{"robot_joints"')
    address = bucket.upload(tmp_path / "in", "raw")
    report = tc.convert(address, tmp_path / "out", plan, workers=0)
    assert [len(report.episodes), len(report.rejected)] == [1, 1]
    assert f"{address}/bad" in str(report.rejected[0])
    assert str(scratch) not in str(report.to_dict())


def test_recordings_are_compared_and_added_by_address(runs, bucket, tmp_path):
    folder, plan = runs
    address = bucket.upload(folder, "raw")
    tc.convert(f"{address}/run-05", tmp_path / "out", plan, workers=0)
    assert tc.verify(tmp_path / "out", against=f"{address}/run-05") == []
    report = tc.convert(address, tmp_path / "out", plan, workers=0, append=True)
    assert [len(report.episodes), Dataset(tmp_path / "out").info["total_episodes"]] == [3, 4]
    assert_equal(tmp_path / "out", tmp_path / "out")


def test_what_is_not_there_is_named(bucket):
    with pytest.raises(SourceError, match=f"s3://{bucket.name}/nothing: nothing is there"):
        tc.inspect(bucket.address("nothing"))
    bucket.put("notes/readme.txt")
    with pytest.raises(SourceError, match=f"s3://{bucket.name}/notes: no recording found"):
        tc.inspect(bucket.address("notes"))


def test_a_key_that_leads_elsewhere_is_refused(runs, bucket, tmp_path):
    bucket.put("raw/../../../evil.mcap")
    code, _, error = telecine("inspect", bucket.address("raw"))
    assert code == 1
    assert not list(tmp_path.rglob("evil.mcap"))
    assert "evil" in error or "nothing is there" in error


def test_several_use_one_copy_at_once(tmp_path, scratch):
    """Workers that read the episodes of one file, or a command that a command has started."""
    from telecine.storage.scratch import clear, copied

    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("content")
    store = LocalStore(tmp_path / "there")
    used = [copied(store, list(store.list())) for _ in range(2)]
    assert [(copy.folder / "file").read_text() for copy in used] == ["content", "content"]
    used[0].close()
    clear()
    assert (used[1].folder / "file").exists()
    used[1].close()
    clear()
    assert left_in(scratch) == []


def test_copies_stay_within_the_bound(runs, bucket, scratch, tmp_path, monkeypatch):
    """No more than the bound, or one recording where that is larger; measured whenever one was made."""
    folder, plan = runs
    address = bucket.upload(folder, "raw")
    sizes = [sum(f.stat().st_size for f in run.rglob("*") if f.is_file()) for run in folder.iterdir()]
    from telecine.storage import scratch as copies

    peaks = []
    made = copies.copied
    monkeypatch.setattr(
        "telecine.sources.stored.copies.copied", lambda *a: (made(*a), peaks.append(copies.copies_bytes()))[0]
    )
    for bound in (1, 2 * max(sizes)):
        monkeypatch.setenv("TELECINE_SCRATCH_MAX", str(bound))
        assert tc.convert(address, tmp_path / f"out-{bound}", plan, workers=0).rows > 0
        assert 0 < max(peaks) <= max(bound, max(sizes))
        peaks.clear()


def test_a_full_disk_is_told_before_anything_is_copied(runs, bucket, scratch, monkeypatch):
    folder, _ = runs
    address = bucket.upload(folder / "run-05", "raw/run-05")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    code, out, _ = telecine("inspect", address, "--json")
    assert code == 1
    assert "no space left: a local copy of" in out
    assert "TELECINE_SCRATCH" in out


@pytest.mark.parametrize("how", ["error", "cut"])
def test_a_store_that_fails_every_tenth_call_costs_nothing(runs, bucket, proxy, tmp_path, how):
    folder, plan = runs
    address = bucket.upload(folder, "raw")
    tc.convert(folder, tmp_path / "local", plan, workers=0)
    proxy.reset(every=10, how=how)
    report = tc.convert(address, tmp_path / "there", plan, workers=0)
    assert len(report.episodes) == 4
    assert proxy.failed > 3
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "local")
