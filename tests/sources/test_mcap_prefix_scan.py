"""Cameras and joints out of one pass over a file: the beginnings of messages say the same as the messages."""

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.mcap import START_NS, Said, coded_picture, header, joints, make, text, write_mcap
from telecine.core.recording import Array
from telecine.sources import registry
from telecine.sources.mcap import source, store
from telecine.sources.mcap.records import walk
from telecine.sources.shared import chunk_file
from telecine.sources.shared.buffer_pool import BufferPool, MemoryBudget

pytestmark = pytest.mark.usefixtures("mcap")
COUNT = 200


def cloud(i: int, stamp_ns: int) -> Any:
    """PointCloud2: what its `is_dense` says stands behind the bytes."""
    fields = [make("sensor_msgs/msg/PointField", name, 4 * k, 7, 1) for k, name in enumerate("xyz")]
    points = np.full(12 * 500, i, np.uint8)
    return make("sensor_msgs/msg/PointCloud2", header(stamp_ns), 1, 500, fields, False, 12, 6000, points, i % 3 == 0)


def write(path: Path, **options: Any) -> Path:
    said = []
    for i in range(COUNT):
        stamp = START_NS + i * 10_000_000

        def add(topic: str, kind: str, value: Any, stamp: int = stamp) -> None:
            said.append(Said(topic, kind, value, stamp + 1000, stamp))

        add("/joints", "sensor_msgs/msg/JointState", joints(i, stamp))
        add("/cloud", "sensor_msgs/msg/PointCloud2", cloud(i, stamp))
        add("/words", "std_msgs/msg/String", text("long " * (i % 3) * 1000 + str(i)))
        for name in ("left", "right"):
            data = b"\xff\xd8\xff\xe0" + i.to_bytes(4, "little") * (50 if i % 20 else 2000)
            add(f"/{name}", "sensor_msgs/msg/CompressedImage", coded_picture(stamp, data, "jpeg"))
    return write_mcap(path, said, **options)


def check(path: Path) -> None:
    """Everything is what was written, asked for in the order in which a conversion asks."""
    contents = source.contents(str(path), False)
    topics = {topic.name: topic for topic in contents.topics}
    stamps = START_NS + np.arange(COUNT) * 10_000_000
    for topic in (topics[name] for name in ("/left", "/right", "/cloud", "/joints")):
        seen = topic.read(["header.stamp.sec", "header.stamp.nanosec"])
        assert (seen.rows.tolist(), seen.failures) == (list(range(COUNT)), ())
        sec, nanosec = (column.values.astype(np.int64) for column in seen.columns.values())
        assert (sec * 10**9 + nanosec == stamps).all()
        assert (topic.times("publish_time") == stamps).all()
        assert (topic.times("log_time") == stamps + 1000).all()
    assert topics["/cloud"].read(["is_dense"]).columns["is_dense"].values.tolist() == [i % 3 == 0 for i in range(COUNT)]
    some = np.array([3, 40, 41, 199])
    assert topics["/cloud"].read(["is_dense"], some).rows.tolist() == some.tolist()
    assert topics["/cloud"].read(["fields[].name"]).columns["fields[].name"].strings() == list("xyz") * COUNT
    positions = topics["/joints"].read(["position[]"]).columns["position[]"].table()
    assert positions is not None
    np.testing.assert_allclose(positions[:, 1], 1 + np.arange(COUNT) / 10)
    said = topics["/words"].read(["data"]).columns["data"].strings()
    assert said == ["long " * (i % 3) * 1000 + str(i) for i in range(COUNT)]
    for name in ("/left", "/right"):
        blobs = [bytes(blob) for blob in topics[name].blobs("data[]", np.arange(COUNT))]
        assert [int.from_bytes(blob[4:8], "little") for blob in blobs] == list(range(COUNT))
        assert {len(blob) for blob in blobs} == {204, 8004}
    assert [bytes(b)[0] for b in topics["/cloud"].blobs("data[]", some)] == some.tolist()
    contents.close()


@pytest.mark.parametrize("kept", [320 << 20, 300_000, 0])
@pytest.mark.parametrize("buffer", [128 << 20, 20_000, 0])
@pytest.mark.parametrize("chunked", [True, False])
def test_beginnings_say_what_the_messages_say_however_much_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, buffer: int, chunked: bool
) -> None:
    monkeypatch.setattr(chunk_file, "CHUNK_BUDGET", MemoryBudget(kept))
    monkeypatch.setattr(store, "PREFIXES_BYTES", buffer)
    check(write(tmp_path / "a.mcap", use_chunking=chunked, chunk_size=50_000))


@pytest.mark.parametrize(("kept", "more_per_camera"), [(0, 1), (320 << 20, 0)])
def test_stamps_of_all_streams_take_one_pass_and_cameras_none_but_where_there_is_no_room_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, more_per_camera: int
) -> None:
    monkeypatch.setattr(chunk_file, "CHUNK_BUDGET", MemoryBudget(kept))
    expanded = []
    expand = chunk_file.expand_into

    def counted(pool: BufferPool, kind: str, raw: Any, size: int, **more: Any) -> Array:
        expanded.append(size)
        return expand(pool, kind, raw, size, **more)

    monkeypatch.setattr(chunk_file, "expand_into", counted)
    path = write(tmp_path / "a.mcap", chunk_size=50_000)
    with path.open("rb") as file:
        chunks = len(walk(file, path.stat().st_size).blocks)
    assert chunks > 20
    (ref,) = registry.find([str(path)]).refs
    with registry.open(ref) as recording:
        at_opening = len(expanded)
        cameras = [recording.streams[name] for name in ("/left", "/right")]
        for stream in (*cameras, recording.streams["/joints:position"]):
            assert len(stream.times("capture_time")) == COUNT
        assert len(expanded) - at_opening <= chunks
        for done, camera in enumerate(cameras, 1):
            assert camera.kind == "image"
            assert sum(1 for _ in camera.take(np.arange(COUNT), "capture_time")) == COUNT
            assert len(expanded) - at_opening <= chunks * (1 + done * more_per_camera)


def test_what_is_kept_is_bounded_over_all_files_and_ends_with_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MemoryBudget(1000)
    with budget.at_most(10):
        assert (budget.reserve(budget, 10), budget.reserve(budget, 1), budget.most_bytes) == (True, False, 10)
        with budget.at_most(2000):
            assert budget.most_bytes == 10
    budget.release(budget)
    assert budget.most_bytes == 1000
    first, second = BufferPool(), BufferPool()
    assert budget.reserve(first, 600)
    assert not budget.reserve(second, 600)
    assert budget.reserve(second, 400)
    budget.release(first)
    assert budget.reserve(second, 600)
    assert not budget.reserve(first, 1)
    del second
    gc.collect()
    assert budget.reserved_bytes == 0

    monkeypatch.setattr(chunk_file, "CHUNK_BUDGET", kept := MemoryBudget(320 << 20))
    for number in range(3):
        contents = source.contents(str(write(tmp_path / f"{number}.mcap")), False)
        assert all(topic.count == COUNT for topic in contents.topics)
        assert list(contents.topics[0].times("publish_time"))
        assert kept.reserved_bytes > 0
        contents.close()
        assert kept.reserved_bytes == 0
