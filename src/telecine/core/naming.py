"""Names as LeRobot's users know them, from the names that simulators and recorders give."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

_FIELD = re.compile(r"\{\w+(:0?\d{1,2}d)?\}")
CAMERA_SUFFIXES = ("_rgb", "_camera", "_cam", "_image", "_color", "_img")


def camera_name(name: str) -> str:
    """The part of a camera's name that tells it from others.

    >>> camera_name("wrist_cam"), camera_name("camera_rgb"), camera_name("agentview_image"), camera_name("cam_high")
    ('wrist', 'camera', 'agentview', 'cam_high')
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")
    for suffix in CAMERA_SUFFIXES:
        if plain.lower().endswith(suffix) and len(plain) > len(suffix):
            return plain[: -len(suffix)]
    return plain


@lru_cache(maxsize=256)
def element_names(name: str, shape: tuple[int, ...], quaternion: str = "") -> tuple[str, ...] | None:
    """One name per element of a vector: axes for positions and, in the order of `quaternion`, for rotations.

    >>> element_names("eef_pos", (3,)), element_names("eef_quat", (4,), "wxyz")
    (('eef_pos_x', 'eef_pos_y', 'eef_pos_z'), ('eef_quat_w', 'eef_quat_x', 'eef_quat_y', 'eef_quat_z'))
    >>> element_names("joint_pos", (2,)), element_names("gripper", ())
    (('joint_pos_0', 'joint_pos_1'), ('gripper',))
    """
    if len(shape) > 1:
        return None
    if not shape:
        return (name,)
    low, width = name.lower(), shape[0]
    if width == 3 and re.search(r"pos(ition)?$", low) and "joint" not in low:
        return tuple(f"{name}_{axis}" for axis in "xyz")
    if width == 4 and quaternion and re.search(r"(quat|rot|orientation)$", low):
        return tuple(f"{name}_{axis}" for axis in quaternion)
    if width == 7 and quaternion and low.endswith("pose"):
        return tuple(f"{name}_{part}" for part in (*"xyz", *(f"q{axis}" for axis in quaternion)))
    return numbered(name, width)


MOST_NAMED = 1 << 15
"""Elements of a vector that get names of their own: as many as a feature may have."""


def numbered(name: str, width: int) -> tuple[str, ...] | None:
    """A name for each of `width` elements; None for so many that they would take more memory than their numbers.

    >>> numbered("joint", 2)
    ('joint_0', 'joint_1')
    """
    return tuple(f"{name}_{i}" for i in range(width)) if width <= MOST_NAMED else None


GENERAL_WORDS = frozenset(
    {
        *("data", "value", "values", "scalars", "position", "positions", "observation", "obs", "state", "states"),
        *("joint_states", "joint_state", "joints", "command", "commands", "action", "actions"),
    }
)
"""Parts of a stream's name that do not distinguish one part of a robot from another."""


def joined_names(
    streams: Sequence[str], known: Sequence[tuple[str, ...] | None], elements: Sequence[Sequence[int]]
) -> Iterator[tuple[str, ...]]:
    """Names for the elements of several vectors side by side, for each of them.

    streams: their names; known: the names of their elements, None where the stream has none; elements: which elements
    of the stream are meant.

    >>> streams = ["/left/joints", "/right/joints", "/left/gripper:data"]
    >>> list(joined_names(streams, [("j1",), ("j1",), None], [[0], [0], [0]]))
    [('left_j1',), ('right_j1',), ('left_gripper',)]
    """
    count = Counter(name for names in known for name in dict.fromkeys(names or ()))
    shared = [bool(names) and any(count[name] > 1 for name in names or ()) for names in known]
    paths = [_path_words(stream) for stream in streams]
    common = [set(path) for path, one in zip(paths, shared, strict=True) if one]
    everywhere = set.intersection(*common) if common else set()
    for path, names, one, which in zip(paths, known, shared, elements, strict=True):
        if names is not None:
            lead = "_".join(word for word in path if word not in everywhere and word not in names) if one else ""
            yield tuple(name if not lead or name.startswith(f"{lead}_") else f"{lead}_{name}" for name in names)
            continue
        label = "_".join([word for word in path if word.lower() not in GENERAL_WORDS] or path[-1:])
        yield (label,) if list(which) == [0] else tuple(f"{label}_{i}" for i in which)


def _path_words(stream: str) -> list[str]:
    """The parts of a stream's name, each fit for a name."""
    parts = re.split(r"[/:.()]|->", stream)
    return [word for part in parts if (word := re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_"))]


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key by which `take_9` comes before `take_10`; names that differ only in case keep one order.

    >>> sorted(["joint_10", "joint_9", "Base"], key=natural)
    ['Base', 'joint_9', 'joint_10']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p], name


def file_below(template: str, **fields: int | str) -> str:
    """The relative path that a dataset's template for its files gives, as long as it stays in the dataset's folder.

    >>> file_below("data/chunk-{chunk:03d}/file-{file:03d}.parquet", chunk=0, file=12)
    'data/chunk-000/file-012.parquet'

    Raises: ValueError for a path that leads elsewhere, and for a template that asks `str.format` for more than fields
        (it would fill the memory with zeros, or read attributes, for whoever wrote the file that it is from).
    """
    if set("{}") & set(_FIELD.sub("", template)):
        raise ValueError(f"{template[:100]!r} is no template for names of files")
    try:
        path = template.format(**fields)
    except (KeyError, IndexError) as error:
        raise ValueError(f"{template[:100]!r} has a field that is not known: {error}") from error
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        raise ValueError(f"{path[:100]!r} leads out of the dataset's folder")
    return path


def words(name: str) -> frozenset[str]:
    """The words in a stream's name, lower case; the parts of joined_words and camelCase and the whole.

    >>> sorted(words("/arm_1/jointState:Scalars:scalars"))
    ['1', 'arm', 'arm_1', 'joint', 'jointstate', 'scalars', 'state']
    """
    found: set[str] = set()
    for part in re.findall(r"\w+", name):
        found.add(part.lower())
        found |= {p.lower() for p in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\da-zA-Z_]+", part)}
    return frozenset(found)
