"""One episode while it is recorded: a .spool file that grows, and what has to be noticed meanwhile.

Numbers are in memory until the file is written, ten times a second; frames are coded as they come. Whatever happens
to the process, the file holds all but the last second.
"""

import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from telecine.core.depth import DepthScale
from telecine.core.errors import DatasetError
from telecine.core.findings import Finding
from telecine.core.grid import SECOND
from telecine.core.recording import Array
from telecine.core.video import VideoSettings
from telecine.recorder.appending import Expected
from telecine.recorder.disk import Disk, disk_text
from telecine.recorder.live_streams import LiveCamera, LiveSamples, LiveStream
from telecine.recorder.options import RecorderOptions
from telecine.recorder.sample import Sample, check_alike, check_finite, check_plan, sample_of
from telecine.recorder.stamp_check import LATE_NS, StampCheck, stamp_of
from telecine.sources.recorder_spool.format import SUFFIX
from telecine.sources.recorder_spool.spool_file import SpoolFile

EPISODE_FILE = f"episode{SUFFIX}"
FLUSH_S = 0.1
SYNC_S = 0.15
WATCH_NS = SECOND // 20
"""How often, by the episode's own clock, quiet streams are looked for."""
OnFinding = Callable[[Finding], None]


class LiveEpisode:
    """What was added since it began. For several threads at once.

    folder: of its own, with the file; goes with `abandon`. label: what findings call the episode. expected: what the
    dataset holds that it is for.
    """

    def __init__(
        self,
        task: str,
        folder: Path,
        options: RecorderOptions,
        *,
        names: Mapping[str, Sequence[str]] | None = None,
        expected: Expected | None = None,
        on_finding: OnFinding = lambda _: None,
        label: str = "episode",
    ) -> None:
        self.task, self.folder, self.label = task, folder, label
        self.id = uuid.uuid4().hex[:12]
        self.steps = 0
        self.first_ns: int | None = None
        self.newest_ns: int | None = None
        self._options, self._on_finding, self._expected = options, on_finding, expected
        self._names = options.names if names is None else names
        self._streams: dict[str, LiveSamples | LiveCamera] = {}
        self._settings: dict[str, tuple[VideoSettings, int | Any]] = {}
        self._lock = threading.Lock()
        self._idle, self._adding = threading.Condition(self._lock), 0
        self._watched_ns = 0
        self._ending, self._over, self._wake = threading.Event(), threading.Event(), threading.Event()
        self._findings: deque[Finding] = deque()
        header = {"task": task, "id": self.id, "fps": options.fps}
        try:
            self.file = SpoolFile(folder / EPISODE_FILE, header)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise DatasetError(f"{folder.parent}: an episode cannot begin: {error.strerror or error}") from error
        self._disk = Disk(self.file, self._report_disk)
        self._writer = threading.Thread(target=self._write_on, name="telecine spool", daemon=True)
        self._writer.start()

    # --- what is added --------------------------------------------------------------------------------------------

    @property
    def keys(self) -> tuple[str, ...]:
        """The features so far, numbers and texts before cameras."""
        return tuple(sorted(self._streams, key=lambda key: isinstance(self._streams[key], LiveCamera)))

    @property
    def streams(self) -> tuple[LiveSamples | LiveCamera, ...]:
        """Their streams."""
        return tuple(self._streams[key] for key in self.keys)

    def add(self, time_ns: Any, values: Mapping[str, Any]) -> None:
        """Take samples of one instant: all of them, or none.

        Raises: PlanError for a stamp or a value that cannot be taken, DatasetError when the disk has been full for
            so long that no memory is left, or the episode has ended.
        """
        if not self.add_if_open(time_ns, values):
            raise DatasetError(f"{self.label}: the episode has ended; this sample was not taken")

    def add_if_open(self, time_ns: Any, values: Mapping[str, Any]) -> bool:
        """As `add`; False, and nothing is taken, once the episode has ended."""
        with self._lock:
            if self._ending.is_set():
                return False
            self._adding += 1
        try:
            self._add(time_ns, values)
        finally:
            with self._idle:
                self._adding -= 1
                self._idle.notify_all()
            self.deliver()
        return True

    def _add(self, time_ns: Any, values: Mapping[str, Any]) -> None:
        stamp_ns = stamp_of(next(iter(values), "time_ns"), time_ns)
        samples = [self._checked(key, stamp_ns, value) for key, value in values.items()]
        streams = [self._stream_of(sample, stamp_ns) for sample in samples]
        self._reserve(streams)
        for stream, sample in zip(streams, samples, strict=True):
            stream.take(stamp_ns, sample)
            if isinstance(stream, LiveCamera) and stream.queue.is_full:
                self._wake.set()
        if samples:
            self._note(stamp_ns, stamp_ns)
        with self._lock:
            self.steps += 1
        self._watch(stamp_ns)

    def add_rows(self, times_ns: Sequence[int], values: Mapping[str, Array]) -> None:
        """Take the numbers of many instants, (len(times_ns), ...) of each feature, which are copied.

        Raises: PlanError, as `add`.
        """
        for key, array in values.items():
            rows = array.reshape(len(times_ns), *(array.shape[1:] or (1,)))
            stream = self._stream_of(self._checked(key, int(times_ns[0]), rows[0]), int(times_ns[0]))
            assert isinstance(stream, LiveSamples)
            stream.take_rows([int(stamp) for stamp in times_ns], rows)
            self._note(int(min(times_ns)), int(max(times_ns)))

    def _checked(self, key: str, stamp_ns: int, value: Any) -> Sample:
        """The value as a sample that can be taken. Raises: PlanError, DatasetError."""
        sample = self._of_stream(key, stamp_ns, value)
        check_finite(sample)
        return sample

    def _of_stream(self, key: str, stamp_ns: int, value: Any) -> Sample:
        """The value as a sample like those of its stream before. Raises: PlanError, DatasetError."""
        stream = self._streams.get(key)
        if stream is None:
            video, _ = self._settings_of(key)
            names = self._names.get(key)
            sample = sample_of(key, value, video, None if names is None else tuple(names))
            StampCheck(key, None, None).check(stamp_ns, self.newest_ns)
            check_plan(sample, self._options.plan([key]))
            if self._expected is not None:
                self._expected.check(sample, scaled=video.size is not None)
            return sample
        known = stream.same(value)
        sample = known or sample_of(key, value, self._settings[key][0], stream.stream.schema.names)
        if known is None:
            check_alike(sample, stream.stream)
        stream.check(stamp_ns, self.newest_ns)
        return sample

    def _settings_of(self, key: str) -> tuple[VideoSettings, Any]:
        """(how frames of it are coded, its limit). Raises: PlanError for a key that no dataset can have."""
        if key not in self._settings:
            plan = self._options.plan([key])
            self._settings[key] = self._options.video_of(plan), plan.features[0].limit
        return self._settings[key]

    def _reserve(self, streams: Sequence[LiveSamples | LiveCamera]) -> None:
        """Have memory for a sample of each. Raises: DatasetError when there is none for one; then for none of them."""
        for count, stream in enumerate(streams):
            if not stream.reserve():
                for other in streams[:count]:
                    other.unreserve()
                raise DatasetError(
                    f"{self.folder.parent}: {self._disk.problem}, and no more memory is used for {stream.name}; this "
                    "sample was not taken. What was taken before can still be saved: end the episode"
                )

    def _note(self, first_ns: int, last_ns: int) -> None:
        with self._lock:
            self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
            self.newest_ns = last_ns if self.newest_ns is None else max(self.newest_ns, last_ns)

    def _stream_of(self, sample: Sample, stamp_ns: int) -> LiveSamples | LiveCamera:
        """The stream of the sample, which begins with it if there is none. Raises: PlanError, DatasetError."""
        key = sample.stream.name
        with self._lock:
            stream = self._streams.get(key)
            if stream is not None:
                return stream
            video, limit = self._settings_of(key)
            fps = None if sample.stream.kind == "text" else self._options.fps
            check = StampCheck(key, fps, self._options.rates.get(key))
            if sample.is_frame:
                stream = self._camera(sample, check, limit, video)
            else:
                stream = LiveSamples(sample.stream, check, limit, self._disk)
                if sample.array is None and self.first_ns is not None and self.first_ns < stamp_ns:
                    # Text that comes seldom must not cost the rows before it: nothing was said until then.
                    stream.take(self.first_ns, Sample(sample.stream, None, ""))
            self._streams[key] = stream
            return stream

    def _camera(self, sample: Sample, check: StampCheck, limit: Any, video: VideoSettings) -> LiveCamera:
        settings = replace(video, depth=DepthScale()) if sample.stream.schema.unit else video
        camera = LiveCamera(sample.stream, check, limit, self._disk, settings, self._options.when_behind)
        try:
            camera.start(self.file, self._options.fps)
        except OSError as error:
            raise DatasetError(f"{self.folder.parent}: {sample.stream.name} cannot begin: {error}") from error
        return camera

    # --- what has to be noticed -----------------------------------------------------------------------------------

    def _watch(self, stamp_ns: int) -> None:
        """Report streams that were quiet for too long, while others went on."""
        if stamp_ns - self._watched_ns < WATCH_NS and stamp_ns >= self._watched_ns:
            return
        self._watched_ns = stamp_ns
        self._report_quiet_streams(LATE_NS)

    def _report_quiet_streams(self, late_ns: int) -> None:
        """Report streams without a sample for too long. late_ns: by how much one may still come late.

        Streams of one thread are compared with one another. One of another thread may be late by more, as threads are:
        it is quiet when nothing has come from it for that time either.
        """
        now_s = time.monotonic()
        for stream in list(self._streams.values()):
            limit = stream.limit_ns
            if limit is None or stream.is_quiet or self.newest_ns is None:
                continue
            together = [s.stamps.newest_ns or 0 for s in self._streams.values() if s.thread == stream.thread]
            is_silent = (now_s - stream.arrived_s) * SECOND > limit
            gap = stream.gap_ns((self.newest_ns if is_silent else max(together)) - late_ns)
            if gap > limit:
                self._report_quiet(stream, gap, limit)

    def _report_quiet(self, stream: LiveStream, gap_ns: int, limit_ns: int) -> None:
        with self._lock:
            if stream.is_quiet:
                return
            stream.is_quiet = True
        text = f"no sample for {gap_ns / SECOND:.3f} s, longer than its limit of {limit_ns / SECOND:.3f} s"
        self._report("record-quiet", "warning", stream.name, text, "check the sensor, or raise `max_age` for it")

    def _report(self, code: str, severity: Any, key: str, text: str, fix: str = "") -> None:
        self._findings.append(Finding(code, severity, f"{self.label} {key}".strip(), text, fix))

    def deliver(self) -> None:
        """Give what was noticed, on whatever thread, to `on_finding` on this one."""
        while self._findings:
            self._on_finding(self._findings.popleft())

    @property
    def unit_problems(self) -> tuple[str, ...]:
        """Why streams were refused for their unit of time and did not come right afterwards."""
        return tuple(f"{s.name}: {s.stamps.unit_problem}" for s in self.streams if s.stamps.unit_problem)

    # --- the file -------------------------------------------------------------------------------------------------

    def _write_on(self) -> None:
        """On the thread: write what is in memory, until the episode is over."""
        synced_s = time.monotonic()
        while not self._over.is_set():
            self._wake.wait(FLUSH_S)
            self._wake.clear()
            try:
                self._flush()
                if time.monotonic() - synced_s > SYNC_S:
                    self.file.sync()
                    synced_s = time.monotonic()
            except OSError as error:
                self._disk.refuses(error)
                self._over.wait(FLUSH_S)
            self._disk.check()
            self._report_cameras()

    def _flush(self) -> None:
        for stream in self.streams:
            if isinstance(stream, LiveSamples):
                stream.flush(self.file)
            else:
                stream.spill(self.file)

    def _report_cameras(self) -> None:
        for camera in self._cameras:
            for finding in camera.problems(self.label):
                if finding.code not in camera.reported:
                    camera.reported.add(finding.code)
                    self._findings.append(finding)

    def _report_disk(self, problem: str) -> None:
        text = f"{problem}; what is recorded waits in memory"
        self._report("record-disk", "error", "", text, "free some space: recording goes on where it stopped")

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What the encoders of the episode did not manage, for its report."""
        return tuple(finding for camera in self._cameras for finding in camera.problems(self.label))

    @property
    def _cameras(self) -> list[LiveCamera]:
        return [stream for stream in self.streams if isinstance(stream, LiveCamera)]

    def finish(self, facts: Mapping[str, Any]) -> Path:
        """Complete the file; where it is. Nothing can be added any more.

        Raises: DatasetError when something is not in the file, and says what: it holds all that could be written.
        """
        self._stop()
        self._report_quiet_streams(0)
        try:
            self._flush()
        except OSError as error:
            self._disk.refuses(error)
        reasons = [self._disk.last_problem, *(camera.failure for camera in self._cameras)]
        lost = ", ".join(stream.lost for stream in self.streams if stream.lost)
        problem = f"{'; '.join(filter(None, reasons))}: {lost} could not be written" if lost else ""
        try:
            causes = filter(None, (facts.get("error_cause"), problem))
            self.file.end(dict(facts) | {"error_cause": "; ".join(causes)})
        except OSError as error:
            problem = problem or f"{disk_text(error)}: the end of the episode could not be written"
        if problem:
            raise DatasetError(problem)
        return self.file.path

    def _stop(self) -> None:
        """Take nothing any more, and wait until what was taken is coded or given up."""
        with self._idle:
            self._ending.set()
            self._disk.give_up()
            self._idle.wait_for(lambda: not self._adding)
        for camera in self._cameras:
            camera.queue.close()
        for camera in self._cameras:
            camera.join()
        self._over.set()
        self._wake.set()
        self._writer.join()

    def close(self) -> None:
        """Let go of the file, which stays."""
        self.file.close()

    def abandon(self) -> None:
        """Stop, and remove everything. May be called again."""
        for camera in self._cameras:
            camera.queue.clear()
        self._stop()
        self.file.close()
        shutil.rmtree(self.folder, ignore_errors=True)
