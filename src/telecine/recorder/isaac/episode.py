"""What an episode of Isaac Lab holds, as features of a dataset. Plain arrays in, plain arrays out.

Tensors are touched by duck typing only: `detach`, `cpu`, `numpy`. Isaac Lab keeps an episode as nested dicts whose
leaves are tensors (steps, ...) or, before `pre_export`, lists of tensors.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from telecine.core.errors import DatasetError
from telecine.core.naming import camera_name, element_names
from telecine.core.plan.model import IMAGES
from telecine.core.recording import Array

Key = str | tuple[str, ...] | Sequence[str]
"""An observation: "group/term", or the same as a tuple."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to take of an episode, and how to write it.

    observation_keys, state_keys: observations by "group/term"; state ones are joined into observation.state. None and
        None takes all: frames as cameras, other observations as the state.
    task: the text that policies are conditioned on; without it the environment's name, with a warning.
    action: "actions", "processed_actions" or any path in the episode.
    fps: steps per second; None: 1 / (dt * decimation) of the environment.
    cameras: observation -> name of the camera, where the usual one (without _rgb, _cam, _camera) does not do.
    existing: what to do when the dataset is there: "error", "append" or "overwrite".
    """

    observation_keys: tuple[Key, ...] | None = None
    state_keys: tuple[Key, ...] | None = None
    task: str | None = None
    action: str = "actions"
    fps: int | None = None
    robot_type: str | None = None
    cameras: Mapping[str, str] = field(default_factory=dict)
    preset: str = "train"
    existing: str = "error"
    replay: bool = True
    """Store states, actions and observations beside the dataset's rows, so that `load_episode` gives them back."""

    def wants(self, path: str) -> bool:
        """Whether the observation at `path` is recorded. Isaac Lab keeps the group "policy" without its name."""
        if self.observation_keys is None and self.state_keys is None:
            return True
        named = map(path_of, (*(self.observation_keys or ()), *(self.state_keys or ())))
        return any(key in (path, f"policy/{path}") for key in named)

    def without(self, paths: Collection[str]) -> "Settings":
        """The settings without observations whose frames went elsewhere; all that are left where no keys are given."""
        gone = {*paths, *(f"policy/{path}" for path in paths)}

        def left(keys: tuple[Key, ...] | None) -> tuple[Key, ...] | None:
            return keys if keys is None else tuple(key for key in keys if path_of(key) not in gone)

        return replace(self, observation_keys=left(self.observation_keys), state_keys=left(self.state_keys))

    def check(self) -> None:
        """Raises: ValueError when nothing at all is to be recorded."""
        asked = (self.observation_keys, self.state_keys)
        if any(keys is not None for keys in asked) and not any(asked):
            raise ValueError(
                "observation_keys_to_record and state_observation_keys are both empty: "
                "must have at least one observation configured"
            )


@dataclass(frozen=True, slots=True)
class EpisodeArrays:
    """One episode, ready to be recorded: feature -> (steps, ...) array; cameras are (steps, height, width, 3) uint8."""

    numbers: Mapping[str, Array]
    frames: Mapping[str, Array]
    names: Mapping[str, tuple[str, ...]]

    @property
    def steps(self) -> int:
        """Rows."""
        return min((len(a) for a in (*self.numbers.values(), *self.frames.values())), default=0)


def array_of(leaf: Any) -> Array:
    """A leaf as NumPy, whatever made it: a tensor on any device, an array of warp, a list of tensors."""
    if isinstance(leaf, list | tuple):
        return np.stack([array_of(item) for item in leaf]) if leaf else np.zeros(0)
    for name in ("detach", "cpu"):
        if hasattr(leaf, name):
            leaf = getattr(leaf, name)()
    return np.asarray(leaf.numpy() if hasattr(leaf, "numpy") else leaf)


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) of a nested dict, in its order."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from leaves(value, f"{path}/{key}" if path else str(key))
    else:
        yield path, data


def path_of(key: Key) -> str:
    """An observation as "group/term"."""
    return key if isinstance(key, str) else "/".join(key)


def find(obs: Any, key: Key) -> tuple[str, Any]:
    """(path below `obs`, leaf) of an observation. Isaac Lab keeps the group "policy" without its name.

    Raises: DatasetError naming the observations that there are.
    """
    parts = key.split("/") if isinstance(key, str) else list(key)
    for path in (parts, parts[1:] if parts[0] == "policy" else []):
        found = obs
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        if path and found is not None and not isinstance(found, Mapping):
            return "/".join(path), found
    if parts == ["policy"] and obs is not None and not isinstance(obs, Mapping):
        return "policy", obs
    known = ", ".join(path for path, _ in leaves(obs)) if isinstance(obs, Mapping) else "one flat array, 'policy'"
    raise DatasetError(f"the episode has no observation {'/'.join(parts)!r}; it has: {known or 'none'}")


def rows_of(data: Mapping[str, Any], settings: Settings, quaternion: str) -> EpisodeArrays:
    """The features of an episode's data.

    quaternion: order of components, for names.

    Raises: DatasetError for what is not there, or cannot be stored as it is.
    """
    obs = data.get("obs", {})
    frames: dict[str, Array] = {}
    numbers: dict[str, Array] = {}
    states: list[tuple[str, Array]] = []
    for path, leaf, as_state in _chosen(obs, settings):
        values = array_of(leaf)
        if is_frame(values[0] if len(values) else values):
            frames[_unique(IMAGES + settings.cameras.get(path, camera_name(_last(path))), frames)] = rgb_of(values)
        elif as_state:
            states.append((path, values))
        else:
            numbers[f"observation.{path.replace('/', '.')}"] = _plain(values, path)
    names: dict[str, tuple[str, ...]] = {}
    if states:
        numbers["observation.state"] = np.concatenate([_flat(v, p) for p, v in states], axis=1)
        names |= _names("observation.state", states, quaternion)
    action = dict(leaves(data)).get(settings.action)
    if action is not None:
        numbers["action"] = _flat(array_of(action), settings.action)
    rows = EpisodeArrays(numbers, frames, names)
    _check_lengths(rows)
    return rows


def _chosen(obs: Any, settings: Settings) -> Iterator[tuple[str, Any, bool]]:
    """(path, leaf, joins the state) of every observation that is wanted."""
    if settings.observation_keys is None and settings.state_keys is None:
        flat = obs is not None and not isinstance(obs, Mapping)
        yield from ([("policy", obs, True)] if flat else ((p, leaf, True) for p, leaf in leaves(obs)))
        return
    for keys, as_state in ((settings.observation_keys, False), (settings.state_keys, True)):
        for key in keys or ():
            yield (*find(obs, key), as_state)


def is_frame(value: Array) -> bool:
    """One step's (height, width, 1|3|4) bytes."""
    return value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] in (1, 3, 4) and min(value.shape[:2]) >= 8


def rgb_of(values: Array) -> Array:
    """(..., height, width, 3): without alpha, gray as three equal channels."""
    return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values[..., :3]


def _unique(key: str, taken: Mapping[str, Any]) -> str:
    number, name = 2, key
    while name in taken:
        name, number = f"{key}_{number}", number + 1
    return name


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _plain(values: Array, path: str) -> Array:
    """Numbers that a feature under observation. can hold: bools become 0 and 1, since LeRobot's training needs it."""
    if values.dtype.kind == "f" and values.ndim == 4 and values.shape[3] == 3:
        raise DatasetError(
            f"observation {path!r} holds frames as floats, from which the colours cannot be had back; "
            "set normalize=False in the image term's params"
        )
    if values.dtype.kind not in "fiub":
        raise DatasetError(f"observation {path!r} holds {values.dtype}, expected numbers")
    return values.astype(np.float32) if values.dtype.kind == "b" or values.dtype == np.float16 else values


def _flat(values: Array, path: str) -> Array:
    return _plain(values, path).reshape(len(values), -1).astype(np.float32)


def _names(key: str, parts: Sequence[tuple[str, Array]], quaternion: str) -> dict[str, tuple[str, ...]]:
    found: list[str] = []
    for path, values in parts:
        width = int(np.prod(values.shape[1:], dtype=np.int64))
        found += element_names(_last(path), (width,), quaternion) or ()
    return {key: tuple(found)} if len(set(found)) == len(found) else {}


def _check_lengths(rows: EpisodeArrays) -> None:
    lengths = {key: len(a) for key, a in {**rows.numbers, **rows.frames}.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise DatasetError(f"the episode's parts have different numbers of steps: {listed}")
