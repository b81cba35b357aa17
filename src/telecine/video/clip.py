"""The scratch file of one camera of one episode: coded frames with their place in display order.

Packets one behind the other, so that nothing is copied on the way to the disk, then a table of them: (n,) int64 sizes
in bytes, (n,) int64 numbers of the frames that they show, (n,) bytes of 1 for keyframes, n as int64, and a mark.
Written and read back in bounded memory (a mapped file would count as memory). It lives between a worker and the writer
of the same run, so it carries no version.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from io import FileIO
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np

from telecine.core.errors import VideoError, raised_as
from telecine.core.grid import Rows
from telecine.core.recording import Buffer
from telecine.core.text.numbers import counted
from telecine.core.video import Clip, Flags, PacketIndex

ClipPacket: TypeAlias = tuple[Buffer, int, bool]
"""(packet, number in the clip of the frame that it shows, whether it is a keyframe)."""
_END = struct.Struct("<q8s")
_MARK = b"telecine"
_PACKET_BYTES = 8 + 8 + 1
"""Of each packet in the table."""
_BATCH_BYTES = 1 << 20
"""So much is read, or written, at a time: the pages of a file cost a third of what they do packet by packet."""
_BATCH_PACKETS = 128
"""So many are held at most until they are written."""


class ClipWriter:
    """Writes a clip's packets in decode order. A context manager: a clip left by an error cannot be read.

    frames, size_bytes: packets added so far and their bytes.
    """

    def __init__(self, path: str) -> None:
        self.frames = 0
        self.size_bytes = 0
        self._path = path
        self._sizes: list[int] = []
        self._display: list[int] = []
        self._keyframe = bytearray()
        self._held: list[Buffer] = []
        self._held_bytes = 0

    def __enter__(self) -> Self:
        with raised_as(VideoError, f"{self._path}: cannot be written", OSError):
            self._file = FileIO(self._path, "wb")
        return self

    def add(self, data: Buffer, display: int, keyframe: bool) -> None:
        """Append one packet, whose frame is shown as number `display` of the clip.

        Raises:
            VideoError: the disk refuses.
        """
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes >= _BATCH_BYTES or len(self._held) == _BATCH_PACKETS:
            self._write_held()
        self._sizes.append(len(data))
        self._display.append(display)
        self._keyframe.append(keyframe)
        self.frames += 1
        self.size_bytes += len(data)

    def _write_held(self) -> None:
        data = memoryview(b"".join(self._held))
        self._held, self._held_bytes = [], 0
        with raised_as(VideoError, f"{self._path}: cannot be written", OSError):
            while data:  # a disk that is nearly full takes a part
                data = data[self._file.write(data) :]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                table = np.array([self._sizes, self._display], "<i8")
                self._held += [table.tobytes(), bytes(self._keyframe), _END.pack(self.frames, _MARK)]
                self._write_held()


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
    """(packet, display, keyframe) in decode order, lazily; the packets are views of a part of the file in memory.

    Raises:
        VideoError: the file is missing, truncated or not a clip. Truncation is noticed before the first packet.
    """
    with raised_as(VideoError, f"{path}: the clip cannot be read", OSError), FileIO(path) as file:
        sizes, display, keyframe = _table(file, path)
        file.seek(0)
        ends = np.cumsum(sizes)
        first = 0
        while first < sizes.size:
            start = int(ends[first] - sizes[first])
            stop = max(first + 1, int(np.searchsorted(ends, start + _BATCH_BYTES, side="right")))
            view = memoryview(_read(file, int(ends[stop - 1]) - start, path))
            bounds = [0, *(ends[first:stop] - start).tolist()]
            shown, keys = display[first:stop].tolist(), keyframe[first:stop].tolist()
            for number, (place, key) in enumerate(zip(shown, keys, strict=True)):
                yield view[bounds[number] : bounds[number + 1]], place, key
            first = stop


def _table(file: FileIO, path: str) -> tuple[Rows, Rows, Flags]:
    """(n,) sizes in bytes, (n,) frames shown, (n,) keyframes. Raises: VideoError unless they account for every byte."""
    whole = file.seek(0, os.SEEK_END)
    file.seek(max(0, whole - _END.size))
    count, mark = _END.unpack(_read(file, _END.size, path))
    rest = whole - _END.size - _PACKET_BYTES * count
    if mark != _MARK or count < 0 or rest < 0:
        raise VideoError(f"{path}: the clip cannot be read: it is cut off, or not a clip of telecine's")
    file.seek(rest)
    table = _read(file, _PACKET_BYTES * count, path)
    sizes, display = np.frombuffer(table, "<i8", 2 * count).reshape(2, count)
    if int(sizes.sum()) != rest or np.any(sizes < 0):
        raise VideoError(
            f"{path}: the clip cannot be read: its packets have {counted(int(sizes.sum()), 'byte')}, not {rest}"
        )
    return sizes, display, np.frombuffer(table, np.bool_, count, offset=16 * count)


def _read(file: FileIO, size_bytes: int, path: str) -> bytes:
    data = file.read(size_bytes)
    while len(data) < size_bytes:
        more = file.read(size_bytes - len(data))
        if not more:
            raise VideoError(
                f"{path}: the clip cannot be read: it ends after {counted(len(data), 'byte')} of {size_bytes}"
            )
        data += more
    return data
