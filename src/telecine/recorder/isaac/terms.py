"""The handler's settings as a recorder term of Isaac Lab: its own extension point. Imports Isaac Lab.

    env_cfg.recorders.lerobot = LeRobotTermCfg(
        state_keys=["policy/joint_pos"], observation_keys=["policy/table_cam"], task="Stack the cubes"
    )

With `stream_cameras` frames go to one encoder thread per camera and environment at every step and leave the episode
at once, so that memory does not grow with the length of an episode.
"""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from isaaclab.managers import RecorderTerm, RecorderTermCfg
from isaaclab.utils import configclass

from telecine.recorder.isaac.episode import array_of, is_frame, leaves
from telecine.recorder.isaac.first_step import warn_if_nothing
from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler, words_of
from telecine.recorder.isaac.stream import Streamed
from telecine.recorder.malloc_trim import HeapTrimmer


class LeRobotTerm(RecorderTerm):  # type: ignore[misc]  # Isaac Lab has no types
    """Configures the handler, and takes frames out of episodes while they grow; records nothing itself."""

    def __init__(self, cfg: Any, env: Any) -> None:
        super().__init__(cfg, env)
        handler = env.cfg.recorders.dataset_file_handler_class_type
        ours = handler if issubclass(handler, LeRobotDatasetFileHandler) else LeRobotDatasetFileHandler
        ours = ours.configured(**settings_of(cfg))
        env.cfg.recorders.dataset_file_handler_class_type = ours
        warn_if_nothing(env.cfg.recorders, None)
        self._settings = ours.settings
        self._spool: Path | None = None
        self._heap = HeapTrimmer()
        self._running: weakref.WeakSet[Streamed] = weakref.WeakSet()
        if cfg.stream_cameras:
            folder = Path(env.cfg.recorders.dataset_export_dir_path)
            folder.mkdir(parents=True, exist_ok=True)
            self._spool = Path(tempfile.mkdtemp(prefix=".telecine-cameras-", dir=folder))

    def record_pre_step(self) -> tuple[None, None]:
        """Move the frames that other terms recorded in this step, or the one before, to their encoders."""
        if self._spool is not None:
            for number in range(self._env.num_envs):
                self._move_frames(self._env.recorder_manager.get_episode(number))
        return None, None

    def record_pre_reset(self, env_ids: Any) -> tuple[None, None]:
        """The same for what is left before an export."""
        del env_ids
        self.record_pre_step()
        return None, None

    def close(self, file_path: str) -> None:
        """Stop the encoders of what was not exported, and remove it."""
        del file_path
        for streamed in list(self._running):
            streamed.abandon()
        if self._spool is not None:
            shutil.rmtree(self._spool, ignore_errors=True)

    def _move_frames(self, episode: Any) -> None:
        obs = episode.data.get("obs")
        if not isinstance(obs, dict):
            return
        wants = self._settings.wants
        for path, held in list(leaves(obs)):
            if not isinstance(held, list) or not held or not is_frame(array_of(held[0])) or not wants(path):
                continue
            streamed = getattr(episode, "_telecine", None) or self._begin(episode)
            for frame in map(array_of, held):
                streamed.add(path, frame)
                self._heap.passed(frame.nbytes)
            _drop(obs, path.split("/"))

    def _begin(self, episode: Any) -> Streamed:
        assert self._spool is not None
        fps = self._settings.fps or round(1 / self._env.step_dt)
        task = self._settings.task or words_of(getattr(self._env.cfg, "env_name", None) or "")
        made = Streamed(Path(tempfile.mkdtemp(dir=self._spool)), task, self._settings, fps)
        episode._telecine = made  # goes with the episode: to the handler, or nowhere when it is discarded
        weakref.finalize(episode, made.abandon)
        self._running.add(made)
        return made


def _drop(obs: dict[str, Any], path: list[str]) -> None:
    for part in path[:-1]:
        obs = obs[part]
    del obs[path[-1]]


def settings_of(cfg: Any) -> dict[str, Any]:
    """The handler's settings in a term's configuration, those that were given."""
    made: dict[str, Any] = {}
    for name in ("observation_keys", "state_keys", "task", "action", "fps", "robot_type", "cameras", "preset",
                 "existing", "replay"):  # fmt: skip
        value = getattr(cfg, name)
        if value is not None:
            made[name] = tuple(value) if isinstance(value, list) else value
    return made


@configclass
class LeRobotTermCfg(RecorderTermCfg):  # type: ignore[misc]
    """Settings of the handler (see `telecine.recorder.isaac.episode.Settings`), None for its own choice."""

    class_type: type = LeRobotTerm
    observation_keys: list[str] | None = None
    state_keys: list[str] | None = None
    task: str | None = None
    action: str | None = None
    fps: int | None = None
    robot_type: str | None = None
    cameras: dict[str, str] | None = None
    preset: str | None = None
    existing: str | None = None
    replay: bool | None = None
    stream_cameras: bool = False
