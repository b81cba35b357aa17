"""A conversion in parts with nothing but a store between its machines makes the dataset of one run."""

import json
import random
import threading

import pytest

import telecine as tc
from support.cli import telecine
from support.cluster import OneNode, Watch
from support.robosandbox import write_run
from support.shards import TASKS, assert_equal, killed_until_done, write_runs
from telecine.commands.stores import copies_gone
from telecine.conversion.pipeline import Options
from telecine.conversion.shards import deliver
from telecine.conversion.shards.engine import OnCluster, convert_on
from telecine.core.errors import DatasetError, PlanError, StoreError
from telecine.run.executor import serial
from telecine.storage.cloud import CloudStore
from telecine.storage.publish import CLAIM

JOB = ".ds.telecine/job-new"


def with_cameras(folder):
    """Runs with video, of several lengths and tasks, of which one is rejected."""
    for number in range(5):
        episode = {"episode_id": f"id-{number}", "task": TASKS[number % 3]}
        write_run(folder / f"run-{number}", 10 + 3 * number, actions=True, episode=episode)
    write_run(folder / "run-5", 0)
    return folder


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """(recordings, plan, the dataset of one run)."""
    folder = tmp_path_factory.mktemp("filmed")
    recordings = with_cameras(folder / "recordings")
    plan = tc.inspect(recordings / "run-1").plan
    tc.convert(recordings, folder / "whole", plan, workers=0)
    return recordings, plan, folder / "whole"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same without cameras."""
    folder = tmp_path_factory.mktemp("runs")
    recordings = write_runs(folder / "recordings", 8)
    plan = tc.inspect(recordings / "run-05").plan
    tc.convert(recordings, folder / "whole", plan, workers=0)
    return recordings, plan, folder / "whole"


def make_all(recordings, out, plan, of, order=None):
    for number in order or range(1, of + 1):
        tc.convert(recordings, out, plan, shard=(number, of), workers=0)
    return tc.finalize(out, workers=0)


def state(bucket):
    """Key -> (tag, time of writing) of everything."""
    pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return {e["Key"]: (e["ETag"], e["LastModified"]) for page in pages for e in page.get("Contents", ())}


def written(proxy):
    """Keys that were put, as often as they were, without the bucket."""
    return [
        path.split("?")[0].split("/", 2)[2] for method, path in proxy.seen if method == "PUT" and path.count("/") > 1
    ]


@pytest.mark.parametrize("of", [1, 4])
def test_parts_in_a_bucket_are_the_dataset_of_one_run_and_no_video_moves_twice(
    filmed, bucket, proxy, scratch, tmp_path, of
):
    recordings, plan, whole = filmed
    order = random.Random(of).sample(range(1, of + 1), of)
    made = make_all(recordings, bucket.address("ds"), plan, of, order)
    assert (made.ok, made.published, made.episodes, len(made.rejected)) == (True, True, 5, 1)
    assert made.root == bucket.address("ds")
    there = bucket.download("ds", tmp_path / "down")
    assert_equal(there, whole)
    assert tc.diff(there, whole).equal
    assert tc.verify(there) == []
    videos = [key for key in written(proxy) if key.endswith(".mp4")]
    assert len(videos) == len(set(videos)) == len([k for k in bucket.listed() if k.endswith(".mp4")])
    assert all(key.startswith("ds/videos/") for key in videos)
    assert not [path for method, path in proxy.seen if method == "GET" and path.split("?")[0].endswith(".mp4")]
    assert written(proxy)[-1] == "ds/meta/info.json"
    assert not scratch.exists() or list(scratch.iterdir()) == []
    assert not [path for path in there.rglob("*") if path.is_file() and str(scratch).encode() in path.read_bytes()]


def test_recordings_in_the_bucket_too(runs, bucket, tmp_path):
    recordings, plan, whole = runs
    raw = bucket.upload(recordings, "raw")
    made = make_all(raw, bucket.address("ds"), plan, 3, [3, 1, 2])
    assert (made.ok, made.episodes) == (True, 5)
    assert_equal(bucket.download("ds", tmp_path / "down"), whole)


def test_a_second_time_changes_no_byte(runs, bucket):
    recordings, plan, _ = runs
    out = bucket.address("ds")
    tc.convert(recordings, out, plan, shard=(1, 2), workers=0)
    before = state(bucket)
    again = tc.convert(recordings, out, plan, shard=(1, 2), workers=0)
    assert ([f.code for f in again.findings], state(bucket)) == (["convert-shard"], before)
    make_all(recordings, out, plan, 2)
    bucket.put(f"ds/{CLAIM}", json.dumps({"id": json.loads(bucket.read("ds/meta/telecine/job.json"))["id"]}).encode())
    before = state(bucket)
    code, text, _ = telecine("finalize", out, "--json")
    assert (code, json.loads(text)["published"], json.loads(text)["counts"]["done"]) == (0, True, 2)
    after = state(bucket)
    assert before.pop(f"ds/{CLAIM}")  # of one that was killed when the dataset was there already
    assert after == before
    assert tc.convert(recordings, out, plan, shard=(1, 2), workers=0).ok
    assert state(bucket) == before


def test_parts_have_the_same_bytes_wherever_they_are_made(filmed, bucket, tmp_path):
    recordings, plan, _ = filmed
    made = []
    for name in ("a", "b"):
        tc.convert(recordings, bucket.address(name), plan, shard=(2, 3), workers=0)
        keys = [key for key in bucket.listed(f".{name}.telecine") if "shard-002" in key] + bucket.listed(f"{name}/")
        made.append({key.replace(f"{name}", "ds", 1): bucket.read(key) for key in keys})
    assert made[0] == made[1]
    tc.convert(recordings, tmp_path / "here", plan, shard=(2, 3), workers=0)
    here = tmp_path / ".here.telecine" / "job-new" / "shard-002"
    ours = {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    there = {key.partition("shard-002/")[2]: data for key, data in made[0].items() if "shard-002/" in key}
    assert {name: data for name, data in ours.items() if not name.startswith("videos/")} == there


def test_what_is_missing_incomplete_or_foreign_is_named_with_its_command(runs, bucket, tmp_path):
    recordings, plan, whole = runs
    out = bucket.address("ds")
    tc.convert(recordings, out, plan, shard=(2, 2), workers=0)
    code, text, _ = telecine("finalize", out)
    assert (code, "missing 1/2" in text, f"convert {recordings} {out} --shard 1/2" in text) == (1, True, True)
    rows = next(key for key in bucket.listed(JOB) if "shard-002/data" in key)
    there, manifest = bucket.read(rows), bucket.read(f"{JOB}/shard-002.json")
    bucket.put(rows, there[:-100])
    part = tc.finalize(out, workers=0).parts[1]
    assert (part.what, f"has {len(there) - 100} bytes" in part.why) == ("incomplete", True)
    bucket.delete(rows)
    assert "is missing" in tc.finalize(out, workers=0).parts[1].why
    bucket.put(rows, there)
    bucket.put(f"{JOB}/shard-002.json", manifest.replace(b'"2/2"', b'"1/2"', 1))
    assert tc.finalize(out, workers=0).parts[1].what == "foreign"
    assert bucket.listed("ds/") == []
    code, _, error = telecine(*tc.finalize(out, dry_run=True).parts[0].command.split()[1:], "--workers", "0")
    assert code in (0, 1), error
    tc.convert(recordings, out, plan, shard=(2, 2), workers=0)
    assert bucket.read(f"{JOB}/shard-002.json") == manifest
    bucket.put(rows, bytes([there[0], *(byte ^ 1 for byte in there[1:9]), *there[9:]]))
    with pytest.raises(DatasetError, match=r"shard-002/data.*SHA-256.*--shard 2/2"):
        tc.finalize(out, workers=0)
    assert "ds/meta/info.json" not in bucket.listed()
    bucket.put(rows, there)
    assert tc.finalize(out, workers=0).published
    assert_equal(bucket.download("ds", tmp_path / "down"), whole)


def test_strays_are_named_and_in_no_dataset(runs, bucket, tmp_path):
    recordings, plan, whole = runs
    out = bucket.address("ds")
    for number in (1, 2):
        tc.convert(recordings, out, plan, shard=(number, 2), workers=0)
    bucket.put("ds/data/chunk-000/file-777.parquet", b"stray")
    with pytest.raises(DatasetError, match=r"data/chunk-000/file-777.parquet"):
        tc.finalize(out, workers=0)
    assert "ds/meta/info.json" not in bucket.listed()
    bucket.delete("ds/data/chunk-000/file-777.parquet")
    assert tc.finalize(out, workers=0).published
    assert_equal(bucket.download("ds", tmp_path / "down"), whole)


def test_what_is_there_stays(runs, bucket):
    recordings, plan, _ = runs
    bucket.put("ds/notes.txt")
    with pytest.raises(DatasetError, match="exists and is not empty"):
        tc.convert(recordings, bucket.address("ds"), plan, shard=(1, 2), workers=0)
    assert bucket.listed() == ["ds/notes.txt"]
    bucket.delete("ds/notes.txt")
    tc.convert(recordings, bucket.address("ds"), plan, shard=(1, 2), workers=0)
    with pytest.raises(PlanError, match="a conversion into it was begun, and it has 2 parts, not 3"):
        tc.convert(recordings, bucket.address("ds"), plan, shard=(1, 3), workers=0)
    tc.convert(recordings, bucket.address("other"), plan, workers=0)
    with pytest.raises(DatasetError, match="exists, and another command made it"):
        tc.convert(recordings, bucket.address("other"), plan, shard=(1, 2), workers=0)
    with pytest.raises(DatasetError, match="no conversion in parts was begun"):
        tc.finalize(bucket.address("nothing"), workers=0)


def test_addresses_where_parts_cannot_be_say_what_to_do(runs):
    recordings, plan, _ = runs
    with pytest.raises(PlanError, match="name a folder in it, such as s3://bucket/picks"):
        tc.convert(recordings, "s3://bucket", plan, shard=(1, 2))
    with pytest.raises(PlanError, match="telecine push"):
        tc.finalize("hf://datasets/me/picks")


@pytest.mark.parametrize("how", ["error", "lost", "cut"])
def test_a_store_that_fails_every_tenth_call_costs_nothing(filmed, bucket, proxy, tmp_path, how):
    recordings, plan, whole = filmed
    proxy.reset(every=10, how=how)
    made = make_all(recordings, bucket.address("ds"), plan, 3)
    assert (proxy.failed > 5, made.published) == (True, True)
    proxy.reset()
    there = bucket.download("ds", tmp_path / "down")
    assert_equal(there, whole)
    assert tc.verify(there) == []


def test_a_part_that_could_not_be_uploaded_is_not_made_again(filmed, bucket, proxy, scratch, tmp_path, monkeypatch):
    recordings, plan, whole = filmed
    out, refused = bucket.address("ds"), proxy.next_fails
    proxy.reset(every=1, how="error")
    proxy.next_fails = lambda method, path: ".mp4" in path and refused(method, path)
    try:
        with pytest.raises(StoreError, match="failed 5 times"):
            tc.convert(recordings, out, plan, shard=(1, 2), workers=0)
    finally:
        del proxy.next_fails
    proxy.reset()
    failed = tc.finalize(out, dry_run=True).parts[0]
    assert (failed.what, "failed 5 times" in failed.why) == ("failed", True)
    with monkeypatch.context() as here:
        here.setattr("telecine.conversion.shards.part.convert_part", None)  # nobody asks for it
        report = tc.convert(recordings, out, plan, shard=(1, 2), workers=0)
    assert "was made before" in report.findings[0].message
    assert not scratch.exists() or list(scratch.iterdir()) == []
    tc.convert(recordings, out, plan, shard=(2, 2), workers=0)
    assert tc.finalize(out, workers=0).published
    assert_equal(bucket.download("ds", tmp_path / "down"), whole)


def test_two_machines_for_one_part_at_once_make_it_once(filmed, bucket, monkeypatch, tmp_path):
    """Each has a scratch folder of its own; the second begins and ends while the first one uploads."""
    recordings, plan, whole = filmed
    out, put, met = bucket.address("ds"), CloudStore.put_file, threading.Lock()

    def and_another(store, key, path):
        if key.endswith(".mp4") and met.acquire(blocking=False):
            with monkeypatch.context() as there:
                there.setenv("TELECINE_SCRATCH", str(tmp_path / "other"))
                assert tc.convert(recordings, out, plan, shard=(1, 2), workers=0).episodes
        put(store, key, path)

    with monkeypatch.context() as both:
        both.setattr(CloudStore, "put_file", and_another)
        both.setattr(deliver, "_AT_ONCE", 1)
        assert tc.convert(recordings, out, plan, shard=(1, 2), workers=0).episodes
    assert met.locked()
    assert make_all(recordings, out, plan, 2).published
    assert_equal(bucket.download("ds", tmp_path / "down"), whole)


def test_a_part_with_other_bytes_than_another_machine_made_is_refused(filmed, bucket, monkeypatch):
    recordings, plan, _ = filmed
    put = deliver.put_manifest

    def after_another(store, manifest, name):
        store.put(f"{name}.json", b'{"of": "another encoder"}')
        return put(store, manifest, name)

    monkeypatch.setattr(deliver, "put_manifest", after_another)
    with pytest.raises(DatasetError, match="finished by another process meanwhile, with other bytes"):
        tc.convert(recordings, bucket.address("ds"), plan, shard=(1, 2), workers=0)


def test_of_two_that_finalize_at_once_both_end_well(runs, bucket, monkeypatch, tmp_path):
    recordings, plan, whole = runs
    out, put, made = bucket.address("ds"), CloudStore.put_file, []
    for number in (1, 2):
        tc.convert(recordings, out, plan, shard=(number, 2), workers=0)

    def and_another(store, key, path):
        put(store, key, path)
        if not made:
            made.append(None)
            made[0] = tc.finalize(out, workers=0)

    monkeypatch.setattr(CloudStore, "put_file", and_another)
    last = tc.finalize(out, workers=0)
    assert (made[0].published, last.published, last.ok) == (True, True, True)
    assert_equal(bucket.download("ds", tmp_path / "down"), whole)
    assert f"ds/{CLAIM}" not in bucket.listed()


def test_a_cluster_makes_all_parts_and_their_logs_are_in_the_store(runs, bucket, scratch, tmp_path):
    recordings, plan, whole = runs
    raw, out = bucket.upload(recordings, "raw"), bucket.address("ds")
    asked = OnCluster([raw], out, plan, Options(), ("--workers", "0"), 2)
    cluster, watch = OneNode(lost={"2/2"}), Watch()
    made = convert_on(asked, cluster, executor=serial, watcher=watch)
    assert (made.published, [part.what for part in made.parts]) == (False, ["done", "missing"])
    lost = next(f for f in made.findings if f.code == "engine-part")
    assert lost.fix == f"see s3://{bucket.name}/{JOB}/logs/shard-002.log"
    with copies_gone():
        made = convert_on(asked, cluster, executor=serial, watcher=watch)
    assert (made.published, made.episodes, cluster.ran) == (True, 5, ["1/2", "2/2"])
    assert_equal(bucket.download("ds", tmp_path / "down"), whole)
    log = bucket.read(f"{JOB}/logs/shard-001.log").decode()
    assert f"on here: telecine convert {raw} {out}" in log
    assert "--- exit code" in log
    assert not scratch.exists() or list(scratch.iterdir()) == []
    made = convert_on(asked, cluster, executor=serial, watcher=watch)
    assert (made.ok, len(cluster.ran)) == (True, 2)


def test_an_upload_of_somebody_else_is_waited_for(runs, bucket):
    recordings, plan, _ = runs
    for number in (1, 2):
        tc.convert(recordings, bucket.address("ds"), plan, shard=(number, 2), workers=0)
    bucket.put(f"ds/{CLAIM}", b'{"id": "x", "by": "process 7 on m"}')
    with pytest.raises(DatasetError, match="an upload by process 7 on m is not finished; wait for it, or remove"):
        tc.finalize(bucket.address("ds"), workers=0)


@pytest.mark.long
@pytest.mark.parametrize("of", [2, 5])
def test_commands_that_are_killed_at_any_instant_lose_nothing(of, filmed, bucket, tmp_path):
    """Parts first, then the join."""
    recordings, plan, whole = filmed
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    out, chance = bucket.address("ds"), random.Random(of)
    parts = [
        ["convert", recordings, out, "--plan", tmp_path / "plan.yaml", "--shard", f"{n}/{of}"] for n in range(1, of + 1)
    ]
    kills = killed_until_done(parts, chance)
    kills += killed_until_done([["finalize", out]], chance)
    assert kills
    there = bucket.download("ds", tmp_path / "down")
    assert_equal(there, whole)
    assert tc.verify(there) == []
