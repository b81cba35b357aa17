"""What the numbers of robot messages are to a policy: commanded, measured, or neither. By topic, field and content.

Rules are words that the software stacks of robots use; `docs/messages.md` lists the stacks, and each is a test. What no
rule knows has no role: it is offered, not taken.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from telecine.core.naming import words
from telecine.core.recording_summary import StreamSummary

Kind = Literal["joints", "pose", "twist", "transform", "plain"]
Part = tuple[str, str]
"""(side, group): ("left", "gripper"), ("", "arm")."""
_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
_TWIST = ("vx", "vy", "vz", "wx", "wy", "wz")
_LEADER = frozenset({"leader", "master", "gello", "leaders", "masters", "exo", "airexo", "exoskeleton"})
_FOLLOWER = frozenset({"follower", "puppet", "slave", "followers", "puppets"})
_COMMAND = frozenset(
    {
        *("command", "commands", "commanded", "cmd", "cmds", "ctrl", "target", "targets", "goal", "setpoint"),
        *("lowcmd", "equilibrium", "jog", "rpr", "close"),
    }
)
_INPUT = frozenset({"trajectory", "traj", "reference", "desired", "in", "sdk", "vc"})
_DEVICE = frozenset({"q2r", "quest", "oculus", "vive", "vr", "spacenav", "spacemouse", "haptic"})
_TWIST_DEVICES = frozenset({"spacenav", "spacemouse"})
"""Devices that have no pose; of others the twist follows from the pose."""
_DESIRED = frozenset({"reference", "desired", "commanded", "target", "goal", "set_point", "setpoint"})
_MEASURED = frozenset({"feedback", "actual", "measured", "process_value"})
_END_EFFECTOR = frozenset(
    {
        *("end", "ee", "eef", "tcp", "tool", "tool0", "endpoint", "effector", "gripper", "hand", "flange", "cartesian"),
        *("puppet", "follower", "o_t_ee", "current", "measured", "ur", "wrist"),
    }
)
_CONTROLS = re.compile(r"(^|/)control_[^/]*$")
_BASE_FRAME = frozenset({"base", "world", "link0"})
_NOT_ROBOT = frozenset(
    {
        *("battery", "bms", "diagnostics", "diagnostic", "temperature", "statistics", "rosout", "clock", "heartbeat"),
        *("imu", "scan", "gps", "fix", "wrench", "wrenches", "ft", "ftsensor", "force", "forces", "torque", "torques"),
        *("magnetic", "pressure", "humidity", "safety", "fault", "faults", "voltage", "currents", "status", "scaling"),
        *("object", "objects", "marker", "markers", "tag", "tags", "detection", "detections", "camera", "cam"),
        *("limit", "limits"),
    }
)
"""Words of topics that are not what a robot does or where it is."""
_NOT_POSITION = frozenset(
    {
        *("error", "errors", "output", "effort", "efforts", "torque", "torques", "tau", "force", "current", "voltage"),
        *("acceleration", "accelerations", "ddq", "temperature", "temp", "kp", "kd", "stiffness", "damping", "gain"),
        *("mode", "status", "level", "id", "identifier", "seq", "crc", "covariance", "max", "min", "offset", "weight"),
    }
)
_VELOCITY = frozenset({"velocity", "velocities", "dq", "vel", "twist", "speed", "speeds", "qvel", "displacements"})
_POSITION = frozenset(
    {
        *("position", "positions", "q", "qpos", "pos", "angle", "angles", "cmd", "command", "values", "gpo", "rpr"),
        *("joint_q", "joints", "width", "set_point", "setpoint", "process_value"),
    }
)
_STRUCTURES = frozenset({"action", "actions", "state", "observation", "obs"}) | _LEADER | _FOLLOWER
_ONE_JOINT = re.compile(r"(joint|axis|motor|j|q)_?\d+", re.IGNORECASE)
_JOINTS = frozenset({"joint", "joints", "position", "positions", "observation", "observations", "obs", "proprio"})
"""Words of topics whose numbers are those of joints."""
_JOINT_VECTORS = frozenset({"qpos", "qvel", "joint_q"})
_GROUPS: Mapping[str, frozenset[str]] = {
    "gripper": frozenset({"gripper", "grippers", "grip", "finger", "robotiq", "gripper_client", "claw"}),
    "hand": frozenset({"hand", "hands", "dex3", "dexhand", "allegro", "allegrohand"}),
    "base": frozenset({"cmd_vel", "odom", "odometry", "chassis", "base_controller", "mobile"}),
    "torso": frozenset({"torso", "lift"}),
    "head": frozenset({"head", "neck"}),
}


@dataclass(frozen=True, slots=True)
class Role:
    """What one stream is to a policy.

    rank: 0 is the surest; of one part of the robot the surest streams of one kind are taken. why: for people.
    """

    stream: StreamSummary
    key: Literal["action", "observation.state"]
    part: Part
    kind: Kind
    rank: float
    why: str


@dataclass(frozen=True, slots=True)
class _Named:
    """A stream's topic and field, and the words in both."""

    topic: str
    field: str
    of_topic: frozenset[str]
    of_field: frozenset[str]


def role_of(stream: StreamSummary) -> Role | str:
    """The role of a vector of messages, or why it has none."""
    topic, field = _split(stream.name)
    named = _Named(topic, field, words(topic) | _parts(topic), words(field))
    of_topic, of_field = named.of_topic, words(_telling(stream.name))
    if "->" in field:
        return _transform(stream, field)
    if refused := (of_topic & _NOT_ROBOT if not of_topic & _COMMAND else None) or of_field & _NOT_POSITION:
        return f"{', '.join(sorted(refused))}: neither commanded nor measured positions of the robot"
    kind = _kind(stream, of_topic, of_field)
    group = _group(of_topic | (of_field & {"gripper"} if kind == "plain" else frozenset()))
    part = (_side(of_topic | of_field), "gripper" if kind == "plain" and "ee" in of_topic else group)
    if kind is None:
        return "no rule knows what it is to a policy"
    if stream.dtype == "bool" and part[1] != "gripper":
        return "truth values that are no gripper"
    if (commanded := _commanded(named, kind)) is not None:
        return Role(stream, "action", part, kind, *commanded)
    measured = _measured(named, kind, part)
    if measured is None:
        return "no rule knows what it is to a policy"
    return Role(stream, "observation.state", part, kind, *measured)


def _split(name: str) -> tuple[str, str]:
    """(topic, field) of a stream; a structure of the message that is called `action` or `state` is part of the topic.

    So one topic for everything (`/robot` with `{"state": {"q": ...}, "action": ...}`) is as good as two.
    """
    topic, _, field = name.partition(":")
    field = re.sub(r"\(.*\)$", "", field)
    head, _, rest = field.partition(".")
    is_part = head.lower() in _STRUCTURES and head.lower() not in words(topic)
    return (f"{topic}/{head}", rest or "data") if is_part else (topic, field)


def _telling(name: str) -> str:
    """What says what a stream's numbers are: the field, of messages that are `data` only the last part of the topic."""
    topic, field = _split(name)
    return topic.rpartition("/")[2] if field in ("", "data") else field


def _parts(topic: str) -> frozenset[str]:
    """Its parts as they are written: `q2r` is no q, 2 and r."""
    return frozenset(re.split(r"[^a-z0-9]+", topic.lower()))


def _kind(stream: StreamSummary, of_topic: frozenset[str], of_field: frozenset[str]) -> Kind | None:
    if stream.names and (stream.names == _POSE or all(name.partition(".")[2] in _POSE for name in stream.names)):
        return "pose"
    if stream.names == _TWIST:
        return "twist"
    topic, field = _split(stream.name)
    if field in ("", "data"):
        several = stream.dtype.startswith("float") and stream.shape[0] > 1 and "ee" not in of_topic
        state = several and of_topic & {"state", "states"} and _group(of_topic) == "arm"
        return "joints" if of_topic & _JOINTS or of_field & _JOINT_VECTORS or state else "plain"
    if of_field & _POSITION or of_field & _VELOCITY or _ONE_JOINT.fullmatch(field):
        return "joints"
    return "plain" if field == "gripper" and topic.rpartition("/")[2].lower() in _STRUCTURES else None


def _commanded(named: _Named, kind: Kind) -> tuple[float, str] | None:
    """(rank, why) of a command; the field of a message counts more than its topic."""
    of_topic, of_field = named.of_topic, named.of_field
    if re.search(r"(^|\.)(first|last)\.", named.field):
        return 4, "a trajectory that is to be followed"
    if found := of_field & _DESIRED or frozenset({named.field} & {"q_d"}):
        return 3 - _of_joints(of_field), f"the field {min(found)}"
    if of_field & _MEASURED:
        return None
    if found := of_topic & {"action", "actions"}:
        return 0, f"{min(found)!r} in the topic"
    if "delta" in of_topic:
        return (1.4 if kind == "twist" else 1.5), "'delta' in the topic: an input of MoveIt Servo"
    if (found := of_topic & _LEADER) and not of_topic & _COMMAND:
        return 1, f"{min(found)!r} in the topic: a leader that the operator moves"
    if found := of_topic & _COMMAND or of_field & {"rpr"}:
        return 2, f"{min(found)!r} in the topic"
    if of_topic & _FOLLOWER:
        return None
    if found := of_field & {"command", "cmd"}:
        return 3.5, f"the field {min(found)}"
    if _CONTROLS.search(named.topic) and not of_topic & {"state", "states"}:
        return 3, "'control' in the topic"
    if found := of_topic & _INPUT:
        return 4, f"{min(found)!r} in the topic"
    if (found := of_topic & _DEVICE) and (kind != "twist" or found & _TWIST_DEVICES):
        return 5, f"{min(found)!r} in the topic: a device of the operator"
    return None


def _of_joints(of_field: frozenset[str]) -> float:
    """How much surer a field is that names joints rather than something else that a message has beside them."""
    return 0.0 if "motor" in of_field else 0.1 * ("joint" in of_field)


def _measured(named: _Named, kind: Kind, part: Part) -> tuple[float, str] | None:
    """(rank, why) of a measurement."""
    of_topic, of_field = named.of_topic, named.of_field
    if part[1] == "base" and of_topic & {"odom", "odometry"}:
        return (2, "odometry of the base") if kind == "twist" else None
    if kind == "twist":
        return None
    if kind == "pose":
        found = (of_topic | of_field) & _END_EFFECTOR
        return (3, f"a pose with {min(found)!r} in its name") if found else None
    if kind == "plain":
        return (3, "a gripper") if part[1] == "gripper" else None
    if found := of_field & _MEASURED:
        return 2.5 - _of_joints(of_field), f"the field {min(found)}"
    if found := of_topic & _FOLLOWER:
        return 1, f"{min(found)!r} in the topic"
    if "dynamic" in of_topic:
        return 5, "positions and more, by name of joint and interface"
    if named.topic.rpartition("/")[2].startswith("joint_state"):
        return 2, "joint states"
    return 3, "positions that no word calls commanded"


def _transform(stream: StreamSummary, field: str) -> Role | str:
    """A transform from the base of the robot to its tool is an end-effector pose; all others are not the robot."""
    parent, _, child = field.partition("->")
    if (words(parent) | _parts(parent)) & _BASE_FRAME and words(child) & _END_EFFECTOR:
        return Role(stream, "observation.state", (_side(words(child)), "arm"), "transform", 6, "from base to tool")
    return "a transform that is not from the robot's base to its tool"


def _side(found: frozenset[str]) -> str:
    return "left" if found & {"left", "l"} else "right" if found & {"right", "r"} else ""


def _group(found: frozenset[str]) -> str:
    return next((group for group, known in _GROUPS.items() if found & known), "arm")


def surest(roles: Sequence[Role]) -> tuple[list[Role], dict[str, str]]:
    """(roles to take, stream -> why another was taken instead): for each part of the robot the surest of one kind.

    Velocities are taken only where the same topic has no positions, the last point of a trajectory without a first one.
    """
    chosen: list[Role] = []
    reasons: dict[str, str] = {}
    for part in dict.fromkeys(role.part for role in roles):
        mine = [role for role in roles if role.part == part]
        best = min(mine, key=_order)
        for role in mine:
            if _order(role) == _order(best):
                chosen.append(role)
            else:
                reasons[role.stream.name] = f"{best.stream.name} is surer: {best.why}"
    return chosen, reasons


_KINDS: tuple[Kind, ...] = ("joints", "pose", "twist", "plain", "transform")


def _order(role: Role) -> tuple[float, bool, int, bool]:
    return role.rank, _is_velocity(role), _KINDS.index(role.kind), "last." in role.stream.name.partition(":")[2]


def _is_velocity(role: Role) -> bool:
    return bool(words(_telling(role.stream.name)) & _VELOCITY)
