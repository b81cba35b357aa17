"""Zarr recordings that name code, bombs or other places: each is refused by name, and the sound ones are read."""

import bz2
import gzip
import json
import lzma
import os
import pickle
import zlib
from dataclasses import replace

import numpy as np
import pytest

from support import hdf5 as make
from support.bounds import cost_of
from telecine.core.errors import SourceError
from telecine.sources import registry
from telecine.sources.zarr.allowed import codec_fault
from telecine.sources.zarr.packed_sizes import image_size, zstd_size


@pytest.fixture
def buffer(zarr, tmp_path):
    make.replay_buffer(zarr, str(tmp_path / "in/good.zarr"), ends=(2, 4))
    make.replay_buffer(zarr, str(tmp_path / "in/x.zarr"), ends=(2, 4))
    return tmp_path / "in/x.zarr"


class Evil:
    """What a pickle may hold: a call of anything."""

    def __init__(self, mark) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def change(path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def left_out(path) -> dict[str, str]:
    found = registry.find([path])
    assert [str(f) for f in found.findings] == []
    with registry.open(found.refs[0]) as recording:
        for stream in recording.streams.values():
            taken = stream.take(np.arange(2), "step")
            if stream.kind == "image":
                list(taken)
        return {item.stream: item.why for item in recording.left_out}


PICKLES = {
    "filter": {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 4}], "compressor": None, "fill_value": None},
    "compressor": {"compressor": {"id": "pickle"}, "filters": None},
    "unknown": {"compressor": {"id": "os.system"}, "filters": None},
    "objects": {"dtype": "|O", "filters": None, "compressor": None, "fill_value": None},
}


@pytest.mark.parametrize("how", PICKLES)
@pytest.mark.parametrize("where", ["data/action", "meta/episode_ends"])
def test_a_pickle_is_never_loaded(buffer, tmp_path, how, where):
    change(buffer / where / ".zarray", **PICKLES[how])
    chunk = next(p for p in (buffer / where).iterdir() if not p.name.startswith("."))
    chunk.write_bytes(pickle.dumps(np.array([Evil(tmp_path / "executed")] * 4, object)))
    if where == "data/action":
        why = left_out(buffer)["/action"]
    else:
        (finding,) = registry.find([buffer]).findings
        why = finding.message
    assert not (tmp_path / "executed").exists()
    assert "telecine reads" in why
    assert "unsafe" not in why.lower()
    assert "allow" not in why.lower()
    assert len(registry.find([buffer.parent]).refs) >= 2  # the good one beside it


@pytest.mark.parametrize(
    "document",
    [
        {"codecs": [{"name": "bytes"}, {"name": "numcodecs.pickle", "configuration": {}}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {"codecs": [{"name": "pickle"}]}}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {"index_codecs": ["pickle"]}}]},
        {"consolidated_metadata": {"metadata": {"a": {"codecs": [{"name": "pickle"}]}}}},
        {"metadata": {"data/a/.zarray": {"filters": [{"id": "pickle"}]}}},
        {"compressor": {"id": 7}},
        {"compressor": ["pickle"]},
        {"filters": {"id": "pickle"}},
    ],
)
def test_a_codec_is_found_wherever_metadata_may_name_one(document):
    assert "is not one that telecine reads" in codec_fault(document)


def test_attributes_may_say_what_they_like():
    document = {"attributes": {"codecs": ["pickle"]}, "codecs": [{"name": "bytes"}, {"name": "numcodecs.lz4"}]}
    assert codec_fault(document) == ""
    deep: dict = {}
    for _ in range(200):
        deep = {"codecs": [deep]}
    assert codec_fault(deep)


def test_shards_within_shards_are_named_as_what_they_are():
    codecs: list = [{"name": "bytes"}]
    for _ in range(40):
        codecs = [{"name": "sharding_indexed", "configuration": {"codecs": codecs}}]
    fault = codec_fault({"codecs": codecs})
    assert fault == "its metadata is nested deeper than 32; write the array with one level of sharding at most"


def zstd(data):
    return pytest.importorskip("zstandard").compress(data)


BOMBS = {
    "zlib": lambda data: zlib.compress(data),
    "gzip": lambda data: gzip.compress(data),
    "bz2": lambda data: bz2.compress(data),
    "lzma": lambda data: lzma.compress(data, preset=0),
    "lz4": lambda data: b"\xff\xff\xff\x7f" + b"\x10\0" * 8,
    "zstd frames": lambda data: b"".join(zstd(part) for part in (b"abc", data)),
    "zstd": lambda data: b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0",
}


@pytest.mark.parametrize("codec", BOMBS)
def test_a_bomb_costs_its_bound_and_no_more(buffer, codec):
    change(buffer / "data/action/.zarray", compressor={"id": codec.partition(" ")[0]}, filters=None)
    (buffer / "data/action/0.0").write_bytes(BOMBS[codec](bytes(400 << 20)))
    cost = cost_of(buffer, buffer.with_name("good.zarr"))
    assert any("/action: " in said and ("damage" in said or "more than" in said) for said in cost.said), cost.said
    assert cost.grown_bytes < 300 << 20


@pytest.mark.parametrize("codec", ["zlib", "gzip", "bz2", "lzma", "zstd", "lz4", "blosc"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification")
def test_sound_chunks_of_every_codec_are_read(zarr, tmp_path, codec, version):
    import numcodecs

    options = {"compressors": numcodecs.get_codec({"id": codec})}
    if version == 3 and codec not in ("gzip", "zstd", "blosc"):
        options = {"compressors": {"name": f"numcodecs.{codec}", "configuration": {}}}
    elif version == 3:
        made = {"gzip": zarr.codecs.GzipCodec, "zstd": zarr.codecs.ZstdCodec, "blosc": zarr.codecs.BloscCodec}
        options = {"compressors": made[codec]()}
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    action = np.arange(4000.0).reshape(1000, 4)
    for name, data, more in (("meta/episode_ends", np.array([600, 1000]), {}), ("data/action", action, options)):
        root.create_array(name, shape=data.shape, dtype=data.dtype, **more)[:] = data
    first = registry.find([tmp_path / "a.zarr"]).refs[0]
    with registry.open(first) as recording:
        assert np.array_equal(recording.streams["/action"].take(np.arange(600), "step"), action[:600])


def test_a_link_that_leaves_the_recording_is_refused_unless_links_are_followed(buffer, tmp_path):
    secret = tmp_path / "secret"
    chunk = buffer / "data/action/0.0"
    chunk.rename(secret)
    chunk.symlink_to(secret)
    ref = registry.find([buffer]).refs[0]
    with registry.open(ref) as recording, pytest.raises(SourceError, match=r"outside of .*--follow-links"):
        recording.streams["/action"].take(np.arange(2), "step")
    with registry.open(replace(ref, follow_links=True)) as recording:
        assert recording.streams["/action"].take(np.arange(2), "step").shape == (2, 2)


def test_a_fifo_in_the_place_of_a_chunk_is_refused(buffer):
    chunk = buffer / "data/action/0.0"
    chunk.unlink()
    os.mkfifo(chunk)
    ref = registry.find([buffer]).refs[0]
    with registry.open(ref) as recording, pytest.raises(SourceError, match="is a FIFO, not a regular file"):
        recording.streams["/action"].take(np.arange(2), "step")


def test_the_size_of_a_coded_image_is_read_from_its_header():
    imagecodecs = pytest.importorskip("imagecodecs")
    for height, width in ((8, 8), (48, 64), (255, 257), (1080, 1920), (600, 9)):
        picture = np.zeros((height, width, 3), np.uint8)
        for name in ("png", "jpeg", "jpeg2k", "jpegxl", "webp"):
            data = getattr(imagecodecs, f"{name}_encode")(picture)
            assert image_size(bytes(data)) == (width, height), name
        boxed = imagecodecs.jpegxl_encode(picture, usecontainer=True)
        assert image_size(bytes(boxed)) == (width, height)


def test_what_a_zstd_frame_unpacks_to_is_known_from_its_blocks():
    zstandard = pytest.importorskip("zstandard")
    for size in (0, 1, 300, 70_000, 5 << 20):
        data = np.random.default_rng(size).integers(0, 9, size, np.uint8).tobytes()
        for known in (True, False):
            frame = zstandard.ZstdCompressor(write_content_size=known).compress(data)
            told = zstd_size(frame)
            assert told == size if known else size <= told <= size + (1 << 18)
    assert zstd_size(b"\x28\xb5\x2f\xfd") is None


def test_all_frames_of_zstd_count_not_only_the_first():
    """numcodecs unpacks frames one after the other: 3 bytes that are said, then as much as there is."""
    zstandard = pytest.importorskip("zstandard")
    frames = [
        zstandard.ZstdCompressor(write_content_size=known, write_checksum=checked).compress(bytes(size))
        for known, checked, size in ((True, False, 3), (True, True, 70_000), (False, True, 5 << 20))
    ]
    passed_over = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
    told = zstd_size(frames[0] + passed_over + frames[1] + frames[2])
    assert 3 + 70_000 + (5 << 20) <= told <= 3 + 70_000 + (5 << 20) + (1 << 18)
    assert zstd_size(frames[0] + frames[2][:-9]) is None
    assert zstd_size(frames[0] + b"rest") is None
    assert zstd_size(b"") is None
