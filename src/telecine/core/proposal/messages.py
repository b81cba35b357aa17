"""Which numbers of messages are worth proposing: messages carry much that a policy neither sees nor does."""

import re
from collections.abc import Sequence

from telecine.core.recording_summary import StreamSummary

_SECONDARY = frozenset(
    {"velocity", "velocities", "effort", "efforts", "acceleration", "accelerations", "error", "output"}
)
"""Fields that come with positions and are left out where those are there."""
_POSITION = frozenset({"position", "positions"})
_TRANSFORM = "->"


def worthwhile(streams: Sequence[StreamSummary]) -> tuple[list[StreamSummary], list[str]]:
    """(streams, guesses): of joints their positions, of trajectories the first point, no transforms beside joints.

    Transforms of a robot follow from its joints and are many, so they are proposed only where there is nothing else.
    """
    guesses: list[str] = []
    positioned = {_owner(s.name) for s in streams if _field(s.name) in _POSITION and ":" in s.name}
    remaining = [s for s in streams if not (_field(s.name) in _SECONDARY and _owner(s.name) in positioned)]
    if len(remaining) < len(streams):
        lost = ", ".join(sorted({_field(s.name) for s in streams if s not in remaining}))
        guesses.append(f"of joints their positions are taken; there are also {lost}")
    firsts = {_owner(s.name) for s in remaining if ":first." in s.name}
    without_last = [s for s in remaining if not (":last." in s.name and _owner(s.name) in firsts)]
    if len(without_last) < len(remaining):
        guesses.append("of trajectories the first point is taken; the last is there as well, as `last.positions`")
    plain = [s for s in without_last if _TRANSFORM not in s.name]
    if plain and len(plain) < len(without_last):
        guesses.append(f"{len(without_last) - len(plain)} transforms are left out, since there are other numbers")
    return plain or without_last, guesses


def _field(name: str) -> str:
    """The last word after the topic, without the name that distinguishes sets of joints."""
    return re.sub(r"\(.*\)$", "", name).rpartition(":")[2].rpartition(".")[2]


def _owner(name: str) -> str:
    """The topic, which fields of one message share."""
    return name.partition(":")[0]
