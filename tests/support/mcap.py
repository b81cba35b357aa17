"""Recordings of ROS messages by others' writers: bytes of messages by rosbags, containers by mcap and rosbags."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

START_NS = 1_700_000_000_000_000_000
NAMES = ("shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class Said:
    """One message: a rosbags message object of `type`, and when it was recorded and sent."""

    topic: str
    type: str
    value: Any
    log_ns: int
    publish_ns: int


FFMPEG_PACKET = "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"
_FFMPEG_ROS1 = """
std_msgs/Header header
int32 img_width
int32 img_height
string encoding
uint64 pts
uint8 flags
uint8[] data
"""
_FFMPEG_ROS2 = """
std_msgs/Header header
int32 width
int32 height
string encoding
uint64 pts
uint8 flags
bool is_bigendian
uint8[] data
"""


@cache
def typestore(ros1: bool = False) -> Any:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(_FFMPEG_ROS1 if ros1 else _FFMPEG_ROS2, FFMPEG_PACKET))
    return store


def make(name: str, *values: Any, ros1: bool = False) -> Any:
    """A message of `name` (`sensor_msgs/msg/JointState`) from its fields in order."""
    return typestore(ros1).types[name](*values)


def header(stamp_ns: int, frame: str = "base", ros1: bool = False) -> Any:
    stamp = make("builtin_interfaces/msg/Time", *divmod(stamp_ns, 10**9), ros1=ros1)
    fields = (0, stamp, frame) if ros1 else (stamp, frame)
    return make("std_msgs/msg/Header", *fields, ros1=ros1)


def joints(i: int, stamp_ns: int, ros1: bool = False, names: Iterable[str] = NAMES) -> Any:
    names = list(names)
    position = np.arange(len(names)) + i / 10
    parts = (names, position, position * 2, np.zeros(0))
    return make("sensor_msgs/msg/JointState", header(stamp_ns, ros1=ros1), *parts, ros1=ros1)


def coded_picture(stamp_ns: int, data: bytes, coding: str = "jpeg", ros1: bool = False) -> Any:
    parts = (header(stamp_ns, ros1=ros1), coding, np.frombuffer(data, np.uint8))
    return make("sensor_msgs/msg/CompressedImage", *parts, ros1=ros1)


def ffmpeg_packet(
    stamp_ns: int, data: bytes, encoding: str, pts: int, *, size: tuple[int, int], ros1: bool = False
) -> Any:
    """A packet as ffmpeg_image_transport sends it, a keyframe every ten."""
    order = () if ros1 else (False,)
    parts = (header(stamp_ns, ros1=ros1), *size, encoding, pts, int(pts % 10 == 0), *order)
    return make(FFMPEG_PACKET, *parts, np.frombuffer(data, np.uint8), ros1=ros1)


def text(value: str, ros1: bool = False) -> Any:
    return make("std_msgs/msg/String", value, ros1=ros1)


def some_messages(count: int = 20, ros1: bool = False, start_ns: int = START_NS) -> Iterator[Said]:
    """Joints at 100 Hz, every tenth with a text of its own."""
    for i in range(count):
        sent = start_ns + i * 10_000_000
        logged = sent + 1_000_000
        yield Said("/joints", "sensor_msgs/msg/JointState", joints(i, sent - 2_000_000, ros1), logged, sent)
        if i % 10 == 0:
            yield Said("/task", "std_msgs/msg/String", text(f"pick {i}", ros1), logged, sent)


def write_mcap(path: Path, said: Iterable[Said], **options: Any) -> Path:
    """CDR in a file of the mcap package; options as its Writer has them."""
    from mcap.writer import Writer

    path.parent.mkdir(parents=True, exist_ok=True)
    store, channels = typestore(), {}
    with path.open("wb") as file:
        writer = Writer(file, **options)
        writer.start(profile="ros2", library="test")
        for one in said:
            if one.topic not in channels:
                definition = store.generate_msgdef(one.type, ros_version=2)[0].encode()
                schema = writer.register_schema(one.type, "ros2msg", definition)
                channels[one.topic] = writer.register_channel(one.topic, "cdr", schema)
            data = bytes(store.serialize_cdr(one.value, one.type))
            writer.add_message(channels[one.topic], one.log_ns, data, one.publish_ns)
        writer.finish()
    return path


def write_bag(path: Path, said: Iterable[Said], compression: str = "") -> Path:
    """A ROS 1 bag of rosbags' writer; compression "", "bz2" or "lz4". Messages are those of ROS 1."""
    from rosbags.rosbag1 import Writer

    path.parent.mkdir(parents=True, exist_ok=True)
    store, connections = typestore(ros1=True), {}
    writer = Writer(path)
    if compression:
        writer.set_compression(Writer.CompressionFormat[compression.upper()])
    with writer:
        for one in said:
            if one.topic not in connections:
                connections[one.topic] = writer.add_connection(one.topic, one.type, typestore=store)
            data = store.serialize_ros1(one.value, one.type)
            writer.write(connections[one.topic], one.log_ns, data)
    return path


def write_rosbag2(folder: Path, said: Iterable[Said], storage: str = "sqlite3", compression: str = "") -> Path:
    """A folder with metadata.yaml of rosbags' writer; storage "sqlite3" or "mcap", compression "file" or "message"."""
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    store, connections = typestore(), {}
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if compression:
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        for one in said:
            if one.topic not in connections:
                connections[one.topic] = writer.add_connection(one.topic, one.type, typestore=store)
            writer.write(connections[one.topic], one.log_ns, bytes(store.serialize_cdr(one.value, one.type)))
    return folder
