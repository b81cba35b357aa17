"""HDF5 files that lead elsewhere, show themselves or unpack without end; each is refused by name."""

import os
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest

from support import hdf5 as make
from support.bounds import cost_of
from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.sources import registry

SECRET = np.arange(5.0) + 1234.5


@pytest.fixture
def made(h5py, tmp_path):
    """(a sound file, the same to be spoilt, a file of somebody else)."""
    sound, spoilt, foreign = tmp_path / "in/good.hdf5", tmp_path / "in/x.hdf5", tmp_path / "secret.h5"
    sound.parent.mkdir()
    for path in (sound, spoilt):
        make.robomimic(h5py, path, steps=5)
    with h5py.File(foreign, "w") as file:
        file["secret"] = SECRET
        file["data/demo_1/actions"] = SECRET
    (tmp_path / "raw").write_bytes(SECRET.tobytes())
    return sound, spoilt, foreign


def external_link(h5py, file, foreign):
    file["data/demo_1/obs/stolen"] = h5py.ExternalLink(str(foreign), "/secret")


def external_group(h5py, file, foreign):
    del file["data"]
    file["data"] = h5py.ExternalLink(str(foreign), "/data")


def through_a_soft_link(h5py, file, foreign):
    file["hidden/away"] = h5py.ExternalLink(str(foreign), "/secret")
    file["data/demo_1/obs/stolen"] = h5py.SoftLink("/hidden/away")


def external_storage(h5py, file, foreign):
    raw = foreign.with_name("raw")
    file["data/demo_1/obs"].create_dataset("stolen", (5,), "f8", external=[(str(raw), 0, 40)])


def virtual(h5py, file, foreign):
    layout = h5py.VirtualLayout((5,), "f8")
    layout[:] = h5py.VirtualSource(str(foreign), "secret", (5,))
    file["data/demo_1/obs"].create_virtual_dataset("stolen", layout)


LEADING = (external_link, external_group, through_a_soft_link, external_storage, virtual)


@pytest.mark.parametrize("way", LEADING)
def test_a_file_that_leads_elsewhere_is_refused_by_name(h5py, made, way):
    sound, spoilt, foreign = made
    with h5py.File(spoilt, "r+") as file:
        way(h5py, file, foreign)
    found = registry.find([spoilt.parent])
    assert {ref.path for ref in found.refs} == {str(sound)}
    (finding,) = found.findings
    assert "use --follow-links" in finding.message
    assert "secret" in finding.message or "raw" in finding.message
    for ref in registry.find([sound]).refs:
        with pytest.raises(SourceError, match="--follow-links"):
            registry.open(replace(ref, path=str(spoilt)))


LONG_AGO_NS = 10**18


def aged(path):
    """Its state after a read long ago, so that the next one is noted."""
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS + 10**9))
    return path.stat().st_atime_ns


@pytest.fixture
def reads_are_noted(tmp_path):
    """Skips on a file system that keeps no time of the last read."""
    probe = tmp_path / "probe"
    probe.write_bytes(b"x")
    aged(probe)
    probe.read_bytes()
    if probe.stat().st_atime_ns == LONG_AGO_NS:
        pytest.skip("this file system does not note reads")


@pytest.mark.usefixtures("reads_are_noted")
@pytest.mark.parametrize("way", LEADING)
def test_what_is_refused_was_not_opened_before(h5py, made, way):
    """Names in a link were asked for before links were: HDF5 opens the other file for that."""
    _, spoilt, foreign = made
    with h5py.File(spoilt, "r+") as file:
        way(h5py, file, foreign)
    for path in (foreign, foreign.with_name("raw")):
        assert aged(path) == LONG_AGO_NS
    assert registry.find([spoilt]).refs == ()
    with pytest.raises(SourceError, match="--follow-links"):
        registry.open(Ref("hdf5", str(spoilt), "/data/demo_1"))
    assert [path.stat().st_atime_ns for path in (foreign, foreign.with_name("raw"))] == [LONG_AGO_NS] * 2


@pytest.mark.parametrize("way", [through_a_soft_link, virtual])
def test_a_person_can_allow_it(h5py, made, way):
    _, spoilt, foreign = made
    with h5py.File(spoilt, "r+") as file:
        way(h5py, file, foreign)
    found = registry.find([spoilt], follow_links=True)
    assert [str(f) for f in found.findings] == []
    with registry.open(found.refs[0]) as recording:
        assert "/actions" in recording.streams


def test_links_within_a_file_are_followed(h5py, made):
    _, spoilt, _ = made
    with h5py.File(spoilt, "r+") as file:
        file["data/demo_1/obs/again"] = file["data/demo_1/actions"]
        file["data/demo_1/obs/soft"] = h5py.SoftLink("/data/demo_1/actions")
        file["data/demo_1/obs/up"] = file["data"]  # a circle of hard links
    found = registry.find([spoilt])
    assert [str(f) for f in found.findings] == []
    with registry.open(found.refs[0]) as recording:
        assert "/actions" in recording.streams


def test_a_virtual_dataset_that_shows_itself_ends_no_process(h5py, made):
    sound, spoilt, _ = made
    with h5py.File(spoilt, "r+") as file:
        layout = h5py.VirtualLayout((5,), "f8")
        layout[:] = h5py.VirtualSource(".", "/data/demo_1/obs/self", (5,))
        file["data/demo_1/obs"].create_virtual_dataset("self", layout)
    code = "from telecine.cli.main import main; import sys; sys.argv[0] = 'telecine'; main()"
    out = spoilt.with_name("out")
    words = ["convert", spoilt, sound, out, "--workers", "0", "--task-text", "x", "--fps", "20"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "shows others itself" in done.stdout
    assert (out / "meta" / "info.json").is_file()


def test_a_filter_that_is_not_known_is_refused_by_number(h5py, made):
    _, spoilt, _ = made
    with h5py.File(spoilt, "r+") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((5,))
        properties.set_filter(299, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple((5,))
        h5py.h5d.create(file["data/demo_1"].id, b"odd", h5py.h5t.NATIVE_DOUBLE, space, properties)
    (finding,) = registry.find([spoilt]).findings
    assert "filter 299" in finding.message


def test_a_deflate_bomb_costs_no_memory(h5py, made):
    sound, spoilt, _ = made
    bomb = zlib.compress(bytes(700 << 20), 9)
    with h5py.File(spoilt, "r+") as file:
        array = file["data/demo_1"].create_dataset("bomb", (5, 200_000), "f4", chunks=(5, 200_000), compression="gzip")
        array.id.write_direct_chunk((0, 0), bomb)
    cost = cost_of(spoilt, sound)
    assert any("/bomb" in said and "unpacks to more" in said for said in cost.said), cost.said
    assert cost.grown_bytes < 100 << 20


def test_sound_arrays_of_large_chunks_are_read(h5py, made):
    _, spoilt, _ = made
    values = np.random.default_rng(0).integers(0, 255, (5, 900_000), np.uint8)
    with h5py.File(spoilt, "r+") as file:
        file["data/demo_1"].create_dataset("noise", data=values, chunks=(2, 450_000), compression="gzip", shuffle=True)
        file["data/demo_1"].create_dataset("lzf", data=values, chunks=(2, 450_000), compression="lzf")
    with registry.open(registry.find([spoilt]).refs[0]) as recording:
        for name in ("/noise", "/lzf"):
            assert np.array_equal(recording.streams[name].take(np.arange(5), "step"), values)


LAYOUTS = {
    "robomimic": ("data", "data/demo_1", "data/demo_1/obs", "mask"),
    "isaaclab": ("data", "data/demo_0", "data/demo_0/obs", "data/demo_0/initial_state"),
    "aloha": ("observations", "observations/images"),
    "robomind": ("puppet", "observations/rgb_images"),
    "robotwin": ("vision", "state", "action"),
    "maniskill": ("traj_0", "traj_0/obs", "traj_0/obs/sensor_data"),
    "droid": ("observation", "observation/robot_state", "action"),
}


@pytest.mark.parametrize(("layout", "place"), [(name, p) for name, places in LAYOUTS.items() for p in places])
def test_an_array_where_a_group_should_be_is_not_read_row_by_row(h5py, tmp_path, monkeypatch, layout, place):
    """h5py answers `name in array` and `sorted(array)` with all its rows, which may be a million million."""
    path = tmp_path / layout / "a.hdf5"
    path.parent.mkdir()
    getattr(make, layout)(h5py, path)
    with h5py.File(path, "r+") as file:
        del file[place]
        file.create_dataset(place, (8_000_000,), "f8", chunks=(1 << 16,))
    walked = []

    def note(array):
        walked.append(array.name)
        return iter(())

    monkeypatch.setattr(h5py.Dataset, "__iter__", note)
    found = registry.find([path])
    for ref in found.refs:
        try:
            with registry.open(ref) as recording:
                assert recording.streams
        except SourceError as error:
            assert str(path) in str(error)  # noqa: PT017 - either is fine
    assert walked == []
    assert found.refs or found.findings


def wide(file, rows):
    """An array with rows of 18 * 2**24 bytes, all of them stored."""
    packed = zlib.compress(bytes(1 << 24), 1)
    array = file["data/demo_1"].create_dataset("wide", (rows, 18 << 24), "u1", chunks=(1, 1 << 24), compression="gzip")
    for row in range(rows):
        for part in range(18):
            array.id.write_direct_chunk((row, part << 24), packed)


def test_an_array_that_is_no_value_is_not_read_as_one(h5py, made):
    _, spoilt, _ = made
    with h5py.File(spoilt, "r+") as file:
        wide(file, 1)
    with pytest.raises(SourceError, match="too large to be a value"):
        registry.open(Ref("hdf5", str(spoilt), "/data/demo_1"))


def test_a_row_that_is_larger_than_any_frame_is_refused(h5py, made):
    _, spoilt, _ = made
    with h5py.File(spoilt, "r+") as file:
        wide(file, 5)
    with pytest.raises(SourceError, match="/wide: a row of 301989888 bytes"):
        registry.open(Ref("hdf5", str(spoilt), "/data/demo_1"))
