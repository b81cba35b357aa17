"""BridgeData as the robot wrote it: a folder per trajectory with `obs_dict.pkl`, `policy_out.pkl`, `images0/im_0.jpg`.

There is one action fewer than observations; each action follows the observation of its number. `lang.txt` beside them
has the task. Source: https://github.com/rail-berkeley/bridge_data_v2, `data_processing/bridgedata_raw_to_numpy.py`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.grid import Times
from telecine.core.naming import natural, numbered
from telecine.core.plan.model import IMAGES
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.core.text.numbers import counted
from telecine.sources.format import Found
from telecine.sources.pickles.plain_pickle import load_plain
from telecine.sources.shared.arrays import ArrayPart, CompressedArray, PixelLayout, static, stream_of
from telecine.sources.shared.confinement import link_problem, open_regular
from telecine.sources.shared.fingerprint import size_bytes
from telecine.sources.shared.held_arrays import HeldArray, frames_of_steps
from telecine.sources.shared.stamps import times_of_seconds
from telecine.sources.shared.timing import Timing

NAME = "bridge_raw"
SUFFIXES = ()
_FILES = ("obs_dict.pkl", "policy_out.pkl")
_LONGEST_TEXT = 1 << 16
_STATE_NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
_FRAME = re.compile(r"im_(?P<step>\d{1,9})\.(jpe?g|png)", re.IGNORECASE)
_LATE = re.compile(r"(20\d\d-\d\d-\d\d)_\d\d-\d\d-\d\d")
_PROMPT_SINCE = "2021-07-23"


def claims(path: str) -> bool:
    """True for the folder of a trajectory."""
    return Path(path).is_dir() and all((Path(path) / name).is_file() for name in _FILES)


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref; see `Format.index`."""
    del recover, token
    if problem := link_problem(path):
        raise SourceError(f"{path}: {problem}")
    return Found((Ref(NAME, path, "", size_bytes(path)),))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The trajectory; see `Format.open`."""
    folder = Path(ref.path)
    observed = load_plain(folder / _FILES[0])
    if not isinstance(observed, Mapping):
        raise SourceError(f"{folder / _FILES[0]}: holds a {type(observed).__name__}, expected a dict of arrays")
    actions = _actions(load_plain(folder / _FILES[1]), folder / _FILES[1])
    left_out: list[LeftOut] = []
    steps = _steps(observed, actions)
    timing = Timing(stamps=_stamps(observed, steps))
    streams: dict[str, Stream] = {}
    for name, values in {**observed, "action": actions}.items():
        made = _stream(name, values, steps, timing, left_out)
        if made is not None:
            streams[made.name] = made
    notes = list(_notes(folder))
    for camera in _cameras(folder):
        try:
            part, missing = frames_of_steps(f"/{camera}", str(folder), _frames(folder, camera), steps, timing)
            streams[part.name] = CompressedArray(part)
            notes += [("source-incomplete", missing)] if missing else []
        except SourceError as error:
            left_out.append(LeftOut(f"/{camera}", "unreadable", str(error), training=True))
    if text := _task(folder):
        streams["/task"] = static("/task", text)
    features = {key: names for key, names in _features(streams).items() if all(name in streams for name in names)}
    return Recording(ref, streams, {"layout": "bridge-raw"}, tuple(notes), None, features, left_out=tuple(left_out))


def _actions(policy: Any, path: Path) -> Any:
    """(steps, n) float64."""
    rows = [step.get("actions") if isinstance(step, Mapping) else step for step in policy if step is not None]
    try:
        made = np.array(rows, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{path}: its actions are not one count of numbers at each step: {error}") from error
    if made.ndim != 2 or not made.size:
        raise SourceError(f"{path}: holds no list of actions")
    return made


def _steps(observed: Mapping[str, Any], actions: Any) -> int:
    """How many observations there are: one for each action, and the last."""
    state = observed.get("state", observed.get("full_state"))
    count = len(state) if isinstance(state, np.ndarray) and state.ndim else len(actions) + 1
    if count not in (len(actions), len(actions) + 1):
        raise SourceError(
            f"has {counted(count, 'observation')} and {counted(len(actions), 'action')}; expected one action "
            "fewer, or as many"
        )
    return count


def _stamps(observed: Mapping[str, Any], steps: int) -> Times | None:
    """(steps,) int64 ns from the first one, where the robot's clock was written down and goes on."""
    try:
        seconds = np.asarray(observed.get("time_stamp"), np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return times_of_seconds(seconds) if seconds.shape == (steps,) else None


def _stream(name: str, values: Any, steps: int, timing: Timing, left_out: list[LeftOut]) -> Stream | None:
    """The stream of an array with a row for each step; the others are left out, with the reason."""
    if name == "time_stamp" and timing.stamps is not None:
        return None
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):
        array = np.array(None)
    if array.ndim == 0 or array.dtype.kind not in "biuf" or len(array) not in (steps, steps - 1):
        left_out.append(
            LeftOut(f"/{name}", "unreadable", f"it has not one row of numbers for each of {counted(steps, 'step')}")
        )
        return None
    return stream_of(ArrayPart(f"/{name}", HeldArray(array), 0, len(array), timing), PixelLayout(), _names)


def _names(name: str, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    if shape == (7,) and name in ("/state", "/full_state", "/desired_state", "/action"):
        return _STATE_NAMES
    return numbered(name.removeprefix("/"), shape[0]) if len(shape) == 1 else None


def _cameras(folder: Path) -> list[str]:
    found = [f.name for f in folder.iterdir() if f.is_dir() and re.fullmatch(r"images\d+", f.name)]
    return sorted(found, key=natural)


def _frames(folder: Path, camera: str) -> dict[int, str]:
    """Step -> file of `images0/im_12.jpg`, which is of step 12."""
    found = ((_FRAME.fullmatch(f.name), f.name) for f in (folder / camera).iterdir())
    return {int(match["step"]): f"{camera}/{name}" for match, name in found if match}


def _features(streams: Mapping[str, Stream]) -> dict[str, tuple[str, ...]]:
    state = "/state" if "/state" in streams else "/full_state"
    cameras = {IMAGES + name.removeprefix("/"): (name,) for name in streams if re.fullmatch(r"/images\d+", name)}
    return {"observation.state": (state,), "action": ("/action",), **cameras}


def _task(folder: Path) -> str:
    """The first annotation, without the annotator's confidence."""
    place = folder / "lang.txt"
    if not place.is_file():
        return ""
    with open_regular(place) as file:
        lines = file.read(_LONGEST_TEXT).decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in lines if line.strip() and "confidence" not in line), "")


def _notes(folder: Path) -> Iterator[tuple[str, str]]:
    date = next((m[1] for part in reversed(folder.parts) if (m := _LATE.fullmatch(part))), "")
    if date and date < _PROMPT_SINCE:
        text = f"recorded on {date}: the frames of BridgeData from before {_PROMPT_SINCE} are one step late"
        yield "source-assumed", f"{text}, as its publishers say; they are taken as they are: give cameras an `offset`"
