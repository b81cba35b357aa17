"""Disks that are full, fail or cannot be written: the target stays what it was, and the message says what happened."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.dataset import episode, everything, write
from support.errors import caught
from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.conversion.pipeline import Options, convert
from telecine.core.errors import DatasetError
from telecine.core.plan.model import make_plan

PLAN = make_plan(robot_plan("front"))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, rerun):
    folder = tmp_path_factory.mktemp("disk") / "recordings"
    for number in range(3):
        write_robot(folder / f"r{number}.rrd", {"front": Camera(jittered(30, seed=number), "jpeg")}, episode=number)
    return folder


@pytest.fixture
def mounted(tmp_path):
    """`mounted(options)`: a tmpfs, or the same one with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        again = ["-o", f"remount,{options}"] if os.path.ismount(folder) else ["-t", "tmpfs", "-o", options, "tmpfs"]
        if os.name != "posix" or subprocess.run(["mount", *again, folder], capture_output=True, check=False).returncode:
            pytest.skip("outside this repository: mounting a file system needs root on Linux")
        return folder

    yield mount
    subprocess.run(["umount", folder], check=False)


def state(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(("kilobytes", "workers"), [(60, 0), (150, 1), (220, 0)])
def test_a_disk_that_fills_up_leaves_the_old_dataset_until_there_is_room(mounted, recordings, workers, kilobytes):
    disk = mounted("size=10m")
    write(disk / "out", [episode(30)])
    old = state(disk / "out")
    used = sum(len(content) for content in old.values())
    mounted(f"size={used // 1024 + kilobytes}k")
    options = Options(overwrite=True, workers=workers)
    with pytest.raises(DatasetError, match="no space left"):
        convert([recordings], disk / "out", PLAN, options)
    assert state(disk / "out") == old
    mounted("size=10m")
    assert convert([recordings], disk / "out", PLAN, options).ok
    assert [p.name for p in disk.iterdir()] == ["out"]


def test_a_disk_that_cannot_be_written_is_named(mounted, recordings):
    disk = mounted("size=10m")
    write(disk / "out", [episode(5)])
    old = state(disk / "out")
    mounted("ro")
    for root in (disk / "out", disk / "new"):
        with pytest.raises(DatasetError, match="cannot be written: Read-only file system"):
            convert([recordings], root, PLAN, Options(overwrite=True))
    assert state(disk / "out") == old
    mounted("rw")
    assert [p.name for p in disk.iterdir()] == ["out"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_while_it_is_synced_changes_nothing(tmp_path, monkeypatch, number):
    root = write(tmp_path / "out", [episode(5)])
    old, sync, calls = state(root), os.fsync, []
    parts = everything(tmp_path, (4, 3))

    def failing(handle):
        calls.append(handle)
        if len(calls) > fail_at:
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(os, "fsync", failing)
    fail_at, failed = 0, True
    while failed:
        calls.clear()
        problem = caught(lambda: write(root, parts, overwrite=True))
        failed = problem is not None
        if failed:
            assert ("no space left" in problem) == (number != errno.EIO)
            assert os.strerror(number) in problem
            assert state(root) == old
            fail_at += 1
    assert fail_at > 10
    assert state(root) != old
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(("most", "workers"), [(3_000, 0), (12_000, 1), (20_000, 0)])
def test_an_error_of_the_system_in_any_write_stops_the_run_and_keeps_the_target(tmp_path, recordings, workers, most):
    """Files may not grow beyond `most` bytes: the kernel refuses real writes of Arrow, FFmpeg and Python (EFBIG)."""
    root = write(tmp_path / "out", [episode(5)])
    old = state(root)
    script = f"""
        import resource, signal, sys
        from pathlib import Path
        from telecine.cli.main import main
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, resource.RLIM_INFINITY))
        sys.argv = ["telecine", "convert", *{[str(recordings), str(root), "--plan", str(tmp_path / "plan.yaml")]!r},
                    "--overwrite", "--workers", "{workers}"]
        main()
    """
    (tmp_path / "plan.yaml").write_text(PLAN.to_yaml())
    # Compiled files of modules, and what measures coverage, would be cut short as well, and stay so.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    ran = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ran.returncode == 1, ran.stderr
    assert "File too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert state(root) == old
    assert convert([recordings], root, PLAN, Options(overwrite=True)).ok
    assert sorted(Path(p).name for p in tmp_path.iterdir()) == ["out", "plan.yaml"]
