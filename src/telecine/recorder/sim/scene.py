"""The simulated table: MJCF of one or two arms made of primitives, and the angles that bring a gripper somewhere.

An arm has five joints and a parallel gripper, named like those of common low-cost arms. Grippers point straight down,
so the angles have a closed form. The text is our own; it needs no meshes and no textures.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
SHOULDER_M, UPPER_M, FORE_M, TOOL_M = 0.16, 0.22, 0.22, 0.17
"""Height of the shoulder; lengths from shoulder to elbow to wrist to between the finger tips."""
STRETCHED = 0.98
"""The part of its length to which an arm stretches: the joints of a straight one would have to leap."""
OPEN_M = 0.08
"""Width of the open gripper."""
CUBE_M = 0.04
HIDDEN = 4
"""A group that MuJoCo's renderer leaves out."""
BAR_M = (0.13, 0.03, 0.03)
CAMERAS = ("front", "wrist")
SKY = (0.80, 0.87, 0.95)
LIGHT = (0.25, -0.45, 0.86)
"""Where the light comes from, a unit vector."""
AMBIENT, DIFFUSE, HEAD = 0.42, 0.43, 0.2
"""Brightness of everything, of what faces the light, and of what faces the camera."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Where an arm stands on the table, and which way it faces."""

    prefix: str
    x_m: float
    yaw_rad: float
    colour: str

    @property
    def names(self) -> tuple[str, ...]:
        """Its joints, then its gripper."""
        return tuple(f"{self.prefix}{name}" for name in (*JOINTS, "gripper"))

    def reachable(self, xyz: Vector) -> Vector:
        """The point, or where it is too far away, one at its height that the arm nearly stretches to."""
        arm = np.array([self.x_m, 0.0])
        away = math.hypot(*(xyz[:2] - arm))
        up = float(xyz[2]) + TOOL_M - SHOULDER_M
        if away**2 + up**2 <= (UPPER_M + FORE_M) ** 2:
            return xyz
        nearer = math.sqrt((STRETCHED * (UPPER_M + FORE_M)) ** 2 - up**2) / away
        return np.append(arm + (xyz[:2] - arm) * nearer, xyz[2])

    def reach(self, xyz: Vector, yaw_rad: float) -> Vector:
        """(5,) rad: the gripper at `xyz`, pointing down, its fingers opening along `yaw_rad` + 90 degrees.

        Raises: ValueError when the arm is too short.
        """
        dx, dy = float(xyz[0]) - self.x_m, float(xyz[1])
        pan = _wrapped(math.atan2(dy, dx) - self.yaw_rad)
        along, up = math.hypot(dx, dy), float(xyz[2]) + TOOL_M - SHOULDER_M
        bend = (along**2 + up**2 - UPPER_M**2 - FORE_M**2) / (2 * UPPER_M * FORE_M)
        if not -1 <= bend <= 1:
            raise ValueError(f"{xyz} is out of reach of the arm at x = {self.x_m} m")
        elbow = -math.acos(bend)
        lift = math.atan2(up, along) - math.atan2(FORE_M * math.sin(elbow), UPPER_M + FORE_M * math.cos(elbow))
        roll = _wrapped(pan + self.yaw_rad - yaw_rad, math.pi)
        return np.array([pan, lift, elbow, -math.pi / 2 - lift - elbow, roll])


def _wrapped(angle: float, period: float = 2 * math.pi) -> float:
    """The same direction in [-period / 2, period / 2); half a turn makes no difference to two fingers."""
    return (angle + period / 2) % period - period / 2


ONE_ARM = (Arm("", 0.0, 0.0, "0.95 0.55 0.15 1"),)
TWO_ARMS = (Arm("left_", -0.36, 0.0, "0.2 0.5 0.85 1"), Arm("right_", 0.36, math.pi, "0.95 0.55 0.15 1"))


def mjcf(arms: tuple[Arm, ...], *, thing: str, timestep_s: float) -> str:
    """The whole scene; `thing` is the element of the object to move, with a free joint named `thing`."""
    middle = sum(arm.x_m for arm in arms) / len(arms) + (0.25 if len(arms) == 1 else 0.0)
    far = 0.8 if len(arms) == 1 else 1.0
    sky = " ".join(map(str, SKY))
    return f"""
<mujoco model="telecine">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{timestep_s!r}" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <visual>
    <quality shadowsize="0"/>
    <headlight ambient="{grey(AMBIENT)}" diffuse="{grey(HEAD)}" specular="0 0 0"/>
  </visual>
  <asset><texture type="skybox" builtin="flat" rgb1="{sky}" rgb2="{sky}" width="16" height="16"/></asset>
  <default>
    <joint damping="2" armature="0.05"/>
    <geom condim="4" friction="1.5 0.05 0.001" solref="0.005 1"/>
    <default class="bone"><geom contype="0" conaffinity="0"/></default>
    <position kp="120" kv="12" forcerange="-40 40"/>
  </default>
  <worldbody>
    <light type="directional" dir="{" ".join(str(-part) for part in LIGHT)}" diffuse="{grey(DIFFUSE)}" specular="0 0 0"
      castshadow="false"/>
    <geom name="floor" type="plane" size="2 2 0.1" pos="0 0 -0.3" rgba="0.55 0.6 0.62 1"/>
    <geom name="table" type="box" size="0.55 0.4 0.02" pos="{middle} 0 -0.02" rgba="0.75 0.62 0.45 1"/>
    <geom name="mat" type="box" size="0.16 0.2 0.001" pos="{middle} 0 0.0005" rgba="0.3 0.42 0.38 1" class="bone"/>
    <camera name="front" pos="{middle} {-0.9 * far} {0.12 + 0.48 * far}" xyaxes="1 0 0 0 0.47 0.882" fovy="45"/>
    {"".join(_arm(arm, with_camera=arm is arms[-1]) for arm in arms)}
    {thing}
  </worldbody>
  <equality>{"".join(f'<joint joint1="{a.prefix}finger_1" joint2="{a.prefix}finger_2"/>' for a in arms)}</equality>
  <actuator>{"".join(map(_actuators, arms))}</actuator>
</mujoco>"""


def grey(level: float) -> str:
    """A colour of MJCF."""
    return f"{level} {level} {level}"


def _arm(arm: Arm, *, with_camera: bool) -> str:
    p = arm.prefix
    camera = '<camera name="wrist" pos="0.01 0 0.075" xyaxes="0 -1 0 0.5 0 0.866" fovy="75"/>' if with_camera else ""
    return f"""
    <body name="{p}base" pos="{arm.x_m} 0 0" euler="0 0 {arm.yaw_rad!r}" gravcomp="1" childclass="bone">
      <geom type="cylinder" size="0.055 0.05" pos="0 0 0.05" rgba="0.25 0.27 0.3 1"/>
      <body gravcomp="1" pos="0 0 0.1">
        <joint name="{p}shoulder_pan" axis="0 0 1" range="-2.6 2.6"/>
        <geom type="cylinder" size="0.045 0.035" pos="0 0 0.03" rgba="{arm.colour}"/>
        <body gravcomp="1" pos="0 0 {SHOULDER_M - 0.1}">
          <joint name="{p}shoulder_lift" axis="0 -1 0" range="-1.2 3.2"/>
          <geom type="capsule" size="0.03" fromto="0 0 0 {UPPER_M} 0 0" rgba="{arm.colour}"/>
          <body gravcomp="1" pos="{UPPER_M} 0 0">
            <joint name="{p}elbow_flex" axis="0 -1 0" range="-3 3"/>
            <geom type="capsule" size="0.025" fromto="0 0 0 {FORE_M} 0 0" rgba="0.9 0.9 0.92 1"/>
            <body gravcomp="1" pos="{FORE_M} 0 0">
              <joint name="{p}wrist_flex" axis="0 -1 0" range="-3 3"/>
              <geom type="capsule" size="0.022" fromto="0 0 0 0.05 0 0" rgba="{arm.colour}"/>
              <body name="{p}hand" gravcomp="1">
                <joint name="{p}wrist_roll" axis="1 0 0" range="-3.2 3.2"/>
                <geom type="box" size="0.02 0.05 0.02" pos="0.09 0 0" rgba="0.25 0.27 0.3 1"/>
                <site name="{p}tip" pos="{TOOL_M} 0 0" group="{HIDDEN}"/>
                {camera}
                {_finger(f"{p}finger_1", 1)}
                {_finger(f"{p}finger_2", -1)}
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>"""


def _finger(name: str, side: int) -> str:
    return f"""<body gravcomp="1">
      <joint name="{name}" type="slide" axis="0 {side} 0" range="0 0.041" damping="4" armature="0.1"/>
      <geom class="main" type="box" size="0.025 0.005 0.01" pos="{TOOL_M - 0.013} {side * 0.005} 0" mass="0.02"
        rgba="0.2 0.2 0.22 1" friction="2 0.1 0.01"/></body>"""


def _actuators(arm: Arm) -> str:
    joints = "".join(f'<position name="{arm.prefix}{j}" joint="{arm.prefix}{j}"/>' for j in JOINTS)
    gripper = f'joint="{arm.prefix}finger_1" kp="600" kv="40" forcerange="-25 25"'
    return f'{joints}<position name="{arm.prefix}gripper" {gripper}/>'


def free(shape: str, *, mass_kg: float) -> str:
    """The object to move: a box of `shape` = size and colour attributes, resting until something grips it."""
    return (
        f'<body name="thing"><freejoint name="thing"/><geom name="thing" type="box" {shape} mass="{mass_kg}"/></body>'
    )
