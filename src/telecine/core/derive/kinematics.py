"""The pose of a link by the angles of the joints before it, for all rows at once. Pure.

`telecine.kinematics` makes a `Robot` of a URDF file.
"""

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.derive.rotations import Rows, from_axis_angle, multiply, rotate
from telecine.core.text.numbers import counted

POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")


@dataclass(frozen=True, slots=True)
class Joint:
    """One step of a chain: a link's place in the link before it, and how its joint moves it there.

    place: x, y, z in m and a quaternion x, y, z, w. axis: of length 1, in the link's own frame; None: it is fixed.
    """

    link: str
    place: tuple[float, ...]
    name: str = ""
    axis: tuple[float, float, float] | None = None
    slides: bool = False
    """Along the axis in m, not about it in rad."""


@dataclass(frozen=True, slots=True)
class Robot:
    """The links of a robot, each with the one that it hangs on; "" for the base."""

    name: str
    joints: dict[str, Joint]
    """By link."""
    parents: dict[str, str]

    def chain(self, link: str) -> list[Joint]:
        """The steps from the base to a link. Raises: ValueError: there is no such link."""
        if link not in self.joints:
            raise ValueError(f"{self.name} has no link {link!r}; it has {', '.join(self.joints)}")
        steps: list[Joint] = []
        while link:
            steps.append(self.joints[link])
            link = self.parents[link]
        return steps[::-1]


def forward_kinematics(robot: Robot, angles: Rows, link: str) -> Rows:
    """(n, 7) pose of a link in the base: x, y, z in m, then the quaternion x, y, z, w.

    angles: (n, joints) of the movable joints between base and link, in that order, in rad or m.

    Raises: ValueError: another number of them, or no such link.
    """
    steps = robot.chain(link)
    moving = [step for step in steps if step.axis is not None]
    if angles.shape[1] != len(moving):
        names = ", ".join(step.name for step in moving)
        raise ValueError(
            f"{link} moves by {counted(len(moving), 'joint')} ({names}), the expression gives "
            f"{counted(angles.shape[1], 'number')}"
        )
    count, at = len(angles), 0
    position: Rows = np.zeros((count, 3))
    turn: Rows = np.tile([0.0, 0.0, 0.0, 1.0], (count, 1))
    for step in steps:
        place = np.asarray(step.place)
        position = position + rotate(turn, np.tile(place[:3], (count, 1)))
        turn = multiply(turn, np.tile(place[3:], (count, 1)))
        if step.axis is not None:
            moved = angles[:, at : at + 1].astype(np.float64) * np.asarray(step.axis)
            position, turn = (position + rotate(turn, moved), turn) if step.slides else (
                position, multiply(turn, from_axis_angle(moved)))  # fmt: skip
            at += 1
    return np.concatenate([position, turn], axis=1)
