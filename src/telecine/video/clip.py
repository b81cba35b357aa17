"""The scratch file of one camera of one episode: coded frames with their place in display order.

An Arrow file of small record batches: written and read back in bounded memory (a mapped file would count as memory).
It lives between a worker and the writer of the same run, so it carries no version.
"""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np
import pyarrow as pa

from telecine.core.data.arrow import array
from telecine.core.errors import VideoError, raised_as
from telecine.core.recording import Buffer
from telecine.core.video import Clip, PacketIndex

_SCHEMA = pa.schema([("data", pa.large_binary()), ("display", pa.int64()), ("keyframe", pa.bool_())])
ClipPacket: TypeAlias = tuple[Buffer, int, bool]
"""(packet, number in the clip of the frame that it shows, whether it is a keyframe)."""
_BATCH_BYTES = 1 << 20
_BATCH_PACKETS = 256


class ClipWriter:
    """Writes a clip's packets in decode order. A context manager: a clip left by an error cannot be read.

    frames, size_bytes: packets added so far and their bytes.
    """

    def __init__(self, path: str) -> None:
        self.frames = 0
        self.size_bytes = 0
        self._path = path
        self._data: list[Buffer] = []
        self._display: list[int] = []
        self._keyframe: list[bool] = []
        self._pending_bytes = 0

    def __enter__(self) -> Self:
        with raised_as(VideoError, f"{self._path}: cannot be written", OSError, pa.ArrowException):
            self._sink = pa.OSFile(self._path, "wb")
            self._writer = pa.ipc.new_file(self._sink, _SCHEMA)
        return self

    def add(self, data: Buffer, display: int, keyframe: bool) -> None:
        """Append one packet, whose frame is shown as number `display` of the clip.

        Raises:
            VideoError: the disk refuses.
        """
        self._data.append(data)
        self._display.append(display)
        self._keyframe.append(keyframe)
        self._pending_bytes += len(data)
        self.frames += 1
        self.size_bytes += len(data)
        if self._pending_bytes >= _BATCH_BYTES or len(self._data) >= _BATCH_PACKETS:
            self._flush()

    def _flush(self) -> None:
        if not self._data:
            return
        columns = [
            array(self._data, pa.large_binary()),
            array(self._display, pa.int64()),
            array(self._keyframe, pa.bool_()),
        ]
        with raised_as(VideoError, f"{self._path}: cannot be written", OSError, pa.ArrowException):
            self._writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
        self._data, self._display, self._keyframe, self._pending_bytes = [], [], [], 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._writer.close()
        except (OSError, pa.ArrowException) as failed:
            raise VideoError(f"{self._path}: cannot be written: {failed}") from failed
        finally:
            self._sink.close()


def copied_clip(path: str, packets: Iterable[Buffer], index: PacketIndex, run: slice, *, key: str) -> Clip:
    """The clip at `path` of a run of packets as they are, whose frames are shown without a gap; nothing is decoded.

    packets: those of `run`. index: of the whole stream, in one frame format. The clip has no statistics.

    Raises:
        VideoError: the disk refuses.
    """
    copy, run_packets = unwritten_clip(path, packets, index, run, key=key)
    with ClipWriter(path) as clip:
        for data, shown, is_key in run_packets:
            clip.add(data, shown, is_key)
    return copy


def unwritten_clip(
    path: str, packets: Iterable[Buffer], index: PacketIndex, run: slice, *, key: str
) -> tuple[Clip, Iterator[ClipPacket]]:
    """As `copied_clip`, with its packets beside it instead of in a file; `path` is where they come from."""
    display, keyframe, sizes = index.display[run], index.keyframe[run], index.sizes[run]
    display = display - display.min()
    clip = Clip(
        key=key,
        path=path,
        format=index.formats[0],
        frames=int(display.size),
        preroll=0,
        reorder_delay=int(np.max(np.arange(display.size) - display)),
        copied=True,
        why="exact",
        size_bytes=int(sizes.sum()),
        gop=int(np.max(np.diff(np.append(np.flatnonzero(keyframe), display.size)))),
        histogram=np.zeros((3, 256), np.int64),
        sampled=0,
        starts_file=index.must_start_file(run.start),
    )
    return clip, zip(packets, display.tolist(), keyframe.tolist(), strict=True)


def read_clip(path: str) -> Iterator[tuple[memoryview, int, bool]]:
    """(packet, display, keyframe) in decode order, lazily; the packets are views of a batch in memory.

    Raises:
        VideoError: the file is missing, truncated or not a clip. Truncation is noticed before the first packet.
    """
    with (
        raised_as(VideoError, f"{path}: the clip cannot be read", OSError, pa.ArrowException),
        pa.OSFile(path) as file,
        pa.ipc.open_file(file) as reader,
    ):
        if reader.schema != _SCHEMA:
            raise VideoError(f"{path}: not a clip of telecine's")
        for i in range(reader.num_record_batches):
            yield from _packets(reader.get_batch(i))


def _packets(batch: pa.RecordBatch) -> Iterator[tuple[memoryview, int, bool]]:
    """Rows of a batch without copying the data, which `as_py` would do."""
    data = batch.column(0)
    _, offsets, values = data.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(data) + 1, offset=8 * data.offset).tolist()
    view = memoryview(values).cast("B") if values is not None else memoryview(b"")
    numbers = batch.column(1).to_pylist()
    flags = batch.column(2).to_pylist()
    for i, (display, keyframe) in enumerate(zip(numbers, flags, strict=True)):
        yield view[bounds[i] : bounds[i + 1]], display, keyframe
