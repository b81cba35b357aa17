"""`--functions` and `--urdf`: what derived columns may use beside columns; only ever from the command line."""

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telecine.core.derive.functions import NO_TOOLS, Toolbox
from telecine.core.errors import PlanError


def tools_of(functions: str | Path | None, urdf: str | Path | None) -> Toolbox:
    """The functions of a Python file, which is run, and the robot of a URDF file. Raises: PlanError."""
    if functions is None and urdf is None:
        return NO_TOOLS
    from telecine.kinematics.urdf import read_robot

    own = {} if functions is None else _functions(Path(functions))
    robot = None if urdf is None else read_robot(urdf)
    given = {flag: str(path) for flag, path in (("functions", functions), ("urdf", urdf)) if path is not None}
    return Toolbox(own, robot, {flag: _noted(Path(path)) for flag, path in given.items()}, given)


def _functions(path: Path) -> dict[str, Callable[..., Any]]:
    """The public functions that a file defines itself."""
    if not path.is_file():
        raise PlanError(f"--functions {path}: there is no such file; name a Python file that defines the functions")
    name = "telecine_functions"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PlanError(f"--functions {path}: not a Python file; its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there for the module they are in
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the person's own code raises
        raise PlanError(f"--functions {path}: {type(error).__name__}: {error}") from error
    own = {key: value for key, value in vars(module).items() if callable(value) and not key.startswith("_")}
    found = {key: value for key, value in own.items() if getattr(value, "__module__", "") == name}
    if not found:
        raise PlanError(f"--functions {path}: defines no function; write one, such as `def length(x):`")
    return found


def _noted(path: Path) -> str:
    """Name and digest, for meta/telecine/derived.json."""
    return f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
