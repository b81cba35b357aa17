"""`telecine.Recorder`: from a control loop straight into a dataset that LeRobot reads after every episode.

    with Recorder("out", fps=30, robot_type="my_arm") as recorder:
        recorder.start_episode("pick up the cube")
        while running:
            recorder.add(time.monotonic_ns(), {"observation.state": joints, "action": command,
                                               "observation.images.front": rgb})
        recorder.end_episode(success=True)

What is added is a recording like any other: samples are resampled to `fps` by their stamps, so streams may
come at rates of their own. A process that is killed loses the episode it was recording, and nothing else.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from telecine.conversion.cameras import code, prepare
from telecine.conversion.report import EpisodeReport
from telecine.core.errors import AlignError, DatasetError
from telecine.core.grid import SECOND
from telecine.core.outcome import WORDS
from telecine.core.plan.model import Plan, make_plan
from telecine.core.recording import Ref
from telecine.dataset.existing import ExistingDataset
from telecine.dataset.staging import require_writable
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.paths import INFO
from telecine.recorder.episode import CLOCK, FORMAT, LiveEpisode
from telecine.video.presets import Preset, video_settings


class Recorder:
    """Writes the dataset `root`, an episode at a time. A context manager; not for several threads at once.

    episodes: reports of those written by this recorder.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        fps: int,
        robot_type: str | None = None,
        names: Mapping[str, Sequence[str]] | None = None,
        preset: Preset = "train",
        mode: Literal["new", "overwrite", "append"] = "new",
    ) -> None:
        """Nothing is written before the first episode ends.

        names: of the elements of vectors, by feature. mode: what to do when `root` exists.

        Raises:
            DatasetError: `root` exists, or holds no dataset to append to. PlanError: no such preset.
        """
        self.root = Path(root)
        self.fps = fps
        self.episodes: list[EpisodeReport] = []
        self._robot_type = robot_type
        self._names = dict(names or {})
        self._video = video_settings(preset)
        self._preset = preset
        self._append = mode == "append"
        self._overwrite = mode == "overwrite"
        if self._append and not (self.root / INFO).is_file():
            raise DatasetError(f"{root}: holds no dataset to append to ({INFO} is missing)")
        if not self._append:
            require_writable(self.root, overwrite=self._overwrite)
        self._episode: LiveEpisode | None = None
        self._last: ExistingDataset | None = None
        self._planned: tuple[tuple[str, ...], Plan, str] | None = None
        parent = self.root.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(parent, self.root.name)
        prefix = f".{self.root.name}.recording-{os.getpid()}-"
        self._folder: Path | None = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))

    def start_episode(self, task: str) -> None:
        """Begin an episode. Raises: DatasetError when one is being recorded, or after `close`."""
        folder = self._open_folder()
        if self._episode is not None:
            raise DatasetError(f"{self.root}: an episode is being recorded; end or discard it first")
        if not task.strip():
            raise DatasetError(f"{self.root}: the task is empty; policies are conditioned on it")
        self._episode = self._begun(task, folder, self._names)

    def add(self, time_ns: int, values: Mapping[str, Any]) -> None:
        """Take samples of one instant: numbers (copied), texts, and frames named observation.images.*.

        time_ns: on any clock that does not jump, the same for all streams. Frames are uint8 (height, width, 3).

        Raises: PlanError for what is no sample, VideoError when a camera's encoder failed.
        """
        self._recording().add(int(time_ns), values)

    def add_frame(self, frame: Mapping[str, Any]) -> None:
        """Take samples as LeRobot's `add_frame` does: frame i was taken at i / fps. A "task" begins an episode."""
        values = {key: value for key, value in frame.items() if key != "task"}
        if self._episode is None and "task" in frame:
            self.start_episode(str(frame["task"]))
        episode = self._recording()
        episode.add((2 * episode.steps * SECOND + self.fps) // (2 * self.fps), values)

    def end_episode(self, success: bool | None = None) -> EpisodeReport:
        """Write the episode; the dataset holds it when this returns.

        success: whether it went well; None when that is not known. Stored in the episode's facts and, as its last row,
            in the column `next.success`.

        Raises: AlignError, PlanError, VideoError or DatasetError when the episode cannot be written; it is gone
            then, and the next one can be recorded.
        """
        live, self._episode = self._recording(), None
        return self.write(live, success)

    def apart(self, task: str, names: Mapping[str, Sequence[str]] | None = None) -> LiveEpisode:
        """An episode of this recorder that is filled apart from it and then given to `write`. Raises: DatasetError."""
        return self._begun(task, self._open_folder(), self._names if names is None else names)

    def write(self, live: LiveEpisode, success: bool | None = None) -> EpisodeReport:
        """Write an episode that was filled apart, for those who record several at once; otherwise as `end_episode`."""
        self._open_folder()
        try:
            if not live.keys:
                raise AlignError(f"{self.root}: no sample was added since the episode began, so it has no rows")
            number = len(self.episodes)
            ref = Ref(FORMAT, f"{self.root.name}/{number}", f"{number}")
            recording = live.finish(ref, WORDS[success])
            plan, plan_yaml = self._plan(live)
            episode = code(prepare(recording, plan), plan, live.folder, lambda: None)
            with self._writer() as writer:
                index = writer.add(episode)
                writer.commit(plan_yaml=plan_yaml)
        finally:
            live.abandon()
        self._append = True
        self.episodes.append(EpisodeReport.of(index, episode))
        self._last = writer.written()
        return self.episodes[-1]

    def discard_episode(self) -> None:
        """Forget the episode that is being recorded, if any."""
        live, self._episode = self._episode, None
        if live is not None:
            live.abandon()

    def close(self) -> None:
        """Discard an unfinished episode and let go of everything. May be called again."""
        self.discard_episode()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begun(self, task: str, folder: Path, names: Mapping[str, Sequence[str]]) -> LiveEpisode:
        return LiveEpisode(task, Path(tempfile.mkdtemp(dir=folder)), self._video, self.fps, names)

    def _open_folder(self) -> Path:
        if self._folder is None:
            raise DatasetError(f"{self.root}: the recorder is closed")
        return self._folder

    def _recording(self) -> LiveEpisode:
        if self._episode is None:
            raise DatasetError(f"{self.root}: no episode is being recorded; call start_episode first")
        return self._episode

    def _plan(self, live: LiveEpisode) -> tuple[Plan, str]:
        """Every stream as the feature of its name; samples that come seldom stand until the next. With its YAML."""
        keys = tuple(live.keys)
        if self._planned is None or self._planned[0] != keys:
            features = {key: {"from": key, "how": "hold"} for key in keys}
            body = {"fps": self.fps, "clock": {"timeline": CLOCK}, "features": features, "task": {"from": "task"}}
            body |= {"video": {"preset": self._preset}}
            plan = make_plan(body | ({} if self._robot_type is None else {"robot_type": self._robot_type}))
            self._planned = keys, plan, plan.to_yaml()
        return self._planned[1:]

    def _writer(self) -> DatasetWriter:
        last, self._last = self._last, None  # of no use after a failure
        if self._append:
            return DatasetWriter.append(self.root, fps=self.fps, robot_type=self._robot_type, last=last)
        return DatasetWriter.create(
            self.root, fps=self.fps, robot_type=self._robot_type, overwrite=self._overwrite, outcomes=True
        )


def _remove_left_behind(parent: Path, name: str) -> None:
    """Remove unfinished episodes of recorders whose process is gone."""
    lead = f".{name}.recording-"
    for folder in parent.glob(f"{lead}*"):
        pid = folder.name.removeprefix(lead).partition("-")[0]
        if pid.isdecimal() and not _is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    if sys.platform == "win32":  # pragma: no cover
        return True  # asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
