"""`telecine.Recorder`: from a control loop straight into a dataset that LeRobot reads after every episode.

    with Recorder("out", fps=30, robot_type="my_arm") as recorder:
        recorder.start_episode("pick up the cube")
        while running:
            recorder.add(time.monotonic_ns(), {"observation.state": joints, "action": command,
                                               "observation.images.front": rgb})
        recorder.end_episode(success=True)

What is added is a recording like any other, in a file beside the dataset: samples are resampled to `fps` by their
stamps, so streams may come at rates of their own. An episode that does not fit the dataset, or whose process is
stopped, stays as such a file, which `telecine convert` reads.
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from telecine.conversion.report import EpisodeReport
from telecine.core.errors import AlignError, DatasetError, PlanError, TelecineError
from telecine.core.findings import Finding
from telecine.core.grid import tick_at
from telecine.core.text.numbers import counted
from telecine.dataset.staging import Asker, require_writable
from telecine.lerobot_format.paths import INFO
from telecine.recorder import rejected
from telecine.recorder.dataset_episodes import DatasetEpisodes, Ending
from telecine.recorder.episode import LiveEpisode
from telecine.recorder.frame_queue import Behind
from telecine.recorder.options import OnExit, PerAge, PerText, RecorderOptions, require_one_of
from telecine.recorder.progress import RecordingDisplay
from telecine.recorder.rejected import RejectedEpisode, SpoolFolder
from telecine.recorder.sample import as_sample
from telecine.recorder.stream import RecorderStream
from telecine.video.presets import Preset

log = logging.getLogger("telecine.recorder")
Mode = Literal["new", "overwrite", "append", "append_or_create"]


class Recorder:
    """Writes the dataset `root`, an episode at a time. A context manager.

    Samples may be added by several threads; episodes are begun and ended by one.

    episodes: reports of those written by this recorder. rejected: episodes that were saved beside the dataset.

    >>> import numpy as np
    >>> with Recorder("live", fps=10) as recorder:
    ...     recorder.start_episode("wave")
    ...     for step in range(20):
    ...         recorder.add(step * 100_000_000, {"action": np.zeros(2, np.float32)})
    ...     report = recorder.end_episode(success=True)
    >>> [episode.rows for episode in recorder.episodes]
    [20]
    """

    def __init__(
        self,
        root: str | Path,
        *,
        fps: int,
        robot_type: str | None = None,
        names: Mapping[str, Sequence[str]] | None = None,
        rates: Mapping[str, float] | None = None,
        preset: Preset = "train",
        max_age: PerAge = None,
        how: PerText = None,
        missing: PerText = None,
        video: Mapping[str, Any] | None = None,
        clock: Mapping[str, Any] | None = None,
        min_rows: float = 0.9,
        when_behind: Behind = "spill",
        mode: Mode = "new",
        on_exit: OnExit = "keep",
        on_finding: Callable[[Finding], None] | None = None,
        progress: bool = False,
    ) -> None:
        """Nothing is at `root` before the first episode ends. Durations are seconds (0.5) or texts ("500ms").

        names: of the elements of vectors, by feature.
        rates: samples per second of streams that do not run at `fps`; stamps in a wrong unit are found by them.
        max_age, how, missing: of all features, or by name: the oldest sample that a row may show (`limit` in a plan;
            "none" for any), how it is chosen, and what to do where a stream starts late or ends early.
        video, clock: as in a plan; `video` also by camera.
        min_rows: an episode with a smaller part of the expected rows is rejected.
        when_behind: what to do when an encoder is slower than its camera: "spill" frames to disk, "wait", or "drop".
        mode: what to do when `root` exists: "new" refuses, "append" needs it, "append_or_create" takes either.
        on_exit: what becomes of an episode that was not ended: "keep" writes it, with the fact `interrupted`.
        on_finding: is given what is noticed while recording, on the thread that adds or ends; without it, each is a
            warning and a line in the log.
        progress: show episode, streams, queues and disk in the terminal.

        Raises:
            DatasetError: `root` exists, or holds no dataset to append to, or one of another rate, robot or names.
            PlanError: options that no plan can have.
        """
        self.root = Path(root)
        self.fps = fps
        per_feature = (names or {}, rates or {}, max_age, how, missing, video, clock)
        options = RecorderOptions(fps, robot_type, preset, *per_feature, min_rows, when_behind)
        self.episodes: list[EpisodeReport] = []
        self.rejected: list[RejectedEpisode] = []
        require_one_of("mode", mode, Mode)
        require_one_of("on_exit", on_exit, OnExit)
        self._on_exit, self._on_finding = on_exit, on_finding
        self._dataset = self._opened(mode, options)
        self.options = self._dataset.options
        self._episode: LiveEpisode | None = None
        self._is_closed = False
        self._recover()
        self._folder = SpoolFolder(self.root)
        self._progress = RecordingDisplay(self) if progress else None

    def _opened(self, mode: Mode, options: RecorderOptions) -> DatasetEpisodes:
        exists = (self.root / INFO).is_file()
        if mode == "append" and not exists:
            raise DatasetError(
                f"{self.root}: holds no dataset to append to ({INFO} is missing); use mode='append_or_create'"
            )
        appending, overwrite = exists and mode.startswith("append"), mode == "overwrite"
        if not appending:
            require_writable(self.root, overwrite=overwrite, asker=Asker('mode="overwrite"', 'mode="append"'))
        return DatasetEpisodes(self.root, options, appending=appending, overwrite=overwrite)

    def _recover(self) -> None:
        """Save what stopped processes were recording, and report it."""
        for saved in rejected.recover(self.root, self.options):
            self.rejected.append(saved)
            self._report(Finding("record-recovered", "warning", str(self.root), str(saved)))

    # --- an episode -----------------------------------------------------------------------------------------------

    def start_episode(self, task: str) -> None:
        """Begin an episode. Raises: DatasetError when one is being recorded, or after `close`."""
        self._require_open()
        if self._episode is not None:
            raise DatasetError(f"{self.root}: an episode is being recorded; end or discard it first")
        self._episode = self.new_episode(task)

    def add(self, time_ns: int, values: Mapping[str, Any]) -> None:
        """Take samples of one instant: numbers (copied), texts, and frames named observation.images.*; all or none.

        time_ns: nanoseconds on any clock that does not jump, the same for all streams. Within a stream, samples up to
            a second late are sorted in. Frames are uint8 (height, width, 3); depth is uint16 in mm or float32 in m.

        Raises:
            PlanError: a stamp or value that cannot be taken; the episode is as it was before.
            DatasetError: no episode is being recorded, or the disk is full and so is the memory for what waits.
        """
        self._recording().add(time_ns, values)

    def stream(self, name: str) -> RecorderStream:
        """A feature by itself, for a thread of its own: `stream.add(time_ns, value)`. Stays valid between episodes."""
        return RecorderStream(name, lambda: self._episode)

    def add_frame(self, frame: Mapping[str, Any]) -> None:
        """Take samples as LeRobot's `add_frame` does: frame i was taken at i / fps. A "task" begins an episode.

        Images may be (3, height, width) and floats from 0 to 1, as LeRobot takes them.
        """
        values = {key: as_sample(key, value) for key, value in frame.items() if key != "task"}
        if self._episode is None and "task" in frame:
            self.start_episode(str(frame["task"]))
        episode = self._recording()
        if "task" in frame and frame["task"] != episode.task:
            raise DatasetError(
                f"{self.root}: the task changed from {episode.task!r} to {frame['task']!r} within an episode; call "
                "save_episode first"
            )
        episode.add(tick_at(episode.steps, self.fps), values)

    def end_episode(self, success: bool | None = None, *, strict: bool = False) -> EpisodeReport:
        """Write the episode; the dataset holds it when this returns, and LeRobot reads it.

        success: whether it went well; None when that is not known. Stored in the episode's facts and, as its last row,
            in the column `next.success`. strict: reject it if streams had to be cut at all.

        Raises:
            TelecineError: it does not fit; AlignError, PlanError, VideoError or DatasetError says why. It is saved
                beside the dataset then, see `rejected`, and the next one can be recorded.
        """
        live, self._episode = self._recording(), None
        return self._write(live, Ending(success), strict=strict)

    def discard_episode(self) -> None:
        """Forget the episode that is being recorded, if any."""
        live, self._episode = self._episode, None
        if live is not None:
            live.abandon()

    # --- several at once ------------------------------------------------------------------------------------------

    def new_episode(self, task: str, names: Mapping[str, Sequence[str]] | None = None) -> LiveEpisode:
        """An episode that is filled by itself (`add`, `add_rows`) and given to `save_episode`. Raises: DatasetError."""
        self._require_open()
        if not task.strip():
            raise DatasetError(f"{self.root}: the task is empty; policies are conditioned on it")
        label = f"{self.root.name} episode {self._dataset.count}"
        return LiveEpisode(
            task,
            self._folder.episode(),
            self.options,
            names=names,
            expected=self._dataset.expected,
            on_finding=self._report,
            label=label,
        )

    def save_episode(self, episode: LiveEpisode | None = None, success: bool | None = None) -> EpisodeReport:
        """Write an episode of `new_episode`; without one the episode that is being recorded, as LeRobot's does.

        Raises: as `end_episode`.
        """
        if episode is None:
            return self.end_episode(success)
        self._require_open()
        return self._write(episode, Ending(success))

    # --- LeRobot's other verbs ------------------------------------------------------------------------------------

    @property
    def num_episodes(self) -> int:
        """Episodes in the dataset."""
        return self._dataset.count

    @property
    def num_frames(self) -> int:
        """Rows of the episodes in the dataset."""
        return self._dataset.rows

    def has_pending_frames(self) -> bool:
        """True when something was added since the last episode."""
        return self._episode is not None and self._episode.steps > 0

    def clear_episode_buffer(self) -> None:
        """As `discard_episode`."""
        self.discard_episode()

    def finalize(self) -> None:
        """As `close`."""
        self.close()

    # --- the end --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Deal with an episode that was not ended by `on_exit`, and let go of everything. May be called again."""
        if self._is_closed:
            return
        self._close("")

    def _close(self, cause: str) -> None:
        live, self._episode = self._episode, None
        try:
            if live is not None:
                self._leave(live, cause)
        finally:
            self._is_closed = True
            self._folder.close()
            if self._progress is not None:
                self._progress.close()

    def _leave(self, live: LiveEpisode, cause: str) -> None:
        if self._on_exit == "discard" or live.first_ns is None:
            live.abandon()
            return
        where = f"{self.root.name} episode {self._dataset.count}"
        try:
            report = self._write(live, Ending(None, interrupted=True, cause=cause))
        except TelecineError as error:
            text = f"it was interrupted: the recorder was left without end_episode; {error}"
        else:
            text = (
                "it was interrupted: the recorder was left without end_episode; "
                f"{counted(report.rows, 'row is', 'rows are')} kept"
            )
        self._report(Finding("record-interrupted", "warning", where, text, 'on_exit="discard" forgets such episodes'))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_closed:
            self._close("" if error is None else f"{type(error).__name__}: {error}")

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def running_episode(self) -> LiveEpisode | None:
        """The one that is being recorded."""
        return self._episode

    def _write(self, live: LiveEpisode, ending: Ending, *, strict: bool = False) -> EpisodeReport:
        try:
            file = live.finish(ending.plain)
            if live.first_ns is None:
                raise AlignError(f"{self.root}: nothing was added, so there is no episode to write")
            if live.unit_problems:
                raise PlanError("; ".join(live.unit_problems))
            report = self._dataset.write(file, live, strict=strict)
        except BaseException as error:
            self._reject(live, error)
            raise
        finally:
            live.deliver()
        live.abandon()
        self.episodes.append(report)
        return report

    def _reject(self, live: LiveEpisode, error: BaseException) -> None:
        """Save what could not be added, whatever the reason. Raises: an error of ours, with where it is."""
        live.close()
        if live.first_ns is None:
            live.abandon()
            return
        name = f"episode-{self._dataset.count:03d}-{live.id}"
        saved = rejected.save(live.file.path, self.root, name, str(error) or type(error).__name__, self.options)
        self.rejected.append(saved)
        if saved.path != live.file.path:
            live.abandon()
        if isinstance(error, TelecineError):
            raise type(error)(f"{self.root}: the episode was not added: {saved}") from error
        error.add_note(str(saved))

    def _report(self, finding: Finding) -> None:
        log.warning("%s", finding)
        if self._on_finding is not None:
            self._on_finding(finding)
        else:
            warnings.warn(str(finding), stacklevel=4)

    def _require_open(self) -> None:
        if self._is_closed:
            raise DatasetError(f"{self.root}: the recorder is closed; make another one")

    def _recording(self) -> LiveEpisode:
        episode = self._episode
        if episode is None:
            raise DatasetError(f"{self.root}: no episode is being recorded; call start_episode first")
        return episode
