"""Damaged zarr folders: chunks that c-blosc would read beyond, and sizes that are absurd; each ends in a name."""

import json

import numpy as np
import pytest

from support import hdf5 as make
from telecine.core.errors import SourceError
from telecine.sources import registry

# What mutants 1711 and 9056 of the long form had: bytes of the frame again before its length, and a path over it.
DAMAGE = {
    "repeated": lambda frame: frame[:12] + frame[2:10] + frame[12:],
    "path": lambda frame: frame[:13] + b"../../../../../etc/" + frame[32:],
}


def everything(path):
    """Read all of it. Raises: SourceError."""
    found = registry.find([path])
    if found.findings:
        raise SourceError(str(found.findings[0]))
    for ref in found.refs:
        with registry.open(ref) as recording:
            for stream in recording.streams.values():
                taken = stream.take(np.arange(len(stream.times("step"))), "step")
                if stream.kind == "image":
                    list(taken)


@pytest.fixture
def umi(zarr, tmp_path):
    make.replay_buffer(zarr, str(tmp_path / "umi.zarr"), ends=(2, 4), umi=True)
    return tmp_path / "umi.zarr"


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("chunk", ["data/camera0_rgb/1.0.0.0", "data/robot0_eef_pos/0.0", "meta/episode_ends/0"])
def test_a_frame_that_says_it_is_longer_than_its_file_is_not_decoded(umi, damage, chunk):
    everything(umi)
    frame = (umi / chunk).read_bytes()
    (umi / chunk).write_bytes(DAMAGE[damage](frame))
    with pytest.raises(SourceError, match=r"blosc: a frame says it has \d+ bytes, \d+ are there"):
        everything(umi)


@pytest.mark.parametrize("shards", [None, (2, 3)], ids=["chunks", "shards"])
def test_frames_of_format_3_are_looked_at_as_well(zarr, tmp_path, shards):
    root = zarr.open_group(str(tmp_path / "new.zarr"), mode="w", zarr_format=3)
    blosc = zarr.codecs.BloscCodec(cname="lz4", typesize=4, shuffle="shuffle")
    for name, data, more in (
        ("meta/episode_ends", np.array([2, 4]), {}),
        ("data/action", make.ramp(4, 3), {"compressors": blosc, "chunks": (1, 3), "shards": shards}),
    ):
        root.create_array(name, shape=data.shape, dtype=data.dtype, **more)[:] = data
    everything(tmp_path / "new.zarr")
    chunk = tmp_path / "new.zarr/data/action/c/0/0"
    frame = bytearray(chunk.read_bytes())
    assert frame[0] == 2  # also a shard begins with its first chunk
    chunk.write_bytes(frame[:12] + b"\xff\xff" + frame[14:])
    with pytest.raises(SourceError, match=r"/action: .*blosc: a frame says it has 65535 bytes, \d+ are there"):
        everything(tmp_path / "new.zarr")


def test_reading_leaves_zarrs_settings_as_they_were(zarr, umi):
    before = zarr.config.get("codecs.blosc")
    everything(umi)
    assert zarr.config.get("codecs.blosc") == before == "zarr.codecs.blosc.BloscCodec"


def test_chunks_of_an_absurd_size_are_refused(umi):
    told = umi / "data/camera0_rgb/.zarray"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"chunks": [1 << 40, 48, 64, 3]}))
    ref = registry.find([umi]).refs[0]
    with registry.open(ref) as recording:
        (item,) = recording.left_out
        assert "/robot0_eef_pos" in recording.streams
    assert (item.stream, item.what) == ("/camera0_rgb", "unreadable")
    assert "data/camera0_rgb has chunks of 10133099161583616 bytes" in item.why
