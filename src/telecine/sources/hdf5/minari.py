"""HDF5 layout of Minari's datasets, `main_data.hdf5`: one observation more than actions, no rate, no task.

Source: https://github.com/Farama-Foundation/Minari, `minari/dataset/_storages/hdf5_storage.py`.
"""

from pathlib import Path
from typing import Any

from telecine.core.naming import natural
from telecine.sources.hdf5.layouts import Hdf5Layout, LayoutEpisode, facts_of, json_beside, once_per_file
from telecine.sources.shared.arrays import coding
from telecine.sources.shared.minari_features import minari_features

_PARTS = frozenset({"observations", "actions", "rewards", "terminations", "truncations"})


@once_per_file
def _episodes(file: Any) -> list[str]:
    names = [name for name in file if name.startswith("episode_") and hasattr(file[name], "keys")]
    return [f"/{name}" for name in sorted(names, key=natural)]


def _is_minari(file: Any) -> bool:
    found = _episodes(file)
    return bool(found) and set(file[found[0]]) >= _PARTS


def _minari(file: Any, place: str, path: str) -> LayoutEpisode:
    group = file[place]
    kinds: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "shape"):
            kinds[f"/{name}"] = _kind(item)

    group.visititems(visit)
    features = minari_features(kinds)
    beside = json_beside(Path(path).parent / "metadata.json", Path(path).parent)
    env = facts_of(beside, "env_spec").get("id") if isinstance(beside, dict) else None
    return LayoutEpisode(
        "minari",
        anchor=features.get("action", ("/rewards",))[0].removeprefix("/"),
        attrs={"env_name": env} if isinstance(env, str) else {},
        features=features,
    )


def _kind(array: Any) -> str:
    """What an array is: frames, coded (in rows that are padded where they differ) or not, are images."""
    if (array.dtype.metadata or {}).get("vlen") is str:
        return "text"
    if array.dtype.kind in "OS" or (array.dtype == "uint8" and array.ndim in (3, 4)):
        return "image"
    if array.dtype == "uint8" and array.ndim == 2 and array.size:
        return "vector" if coding(bytes(array[0])) is None else "image"
    return "vector" if array.dtype.kind in "fiub" else ""


LAYOUTS = (Hdf5Layout("minari", _is_minari, _episodes, _minari),)
