"""All layouts of HDF5 files, and which of them a file has, by its content."""

from typing import Any

from telecine.sources.hdf5 import agibot, minari, robots, sims
from telecine.sources.hdf5.layouts import Hdf5Layout, LayoutEpisode, once_per_file
from telecine.sources.hdf5.trees import GENERIC

LAYOUTS = (*sims.LAYOUTS, *robots.LAYOUTS, *agibot.LAYOUTS, *minari.LAYOUTS)
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
    """What the file's layout knows about the episode at `place`."""
    return _layout(file).describe(file, place, path)
