"""Teleoperation of a small robot as messages, by others' writers: a camera, joints, commands, a task.

Every message carries the stamp of its measurement and is recorded later, each topic by its own latency. Element `time`
of joints and commands is the seconds since START_NS at which they were measured, and every other message lists its
joints in the other order. Pictures carry their number.
"""

import base64
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from support.mcap import FFMPEG_PACKET, START_NS, Said, coded_picture, ffmpeg_packet, header, make, text, typestore
from support.memory import every
from support.pictures import draw_frame_id, to_jpeg
from support.robot import jittered
from support.video import svtav1, x264, x265

SIZE = (96, 64)
LATENCY = {"/camera/front": 35_000_000, "/joint_states": 1_500_000, "/leader/joint_states": 900_000, "/task": 0}
NAMES = ("time", "sin")


@dataclass(frozen=True)
class Teleop:
    """What was done: stamps in ns from START_NS."""

    frames: Any
    states: Any
    actions: Any
    episode: int = 0
    start_ns: int = START_NS

    @property
    def pictures(self) -> list[np.ndarray]:
        """(height, width, 3) uint8 each."""
        return [draw_frame_id(i, self.episode, 0, *SIZE) for i in range(len(self.frames))]


def teleop(count: int = 40, episode: int = 0) -> Teleop:
    """`count` pictures at 30 fps with jitter, joints at 200 Hz, commands at 50 Hz."""
    frames = jittered(count, seed=episode)
    stop_s = float(frames[-1]) / 1e9 + 0.3
    return Teleop(frames, every(200, stop_s, 0.2), every(50, stop_s, 0.2013), episode)


def _values(time_ns: int) -> tuple[float, float]:
    return time_ns / 1e9, float(np.sin(time_ns / 1e9))


def _ordered(i: int, time_ns: int) -> tuple[list[str], list[float]]:
    """Names and values of joints, every other message in the other order."""
    step = 1 if i % 2 == 0 else -1
    return list(NAMES)[::step], list(_values(time_ns))[::step]


CODERS = {
    "h264": lambda done: x264(len(done.frames), episode=done.episode, size=SIZE),
    "h265": lambda done: x265(len(done.frames), episode=done.episode, size=SIZE),
    "av1": lambda done: svtav1(len(done.frames), params="pred-struct=1", episode=done.episode, size=SIZE),
    "jpeg": lambda done: map(to_jpeg, done.pictures),
}


def said(done: Teleop, ros1: bool = False, coding: str = "jpeg", packets: str = "") -> list[Said]:
    """The messages in the order they were recorded; packets: FFMPEGPackets, what they say of their encoding."""
    out: list[Said] = []

    def add(topic: str, kind: str, value: Any, time_ns: int) -> None:
        stamp = done.start_ns + int(time_ns)
        out.append(Said(topic, kind, value, stamp + LATENCY[topic], stamp))

    for topic, times in (("/joint_states", done.states), ("/leader/joint_states", done.actions)):
        for i, time in enumerate(times.tolist()):
            names, values = _ordered(i, time)
            numbers = (names, np.array(values), np.zeros(0), np.zeros(0))
            stamp = header(done.start_ns + time, ros1=ros1)
            message = make("sensor_msgs/msg/JointState", stamp, *numbers, ros1=ros1)
            add(topic, "sensor_msgs/msg/JointState", message, time)
    for number, (time, data) in enumerate(zip(done.frames.tolist(), CODERS[coding](done), strict=True)):
        stamp = done.start_ns + time
        if packets:
            message = ffmpeg_packet(stamp, bytes(data), packets, number, size=SIZE, ros1=ros1)
            add("/camera/front", FFMPEG_PACKET, message, time)
        else:
            message = coded_picture(stamp, bytes(data), coding, ros1)
            add("/camera/front", "sensor_msgs/msg/CompressedImage", message, time)
    add("/task", "std_msgs/msg/String", text(f"task {done.episode}", ros1), int(done.states[0]))
    return sorted(out, key=lambda one: one.log_ns)


def write_by_ros2_support(path: Path, done: Teleop) -> Path:
    """CDR by mcap-ros2-support, which has a coder of its own."""
    from mcap_ros2.writer import Writer

    store, schemas = typestore(), {}
    with path.open("wb") as file:
        writer = Writer(file)
        for one in said(done):
            if one.type not in schemas:
                definition = store.generate_msgdef(one.type, ros_version=2)[0]
                schemas[one.type] = writer.register_msgdef(one.type, definition)
            writer.write_message(one.topic, schemas[one.type], _plain(one.value), one.log_ns, one.publish_ns)
        writer.finish()
    return path


def _plain(value: Any) -> Any:
    """A message of rosbags as dicts and lists."""
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.dtype == np.uint8 else value.tolist()
    return value


def write_foxglove(path: Path, done: Teleop, coding: str = "jpeg") -> Path:
    """Protobuf of Foxglove's own types, by foxglove-sdk."""
    import foxglove
    from foxglove import channels, messages

    def stamp(time_ns: int) -> Any:
        return messages.Timestamp(*divmod(done.start_ns + time_ns, 10**9))

    context = foxglove.Context()
    with foxglove.open_mcap(str(path), context=context):
        video = coding != "jpeg"
        camera = (channels.CompressedVideoChannel if video else channels.CompressedImageChannel)(
            "/camera/front", context=context
        )
        task = foxglove.Channel("/task", schema=_JSON_TEXT, context=context)
        task.log({"text": f"task {done.episode}"}, log_time=done.start_ns + int(done.states[0]))
        for topic, times in (("/joint_states", done.states), ("/leader/joint_states", done.actions)):
            joints = channels.JointStatesChannel(topic, context=context)
            for i, time in enumerate(times.tolist()):
                parts = [messages.JointState(name=n, position=v) for n, v in zip(*_ordered(i, time), strict=True)]
                message = messages.JointStates(timestamp=stamp(time), joints=parts)
                joints.log(message, log_time=done.start_ns + time + LATENCY[topic])
        kind = messages.CompressedVideo if video else messages.CompressedImage
        for time, data in zip(done.frames.tolist(), CODERS[coding](done), strict=True):
            message = kind(timestamp=stamp(time), data=bytes(data), format=coding)
            camera.log(message, log_time=done.start_ns + time + LATENCY["/camera/front"])
    return path


_JSON_TEXT = {"type": "object", "title": "Task", "properties": {"text": {"type": "string"}}}
_JSON_TIME = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}
_JSON_JOINTS = {
    "type": "object",
    "title": "Joints",
    "properties": {
        "timestamp": _JSON_TIME,
        "name": {"type": "array", "items": {"type": "string"}},
        "position": {"type": "array", "items": {"type": "number"}},
    },
}
_JSON_IMAGE = {
    "type": "object",
    "title": "foxglove.CompressedImage",
    "properties": {
        "timestamp": _JSON_TIME,
        "format": {"type": "string"},
        "data": {"type": "string", "contentEncoding": "base64"},
    },
}


def write_json(path: Path, done: Teleop) -> Path:
    """JSON with schemas, by foxglove-sdk."""
    import foxglove

    def stamp(time_ns: int) -> dict[str, int]:
        seconds, nanos = divmod(done.start_ns + time_ns, 10**9)
        return {"sec": seconds, "nsec": nanos}

    context = foxglove.Context()
    with foxglove.open_mcap(str(path), context=context):
        task = foxglove.Channel("/task", schema=_JSON_TEXT, context=context)
        task.log({"text": f"task {done.episode}"}, log_time=done.start_ns + int(done.states[0]))
        for topic, times in (("/joint_states", done.states), ("/leader/joint_states", done.actions)):
            joints = foxglove.Channel(topic, schema=_JSON_JOINTS, context=context)
            for i, time in enumerate(times.tolist()):
                names, values = _ordered(i, time)
                message = {"timestamp": stamp(time), "name": names, "position": values}
                joints.log(message, log_time=done.start_ns + time + LATENCY[topic])
        camera = foxglove.Channel("/camera/front", schema=_JSON_IMAGE, context=context)
        for time, picture in zip(done.frames.tolist(), done.pictures, strict=True):
            data = base64.b64encode(to_jpeg(picture)).decode()
            message = {"timestamp": stamp(time), "format": "jpeg", "data": data}
            camera.log(message, log_time=done.start_ns + time + LATENCY["/camera/front"])
    return path
