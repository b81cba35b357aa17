"""What other libraries say about the topics of a recording: how many messages, and whether they can decode them."""

import json
from pathlib import Path
from typing import Any

TRIED = 3
"""Messages of a topic that a library may decode."""
Topics = dict[str, tuple[int, bool]]
"""Topic -> (messages, True when the library decodes at least one)."""


def by_library(path: Path) -> Topics | None:
    """Of the mcap package for an .mcap file, of rosbags for all others; None where the library refuses it."""
    return _by_mcap(path) if path.suffix == ".mcap" else _by_rosbags(path)


def _by_mcap(path: Path) -> Topics | None:
    from mcap.exceptions import McapError
    from mcap.reader import make_reader

    found: Topics = {}
    with path.open("rb") as file:
        try:
            reader = make_reader(file)
            summary = reader.get_summary()
            found |= {c.topic: (0, False) for c in (summary.channels if summary else {}).values()}
            for schema, channel, message in reader.iter_messages(log_time_order=False):
                count, decoded = found.get(channel.topic, (0, False))
                decoded = decoded or (count < TRIED and _decodes(schema, channel, message.data))
                found[channel.topic] = count + 1, decoded
        except McapError:
            return None
    return found


def _decodes(schema: Any, channel: Any, data: bytes) -> bool:
    from mcap_protobuf.decoder import DecoderFactory as Protobuf
    from mcap_ros2.decoder import DecoderFactory as Ros2

    try:
        if channel.message_encoding == "json":
            return isinstance(json.loads(data), dict)
        factory = Protobuf() if channel.message_encoding == "protobuf" else Ros2()
        decode = factory.decoder_for(channel.message_encoding, schema)
        return decode is not None and decode(data) is not None
    except Exception:  # whatever they raise, they cannot decode it
        return False


def _by_rosbags(path: Path) -> Topics | None:
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.typesys import Stores, get_typestore

    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            found: Topics = {}
            for connection in reader.connections:
                count, decoded = found.get(connection.topic, (0, False))
                found[connection.topic] = count + connection.msgcount, decoded
            tried: dict[str, int] = {}
            for connection, _, raw in reader.messages():
                tried[connection.topic] = tried.get(connection.topic, 0) + 1
                count, decoded = found[connection.topic]
                if tried[connection.topic] <= TRIED and not decoded:
                    found[connection.topic] = count, _deserializes(reader, raw, connection.msgtype)
            return found
    except AnyReaderError:
        return None


def _deserializes(reader: Any, raw: bytes, name: str) -> bool:
    try:
        return reader.deserialize(raw, name) is not None
    except Exception:  # whatever they raise, they cannot decode it
        return False
