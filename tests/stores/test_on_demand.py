"""Of a folder in a store only those files are copied that somebody reads; the rest stays where it is."""

import json
import threading

import numpy as np
import pytest

import telecine as tc
from support import rlds
from support.hdf5 import replay_buffer
from support.old_dataset import write_old
from support.pictures import to_jpeg
from support.shards import rows_of
from telecine.core.errors import SourceError, StoreError
from telecine.sources import registry
from telecine.sources.part_cache import hold, none_left_open, opened
from telecine.storage import on_demand
from telecine.storage.local import LocalStore
from telecine.storage.on_demand import FolderOnDemand, present, ranged_at

NOISE = np.random.default_rng(0)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def found_at(path, top=""):
    return [(ref.path.replace(str(top), ""), ref.id, ref.size_bytes) for ref in registry.find([str(path)]).refs]


def asked_for(proxy, ending):
    return sorted({path for method, path in proxy.seen if method == "GET" and path.endswith(ending)})


@pytest.fixture
def buffer(zarr, tmp_path):
    """A replay buffer of two episodes whose camera is noise, in chunks of a frame: 5 MB."""
    path = replay_buffer(zarr, tmp_path / "in" / "push.zarr", ends=(20, 60), timestamps=True)
    root = zarr.open_group(str(path), mode="r+", zarr_format=2)
    film = NOISE.integers(0, 256, (60, 120, 240, 3), np.uint8)
    root.create_array("data/camera", shape=film.shape, dtype=film.dtype, chunks=(1, *film.shape[1:]))[:] = film
    return path


def test_episodes_of_zarr_are_found_by_their_ends_and_chunks_are_read_as_they_are_asked_for(
    buffer, bucket, proxy, scratch, tmp_path
):
    size, address = size_of(buffer), bucket.upload(buffer.parent, "raw")
    assert size > 5_000_000
    proxy.reset()
    assert found_at(address, address) == found_at(buffer.parent, buffer.parent)
    assert 0 < proxy.sent < size / 20
    proxy.reset()
    seen, known = tc.inspect(address), tc.inspect(buffer.parent)
    assert (seen.plan, len(seen.recordings)) == (known.plan, len(known.recordings)) == (known.plan, 2)
    assert 0 < proxy.sent < size / 2
    proxy.reset()
    flags = {"task_text": "push", "workers": 0, "fps": 10}
    made = tc.convert(address, tmp_path / "there", **flags)
    assert made.rows == tc.convert(buffer.parent, tmp_path / "here", **flags).rows > 0
    assert size < proxy.sent < size * 1.3  # the digest of a recording takes all of it
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "here")
    assert not scratch.exists() or not [path for path in scratch.rglob("*") if path.is_file()]


def test_a_recording_that_is_open_for_its_parts_is_opened_again_where_all_of_it_is(buffer, bucket):
    address = bucket.upload(buffer.parent, "raw")
    (there, _), (here, _) = registry.find([address]).refs, registry.find([str(buffer)]).refs
    rows = np.arange(20)
    with none_left_open():
        with opened(there, parts=True) as recording:
            first = recording.streams["/state"].take(rows, "step")
        hold(there)
        with opened(there, parts=True) as recording:
            state = recording.streams["/state"].take(rows, "step")
            frames = [frame.data for frame in recording.streams["/camera"].take(rows, "step")]
    with registry.open(here) as recording:
        assert (recording.streams["/state"].take(rows, "step") == state).all()
        assert (first == state).all()
        known = [frame.data for frame in recording.streams["/camera"].take(rows, "step")]
    assert list(map(bytes, frames)) == list(map(bytes, known))


def test_a_folder_of_zarr_that_goes_away_holds_no_fill_values(buffer):
    (ref, _) = registry.find([str(buffer)]).refs
    with registry.open(ref) as recording:
        buffer.rename(buffer.with_name("elsewhere"))
        with pytest.raises(SourceError, match="not there any more"):
            recording.streams["/state"].take(np.arange(20), "step")


def test_episodes_of_a_zip_of_zarr_are_found_by_ranges(zarr, buffer, bucket, proxy, scratch, tmp_path):
    import shutil

    zipped = tmp_path / "zipped" / "push.zarr.zip"
    zipped.parent.mkdir()
    shutil.make_archive(str(zipped.with_suffix("")), "zip", buffer)
    size, address = zipped.stat().st_size, bucket.upload(zipped, "raw/push.zarr.zip")
    proxy.reset()
    assert found_at(address, address) == found_at(zipped, zipped)
    assert 0 < proxy.sent < size / 5
    proxy.reset()
    assert tc.inspect(address).plan == tc.inspect(zipped).plan
    assert size < proxy.sent < size * 1.3  # its members lie in one file, which is copied to be read


def _large(number, pixels):
    values = rlds.episode(number)
    pictures = [to_jpeg(NOISE.integers(0, 256, (pixels, pixels, 3), np.uint8)) for _ in range(6)]
    return {**values, "steps/observation/image_0": pictures}


@pytest.mark.parametrize("pixels", [700, 40])
def test_episodes_of_shards_are_found_by_the_heads_of_their_records_unless_those_are_small(
    pixels, bucket, proxy, scratch, tmp_path, request
):
    request.getfixturevalue("crc32c")
    rlds.dataset(tmp_path / "in", [[_large(0, pixels), _large(1, pixels)], [_large(2, pixels)]])
    size, address = size_of(tmp_path / "in"), bucket.upload(tmp_path / "in", "raw")
    proxy.reset()
    assert found_at(address, address) == found_at(tmp_path / "in", tmp_path / "in")
    assert 0 < proxy.sent < size / 8 if pixels == 700 else size < proxy.sent < size * 1.2
    proxy.reset()
    flags = {"task_text": "pick", "workers": 0, "fps": 5}
    assert tc.convert(address, tmp_path / "there", **flags).rows == 18
    assert size < proxy.sent < size * 1.3
    tc.convert(tmp_path / "in", tmp_path / "here", **flags)
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "here")


def test_of_a_dataset_only_the_videos_of_the_episodes_that_are_read_are_copied(bucket, proxy, tmp_path):
    (tmp_path / "in").mkdir()
    write_old(tmp_path / "in" / "picks", lengths=(12, 9, 15))
    address = bucket.upload(tmp_path / "in", "raw")
    proxy.reset()
    found = registry.find([f"{address}/picks"])
    assert [ref.size_bytes for ref in found.refs] == [r.size_bytes for r in registry.find([tmp_path / "in"]).refs]
    assert not asked_for(proxy, ".mp4")
    proxy.reset()
    with none_left_open(), registry.open(found.refs[1]) as recording:
        assert recording.streams["/observation.images.top"].times("time").size == 9
    read = asked_for(proxy, ".mp4")
    assert len(read) == 1
    assert "episode_000001" in read[0]


def test_an_open_dataset_has_the_files_of_the_episodes_that_were_asked_for(bucket, proxy, scratch, tmp_path):
    write_old(tmp_path / "picks", lengths=(12, 9, 15))
    address = bucket.upload(tmp_path / "picks", "sets/picks")
    proxy.reset()
    dataset, here = tc.open_dataset(address), tc.open_dataset(tmp_path / "picks")
    assert (len(dataset), dataset.fps) == (3, here.fps)
    assert not asked_for(proxy, ".mp4")
    assert not [path for path in asked_for(proxy, ".parquet") if "/data/" in path]
    rows, known = dataset[1].rows, here[1].rows
    assert {key: value.tolist() for key, value in rows.items()} == {k: v.tolist() for k, v in known.items()}
    assert [path.rpartition("/")[2] for path in asked_for(proxy, ".parquet") if "/data/" in path] == [
        "episode_000001.parquet"
    ]
    key = dataset.cameras[0]
    assert (dataset[2].frames(key, [3]) == here[2].frames(key, [3])).all()
    assert [path.rpartition("/")[2] for path in asked_for(proxy, ".mp4")] == ["episode_000002.mp4"]
    del dataset
    assert not list(scratch.rglob("*.parquet"))


@pytest.mark.parametrize("how", ["error", "cut"])
def test_a_store_that_fails_every_tenth_call_costs_nothing(how, buffer, bucket, proxy):
    address = bucket.upload(buffer.parent, "raw")
    proxy.reset(every=10, how=how, only=("GET",))
    assert tc.inspect(address).plan == tc.inspect(buffer.parent).plan
    assert proxy.failed > 2


def test_a_store_that_fails_while_chunks_are_asked_for_is_named(buffer, bucket, proxy):
    address = bucket.upload(buffer.parent, "raw")
    (ref, _) = registry.find([address]).refs
    with none_left_open(), registry.open(ref) as recording:
        proxy.reset(every=1, how="cut", only=("GET",))
        with pytest.raises(StoreError, match=r"camera/.* failed 5 times"):
            list(recording.streams["/camera"].take(np.zeros(1, np.int64), "step"))


@pytest.fixture
def folder(tmp_path):
    store = LocalStore(tmp_path / "store")
    store.put("meta/info.json", b"{}")
    store.put("data/a.bin", b"abcdef")
    made = FolderOnDemand(store, list(store.list()), lambda key: key.startswith("meta/"), tmp_path / "copy")
    yield store, made.folder
    made.close()
    made.close()


def test_a_file_has_its_size_until_it_is_asked_for(folder):
    _, top = folder
    assert json.loads((top / "meta/info.json").read_text()) == {}
    path = top / "data/a.bin"
    assert path.read_bytes() == bytes(6)
    with ranged_at(path) as file:
        assert (file.seek(2), file.read(3)) == (2, b"cde")
    assert path.read_bytes() == bytes(6)
    assert present(path).read_bytes() == b"abcdef"
    assert ranged_at(path) is None
    assert present(top / "meta/info.json").read_bytes() == b"{}"


def test_a_file_that_changed_or_went_away_is_told(folder):
    store, top = folder
    store.put("data/a.bin", b"longer than before")
    with pytest.raises(StoreError, match=r"data/a\.bin: changed while it was read"):
        present(top / "data/a.bin")
    store.delete("data/a.bin")
    with pytest.raises(FileNotFoundError):
        present(top / "data/a.bin")


def test_two_threads_copy_a_file_once(folder, monkeypatch):
    _, top = folder
    copied, both = [], threading.Barrier(2, timeout=20)
    get_file = LocalStore.get_file

    def counted(self, key, path):
        copied.append(key)
        get_file(self, key, path)

    monkeypatch.setattr(LocalStore, "get_file", counted)

    def ask():
        both.wait()
        present(top / "data/a.bin")

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert copied == ["data/a.bin"]


def test_nothing_is_asked_of_files_that_lie_here(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert present(tmp_path / "a") == tmp_path / "a"
    assert ranged_at(tmp_path / "a") is None
    assert not on_demand._folders
