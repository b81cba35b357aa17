"""Damaged .mcap, .bag and .db3 files: complete data or a named error, quickly and in bounded memory."""

import random
import resource
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mcap import START_NS, joints, some_messages, typestore, write_bag, write_mcap, write_rosbag2
from telecine.core.errors import SourceError
from telecine.sources.mcap import source as mcap_format
from telecine.sources.messages.decoding import types
from telecine.sources.messages.decoding.cdr import Asked, decode_cdr, decode_ros1
from telecine.sources.messages.model import Contents
from telecine.sources.rosbag import source as rosbag
from telecine.sources.rosbag2 import source as rosbag2

MUTATIONS = 120
MOST_BYTES = 64 << 20
"""What reading a damaged file of a few KB may take at once."""


def everything(contents: Contents) -> dict[str, list[int]]:
    """Log times of the messages that could be decoded, by topic."""
    found: dict[str, list[int]] = {}
    try:
        for topic in contents.topics:
            topic.times("publish_time")
            if not topic.unreadable:
                rows = topic.read([leaf.path for leaf in topic.leaves]).rows
                found[topic.name] = topic.times("log_time")[rows].tolist()
    finally:
        contents.close()
    return found


def attempt(form: Any, path: Path, recover: bool) -> dict[str, list[int]] | None:
    """What can be read, None after a named error; anything else that is raised fails the test."""
    try:
        found = form.index(str(path), recover=recover)
        if not found.refs:
            assert [finding for finding in found.findings if finding.severity == "error"]
            return None
        return everything(form.contents(str(path), recover))
    except SourceError:
        return None


def damaged(whole: bytes, seed: int) -> Iterator[bytes]:
    """The same file with bytes changed, cut out, doubled, or numbers made huge."""
    chance = random.Random(seed)
    for turn in range(MUTATIONS):
        data = bytearray(whole)
        at = chance.randrange(len(data))
        match turn % 5:
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + 8] = b"\xff" * min(8, len(data) - at)
            case 2:
                del data[at : at + chance.randrange(1, 40)]
            case 3:
                data[at:at] = data[max(at - 50, 0) : at]
            case _:
                for _ in range(20):
                    data[chance.randrange(len(data))] = chance.randrange(256)
        yield bytes(data)


def makers() -> dict[str, Any]:
    from mcap.writer import CompressionType

    return {
        "zstd": (mcap_format, lambda p: write_mcap(p, some_messages(30), chunk_size=1500)),
        "lz4": (mcap_format, lambda p: write_mcap(p, some_messages(30), compression=CompressionType.LZ4)),
        "no-crc": (mcap_format, lambda p: write_mcap(p, some_messages(30), chunk_size=1500, enable_crcs=False)),
        "unchunked": (mcap_format, lambda p: write_mcap(p, some_messages(30), use_chunking=False)),
        "bag": (rosbag, lambda p: write_bag(p, some_messages(30, ros1=True))),
        "bag-bz2": (rosbag, lambda p: write_bag(p, some_messages(30, ros1=True), "bz2")),
        "db3": (rosbag2, lambda p: write_rosbag2(p.parent / "bag", some_messages(30)) / "bag.db3"),
    }


@pytest.mark.parametrize("how", ["zstd", "lz4", "no-crc", "unchunked", "bag", "bag-bz2", "db3"])
def test_changed_bytes_give_whole_messages_or_a_named_error(tmp_path: Path, mcap: ModuleType, how: str) -> None:
    form, make = makers()[how]
    path = make(tmp_path / "whole.file")
    whole, good = path.read_bytes(), attempt(form, path, False)
    assert good is not None
    broken = tmp_path / "broken.file"
    tracemalloc.start()
    try:
        for seed, data in enumerate(damaged(whole, seed=len(how))):
            broken.write_bytes(data)
            attempt(form, broken, recover=seed % 2 == 0)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert attempt(form, path, False) == good


@pytest.mark.long
@pytest.mark.parametrize("how", ["zstd", "lz4", "no-crc", "unchunked", "bag", "bag-bz2", "db3"])
def test_thousands_of_changed_files(tmp_path: Path, mcap: ModuleType, how: str) -> None:
    form, make = makers()[how]
    whole, broken = make(tmp_path / "whole.file").read_bytes(), tmp_path / "broken.file"
    for seed in range(20):
        for turn, data in enumerate(damaged(whole, seed)):
            broken.write_bytes(data)
            attempt(form, broken, recover=turn % 2 == 0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20  # KB


def test_a_flipped_bit_in_a_chunk_with_a_checksum_is_noticed_wherever_it_is(tmp_path: Path, mcap: ModuleType) -> None:
    from telecine.sources.mcap.records import walk

    path = write_mcap(tmp_path / "a.mcap", some_messages(30), chunk_size=1500)
    whole, good = path.read_bytes(), attempt(mcap_format, path, False)
    assert good is not None
    with path.open("rb") as file:
        block = walk(file, len(whole)).blocks[1]
    for at in range(block.at, block.at + block.stored_bytes, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        assert attempt(mcap_format, path, False) is None
        saved = attempt(mcap_format, path, True)
        assert saved is not None
        assert 0 < len(saved["/joints"]) < len(good["/joints"])


@pytest.mark.parametrize("how", ["zstd", "lz4", "unchunked", "bag", "bag-bz2"])
def test_recover_gives_every_message_before_the_cut(tmp_path: Path, mcap: ModuleType, how: str) -> None:
    form, make = makers()[how]
    path = make(tmp_path / "whole.file")
    whole, good = path.read_bytes(), attempt(form, path, False)
    assert good is not None
    last = -1
    for size in range(len(whole) // 4, len(whole), max(len(whole) // 40, 1)):
        path.write_bytes(whole[:size])
        saved = attempt(form, path, True)
        count = len(saved.get("/joints", ())) if saved else 0
        assert count == 0 or (saved is not None and saved["/joints"] == good["/joints"][:count])
        assert count >= last
        last = count
    assert last == len(good["/joints"])


def serialised(ros1: bool = False) -> tuple[Any, bytes]:
    store, name = typestore(ros1), "sensor_msgs/msg/JointState"
    root = types.tree(store.fielddefs, name)
    value = joints(3, START_NS, ros1)
    return root, bytes(store.serialize_ros1(value, name) if ros1 else store.serialize_cdr(value, name))


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6), st.integers(0, 200), st.booleans())
@settings(max_examples=300)
def test_no_message_of_any_bytes_breaks_the_decoder(changes: list[tuple[int, int]], cut: int, ros1: bool) -> None:
    pytest.importorskip("rosbags", reason="needs rosbags: pip install 'telecine[mcap]'")
    root, good = serialised(ros1)
    bad = bytearray(good)
    for at, value in changes:
        bad[at % len(bad)] = value
    messages = [good, bytes(bad[: max(len(bad) - cut, 0)]), good]
    sizes = np.array([len(one) for one in messages])
    data = np.frombuffer(b"".join(messages), np.uint8)
    asked = Asked([leaf.path for leaf in types.leaves(root)])
    answer = (decode_ros1 if ros1 else decode_cdr)(root, data, np.cumsum(sizes) - sizes, sizes, asked)
    assert {0, 2} <= set(answer.rows.tolist())
    assert set(answer.rows.tolist()) | set(answer.bad) == {0, 1, 2}
    last = len(answer.rows) - 1
    for column in answer.columns.values():
        assert len(column) == len(answer.rows)
        first, other = column.take(np.array([0])), column.take(np.array([last]))
        assert first.values.tobytes() == other.values.tobytes()
