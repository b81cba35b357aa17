"""`data.json` of an episode of xr_teleoperate: its steps, also of a file whose writer was stopped.

The writer opens the file, adds a step at a time, and closes the JSON when the operator saves the episode.
Source: https://github.com/unitreerobotics/xr_teleoperate, `teleop/utils/episode_writer.py`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.file_state import FileState
from telecine.core.recording import Array
from telecine.core.text.numbers import counted, counted_of
from telecine.sources.shared.confinement import open_regular
from telecine.sources.shared.fingerprint import file_state

LARGEST_BYTES = 1 << 30
_DEEPEST = 8
_MOST_NAMES = 20_000
_CLOSED = re.compile(rb'\]\s*(,\s*"rewards":\s*\{[^{}]*\}\s*)?\}\s*\Z')


@dataclass(frozen=True, slots=True)
class UnitreeEpisode:
    """What stands in the file."""

    info: Mapping[str, Any]
    text: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    success: bool | None
    is_whole: bool


def is_closed(path: Path) -> bool:
    """True when the writer closed the file. Reads the end alone of one that ends as its writer closes it."""
    with open_regular(path) as file:
        file.seek(max(path.stat().st_size - 200, 0))
        end = file.read()
    return bool(_CLOSED.search(end)) or read_file(path).is_whole


def read_file(path: Path) -> UnitreeEpisode:
    """The episode in a file; remembered while the file stays as it is. Raises: SourceError."""
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        return _read(file_state(str(path)))


@lru_cache(maxsize=2)
def _read(state: FileState) -> UnitreeEpisode:
    path, _, size, *_ = state
    if size > LARGEST_BYTES:
        raise SourceError(f"{path}: has {counted(size, 'byte')}; more than {LARGEST_BYTES} are taken for damage")
    with open_regular(path) as file:
        text = file.read().decode("utf-8", "replace")
    is_whole = True
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        is_whole = False
        body = _whole_steps(text, path)
    steps = body.get("data") if isinstance(body, dict) else None
    if not isinstance(steps, list):
        raise SourceError(f"{path}: holds no list `data` of steps")
    good = [step for step in steps if isinstance(step, dict)]
    if len(good) < len(steps):
        raise SourceError(
            f"{path}: {counted_of(len(steps) - len(good), len(steps), 'step', 'is no object', 'are no objects')}"
        )
    success = _mapping(body.get("rewards")).get("success")
    known = success if isinstance(success, bool) else None
    return UnitreeEpisode(_mapping(body.get("info")), _mapping(body.get("text")), good, known, is_whole)


def _whole_steps(text: str, path: str) -> dict[str, Any]:
    """The steps of a file that ends too early, without the last, which may be cut. Raises: SourceError."""
    decoder = json.JSONDecoder()
    found: dict[str, Any] = {"data": []}
    for key in ("info", "text"):
        at = text.find(f'"{key}":')
        if at >= 0:
            with raised_as(SourceError, f"{path}: `{key}` cannot be read as JSON", ValueError, RecursionError):
                found[key], _ = decoder.raw_decode(text, _skip(text, at + len(key) + 3))
    at = text.find('"data":')
    if at < 0:
        raise SourceError(f"{path}: cannot be read as JSON, and holds no steps")
    at = text.find("[", at) + 1
    while at and (at := _skip(text, at)) < len(text) and text[at] == "{":
        try:
            step, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found["data"].append(step)
    return found


def _skip(text: str, at: int) -> int:
    """The place of the next character that is neither blank nor a comma."""
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def leaves(step: Mapping[str, Any], group: str) -> dict[str, Any]:
    """`left_arm/qpos` -> value, of everything below `states`, `actions` ... of one step."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any, int]] = [("", step.get(group), 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, dict) and depth < _DEEPEST:
            waiting += [(f"{name}/{key}" if name else str(key), part, depth + 1) for key, part in value.items()]
        elif name and value not in (None, [], "", {}):
            found[name] = value
    return found


def columns(steps: Sequence[Mapping[str, Any]], group: str) -> dict[str, list[Any]]:
    """Name -> the values of the steps that have it, in order. Raises: SourceError for too many names."""
    found: dict[str, list[Any]] = {}
    for step in steps:
        for name, value in leaves(step, group).items():
            found.setdefault(name, []).append(value)
        if len(found) > _MOST_NAMES:
            raise SourceError(f"its steps name more than {_MOST_NAMES} {group}, which is taken for damage")
    return found


def as_numbers(rows: Sequence[Any], steps: int) -> Array:
    """(steps, n) float64 of one value of each step. Raises: SourceError where it changes its length or is no number."""
    if len(rows) < steps:
        raise SourceError(f"{counted_of(steps - len(rows), steps, 'step', 'does', 'do')} not have it")
    try:
        made = np.array(rows, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"it is not the same count of numbers in each step: {error}") from error
    return made.reshape(len(rows), -1)
