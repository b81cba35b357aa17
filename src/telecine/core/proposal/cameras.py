"""Short names for cameras, out of the paths that their streams have."""

import re
from collections.abc import Sequence

PLAIN_WORDS = frozenset(
    {
        *("camera", "cameras", "cam", "image", "images", "img", "image_raw", "rgb", "color", "colour", "video"),
        *("compressed", "raw", "stream", "data", "sensor", "sensors", "observation", "observations", "robot"),
    }
)
"""Parts of a path that do not distinguish cameras."""
LONGEST_NAME = 80
"""Of a proposed camera: it becomes a folder, and a column of every table."""


def camera_names(entities: Sequence[str]) -> list[str]:
    """One name each, all different: the last distinctive part of the path, or as many parts as it takes.

    LeRobot's own names for cameras, as its logs have them, lose what the dataset's key adds again.

    >>> camera_names(["/observation.images.front", "/robot/camera/wrist"])
    ['front', 'wrist']
    """
    paths = []
    for entity in entities:
        short = [re.sub(r"^observation\.(images?\.)?(?=.)", "", part) for part in entity.split("/")]
        parts = [p for part in short if (p := re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_"))]
        paths.append([p for p in parts if p.lower() not in PLAIN_WORDS] or parts[-1:] or ["camera"])
    depth = 1
    while depth < max(map(len, paths), default=1) and len({tuple(p[-depth:]) for p in paths}) < len(paths):
        depth += 1
    names: list[str] = []
    for path in paths:
        alone = sum(p[-1] == path[-1] for p in paths) == 1
        name = (path[-1] if alone else "_".join(path[-depth:]))[:LONGEST_NAME]
        number = 1
        unique = name
        while unique in names:
            number += 1
            unique = f"{name}_{number}"
        names.append(unique)
    return names
