"""What AgiBot World of 2026 adds to the `info.json` of a LeRobot dataset: names of numbers, segments with texts.

`features.KEY.field_descriptions` has the elements of each part of a vector, `instruction_segments` the segments of each
episode, some of them on tracks for one arm. Seen in the converters of others; the data card shows the same keys.
"""

from collections.abc import Mapping
from typing import Any

from telecine.core.label import Label
from telecine.sources.shared.segments import Notes, segment_labels

_SEGMENT = ("start_frame_index", "end_frame_index", "instruction")
_WHOLE_ROBOT = "default"
_KINDS = ("state", "action")


def instructions_of(info: Mapping[str, Any], episode: int, length: int) -> tuple[tuple[Label, ...], Notes]:
    """(subtasks of rows, notes on segments that do not fit)."""
    every = info.get("instruction_segments")
    found = every.get(str(episode)) if isinstance(every, Mapping) else None
    segments = [s for s in found if isinstance(s, Mapping)] if isinstance(found, list) else []
    whole = [s for s in segments if s.get("track", _WHOLE_ROBOT) == _WHOLE_ROBOT]
    return segment_labels(whole or segments, length, _SEGMENT)


def described_names(info: Mapping[str, Any], key: str, width: int) -> tuple[str, ...] | None:
    """Names of the elements of a vector, where every one is described once.

    >>> fields = {"state/waist/position": {"indices": [1, 2]}, "state/left_effector/position": {"indices": [0]}}
    >>> described_names({"features": {"observation.state": {"field_descriptions": fields}}}, "observation.state", 3)
    ('left_effector_position', 'waist_position_0', 'waist_position_1')
    """
    fields = info["features"][key].get("field_descriptions")
    names: dict[int, str] = {}
    for path, about in fields.items() if isinstance(fields, Mapping) else ():
        indices = about.get("indices") if isinstance(about, Mapping) else None
        places = indices if isinstance(indices, list) else []
        parts = str(path).split("/")
        label = "_".join(parts[1:] if parts[0] in _KINDS and len(parts) > 1 else parts)
        for number, place in enumerate(places):
            if not isinstance(place, int) or place in names:
                return None
            names[place] = label if len(places) == 1 else f"{label}_{number}"
    ordered = tuple(names[place] for place in sorted(names))
    is_each_described = len(names) == width and sorted(names) == list(range(len(names)))
    return ordered if is_each_described and len(set(ordered)) == width else None
