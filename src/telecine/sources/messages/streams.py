"""What messages mean: the streams that the topics of a recording become.

Decides by the fields that messages have, not by the names of their types, which carriers spell in several ways and some
recorders get wrong. Decodes a few messages of those topics whose fields leave something open (cameras, joints,
transforms); everything else only when asked.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import cast

import numpy as np

from telecine.core.errors import SourceError, closed_on_failure
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.core.text.numbers import counted
from telecine.sources.format import MissingExtra
from telecine.sources.messages.absent_groups import absent_groups
from telecine.sources.messages.calibrations import TYPES as CALIBRATIONS
from telecine.sources.messages.calibrations import calibrations_of
from telecine.sources.messages.cameras import camera_stream, file_stream, image_file_field, is_camera
from telecine.sources.messages.clocks import Clocks, TopicTimes
from telecine.sources.messages.groups import groups, text_paths
from telecine.sources.messages.joints import joint_lists, joint_streams
from telecine.sources.messages.model import Attachment, Contents, Topic
from telecine.sources.messages.struct_arrays import array_streams, list_streams
from telecine.sources.messages.transform_chains import chain_streams
from telecine.sources.messages.transforms import layout_of, transform_streams
from telecine.sources.messages.vectors import GroupStream, MessageStream, MessageTextStream

_URDF = re.compile(r"robot_?description|urdf", re.IGNORECASE)
_JOINT = re.compile(r"<joint\s[^>]*?name\s*=\s*[\"']([^\"']+)[\"'][^>]*?type\s*=\s*[\"'](?!fixed)")
READ_FIRST = 8
"""Messages of a topic that show whether it can be read."""
MOST_URDF_BYTES = 10 << 20


def recording_of(ref: Ref, contents: Contents) -> Recording:
    """The recording that these contents are: streams by name, samples undecoded. Closes them when it fails."""
    with closed_on_failure(contents.close):
        return _recording(ref, contents)


def _recording(ref: Ref, contents: Contents) -> Recording:
    clocks = Clocks(contents.topics)
    streams: dict[str, Stream] = {}
    attrs = dict(_attrs(contents))
    left_out: list[LeftOut] = []
    for name, group in groupby(contents.topics, lambda topic: topic.name):
        found = _found(name, [topic for topic in group if topic.count], clocks, attrs)
        streams |= {stream.name: cast("Stream", stream) for stream in found if not isinstance(stream, LeftOut)}
        left_out += [item for item in found if isinstance(item, LeftOut)]
    streams |= {chain.name: chain for chain in chain_streams(streams)}
    unreadable = {item.stream for item in left_out if item.what == "unreadable"}
    calibrations = calibrations_of([topic for topic in contents.topics if topic.name not in unreadable])
    return Recording(
        *(ref, streams, attrs, contents.notes, contents.close),
        left_out=tuple(left_out),
        calibrations=calibrations,
    )


def _found(
    name: str, topics: Sequence[Topic], clocks: Clocks, attrs: dict[str, str]
) -> Sequence[MessageStream | LeftOut]:
    """What the topics of one name become; they are several when the type of messages changes. Adds to `attrs`."""
    kinds = sorted({f"{topic.type or 'no type'}, {topic.encoding}" for topic in topics})
    if len(topics) > 1:
        return [LeftOut(name, "unreadable", f"its type changes within the recording: {'; '.join(kinds)}")]
    if not topics:
        return [LeftOut(name, "offered", "no message of it was recorded")]
    try:
        attrs |= _attributes_of(topics[0])
        found = list(_streams(name, topics[0], clocks))
        return found or [LeftOut(name, "offered", f"{kinds[0]}: no numbers, texts or images")]
    except MissingExtra:
        raise
    except SourceError as error:
        return [LeftOut(name, "unreadable", f"{kinds[0]}: {error}")]


def _streams(lead: str, topic: Topic, clocks: Clocks) -> Iterator[MessageStream | LeftOut]:
    """The streams of one topic, and what of it is none."""
    if topic.unreadable:
        raise SourceError(topic.unreadable)
    _check_readable(topic)
    times = TopicTimes(topic, clocks)
    if topic.type.endswith(CALIBRATIONS) or _is_urdf(topic):
        where = "the attributes of the recording" if _is_urdf(topic) else "meta/telecine/cameras.json"
        yield LeftOut(topic.name, "offered", f"it describes the robot, and is kept in {where}")
        return
    if is_camera(topic):
        yield camera_stream(lead, times)
        return
    files = image_file_field(topic)
    if files is not None:
        yield file_stream(lead, times, files)
    layout = layout_of(topic)
    if layout is not None:
        yield from transform_streams(lead, times, layout)
        return
    lists = list(joint_lists(topic.leaves))
    yield from joint_streams(lead, times, lists)
    taken = frozenset({joints.values for joints in lists} | ({files} if files else set()))
    yield from array_streams(lead, times, taken)
    yield from _plain(lead, times, taken)


def _check_readable(topic: Topic) -> None:
    """Raises: SourceError when no message of the topic can be decoded, with the reason of the first."""
    if len(topic.read([], np.arange(min(topic.count, READ_FIRST))).rows):
        return
    seen = topic.read([])
    if not len(seen.rows):
        raise SourceError(
            f"none of its {counted(topic.count, 'message')} can be read; message 0: {seen.failures[0].reason}"
        )


def _plain(lead: str, times: TopicTimes, taken: frozenset[str]) -> Iterator[MessageStream | LeftOut]:
    """What needs no knowledge of a type: groups of numbers, lists, texts."""
    topic = times.topic
    known = {leaf.path: leaf for leaf in topic.leaves}
    absent = absent_groups(topic)
    for group in groups(topic.leaves):
        if group.name in absent or taken.intersection(group.paths):
            continue
        name = f"{lead}:{group.name}" if group.name else lead
        first = known[group.paths[0]]
        dtype = first.dtype if len(group.paths) == 1 else "float64"
        if first.size is None:
            yield from list_streams(name, times, group, dtype)
        else:
            yield GroupStream(name, times, group, dtype)
    for path in text_paths(topic.leaves):
        yield MessageTextStream(f"{lead}:{path}", times, path)


def _is_urdf(topic: Topic) -> bool:
    return bool(_URDF.search(topic.name)) and [leaf.path for leaf in topic.leaves] == ["data"]


def _attributes_of(topic: Topic) -> Mapping[str, str]:
    """What a topic holds about the recording as a whole: a camera's calibration, the robot's joints."""
    if topic.type.endswith(CALIBRATIONS):
        return _calibration(topic)
    if not _is_urdf(topic):
        return {}
    seen = topic.read(["data"], np.zeros(1, np.int64))
    texts = seen.columns["data"].strings()
    return {"urdf_joints": ", ".join(_joints(texts[0]))} if texts else {}


def _joints(urdf: str) -> list[str]:
    """Names of the joints that move, in the order of the URDF."""
    return _JOINT.findall(urdf[:MOST_URDF_BYTES])


def _calibration(topic: Topic) -> Mapping[str, str]:
    """Size and matrix of a camera, and a remark when the last message has others than the first."""
    paths = [leaf.path for leaf in topic.leaves if leaf.path.lower() in ("width", "height", "k[]")]
    seen = topic.read(paths, np.unique([0, topic.count - 1]))
    text = []
    for position in range(len(seen.rows)):
        columns = (seen.columns[path].take(np.array([position])).values.tolist() for path in paths)
        text.append(
            "; ".join(f"{path} {' '.join(f'{v:g}' for v in c)}" for path, c in zip(paths, columns, strict=True))
        )
    changes = " (changes within the recording)" if len(set(text)) > 1 else ""
    return {f"calibration {topic.name}": text[0] + changes} if text else {}


MOST_ATTRIBUTE = 2000


def _attrs(contents: Contents) -> Iterator[tuple[str, str]]:
    """Metadata records, by key where that is clear, and attachments by name."""
    keys = Counter(key for _, values in contents.metadata for key in values)
    for name, values in contents.metadata:
        for key, value in values.items():
            yield (key if keys[key] == 1 else f"{name}.{key}"), value[:MOST_ATTRIBUTE]
    for attachment in contents.attachments:
        yield f"attachment {attachment.name}", _attached(attachment)


def _attached(attachment: Attachment) -> str:
    text = f"{attachment.media_type or 'no type'}, {counted(attachment.size_bytes, 'byte')}"
    if not _URDF.search(attachment.name) or attachment.size_bytes > MOST_URDF_BYTES:
        return text
    joints = _joints(attachment.read().decode("utf-8", "replace"))
    return f"{text}; joints {', '.join(joints)}" if joints else text
