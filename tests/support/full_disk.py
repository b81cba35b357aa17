"""Disks that are full, for tests of every command that writes.

    with small_disk(tmp_path / "disk", 150):     a file system of 150 KiB: every kind of write fails with ENOSPC
        ...                                      (needs root on Linux; skips elsewhere)
    with files_up_to(20_000):                    no file may grow beyond 20,000 bytes: the kernel refuses writes of
        ...                                      Python, Arrow, FFmpeg and Rerun (EFBIG); needs no privileges

`levels(size)` gives the six fill levels that every writing command is tried at, from "nothing fits" to "nearly all".
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LEVELS = (0.02, 0.2, 0.4, 0.6, 0.8, 0.95)


def levels(size_bytes: int) -> list[int]:
    """Six sizes in bytes, each too small for what needs `size_bytes`."""
    return [max(int(size_bytes * part), 1) for part in LEVELS]


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """An empty file system at `folder`, which is made; gone afterwards."""
    folder.mkdir(exist_ok=True)
    mount(folder, f"size={kilobytes}k")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def mount(folder: Path, options: str) -> None:
    """Mount a tmpfs at `folder`, or give the one that is there other options, such as another size."""
    again = ["-o", f"remount,{options}"] if os.path.ismount(folder) else ["-t", "tmpfs", "-o", options, "tmpfs"]
    if os.name != "posix" or subprocess.run(["mount", *again, folder], capture_output=True, check=False).returncode:
        pytest.skip("outside this repository: mounting a file system needs root on Linux")


@contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    """Inside it no file of this process, nor of those it starts, may grow beyond `size_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def used_bytes(folder: Path) -> int:
    """What all files below `folder` hold, in pages of 4 KiB, as a file system counts them."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def state(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` and its content."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
