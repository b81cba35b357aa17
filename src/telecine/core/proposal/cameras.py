"""Which streams are the cameras of a proposal, and short names for them, out of the paths that their streams have."""

import re
from collections.abc import Sequence

from telecine.core.proposal.notes import Notes
from telecine.core.recording_summary import StreamSummary

PLAIN_WORDS = frozenset(
    {
        *("camera", "cameras", "cam", "image", "images", "img", "image_raw", "rgb", "color", "colour", "video"),
        *("image_rect", "image_color", "image_mono", "image_rect_color", "image_rect_raw", "image_transport", "h264"),
        *(
            "compressed",
            "theora",
            "ffmpeg",
            "raw",
            "stream",
            "data",
            "sensor",
            "sensors",
            "observation",
            "observations",
            "robot",
        ),
    }
)
"""Parts of a path that do not distinguish cameras."""
LONGEST_NAME = 80
"""Of a proposed camera: it becomes a folder, and a column of every table."""


TRANSPORTS = ("compressed", "theora", "ffmpeg", "h264", "h265", "raw", "compresseddepth", "zstd", "foxglove")
"""Last parts of a topic by which image_transport publishes one camera in several forms."""


def physical_cameras(streams: Sequence[StreamSummary], notes: Notes) -> list[StreamSummary]:
    """One stream for each camera: of those with the most frames raw images, then video, then compressed images."""
    cameras: dict[str, list[StreamSummary]] = {}
    entities = [stream.entity for stream in streams]
    for stream in streams:
        alone = entities.count(stream.entity) == 1
        cameras.setdefault(_topic_of_camera(stream.entity) if alone else stream.name, []).append(stream)
    chosen = []
    for forms in cameras.values():
        most = max(form.most_samples for form in forms)
        best = min(forms, key=lambda form: (form.most_samples < 0.95 * most, _form_order(form)))
        chosen.append(best)
        others = [form for form in forms if form is not best]
        notes.leave_out(others, f"another form of the camera {best.name}")
        if others:
            names = ", ".join(form.name for form in others)
            notes.guesses.append(
                f"{best.name}: one camera, recorded as {names} too; this form has the most frames or bits"
            )
    return chosen


def _topic_of_camera(entity: str) -> str:
    topic, _, last = entity.rpartition("/")
    return topic if topic and last.lower() in TRANSPORTS else entity


def _form_order(stream: StreamSummary) -> tuple[bool, bool]:
    raw = stream.camera is not None and stream.kind == "image" and stream.camera.encoding not in ("jpeg", "webp")
    return (not raw, stream.kind != "video")


def _plain_name(parts: Sequence[str]) -> list[str]:
    """What a camera is called none of whose parts is telling: `camera`, or what it is, but no form of transport."""
    return next(
        ([part] for part in parts if part.lower() in ("camera", "cam")),
        [part for part in parts if part.lower() not in TRANSPORTS][-1:] or ["camera"],
    )


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
        paths.append([p for p in parts if p.lower() not in PLAIN_WORDS] or _plain_name(parts))
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
