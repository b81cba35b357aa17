"""HDF5 layouts of simulators: Isaac Lab, LIBERO, robomimic and its kin, raw robosuite, ManiSkill.

Sources: isaaclab `HDF5DatasetFileHandler`; robomimic `dataset_states_to_obs.py`; robosuite
`collect_human_demonstrations.py`; LIBERO `create_dataset.py`; ManiSkill `RecordEpisode`.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from telecine.core.naming import camera_name, natural
from telecine.core.plan.model import IMAGES
from telecine.sources.hdf5.arms import robot_state
from telecine.sources.hdf5.layouts import (
    Hdf5Layout,
    LayoutEpisode,
    LayoutFeatures,
    assumed_rate,
    attribute,
    demos,
    facts_of,
    json_beside,
    once_per_file,
    stated_facts,
    stated_rate,
)  # fmt: skip
from telecine.sources.hdf5.odd_cameras import is_classes
from telecine.sources.shared.arrays import PixelLayout

_ROBOSUITE = (20, "robosuite")
"""Its usual control rate, in Hz."""


@once_per_file
def _env(file: Any) -> dict[str, Any]:
    return facts_of(file["data"].attrs, "env_args") if "data" in file else {}


def _first(file: Any) -> Any:
    """The first demo, or an empty mapping."""
    names = demos(file)
    return file["data"][names[0]] if names else {}


def _places(file: Any) -> list[str]:
    return [f"/data/{name}" for name in demos(file)]


def cameras(parent: str, wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Feature key -> stream of every camera in `wanted`, below `parent`."""
    found: dict[str, tuple[str, ...]] = {}
    for name in wanted:
        key = IMAGES + camera_name(name)
        found[key if key not in found else IMAGES + name] = (f"{parent}/{name}",)
    return found


def _image_arrays(group: Any) -> list[str]:
    """Names of arrays (rows, height, width, colours) of bytes."""
    if not hasattr(group, "keys"):
        return []
    frames = (k for k in sorted(group) if getattr(group[k], "ndim", 0) == 4 and group[k].dtype == "uint8")
    return [name for name in frames if not is_classes(name)]


def _present(group: Any, *choices: tuple[str, ...]) -> tuple[str, ...]:
    """The first choice of paths that are all there, as stream names; a "?" marks those that may be missing."""
    for choice in choices:
        if all(p in group for p in choice if not p.endswith("?")):
            return tuple(f"/{p.rstrip('?')}" for p in choice if p.rstrip("?") in group)
    return ()


def _features(**known: tuple[str, ...]) -> LayoutFeatures:
    """Feature key (with _ for .) -> streams, those without a stream left out."""
    return {key.replace("__", "."): names for key, names in known.items() if names}


# --- Isaac Lab -------------------------------------------------------------------------------------------------------


def _is_isaaclab(file: Any) -> bool:
    env, demo = _env(file), _first(file)
    is_new = "format_version" in file.attrs or "sim_args" in env
    return env.get("type") == 2 and (
        is_new or "initial_state" in demo or "processed_actions" in demo or "states/articulation" in demo
    )


def rate_of(sim_args: Mapping[str, Any]) -> Fraction | None:
    """Steps per second of Isaac Lab's `sim_args`: 1 / (dt * decimation), whole where it nearly is."""
    try:
        step = float(sim_args["dt"]) * float(sim_args["decimation"])
    except (KeyError, TypeError, ValueError):
        return None
    rate = stated_rate(1 / step) if step > 0 else None
    near = round(rate or 0)
    return Fraction(near) if near and abs(1 / near - step) < 1e-4 else rate


def _isaaclab(file: Any, place: str, path: str) -> LayoutEpisode:
    del path
    demo, env = file[place], _env(file)
    obs = demo.get("obs")
    shown = {f"{IMAGES}{camera_name(n)}": (f"/camera_obs/{n}",) for n in _image_arrays(demo.get("camera_obs"))}
    flat = ("obs",) if obs is not None and not hasattr(obs, "keys") else ()
    state = (flat and ("/obs",)) or _present(
        demo, ("obs/joint_pos", "obs/gripper_pos?"), ("obs/eef_pos", "obs/eef_quat", "obs/gripper_pos?")
    )
    state, notes = (state, ()) if state or obs is None else robot_state(obs)
    signals = "obs/datagen_info/subtask_term_signals"
    features = {
        **_features(observation__state=state, action=_present(demo, ("actions",))),
        **shown,
        **cameras("/obs", _image_arrays(obs)),
        **{f"annotation.{s}": (f"/{signals}/{s}",) for s in (sorted(demo[signals]) if signals in demo else ())},
    }
    attrs = {"env_name": str(env.get("env_name", "")), **stated_facts(demo.attrs)}
    return LayoutEpisode(
        "isaaclab",
        fps=rate_of(env.get("sim_args", {})),
        anchor="actions",
        attrs=attrs,
        features=features,
        notes=notes,
        values=_success_value(demo),
        # Isaac Lab 3 writes format_version 1 with its change from wxyz to xyzw.
        quaternion="xyzw" if int(file.attrs.get("format_version", 0)) >= 1 else "wxyz",
    )


def _success_value(demo: Any) -> dict[str, Any]:
    return {"/success": bool(demo.attrs["success"])} if "success" in demo.attrs else {}


class _Rate(NamedTuple):
    """Steps a second, and what is to be said about where they are from."""

    fps: Fraction
    is_assumed: bool = False
    notes: tuple[tuple[str, str], ...] = ()


def _control_rate(settings: Any, usual: int, simulator: str) -> _Rate:
    """What `control_freq` in an environment's settings states; the simulator's usual rate where it states none."""
    stated = settings.get("control_freq") if isinstance(settings, Mapping) else None
    if (rate := stated_rate(stated)) is not None:
        return _Rate(rate)
    unfit = f" (control_freq is {str(stated)[:40]!r}, which is no rate)" if stated else ""
    note = assumed_rate(usual, f"{simulator}'s usual control rate{unfit}")
    return _Rate(Fraction(usual), True, (note,))


# --- robosuite and what is built on it -------------------------------------------------------------------------------


def _is_libero(file: Any) -> bool:
    return "data" in file and {"problem_info", "bddl_file_name"} <= set(file["data"].attrs)


def _libero(file: Any, place: str, path: str) -> LayoutEpisode:
    data, demo = file["data"], file[place]
    task = facts_of(data.attrs, "problem_info").get("language_instruction", "")
    task = "".join(task) if isinstance(task, list | str) else ""
    if not task.strip('" '):
        words = [w for w in Path(path).stem.removesuffix("_demo").split("_") if not w.isupper() and not w[:5].isupper()]
        task = " ".join(words)
    # "opengl": stored upside down; models and environments trained on LIBERO turn them by half a turn.
    upside_down = attribute(data.attrs, "macros_image_convention") == "opengl"
    rate = _control_rate(_env(file).get("env_kwargs"), *_ROBOSUITE)
    return LayoutEpisode(
        "libero",
        fps=rate.fps,
        anchor="actions",
        attrs={"env_name": attribute(data.attrs, "env_name"), **stated_facts(demo.attrs)},
        features={
            **_features(
                observation__state=_present(
                    demo,
                    ("obs/ee_states", "obs/gripper_states?"),
                    ("obs/ee_pos", "obs/ee_ori", "obs/gripper_states?"),
                    ("obs/joint_states", "obs/gripper_states?"),
                ),
                action=_present(demo, ("actions",)),
            ),
            **cameras("/obs", _image_arrays(demo.get("obs"))),
            **_ends(demo),
        },
        notes=rate.notes,
        is_rate_assumed=rate.is_assumed,
        values={"/task": task.strip('" ')},
        pixel_layouts={"/obs": PixelLayout(turn="rotate180")} if upside_down else {},
    )


def _ends(demo: Any) -> LayoutFeatures:
    return _features(next__reward=_present(demo, ("rewards",)), next__done=_present(demo, ("dones",)))


def _is_robomimic(file: Any) -> bool:
    env = _env(file)
    return not _is_libero(file) and not _is_isaaclab(file) and "env_name" in env and "obs" in _first(file)


def _robomimic_name(demo: Any, facts: Mapping[str, Any]) -> str:
    return "mimicgen" if "datagen_info" in demo else "robocasa" if "lang" in facts else "robomimic"


def _robomimic(file: Any, place: str, path: str) -> LayoutEpisode:
    del path
    demo, env = file[place], _env(file)
    rate = _control_rate(env.get("env_kwargs"), *_ROBOSUITE)
    state, notes = robot_state(demo["obs"])
    facts = facts_of(demo.attrs, "ep_meta")
    task = facts.get("lang", "")
    return LayoutEpisode(
        _robomimic_name(demo, facts),
        fps=rate.fps,
        anchor="actions",
        attrs={"env_name": str(env.get("env_name", "")), **stated_facts(demo.attrs)},
        features={
            **_features(observation__state=state, action=_present(demo, ("actions",))),
            **cameras("/obs", [n for n in _image_arrays(demo.get("obs")) if "depth" not in n]),
            **_ends(demo),
        },
        notes=(*notes, *rate.notes),
        is_rate_assumed=rate.is_assumed,
        values={"/task": task} if task else {},
        quaternion="xyzw",
    )


def _is_robosuite(file: Any) -> bool:
    if not demos(file) or _is_libero(file) or _is_isaaclab(file):
        return False
    attrs = set(file["data"].attrs)
    return bool(attrs & {"env_info", "env", "env_args"}) and "obs" not in _first(file) and "actions" in _first(file)


def _robosuite(file: Any, place: str, path: str) -> LayoutEpisode:
    del path
    demo, data = file[place], file["data"]
    env = facts_of(data.attrs, "env_info") or _env(file).get("env_kwargs", {})
    hint = "holds no observations: render them with robomimic's dataset_states_to_obs.py, or convert states and actions"
    rate = _control_rate(env, *_ROBOSUITE)
    return LayoutEpisode(
        "robosuite",
        fps=rate.fps,
        anchor="actions",
        attrs={"env_name": attribute(data.attrs, "env") or str(env.get("env_name", ""))},
        features=_features(observation__state=_present(demo, ("states",)), action=_present(demo, ("actions",))),
        notes=(("source-incomplete", hint), *rate.notes),
        is_rate_assumed=rate.is_assumed,
    )


# --- ManiSkill -------------------------------------------------------------------------------------------------------


@once_per_file
def _trajectories(file: Any) -> list[str]:
    return sorted((k for k in file if k.startswith("traj_") and "actions" in file[k]), key=natural)


def _is_maniskill(file: Any) -> bool:
    return bool(_trajectories(file)) and "data" not in file


def _maniskill(file: Any, place: str, path: str) -> LayoutEpisode:
    demo = file[place]
    actions = _of_agents(demo, "actions") or ("/actions",)
    beside = _json_beside(path)
    env = beside.get("env_info", {})
    number = int(place.rpartition("_")[2])
    entry: dict[str, Any] = next((e for e in beside.get("episodes", ()) if e.get("episode_id") == number), {})
    shown: dict[str, tuple[str, ...]] = {}
    for root in ("obs/sensor_data", "obs/image"):
        if root in demo:
            shown |= {
                IMAGES + camera_name(c): (f"/{root}/{c}/rgb",) for c in sorted(demo[root]) if "rgb" in demo[root][c]
            }
    rate = _control_rate(env.get("env_kwargs"), 20, "ManiSkill")
    return LayoutEpisode(
        "maniskill",
        fps=rate.fps,
        anchor=actions[0].removeprefix("/"),
        attrs={
            "env_name": str(env.get("env_id", "")),
            **({"success": str(bool(entry["success"])).lower()} if "success" in entry else {}),
            **({"control_mode": str(entry["control_mode"])} if "control_mode" in entry else {}),
        },
        features={
            **_features(
                observation__state=_present(demo, ("obs/agent/qpos",)) or _of_agents(demo, "obs/agent", "qpos"),
                action=actions,
                next__reward=_present(demo, ("rewards",)),
                next__success=_present(demo, ("success",)),
                next__done=_present(demo, ("terminated",)),
            ),
            **shown,
        },
        notes=rate.notes,
        # ManiSkill's documentation of sensors: depth is int16, in millimetres
        pixel_layouts={f"{names[0][: -len('/rgb')]}/depth": PixelLayout(unit="mm") for names in shown.values()},
        is_rate_assumed=rate.is_assumed,
        quaternion="wxyz",
    )


def _of_agents(demo: Any, path: str, leaf: str = "") -> tuple[str, ...]:
    """Streams of several agents, which ManiSkill keeps in a group with one member for each, in order of name."""
    group = demo.get(path)
    if not hasattr(group, "keys"):
        return (f"/{path}",) if group is not None and not leaf else ()
    found = [f"{path}/{name}{'/' if leaf else ''}{leaf}" for name in sorted(group, key=natural)]
    return tuple(f"/{p}" for p in found if hasattr(demo.get(p), "shape"))


def _json_beside(path: str) -> dict[str, Any]:
    """ManiSkill keeps what it knows of the environment in a JSON file of the same name."""
    found = json_beside(Path(path).with_suffix(".json"), Path(path).parent)
    return found if isinstance(found, dict) else {}


LAYOUTS = (
    Hdf5Layout("isaaclab", _is_isaaclab, _places, _isaaclab),
    Hdf5Layout("libero", _is_libero, _places, _libero),
    Hdf5Layout("robomimic", _is_robomimic, _places, _robomimic),
    Hdf5Layout("robosuite", _is_robosuite, _places, _robosuite),
    Hdf5Layout("maniskill", _is_maniskill, lambda file: [f"/{name}" for name in _trajectories(file)], _maniskill),
)
