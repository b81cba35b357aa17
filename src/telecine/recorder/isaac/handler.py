"""`LeRobotDatasetFileHandler`: what Isaac Lab's recorder manager writes its episodes with, as a LeRobot dataset.

    env_cfg.recorders.dataset_file_handler_class_type = LeRobotDatasetFileHandler

It is called with no arguments, `create` before there is an observation, and `write_episode` once for each episode.
Episodes are written on a thread of their own; `flush`, which Isaac Lab calls after every export, returns when they are
in the dataset, which loads from then on, also when the simulator ends hard. Needs neither lerobot nor torch; works with
Isaac Lab 2.3 and 3.0. `python -m telecine.record.isaaclab SCRIPT` runs a script with it.
"""

import io
import itertools
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from telecine.core.errors import DatasetError, TelecineError
from telecine.core.grid import Grid
from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.dataset.staging import Asker, require_writable
from telecine.recorder.background_queue import BackgroundQueue
from telecine.recorder.episode import LiveEpisode
from telecine.recorder.isaac.episode import EpisodeArrays, Settings, array_of, leaves, rows_of
from telecine.recorder.isaac.first_step import watch
from telecine.recorder.isaac.stream import Streamed
from telecine.recorder.recorder import Recorder

SUFFIX = ".lerobot"
NOTES = "meta/isaaclab"
"""Below the dataset: env.json, and NAME.npz of each episode for `load_episode`."""
USUAL_FPS = 30
Replay = tuple[dict[str, Array], dict[str, Any]]
"""What `load_episode` gives back: arrays by path, seed and success."""
log = logging.getLogger("telecine.isaaclab")


class LeRobotDatasetFileHandler:
    """Writes episodes of Isaac Lab into the LeRobot dataset PATH.lerobot; see `Settings` for what can be chosen.

    Not for several threads at once.
    """

    __module__ = (
        "telecine.record.isaaclab"  # the path that users type, and that Isaac Lab writes into its configurations
    )
    settings: ClassVar[Settings] = Settings()

    def __init__(self) -> None:
        self._root: Path | None = None
        self._recorder: Recorder | None = None
        self._queue = BackgroundQueue("telecine episodes")
        self._env_args: dict[str, Any] = {}
        self._names: list[str] = []
        self._mode = "new"
        self._empty = 0
        self._is_checked = False

    @classmethod
    def configured(cls, **settings: Any) -> "type[LeRobotDatasetFileHandler]":
        """This class with other `Settings`, to be given to a recorder manager's configuration.

        Raises: TypeError for a setting that there is not, ValueError when nothing is to be recorded.
        """
        made = replace(cls.settings, **settings)
        made.check()
        return type(cls.__name__, (cls,), {"settings": made, "__module__": cls.__module__})

    # --- what the recorder manager calls ---------------------------------------------------------------------------

    def create(self, file_path: str, env_name: str | None = None) -> None:
        """Begin a dataset at `file_path`, with .lerobot behind it. Raises: DatasetError when it exists."""
        watch()
        self._begin(file_path, {"new": "new", "error": "new"}.get(self.settings.existing, self.settings.existing))
        if self._mode == "new":
            require_writable(self._target, overwrite=False, asker=Asker('existing="overwrite"', 'existing="append"'))
        if self._mode == "append" and not self._target.exists():
            self._mode = "new"
        self._env_args = {"env_name": env_name or "", "type": 2}

    def open(self, file_path: str, mode: str = "r") -> None:
        """Read a dataset that is there; with a mode of "r+" or "a" add to it. Raises: DatasetError without one."""
        self._begin(file_path, "read" if mode == "r" else "append")
        if not (self._target / "meta" / "info.json").is_file():
            raise DatasetError(f"{self._target}: holds no LeRobot dataset; name the folder of one")
        notes = self._target / NOTES
        if (notes / "env.json").is_file():
            self._env_args = json.loads((notes / "env.json").read_text(encoding="utf-8"))
        self._names = sorted((p.stem for p in notes.glob("*.npz")), key=_number)

    def add_env_args(self, env_args: dict[str, Any]) -> None:
        """Facts about the environment; dt and decimation among `sim_args` give the rate. Raises: as `flush`."""
        self._queue.wait()
        self._env_args.update(env_args)
        if self._recorder is not None and self._recorder.episodes:
            self._write_env(self._target)

    def set_env_name(self, env_name: str) -> None:
        """Name the environment."""
        self.add_env_args({"env_name": env_name})

    def get_env_name(self) -> str | None:
        """What `create` or the dataset said."""
        return self._env_args.get("env_name") or None

    def write_episode(self, episode: Any, demo_id: int | None = None, *_: Any) -> None:
        """Add an episode, which is in the dataset after `flush`. One without steps is left out, and counted.

        demo_id: names it demo_ID instead of the next free number. Further arguments (compression) mean nothing here.

        Raises: ValueError for a name that is taken, TelecineError for an episode that cannot be written, nothing of
            which is, or DatasetError for one before, of which this is the first to tell; this one is not taken then.
        """
        self._require_open(writing=True)
        self._queue.limit_backlog()
        name = f"demo_{self._free_number() if demo_id is None else demo_id}"
        if name in self._names:
            raise ValueError(f"Episode '{name}' already exists in the dataset")
        streamed: Streamed | None = getattr(episode, "_telecine", None)
        rows = self._rows(episode)
        if not rows.steps:
            self._empty += 1
            log.warning("%s: an episode without steps was left out (%d so far)", self._target, self._empty)
            return
        recorder = self._opened(rows)
        live = recorder.new_episode(self.task, rows.names) if streamed is None else _with_frames(streamed, rows)
        _fill(live, rows, Fraction(recorder.fps))
        success = None if episode.success is None else bool(episode.success)
        replay = _replay(episode) if self.settings.replay else None
        self._names.append(name)
        self._queue.do(partial(self._write, recorder, name, live, success, replay))

    def _rows(self, episode: Any) -> EpisodeArrays:
        streamed: Streamed | None = getattr(episode, "_telecine", None)
        settings = self.settings if streamed is None else self.settings.without(streamed.paths)
        return rows_of(episode.data, settings, quaternion_order())

    def check_step(self, episode: Any) -> None:
        """Look once at an episode of one step: what would fail at its end fails now.

        Raises: DatasetError for an observation that is not there or cannot be stored, or when nothing is recorded.
        """
        if self._is_checked:
            return
        self._is_checked = True
        if not self._rows(episode).steps and not hasattr(episode, "_telecine"):
            recorded = ", ".join(episode.data) or "nothing"
            raise DatasetError(
                f"{self._target}: the recorder's terms record neither observations nor actions, only: {recorded}; "
                "derive the configuration from ActionStateRecorderManagerCfg, or add its terms"
            )

    def _free_number(self) -> int:
        """The number of episodes, or the next that no name has: one may have failed, others may have been given."""
        return next(number for number in itertools.count(len(self._names)) if f"demo_{number}" not in self._names)

    def _write(
        self, recorder: Recorder, name: str, live: LiveEpisode, success: bool | None, replay: Replay | None
    ) -> None:
        """On the thread. Raises: DatasetError."""
        try:
            recorder.save_episode(live, success)
            if replay is not None:
                _write_note(recorder.root, f"{name}.npz", _npz(replay))
            if len(recorder.episodes) == 1:
                self._write_env(recorder.root)
        except (TelecineError, OSError) as error:
            self._names.remove(name)
            raise DatasetError(f"{recorder.root}: {name} was not written: {error}") from error

    def flush(self) -> None:
        """Wait until every episode is in the dataset. Raises: DatasetError for one that could not be written."""
        self._require_open()
        self._queue.wait()

    def close(self) -> None:
        """Wait as `flush` does, and let go of the dataset. May be called again, also when `create` failed."""
        recorder, self._recorder, self._root = getattr(self, "_recorder", None), None, None
        if recorder is not None:
            try:
                self._queue.close()
            finally:
                recorder.close()

    def __del__(self) -> None:
        self.close()

    # --- what reads it back ----------------------------------------------------------------------------------------

    def get_num_episodes(self) -> int:
        """Episodes in the dataset, those of this handler and, opened for reading, all."""
        return len(self._names)

    @property
    def demo_count(self) -> int:
        """As `get_num_episodes`."""
        return len(self._names)

    def get_episode_names(self) -> Iterable[str]:
        """demo_0, demo_1 ..., by number."""
        self._require_open()
        return list(self._names)

    def load_episode(self, episode_name: str, device: str = "cpu", *_: Any) -> Any:
        """The episode as Isaac Lab's `EpisodeData`, to be replayed; frames are not in it. None when there is none."""
        self.flush()
        path = self._target / NOTES / f"{episode_name}.npz"
        if episode_name not in self._names or not path.is_file():
            return None
        torch, datasets = import_module("torch"), import_module("isaaclab.utils.datasets")
        episode = datasets.EpisodeData()
        with np.load(path) as stored:
            about = json.loads(str(stored["about"]))
            for key in stored.files:
                if key != "about":
                    _put(episode.data, key.split("/"), torch.as_tensor(stored[key], device=device))
        episode.seed, episode.success = about["seed"], about["success"]
        episode.env_id = self.get_env_name()
        return episode

    # --- inside ----------------------------------------------------------------------------------------------------

    @property
    def task(self) -> str:
        """The settings' task, else the environment's name in words."""
        if self.settings.task:
            return self.settings.task
        return words_of(self._env_args.get("env_name") or self._target.stem)

    @property
    def fps(self) -> int:
        """The settings' fps, else 1 / (dt * decimation). Raises: DatasetError when that is no whole number."""
        if self.settings.fps is not None:
            return self.settings.fps
        sim = self._env_args.get("sim_args") or {}
        if "dt" not in sim or "decimation" not in sim:
            warnings.warn(
                f"{self._target}: nobody said how many steps a second there are, so {USUAL_FPS} was taken; use "
                "LeRobotDatasetFileHandler.configured(fps=...)",
                stacklevel=2,
            )
            return USUAL_FPS
        step = float(sim["dt"]) * float(sim["decimation"])
        near = max(round(1 / step), 1) if step > 0 else 1
        if step <= 0 or abs(1 / near - step) > 1e-4:
            raise DatasetError(
                f"steps of {step:g} s are no whole number a second, which LeRobot needs; "
                "use LeRobotDatasetFileHandler.configured(fps=...)"
            )
        return near

    @property
    def _target(self) -> Path:
        self._require_open()
        assert self._root is not None
        return self._root

    def _begin(self, file_path: str, mode: str) -> None:
        if self._root is not None:
            raise RuntimeError("LeRobot dataset handler is already in use")
        plain = re.sub(r"\.hdf5$", "", str(file_path))
        self._root = Path(plain if plain.endswith(SUFFIX) else plain + SUFFIX).absolute()
        self._mode, self._names, self._empty = mode, [], 0

    def _require_open(self, *, writing: bool = False) -> None:
        if self._root is None:
            raise RuntimeError("LeRobot dataset handler is not initialized; call create or open first")
        if writing and self._mode == "read":
            raise RuntimeError(f'{self._root} is open for reading; open it with mode "r+" to add episodes')

    def _opened(self, rows: EpisodeArrays) -> Recorder:
        if self._recorder is None:
            if not self.settings.task:
                log.warning("%s: no task_description is set; %r was taken", self._target, self.task)
            self._recorder = Recorder(
                self._target,
                fps=self.fps,
                robot_type=self.settings.robot_type,
                names=rows.names,
                preset=self.settings.preset,  # type: ignore[arg-type]
                mode=self._mode,  # type: ignore[arg-type]
                when_behind="wait",
            )
        return self._recorder

    def _write_env(self, root: Path) -> None:
        _write_note(root, "env.json", json.dumps(self._env_args, default=str).encode())


def _write_note(root: Path, name: str, data: bytes) -> None:
    """Put a file beside the dataset's own, whole or not at all."""
    path = root / NOTES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(path)


def words_of(name: str) -> str:
    """An environment's name as words.

    >>> words_of("Isaac-Stack-Cube-Franka-IK-Rel-v0")
    'Stack Cube Franka IK Rel'
    """
    parts = [p for p in re.split(r"[-_\s]+", name) if p and p != "Isaac" and not re.fullmatch(r"v\d+", p)]
    return " ".join(parts) or "unnamed task"


def quaternion_order() -> str:
    """Of the Isaac Lab that runs: 3.0 turned wxyz into xyzw and counts its files since then."""
    module = sys.modules.get("isaaclab.utils.datasets.hdf5_dataset_file_handler")
    return "xyzw" if getattr(module, "DATASET_FORMAT_VERSION", 0) >= 1 else "wxyz"


def _with_frames(streamed: Streamed, rows: EpisodeArrays) -> LiveEpisode:
    """The episode whose frames are coded already. Raises: DatasetError when they are not as many as its steps."""
    for key, count in streamed.counts.items():
        if count != rows.steps:
            raise DatasetError(
                f"{key}: {counted(count, 'frame was', 'frames were')} streamed in an episode of "
                f"{counted(rows.steps, 'step')}"
            )
    streamed.names.update(rows.names)
    return streamed.given()


def _fill(live: LiveEpisode, rows: EpisodeArrays, fps: Fraction) -> None:
    """Put every step of the episode into `live`, stamped at exactly its rate."""
    times = Grid(0, rows.steps, fps).ticks().tolist()
    last = np.arange(rows.steps) == rows.steps - 1
    live.add_rows(times, {**rows.numbers, "next.done": last})
    if rows.frames:
        for step, time_ns in enumerate(times):
            live.add(time_ns, {key: array[step] for key, array in rows.frames.items()})


def _replay(episode: Any) -> Replay:
    """All that is no frame, copied."""
    arrays = {}
    for path, leaf in leaves(episode.data):
        values = array_of(leaf)
        if values.dtype.kind in "fiub" and not (values.dtype == np.uint8 and values.ndim == 4):
            arrays[path] = values.copy()
    return arrays, {"seed": _plain(episode.seed), "success": _plain(episode.success)}


def _npz(replay: Replay) -> bytes:
    arrays, about = replay
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _put(data: Mapping[str, Any], path: list[str], value: Any) -> None:
    target: Any = data
    for part in path[:-1]:
        target = target.setdefault(part, {})
    target[path[-1]] = value


def _number(name: str) -> tuple[int, str]:
    digits = name.rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else 0, name)
