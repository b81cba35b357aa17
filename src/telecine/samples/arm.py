"""A robot arm with seven joints that picks a cube up and puts it on a tray: where everything is at any time.

Units: metres, radians, seconds from the start of the episode. z points up, the table is z = 0, the arm stands at
the origin. Gripper: 0 closed, 1 open.
"""

from dataclasses import dataclass

import numpy as np

from telecine.core.stats import Floats

JOINTS = (
    "shoulder_yaw", "shoulder_pitch", "upper_arm_roll", "elbow_pitch", "forearm_roll", "wrist_pitch", "wrist_roll"
)  # fmt: skip
SHOULDER_M = 0.26
UPPER_ARM_M = 0.30
FOREARM_M = 0.27
HAND_M = 0.15
CUBE_M = 0.06
HOVER_M = 0.17
LAG_S = 0.06
"""How far the joints are behind their commands."""

# Parts of the episode: to above the cube, down, close, lift, to above the tray, down, open, back.
_PHASES = np.array([0.0, 0.24, 0.36, 0.43, 0.54, 0.72, 0.82, 0.88, 1.0])
_CLOSED, _OPEN = 3, 7


@dataclass(frozen=True, slots=True)
class PickTask:
    """One episode: where the cube lies and where it shall go."""

    seconds: float
    cube: tuple[float, float]
    """(x, y) of its middle."""
    cube_turn: float
    """About z."""
    tray: tuple[float, float]


def random_task(seconds: float, rng: np.random.Generator) -> PickTask:
    """A cube on one side of the arm, within reach, and the tray on the other."""
    reach, side = rng.uniform(0.34, 0.42), rng.uniform(0.25, 0.6)
    cube = (float(reach * np.cos(side)), float(reach * np.sin(side)))
    return PickTask(seconds, cube, float(rng.uniform(-0.5, 0.5)), (0.34, float(rng.uniform(-0.24, -0.16))))


def commanded(task: PickTask, times: Floats) -> Floats:
    """(n, 8) joint angles and gripper that the controller asks for at (n,) times."""
    tip, opening, turn = _path(task, times)
    return np.concatenate([_joints_for(tip, turn), opening[:, None]], axis=1)


def reached(task: PickTask, times: Floats) -> Floats:
    """(n, 8) as `commanded`, where the arm really is."""
    return commanded(task, times - LAG_S)


def cube_at(task: PickTask, time: float) -> tuple[Floats, float]:
    """((3,) middle of the cube, its turn about z)."""
    held = np.clip((time - LAG_S) / task.seconds, _PHASES[_CLOSED], _PHASES[_OPEN]) * task.seconds
    tip, _, turn = _path(task, np.array([held]))
    return tip[0], float(turn[0])


def _path(task: PickTask, times: Floats) -> tuple[Floats, Floats, Floats]:
    """((n, 3) tip, (n,) opening, (n,) turn of the hand about z), moving smoothly from one phase to the next."""
    low = CUBE_M / 2
    home = (0.30, 0.0, 0.30)
    above_cube, at_cube = (*task.cube, HOVER_M), (*task.cube, low)
    above_tray, at_tray = (*task.tray, HOVER_M), (*task.tray, low + 0.012)
    tips = np.array([home, above_cube, at_cube, at_cube, above_cube, above_tray, at_tray, at_tray, home])
    openings = np.array([1.0, 1, 1, 0, 0, 0, 0, 1, 1])
    turns = np.array([0, task.cube_turn, task.cube_turn, task.cube_turn, task.cube_turn, 0, 0, 0, 0])
    at = np.clip(times / task.seconds, 0, 1)
    phase = np.clip(np.searchsorted(_PHASES, at, side="right") - 1, 0, _PHASES.size - 2)
    u = (at - _PHASES[phase]) / (_PHASES[phase + 1] - _PHASES[phase])
    u = u**3 * (10 - 15 * u + 6 * u**2)  # least jerk: at rest at both ends

    def blend(values: Floats) -> Floats:
        weight = u.reshape(-1, *([1] * (values.ndim - 1)))
        return np.asarray(values[phase] * (1 - weight) + values[phase + 1] * weight)

    return blend(tips), blend(openings), blend(turns)


def _joints_for(tip: Floats, turn: Floats) -> Floats:
    """(n, 7) angles that put the tip there with the hand pointing down; both rolls of the arm stay zero."""
    yaw = np.arctan2(tip[:, 1], tip[:, 0])
    out, up = np.hypot(tip[:, 0], tip[:, 1]), tip[:, 2] + HAND_M - SHOULDER_M
    far = np.hypot(out, up)
    bend = np.arccos((UPPER_ARM_M**2 + FOREARM_M**2 - far**2) / (2 * UPPER_ARM_M * FOREARM_M))
    lift = np.arccos((UPPER_ARM_M**2 + far**2 - FOREARM_M**2) / (2 * UPPER_ARM_M * far))
    shoulder = np.pi / 2 - (np.arctan2(up, out) + lift)
    elbow = np.pi - bend
    zero = np.zeros_like(yaw)
    return np.stack([yaw, shoulder, zero, elbow, zero, np.pi - shoulder - elbow, turn - yaw], axis=1)


@dataclass(frozen=True, eq=False, slots=True)
class Pose:
    """Where the parts of the arm are, (3,) each."""

    shoulder: Floats
    elbow: Floats
    wrist: Floats
    tip: Floats
    axes: Floats
    """(3, 3): columns are where the fingers open, across, and where the hand points."""


def pose(angles: Floats) -> Pose:
    """The parts of the arm at (7,) joint angles."""
    yaw, shoulder, upper_roll, elbow, fore_roll, wrist, roll = angles
    shoulder_at = np.array([0, 0, SHOULDER_M])
    turn = _about_z(yaw) @ _about_y(shoulder) @ _about_z(upper_roll)
    elbow_at = shoulder_at + turn @ np.array([0, 0, UPPER_ARM_M])
    turn = turn @ _about_y(elbow) @ _about_z(fore_roll)
    wrist_at = elbow_at + turn @ np.array([0, 0, FOREARM_M])
    # The hand points down, so a positive turn about z is a negative one about its own axis.
    turn = turn @ _about_y(wrist) @ _about_z(-roll)
    tip_at = wrist_at + turn @ np.array([0, 0, HAND_M])
    return Pose(shoulder_at, elbow_at, wrist_at, tip_at, turn[:, [1, 0, 2]])


def _about_z(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _about_y(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
