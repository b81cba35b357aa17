"""GR00T's meta/modality.json: which elements of state and action are which part of the robot. Pure.

Format: the data preparation guide of github.com/NVIDIA/Isaac-GR00T (LeRobot v2 layout plus this file). Slices are
half-open and do not overlap.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from telecine.core.episode import FeatureColumn

STATE, ACTION, IMAGES = "observation.state", "action", "observation.images."
SIDES = ("left", "right")


def modality(columns: Iterable[FeatureColumn], cameras: Iterable[str]) -> dict[str, Any]:
    """The file's content, for a dataset with these columns and these cameras' keys."""
    known = {column.key: column for column in columns}
    made: dict[str, Any] = {"state": {}, "action": {}}
    for part, key in (("state", STATE), ("action", ACTION)):
        if key in known:
            column = known[key]
            for name, start, end in parts(column.names or (), column.shape[0], part):
                made[part][name] = {"start": start, "end": end, "original_key": key}
    made["video"] = {key.removeprefix(IMAGES): {"original_key": key} for key in cameras}
    made["annotation"] = {"human.task_description": {"original_key": "task_index"}}
    return made


def parts(names: Sequence[str], width: int, whole: str) -> list[tuple[str, int, int]]:
    """(name, start, end) of the runs of elements that belong together: arms and grippers, left and right.

    Without names the whole is one part, called `whole`.

    >>> parts(["left_elbow", "left_wrist", "left_gripper", "right_elbow"], 4, "state")
    [('left_arm', 0, 2), ('left_gripper', 2, 3), ('right_arm', 3, 4)]
    """
    if len(names) != width:
        return [(whole, 0, width)]
    found: list[tuple[str, int, int]] = []
    for position, kind in enumerate(map(_kind, names)):
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1], position + 1)
        else:
            found.append((kind, position, position + 1))
    return [(_unique(n, found, i), start, end) for i, (n, start, end) in enumerate(found)]


def _kind(name: str) -> str:
    low = name.lower()
    side = next((f"{s}_" for s in SIDES if s in low), "")
    return side + ("gripper" if "gripper" in low or "finger" in low else "arm" if side else "single_arm")


def _unique(name: str, found: Sequence[tuple[str, int, int]], position: int) -> str:
    """The name, numbered from the second run of it on."""
    before = sum(other == name for other, _, _ in found[:position])
    return f"{name}_{before + 1}" if before else name
