"""Frames that wait for their encoder: in a bounded part of the memory, and on disk when the encoder is slow.

The caller only copies. When the memory is full, frames go to disk (by the thread that writes the episode's file), the
caller waits, or the frame is dropped and counted, as `Behind` says.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from telecine.core.recording import Array

Behind = Literal["spill", "wait", "drop"]
"""What to do with frames when the encoder is slower than the camera."""
MEMORY_BYTES = 64 << 20
"""Of frames of one camera that wait: two seconds of 640x480 at 30 fps."""
FEWEST = 4
"""Frames that fit at any size."""
READY = 4
"""Frames for which there is memory before they come: a tenth of a second, by which the episode's writer looks again."""
HOPE_S = 0.1
"""How often one who waits for memory asks whether there will be some."""
STALE_S = 0.4
"""Frames that wait longer are written to disk: after a power cut all but the last second has to be there."""
HELD_S = 0.7
"""So are those that an encoder has for longer: the default one holds 2, others up to 20, which at 30 fps is less."""

Spill = Callable[[int, int, Array], int]
"""(stamp, number, frame) -> its place on disk."""


class QueuedFrame(NamedTuple):
    """A frame for the encoder. pixels: None where it waits on disk. place: in the file, -1 where it is not there."""

    number: int
    stamp_ns: int
    pixels: Array | None
    place: int


@dataclass(eq=False, slots=True)
class _Waiting:
    number: int
    stamp_ns: int
    arrived_s: float
    pixels: Array | None
    place: int = -1
    is_taken: bool = False
    is_released: bool = False
    is_spilling: bool = False

    @property
    def frame(self) -> QueuedFrame:
        return QueuedFrame(self.number, self.stamp_ns, self.pixels, self.place)


class FrameQueue:
    """Frames of one camera, all of one shape and type, in the order in which they were added.

    added, dropped, spilled: frames so far. on_disk: frames that wait there. most_waiting: the longest that the queue
    has been.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, behind: Behind, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self.added = self.dropped = self.spilled = self.on_disk = self.most_waiting = 0
        self.is_over = False
        self._shape, self._dtype, self._behind = shape, dtype, behind
        size = max(int(np.prod(shape)) * np.dtype(dtype).itemsize, 1)
        self.capacity = max(memory_bytes // size, FEWEST)
        self._waiting: deque[_Waiting] = deque()
        self._not_on_disk: deque[_Waiting] = deque()
        self._held: deque[_Waiting] = deque()
        self._taken: deque[_Waiting] = deque()
        self._in_memory = self._to_drop = 0
        self._spare: list[Array] = []
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """Frames that the encoder has not taken yet."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """True when half of the memory is used: time to write frames to disk."""
        return 2 * self._in_memory >= self.capacity

    def reserve(self, is_hopeless: Callable[[], bool] = lambda: False) -> bool:
        """Keep memory for a frame, which `add` then uses; waits for it unless frames may be dropped.

        False when there is none and it is hopeless that there will be some.
        """
        with self._changed:
            while self._in_memory >= self.capacity and not self.is_over:
                if is_hopeless():
                    return False
                if self._behind == "drop":
                    self._to_drop += 1
                    return True
                self._changed.wait(HOPE_S)
            self._in_memory += 1
            return True

    def unreserve(self) -> None:
        """Use the memory that was kept for something else."""
        with self._changed:
            if self._to_drop:
                self._to_drop -= 1
            else:
                self._in_memory -= 1
            self._changed.notify_all()

    def add(self, stamp_ns: int, pixels: Array) -> bool:
        """Copy a frame into the memory that was kept for it; False when it was dropped."""
        with self._changed:
            if self._to_drop:
                self._to_drop -= 1
                self.dropped += 1
                return False
            held = self._spare.pop() if self._spare else np.empty(self._shape, self._dtype)
        np.copyto(held, pixels)
        with self._changed:
            entry = _Waiting(self.added, stamp_ns, time.monotonic(), held)
            self._waiting.append(entry)
            if self._behind == "spill":
                self._not_on_disk.append(entry)
            self.added += 1
            self.most_waiting = max(self.most_waiting, len(self._waiting))
            self._changed.notify_all()
        return True

    def prepare(self) -> None:
        """Have some memory ready for the next frames: its first use costs as much as copying a frame into it."""
        while len(self._spare) < READY and len(self._spare) + self._in_memory < self.capacity:
            fresh = np.empty(self._shape, self._dtype)
            fresh.fill(0)
            with self._changed:
                self._spare.append(fresh)

    def clear(self) -> int:
        """Forget every frame that waits; how many."""
        with self._changed:
            gone = len(self._waiting)
            self._in_memory -= sum(entry.pixels is not None for entry in self._waiting)
            self._waiting.clear()
            self._not_on_disk.clear()
            self._held.clear()
            self.on_disk = 0
            self._changed.notify_all()
            return gone

    def close(self) -> None:
        """No frame comes any more."""
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def frames(self) -> Iterator[QueuedFrame]:
        """Every frame, as it comes, until `close`. Its memory is its own until `release`."""
        while (entry := self._next()) is not None:
            yield entry.frame

    @property
    def taken(self) -> tuple[QueuedFrame, ...]:
        """Frames that `frames` gave and that are not released; the oldest first."""
        with self._changed:
            return tuple(entry.frame for entry in self._taken)

    def release(self, number: int) -> None:
        """Use the memory of the frames of `taken` up to this number again."""
        with self._changed:
            while self._taken and self._taken[0].number <= number:
                self._release()

    def _release(self) -> None:
        entry = self._taken.popleft()
        entry.is_released = True
        if entry.pixels is None:
            self.on_disk -= 1
            return
        self._in_memory -= 1
        if not entry.is_spilling:
            self._spare.append(entry.pixels)
        self._changed.notify_all()

    def _next(self) -> _Waiting | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.is_over)
            if not self._waiting:
                return None
            entry = self._waiting.popleft()
            self._taken.append(entry)
            entry.is_taken = True
            if self._behind == "spill" and entry.pixels is not None and not entry.is_spilling:
                self._held.append(entry)
            while len(self._taken) > self.capacity // 2:  # an encoder may hold more frames than there is memory
                self._release()
            while self._not_on_disk and self._not_on_disk[0].is_taken:
                self._not_on_disk.popleft()
            return entry

    def spill(self, write: Spill) -> None:
        """Write frames to disk that wait for long, or while more than half of the memory is used.

        Those that the encoder has for long, too, and they stay in memory all the same. Only where `behind` is "spill".

        Raises: OSError from `write`; the frame stays in memory then.
        """
        while (entry := self._oldest()) is not None:
            assert entry.pixels is not None
            try:
                place = write(entry.stamp_ns, entry.number, entry.pixels)
            except OSError:
                with self._changed:
                    entry.is_spilling = False
                    (self._held if entry.is_taken else self._not_on_disk).appendleft(entry)
                raise
            with self._changed:
                entry.is_spilling, entry.place = False, place
                if not entry.is_taken:
                    self._spare.append(entry.pixels)
                    entry.pixels = None
                    self._in_memory -= 1
                    self.on_disk += 1
                    self.spilled += 1
                    self._changed.notify_all()

    def _oldest(self) -> _Waiting | None:
        with self._changed:
            while self._held and self._held[0].is_released:
                self._held.popleft()
            while self._not_on_disk and self._not_on_disk[0].is_taken:
                self._not_on_disk.popleft()
            now_s = time.monotonic()
            if self._held and now_s - self._held[0].arrived_s > HELD_S:
                entry = self._held.popleft()
            elif self._not_on_disk and (self.is_full or now_s - self._not_on_disk[0].arrived_s > STALE_S):
                entry = self._not_on_disk.popleft()
            else:
                return None
            entry.is_spilling = True
            return entry
