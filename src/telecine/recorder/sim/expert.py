"""Scripted demonstrators: what a person would do with the gripper, as points in time, with a person's spread.

Everything random comes from the seed. The hand is not steady and the eye not exact, so that some attempts fail, and
failed attempts are recordings too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from telecine.recorder.sim.scene import BAR_M, CUBE_M, ONE_ARM, OPEN_M, TWO_ARMS, Arm, Vector, free

AIM_M, CARELESS_M, CARELESS_SHARE = 0.004, 0.035, 0.12
"""Standard deviation of where the expert grips, of where it does when careless, and how often that is."""
COLOURS = {"red": "0.85 0.15 0.12 1", "green": "0.15 0.6 0.2 1", "blue": "0.15 0.3 0.85 1"}
CLEAR_M = 0.14
LIFTED_M = 0.05
SHUT_M = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Waypoint:
    """Where a gripper is to be at a time, and how wide open."""

    at_s: float
    xyz: Vector
    yaw_rad: float
    width_m: float


@dataclass(frozen=True, eq=False, slots=True)
class Attempt:
    """One episode to play: the scene, where the object lies, and one script an arm."""

    task: str
    arms: tuple[Arm, ...]
    thing: str
    """MJCF of the object."""
    position: Vector
    yaw_rad: float
    scripts: tuple[Sequence[Waypoint], ...]
    lifted_m: float
    """Height of the object's centre that counts as success."""
    holder: str | None = None
    """The arm that must hold it at the end, and no other, where there are two."""

    def commands(self, at_s: float) -> Vector:
        """Joint targets in rad and gripper width in m, arm by arm."""
        parts: list[float] = []
        for arm, script in zip(self.arms, self.scripts, strict=True):
            point = _between(script, at_s)
            parts += [*arm.reach(point.xyz, point.yaw_rad).tolist(), point.width_m]
        return np.array(parts)


def _between(script: Sequence[Waypoint], at_s: float) -> Waypoint:
    """The point at a time, moving smoothly from each to the next."""
    for before, after in pairwise(script):
        if at_s < after.at_s:
            share = (at_s - before.at_s) / (after.at_s - before.at_s)
            share = share * share * (3 - 2 * share)
            return Waypoint(
                at_s,
                before.xyz + (after.xyz - before.xyz) * share,
                before.yaw_rad + (after.yaw_rad - before.yaw_rad) * share,
                before.width_m + (after.width_m - before.width_m) * share,
            )
    return script[-1]


def pick(seed: int, seconds: float) -> Attempt:
    """One arm picks a cube and lifts it."""
    rng = np.random.default_rng([seed, 1])
    where = _xyz(rng.uniform(0.2, 0.34), rng.uniform(-0.13, 0.13), CUBE_M / 2)
    yaw = float(rng.uniform(-0.7, 0.7))
    aim = where + _off(rng)
    home, up = _xyz(0.22, 0.0, 0.2), _xyz(0.0, 0.0, CLEAR_M)
    away = _xyz(float(rng.uniform(-0.02, 0.02)), float(rng.uniform(-0.02, 0.02)), CLEAR_M)
    steps = [
        (0.0, home, 0.0, OPEN_M),
        (0.3, aim + up, yaw, OPEN_M),
        (0.48, aim, yaw, OPEN_M),
        (0.53, aim, yaw, OPEN_M),
        (0.65, aim, yaw, SHUT_M),
        (0.9, aim + away, yaw, SHUT_M),
    ]
    name = str(rng.choice(list(COLOURS)))
    half = CUBE_M / 2
    thing = free(f'size="{half} {half} {half}" rgba="{COLOURS[name]}"', mass_kg=0.04)
    script = _timed(ONE_ARM[0], steps, seconds * float(rng.uniform(0.85, 1.0)))
    return Attempt(f"pick up the {name} cube", ONE_ARM, thing, where, yaw, (script,), CUBE_M / 2 + LIFTED_M)


def hand_over(seed: int, seconds: float) -> Attempt:
    """The right arm takes one end of a bar, brings it to the middle, and the left arm takes it by the other end."""
    rng = np.random.default_rng([seed, 2])
    where = _xyz(rng.uniform(0.04, 0.1), rng.uniform(-0.09, 0.09), BAR_M[2] / 2)
    grip, home, up = BAR_M[0] / 2 - 0.02, _xyz(0.14, 0.0, 0.2), _xyz(0.0, 0.0, 0.09)
    aim = where + _xyz(grip, 0.0, 0.0) + _off(rng)
    meet = _xyz(grip, 0.0, 0.13)
    take = _xyz(-grip, 0.0, 0.13) + _off(rng)
    right = [
        (0.0, home, 0.0, OPEN_M),
        (0.16, aim + up, 0.0, OPEN_M),
        (0.26, aim, 0.0, OPEN_M),
        (0.33, aim, 0.0, SHUT_M),
        (0.42, aim + up, 0.0, SHUT_M),
        (0.52, meet, 0.0, SHUT_M),
        (0.74, meet, 0.0, SHUT_M),
        (0.8, meet, 0.0, OPEN_M),
        (0.9, meet + up, 0.0, OPEN_M),
        (0.97, meet + up + _xyz(0.09, 0.0, 0.03), 0.0, OPEN_M),
    ]
    rest = home * _xyz(-1.0, 1.0, 1.0)
    left = [
        (0.0, rest, 0.0, OPEN_M),
        (0.4, rest, 0.0, OPEN_M),
        (0.54, take + up, 0.0, OPEN_M),
        (0.64, take, 0.0, OPEN_M),
        (0.72, take, 0.0, SHUT_M),
        (0.9, take, 0.0, SHUT_M),
        (1.0, take + _xyz(-0.05, 0.0, 0.0), 0.0, SHUT_M),
    ]
    sizes = " ".join(str(s / 2) for s in BAR_M)
    thing = free(f'size="{sizes}" rgba="{COLOURS["red"]}"', mass_kg=0.05)
    scripts = (_timed(TWO_ARMS[0], left, seconds), _timed(TWO_ARMS[1], right, seconds))
    return Attempt("hand the bar to the left arm", TWO_ARMS, thing, where, 0.0, scripts, 0.08, "left_")


def _off(rng: np.random.Generator) -> Vector:
    """(3,) m: how far off the expert grips."""
    careless = rng.random() < CARELESS_SHARE
    across, along = rng.normal(0, CARELESS_M if careless else AIM_M, 2).tolist()
    return _xyz(across, along, 0.0)


def _xyz(x: float, y: float, z: float) -> Vector:
    return np.array([x, y, z], np.float64)


def _timed(arm: Arm, steps: Sequence[tuple[float, Vector, float, float]], seconds: float) -> list[Waypoint]:
    """Shares of `seconds` as points in time, within the arm's reach: careless aims may be beyond it."""
    return [Waypoint(share * seconds, arm.reachable(xyz), yaw, width) for share, xyz, yaw, width in steps]


TASKS = {"pick": pick, "handover": hand_over}
