"""ROS 1 bags, .db3 files and rosbag2 folders keep the contract of sources, and hold the same as an MCAP file."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.mcap import START_NS, some_messages, typestore, write_bag, write_mcap, write_rosbag2
from telecine.sources import registry
from telecine.sources.rosbag import source as rosbag
from telecine.testing import FileSourceContract, SourceContract, read_all


class TestBag(FileSourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, mcap: ModuleType) -> Sequence[str]:
        write_bag(tmp_path / "in" / "take_10.bag", some_messages(20, ros1=True), "bz2")
        write_bag(tmp_path / "in" / "take_9.bag", some_messages(3, ros1=True, start_ns=START_NS + 7))
        return [str(tmp_path / "in")]


class TestDb3(FileSourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, mcap: ModuleType) -> Sequence[str]:
        (tmp_path / "in").mkdir()
        for name, count in (("take_10", 20), ("take_9", 3)):
            folder = write_rosbag2(tmp_path / name, some_messages(count))
            shutil.move(folder / f"{name}.db3", tmp_path / "in")
        return [str(tmp_path / "in")]


class TestRosbag2Folder(SourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, mcap: ModuleType) -> Sequence[str]:
        write_rosbag2(tmp_path / "in" / "take_10", some_messages(20), "mcap")
        write_rosbag2(tmp_path / "in" / "take_9", some_messages(3), compression="file")
        return [str(tmp_path / "in")]


def read(path: Path) -> dict[str, Any]:
    (ref,) = registry.find([path]).refs
    with registry.open(ref) as recording:
        return read_all(recording)


def test_all_containers_hold_the_same(tmp_path: Path, mcap: ModuleType) -> None:
    said = [replace(one, publish_ns=one.log_ns) for one in some_messages()]  # the only time a bag has
    expected = read(write_mcap(tmp_path / "a.mcap", said))
    for storage in ("sqlite3", "mcap"):
        for compression in ("", "file", "message") if storage == "sqlite3" else ("", "file"):
            folder = tmp_path / f"{storage}-{compression}"
            assert read(write_rosbag2(folder, some_messages(), storage, compression)) == expected
    for compression in ("", "bz2", "lz4"):
        bag = read(write_bag(tmp_path / f"{compression}.bag", some_messages(ros1=True), compression))
        assert {name: bag[name] for name in expected} == expected


def test_parts_of_a_split_recording_are_one(tmp_path: Path, mcap: ModuleType) -> None:
    said = list(some_messages(40))
    whole = read(write_mcap(tmp_path / "whole.mcap", said))
    folder = tmp_path / "split"
    write_mcap(folder / "split_0.mcap", said[:20])
    write_mcap(folder / "split_1.mcap", said[20:])
    (folder / "metadata.yaml").write_text(_METADATA, encoding="utf-8")
    assert read(folder) == whole


def test_a_missing_part_is_named(tmp_path: Path, mcap: ModuleType) -> None:
    folder = tmp_path / "split"
    write_mcap(folder / "split_1.mcap", some_messages())
    (folder / "metadata.yaml").write_text(_METADATA, encoding="utf-8")
    found = registry.find([folder])
    assert [(f.code, f.severity) for f in found.findings] == [("source-part-missing", "warning")]
    assert "split_0.mcap" in found.findings[0].message
    assert len(found.refs) == 1


def test_a_file_that_the_metadata_does_not_name_is_a_recording_too(tmp_path: Path, mcap: ModuleType) -> None:
    folder = tmp_path / "split"
    for name in ("split_0", "split_1", "extra"):
        write_mcap(folder / f"{name}.mcap", some_messages())
    (folder / "metadata.yaml").write_text(_METADATA, encoding="utf-8")
    assert [Path(ref.path).name for ref in registry.find([tmp_path]).refs] == ["split", "extra.mcap"]


def test_a_part_named_by_itself_is_read_by_itself(tmp_path: Path, mcap: ModuleType) -> None:
    folder = tmp_path / "split"
    part = write_mcap(folder / "split_1.mcap", some_messages())
    (folder / "metadata.yaml").write_text(_METADATA, encoding="utf-8")
    (ref,) = registry.find([part]).refs
    assert ref.format == "mcap"


_METADATA = """rosbag2_bagfile_information:
  version: 9
  storage_identifier: mcap
  relative_file_paths:
    - split/split_0.mcap
    - split/split_1.mcap
"""


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("zeros", [1, 4, 49, 70_000])
def test_zeros_in_front_of_the_index_cost_nothing_and_are_said(
    tmp_path: Path, mcap: ModuleType, zeros: int, moved: bool
) -> None:
    """Zeros stay where a recorder that crashed had reserved the space."""
    path = write_bag(tmp_path / "a.bag", some_messages(ros1=True))
    data = bytearray(path.read_bytes())
    place = data.index(b"index_pos=") + len(b"index_pos=")
    index = int.from_bytes(data[place : place + 8], "little")
    if moved:
        data[place : place + 8] = (index + zeros).to_bytes(8, "little")
    data[index:index] = bytes(zeros)
    path.write_bytes(data)
    found = rosbag.index(str(path), recover=False)
    assert (len(found.refs), found.findings) == (1, ())
    with rosbag.open(found.refs[0]) as recording:
        assert recording.streams["/joints:position"].times("log_time").size == 20
        ((code, text),) = recording.notes
    assert (code, text.partition(" ")[0]) == ("source-assumed", str(zeros))


@pytest.mark.parametrize("unused_bytes", [4_000, 5_000, 900_000])
def test_headers_of_any_length_are_read_whole(tmp_path: Path, mcap: ModuleType, unused_bytes: int) -> None:
    """The format lets writers add fields to a header."""
    path = write_bag(tmp_path / "a.bag", some_messages(ros1=True))
    whole = path.read_bytes()
    chunk = whole.index(b"op=\5") - 8
    field = b"more=" + bytes(unused_bytes)
    size = int.from_bytes(whole[chunk : chunk + 4], "little") + 4 + len(field)
    more = size.to_bytes(4, "little") + len(field).to_bytes(4, "little") + field
    data = bytearray(whole[:chunk] + more + whole[chunk + 4 :])
    place = data.index(b"index_pos=") + len(b"index_pos=")
    index = int.from_bytes(data[place : place + 8], "little") + 4 + len(field)
    data[place : place + 8] = index.to_bytes(8, "little")
    path.write_bytes(data)
    found = rosbag.index(str(path), recover=False)
    assert (len(found.refs), found.findings) == (1, ())
    with rosbag.open(found.refs[0]) as recording:
        assert recording.streams["/joints:position"].times("log_time").size == 20


@pytest.mark.parametrize(("tail", "readable"), [(4, True), (64, True), (65, False)])
def test_bytes_behind_the_last_field_are_unused_and_said(
    tmp_path: Path, mcap: ModuleType, tail: int, readable: bool
) -> None:
    from rosbags.rosbag1 import Writer

    store, path = typestore(ros1=True), tmp_path / "a.bag"
    with Writer(path) as writer:
        for said in some_messages(ros1=True):
            if said.topic == "/joints":
                connection = next(iter(writer.connections), None) or writer.add_connection(
                    said.topic, said.type, typestore=store
                )
                data = bytes(store.serialize_ros1(said.value, said.type)) + b"\7" * tail
                writer.write(connection, said.log_ns, data)
    with rosbag.open(rosbag.index(str(path), recover=False).refs[0]) as recording:
        if readable:
            remarks = recording.streams["/joints:position"].remarks()
            text = f"20 of 20 messages have up to {tail} unused bytes behind their last field"
            assert remarks == (("source-messages", text),)
        else:
            assert not recording.streams
            ((name, why),) = [(item.stream, item.why) for item in recording.left_out]
            assert name == "/joints"
            assert "it is longer than its type" in why


def test_the_same_content_as_mcap_db3_and_bag_gives_equal_datasets(tmp_path: Path, mcap: ModuleType) -> None:
    from telecine import convert, make_plan
    from telecine.dataset.reader import Dataset

    body = {
        "fps": 50,
        "clock": {"timeline": "capture_time"},
        "features": {"observation.state": "/joints:position", "action": {"from": "/joints:position", "shift": 1}},
        "task": {"from": "/task:data"},
    }
    write_mcap(tmp_path / "mcap" / "a.mcap", some_messages(40))
    write_rosbag2(tmp_path / "db3", some_messages(40))
    write_bag(tmp_path / "bag" / "a.bag", some_messages(40, ros1=True))
    tables = []
    for form in ("mcap", "db3", "bag"):
        report = convert([tmp_path / form], tmp_path / f"out_{form}", make_plan(body))
        assert report.ok, report.rejected
        tables.append(Dataset(tmp_path / f"out_{form}").rows(0))
    assert tables[0].num_rows > 15
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
