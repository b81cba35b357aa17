"""ZIP archives whose members unpack to more than they say: no more is unpacked than was said."""

import io
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import hdf5 as make
from support import robot_folders
from telecine.core.errors import SourceError
from telecine.sources import registry
from telecine.sources.rlds import shard_file
from telecine.sources.rlds.array_record_blocks import check_blocks
from telecine.sources.shared import buffer_pool, compressed
from telecine.sources.shared.zip_members import read_member

BOMB_BYTES = 64 << 20
METHODS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}
_DIRECTORY, _CRC_AT, _SIZE_AT, _NAME_AT = b"PK\x01\x02", 16, 24, 46


def lie(path: Path, name: str, size: int) -> None:
    """Another size of a member of zeros into the directory of an archive, with its checksum (APPNOTE.TXT, 4.3.12)."""
    data = bytearray(path.read_bytes())
    at = data.index(_DIRECTORY)
    while data[at + _NAME_AT : at + _NAME_AT + len(name)] != name.encode():
        at = data.index(_DIRECTORY, at + 4)
    data[at + _CRC_AT : at + _CRC_AT + 4] = zlib.crc32(bytes(size)).to_bytes(4, "little")
    data[at + _SIZE_AT : at + _SIZE_AT + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)


def bomb(path: Path, name: str, method: int, *, said: int) -> None:
    """A member of zeros more, which says that it has `said` bytes; a small one where the method is refused anyway."""
    with zipfile.ZipFile(path, "a", method, compresslevel=1) as archive:
        archive.writestr(name, bytes(BOMB_BYTES if method == zipfile.ZIP_DEFLATED else 1 << 20))
    lie(path, name, said)


def peak_of(read) -> tuple[object, int]:
    """(what `read` gives, bytes that it held at once)."""
    tracemalloc.start()
    try:
        return read(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_member_costs_what_it_says(tmp_path):
    path = tmp_path / "a.zip"
    bomb(path, "x", zipfile.ZIP_DEFLATED, said=100)
    with zipfile.ZipFile(path) as archive:
        found, peak = peak_of(lambda: read_member(archive, "x", 1 << 20))
    assert found == bytes(100)
    assert peak < 16 << 20


@pytest.mark.parametrize("method", ["bzip2", "lzma"])
def test_methods_that_cannot_be_bounded_are_refused(tmp_path, method):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", METHODS[method]) as archive:
        archive.writestr("x", b"abc")
    with zipfile.ZipFile(path) as archive, pytest.raises(ValueError, match="x is compressed by method"):
        read_member(archive, "x", 1 << 20)


@given(st.binary(max_size=3000), st.integers(0, 3100), st.one_of(st.none(), st.integers(0, 3100)), st.booleans())
def test_any_part_of_a_member_is_that_part(data, start, stop, packed):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("x", data)
    with zipfile.ZipFile(stream) as archive:
        assert read_member(archive, "x", 3000, start, stop) == data[start:stop]


@pytest.mark.parametrize("method", METHODS)
def test_a_zarr_archive_with_a_bomb_is_refused_at_no_cost(zarr, tmp_path, method):
    """The chunk of `action` says that it has 100 bytes."""
    folder = make.replay_buffer(zarr, tmp_path / "a.zarr", ends=(2, 4))
    packed = tmp_path / "a.zarr.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = file.relative_to(folder).as_posix()
            if name != "data/action/0.0":
                archive.write(file, name)
    bomb(packed, "data/action/0.0", METHODS[method], said=100)

    def read():
        with registry.open(registry.find([packed]).refs[0]) as recording:
            assert recording.streams["/state"].take(np.arange(2), "step").shape == (2, 5)
            with pytest.raises(SourceError, match="/action"):
                recording.streams["/action"].take(np.arange(2), "step")

    read()  # loads modules
    assert peak_of(read)[1] < 16 << 20


def steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("episode_*.npz"))


@pytest.mark.parametrize("method", METHODS)
def test_a_step_of_calvin_with_a_bomb_is_refused_at_no_cost(tmp_path, method):
    folder = robot_folders.calvin(tmp_path / "a", annotations=False)
    bomb(steps(folder)[0], "more.npy", METHODS[method], said=200)
    ref = registry.find([folder]).refs[0]

    def read():
        with pytest.raises(SourceError, match="npz: cannot be read"):
            registry.open(ref)

    assert peak_of(read)[1] < 16 << 20


def test_a_step_of_many_large_members_is_refused_at_no_cost(tmp_path):
    """Each is as large as one may be."""
    folder = robot_folders.calvin(tmp_path / "a", annotations=False)
    with zipfile.ZipFile(steps(folder)[0], "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(6):
            archive.writestr(f"more{number}.npy", bytes(60 << 20))
    ref = registry.find([folder]).refs[0]

    def read():
        with pytest.raises(SourceError, match="a step has 37.* bytes"):
            registry.open(ref)

    assert peak_of(read)[1] < 16 << 20


def array_records(path: Path, records: list[bytes], options: str = "group_size:1") -> str:
    from array_record.python import array_record_module

    writer = array_record_module.ArrayRecordWriter(str(path), options)
    for record in records:
        writer.write(record)
    writer.close()
    return str(path)


@pytest.mark.parametrize(
    "options", ["group_size:1", "group_size:7", "group_size:9,uncompressed", "group_size:4,transpose"]
)
@pytest.mark.parametrize("sizes", [[], [0] * 500, [3000] * 60, [65_465 + n for n in range(48)], [200_000, 1, 70_000]])
def test_every_chunk_of_a_sound_array_record_is_met(array_record, options, sizes, tmp_path):
    records = [bytes(np.random.default_rng(size).integers(0, 256, size, np.uint8)) for size in sizes]
    path = array_records(tmp_path / "a.array_record-0", records, options)
    count, damage = shard_file.count_records(path)
    assert (count, damage) == (len(sizes), "")
    assert count < check_blocks(path) <= 3 * count + 8  # with those that its library adds: a footer of each chunk
    assert all(shard_file.read_episode(path, n) == record for n, record in enumerate(records))


def test_an_array_record_that_unpacks_to_far_more_than_its_file_is_refused_before_it_is_unpacked(
    array_record, tmp_path
):
    path = array_records(tmp_path / "a.array_record-0", [b"x", bytes(1 << 29)])
    for ask in (shard_file.count_records, lambda path: shard_file.read_episode(path, 1)):
        with pytest.raises(SourceError, match="536870912 bytes unpacked is more than"):
            ask(path)


def test_a_number_of_records_is_no_order_for_memory(array_record, tmp_path):
    path = array_records(tmp_path / "a.array_record-0", [bytes(2000)] * 9, "group_size:9,uncompressed")
    data = bytearray(Path(path).read_bytes())
    at = data.index((9 << 8 | ord("r")).to_bytes(8, "little"))
    data[at : at + 8] = (1 << 48 | 9 << 8 | ord("r")).to_bytes(8, "little")
    Path(path).write_bytes(data)
    with pytest.raises(SourceError, match="1099511627785 records"):
        check_blocks(path)


def test_a_damaged_chunk_of_an_array_record_hides_none_behind_it(array_record, tmp_path):
    noise = [bytes(np.random.default_rng(n).integers(0, 256, 50_000, np.uint8)) for n in range(9)]
    path = array_records(tmp_path / "a.array_record-0", [*noise, bytes(1 << 29)])
    data = bytearray(Path(path).read_bytes())
    at = data.index((1 << 8 | ord("r")).to_bytes(8, "little"))
    data[at] = 0
    Path(path).write_bytes(data)
    with pytest.raises(SourceError, match="536870912 bytes unpacked"):
        check_blocks(path)


@pytest.mark.parametrize("kind", ["zstd", "lz4", "bz2"])
def test_compressed_bytes_promise_and_hold_no_more_than_is_plausible(kind, monkeypatch):
    library = {"zstd": "zstandard", "lz4": "lz4.frame", "bz2": "bz2"}[kind]
    packed = pytest.importorskip(library).compress(bytes(50_000))
    assert compressed.expand(kind, packed, 50_000) == compressed.expand(kind, packed, None) == bytes(50_000)
    monkeypatch.setattr(compressed, "PLAIN_BYTES", 10_000)
    monkeypatch.setattr(compressed, "_PIECE_BYTES", 1000)
    pool = buffer_pool.BufferPool()
    with pytest.raises(SourceError, match="say to hold 50000, which is not plausible"):
        compressed.expand_into(pool, kind, packed, 50_000)
    with pytest.raises(SourceError, match="it holds more than 1[0-9]{4} bytes, which is not plausible"):
        compressed.expand(kind, packed, None)
