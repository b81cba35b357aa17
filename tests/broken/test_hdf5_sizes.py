"""Numbers in HDF5 files that its library takes as orders for memory; read in a process that may not have much."""

import re
import struct
import subprocess
import sys

import numpy as np
import pytest

import telecine
from telecine.sources.hdf5 import source

MOST = 1 << 30
"""Of address space: a sound file is read with half of it."""
ABSURD = 0x78000A0D
"""Bytes, two gigabytes; what mutant 9863 of the long form had."""
READ = f"""
import resource, sys
import h5py, numpy
from telecine.sources import registry
resource.setrlimit(resource.RLIMIT_AS, ({MOST}, {MOST}))
from telecine.core.errors import SourceError
found = registry.find([sys.argv[1]])
print(*found.findings)
for ref in found.refs:
    try:
        with registry.open(ref) as recording:
            for stream in recording.streams.values():
                if stream.clocks:
                    stream.take(numpy.arange(len(stream.times("step"))), "step")
            print("complete")
    except SourceError as error:
        print(error)
"""
TEXT = "x" * 777


def said(path):
    """What reading all of a file says, in a process whose memory ends at MOST."""
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(h5py, path, *, fill=lambda file: None, **how):
    with h5py.File(path, "w", **how) as file:
        group = file.create_group("data/demo_0")
        group["actions"] = np.zeros((6, 2))
        file["data"].attrs["env_args"] = "{}"
        fill(file)
    return path


def lengthen(path, length, count=ABSURD):
    """Another length into every reference to a value of that length."""
    data = path.read_bytes()
    damaged, base = data, data.index(b"\x89HDF")
    for heap in re.finditer(b"GCOL", data):
        address = struct.pack("<Q", heap.start() - base)
        damaged = damaged.replace(struct.pack("<I", length) + address, struct.pack("<I", count) + address)
    assert damaged != data
    path.write_bytes(damaged)


@pytest.mark.parametrize(
    ("how", "others"),
    [({}, 0), ({}, 60), ({"userblock_size": 512}, 3)],
    ids=["in one part", "in several", "behind a user block"],
)
@pytest.mark.parametrize("place", ["/", "data", "data/demo_0"])
def test_a_text_that_says_it_is_longer_than_the_file_is_not_read(h5py, tmp_path, how, others, place):
    def fill(file):
        for number in range(others):
            file[place].attrs[f"n{number}"] = number
        file[place].attrs["long"] = TEXT

    path = write(h5py, tmp_path / "a.hdf5", fill=fill, **how)
    assert said(path).split() == ["complete"]
    lengthen(path, len(TEXT))
    assert f"attribute 'long' of /{place.strip('/')} says it has {ABSURD} bytes, more than the file's" in said(path)


def test_headers_with_a_checksum_are_left_to_hdf5(h5py, tmp_path):
    path = write(h5py, tmp_path / "a.hdf5", fill=lambda f: f["data"].attrs.update(long=TEXT), libver="latest")
    assert said(path).split() == ["complete"]
    lengthen(path, len(TEXT))
    assert "checksum" in said(path)


@pytest.mark.parametrize("how", [{}, {"chunks": (2,)}], ids=["in one piece", "in chunks"])
@pytest.mark.parametrize(("kind", "unit"), [("texts", 1), ("numbers", 8)])
def test_a_value_in_an_array_that_says_it_is_longer_than_the_file_is_not_read(h5py, tmp_path, how, kind, unit):
    texts = kind == "texts"
    dtype = h5py.string_dtype() if texts else h5py.vlen_dtype(np.float64)

    def fill(file):
        array = file["data/demo_0"].create_dataset("said", (6,), dtype=dtype, **how)
        for row in range(6):
            array[row] = TEXT[row:] if texts else np.zeros(90 + row)

    path = write(h5py, tmp_path / "a.hdf5", fill=fill)
    assert "complete" in said(path)
    lengthen(path, len(TEXT) - 5 if texts else 95)
    assert f"/data/demo_0/said says a value has {ABSURD * unit} bytes, more than the file's" in said(path)


def test_rows_that_were_never_stored_are_not_made(h5py, tmp_path):
    def fill(file):
        file["data/demo_0"].create_dataset("depth", (6, 4096), "f4", chunks=(1, 4096), data=np.ones((6, 4096)))

    path = write(h5py, tmp_path / "a.hdf5", fill=fill)
    assert said(path).split() == ["complete"]
    data = path.read_bytes()
    shape = struct.pack("<QQ", 6, 4096)
    assert shape in data
    path.write_bytes(data.replace(shape, struct.pack("<QQ", 1 << 31, 4096)))
    assert "/data/demo_0/depth says it holds (2147483648, 4096)" in said(path)


def test_an_array_without_data_may_not_be_large(h5py, tmp_path):
    path = write(h5py, tmp_path / "a.hdf5", fill=lambda f: f["data/demo_0"].create_dataset("x", (1, 1 << 30), "u1"))
    assert "says it holds (1, 1073741824), 1073741824 bytes; what is stored is 0 at most" in said(path)


def test_a_chunk_has_a_largest_size(h5py, tmp_path):
    def fill(file):
        file["data/demo_0"].create_dataset("x", (6, 1 << 28), "u1", chunks=(6, 1 << 28), compression="gzip")

    path = write(h5py, tmp_path / "a.hdf5", fill=fill)
    assert "has chunks of 1610612736 bytes; more than 1073741824 are taken for damage" in said(path)


def test_an_array_that_lacks_a_few_rows_is_read(h5py, tmp_path):
    def fill(file):
        file["data/demo_0"].create_dataset("x", (6, 100), "f4", chunks=(1, 100))[2] = 1

    assert said(write(h5py, tmp_path / "a.hdf5", fill=fill)).split() == ["complete"]


def test_what_belongs_to_the_file_is_checked_once_and_each_episode_for_itself(h5py, tmp_path, monkeypatch):
    path, count, checked = tmp_path / "many.hdf5", 5, []

    def fill(file):
        for number in range(1, count):
            file[f"data/demo_{number}/actions"] = np.zeros((6, 2))

    write(h5py, path, fill=fill)
    check = source.check_attributes
    monkeypatch.setattr(
        source, "check_attributes", lambda file, holder, name: checked.append(holder.name) or check(file, holder, name)
    )
    assert len(telecine.inspect([path]).recordings) == count
    assert sorted(checked) == ["/", "/data", *(f"/data/demo_{number}" for number in range(count))]
