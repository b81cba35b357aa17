"""Episodes of Unitree's xr_teleoperate: a folder with `data.json`, and a JPEG for each camera and step in `colors/`.

Each step holds states and actions of arms, hands and body. The rate is the one that its recorder was asked for. Depth
is written as JPEG, which leaves 8 bits of it (early versions: PNG without a unit), and audio as arrays; both are named
and not read.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.naming import natural, numbered
from telecine.core.plan.model import IMAGES
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.core.text.numbers import counted
from telecine.sources.format import Found
from telecine.sources.shared.arrays import ArrayPart, CompressedArray, NumberArray, static
from telecine.sources.shared.confinement import confined, link_problem, open_regular
from telecine.sources.shared.fingerprint import size_bytes
from telecine.sources.shared.held_arrays import HeldArray, frames_of_steps
from telecine.sources.shared.timing import Timing
from telecine.sources.shared.truncation import CUT_FIX
from telecine.sources.unitree.episode_file import UnitreeEpisode, as_numbers, columns, is_closed, leaves, read_file

NAME = "unitree"
SUFFIXES = ()
_FILE = "data.json"
_HEAD_BYTES = 1 << 16
_MOST_CAMERAS = 256
_PARTS = ("left_arm", "right_arm", "left_ee", "right_ee", "left_hand", "right_hand", "waist", "head", "base")
"""Whose positions are state and action, in this order; `body` repeats them."""
_GROUPS = ("states", "actions", "tactiles", "torques")


def claims(path: str) -> bool:
    """True for the folder of an episode."""
    place = Path(path) / _FILE
    if not Path(path).is_dir() or not place.is_file() or not confined(path).holds(place):
        return False
    with open_regular(place) as file:
        head = file.read(_HEAD_BYTES)
    return head.lstrip().startswith(b"{") and all(word in head for word in (b'"info"', b'"joint_names"', b'"data"'))


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref; see `Format.index`."""
    del token
    if problem := link_problem(path):
        raise SourceError(f"{path}: {problem}")
    if not recover and not is_closed(Path(path) / _FILE):
        count = len(read_file(Path(path) / _FILE).steps)
        text = (
            f"{_FILE} was never closed: the recorder was stopped before the episode was saved; "
            f"{counted(count, 'step is', 'steps are')} whole"
        )
        return Found((), (Finding("source-truncated", "error", path, text, CUT_FIX, recording=path),))
    return Found((Ref(NAME, path, "", size_bytes(path), recover),))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode; see `Format.open`."""
    episode = read_file(Path(ref.path) / _FILE)
    left_out: list[LeftOut] = []
    timing = Timing(_rate(episode))
    steps = len(episode.steps)
    streams: dict[str, Stream] = {}
    for group in _GROUPS:
        for stream in _numbers(episode, group, timing, left_out):
            streams[stream.name] = stream
    notes = (
        []
        if episode.is_whole
        else [("source-recovered", f"{_FILE} was never closed; {counted(steps, 'step is', 'steps are')} whole")]
    )
    notes += [] if steps else [("source-empty", "it has no steps")]
    for name, files in _frames(episode).items():
        try:
            part, missing = frames_of_steps(name, ref.path, files, steps, timing)
            streams[name] = CompressedArray(part)
            notes += [("source-incomplete", missing)] if missing else []
        except SourceError as error:
            left_out.append(LeftOut(name, "unreadable", str(error), training=True))
    left_out += _unread(episode)
    for name in ("goal", "desc", "steps"):
        if isinstance(text := episode.text.get(name), str) and text.strip():
            key = "/task" if name == "goal" else f"/text/{name}"
            streams[key] = static(key, text.strip())
    success = {} if episode.success is None else {"success": str(episode.success).lower()}
    attrs = {"layout": "xr_teleoperate", "version": str(episode.info.get("version", "")), **success}
    return Recording(ref, streams, attrs, tuple(notes), None, _features(streams), left_out=tuple(left_out))


def _rate(episode: UnitreeEpisode) -> Fraction | None:
    """Steps a second, as the recorder was asked for."""
    image = episode.info.get("image")
    fps = image.get("fps") if isinstance(image, Mapping) else None
    if isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps <= 1000:
        return Fraction(fps).limit_denominator(1000)
    return None


def _numbers(episode: UnitreeEpisode, group: str, timing: Timing, left_out: list[LeftOut]) -> Iterator[Stream]:
    found = columns(episode.steps, group)
    for name in sorted(found, key=natural):
        stream = f"/{group}/{name}"
        try:
            values = as_numbers(found[name], len(episode.steps))
        except SourceError as error:
            left_out.append(LeftOut(stream, "unreadable", str(error), training=group in ("states", "actions")))
            continue
        yield NumberArray(ArrayPart(stream, HeldArray(values), 0, len(values), timing), _names(episode, name, values))


def _names(episode: UnitreeEpisode, name: str, values: Any) -> tuple[str, ...] | None:
    """Those of the file's `joint_names`, else the part's name and a number."""
    part = name.partition("/")[0]
    tables = [episode.info.get(key) for key in ("joint_names", "velocity_names")]
    for table in tables:
        known = table.get(part) if isinstance(table, Mapping) else None
        if isinstance(known, list) and len(known) == values.shape[1] and all(isinstance(n, str) for n in known):
            return tuple(known)
    return (part,) if values.shape[1] == 1 else numbered(part, values.shape[1])


def _cameras(episode: UnitreeEpisode, group: str) -> list[str]:
    found = sorted(columns(episode.steps, group), key=natural)
    if len(found) > _MOST_CAMERAS:
        raise SourceError(f"{_FILE}: names {len(found)} of {group}; more than {_MOST_CAMERAS} are taken for damage")
    return found


def _frames(episode: UnitreeEpisode) -> dict[str, dict[int, str]]:
    """Stream of each camera -> step -> file, of the steps that name one: its recorder goes on when no frame came."""
    found: dict[str, dict[int, str]] = {f"/colors/{camera}": {} for camera in _cameras(episode, "colors")}
    for number, step in enumerate(episode.steps):
        for camera, name in leaves(step, "colors").items():
            if isinstance(name, str):
                found[f"/colors/{camera}"][number] = name
    return found


def _unread(episode: UnitreeEpisode) -> Iterator[LeftOut]:
    for camera in _cameras(episode, "depths"):
        names = [str(leaves(step, "depths").get(camera, "")) for step in episode.steps]
        is_png = all(name.lower().endswith(".png") for name in names if name)
        why = "depth in PNG, of which nothing says the unit" if is_png else "depth in JPEG, which keeps 8 bits of it"
        yield LeftOut(f"/depths/{camera}", "unreadable", why)
    for microphone in _cameras(episode, "audios"):
        yield LeftOut(f"/audios/{microphone}", "unreadable", "audio is not read")
    if any(step.get("sim_state") for step in episode.steps):
        yield LeftOut("/sim_state", "unreadable", "the simulator's own state, as text")


def _features(streams: Mapping[str, Stream]) -> dict[str, tuple[str, ...]]:
    def of(group: str) -> tuple[str, ...]:
        return tuple(n for part in _PARTS if (n := f"/{group}/{part}/qpos") in streams)

    cameras = {IMAGES + name.rpartition("/")[2]: (name,) for name in streams if name.startswith("/colors/")}
    found = {"observation.state": of("states"), "action": of("actions"), **cameras}
    return {key: names for key, names in found.items() if names}
