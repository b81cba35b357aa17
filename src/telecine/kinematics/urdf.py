"""A URDF file as a chain of links. MuJoCo reads it; meshes are not opened, and nothing is simulated."""

from pathlib import Path
from typing import Any

from telecine.core.derive.kinematics import Joint, Robot
from telecine.core.errors import PlanError, raised_as

LARGEST_BYTES = 4_000_000


def read_robot(path: str | Path) -> Robot:
    """The robot that a URDF file describes, which must not be larger than 4 MB.

    Raises: PlanError: it cannot be read, is none, or MuJoCo is not installed.
    """
    try:
        import mujoco
    except ImportError as error:
        raise PlanError("reading a URDF needs: pip install 'telecine[kinematics]'") from error
    with (
        raised_as(PlanError, f"--urdf {path}: cannot be read", OSError, UnicodeDecodeError),
        Path(path).open("rb") as file,
    ):
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES or b"<robot" not in data:
        raise PlanError(f"--urdf {path}: no URDF file of at most {LARGEST_BYTES} bytes, which begins with <robot")
    with raised_as(PlanError, f"--urdf {path}: not a URDF that MuJoCo reads", ValueError, UnicodeDecodeError):
        spec = mujoco.MjSpec.from_string(data.decode())
    bodies = [body for body in spec.bodies if body.name != "world"]
    joints = {body.name: _joint(body, mujoco, path) for body in bodies}
    parents = {body.name: "" if body.parent.name == "world" else str(body.parent.name) for body in bodies}
    return Robot(Path(path).name, joints, parents)


def _joint(body: Any, mujoco: Any, path: str | Path) -> Joint:
    """Of the link that a body is. Raises: PlanError for joints that are neither hinges nor slides."""
    w, x, y, z = (float(number) for number in body.quat)
    place = (*(float(number) for number in body.pos), x, y, z, w)
    moving = list(body.joints)
    if not moving:
        return Joint(str(body.name), place)
    kinds = {mujoco.mjtJoint.mjJNT_HINGE: False, mujoco.mjtJoint.mjJNT_SLIDE: True}
    (joint, *more) = moving
    if more or joint.type not in kinds or any(joint.pos):
        raise PlanError(f"--urdf {path}: link {body.name} moves by other joints than a revolute or prismatic one")
    length = float((joint.axis**2).sum()) ** 0.5
    axis = tuple(float(number) / length for number in joint.axis)
    return Joint(str(body.name), place, str(joint.name), (axis[0], axis[1], axis[2]), kinds[joint.type])
