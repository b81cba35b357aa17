"""Make an Isaac Lab that knows nothing of telecine take its handler: for scripts, and for the seed's own words.

    from telecine.record.isaaclab import install
    install()
    from isaaclab.utils.datasets import LeRobotDatasetFileHandler
    env_cfg.recorders.observation_keys_to_record = ["policy/camera_rgb"]
    env_cfg.recorders.state_observation_keys = ["policy/joint_pos"]
    env_cfg.recorders.task_description = "Stack the cubes"

Isaac Lab's recorder manager takes every attribute of its configuration for a recorder term and stops at a list; so the
three are taken out before it looks, and put back after. The clean way is the term in `terms.py`.
"""

import functools
import importlib
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from telecine.recorder.isaac.first_step import MANAGER, warn_if_nothing
from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler
from telecine.recorder.isaac.needs import stop_if_missing

KEYS = {
    "observation_keys_to_record": "observation_keys",
    "state_observation_keys": "state_keys",
    "task_description": "task",
}
"""Attribute of the recorder manager's configuration -> setting of the handler."""
FLAG = "--lerobot_format"
_DATASET = "--dataset_file"
_MARK = "_telecine_installed"
_DATASETS = "isaaclab.utils.datasets"


def install() -> None:
    """Once in a process, before the environment is made. May be called again.

    Raises: ModuleNotFoundError when Isaac Lab is not there.
    """
    _name_handler()
    manager = importlib.import_module(MANAGER).RecorderManager
    if not getattr(manager, _MARK, False):
        manager.__init__ = _taking_our_keys(manager.__init__)
        setattr(manager, _MARK, True)


def _name_handler() -> None:
    """Put the handler where the guide imports it from."""
    datasets = importlib.import_module(_DATASETS)
    datasets.LeRobotDatasetFileHandler = LeRobotDatasetFileHandler  # type: ignore[attr-defined]


def _taking_our_keys(original: Any) -> Any:
    @functools.wraps(original)
    def init(self: Any, cfg: Any, env: Any) -> None:
        our_keys = {key: vars(cfg).pop(key) for key in KEYS if hasattr(cfg, "__dict__") and key in vars(cfg)}
        given = getattr(cfg, "dataset_file_handler_class_type", None)
        self._term_names = []  # Isaac Lab's destructor asks for it, also when what follows fails
        try:
            if our_keys and isinstance(given, type) and issubclass(given, LeRobotDatasetFileHandler):
                cfg.dataset_file_handler_class_type = given.configured(**settings_of(our_keys))
            original(self, cfg, env)
            if isinstance(given, type) and issubclass(given, LeRobotDatasetFileHandler):
                warn_if_nothing(cfg, self.active_terms)
        finally:
            if our_keys:
                cfg.dataset_file_handler_class_type = given
                vars(cfg).update(our_keys)

    return init


def settings_of(our_keys: dict[str, Any]) -> dict[str, Any]:
    """The handler's settings from attributes of the recorder manager's configuration; lists become tuples."""
    made = {KEYS[key]: tuple(v) if isinstance(v, list) else v for key, v in our_keys.items() if v is not None}
    if "observation_keys" in made or "state_keys" in made:
        made = {"observation_keys": (), "state_keys": (), **made}
    return made


def main(arguments: Sequence[str]) -> int:
    """Run a script of Isaac Lab with the handler installed: SCRIPT [--lerobot_format] and the script's own flags.

    With --lerobot_format every recorder manager writes with our handler, and --dataset_file NAME.lerobot means a folder
    of that name. The exit code is the script's.

    Raises: SystemExit with code 1 when something is not installed.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write("usage: python -m telecine.record.isaaclab SCRIPT.py [--lerobot_format] [flags of SCRIPT]\n")
        return 0 if arguments else 2
    stop_if_missing()
    script, *rest = arguments
    if not Path(script).is_file():
        sys.stderr.write(f"error: {script}: there is no such script\n")
        return 2
    sys.argv = [script, *script_arguments(rest)]
    sys.path.insert(0, str(Path(script).resolve().parent))
    _when_imported(_DATASETS, _name_handler)
    _when_imported(MANAGER, _take_over if FLAG in rest else install)
    runpy.run_path(script, run_name="__main__")
    return 0


def script_arguments(rest: Sequence[str]) -> list[str]:
    """The script's own flags: ours left out, the name of the dataset as the script wants it.

    >>> script_arguments(["--task", "T", "--lerobot_format", "--dataset_file", "d/x.lerobot"])
    ['--task', 'T', '--dataset_file', 'd/x.hdf5']
    """
    ours = FLAG in rest
    left = [argument for argument in rest if argument != FLAG]
    if ours and not any(a == _DATASET or a.startswith(f"{_DATASET}=") for a in left):
        left += [_DATASET, "./datasets/dataset.lerobot"]
    # Scripts cut the ending off and hand the rest to the handler, which puts .lerobot behind it.
    return [a.removesuffix(".lerobot") + ".hdf5" if a.endswith(".lerobot") else a for a in left]


def _when_imported(name: str, then: Callable[[], None]) -> None:
    """Do it once the script imports the module: those of Isaac Lab load only after the app has started."""
    if name in sys.modules:
        then()
    else:
        sys.meta_path.insert(0, _AfterImport(name, then))


def _take_over() -> None:
    """Install, and let every recorder manager write with our handler, whatever its configuration names."""
    install()
    manager = importlib.import_module(MANAGER).RecorderManager
    original = manager.__init__

    @functools.wraps(original)
    def init(self: Any, cfg: Any, env: Any) -> None:
        given = getattr(cfg, "dataset_file_handler_class_type", None)
        if given is not None and not (isinstance(given, type) and issubclass(given, LeRobotDatasetFileHandler)):
            cfg.dataset_file_handler_class_type = LeRobotDatasetFileHandler
        original(self, cfg, env)

    manager.__init__ = init


class _AfterImport:
    """A finder that calls `then` once, after `name` was imported by the others."""

    def __init__(self, name: str, then: Any) -> None:
        self.name, self.then = name, then

    def find_spec(self, name: str, *_: Any) -> Any:
        """What the other finders give for the module, with its execution followed by `then`."""
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            run, then = spec.loader.exec_module, self.then

            def exec_module(module: Any) -> None:
                run(module)
                sys.modules[name] = module
                then()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
