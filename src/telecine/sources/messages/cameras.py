"""Cameras in messages as streams: raw images, coded images, depth, and packets of video."""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import numpy as np

from telecine.core.errors import SourceError, VideoError
from telecine.core.grid import Rows
from telecine.core.recording import Buffer, Image, Schema
from telecine.sources.messages.clocks import Remarks, TopicTimes
from telecine.sources.messages.images import (
    CompressedFormat,
    RawHeader,
    coded,
    depth_image,
    depth_parameters,
    inverse_depth,
    raw_image,
    raw_layout,
)
from telecine.sources.messages.model import Leaf, Topic
from telecine.sources.messages.vectors import MessageStream, unreadable
from telecine.sources.shared.sample_order import Order

SAMPLED = 8
"""First messages that are tried to tell what a topic holds."""
_RAW = frozenset({"encoding", "width", "height", "data[]", "step"})
_CODED = frozenset({"format", "data[]"})
_PACKET = frozenset({"encoding", "pts", "flags", "data[]"})
"""ffmpeg_image_transport_msgs/FFMPEGPacket."""
_THEORA = frozenset({"b_o_s", "e_o_s", "granulepos", "packetno", "data[]"})
"""theora_image_transport/Packet, an Ogg packet of Theora video."""


def camera_kind(leaves: tuple[Leaf, ...]) -> Literal["raw", "coded", "packet", "theora"] | None:
    """What the fields of a message say: a raw image, a coded one or a packet, or no camera."""
    paths = {leaf.path for leaf in leaves}
    if paths >= _RAW:
        return "raw"
    if paths >= _CODED:
        return "coded"
    if paths >= _THEORA:
        return "theora"
    return "packet" if paths >= _PACKET else None


def image_file_field(topic: Topic) -> str | None:
    """The field that holds image files in messages of a type of its own: bytes that begin like a JPEG or PNG."""
    paths = [
        leaf.path for leaf in topic.leaves if leaf.path.endswith("[]") and leaf.dtype == "uint8" and leaf.size is None
    ]
    if len(paths) != 1 or paths[0].count("[]") != 1:
        return None
    (head,) = (bytes(data[:16]) for data in topic.blobs(paths[0], np.zeros(1, np.int64)))
    return paths[0] if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n")) else None


def file_stream(name: str, times: TopicTimes, path: str) -> "CodedStream":
    """The stream of image files in a field of messages of a type of their own."""
    (head,) = (bytes(data[:64]) for data in times.topic.blobs(path, np.zeros(1, np.int64)))
    return CodedStream(name, times, coded("", head, times.topic.name), path)


def camera_stream(name: str, times: TopicTimes) -> MessageStream:
    """The stream of a camera's topic. Looks at its first messages. Raises: SourceError when none can be read."""
    topic = times.topic
    kind = camera_kind(topic.leaves)
    if kind == "raw":
        return RawStream(name, times)
    if kind == "theora":
        raise SourceError("Theora video is not decoded; record the camera raw, compressed or in H.264 (ffmpeg), too")
    field = "format" if kind == "coded" else "encoding"
    seen = topic.read([field], np.arange(min(topic.count, SAMPLED)))
    if not len(seen.rows):
        raise SourceError(f"{topic.name}: no message can be read: {seen.failures[0].reason}")
    form = seen.columns[field].strings()[0]
    (head,) = (bytes(data[:64]) for data in topic.blobs("data[]", seen.rows[:1]))
    what = coded(form, head, topic.name)
    return PacketStream(name, times, what) if what.kind == "video" else CodedStream(name, times, what)


class _CameraStream(MessageStream):
    """Messages with one image each; all that can be decoded are samples."""

    fields: tuple[str, ...] = ("format",)
    """Read to know which messages can be decoded."""
    data = "data[]"

    @cached_property
    def _ordered(self) -> tuple[Order, Remarks]:
        seen = self._topic.read(self.fields)
        order, remarks = self._times.order(seen.rows)
        self._rows = seen.rows
        return order, unreadable(seen, self._topic) + remarks

    def _messages(self, rows: Rows, clock: str) -> Rows:
        """The messages of samples `rows` on `clock`."""
        order = self._on(clock)
        return np.asarray(self._rows[order.by_stamp(clock)[rows]], np.int64)

    def _blobs(self, messages: Rows) -> Iterator[memoryview]:
        """The bytes of these messages in this order; out of order only where stamps go back."""
        if np.all(np.diff(messages) >= 0):
            yield from self._topic.blobs(self.data, messages)
            return
        for message in messages:
            yield from self._topic.blobs(self.data, np.array([message]))


class RawStream(_CameraStream):
    """Images as pixels."""

    kind: Literal["image"] = "image"
    fields = ("encoding",)

    @cached_property
    def _headers(self) -> dict[int, RawHeader]:
        """Message -> its fields beside the bytes."""
        paths = ["encoding", "width", "height", "step"]
        paths += [leaf.path for leaf in self._topic.leaves if leaf.path == "is_bigendian"]
        seen = self._topic.read(paths)
        columns = [seen.columns[p].strings() if p == "encoding" else seen.columns[p].values.tolist() for p in paths]
        known: dict[tuple[object, ...], RawHeader] = {}
        found = {}
        for row, (encoding, width, height, step, *big) in zip(
            seen.rows.tolist(), zip(*columns, strict=True), strict=True
        ):
            key = (encoding, width, height, step, *big)
            found[row] = known.setdefault(key, RawHeader(str(encoding), int(width), int(height), int(step), any(big)))
        return found

    @cached_property
    def schema(self) -> Schema:
        """Of the first image."""
        first = next(iter(self._headers.values()), None)
        if first is None:
            return Schema("uint8", (0, 0, 0))
        layout = raw_layout(first.encoding, self.name)
        dtype = {"m": "float32", "mm": "uint16", None: "uint8"}[layout.unit]
        shape = (first.height, first.width, layout.channels)
        return Schema(dtype, shape, unit=layout.unit, encoding=layout.encoding)

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """The images at `rows`, lazily."""
        messages = self._messages(rows, clock)
        for message, data in zip(messages.tolist(), self._blobs(messages), strict=True):
            yield raw_image(self._headers[message], data, f"{self.name}: message {message}")


class CodedStream(_CameraStream):
    """Images as files, depth among them."""

    kind: Literal["image"] = "image"

    def __init__(self, name: str, times: TopicTimes, what: CompressedFormat, path: str | None = None) -> None:
        super().__init__(name, times)
        self._what = what
        if path is not None:
            self.fields, self.data = (), path

    @cached_property
    def schema(self) -> Schema:
        """Sizes are known only by decoding."""
        unit = self._what.unit
        encoding = self._what.coding if unit != "m" else "grayf32le"
        if self._what.coding == "rvl" and unit == "mm":
            encoding = "gray16le"
        dtype = {"m": "float32", "mm": "uint16", None: "uint8"}[unit]
        return Schema(dtype, (0, 0, 1 if unit else 0), unit=unit, encoding=encoding)

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """The images at `rows`, lazily."""
        messages = self._messages(rows, clock)
        for message, data in zip(messages.tolist(), self._blobs(messages), strict=True):
            yield self._image(data, f"{self.name}: message {message}")

    def _image(self, data: memoryview, where: str) -> Image:
        if self._what.kind == "depth":
            if self._what.unit == "m" and self._what.coding == "png":
                return _float_depth(data, where)
            return depth_image(self._what, data, where)
        found = coded(self._what.coding, bytes(data[:64]), where)
        if found.kind != "image" or found.unit != self._what.unit:
            raise SourceError(f"{where}: {found.coding} among images of another kind ({self._what.coding})")
        return Image(data, found.coding, order="bgr" if self._what.swapped else "rgb")


def _float_depth(data: memoryview, where: str) -> Image:
    """Depth in m out of compressedDepth's header and a PNG of inverse depth."""
    from telecine.video.decode import coded_frame  # FFmpeg is loaded only for this

    a, b = depth_parameters(data)
    try:
        frame = coded_frame(Image(data[12:], "png"), where)
    except VideoError as error:
        raise SourceError(f"{where}: {error}") from error
    return inverse_depth(frame.to_ndarray(format="gray16le"), a, b)


class PacketStream(_CameraStream):
    """Packets of video, one image each, as they arrived."""

    kind: Literal["video"] = "video"

    def __init__(self, name: str, times: TopicTimes, what: CompressedFormat) -> None:
        super().__init__(name, times)
        self._what = what
        if camera_kind(times.topic.leaves) == "packet":
            self.fields = ("encoding",)

    @property
    def schema(self) -> Schema:
        """The codec; sizes are in the packets."""
        return Schema("uint8", (0, 0, 0), encoding=self._what.coding)

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) in order of arrival."""
        messages = self._rows_on(clock)[start:stop]
        return self._topic.blobs(self.data, messages)

    def _rows_on(self, clock: str) -> Rows:
        order = self._on(clock)
        return np.asarray(self._rows[order.arrived(clock)], np.int64)


def is_camera(topic: Topic) -> bool:
    """True for a topic whose messages hold images."""
    return camera_kind(topic.leaves) is not None
