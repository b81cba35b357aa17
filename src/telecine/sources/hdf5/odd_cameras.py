"""Arrays of frames that are no camera as they are, with the reason and how to get them.

Isaac Lab's image term normalises colours unless it is told not to, simulators store segmentation and depth beside
colour, and nothing in an array says which distance a number of depth is.
"""

from typing import Any

from telecine.core.naming import words
from telecine.core.recording import LeftOut
from telecine.sources.hdf5.layouts import attribute

SMALLEST_PX = 16
_CLASSES = frozenset({"segmentation", "seg", "semantic", "instance", "labels", "masks", "actorseg"})
_DEPTH = frozenset({"depth", "distance", "disparity"})
_UNITS = {
    "mm": "mm", "millimeter": "mm", "millimeters": "mm", "millimetre": "mm", "millimetres": "mm",
    "m": "m", "meter": "m", "meters": "m", "metre": "m", "metres": "m",
}  # fmt: skip


def is_classes(name: str) -> bool:
    """True for the name of an array whose pixels are numbers, or colours, of classes.

    >>> is_classes("table_segmentation"), is_classes("semantic_segmentation_rgb"), is_classes("front_rgb")
    (True, True, False)
    """
    return bool(words(name) & _CLASSES)


def unit_of(array: Any) -> str | None:
    """The unit of depth, "mm" or "m", as an attribute of the array says it."""
    return next((u for name in ("unit", "units") if (u := _UNITS.get(attribute(array.attrs, name).lower()))), None)


def depth_camera(name: str, unit: str) -> LeftOut:
    """Why depth in a known unit is not proposed as a camera, and what to do."""
    why = f"depth in {unit}: policies for colour fail on it"
    return LeftOut(name, "offered", why, f"--video NAME:{name} stores it as 12-bit depth", training=True)


def odd_camera(path: str, array: Any, unit: str | None) -> LeftOut | None:
    """Why an array of frames is not proposed as a camera, and what to do; None for all others.

    unit: of depth, where it is known.
    """
    size, channels = _frame(array)
    if not channels or min(size) < SMALLEST_PX:
        return None
    name, kind = f"/{path}", array.dtype.kind
    flag = f"--video NAME:{name}"
    if is_classes(path):
        why = "segmentation: its pixels are classes, which a policy for colours does not expect"
        fix = f"{flag} takes it where it is stored as colours (Isaac Lab: colorize_semantic_segmentation=True)"
    elif kind == "f" and channels > 2:
        why = "frames as floats, normalised when they were recorded: their colours cannot be had back"
        fix = "record again with normalize=False in the params of Isaac Lab's image term"
    elif unit is not None:
        return depth_camera(name, unit)
    elif channels == 1 and (kind == "f" or array.dtype.itemsize > 1):
        said = "depth" if words(path) & _DEPTH else "depth or classes"
        why = f"{said} without a unit: nothing says which distance its numbers are"
        fix = f'if it is metres, h5py.File(FILE, "a")[...{name}].attrs["unit"] = "m" says so ("mm" for millimetres)'
    else:
        return None
    return LeftOut(name, "offered", why, fix, training=True)


def _frame(array: Any) -> tuple[tuple[int, int], int]:
    """((height, width), channels) of what looks like rows of frames; 0 channels for what does not."""
    shape = tuple(int(n) for n in array.shape[1:])
    if array.dtype.kind not in "fiu" or len(shape) not in (2, 3):
        return (0, 0), 0
    if len(shape) == 2:
        return (shape[0], shape[1]), 1
    return (shape[0], shape[1]), shape[2] if shape[2] in (1, 2, 3, 4) else 0
