"""A video file that a Rerun recording holds (`AssetVideo`), shown frame by frame (`VideoFrameReference`), as a stream.

Where the references name every frame of the file once and in order, the stream is the file's packets, so that it can
be copied. Otherwise it is images: frames left out, shown again or shown backwards are decoded.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import SourceError, VideoError
from telecine.core.grid import Rows, Times
from telecine.core.recording import Buffer, Image, MemoryStream, Schema
from telecine.core.text.numbers import counted
from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.chunks import Chunks, ComponentColumn
from telecine.sources.rrd.order import ChunkSamples, order_of
from telecine.sources.rrd.samples import Samples, part_of
from telecine.sources.shared.sample_order import Order

if TYPE_CHECKING:
    from telecine.video.demux import Mp4Facts

BLOB = "AssetVideo:blob"
REFERENCE = "VideoFrameReference:video_reference"
_ROUNDING_NS = 1000
"""References are made of float seconds or of rounded ticks of the file."""


class AssetFrames(Samples):
    """What both kinds share: the references, and the file that they refer to."""

    def __init__(self, chunks: Chunks, column: ComponentColumn) -> None:
        super().__init__(chunks, column, arrow.leaves(column.type)[0])

    @cached_property
    def _read(self) -> tuple[Order, Times, str]:
        """Order, (n,) ns in the file by position, and the entity of the file."""
        parts: list[ChunkSamples] = []
        values: list[Times] = [np.zeros(0, np.int64)]
        entities: set[str] = set()
        for batch in self._batches(REFERENCE):
            if REFERENCE in batch.schema.names:
                beside = batch.column(REFERENCE)
                entities |= {f"/{str(e).strip('/')}" for e in arrow.scalar_values(beside, arrow.present(beside)) if e}
            if self._column.component in batch.schema.names:
                rows, _, flat = arrow.numbers(batch.column(self._column.component), self._leaf)
                parts.append(part_of(batch, rows))
                values.append(flat.astype(np.int64))
        if len(entities) > 1:
            raise SourceError(f"{self.name}: it shows {counted(len(entities), 'video')}, {', '.join(sorted(entities))}")
        return order_of(parts, self.name), np.concatenate(values), entities.pop() if entities else self._column.entity

    @property
    def _order(self) -> Order:
        return self._read[0]

    @cached_property
    def _file(self) -> str:
        """The video in a file of its own, which goes with the stream."""
        entity = self._read[2]
        blobs = [
            bytes(data[i])
            for batch in self._chunks.batches(entity, [BLOB])
            if BLOB in batch.schema.names
            for data in [arrow.blobs(batch.column(BLOB))[1]]
            for i in range(len(data))
        ]
        if len(set(blobs)) != 1:
            held = counted(len(set(blobs)), "video") if blobs else "no videos"
            raise SourceError(f"{self.name}: {entity} holds {held}, expected one AssetVideo")
        folder = tempfile.mkdtemp(prefix="telecine-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = Path(folder) / "asset.mp4"
        path.write_bytes(blobs[0])
        return str(path)

    @cached_property
    def _facts(self) -> "Mp4Facts":
        from telecine.video.demux import film_facts  # FFmpeg is loaded only for this

        try:
            facts = film_facts(self._file)
        except VideoError as error:
            raise SourceError(self._without_path(error)) from error
        if facts.codec is None:
            raise SourceError(f"{self.name}: {facts.codec_name} video is not supported; supported: h264, hevc, av1")
        return facts

    def _without_path(self, error: VideoError) -> str:
        return f"{self.name}: {str(error).replace(self._file, 'the video')}"

    @cached_property
    def _frames(self) -> Rows:
        """(n,) display position of the frame that each reference shows, by position: the last one that has begun."""
        begins = np.sort(self._facts.pts_ns)[self._facts.hidden :]
        begins = begins - begins[0]
        shown = np.searchsorted(begins, self._read[1] + _ROUNDING_NS, side="right") - 1
        return np.maximum(shown, 0) + self._facts.hidden

    @property
    def video(self) -> str:
        """The entity of the file."""
        return self._read[2]

    @property
    def exact(self) -> bool:
        """Whether the references on every clock name each frame of the file once and in order."""
        every = np.arange(self._facts.count)
        orders = [self._order.by_stamp(clock) for clock in self._order.kinds]
        return bool(orders) and all(np.array_equal(self._frames[positions], every) for positions in orders)

    @property
    def schema(self) -> Schema:
        """Size and codec as the file's header states them."""
        codec = self._facts.codec
        return Schema("uint8", (self._facts.height, self._facts.width, 3), encoding=codec)

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) of the file."""
        from telecine.video.demux import packets

        self._on(clock)
        end = self._facts.count if stop is None else min(stop, self._facts.count)
        try:
            yield from packets(self._file, start, end, self._facts)
        except VideoError as error:
            raise SourceError(self._without_path(error)) from error


class AssetPackets(AssetFrames):
    """References that name every frame once and in order: the packets of the file."""

    kind: Literal["video"] = "video"


class AssetImages(AssetFrames):
    """Any other references: the frames that they show, decoded; a jump backwards begins to decode anew."""

    kind: Literal["image"] = "image"

    @property
    def schema(self) -> Schema:
        """Decoded to RGB."""
        return replace(super().schema, encoding="rgb24")

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """The frames that the references at `rows` show."""
        from telecine.video.decode import frames
        from telecine.video.frames.colour import to_rgb

        wanted = self._frames[self._on(clock).by_stamp(clock)[rows]]
        packets = list(self.packets(clock))
        every = MemoryStream(self.name, "video", super().schema, {clock: np.arange(len(packets))}, packets)
        codec = self._facts.codec
        assert codec is not None
        try:
            index = index_packets(packets, codec)
            for run in np.split(wanted, np.flatnonzero(np.diff(wanted) < 0) + 1):
                for frame in frames(every, run, clock, index=index):
                    yield Image(to_rgb(frame).data.cast("B"), "rgb24", frame.width, frame.height)
        except VideoError as error:
            raise SourceError(self._without_path(error)) from error
