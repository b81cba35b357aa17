"""What messages mean: the streams that the topics of a recording become.

Decides by the fields that messages have, not by the names of their types, which carriers spell in several ways and some
recorders get wrong. Decodes a few messages of those topics whose fields leave something open (cameras, joints,
transforms); everything else only when asked.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import Recording, Ref, Stream
from telecine.sources.messages.cameras import camera_stream, file_stream, image_file_field, is_camera
from telecine.sources.messages.clocks import Clocks, TopicTimes
from telecine.sources.messages.groups import groups, text_paths
from telecine.sources.messages.joints import joint_lists, joint_streams
from telecine.sources.messages.model import Attachment, Contents, Topic
from telecine.sources.messages.poses import absent_groups, pose_array_streams
from telecine.sources.messages.transforms import layout_of, transform_streams
from telecine.sources.messages.vectors import GroupStream, MessageStream, MessageTextStream

_CALIBRATION = ("CameraInfo", "CameraCalibration")
_URDF = re.compile(r"robot_?description|urdf", re.IGNORECASE)
_JOINT = re.compile(r"<joint\s[^>]*?name\s*=\s*[\"']([^\"']+)[\"'][^>]*?type\s*=\s*[\"'](?!fixed)")
MOST_URDF_BYTES = 10 << 20


def recording_of(ref: Ref, contents: Contents) -> Recording:
    """The recording that these contents are: streams by name, samples undecoded. Closes them when it fails."""
    try:
        return _recording(ref, contents)
    except BaseException:
        contents.close()
        raise


def _recording(ref: Ref, contents: Contents) -> Recording:
    clocks = Clocks(contents.topics)
    seen = Counter(topic.name for topic in contents.topics)
    streams: dict[str, Stream] = {}
    notes = list(contents.notes)
    attrs = dict(_attrs(contents))
    for topic in contents.topics:
        if topic.unreadable:
            notes.append(("source-topic", f"{topic.name} ({topic.type}, {topic.encoding}): {topic.unreadable}"))
            continue
        if not topic.count:
            continue
        lead = topic.name if seen[topic.name] == 1 else f"{topic.name}({topic.type})"
        try:
            attrs |= _attributes_of(topic)
            for stream in _streams(lead, topic, clocks):
                streams.setdefault(stream.name, cast("Stream", stream))
        except SourceError as error:
            notes.append(("source-topic", f"{topic.name} ({topic.type}, {topic.encoding}): {error}"))
    return Recording(ref, streams, attrs, tuple(notes), contents.close)


def _streams(lead: str, topic: Topic, clocks: Clocks) -> Iterator[MessageStream]:
    """The streams of one topic."""
    times = TopicTimes(topic, clocks)
    if topic.type.endswith(_CALIBRATION) or _is_urdf(topic):
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
    yield from pose_array_streams(lead, times)
    yield from _plain(lead, times, {joints.values for joints in lists})


def _plain(lead: str, times: TopicTimes, taken: set[str]) -> Iterator[MessageStream]:
    """What needs no knowledge of a type: groups of numbers, lists, texts."""
    topic = times.topic
    dtypes = {leaf.path: leaf.dtype for leaf in topic.leaves}
    absent = absent_groups(topic)
    for group in groups(topic.leaves):
        if group.name in absent or taken.intersection(group.paths):
            continue
        name = f"{lead}:{group.name}" if group.name else lead
        dtype = dtypes[group.paths[0]] if len(group.paths) == 1 else "float64"
        yield GroupStream(name, times, group, dtype)
    for path in text_paths(topic.leaves):
        yield MessageTextStream(f"{lead}:{path}", times, path)


def _is_urdf(topic: Topic) -> bool:
    return bool(_URDF.search(topic.name)) and [leaf.path for leaf in topic.leaves] == ["data"]


def _attributes_of(topic: Topic) -> Mapping[str, str]:
    """What a topic says about the recording as a whole: a camera's calibration, the robot's joints."""
    if topic.type.endswith(_CALIBRATION):
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
    """Size and matrix of a camera, and a word when the last message says something else than the first."""
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
    text = f"{attachment.media_type or 'no type'}, {attachment.size_bytes} bytes"
    if not _URDF.search(attachment.name) or attachment.size_bytes > MOST_URDF_BYTES:
        return text
    joints = _joints(attachment.read().decode("utf-8", "replace"))
    return f"{text}; joints {', '.join(joints)}" if joints else text
