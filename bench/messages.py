"""Messages of ROS 2 in MCAP files, read by telecine, by `mcap` with `mcap-ros2-support`, by `rosbags`, and barely.

`python bench/messages.py make KIND FILE SECONDS` writes a recording (`state`: 4 topics at 1 kHz; `camera`: three
cameras and joints; `jpeg`: two small cameras that show something, and joints; `json`: 35 topics at 50 Hz), `python
bench/messages.py read READER FILE` prints what reading all of it took, imports left out. Bare reading is: read the
chunks, decompress them, nothing else; `checked` computes their checksums as well.
"""

import json
import resource
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

START_NS = 1_700_000_000_000_000_000
PICTURE_BYTES = 70_000
STATE = {
    "/joint_states": "sensor_msgs/msg/JointState",
    "/command": "std_msgs/msg/Float64MultiArray",
    "/ee_pose": "geometry_msgs/msg/PoseStamped",
    "/wrench": "geometry_msgs/msg/WrenchStamped",
}


JSON_TOPICS = 35


def make_json(path: Path, seconds: int) -> None:
    """Joints, a temperature and a mode in every message; 10 seconds are 3.5 MB of text."""
    from mcap.writer import Writer

    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(library="telecine-bench")
        channels = [writer.register_channel(f"/robot/part_{k:02}", "json", 0) for k in range(JSON_TOPICS)]
        for i in range(seconds * 50):
            stamp = START_NS + i * 20_000_000
            for k, channel in enumerate(channels):
                values = [round(0.001 * i + j, 4) for j in range(6)]
                said = {"timestamp": {"sec": stamp // 10**9, "nsec": stamp % 10**9}, "position": values,
                        "velocity": values[::-1], "temperature": 31.5 + k, "mode": "run"}  # fmt: skip
                writer.add_message(channel, stamp, json.dumps(said).encode(), stamp)
        writer.finish()


def make(kind: str, path: Path, seconds: int) -> None:
    """Messages serialised by rosbags, in a file by the mcap package with its defaults (zstd, chunks of 1 MB)."""
    from mcap.writer import Writer

    if kind == "json":
        make_json(path, seconds)
        return
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    channels: dict[str, int] = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2", library="telecine-bench")
        for topic, name, value, stamp in {"state": state, "camera": cameras, "jpeg": small_cameras}[kind](
            store, seconds
        ):
            if topic not in channels:
                text = store.generate_msgdef(name, ros_version=2)[0].encode()
                channels[topic] = writer.register_channel(topic, "cdr", writer.register_schema(name, "ros2msg", text))
            data = bytes(store.serialize_cdr(value, name))
            writer.add_message(channels[topic], stamp + 200_000, data, stamp)
        writer.finish()


def header(store: Any, stamp: int) -> Any:
    time_of = store.types["builtin_interfaces/msg/Time"](*divmod(stamp, 10**9))
    return store.types["std_msgs/msg/Header"](time_of, "base")


def joints(store: Any, stamp: int, values: Any) -> Any:
    names = [f"joint_{k}" for k in range(len(values))]
    return store.types[STATE["/joint_states"]](header(store, stamp), names, values, values / 2, values / 10)


def state(store: Any, seconds: int) -> Any:
    make = store.types
    layout = make["std_msgs/msg/MultiArrayLayout"]([], 0)
    for i in range(seconds * 1000):
        stamp = START_NS + i * 1_000_000
        values = np.round(np.sin(i / 1000 + np.arange(8)), 3)
        point = make["geometry_msgs/msg/Point"](*values[:3])
        pose = make["geometry_msgs/msg/Pose"](point, make["geometry_msgs/msg/Quaternion"](*values[:4]))
        vectors = [make["geometry_msgs/msg/Vector3"](*values[k : k + 3]) for k in (0, 3)]
        said = {
            "/joint_states": joints(store, stamp, values),
            "/command": make[STATE["/command"]](layout, values),
            "/ee_pose": make[STATE["/ee_pose"]](header(store, stamp), pose),
            "/wrench": make[STATE["/wrench"]](header(store, stamp), make["geometry_msgs/msg/Wrench"](*vectors)),
        }
        for topic, value in said.items():
            yield topic, STATE[topic], value, stamp


def cameras(store: Any, seconds: int) -> Any:
    """Pictures begin like JPEGs and are random bytes, which compress as little."""
    chance = np.random.default_rng(0)
    name = "sensor_msgs/msg/CompressedImage"
    for i in range(seconds * 500):
        stamp = START_NS + i * 2_000_000
        yield "/joint_states", STATE["/joint_states"], joints(store, stamp, np.sin(i / 500 + np.arange(8))), stamp
        if i * 30 // 500 != (i + 1) * 30 // 500:
            for camera in ("front", "left", "right"):
                data = chance.integers(0, 256, PICTURE_BYTES, np.uint8)
                data[:4] = 0xFF, 0xD8, 0xFF, 0xE0
                yield f"/{camera}/compressed", name, store.types[name](header(store, stamp), "jpeg", data), stamp


def small_cameras(store: Any, seconds: int) -> Any:
    """Two cameras of 320x240 that show a scene, at 30 Hz, and joints at 50 Hz."""
    from pictures import small_jpegs

    name = "sensor_msgs/msg/CompressedImage"
    pictures = small_jpegs(seconds)
    for i in range(seconds * 150):
        stamp = START_NS + i * 10**9 // 150
        if i % 3 == 0:
            yield "/joint_states", STATE["/joint_states"], joints(store, stamp, np.sin(i / 150 + np.arange(8))), stamp
        if i % 5 == 0:
            for camera, made in pictures.items():
                value = store.types[name](header(store, stamp), "jpeg", np.frombuffer(made[i // 5], np.uint8))
                yield f"/{camera}/compressed", name, value, stamp


def bare(path: str, check: bool = False) -> int:
    import zstandard

    from telecine.sources.mcap.records import walk

    decompressor = zstandard.ZstdDecompressor()
    with open(path, "rb") as file:  # noqa: PTH123
        total = 0
        for block in walk(file, Path(path).stat().st_size).blocks:
            file.seek(block.at)
            raw = decompressor.decompress(file.read(block.stored_bytes), max_output_size=block.size_bytes)
            total += zlib.crc32(raw) % 2 if check else len(raw)
    return total


def checked(path: str) -> int:
    return bare(path, check=True)


def telecine(path: str) -> int:
    """Every leaf of every message that is no picture as a column, then every picture as bytes, camera by camera.

    That is the order in which `convert` reads: stamps decide what is needed before any picture is coded.
    """
    from telecine.sources.mcap import source as mcap

    contents, cameras, total = mcap.contents(path, False), [], 0
    for topic in contents.topics:
        plain = [leaf.path for leaf in topic.leaves if leaf.path != "data[]" or leaf.dtype != "uint8"]
        total += len(topic.read(plain).rows)
        cameras += [topic] if len(plain) < len(topic.leaves) else []
    for topic in cameras:
        total -= sum(1 for blob in topic.blobs("data[]", np.arange(topic.count)) if not len(blob))
    contents.close()
    return total


def one_camera(path: str) -> int:
    """One of the cameras, and nothing else."""
    from telecine.sources.mcap import source as mcap

    contents = mcap.contents(path, False)
    topic = next(topic for topic in contents.topics if topic.type.endswith("CompressedImage"))
    return sum(1 for blob in topic.blobs("data[]", np.arange(topic.count)) if len(blob))


def mcap_ros2(path: str) -> int:
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    with open(path, "rb") as file:  # noqa: PTH123
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        return sum(1 for _ in reader.iter_decoded_messages())


def rosbags(path: str) -> int:
    from rosbags.highlevel import AnyReader

    with AnyReader([Path(path)]) as reader:
        return sum(1 for c, _, raw in reader.messages() if reader.deserialize(raw, c.msgtype) is not None)


def inspected(path: str) -> int:
    """What `inspect` does with a recording."""
    from telecine.inspection.recordings import inspect_many

    return sum(len(recording.streams) for recording in inspect_many([path]).recordings)


READERS: dict[str, Callable[[str], int]] = {
    "bare": bare,
    "checked": checked,
    "telecine": telecine,
    "one_camera": one_camera,
    "inspected": inspected,
    "mcap_ros2": mcap_ros2,
    "rosbags": rosbags,
}


def import_all() -> None:
    """Imports are no part of the measurement."""
    import lz4.frame
    import mcap.reader
    import mcap_ros2.decoder
    import rosbags.highlevel
    import zstandard

    import telecine.sources.mcap.source

    del lz4, mcap, mcap_ros2, rosbags, zstandard, telecine


def anonymous_bytes() -> int:
    """Resident memory that is no mapped file."""
    facts = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in facts if line.startswith("RssAnon"))


def read(reader: str, path: str) -> None:
    import_all()
    start = time.process_time()
    count = READERS[reader](path)
    took = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"cpu_s": took, "count": count, "peak_bytes": peak, "heap_bytes": anonymous_bytes()}))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        read(sys.argv[2], sys.argv[3])
