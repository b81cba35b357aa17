"""Demonstrations of GELLO: a folder with a pickle for each step, whose name is the moment it was taken.

Each holds a dict of arrays: joints, velocities, end effector, gripper, frames of cameras, and as `control` the command
that the leader sent. Source: https://github.com/wuphilipp/gello_software, `gello/data_utils/format_obs.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.grid import Times
from telecine.core.naming import numbered
from telecine.core.plan.model import IMAGES
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.core.text.numbers import counted_of
from telecine.sources.format import Found
from telecine.sources.pickles.plain_pickle import plain_of, read_whole
from telecine.sources.shared.arrays import ArrayPart, PixelLayout, stream_of
from telecine.sources.shared.confinement import confined, link_problem, open_regular
from telecine.sources.shared.held_arrays import HeldArray
from telecine.sources.shared.timing import Timing

NAME = "gello"
SUFFIXES = ()
_STEP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\.pkl")
_ACTION = "control"
_STATE = ("joint_positions",)


def claims(path: str) -> bool:
    """True for the folder of a demonstration."""
    return Path(path).is_dir() and any(_STEP.fullmatch(f.name) for f in Path(path).glob("*.pkl"))


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref; see `Format.index`."""
    del recover, token
    if problem := link_problem(path):
        raise SourceError(f"{path}: {problem}")
    return Found((Ref(NAME, path, "", sum(f.stat().st_size for f in _files(path))),))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The demonstration; see `Format.open`. Reads every step once, and of frames only where in its file they are."""
    files = _files(ref.path)
    steps = [_numbers_of(file) for file in files]
    timing = Timing(stamps=_stamps(files))
    streams: dict[str, Stream] = {}
    left_out: list[LeftOut] = []
    for name in sorted({name for step in steps for name in step}):
        try:
            part = ArrayPart(f"/{name}", _column(files, steps, name), 0, len(files), timing)
            made = stream_of(part, PixelLayout(), _names)
            if made is None:
                raise SourceError("it is neither numbers nor frames")
            streams[part.name] = made
        except SourceError as error:
            left_out.append(LeftOut(f"/{name}", "unreadable", str(error), training=name in (*_STATE, _ACTION)))
    features = {key: names for key, names in _features(streams).items() if all(name in streams for name in names)}
    notes = (
        () if timing.stamps is not None else (("source-timestamps", "the names of its files give no times that grow"),)
    )
    return Recording(ref, streams, {"layout": "gello"}, notes, None, features, left_out=tuple(left_out))


def _files(path: str) -> list[Path]:
    """The steps, in order of time."""
    inside = confined(path)
    found = [f for f in Path(path).glob("*.pkl") if _STEP.fullmatch(f.name)]
    if not found:
        raise SourceError(f"{path}: holds no steps")
    return sorted((Path(inside.check(f)) for f in found), key=_moment)


def _moment(file: Path) -> datetime:
    try:
        return datetime.fromisoformat(file.name.removesuffix(".pkl"))
    except ValueError as error:
        raise SourceError(f"{file}: its name is no time: {error}") from error


def _stamps(files: Sequence[Path]) -> Times | None:
    """(steps,) int64 ns from the first step."""
    moments = [_moment(file) for file in files]
    whole = [round((moment - moments[0]).total_seconds() * 1_000_000) * 1000 for moment in moments]
    times: Times = np.array(whole, np.int64)
    return times if (np.diff(times) > 0).all() else None


@dataclass(frozen=True, slots=True)
class _FramePlace:
    """Where the bytes of a frame are in the pickle of its step; None in old protocols, which hold them as text."""

    shape: tuple[int, ...]
    dtype: Any
    offset: int | None

    def read(self, file: Path, name: str) -> Any:
        if self.offset is None:
            return _step(read_whole(file), file)[name]
        size = int(np.prod(self.shape)) * self.dtype.itemsize
        with raised_as(SourceError, f"{file}: cannot be read", OSError), open_regular(file) as opened:
            opened.seek(self.offset)
            data = opened.read(size)
        if len(data) != size:
            raise SourceError(f"{file}: ends before its {name}")
        return np.frombuffer(data, self.dtype).reshape(self.shape)


class _Frames:
    """Frames of one camera, each in the pickle of its step."""

    chunks = None

    def __init__(self, files: Sequence[Path], name: str, places: Sequence[_FramePlace]) -> None:
        self._files, self._name, self._places = files, name, places
        self.shape, self.dtype = (len(files), *places[0].shape), places[0].dtype

    def __getitem__(self, rows: slice) -> list[Any]:
        return [self._places[i].read(self._files[i], self._name) for i in range(*rows.indices(len(self._files)))]


def _step(data: bytes, file: Path) -> Mapping[str, Any]:
    found = plain_of(data, file)
    if not isinstance(found, Mapping):
        raise SourceError(f"{file}: holds a {type(found).__name__}, expected a dict of arrays")
    return found


def _numbers_of(file: Path) -> dict[str, Any]:
    """The values of a step; of frames only where they are."""
    data = read_whole(file)
    return {
        name: _place_of(value, data) if isinstance(value, np.ndarray) and value.ndim > 1 else value
        for name, value in _step(data, file).items()
    }


def _place_of(frame: Any, data: bytes) -> _FramePlace:
    """The first bytes of the pickle that are those of the frame."""
    offset = data.find(frame.tobytes())
    return _FramePlace(frame.shape, frame.dtype, offset if offset >= 0 else None)


def _column(files: Sequence[Path], steps: Sequence[Mapping[str, Any]], name: str) -> Any:
    """One value of all steps, as an array. Raises: SourceError where a step lacks it, or has another."""
    values = [step.get(name) for step in steps]
    if missing := sum(value is None for value in values):
        raise SourceError(f"{counted_of(missing, len(values), 'step', 'does', 'do')} not have it")
    places = [value for value in values if isinstance(value, _FramePlace)]
    if places:
        if len(places) < len(values) or len({(place.shape, place.dtype) for place in places}) > 1:
            raise SourceError("its frames change their size or type")
        return _Frames(files, name, places)
    try:
        made = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"it is not the same count of numbers in each step: {error}") from error
    return HeldArray(made)


def _names(name: str, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    if len(shape) > 1:
        return None
    word = {"/joint_positions": "joint", "/control": "joint"}.get(name, name.removeprefix("/"))
    return numbered(word, shape[0]) if shape else (word,)


def _features(streams: Mapping[str, Stream]) -> dict[str, tuple[str, ...]]:
    cameras = {
        IMAGES + name.removeprefix("/").removesuffix("_rgb"): (name,) for name in streams if name.endswith("_rgb")
    }
    return {"observation.state": tuple(f"/{name}" for name in _STATE), "action": (f"/{_ACTION}",), **cameras}
