"""The state of every arm and hand among the observations of robosuite and what is built on it.

Names are those of robosuite's robots (`robot0_eef_pos`; `robot0_right_eef_pos` and `robot0_left_gripper_qpos` where one
robot has two arms; `robot1_...` for a second one), or those without the robot. An arm is known by the pose of its end
effector where there is one, relative to its base where that is stored (RoboCasa), else by its joints. The poses of
bases are offered: they say where a robot stands.
"""

import re
from functools import lru_cache
from typing import Any

from telecine.core.naming import natural, words

_PART = re.compile(
    r"(?P<robot>robot\d+_)?(?P<side>right_|left_)?"
    r"(?P<what>base_to_eef_pos|base_to_eef_quat|eef_pos|eef_quat|eef_quat_site|joint_pos|gripper_qpos)"
)
_POSES = (
    ("base_to_eef_pos", "base_to_eef_quat"), ("eef_pos", "eef_quat"), ("eef_pos", "eef_quat_site"), ("eef_pos",),
)  # fmt: skip
_SIDES = ("", "right_", "left_")
"""In the order in which robomimic's and DexMimicGen's own configurations list them."""
_STATE = frozenset(
    {"joint", "joints", "qpos", "gripper", "hand", "eef", "ee", "tcp", "pose", "pos", "position", "state", "proprio"}
)
_NOT_STATE = frozenset(
    {"vel", "qvel", "velocity", "sin", "cos", "object", "cube", "goal", "target", "action", "actions", "base", "site"}
)
Notes = tuple[tuple[str, str], ...]


def robot_state(obs: Any) -> tuple[tuple[str, ...], Notes]:
    """(streams below /obs that are the robots' state, a note where their names are none of robosuite's)."""
    return _state_of(tuple(name for name in obs if _is_vector(obs[name])))


@lru_cache(maxsize=16)
def _state_of(names: tuple[str, ...]) -> tuple[tuple[str, ...], Notes]:
    """The same, by the names of all vectors, which are those of many episodes."""
    matches = [m for name in names if (m := _PART.fullmatch(name))]
    robots = sorted({m["robot"] or "" for m in matches}, key=natural)
    known = [part for robot in robots for part in _of_robot(robot, {m[0] for m in matches})]
    if known:
        return tuple(f"/obs/{name}" for name in known), ()
    others = [name for name in sorted(names, key=natural) if _sounds_like_state(name)]
    if not others:
        return (), ()
    text = f"observation.state: {', '.join(others)} of `obs`, by their names, which are none of this layout's own"
    return tuple(f"/obs/{name}" for name in others), (("source-assumed", text),)


def _of_robot(robot: str, names: set[str]) -> list[str]:
    """Pose and gripper of each arm; the joints of the whole robot where no arm has a pose."""
    found: list[str] = []
    posed = False
    for side in _SIDES:
        pose = next((p for p in _POSES if all(f"{robot}{side}{part}" in names for part in p)), ())
        parts = pose or (("joint_pos",) if side else ())
        posed |= bool(pose)
        found += [f"{robot}{side}{part}" for part in (*parts, "gripper_qpos") if f"{robot}{side}{part}" in names]
    joints = f"{robot}joint_pos"
    return found if posed or joints not in names else [joints, *found]


def _is_vector(array: Any) -> bool:
    return getattr(array, "ndim", 0) in (1, 2) and array.dtype.kind in "fiu"


def _sounds_like_state(name: str) -> bool:
    found = words(name)
    return bool(found & _STATE) and not found & _NOT_STATE
