"""A .spool file while it is written, by several threads: each record is whole or not there at all."""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telecine.core.recording import Buffer
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.format import MAGIC, Record, SpoolStream

_BINARY = getattr(os, "O_BINARY", 0)


class SpoolFile:
    """Appends records to the new file `path`.

    Every method raises OSError when the disk refuses; the file then ends with its last whole record, and the same
    record can be tried once more.
    """

    def __init__(self, path: Path, episode: dict[str, Any]) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._streams = 0
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o644)
        self._size = 0
        try:
            first = layout.record(Record.EPISODE, 0, json.dumps(episode, ensure_ascii=False).encode())
            self._append([MAGIC, *first])
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise

    @property
    def size_bytes(self) -> int:
        """Of all that was written so far."""
        return self._size

    def add_stream(self, stream: SpoolStream) -> int:
        """The number of a new stream."""
        with self._lock:
            self._append(layout.record(Record.STREAM, 0, stream.to_json()))
            self._streams += 1
            return self._streams - 1

    def add_samples(self, number: int, payload: Sequence[Buffer]) -> None:
        """Append what `format.samples` gives."""
        self._add(Record.SAMPLES, number, payload)

    def add_packet(self, number: int, stamp_ns: int, data: Buffer) -> None:
        """Append the next coded frame of a stream."""
        self._add(Record.PACKET, number, layout.packet(stamp_ns, data))

    def add_frame(self, number: int, stamp_ns: int, count: int, pixels: Buffer) -> int:
        """Append frame `count` of a stream before it is coded; the place of its pixels, for `read`."""
        return self._add(Record.FRAME, number, layout.frame(stamp_ns, count, pixels)) + layout.FRAME_OFFSET

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Bytes that were appended before."""
        parts = []
        while size_bytes and (part := os.pread(self._handle, size_bytes, offset)):  # may give less than asked for
            parts.append(part)
            offset, size_bytes = offset + len(part), size_bytes - len(part)
        return b"".join(parts)

    def end(self, facts: dict[str, Any]) -> None:
        """Mark the file as complete."""
        self._add(Record.END, 0, [json.dumps(facts, ensure_ascii=False).encode()])

    def sync(self) -> None:
        """Wait until what was appended is on the disk itself."""
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._handle)

    def close(self) -> None:
        """Let go of the file, which stays. May be called again."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _add(self, kind: Record, number: int, payload: Sequence[Buffer]) -> int:
        pieces = layout.record(kind, number, *payload)
        with self._lock:
            return self._append(pieces)

    def _append(self, pieces: Sequence[Buffer]) -> int:
        """Write the pieces at the end; where they begin."""
        start, data = self._size, [memoryview(piece).cast("B") for piece in pieces]
        try:
            while data:
                written = _write(self._handle, data[:_MOST_PIECES], self._size)
                self._size += written
                while data and written >= len(data[0]):
                    written -= len(data.pop(0))
                if data and written:
                    data[0] = data[0][written:]
        except OSError:
            self._size = start  # the next record is written over the torn one
            os.ftruncate(self._handle, start)
            raise
        return start


_MOST_PIECES = 256


def _write(handle: int, pieces: list[memoryview], offset: int) -> int:
    if hasattr(os, "pwritev"):
        return os.pwritev(handle, pieces, offset)
    os.lseek(handle, offset, os.SEEK_SET)  # pragma: no cover
    return os.write(handle, b"".join(pieces))  # pragma: no cover
