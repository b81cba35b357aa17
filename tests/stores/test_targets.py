"""A dataset in a bucket looks whole only when it is."""

import json
import subprocess
import sys

import pytest

import telecine as tc
from support.cli import telecine
from support.robosandbox import write_run
from support.shards import rows_of, write_runs
from telecine.core.errors import DatasetError, StoreError, TelecineError
from telecine.dataset.reader import Dataset
from telecine.storage.publish import CLAIM

INFO = "ds/meta/info.json"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = write_runs(tmp_path_factory.mktemp("runs") / "recordings", count=7)
    return folder, tc.inspect(str(folder / "run-05")).plan


@pytest.fixture
def converted(runs, bucket, tmp_path):
    """A dataset in the bucket, and the same one in a folder."""
    folder, plan = runs
    tc.convert(folder, tmp_path / "local", plan, workers=0)
    report = tc.convert(folder, bucket.address("ds"), plan, workers=0)
    assert (report.root, len(report.episodes)) == (bucket.address("ds"), 4)
    return bucket.address("ds"), tmp_path / "local"


def keys_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def same_file(one, other, name, other_name):
    """The same bytes, but for the dataset's own name."""
    return one.read_bytes().replace(name.encode(), other_name.encode()) == other.read_bytes()


def test_a_dataset_in_a_bucket_is_that_of_a_folder(converted, bucket, scratch, tmp_path):
    address, local = converted
    assert bucket.listed() == [f"ds/{key}" for key in keys_of(local)]
    there = bucket.download("ds", tmp_path / "down")
    assert rows_of(there) == rows_of(local)
    assert tc.verify(there) == []
    assert [key for key in keys_of(local) if not same_file(local / key, there / key, str(local), address)] == []
    assert not [key for key in keys_of(there) if str(scratch).encode() in (there / key).read_bytes()]
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_info_is_put_last(runs, bucket, proxy):
    folder, plan = runs
    tc.convert(folder, bucket.address("ds"), plan, workers=0)
    written = [path for method, path in proxy.seen if method == "PUT" and CLAIM not in path]
    assert written[-1].split("?")[0] == f"/{bucket.name}/{INFO}"
    assert sum(INFO in path for path in written) == 1


def test_commands_work_on_it(converted, bucket, tmp_path):
    address, local = converted
    assert tc.verify(address) == []
    seen = tc.inspect(address)
    assert (seen.root, seen.frames) == (address, Dataset(local).frames)
    opened = tc.open_dataset(address)
    assert (len(opened), opened[0].rows["action"].tolist()) == (4, tc.open_dataset(local)[0].rows["action"].tolist())
    assert tc.diff(address, local).equal
    made = tc.edit(address, bucket.address("edited"), delete="1")
    assert (made.root, made.inputs, made.episodes) == (bucket.address("edited"), (address,), 3)
    merged = tc.merge([address, bucket.address("edited")], bucket.address("merged"))
    assert (merged.root, merged.episodes) == (bucket.address("merged"), 7)
    assert tc.verify(bucket.address("merged")) == []
    there = tc.edit(address, tmp_path / "here", keep="0")
    assert (there.root, Dataset(tmp_path / "here").info["total_episodes"]) == (str(tmp_path / "here"), 1)
    assert tc.repair(address).ok


def test_the_command_line_names_addresses(converted, bucket):
    address, _ = converted
    for command in (("inspect", address), ("verify", address), ("edit", address, bucket.address("e"), "--delete", "0")):
        code, out, error = telecine(*command)
        assert code == 0, error
        assert address in out
        assert "s3:/b" not in out
    code, out, _ = telecine("merge", address, bucket.address("e"), bucket.address("m"), "--json")
    assert (code, json.loads(out)["root"]) == (0, bucket.address("m"))
    assert telecine("diff", address, bucket.address("m"))[0] == 1


def test_a_dataset_that_is_there_is_replaced_only_when_asked(converted, runs, bucket, tmp_path):
    address, _local = converted
    folder, plan = runs
    with pytest.raises(DatasetError, match=f"^{address}: exists and is not empty.*--overwrite"):
        tc.convert(folder / "run-05", address, plan, workers=0)
    report = tc.convert(folder / "run-05", address, plan, workers=0, overwrite=True)
    assert len(report.episodes) == 1
    there = bucket.download("ds", tmp_path / "down")
    assert Dataset(there).info["total_episodes"] == 1
    assert tc.verify(there) == []
    assert bucket.listed() == [f"ds/{key}" for key in keys_of(there)]
    assert not [key for key in bucket.listed() if CLAIM in key]
    bucket.put("other/notes.txt")
    with pytest.raises(DatasetError, match="holds no dataset"):
        tc.convert(folder / "run-05", bucket.address("other"), plan, workers=0, overwrite=True)


def test_episodes_are_added_and_edits_made_in_place(converted, runs, bucket, tmp_path):
    address, local = converted
    folder, plan = runs
    for number in (8, 9):
        write_run(tmp_path / "more" / f"run-{number}", 10 + number, pictures=0, dof=6, result={"success": True})
    for root in (address, local):
        known = tc.convert(folder, root, plan, workers=0, append=True)
        assert known.root == str(root)
        made = tc.edit(root, in_place=True, delete="0")
        assert (made.root, made.episodes) == (str(root), 3)
        assert len(tc.convert(tmp_path / "more", root, plan, workers=0, append=True).episodes) == 2
    there = bucket.download("ds", tmp_path / "down")
    assert rows_of(there) == rows_of(local)
    assert tc.verify(there) == []
    assert not [key for key in bucket.listed() if CLAIM in key]


@pytest.mark.parametrize("how", ["error", "lost"])
def test_a_store_that_fails_every_tenth_call_gets_the_whole_dataset(runs, bucket, proxy, tmp_path, how):
    folder, plan = runs
    tc.convert(folder, tmp_path / "local", plan, workers=0)
    proxy.reset(every=10, how=how)
    tc.convert(folder, bucket.address("ds"), plan, workers=0)
    assert proxy.failed > 1
    proxy.reset()
    assert rows_of(bucket.download("ds", tmp_path / "down")) == rows_of(tmp_path / "local")


def test_an_upload_that_fails_does_not_look_whole_and_can_be_made_again(runs, bucket, proxy, tmp_path):
    folder, plan = runs
    refused = proxy.next_fails
    proxy.reset(every=1, how="error")
    proxy.next_fails = lambda method, path: "/ds/data/" in path and refused(method, path)
    try:
        with pytest.raises(StoreError, match="failed 5 times") as caught:
            tc.convert(folder, bucket.address("ds"), plan, workers=0)
    finally:
        del proxy.next_fails
    note = caught.value.__notes__[0]
    assert INFO not in bucket.listed()
    assert f"ds/{CLAIM}" in bucket.listed()
    proxy.reset()
    with pytest.raises(DatasetError, match="an upload by process .* is not finished.*--overwrite"):
        tc.convert(folder, bucket.address("ds"), plan, workers=0)
    whole, again = note.partition("whole in ")[2].split("; `")[0], note.partition("`")[2].partition("`")[0]
    assert tc.verify(whole) == []
    code, _, error = telecine(*again.split()[1:])
    assert code == 0, error
    there = bucket.download("ds", tmp_path / "down")
    assert rows_of(there) == rows_of(whole)
    assert not [key for key in bucket.listed() if CLAIM in key]


KILLED = """
import os, sys, telecine as tc
from telecine.storage.cloud import CloudStore
CloudStore.put_file = lambda *_: os._exit(9)
tc.convert(sys.argv[1], sys.argv[2], sys.argv[3], workers=0)
"""


def test_an_upload_that_is_killed_leaves_the_dataset_here_and_says_how_to_go_on(runs, bucket, tmp_path):
    folder, plan = runs
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    out = bucket.address("ds")
    code = subprocess.run([sys.executable, "-c", KILLED, str(folder), out, str(tmp_path / "plan.yaml")]).returncode
    assert (code, f"ds/{CLAIM}" in bucket.listed(), INFO in bucket.listed()) == (9, True, False)
    with pytest.raises(DatasetError, match="is not finished; if it was terminated") as caught:
        tc.convert(folder, out, plan, workers=0)
    with pytest.raises(DatasetError, match="is not finished; if it was terminated"):
        tc.verify(out)
    again = str(caught.value).partition("`")[2].partition("`")[0]
    code, _, error = telecine(*again.split()[1:])
    assert code == 0, error
    tc.convert(folder, tmp_path / "local", plan, workers=0)
    assert rows_of(bucket.download("ds", tmp_path / "down")) == rows_of(tmp_path / "local")
    assert not [key for key in bucket.listed() if CLAIM in key]


def test_a_file_of_somebody_else_stops_the_upload(runs, bucket, monkeypatch):
    folder, plan = runs
    from telecine.storage.cloud import CloudStore

    put = CloudStore.put_file

    def and_another(store, key, path):
        put(store, key, path)
        bucket.put("ds/data/chunk-000/file-777.parquet", b"stray")

    monkeypatch.setattr(CloudStore, "put_file", and_another)
    with pytest.raises(DatasetError, match="file-777"):
        tc.convert(folder, bucket.address("ds"), plan, workers=0)
    assert INFO not in bucket.listed()
    assert "ds/data/chunk-000/file-777.parquet" in bucket.listed()


def test_of_two_uploads_one_is_refused(runs, bucket, monkeypatch):
    folder, plan = runs
    from telecine.storage.cloud import CloudStore

    put, errors = CloudStore.put_file, []

    def second(store, key, path):
        put(store, key, path)
        if not errors:
            errors.append("")
            try:
                tc.convert(folder, bucket.address("ds"), plan, workers=0)
            except TelecineError as error:
                errors[0] = str(error)

    monkeypatch.setattr(CloudStore, "put_file", second)
    tc.convert(folder, bucket.address("ds"), plan, workers=0)
    assert "is not finished" in errors[0]
    assert tc.verify(bucket.address("ds")) == []


def test_nothing_is_left_when_no_recording_can_be_used(runs, bucket, scratch):
    folder, plan = runs
    report = tc.convert(folder / "run-01", bucket.address("ds"), plan, workers=0)
    assert not report.ok
    assert bucket.listed() == []
