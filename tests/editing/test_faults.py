"""Edits that are killed or that a disk refuses: the dataset is the old one or the new one, whole."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.dataset import everything, write
from support.edit_faults import state
from support.errors import caught
from telecine.dataset import staging
from telecine.editing.edit import edit
from telecine.editing.merge import merge

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="outside this repository: processes are copied")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    return write(folder / "set", everything(folder, (20, 7, 33, 12)))


def ran(*arguments):
    """What `support.edit_faults` prints, in a process without threads."""
    tests = str(Path(__file__).parents[1])
    paths = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "support.edit_faults", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@LINUX
def test_an_edit_in_place_that_is_killed_leaves_the_old_or_the_new_dataset(source):
    hits = ran(source.parent, "kill", 20, os.environ.get("TELECINE_CHAOS_SEED", "0"))
    assert hits["killed"] == 20


@LINUX
@pytest.mark.long
def test_two_hundred_kills_of_an_edit_in_place(source):
    hits = ran(source.parent, "kill", os.environ.get("TELECINE_CHAOS_KILLS", "200"), time.time_ns())
    print(hits)
    assert hits["killed"] >= 200


@LINUX
def test_an_edit_in_place_whose_writes_the_kernel_refuses_changes_nothing(source):
    assert ran(source.parent, "limit")["refused"] > 3


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return write(folder / "small", everything(folder, (6, 3, 8)))


@pytest.mark.parametrize("call", ["link", "fsync", "rename", "mkdir"])
def test_a_disk_that_fails_in_any_call_leaves_what_was_there(small, tmp_path, monkeypatch, call):
    root, really, calls = tmp_path / "set", getattr(os, call), []
    works = (
        lambda: edit(root, in_place=True, delete="0", trim="2:1..8"),
        lambda: merge([small, small], root, overwrite=True),
    )
    fail_at, failures, last = 1, 0, False
    if call == "rename":
        monkeypatch.setattr(staging, "exchange", lambda one, other: False)  # some file systems cannot

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == fail_at:
            raise OSError(number, os.strerror(number))
        return really(*args, **kwargs)

    while not last:
        number, work = (errno.EIO, errno.ENOSPC)[fail_at % 2], works[fail_at % 3 == 0]
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(small, root)
        old = state(root)
        calls.clear()
        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing)
            problem = caught(work)
        last = len(calls) < fail_at
        if problem is not None:
            assert os.strerror(number) in problem
            assert state(root) == old
        assert [p.name for p in tmp_path.iterdir()] == ["set"]
        failures, fail_at = failures + (problem is not None), fail_at + (1 if fail_at < 4 else 3)
    assert failures or call == "link"  # what cannot be linked is copied
    assert state(root) != old
