"""How the cameras of a recording see: their camera_info, and where static transforms say they stand.

Fields as in sensor_msgs/CameraInfo and foxglove.CameraCalibration; a topic of calibrations goes with the images of its
namespace (`/wrist/camera_info` with `/wrist/image_raw/compressed`), as image_transport has them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from telecine.core.recording import Array, CameraCalibration
from telecine.sources.messages.cameras import is_camera
from telecine.sources.messages.model import Topic
from telecine.sources.messages.transforms import layout_of

TYPES = ("CameraInfo", "CameraCalibration")
FORMS = frozenset({"compressed", "compresseddepth", "theora", "ffmpeg", "h264", "raw"})
"""Last parts of topics that image_transport adds to that of the images."""
_BASES = frozenset({"base_link", "base", "base_footprint", "link0", "world"})
MOST_NUMBERS = 64
Frames = Mapping[str, tuple[str, Array]]
"""Child frame -> (parent frame, (4, 4) pose of the child in the parent)."""


def calibrations_of(topics: Sequence[Topic]) -> dict[str, CameraCalibration]:
    """Camera's stream -> its calibration, of the first message where it changes. Raises: SourceError."""
    known = [topic for topic in topics if topic.count and not topic.unreadable]
    frames = _static_frames(known)
    found: dict[str, CameraCalibration] = {}
    for topic in known:
        if topic.type.endswith(TYPES) and (calibration := _calibration(topic, frames)) is not None:
            namespace = topic.name.rpartition("/")[0]
            cameras = [t.name for t in known if is_camera(t) and _namespace(t.name) == namespace]
            found |= dict.fromkeys(cameras, calibration)
    return found


def _namespace(images: str) -> str:
    parts = images.split("/")
    while len(parts) > 1 and parts[-1].lower() in FORMS:
        parts.pop()
    return "/".join(parts[:-1])


def _calibration(topic: Topic, frames: Frames) -> CameraCalibration | None:
    """Of the first message; None when it cannot be read."""
    wanted = ("width", "height", "k[]", "d[]", "distortion_model", "header.frame_id", "frame_id")
    paths = {leaf.path.lower(): leaf.path for leaf in topic.leaves if leaf.path.lower() in wanted}
    seen = topic.read(list(paths.values()), np.zeros(1, np.int64))
    if not len(seen.rows) or not {"width", "height", "k[]"} <= paths.keys():
        return None

    def numbers(path: str) -> tuple[float, ...]:
        values = seen.columns[paths[path]].values[:MOST_NUMBERS] if path in paths else ()
        return tuple(float(x) for x in values) if np.all(np.isfinite(values)) else ()

    def text(*options: str) -> str | None:
        return next((seen.columns[paths[path]].strings()[0] for path in options if path in paths), None)

    matrix = numbers("k[]")
    extrinsics, frame = _pose(text("header.frame_id", "frame_id") or "", frames)
    return CameraCalibration(
        int(numbers("width")[0]),
        int(numbers("height")[0]),
        matrix if len(matrix) == 9 and any(matrix) else None,
        text("distortion_model") or None,
        numbers("d[]"),
        extrinsics,
        frame,
    )


def _static_frames(topics: Sequence[Topic]) -> dict[str, tuple[str, Array]]:
    """The transforms that do not change, the last sent of each."""
    found = {}
    for topic in topics:
        layout = layout_of(topic)
        if layout is None or not (topic.latched or topic.name.rpartition("/")[2] == "tf_static"):
            continue
        columns = topic.read(layout.paths).columns
        numbers = np.stack([columns[path].values for path in layout.numbers], axis=1).astype(np.float64)
        parents, children = columns[layout.parent].strings(), columns[layout.child].strings()
        for parent, child, values in zip(parents, children, numbers, strict=True):
            found[child.lstrip("/")] = (parent.lstrip("/"), _matrix(values))
    return found


def _pose(camera: str, frames: Frames) -> tuple[tuple[float, ...] | None, str | None]:
    """The camera's pose in the robot's base, or in the frame that the static transforms end at; None without any."""
    pose, frame = np.eye(4), camera.lstrip("/")
    visited: set[str] = set()
    while frame in frames and frame not in _BASES and frame not in visited:
        visited.add(frame)
        frame, step = frames[frame]
        pose = step @ pose
    return (tuple(pose.reshape(-1).tolist()), frame) if visited and np.isfinite(pose).all() else (None, None)


def _matrix(values: Array) -> Array:
    """(4, 4) out of x, y, z and a quaternion qx, qy, qz, qw, made unit length; the identity for one of length zero."""
    x, y, z, w = values[3:] / (np.linalg.norm(values[3:]) or 1.0)
    pose = np.eye(4)
    pose[:3, 3] = values[:3]
    if np.any(values[3:]):
        pose[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    return pose
