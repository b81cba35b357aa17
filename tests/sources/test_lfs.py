"""A Git LFS pointer is named as such, whatever format its name says, and also inside a folder that is a recording."""

import pytest

from support.cli import telecine
from support.hdf5 import droid, replay_buffer
from support.mcap import some_messages, write_rosbag2
from support.old_dataset import write_old
from telecine.sources.registry import find
from telecine.sources.shared.lfs import is_pointer, pointer_problem

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d7a" * 16 + "\nsize 12345\n"
NAMES = [
    "a.rrd",
    "a.mcap",
    "a.bag",
    "a.db3",
    "a.hdf5",
    "a.h5",
    "a.zarr.zip",
    "run/events.jsonl",
    "a.mcap.zstd",
    "a.db3.zstd",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_pointer_is_named_whatever_the_format(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(POINTER)
    (finding,) = find([path]).findings
    assert finding.where == str(path)
    assert finding.message == "it is a Git LFS pointer, not the data: run `git lfs pull` in its repository"


def test_nothing_is_proposed_where_nothing_could_be_read(tmp_path):
    (tmp_path / "a.hdf5").write_text(POINTER)
    code, out, _ = telecine("inspect", tmp_path)
    assert (code, "Git LFS pointer" in out, "nothing could be read" in out) == (1, True, True)
    assert "telecine convert" not in out


@pytest.mark.parametrize("kind", ["zarr", "rosbag2", "lerobot"])
def test_pointers_inside_a_folder_that_is_a_recording_are_named(tmp_path, kind, request):
    folder = tmp_path / f"set.{kind}"
    if kind == "zarr":
        replay_buffer(request.getfixturevalue("zarr"), str(folder))
        data = next(p for p in sorted((folder / "data/action").rglob("*")) if p.is_file() and p.name[0].isdigit())
    elif kind == "rosbag2":
        request.getfixturevalue("mcap")
        data = next(write_rosbag2(folder, some_messages()).glob("*.db3"))
    else:
        data = next(write_old(folder).rglob("episode_*.parquet"))
    data.write_text(POINTER)
    (finding,) = find([folder]).findings
    assert finding.where == str(folder)
    assert finding.message == (
        f"1 file in it is a Git LFS pointer, not the data ({data.name}): run `git lfs pull` in its repository"
    )
    data.with_name("more.bin").write_text(POINTER)
    assert "2 files in it are Git LFS pointers" in find([folder]).findings[0].message


def test_a_video_beside_a_file_of_numbers_is_named(tmp_path, h5py):
    path = droid(h5py, tmp_path / "run/trajectory.h5")
    for video in path.parent.rglob("*.mp4"):
        video.write_text(POINTER)
    code, out, _ = telecine("inspect", path)
    assert code == 0
    assert "git lfs pull" in out


def test_inspect_says_so_and_exits_1(tmp_path):
    (tmp_path / "a.hdf5").write_text(POINTER)
    code, out, _ = telecine("inspect", tmp_path)
    assert code == 1
    assert "git lfs pull" in out


def test_other_small_files_are_none(tmp_path):
    (tmp_path / "a.txt").write_text("version 1")
    (tmp_path / "b.txt").write_text(POINTER + "x" * 1024)
    assert not is_pointer(tmp_path / "a.txt")
    assert not is_pointer(tmp_path / "b.txt")
    assert not is_pointer(tmp_path / "none.txt")
    assert pointer_problem(str(tmp_path)) == pointer_problem("rerun://server:1/dataset") == ""
