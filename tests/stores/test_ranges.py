"""Files that are only looked at are read where they lie, and less of them than a copy would take."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import telecine as tc
from support.hdf5 import isaaclab
from support.mcap import START_NS, Said, coded_picture, joints, write_mcap
from support.pictures import to_jpeg
from telecine.sources import registry
from telecine.sources.stored import ranges
from telecine.storage import ranged_file
from telecine.storage.local import LocalStore
from telecine.storage.ranged_file import RangedFile

CONTENT = bytes(range(251)) * 40


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(-300, 11_000), st.integers(-1, 5000)), max_size=12),
    st.integers(1, 700),
    st.integers(1, 4),
)
def test_it_reads_as_any_file_does(tmp_path_factory, steps, block, held):
    folder = tmp_path_factory.getbasetemp() / "ranged"
    store = LocalStore(folder)
    if store.head("x") is None:
        store.put("x", CONTENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranged_file, "BLOCK", block)
        patch.setattr(ranged_file, "_HELD", held)
        patch.setattr(ranged_file, "_LARGE", 2000)
        ours, known = RangedFile(store, store.head("x")), io.BytesIO(CONTENT)
        for whence, offset, count in steps:
            start = {0: 0, 1: known.tell(), 2: len(CONTENT)}[whence]
            if start + offset < 0:
                with pytest.raises(ValueError, match="no byte"):
                    ours.seek(offset, whence)
                continue
            assert ours.seek(offset, whence) == known.seek(start + offset)
            assert (ours.read(count), ours.tell()) == (known.read(count), known.tell())


def test_a_closed_file_is_not_read(tmp_path):
    store = LocalStore(tmp_path)
    store.put("x", CONTENT)
    with RangedFile(store, store.head("x")) as file:
        assert file.readable()
        assert file.seekable()
    with pytest.raises(ValueError, match="closed"):
        file.readinto(bytearray(1))


@pytest.fixture
def recording(mcap, tmp_path):
    """A camera of noise, which no compression makes smaller, and joints: 24 MB in chunks of 1 MB."""
    from mcap.writer import CompressionType

    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    picture = to_jpeg(noise)
    said = []
    for number in range(24_000_000 // len(picture)):
        at = START_NS + number * 33_000_000
        said.append(Said("/camera", "sensor_msgs/msg/CompressedImage", coded_picture(at, picture), at, at))
        said.append(Said("/joints", "sensor_msgs/msg/JointState", joints(number, at), at, at))
    return write_mcap(tmp_path / "long.mcap", said, chunk_size=1 << 20, compression=CompressionType.NONE)


def test_indexing_an_mcap_reads_a_small_part_and_converting_it_reads_it_once(
    recording, bucket, proxy, scratch, tmp_path
):
    size = recording.stat().st_size
    assert size > 20_000_000
    address = bucket.upload(recording, "raw/long.mcap")
    proxy.reset()
    found = registry.find([address])
    assert [(ref.path, ref.size_bytes, ref.format) for ref in found.refs] == [(address, size, "mcap")]
    assert 0 < proxy.sent < size / 5
    assert not list(scratch.rglob("*.mcap"))
    here = tc.inspect(str(recording))
    proxy.reset()
    there = tc.inspect(address)
    assert there.plan == here.plan
    assert size < proxy.sent < size * 1.25
    proxy.reset()
    clock = here.recordings[0].clock_names()[0]
    flags = {"state": "/joints:position", "action": "/joints:position", "task_text": "look", "fps": 30, "index": clock}
    assert tc.convert(address, tmp_path / "out", workers=0, **flags).rows > 0
    assert size < proxy.sent < size * 2.5


def test_a_store_that_fails_while_it_is_indexed_is_named(recording, bucket, proxy):
    address = bucket.upload(recording, "raw/long.mcap")
    claim = registry.claimed([address])[0]
    proxy.reset(every=1, how="cut", only=("GET",))
    (finding,) = registry.index(claim).findings
    assert "failed 5 times" in finding.message
    proxy.reset()
    bucket.delete("raw/long.mcap")
    (finding,) = registry.index(claim).findings
    assert "not there any more" in finding.message


def test_episodes_of_a_large_hdf5_file_are_found_by_ranges(h5py, bucket, proxy, scratch, tmp_path, monkeypatch):
    """By the file's own tree; the dataset is that of a local file. A small one is copied, which is sooner done."""
    isaaclab(h5py, tmp_path / "demos.hdf5", demos=range(3))
    with h5py.File(tmp_path / "demos.hdf5", "a") as file:
        noise = np.random.default_rng(0).integers(0, 256, (12, 240, 320, 3), np.uint8)
        for demo in file["data"].values():
            demo["obs"]["camera"] = noise
    size = (tmp_path / "demos.hdf5").stat().st_size
    assert size > 8_000_000
    monkeypatch.setitem(ranges._FORMATS, "hdf5", 8_000_000)
    address = bucket.upload(tmp_path / "demos.hdf5", "raw/demos.hdf5")
    here = registry.find([str(tmp_path / "demos.hdf5")])
    proxy.reset()
    there = registry.find([address])
    assert not there.findings
    assert [(ref.id, ref.size_bytes) for ref in there.refs] == [(ref.id, ref.size_bytes) for ref in here.refs]
    assert {ref.path for ref in there.refs} == {address}
    assert 0 < proxy.sent < size / 20
    assert not list(scratch.rglob("*.hdf5"))
    proxy.reset(every=1, how="cut", only=("GET",))
    (finding,) = registry.index(registry.claimed([address])[0]).findings
    assert "failed 5 times" in finding.message
