"""Which numbers of messages are the action and the state: messages carry much that a policy neither sees nor does."""

from collections.abc import Sequence
from dataclasses import replace

from telecine.core.proposal.notes import Notes
from telecine.core.proposal.roles import Role, role_of, surest
from telecine.core.recording_summary import StreamSummary
from telecine.core.text.numbers import counted_of

FORMATS = frozenset({"mcap", "rosbag", "rosbag2"})
RARE = 10
"""A set of joints with less than one of so many messages of its topic is no feature: its values would stand still."""
ANSWERS = 10
"""How much surer than other measurements those are that stand beside the command in its message."""
_JOINT_STATES = "/joint_states"
_SLOW = "lf/"
Streams = list[StreamSummary]


def message_vectors(streams: Sequence[StreamSummary], notes: Notes) -> tuple[Streams, Streams]:
    """(action, state), sorted, grippers last. Says why each was chosen, and why others were not."""
    roles: list[Role] = []
    for stream in _frequent(_at_full_rate(streams, notes), notes):
        role = role_of(stream)
        if isinstance(role, str):
            notes.leave_out([stream], role)
        else:
            roles.append(role)
    action = _take("action", roles, notes)
    owners = {_owner(role) for role in action}
    roles = [replace(role, rank=role.rank - ANSWERS) if _is_answer(role, owners) else role for role in roles]
    state = _take("observation.state", roles, notes)
    state = _once(state, notes)
    if not action:
        notes.guesses.append("no stream looks like an action, which policies are trained on: name it with --action")
    if not state and any("->" in s.name for s in streams):
        text = "no joints, poses or grippers were measured, and no transform leads from the robot's base to its tool"
        notes.guesses.append(f"observation.state: {text}; name one with --state")
    for key, chosen in (("action", action), ("observation.state", state)):
        if chosen:
            listed = "; ".join(f"{role.stream.name} ({role.why})" for role in chosen)
            notes.guesses.append(f"{key}: {'side by side, in this order: ' if len(chosen) > 1 else ''}{listed}")
    return [role.stream for role in action], [role.stream for role in state]


def _at_full_rate(streams: Sequence[StreamSummary], notes: Notes) -> list[StreamSummary]:
    """Without the topics below `lf/` that are there at full rate, too: robots of Unitree publish both."""
    known = {stream.name.lstrip("/") for stream in streams}
    slow = [s for s in streams if s.name.lstrip("/").startswith(_SLOW) and s.name.lstrip("/")[len(_SLOW) :] in known]
    notes.leave_out(slow, f"the same as the topic without {_SLOW}, at a lower rate")
    return [s for s in streams if s not in slow]


def _frequent(streams: Sequence[StreamSummary], notes: Notes) -> list[StreamSummary]:
    """Without the sets of joints that few messages of their topic have."""
    most: dict[str, int] = {}
    for stream in streams:
        most[stream.entity] = max(most.get(stream.entity, 0), stream.most_samples)
    rare = [s for s in streams if RARE * s.most_samples < most[s.entity] and "->" not in s.name]
    for stream in rare:
        notes.leave_out(
            [stream], f"only {counted_of(stream.most_samples, most[stream.entity], 'message', 'has', 'have')} it"
        )
    return [s for s in streams if s not in rare]


def _take(key: str, roles: Sequence[Role], notes: Notes) -> list[Role]:
    chosen, reasons = surest([role for role in roles if role.key == key])
    for role in roles:
        if role.stream.name in reasons:
            notes.leave_out([role.stream], reasons[role.stream.name])
    return sorted(chosen, key=lambda role: (role.part[1] in ("gripper", "hand"), role.stream.name))


def _owner(role: Role) -> str:
    """The topic, which fields of one message share."""
    return role.stream.entity


def _is_answer(role: Role, owners: set[str]) -> bool:
    """A measurement in the same message as the command that is taken: controllers publish both."""
    return role.key == "observation.state" and _owner(role) in owners


def _once(state: Sequence[Role], notes: Notes) -> list[Role]:
    """Without joints that stand in `joint_states` of their namespace, and without poses of arms with joints."""
    arms = {role.part[0] for role in state if role.kind == "joints" and role.part[1] == "arm"}
    poses = [role for role in state if role.kind in ("pose", "transform") and arms & {"", role.part[0]}]
    notes.leave_out([role.stream for role in poses], "it follows from the joints, which are in the state")
    remaining = [role for role in state if role not in poses]
    for role in sorted(remaining, key=lambda role: -role.rank):
        others = [r for r in remaining if r is not role and (_collects(r, role) or _collects(role, r))]
        known = {name for r in others for name in r.stream.names or ()}
        if role.stream.names and known.issuperset(role.stream.names):
            remaining.remove(role)
            notes.leave_out([role.stream], f"the same joints as in {', '.join(r.stream.name for r in others)}")
    return remaining


def _collects(role: Role, other: Role) -> bool:
    """True for the joint states of a namespace, which joint_state_publisher puts together, and a topic below it."""
    owner = _owner(role)
    return owner.endswith(_JOINT_STATES) and _owner(other).startswith(owner.removesuffix(_JOINT_STATES) + "/")
