"""Any other tree: where its episodes are, and what its recorder says of one.

Episodes are groups whose names differ in a number (`demo_3`, `run_12`, `7`), a date or an id (`9b77de`), or that stand
alike in a group such as `episodes`, whatever stands beside them, at whatever depth; of `session_1/episode_2` the inner
ones. A file without such groups may hold all of them one after the other: `episode_ends` says where each ends (as in
replay buffers), else the flags `terminals`, `timeouts` (D4RL), `is_first`, `is_last` (RLDS) or `dones` of its rows.
"""

import re
from fractions import Fraction
from typing import Any

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.naming import natural, words
from telecine.core.text.numbers import counted
from telecine.sources.hdf5.chunks import whole
from telecine.sources.hdf5.layouts import (
    Hdf5Layout,
    LayoutEpisode,
    LayoutFeatures,
    attribute,
    once_per_file,
    stated_facts,
    stated_rate,
)  # fmt: skip
from telecine.sources.shared.episode_ends import check_ends, episode_names, span_of

_EPISODES = frozenset(
    {
        *("episode", "episodes", "ep", "eps", "demo", "demos", "demonstration", "traj", "trajectory", "trajectories"),
        *("run", "rollout", "trial", "take", "sequence", "seq", "record", "recording", "sample", "attempt"),
    }
)
_PARTS = frozenset(
    {
        *("cam", "camera", "cameras", "view", "image", "img", "rgb", "depth", "arm", "robot", "hand", "gripper"),
        *("finger", "agent", "joint", "motor", "sensor", "leg", "wrist", "object", "link", "body", "imu", "env"),
    }
)
"""Words of numbered groups that are parts of one scene, not episodes."""
_DEEPEST = 5
_ENDS = ("episode_ends", "meta/episode_ends", "metadata/episode_ends")
_FIRST_ROW = "is_first"
_SINGLE = ("dones", "done", "terminations", "truncations")
"""Flags that some writers raise once and others from success on: these say nothing of episodes."""
_LAST_ROW = ("terminals", "timeouts", "is_last", *_SINGLE)
_UNNUMBERED = (("date", r"\d{4}[-_]?\d\d[-_]?\d\d.*"), ("id", r"[0-9a-f]{6,}(-[0-9a-f]{4,})*"))
"""What names of episodes are that no number tells from one another."""
_RATES = ("fps", "hz", "rate", "frequency", "control_freq", "control_frequency", "control_hz")


def _numbered(group: Any, depth: int = 0) -> list[str]:
    """Paths of the groups below `group` that are episodes, in order."""
    groups = [name for name in sorted(group, key=natural) if _is_group(group, name)]
    chosen = _alike(group, groups) or _contained(group, groups)
    if chosen and not all(_inner(group[name], depth) for name in chosen[:3]):
        return [group[name].name for name in chosen]
    if depth == _DEEPEST:
        return []
    return [path for name in chosen or groups for path in _numbered(group[name], depth + 1)]


def _inner(group: Any, depth: int) -> bool:
    """True for a group that is called an episode's name and yet holds others that are."""
    found = _numbered(group, depth + 1) if depth < _DEEPEST else []
    return bool(found) and all(words(_stem(path.rpartition("/")[2])) & _EPISODES for path in found)


def _contained(group: Any, names: list[str]) -> list[str]:
    """The groups in one that is called `episodes` or the like, where they hold the same things."""
    if not words(str(group.name).rpartition("/")[2]) & _EPISODES or len(names) < 2:
        return []
    parts = set(group[names[0]])
    alike = [name for name in names if set(group[name]) == parts]
    return alike if len(alike) > 1 and _has_rows(group[alike[0]]) else []


def _stem(name: str) -> str:
    """What episodes of one series have in common in their names."""
    kind = next((kind for kind, pattern in _UNNUMBERED if re.fullmatch(pattern, name)), "")
    match = re.fullmatch(r"(.*?)\d+", name)
    return f"#{kind}" if kind and not (match and not match[1]) else match[1] if match else name


def _is_group(group: Any, name: str) -> bool:
    return hasattr(group.get(name), "keys")


def _alike(group: Any, names: list[str]) -> list[str]:
    """Those of the groups `names` that are episodes by their names."""
    stems: dict[str, list[str]] = {}
    for name in names:
        if (stem := _stem(name)) != name:
            stems.setdefault(stem, []).append(name)
    chosen = {stem for stem, alike in stems.items() if _are_episodes(stem, alike, group)}
    return [name for name in names if _stem(name) in chosen]


def _are_episodes(stem: str, alike: list[str], group: Any) -> bool:
    said = words(stem)
    if said & _PARTS and not said & _EPISODES:
        return False
    is_alone = len(alike) == 1 and len(group) > 1 and not said & _EPISODES
    return not is_alone and any(_has_rows(group[name]) for name in alike[:3])


def _has_rows(group: Any) -> bool:
    """True where an array below has several rows."""
    return any(
        _has_rows(item) if hasattr(item, "keys") else bool(getattr(item, "ndim", 0)) and item.shape[0] > 1
        for item in (group.get(name) for name in group)
    )


@once_per_file
def _cuts(file: Any) -> tuple[int, ...]:
    """The row behind the last one of each episode of a file that holds them one after the other; () for others."""
    for path in _ENDS:
        if path in file and not hasattr(file[path], "keys"):
            return _checked(file, path)
    flags = _flags(file)
    if not flags:
        return ()
    rows = max(flag.size for flag in flags.values())
    last = np.zeros(rows, bool)
    for name, flag in flags.items():
        if flag.size != rows:
            raise SourceError(f"{file.filename}: {name} has {counted(flag.size, 'row')}, other flags have {rows}")
        last |= np.append(flag[1:], False) if name == _FIRST_ROW else flag
    if not last.any():
        return ()
    ends = (np.flatnonzero(last) + 1).tolist()
    return tuple(ends if ends[-1] == rows else [*ends, rows])


def _flags(file: Any) -> dict[str, Any]:
    """Name -> (rows,) bool of the flags that mark the ends of episodes."""
    found = {
        name: np.asarray(whole(file[name])).astype(bool).reshape(-1)
        for name in (*_LAST_ROW, _FIRST_ROW)
        if _is_flag(file, name)
    }
    lasting = [name for name in _SINGLE if name in found and bool(np.any(found[name][1:] & found[name][:-1]))]
    return {name: flag for name, flag in found.items() if name not in lasting}


def _is_flag(file: Any, name: str) -> bool:
    array = file.get(name)
    one_a_row = getattr(array, "ndim", 0) == 1 or (getattr(array, "ndim", 0) == 2 and array.shape[1] == 1)
    return one_a_row and array.shape[0] > 1 and array.dtype.kind in "biuf"


def _checked(file: Any, path: str) -> tuple[int, ...]:
    array = file[path]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise SourceError(f"{file.filename}: {path} is {array.dtype} of shape {array.shape}, no list of rows")
    ends = [int(end) for end in whole(array)]
    check_ends(ends, f"{file.filename}: {path}")
    return tuple(ends)


def _episodes(file: Any) -> list[str]:
    if found := _numbered(file):
        return found
    return episode_names(_cuts(file)) or [""]


def _describe(file: Any, place: str, path: str) -> LayoutEpisode:
    del path
    if place and place in file:
        return _of_group(file, place)
    span, anchor, facts = None, "", {}
    notes: list[tuple[str, str]] = []
    if place:
        ends = _cuts(file)
        span = span_of(place, ends, file.filename)
        anchor = _whole_array(file, ends[-1])
        if _is_cut_off(file, span, span[1] == ends[-1]):
            facts = {"interrupted": "true"}
            notes = [("source-incomplete", f"no flag ends rows {span[0]} to {span[1] - 1}, the last of the file")]
    rate = _stated_rate(file, file)
    return LayoutEpisode(
        _name(file),
        fps=rate,
        is_rate_assumed=True,
        anchor=anchor,
        attrs={**stated_facts(file.attrs), **facts, **_asked(rate)},
        features=_features(file) if _is_d4rl(file) else {},
        notes=tuple(notes),
        root="",
        span=span,
    )


def _of_group(file: Any, place: str) -> LayoutEpisode:
    group = file[place]
    rate = _stated_rate(group, file)
    attrs = {**stated_facts(group), **stated_facts(group.attrs), **_asked(rate)}
    return LayoutEpisode(_name(file), fps=rate, attrs=attrs, is_rate_assumed=True)


def _asked(rate: Fraction | None) -> dict[str, str]:
    """The rate that the recorder was asked for, as the recordings of all formats state it."""
    return {"fps": str(rate)} if rate is not None and rate.denominator == 1 else {}


def _whole_array(file: Any, rows: int) -> str:
    """The path of an array that has all rows of the file. Raises: SourceError where none has so many."""
    found: list[str] = []

    def visit(path: str, item: Any) -> None:
        if getattr(item, "ndim", 0) and not hasattr(item, "keys") and item.shape[0] == rows:
            found.append(path)

    file.visititems(visit)
    if not found:
        raise SourceError(f"{file.filename}: its last episode ends at row {rows}, and no array has so many")
    return found[0]


def _is_cut_off(file: Any, span: tuple[int, int], is_last: bool) -> bool:
    """True for rows behind the last end that a flag marks."""
    if not is_last or any(path in file for path in _ENDS):
        return False
    flags = [file[name] for name in _LAST_ROW if _is_flag(file, name)]
    return bool(flags) and not any(bool(np.any(flag[span[1] - 1])) for flag in flags)


def _is_d4rl(file: Any) -> bool:
    there = all(name in file for name in ("observations", "actions", "terminals"))
    return there and hasattr(file["observations"], "shape")


def _name(file: Any) -> str:
    return "d4rl" if _is_d4rl(file) else "generic"


def _features(file: Any) -> LayoutFeatures:
    wanted = {
        "observation.state": "observations",
        "action": "actions",
        "next.reward": "rewards",
        "next.done": "terminals",
    }
    return {key: (f"/{name}",) for key, name in wanted.items() if name in file}


def _stated_rate(group: Any, file: Any) -> Fraction | None:
    """Steps a second, as an attribute of the episode or of the file states them."""
    for attrs in (group.attrs, file.attrs):
        for name in _RATES:
            if (rate := stated_rate(attribute(attrs, name))) is not None:
                return rate
    return None


GENERIC = Hdf5Layout("generic", lambda _: True, _episodes, _describe)
"""Any other tree: nothing is known but what the arrays are; the plan assigns them."""
