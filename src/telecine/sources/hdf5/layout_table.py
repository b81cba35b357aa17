"""All layouts of HDF5 files, and which of them a file has, by its content."""

import re
from typing import Any

from telecine.core.naming import natural
from telecine.sources.hdf5 import robots, sims
from telecine.sources.hdf5.layouts import Hdf5Layout, LayoutEpisode, once_per_file

LAYOUTS = (*sims.LAYOUTS, *robots.LAYOUTS)
"""All but the last resort."""


def names_of(file: Any) -> list[str]:
    """Names of all layouts that claim an open file; one, or none for an unknown tree."""
    return [layout.name for layout in LAYOUTS if layout.test(file)]


@once_per_file
def _layout(file: Any) -> Hdf5Layout:
    return next((layout for layout in LAYOUTS if layout.test(file)), GENERIC)


def episodes_of(file: Any) -> list[str]:
    """Places of the episodes in the file, in order; "" for a file that is one."""
    return _layout(file).episodes(file)


def episode_of(file: Any, place: str, path: str) -> LayoutEpisode:
    """What the file's layout says about the episode at `place`."""
    return _layout(file).describe(file, place, path)


def _numbered(file: Any) -> list[str]:
    """Groups that differ only in a number, at the top or below a single group; else the file is one episode."""
    group = file
    while len(group) == 1 and hasattr(only := group[next(iter(group))], "keys"):
        if re.search(r"\d+$", only.name):
            break
        group = only
    names = sorted(group, key=natural)
    stems = {re.sub(r"\d+$", "", name) for name in names}
    alike = len(stems) == 1 and all(re.search(r"\d$", n) and hasattr(group[n], "keys") for n in names)
    return [group[n].name for n in names] if names and alike else [""]


GENERIC = Hdf5Layout("generic", lambda _: True, _numbered, lambda *_: LayoutEpisode("generic"))
"""Any other tree: nothing is known but what the arrays are; the plan says what is what."""
