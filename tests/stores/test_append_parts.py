"""Parts added to a dataset in a store: it is the old one or the new one, or it is not there, never a mixture."""

import json
import random
import subprocess
import sys

import pytest

import telecine as tc
from support.robosandbox import write_run
from support.shards import TASKS, assert_equal, contents, killed_until_done
from telecine.core.errors import DatasetError, StoreError
from telecine.storage.cloud import CloudStore
from telecine.storage.publish import CLAIM

INFO = "ds/meta/info.json"


class Killed(BaseException):
    """As a signal would: nothing is tidied up, nothing is tried again."""


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """(all recordings, plan, the dataset of the first two, the same with the others added by one run)."""
    folder = tmp_path_factory.mktemp("filmed")
    for number in range(5):
        episode = {"episode_id": f"id-{number}", "task": TASKS[number % 3]}
        write_run(folder / "recordings" / f"run-{number}", 10 + 3 * number, actions=True, episode=episode)
    first = [folder / "recordings" / f"run-{number}" for number in range(2)]
    plan = tc.inspect(first[1]).plan
    for name in ("old", "new"):
        tc.convert(first, folder / name, plan, workers=0)
    tc.convert(folder / "recordings", folder / "new", plan, append=True, workers=0)
    return folder / "recordings", plan, folder / "old", folder / "new"


def parts(filmed, out, of=2, **flags):
    for number in range(of, 0, -1):
        tc.convert(filmed[0], out, filmed[1], shard=(number, of), append=True, workers=0, **flags)


def test_they_make_the_dataset_of_one_run_and_read_no_video(filmed, bucket, proxy, scratch, tmp_path):
    _, _, old, new = filmed
    out = bucket.upload(old, "ds")
    proxy.reset()
    parts(filmed, out, 3)
    assert tc.verify(out) == []
    assert_equal(bucket.download("ds", tmp_path / "meanwhile"), old)
    proxy.seen.clear()
    made = tc.finalize(out, workers=0)
    assert (made.published, made.episodes, made.shards) == (True, 5, 3)
    assert not [path for method, path in proxy.seen if method == "GET" and path.split("?")[0].endswith(".mp4")]
    assert [path for method, path in proxy.seen if method == "PUT"][-1].endswith(INFO)
    there = bucket.download("ds", tmp_path / "down")
    assert_equal(there, new)
    assert tc.verify(there) == []
    assert not [key for key in bucket.listed("ds/") if CLAIM in key]
    for name, (before, _) in contents(old).items():
        if name.startswith(("data/", "videos/", "meta/episodes/")):
            assert (there / name).read_bytes() == before, name
    listed = {key: bucket.read(key) for key in bucket.listed()}
    assert tc.finalize(out, workers=0).ok
    parts(filmed, out, 3)
    assert {key: bucket.read(key) for key in bucket.listed()} == listed
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_a_second_conversion_is_added_as_the_first_was(filmed, bucket, proxy, tmp_path, monkeypatch):
    """To a dataset that parts made, of which the first job is still there; with its rows, where it needs them."""
    recordings, plan, _, new = filmed
    out = bucket.address("ds")
    first = [recordings / f"run-{number}" for number in range(2)]
    for number in (1, 2):
        tc.convert(first, out, plan, shard=(number, 2), workers=0)
    tc.finalize(out, workers=0)
    parts(filmed, out)
    there = set(bucket.listed("ds/data/"))
    monkeypatch.setattr("telecine.conversion.shards.finalize.has_relative_stats", lambda _: True)
    proxy.seen.clear()
    assert tc.finalize(out, workers=0).episodes == 5
    asked = {(method, path.split("?")[0].split("/", 2)[2]) for method, path in proxy.seen if path.count("/") > 1}
    assert {key for method, key in asked if method == "GET"} >= there
    assert not {key for method, key in asked if method == "PUT"} & there
    assert_equal(bucket.download("ds", tmp_path / "down"), new)


def copy_of(bucket, name, files):
    for key, content in files.items():
        bucket.put(f"{name}/{key}", content)
    return bucket.address(f"{name}/ds")


@pytest.mark.long
def test_finalize_that_is_killed_at_any_write_leaves_old_or_new_or_nothing(filmed, bucket, tmp_path, monkeypatch):
    _, _, old, new = filmed
    parts(filmed, bucket.upload(old, "ds"))
    files = {key: bucket.read(key) for key in bucket.listed()}
    seen = set()
    for stop in range(1, 100):
        out, count = copy_of(bucket, f"n{stop}", files), iter(range(stop))
        with monkeypatch.context() as here:
            for name in ("put", "put_if_absent", "put_file", "delete"):
                here.setattr(CloudStore, name, dying(getattr(CloudStore, name), count))
            try:
                tc.finalize(out, workers=0)
                break
            except Killed:
                pass
        what = "none"
        if f"n{stop}/{INFO}" in bucket.listed(f"n{stop}/"):
            there = bucket.download(f"n{stop}/ds", tmp_path / f"half-{stop}")
            what = "old" if json.loads((there / "meta/info.json").read_text())["total_episodes"] == 2 else "new"
            assert_equal(there, old if what == "old" else new)
        seen.add(what)
        assert tc.finalize(out, workers=0).published
        assert_equal(bucket.download(f"n{stop}/ds", tmp_path / f"whole-{stop}"), new)
        assert not [key for key in bucket.listed(f"n{stop}/ds") if CLAIM in key]
    assert seen == {"old", "none", "new"}
    assert stop > 15


def dying(call, count):
    """The method, which instead of its last call kills whoever calls it."""

    def one(store, *args, **kwargs):
        if next(count, None) is None:
            raise Killed
        return call(store, *args, **kwargs)

    return one


def test_of_two_that_finalize_at_once_both_end_well(filmed, bucket, monkeypatch, tmp_path):
    out, delete, made = bucket.upload(filmed[2], "ds"), CloudStore.delete, []
    parts(filmed, out)

    def and_another(store, key):
        if key == "meta/info.json" and not made:
            made.append(None)
            made[0] = tc.finalize(out, workers=0)
        delete(store, key)

    monkeypatch.setattr(CloudStore, "delete", and_another)
    last = tc.finalize(out, workers=0)
    assert (made[0].published, last.published) == (True, True)
    assert_equal(bucket.download("ds", tmp_path / "down"), filmed[3])
    assert f"ds/{CLAIM}" not in bucket.listed()


def test_a_dataset_that_changes_meanwhile_is_left_alone(filmed, bucket):
    out = bucket.upload(filmed[2], "ds")
    parts(filmed, out)
    info = bucket.read(INFO)
    bucket.put(INFO, info + b"\n")
    listed = bucket.listed("ds/")
    with pytest.raises(DatasetError, match="into which no conversion in parts was begun"):
        tc.finalize(out, workers=0)
    assert bucket.listed("ds/") == listed
    bucket.put(INFO, info)
    bucket.put("ds/data/chunk-001/file-777.parquet", b"stray")
    with pytest.raises(DatasetError, match="file-777"):
        tc.finalize(out, workers=0)
    assert bucket.read(INFO) == info


def test_a_dataset_with_a_missing_file_is_not_added_to(filmed, bucket):
    out = bucket.upload(filmed[2], "ds")
    video = next(key for key in bucket.listed("ds/") if key.endswith(".mp4"))
    bucket.delete(video)
    with pytest.raises(DatasetError, match=rf"not a sound dataset.*{video.removeprefix('ds/')}: the file is missing"):
        parts(filmed, out)


@pytest.mark.parametrize("how", ["error", "lost", "cut"])
def test_a_store_that_fails_every_tenth_call_costs_nothing(filmed, bucket, proxy, tmp_path, how):
    out = bucket.upload(filmed[2], "ds")
    proxy.reset(every=10, how=how)
    parts(filmed, out)
    assert tc.finalize(out, workers=0).published
    assert proxy.failed > 5
    proxy.reset()
    assert_equal(bucket.download("ds", tmp_path / "down"), filmed[3])


def test_a_store_that_stops_in_the_middle_is_gone_on_with(filmed, bucket, proxy, tmp_path):
    out, refused = bucket.upload(filmed[2], "ds"), proxy.next_fails
    parts(filmed, out)
    proxy.reset(every=1, how="error")
    proxy.next_fails = lambda method, path: method == "PUT" and "/ds/meta/stats.json" in path and refused(method, path)
    try:
        with pytest.raises(StoreError, match="failed 5 times"):
            tc.finalize(out, workers=0)
    finally:
        del proxy.next_fails
    proxy.reset()
    assert INFO not in bucket.listed()
    for flag in ("append", "overwrite"):
        with pytest.raises(DatasetError, match=rf"by telecine finalize .* is not finished.*`telecine finalize {out}`"):
            tc.convert(filmed[0], out, filmed[1], workers=0, **{flag: True})
    assert tc.finalize(out, workers=0).published
    assert_equal(bucket.download("ds", tmp_path / "down"), filmed[3])


@pytest.mark.long
def test_commands_that_are_killed_at_any_instant_lose_nothing(filmed, bucket, tmp_path):
    recordings, plan, old, new = filmed
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    out, chance = bucket.upload(old, "ds"), random.Random(22)
    words = ["convert", recordings, out, "--plan", tmp_path / "plan.yaml", "--append", "--shard"]
    kills = killed_until_done([[*words, f"{number}/2"] for number in (1, 2)], chance)
    kills += killed_until_done([["finalize", out]], chance)
    assert kills
    assert_equal(bucket.download("ds", tmp_path / "down"), new)


@pytest.mark.long
@pytest.mark.usefixtures("ray")
def test_a_cluster_adds_all_parts_to_a_dataset_in_a_store(filmed, bucket, tmp_path):
    recordings, plan, old, new = filmed
    out = bucket.upload(old, "ds")
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    words = [
        "convert",
        recordings,
        out,
        "--plan",
        tmp_path / "plan.yaml",
        "--append",
        "--engine",
        "ray",
        "--shards",
        "2",
    ]
    command = [sys.executable, "-m", "telecine", *map(str, words), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    made = json.loads(ended.stdout)
    assert (made["published"], made["episodes"], made["counts"]["done"]) == (True, 5, 2), made
    assert_equal(bucket.download("ds", tmp_path / "down"), new)
    again = subprocess.run(command, capture_output=True, text=True)
    assert (again.returncode, json.loads(again.stdout)["published"]) == (0, True), again.stderr
