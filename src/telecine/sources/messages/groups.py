"""Which leaves of a message belong together: points, quaternions, poses, twists, and what stands alone. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telecine.sources.messages.model import Leaf

XYZ, XYZW = ("x", "y", "z"), ("x", "y", "z", "w")
QUATERNION_NAMES = ("qx", "qy", "qz", "qw")
_PAIRS: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("position", XYZ, "orientation", XYZW, (*XYZ, *QUATERNION_NAMES)),
    ("translation", XYZ, "rotation", XYZW, (*XYZ, *QUATERNION_NAMES)),
    ("linear", XYZ, "angular", XYZ, ("vx", "vy", "vz", "wx", "wy", "wz")),
    ("force", XYZ, "torque", XYZ, ("fx", "fy", "fz", "tx", "ty", "tz")),
)
"""Two structures side by side that make one vector, and its elements: poses, transforms, twists, wrenches."""
SKIPPED = ("header.", "timestamp.", "layout.")
"""Fields that go with a message as a whole."""
_SKIPPED_ENDS = ("frame_id", "covariance[]", "is_bigendian")
_STAMP_ENDS = (".sec", ".nanosec", ".nsec", ".seconds", ".nanos", ".secs", ".nsecs")


@dataclass(frozen=True, slots=True)
class LeafGroup:
    """One vector out of several leaves, one element each, or out of one array leaf.

    name: what stands behind the topic's name; "" for the whole message.
    names: of the elements; () where the leaves do not tell.
    """

    name: str
    paths: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def is_array(self) -> bool:
        """One leaf that holds several values."""
        return len(self.paths) == 1 and self.paths[0].endswith("[]")


def prefix_of(path: str) -> str:
    """The structure that a leaf lies in: "pose.position" for "pose.position.x", "" at the top."""
    return path.rpartition(".")[0]


def transform_paths(prefix: str) -> tuple[str, ...]:
    """The seven leaves of a transform below `prefix`: translation, then quaternion as x, y, z, w."""
    lead = f"{prefix}." if prefix else ""
    return (*(f"{lead}translation.{x}" for x in XYZ), *(f"{lead}rotation.{x}" for x in XYZW))


def groups(leaves: Sequence[Leaf]) -> Iterator[LeafGroup]:
    """The vectors that the numbers of a message make, each leaf in one of them, in order of definition.

    Left out: headers, stamps, times within trajectories, covariances, arrays of structures, and arrays of bytes, which
    are numbers only in MultiArrays.
    """
    multi = any(leaf.path == "layout.data_offset" for leaf in leaves)
    numbers = {leaf.path: leaf for leaf in leaves if leaf.dtype != "string" and _is_content(leaf, multi)}
    done: set[str] = set()
    for path in numbers:
        if path in done:
            continue
        group = _group_at(path, numbers)
        done.update(group.paths)
        yield group


def text_paths(leaves: Sequence[Leaf]) -> tuple[str, ...]:
    """Leaves that hold one text a message, without the names of frames."""
    return tuple(
        leaf.path
        for leaf in leaves
        if leaf.dtype == "string" and "[]" not in leaf.path and not leaf.path.endswith("frame_id")
    )


def _is_content(leaf: Leaf, multi: bool) -> bool:
    path = leaf.path
    if path.startswith(SKIPPED) or path.endswith(_SKIPPED_ENDS) or "[]" in path.removesuffix("[]"):
        return False
    is_bytes = path.endswith("[]") and leaf.dtype == "uint8" and leaf.size is None and not multi
    return not is_bytes and not (path.endswith(_STAMP_ENDS) and ("stamp" in path or "time_from_start" in path))


def _group_at(path: str, numbers: dict[str, Leaf]) -> LeafGroup:
    if path.endswith("[]"):
        return LeafGroup(path.removesuffix("[]"), (path,))
    inner = prefix_of(path)
    outer, own = prefix_of(inner), inner.rpartition(".")[2]
    for first, first_axes, second, second_axes, names in _PAIRS:
        if own in (first, second):
            lead = f"{outer}." if outer else ""
            paths = (*(f"{lead}{first}.{a}" for a in first_axes), *(f"{lead}{second}.{a}" for a in second_axes))
            if all(p in numbers for p in paths):
                return LeafGroup(outer, paths, names)
    lead = f"{inner}." if inner else ""
    beside = {p for p in numbers if prefix_of(p) == inner and not p.endswith("[]")}
    for axes in (XYZW, XYZ, ("x", "y")):
        paths = tuple(f"{lead}{a}" for a in axes)
        if beside == set(paths):
            return LeafGroup(inner, paths, QUATERNION_NAMES if axes == XYZW else axes)
    return LeafGroup(path, (path,))
