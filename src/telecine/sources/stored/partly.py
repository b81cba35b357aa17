"""Formats of which some files tell the episodes: those are copied at once, the rest one by one when they are read.

Of a conversion all is copied, since the digest of a recording takes every byte of it.
"""

import re
from collections.abc import Callable

_ZARR = re.compile(r"(?:.*/)?(?:zarr\.json|\.zarray|\.zgroup|\.zmetadata|\.zattrs|meta/episode_ends/.*)")


def _no(_: str) -> bool:
    return False


def at_once(form: str, *, is_file: bool, is_index: bool) -> Callable[[str], bool] | None:
    """Which files, by key, are copied before a format looks at a file or folder of its own; None for all.

    is_index: its episodes are asked for, not what one of them holds.
    """
    if form == "zarr" and is_file:
        return _no if is_index else None  # a zip file, whose members are read by ranges
    match form, is_file:
        case "zarr", False:
            return lambda key: _ZARR.fullmatch(key) is not None
        case "lerobot", False:
            return lambda key: not key.endswith(".mp4")
        case "rlds", False:
            return lambda key: key.endswith(".json")
    return None
