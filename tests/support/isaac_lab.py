"""Isaac Lab's real recorder classes, of 3.0 or 2.3, out of its wheel and without its simulator.

Those of 3.0 import as they are. 2.3 imports the simulator everywhere: stand-ins answer for what is not there, and
packages whose own `__init__` loads the physics are entered without it. Recorder manager, terms, `EpisodeData` and the
HDF5 handler are Isaac Lab's, unchanged.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import types
import warnings
from pathlib import Path

ABSENT = ("carb", "isaacsim", "omni", "pxr", "trimesh", "warp")
"""The simulator's modules, and two large packages of which recording uses nothing."""
BARE = ("managers", "envs", "envs.mdp", "envs.mdp.recorders")
"""Packages of 2.3 that are entered without their `__init__`."""
STANDING_IN = {"app": ("AppLauncher",), "scene": ("InteractiveSceneCfg",), "sim": ("SimulationContext",)}
"""Modules of 2.3 that its own tests import names of."""


def missing(version):
    """What is not installed of what the recorder classes import; `version`: the wheel's."""
    needed = ["torch", "prettytable", *(["warp"] if version >= 3 else ["toml"])]
    return [name for name in needed if importlib.util.find_spec(name) is None]


def version():
    """2 or 3; 0 without Isaac Lab."""
    try:
        return int(importlib.metadata.version("isaaclab").partition(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


def source():
    """The folder with `isaaclab/` and `test/` in the wheel."""
    return Path(importlib.metadata.distribution("isaaclab").locate_file("isaaclab/source/isaaclab"))


def load():
    """`managers.recorder_manager`, `recorders_cfg`, `utils.datasets` and `telecine.record.isaac_terms`."""
    inside = ("managers.recorder_manager", "envs.mdp.recorders.recorders_cfg", "utils.datasets")
    names = [*(f"isaaclab.{name}" for name in inside), "telecine.record.isaac_terms"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, warp's and Isaac Lab's own
        if version() == 2 and "isaaclab" not in sys.modules:
            _stand_in()
        return [importlib.import_module(name) for name in names]


def _stand_in():
    sys.meta_path.insert(0, _Finder())
    sys.path.insert(0, str(source()))
    importlib.import_module("isaaclab")
    for name in BARE:
        _put(f"isaaclab.{name}", source() / "isaaclab" / name.replace(".", "/"))
    for name, classes in STANDING_IN.items():
        module = _put(f"isaaclab.{name}", None)
        for one in classes:
            setattr(module, one, type(one, (_Anything,), {}))
    recorders = importlib.import_module("isaaclab.managers.recorder_manager")
    terms = importlib.import_module("isaaclab.managers.manager_term_cfg")
    managers, envs = sys.modules["isaaclab.managers"], sys.modules["isaaclab.envs"]
    for name in ("RecorderManager", "RecorderManagerBaseCfg", "RecorderTerm", "DatasetExportMode"):
        setattr(managers, name, getattr(recorders, name))
    managers.RecorderTermCfg = terms.RecorderTermCfg
    for name in ("ManagerBasedEnv", "ManagerBasedEnvCfg"):
        setattr(envs, name, type(name, (_Anything,), {}))


def _put(name, folder):
    """A package of this name without a body; with a folder its modules import as they are."""
    module = types.ModuleType(name)
    module.__path__ = [] if folder is None else [str(folder)]
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    setattr(sys.modules[parent], last, module)
    return module


class _Anything:
    """Any class of the simulator's: made and called with anything, true where the recorder manager asks."""

    def __init__(self, *_, **__):
        pass

    def __call__(self, *_, **__):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()

    def __or__(self, other):
        return object

    __ror__ = __or__


class _Module(types.ModuleType):
    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        """A stand-in for what is absent."""
        if name.partition(".")[0] in ABSENT:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module):
        pass
