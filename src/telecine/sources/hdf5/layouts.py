"""What a layout of an HDF5 file is: a test of its content, its episodes, and rate, task, features, colours of one.

Each test looks at names and attributes only and excludes the others, so that a file has exactly one name. What the
layouts are was read in the writers of the projects named.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from telecine.core.grid import Rows, Times
from telecine.core.label import Label
from telecine.core.naming import natural
from telecine.core.text.numbers import counted
from telecine.sources.hdf5.chunks import whole
from telecine.sources.shared.arrays import PixelLayout, text_of
from telecine.sources.shared.confinement import beside
from telecine.sources.shared.fingerprint import file_state

LayoutFeatures = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class LayoutEpisode:
    """What a layout knows about one episode, beyond its arrays. Names are those of streams: "/" and the path."""

    layout: str
    fps: Fraction | None = None
    """Steps per second, or None where neither the file nor the layout states it."""
    stamps: Times | None = None
    anchor: str = ""
    """The array whose length is that of the episode."""
    attrs: Mapping[str, str] = field(default_factory=dict)
    features: LayoutFeatures = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    """Name -> a value without time, such as the task."""
    quaternion: str = ""
    """Order of the components: "wxyz" or "xyzw"."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pixel_layouts: Mapping[str, PixelLayout] = field(default_factory=dict)
    """Beginning of a stream's name -> how its images are stored."""
    video_files: Mapping[str, str] = field(default_factory=dict)
    """Name -> a video file with one frame per step."""
    depth_files: Mapping[str, tuple[str, Mapping[int, str]]] = field(default_factory=dict)
    """Name -> (folder, step -> the name of a file in it) of frames of depth, in mm."""
    labels: tuple[Label, ...] = ()
    """What steps [start, stop) are."""
    followed: tuple[str, ...] = ()
    """Arrays that also serve one step ahead, as the action."""
    at: Mapping[str, Rows] = field(default_factory=dict)
    """Name -> the step of each row, where rows are not steps."""
    span: tuple[int, int] | None = None
    """Rows [first, stop) to use, where the rest is other episodes, or marked as not to be used."""
    root: str | None = None
    """The group that holds the arrays, "" for the file; None: the place of the episode."""
    is_rate_assumed: bool = False
    """`fps` is the usual one of the layout, or what a recorder was asked for: stamps that it kept say more."""
    outside: tuple[str, ...] = ()
    """Beginnings of paths that are not this episode's data."""

    def leaves_out(self, path: str) -> bool:
        """True for what is not data of the episode."""
        return path.startswith(self.outside)

    def pixel_layout(self, name: str) -> PixelLayout:
        """How the frames under that name are stored."""
        return next((layout for start, layout in self.pixel_layouts.items() if name.startswith(start)), PixelLayout())


def whole_file(file: Any) -> list[str]:
    """The places of the episodes in a file that is one."""
    del file
    return [""]


def role(key: str, file: Any, *paths: str) -> LayoutFeatures:
    """Feature key -> streams, when the file has them all and they have rows."""
    found = [file.get(p) for p in paths]
    whole = all(a is not None and getattr(a, "size", 0) for a in found)
    return {key: tuple(f"/{p}" for p in paths)} if paths and whole else {}


def facts_of(attrs: Any, name: str) -> dict[str, Any]:
    """The JSON object in an attribute, or an empty one."""
    try:
        found = json.loads(text_of(attrs[name]))
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def json_beside(path: Path, root: Path) -> Any:
    """What a JSON file that a layout has beside the recording holds, below `root`; None without one that can be read.

    Raises: SourceError as `beside`.
    """
    try:
        return json.loads(beside(path, root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def attribute(attrs: Any, name: str) -> str:
    """An attribute as text, or nothing."""
    return text_of(attrs[name]) if name in attrs else ""


def stated_facts(holder: Any) -> dict[str, str]:
    """What attributes of an episode, or single values in its group, say about what became of it, as attributes.

    holder: the attributes, or the group.
    """
    found = {}
    for name in (name for name in _FACTS if name in holder):
        item = holder[name]
        if name == "tags" and getattr(item, "ndim", 0) == 1:
            found[name] = ",".join(map(text_of, item[()] if hasattr(item, "chunks") else item))
        if hasattr(item, "keys") or getattr(item, "size", 1) != 1:
            continue
        value = np.asarray(item[()] if hasattr(item, "shape") else item)
        number = value.dtype.kind in "biuf" and name in ("success", "failure")
        if text := str(bool(value.item())).lower() if number else text_of(value.item()).strip():
            found[name] = text
    if found.pop("failure", "") == "true" and "success" not in found:
        found["success"] = "false"
    if cause := found.pop("failure_reason", ""):
        found.setdefault("error_cause", cause)
    return found


_FACTS = ("success", "failure", "outcome", "error_cause", "failure_reason", "interrupted", "tags")


def stated_rate(value: Any) -> Fraction | None:
    """Steps a second, 0 < rate <= 10,000, of a number or text in a file; None for what is no such rate."""
    if isinstance(value, bool):
        return None
    try:
        rate = Fraction(value if isinstance(value, str) else float(value)).limit_denominator(10**6)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return rate if 0 < rate <= _FASTEST_HZ else None


_FASTEST_HZ = 10_000


def assumed_rate(fps: int, why: str) -> tuple[str, str]:
    """The note that a rate is the layout's usual one."""
    return ("source-assumed", f"{counted(fps, 'step')} a second: {why}; if not, use --index step and --rate")


Answer = TypeVar("Answer")
_MOST_ANSWERS = 32


def once_per_file(ask: Callable[..., Answer]) -> Callable[..., Answer]:
    """`ask(file, ...)`, whose answer is plain values, asked once while a file stays as it is.

    A file of many demonstrations is opened for each of them; to list them each time would take the square of their
    number.
    """
    known: OrderedDict[Any, Answer] = OrderedDict()

    @wraps(ask)
    def answer(file: Any, *more: Any) -> Answer:
        name = getattr(file, "filename", None)
        if not isinstance(name, str) or file.driver == "fileobj":  # in a store, where it is opened once
            return ask(file, *more)
        key = (*file_state(name), *more)
        if key not in known:
            known[key] = ask(file, *more)
            while len(known) > _MOST_ANSWERS:
                known.popitem(last=False)
        return known[key]

    return answer


@once_per_file
def demos(file: Any, start: str = "demo_") -> list[str]:
    """Names of the episode groups in /data, in order."""
    data = file.get("data")
    return sorted((k for k in data if k.startswith(start)), key=natural) if hasattr(data, "keys") else []


@once_per_file
def _filters(file: Any) -> dict[str, frozenset[str]]:
    """Name of a filter of the file (train, valid ...) -> names of its episodes."""
    mask = file.get("mask")
    if not hasattr(mask, "keys"):
        return {}
    lists = {key: mask[key] for key in mask if getattr(mask[key], "ndim", 0) == 1 and mask[key].dtype.kind in "SO"}
    return {key: frozenset(text_of(name) for name in whole(found)) for key, found in lists.items()}


def tags_of(file: Any, place: str) -> tuple[str, ...]:
    """The filters of the file, which robomimic keeps as lists below /mask, that name the episode at `place`."""
    name = place.rpartition("/")[2]
    return tuple(sorted(key for key, names in _filters(file).items() if name in names))


@dataclass(frozen=True, slots=True)
class Hdf5Layout:
    """One layout: is a file of it, where its episodes are, what it knows about one."""

    name: str
    test: Callable[[Any], bool]
    episodes: Callable[[Any], list[str]]
    describe: Callable[[Any, str, str], LayoutEpisode]
    """(file, place, path of the file) -> what the layout knows."""
