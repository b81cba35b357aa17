"""One stream of a running episode: what was added, on its way to the episode's file."""

import logging
import threading
import time
from bisect import bisect_right, insort
from collections.abc import Iterator
from functools import partial
from itertools import chain, count, pairwise
from typing import Any, Literal

import numpy as np

from telecine.core.errors import VideoError
from telecine.core.findings import Finding
from telecine.core.recording import Array, Buffer
from telecine.core.text.numbers import counted
from telecine.core.video import VideoSettings
from telecine.recorder.disk import Disk
from telecine.recorder.frame_queue import Behind, FrameQueue, QueuedFrame
from telecine.recorder.sample import Sample
from telecine.recorder.stamp_check import StampCheck
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.format import SpoolStream
from telecine.sources.recorder_spool.spool_file import SpoolFile
from telecine.video.live import coded_frames

log = logging.getLogger("telecine.recorder")
MOST_PENDING = 200_000
"""Samples of one stream that are kept in memory while the disk refuses them."""


_threads = threading.local()
_numbers = count(1)


def thread_number() -> int:
    """A number that no other thread of the process has or had, unlike its ident."""
    if not hasattr(_threads, "number"):
        _threads.number = next(_numbers)
    number: int = _threads.number
    return number


class LiveStream:
    """What samples and cameras have in common.

    is_quiet: True once it was reported that it had no sample for too long. arrived_s, thread: when (monotonic) and by
    which thread the last sample was added.
    """

    def __init__(
        self, stream: SpoolStream, check: StampCheck, limit_ns: int | Literal["auto"] | None, disk: Disk
    ) -> None:
        self.stream, self.stamps, self._limit_ns, self._disk = stream, check, limit_ns, disk
        self.first_ns: int | None = None
        self.is_quiet = False
        self.arrived_s = 0.0
        self.thread = 0
        self._dtype = None if stream.kind == "text" else np.dtype(stream.schema.dtype)
        self._is_watched = stream.kind != "text" and limit_ns is not None
        self._recent: list[int] = []
        self._settled_ns: int | None = None
        self.number = -1
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The feature."""
        return self.stream.name

    @property
    def limit_ns(self) -> int | None:
        """For how long it may be quiet; None: for ever, as text may."""
        if not self._is_watched:
            return None
        return self.stamps.auto_limit_ns if self._limit_ns == "auto" else self._limit_ns

    def same(self, value: Any) -> Sample | None:
        """The value as a sample where it is an array like those before, which needs no more checks."""
        if isinstance(value, np.ndarray) and value.dtype == self._dtype and value.shape == self.stream.schema.shape:
            return Sample(self.stream, value)
        return None

    def check(self, stamp_ns: int, others_ns: int | None) -> None:
        """Raises: PlanError when a sample of this time may not follow."""
        self.stamps.check(stamp_ns, others_ns)

    def gap_ns(self, horizon_ns: int) -> int:
        """The longest time without a sample up to `horizon_ns`, since the last call; stamps after it may still come."""
        with self._lock:
            at = bisect_right(self._recent, horizon_ns)
            settled, self._recent = self._recent[:at], self._recent[at:]
            ends = [*([] if self._settled_ns is None else [self._settled_ns]), *settled]
            if not ends:
                return 0
            self._settled_ns = ends[-1]
            return max(later - earlier for earlier, later in pairwise([*ends, max(horizon_ns, ends[-1])]))

    def _count(self, stamp_ns: int) -> None:
        self.arrived_s, self.thread = time.monotonic(), thread_number()
        if self._is_watched and not self.is_quiet:
            insort(self._recent, stamp_ns)
        self.first_ns = stamp_ns if self.first_ns is None else min(self.first_ns, stamp_ns)
        self.stamps.take(stamp_ns)

    def _register(self, file: SpoolFile) -> int:
        """The stream's number in the file, which first gets to know it. Raises: OSError."""
        if self.number < 0:
            self.number = file.add_stream(self.stream)
        return self.number


class LiveSamples(LiveStream):
    """Numbers or text: in memory until the next time that the file is written."""

    def __init__(
        self, stream: SpoolStream, check: StampCheck, limit_ns: int | Literal["auto"] | None, disk: Disk
    ) -> None:
        super().__init__(stream, check, limit_ns, disk)
        self._stamps: list[int] = []
        self._values: list[Any] = []

    @property
    def pending(self) -> int:
        """Samples that are in memory only."""
        return len(self._stamps)

    @property
    def lost(self) -> str:
        """What the disk refused to the end, "" for nothing; once nothing is added any more."""
        return f"{counted(self.pending, 'sample')} of {self.name}" if self.pending else ""

    def reserve(self) -> bool:
        """Keep memory for a sample; False when there is none while the disk refuses."""
        return not (self._disk.is_refusing() and self.pending >= MOST_PENDING)

    def unreserve(self) -> None:
        """The sample does not come."""

    def take(self, stamp_ns: int, sample: Sample) -> None:
        """Copy a sample."""
        value = sample.text if sample.array is None else sample.array.copy()
        with self._lock:
            self._stamps.append(stamp_ns)
            self._values.append(value)
            self._count(stamp_ns)

    def take_rows(self, stamps_ns: list[int], values: Array) -> None:
        """Copy many samples, in order."""
        with self._lock:
            self._stamps.extend(stamps_ns)
            self._values.extend(np.array(values))
            for stamp_ns in stamps_ns:
                self._count(stamp_ns)

    def flush(self, file: SpoolFile) -> None:
        """Write what is in memory. Raises: OSError; all is in memory then as before."""
        with self._lock:
            stamps, values = self._stamps, self._values
            self._stamps, self._values = [], []
        if not stamps:
            return
        try:
            file.add_samples(self._register(file), layout.samples(stamps, self._packed(values)))
        except OSError:
            with self._lock:
                self._stamps[:0], self._values[:0] = stamps, values
            raise

    def _packed(self, values: list[Any]) -> Array | list[str]:
        return values if self.stream.kind == "text" else np.stack(values)


class LiveCamera(LiveStream):
    """Frames: copied into a queue, coded by a thread of their own.

    queue: what waits. failure: why frames are not coded any more; they go to the file uncoded from then on.
    reported: codes of findings about it.
    """

    def __init__(
        self,
        stream: SpoolStream,
        check: StampCheck,
        limit_ns: int | Literal["auto"] | None,
        disk: Disk,
        settings: VideoSettings,
        behind: Behind,
    ) -> None:
        super().__init__(stream, check, limit_ns, disk)
        self.queue = FrameQueue(stream.schema.shape, stream.schema.dtype, behind)
        self.failure = ""
        self._adding = threading.Lock()
        self.reported: set[str] = set()
        self._settings = settings
        self._coded = 0
        self._uncoded: set[int] = set()
        """Numbers of frames that are in the file, but not their packets."""
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> str:
        """What is not in the file, "" for nothing; after `join`."""
        lost = self.queue.added - self._coded - len(self._uncoded)
        return f"{counted(lost, 'frame')} of {self.name}" if lost else ""

    def start(self, file: SpoolFile, fps: int) -> None:
        """Begin to code. Raises: OSError when the file cannot be written."""
        self._register(file)
        self._thread = threading.Thread(target=self._run, args=(file, fps), name=f"telecine {self.name}", daemon=True)
        self._thread.start()

    def reserve(self) -> bool:
        """Keep memory for a frame, for which it may wait; False when there is none while the disk refuses."""
        return self.queue.reserve(self._disk.is_refusing)

    def unreserve(self) -> None:
        """The frame does not come."""
        self.queue.unreserve()

    def take(self, stamp_ns: int, sample: Sample) -> None:
        """Copy a frame into the queue."""
        assert sample.array is not None
        with self._adding:
            self.queue.add(stamp_ns, sample.array)
        with self._lock:
            self._count(stamp_ns)

    def spill(self, file: SpoolFile) -> None:
        """Write frames to disk that wait for too long. Raises: OSError."""
        self.queue.spill(lambda stamp_ns, number, pixels: self._store(file, stamp_ns, number, pixels))
        self.queue.prepare()

    def join(self) -> None:
        """Wait until all is coded, after `queue.close`."""
        if self._thread is not None:
            self._thread.join()

    def problems(self, where: str) -> Iterator[Finding]:
        """What could not be coded as it came, so far."""
        where, queue = f"{where} {self.name}", self.queue
        if queue.spilled:
            text = (
                f"the encoder was up to {counted(queue.most_waiting, 'frame')} behind; they waited on disk, "
                "none was dropped"
            )
            yield Finding("record-behind", "warning", where, text, "record smaller frames, or fewer cameras")
        if queue.dropped:
            text = f"{counted(queue.dropped, 'frame')} dropped, because the encoder was behind and when_behind is drop"
            yield Finding("record-dropped", "warning", where, text, 'when_behind="spill" drops none')
        if self.failure:
            text = f"{self.failure}; its frames were stored uncoded and are coded when the episode ends"
            yield Finding("record-encoder", "error", where, text, "choose another codec or preset; look at the disk")

    def _run(self, file: SpoolFile, fps: int) -> None:
        frames = self.queue.frames()
        try:
            try:
                self._code(file, fps, frames)
            except OSError:
                raise
            except Exception as error:  # noqa: BLE001  the border of the thread: frames must not be lost with it
                self._give_up(str(error) if isinstance(error, VideoError) else f"{type(error).__name__}: {error}")
            for frame in chain(self.queue.taken, frames):
                if frame.pixels is not None and frame.place < 0:  # others are in the file already
                    self._disk.write(partial(self._store, file, frame.stamp_ns, frame.number, frame.pixels))
                self.queue.release(frame.number)
        except OSError as error:
            log.error("%s: frames cannot be written any more: %s", self.name, error)
            for frame in chain(self.queue.taken, frames):  # so that nobody waits for memory; `lost` counts them
                self.queue.release(frame.number)

    def _give_up(self, why: str) -> None:
        self.failure = why
        log.error("%s: %s; its frames are written uncoded and coded when the episode ends", self.name, why)

    def _code(self, file: SpoolFile, fps: int, frames: Iterator[QueuedFrame]) -> None:
        """Code frames until there are no more, or one cannot be read back. Raises: OSError, VideoError."""
        stamps: dict[int, int] = {}

        def pixels() -> Iterator[Array]:
            for frame in frames:
                try:
                    array = frame.pixels if frame.pixels is not None else self._read(file, frame.place)
                except (OSError, ValueError) as error:
                    self._give_up(f"a frame that waited on disk cannot be read back: {error}")
                    return
                stamps[frame.number] = frame.stamp_ns
                yield array[:, :, 0] if self._settings.depth else array

        if self.stream.schema.encoding == layout.RAW["float32"]:
            for number, array in enumerate(pixels()):
                self._write_packet(file, stamps.pop(number), array.data)
            return
        for packet in coded_frames(pixels(), self._settings, fps, key=self.name):
            self._write_packet(file, stamps.pop(packet.pts), bytes(packet))

    def _write_packet(self, file: SpoolFile, stamp_ns: int, data: Buffer) -> None:
        self._disk.write(partial(file.add_packet, self.number, stamp_ns, data))
        with self._lock:
            self._uncoded.discard(self._coded)
            self._coded += 1
        self.queue.release(self._coded - 1)

    def _store(self, file: SpoolFile, stamp_ns: int, number: int, pixels: Array) -> int:
        """Write a frame as it is; the place of its pixels in the file. Raises: OSError."""
        place = file.add_frame(self.number, stamp_ns, number, pixels.data)
        with self._lock:
            if number >= self._coded:
                self._uncoded.add(number)
        return place

    def _read(self, file: SpoolFile, place: int) -> Array:
        """Raises: OSError, ValueError for fewer bytes than a frame has."""
        data = file.read(place, self.stream.frame_bytes)
        return np.frombuffer(data, self.stream.schema.dtype).reshape(self.stream.schema.shape)
