"""The streams of a .spool file: numbers and text as they are, frames as they were coded."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import SourceError, VideoError
from telecine.core.grid import Rows, Times
from telecine.core.recording import Array, Buffer, ClockKind, Codec, Image, MemoryStream, Schema, Stream
from telecine.sources.recorder_spool.format import CLOCK, RAW, Chunk, StreamContent, samples_of
from telecine.sources.shared.sample_order import pick
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb


def stream_of(path: str, content: StreamContent) -> Stream:
    """The stream that a file holds as `content`.

    Coded video whose stamps go back in time, or whose last frames were not coded yet, is given as single frames:
    its packets in their order do not show the frames in that of their stamps.
    """
    match content.stream.kind:
        case "vector":
            return VectorSamples(path, content)
        case "text":
            return TextSamples(path, content)
        case "image":
            return SingleFrames(path, content)
    in_order = bool(np.all(np.diff(content.stamps) >= 0)) and not content.raw
    return CodedFrames(path, content) if in_order else SpooledFrames(path, content)


class _Stream:
    """What all streams of the file have: one clock, and `stamps` in the order in which samples were added."""

    static = False

    def __init__(self, path: str, content: StreamContent) -> None:
        self._path, self._content = path, content

    @property
    def name(self) -> str:
        """The name that the recorder was given."""
        return self._content.stream.name

    @property
    def schema(self) -> Schema:
        """What one sample is."""
        return self._content.stream.schema

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """The recorder's one clock."""
        return {CLOCK: "duration"}

    @cached_property
    def stamps(self) -> Times:
        """(n,) int64 ns of the frames."""
        raw = self._content.raw
        return np.array([*self._content.stamps, *(raw[number][0] for number in sorted(raw))], np.int64)

    def times(self, clock: str) -> Times:
        """(n,) int64 ns, sorted."""
        return self.stamps[self._order(clock)]

    def backwards(self, clock: str) -> int:
        """How many stamps lie below that of the sample before."""
        del clock
        return int(np.sum(np.diff(self.stamps) < 0))

    def _order(self, clock: str) -> Rows:
        """The samples by stamp; equal stamps in the order in which they were added."""
        if clock != CLOCK:
            raise SourceError(f"{self._path}: {self.name} has no timestamps on {clock!r}; a recorder has {CLOCK!r}")
        return np.argsort(self.stamps, kind="stable").astype(np.int64)

    def _pieces(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """The bytes at `chunks`. Raises: SourceError when the file has changed."""
        try:
            with Path(self._path).open("rb", buffering=0) as file:
                for chunk in chunks:
                    yield self._piece(file, chunk)
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read: {error.strerror or error}") from error

    def _piece(self, file: FileIO, chunk: Chunk) -> bytes:
        file.seek(chunk.offset)
        data = file.read(chunk.size)
        if len(data) != chunk.size:
            raise SourceError(f"{self._path}: {self.name}: the file is shorter than when it was opened")
        return data


class _Samples(_Stream):
    """Numbers or text, read whole when first asked for."""

    @cached_property
    def _all(self) -> tuple[Times, list[Any]]:
        stamps: list[Array] = [np.zeros(0, np.int64)]
        values: list[Any] = []
        for payload in self._pieces(self._content.samples):
            try:
                some, part = samples_of(payload, self._content.stream)
            except ValueError as error:
                raise SourceError(f"{self._path}: {self.name} is damaged: {error}") from error
            stamps.append(some)
            values.append(part)
        return np.concatenate(stamps), values

    @cached_property
    def stamps(self) -> Times:
        """(n,) int64 ns of the samples."""
        return self._all[0]


class VectorSamples(_Samples):
    """Numbers."""

    kind: Literal["vector"] = "vector"

    def take(self, rows: Rows, clock: str) -> Array:
        """(len(rows), *shape)."""
        return self._values[self._order(clock)[rows]]

    @cached_property
    def _values(self) -> Array:
        empty = np.zeros((0, *self.schema.shape), self.schema.dtype)
        return np.concatenate([empty, *self._all[1]])


class TextSamples(_Samples):
    """Text."""

    kind: Literal["text"] = "text"

    def take(self, rows: Rows, clock: str) -> Sequence[str]:
        """len(rows) strings."""
        texts = [text for part in self._all[1] for text in part]
        return [texts[row] for row in self._order(clock)[rows].tolist()]


class CodedFrames(_Stream):
    """Video, in the packets of the recorder's encoder; they show the frames in the order of their stamps."""

    kind: Literal["video"] = "video"

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Access units [start, stop)."""
        del clock
        return self._pieces(self._content.packets[start:stop])


class SingleFrames(_Stream):
    """Frames that were coded one by one, as PNG or not at all."""

    kind: Literal["image"] = "image"

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """len(rows) frames."""
        order = self._order(clock)[rows].tolist()
        coded, raw = self._content.packets, self._content.raw
        places = [*coded, *(raw[number][1] for number in sorted(raw))]
        for number, data in zip(order, self._pieces([places[number] for number in order]), strict=True):
            yield self._image(data, coded=number < len(coded))

    def _image(self, data: bytes, *, coded: bool) -> Image:
        height, width = self.schema.shape[:2]
        encoding = self.schema.encoding if coded else RAW[self.schema.dtype]
        return Image(data, str(encoding), width, height)


class SpooledFrames(_Stream):
    """Video as single frames: the coded ones decoded, then those that no encoder had taken yet."""

    kind: Literal["image"] = "image"

    @property
    def schema(self) -> Schema:
        """Of the frames that are given."""
        whole = self._content.stream.schema
        return Schema(whole.dtype, whole.shape, encoding=RAW[whole.dtype])

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """len(rows) frames; holds those of which stamps are out of order, at most a second's."""
        for _, image in pick(self._order(clock)[rows], ([image] for image in self._every())):
            yield image

    def _every(self) -> Iterator[Image]:
        """All frames in the order in which they were added."""
        height, width = self.schema.shape[:2]
        content = self._content
        chunks = [content.raw[key][1] for key in sorted(content.raw)]
        for rgb in chain(self._decoded(), self._pieces(chunks)):
            yield Image(rgb, "rgb24", width, height)

    def _decoded(self) -> Iterator[bytes]:
        codec: Codec = self._content.stream.schema.encoding  # type: ignore[assignment]
        coded = list(self._pieces(self._content.packets))
        arrival = np.arange(len(coded), dtype=np.int64)
        stream = MemoryStream(self.name, "video", self._content.stream.schema, {CLOCK: arrival}, coded)
        if not coded:
            return
        try:
            for frame in frames(stream, arrival, CLOCK, index=index_packets(coded, codec)):
                yield np.ascontiguousarray(to_rgb(frame, self._size)).tobytes()
        except VideoError as error:
            raise SourceError(f"{self._path}: {self.name}: {error}") from error

    @property
    def _size(self) -> tuple[int, int]:
        """Frames that were made smaller when they were coded get the size of the others back."""
        height, width = self.schema.shape[:2]
        return width, height
