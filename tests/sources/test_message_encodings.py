"""Messages in every encoding, written by others' writers; what cannot be read is named and hides nothing else."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from support.cli import telecine
from support.mcap import NAMES, START_NS, joints, make, typestore
from telecine.core.errors import SourceError
from telecine.sources import registry
from telecine.sources.format import MissingExtra
from telecine.sources.mcap import source as mcap_format
from telecine.sources.messages.model import Contents, Topic, header_stamps

JOINTS = "sensor_msgs/msg/JointState"


def write(path: Path, messages: list[tuple[str, str, str, bytes, bytes]], schema_encoding: str = "ros2msg") -> Contents:
    """(topic, message encoding, type, definition, payload) each, by the mcap package."""
    from mcap.writer import Writer

    channels: dict[str, int] = {}
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        for i, (topic, encoding, name, definition, payload) in enumerate(messages):
            if topic not in channels:
                schema = writer.register_schema(name, schema_encoding, definition)
                channels[topic] = writer.register_channel(topic, encoding, schema)
            writer.add_message(channels[topic], START_NS + i, payload, START_NS + i)
        writer.finish()
    return mcap_format.contents(str(path), False)


def definition(name: str = JOINTS) -> bytes:
    return str(typestore().generate_msgdef(name, ros_version=2)[0]).encode()


def one(contents: Contents) -> Topic:
    (topic,) = contents.topics
    return topic


def test_both_byte_orders_give_the_same(tmp_path: Path, mcap: ModuleType) -> None:
    value = joints(3, START_NS)
    payloads = [bytes(typestore().serialize_cdr(value, JOINTS, little_endian=little)) for little in (True, False)]
    contents = write(tmp_path / "a.mcap", [("/j", "cdr", JOINTS, definition(), payload) for payload in payloads])
    seen = one(contents).read(["position[]", "name[]", "header.stamp.sec"])
    assert seen.rows.tolist() == [0, 1]
    assert seen.columns["position[]"].values.tolist() == [0.3, 1.3, 2.3] * 2
    assert seen.columns["name[]"].strings() == [*NAMES, *NAMES]
    assert (header_stamps(one(contents)) == START_NS).all()
    contents.close()


def test_unused_bytes_behind_a_message_are_harmless(tmp_path: Path, mcap: ModuleType) -> None:
    payload = bytes(typestore().serialize_cdr(joints(1, START_NS), JOINTS)) + b"_index\0s"
    contents = write(tmp_path / "a.mcap", [("/j", "cdr", JOINTS, definition(), payload)])
    assert one(contents).read(["position[]"]).columns["position[]"].values.tolist() == [0.1, 1.1, 2.1]
    contents.close()


def test_empty_arrays_are_read_with_and_without_padding(tmp_path: Path, mcap: ModuleType) -> None:
    value = make(JOINTS, joints(0, START_NS).header, ["ab"], np.array([1.5]), np.zeros(0), np.array([2.5]))
    plain = bytes(typestore().serialize_cdr(value, JOINTS))
    at = plain.index(np.float64(1.5).tobytes()) + 8 + 4  # behind the count of velocity
    assert (at - 4) % 8 == 4
    padded = plain[:at] + b"\0\0\0\0" + plain[at : at + 4] + b"\0\0\0\0" + plain[at + 4 :]
    contents = write(tmp_path / "a.mcap", [("/j", "cdr", JOINTS, definition(), one) for one in (plain, padded)])
    seen = one(contents).read(["effort[]"])
    assert [seen.rows.tolist(), seen.columns["effort[]"].values.tolist()] == [[0, 1], [2.5, 2.5]]
    contents.close()


def test_messages_of_different_lengths_are_told_apart(tmp_path: Path, mcap: ModuleType) -> None:
    names = [NAMES, NAMES[:1], (), ("a", "longer name", "c", "d")]
    payloads = [bytes(typestore().serialize_cdr(joints(i, START_NS, names=n), JOINTS)) for i, n in enumerate(names)]
    contents = write(tmp_path / "a.mcap", [("/j", "cdr", JOINTS, definition(), payload) for payload in payloads])
    seen = one(contents).read(["name[]", "position[]"])
    assert seen.columns["name[]"].lengths().tolist() == [3, 1, 0, 4]
    assert seen.columns["name[]"].strings() == [name for some in names for name in some]
    contents.close()


def test_arrays_of_messages_keep_their_levels(tmp_path: Path, mcap: ModuleType) -> None:
    name, point = "geometry_msgs/msg/Polygon", "geometry_msgs/msg/Point32"
    sizes = [2, 0, 3, 1]
    values = [make(name, [make(point, i, k, i + k) for k in range(size)]) for i, size in enumerate(sizes)]
    payloads = [bytes(typestore().serialize_cdr(value, name)) for value in values]
    contents = write(tmp_path / "a.mcap", [("/p", "cdr", name, definition(name), payload) for payload in payloads])
    column = one(contents).read(["points[].y"]).columns["points[].y"]
    assert column.lengths().tolist() == sizes
    assert column.values.tolist() == [0.0, 1.0, 0.0, 1.0, 2.0, 0.0]
    contents.close()


def test_protobuf_fields_that_are_absent_are_told(tmp_path: Path, mcap: ModuleType) -> None:
    from google.protobuf import struct_pb2, timestamp_pb2
    from mcap_protobuf.writer import Writer

    with (tmp_path / "a.mcap").open("wb") as file, Writer(file) as writer:
        stamp = timestamp_pb2.Timestamp(seconds=7, nanos=9)
        writer.write_message("/time", stamp, log_time=1, publish_time=2)
        for value in (struct_pb2.Value(number_value=1.5), struct_pb2.Value(string_value="x")):
            writer.write_message("/value", value, log_time=3, publish_time=4)
    contents = mcap_format.contents(str(tmp_path / "a.mcap"), False)
    time, value = contents.topics
    assert (time.encoding, time.type) == ("protobuf", "google.protobuf.Timestamp")
    assert time.read(["seconds", "nanos"]).columns["nanos"].values.tolist() == [9]
    numbers = value.read(["number_value"]).columns["number_value"]
    assert numbers.values.tolist() == [1.5, 0.0]
    assert numbers.present is not None
    assert numbers.present.tolist() == [True, False]
    contents.close()


def test_json_is_read_by_what_it_shows_and_base64_by_its_schema(tmp_path: Path, mcap: ModuleType) -> None:
    schema = {"type": "object", "properties": {"data": {"type": "string", "contentEncoding": "base64"}}}
    said: list[Any] = [{"q": [1, 2.5], "s": "a", "data": "AAEC"}, {"q": [], "data": "/w=="}, "no object", {"q": "x"}]
    messages = [("/j", "json", "robot", json.dumps(schema).encode(), json.dumps(one).encode()) for one in said]
    contents = write(tmp_path / "a.mcap", messages, "jsonschema")
    topic = one(contents)
    assert {leaf.path: leaf.dtype for leaf in topic.leaves}["q[]"] == "float64"
    seen = topic.read(["q[]"], np.array([0, 1]))
    assert [seen.columns["q[]"].values.tolist(), seen.columns["q[]"].lengths().tolist()] == [[1.0, 2.5], [2, 0]]
    assert [bytes(blob) for blob in topic.blobs("data[]", np.array([0, 0, 1]))] == [b"\0\1\2", b"\0\1\2", b"\xff"]
    contents.close()


def test_a_topic_that_cannot_be_read_is_named_and_hides_no_other(tmp_path: Path, mcap: ModuleType) -> None:
    good = bytes(typestore().serialize_cdr(joints(1, START_NS), JOINTS))
    contents = write(
        tmp_path / "a.mcap",
        [
            ("/flat", "flatbuffer", "foxglove.Log", b"bfbs", b"1234"),
            ("/broken", "cdr", "a/msg/B", b"This is { no definition", b"\0\1\0\0"),
            ("/joints", "cdr", JOINTS, definition(), good),
            ("/joints", "cdr", JOINTS, definition(), good[:-20]),
        ],
    )
    broken, flat, working = contents.topics
    assert "'flatbuffer' cannot be read" in flat.unreadable
    assert "the definition does not say what a/msg/This is" in broken.unreadable
    assert (flat.count, broken.count, working.count) == (1, 1, 2)
    seen = working.read(["position[]"])
    assert seen.rows.tolist() == [0]
    assert [(failure.row, failure.reason) for failure in seen.failures] == [(1, "it has more items than bytes")]
    with pytest.raises(SourceError, match="flatbuffer"):
        flat.read([])
    contents.close()


@pytest.mark.parametrize("package", ["rosbags", "zstandard"])
def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, mcap: ModuleType, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    from telecine.sources.messages.decoding import types

    payload = bytes(typestore().serialize_cdr(joints(1, START_NS), JOINTS))
    write(tmp_path / "a.mcap", [("/j", "cdr", JOINTS, definition(), payload)]).close()
    types.parse.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    contents = mcap_format.contents(str(tmp_path / "a.mcap"), False)
    with pytest.raises(MissingExtra, match=r"pip install 'telecine\[(mcap|ros)\]'"):
        one(contents).read(["position[]"])
    contents.close()


SEPARATOR = "=" * 80
IDL_HEADER = """
#include "builtin_interfaces/msg/Time.idl"
module std_msgs { module msg { struct Header { builtin_interfaces::msg::Time stamp; string frame_id; }; }; };
"""
IDL_JOINTS = """// generated from rosidl_adapter/resource/msg.idl.em
#include "std_msgs/msg/Header.idl"

module sensor_msgs {
  module msg {
    @verbatim (language="comment", text=
      "The state of joints.")
    struct JointState {
      std_msgs::msg::Header header;
      sequence<string> name;
      @unit (value="rad")
      sequence<double> position;
      sequence<double> velocity;
      sequence<double> effort;
    };
  };
};
"""


@pytest.mark.parametrize(
    "parts",
    [
        {"sensor_msgs/msg/JointState": IDL_JOINTS, "std_msgs/msg/Header": IDL_HEADER},
        {"sensor_msgs/msg/JointState": IDL_JOINTS},
        {"sensor_msgs/msg/JointState": "struct {"},
        {"sensor_msgs/msg/JointState": IDL_JOINTS, "std_msgs/msg/Header": "module ???"},
    ],
    ids=["all parts", "standard types left out", "unreadable, but standard", "one part unreadable"],
)
def test_idl_definitions_of_several_parts_are_read(tmp_path: Path, mcap: ModuleType, parts: dict[str, str]) -> None:
    text = "\n".join(f"{SEPARATOR}\nIDL: {name}\n{body}" for name, body in parts.items())
    payload = bytes(typestore().serialize_cdr(joints(3, START_NS), JOINTS))
    contents = write(tmp_path / "a.mcap", [("/j", "cdr", JOINTS, text.encode(), payload)], "ros2idl")
    assert one(contents).unreadable == ""
    assert one(contents).read(["position[]"]).columns["position[]"].values.tolist() == [0.3, 1.3, 2.3]
    contents.close()


THEORA = b"uint8[] data\nint32 b_o_s\nint32 e_o_s\nint64 granulepos\nint64 packetno"


def test_what_a_recording_of_bad_topics_loses_is_those_topics(tmp_path: Path, mcap: ModuleType) -> None:
    payload = bytes(typestore().serialize_cdr(joints(1, START_NS), JOINTS))
    packet = b"\0\1\0\0" + (4).to_bytes(4, "little") + b"theo" + bytes(24)
    one_of_each = [
        ("/good", "cdr", JOINTS, definition(), payload),
        ("/short", "cdr", JOINTS, definition(), payload[:30]),
        ("/long", "cdr", JOINTS, definition(), payload + b"junk" * 50),
        ("/tail", "cdr", JOINTS, definition(), payload + b"junk" * 4),
        ("/unparsed", "cdr", "my/msg/Y", b"flo at64[ x", payload),
        ("/image_raw/theora", "cdr", "theora_image_transport/msg/Packet", THEORA, packet),
    ]
    write(tmp_path / "a.mcap", one_of_each * 20).close()
    with registry.open(registry.find([tmp_path / "a.mcap"]).refs[0]) as recording:
        assert {name.partition(":")[0] for name in recording.streams} == {"/good", "/tail"}
        why = {item.stream: item.why for item in recording.left_out}
        tail = recording.streams["/tail:position"].remarks()
    assert "it has more items than bytes" in why["/short"]
    assert "it is longer than its type" in why["/long"]
    assert "the definition of my/msg/Y cannot be read" in why["/unparsed"]
    assert "Theora video is not decoded" in why["/image_raw/theora"]
    assert tail == (("source-messages", "20 of 20 messages have up to 16 unused bytes behind their last field"),)


def test_constants_are_no_fields_however_they_are_spaced(tmp_path: Path, mcap: ModuleType) -> None:
    text = (
        b"int8 kError = -1                \nint8 A =  1 # x\nfloat64 PI=3.14\nstring NAME = a # b\n\tuint8  B\t=\t2\n"
        b"int8[] state # left = 0; right = 1\n# int8 no = 3\nfloat64 x 1.5"
    )
    payload = b"\0\1\0\0" + (2).to_bytes(4, "little") + bytes([3, 4, 0, 0]) + np.float64(0.5).tobytes()
    contents = write(tmp_path / "a.mcap", [("/claw", "cdr", "my/msg/Claw", text, payload)])
    assert [leaf.path for leaf in one(contents).leaves] == ["state[]", "x"]
    seen = one(contents).read(["state[]", "x"])
    assert (seen.columns["state[]"].values.tolist(), seen.columns["x"].values.tolist()) == ([3, 4], [0.5])
    contents.close()


def test_an_idl_type_that_is_neither_readable_nor_standard_is_named(tmp_path: Path, mcap: ModuleType) -> None:
    text = f"{SEPARATOR}\nIDL: my/msg/Odd\nmodule my {{ union"
    contents = write(tmp_path / "a.mcap", [("/j", "cdr", "my/msg/Odd", text.encode(), b"\0\1\0\0")], "ros2idl")
    assert "the definition of my/msg/Odd cannot be read" in one(contents).unreadable
    contents.close()


def test_a_topic_whose_type_is_defined_in_two_ways_is_unreadable(tmp_path: Path, mcap: ModuleType) -> None:
    from mcap.writer import Writer

    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start()
        for topic, texts in (
            ("/odd", (b"float64 x", b"float32 x\nfloat32 y")),
            ("/ok", (b"float64 x", b"float64 x # m")),
        ):
            for text in texts:
                channel = writer.register_channel(topic, "cdr", writer.register_schema("my/msg/T", "ros2msg", text))
                writer.add_message(channel, START_NS, b"\0\1\0\0" + bytes(8), START_NS)
        writer.finish()
    contents = mcap_format.contents(str(tmp_path / "a.mcap"), False)
    odd, ok = contents.topics
    assert odd.unreadable == "its type changes within the recording: my/msg/T is defined in two ways"
    assert (ok.unreadable, ok.count) == ("", 2)
    contents.close()


@pytest.mark.parametrize("most", [1 << 20, 30, 0])
def test_parsed_messages_give_the_same_whether_they_are_kept_or_not(
    tmp_path: Path, mcap: ModuleType, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    from telecine.sources.messages import store

    monkeypatch.setattr(store, "MOST_PARSED", most)
    texts = [json.dumps({"v": [i, i + 0.5, None], "n": {"x": i}, "t": "a"}).encode() for i in range(5)]
    messages = [("/j", "json", "T", b"{}", text) for text in [*texts[:2], b"{broken", *texts[2:]]]
    contents = write(tmp_path / "a.mcap", messages, "jsonschema")
    for _ in range(2):
        seen = one(contents).read(["n.x", "v[]"])
        assert (seen.rows.tolist(), [f.row for f in seen.failures]) == ([0, 1, 3, 4, 5], [2])
        assert seen.columns["n.x"].values.tolist() == [0, 1, 2, 3, 4]
        values = seen.columns["v[]"]
        assert np.where(values.present, values.values, -1).tolist() == [x for i in range(5) for x in (i, i + 0.5, -1)]
        some = one(contents).read(["n.x"], np.array([1, 2, 5]))
        assert (some.rows.tolist(), some.columns["n.x"].values.tolist()) == ([1, 5], [1, 4])
    contents.close()


def test_nothing_is_proposed_where_no_topic_can_be_read(tmp_path: Path, mcap: ModuleType) -> None:
    write(tmp_path / "a.mcap", [("/flat", "flatbuffer", "foxglove.Log", b"bfbs", b"1234")]).close()
    code, out, _ = telecine("inspect", tmp_path)
    assert (code, "'flatbuffer' cannot be read" in out, "nothing could be read" in out) == (0, True, True)
    assert "telecine convert" not in out
