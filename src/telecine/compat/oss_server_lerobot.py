"""The command of Rerun's example `oss_server_lerobot`, for folders of .rrd files and of MCAP and ROS recordings.

Paths are entities or topics. Which stream is meant there is read from the first recording that can be opened.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telecine.compat.command import DEFAULT_INDEX, clock_of, converted, export_parser
from telecine.compat.config import DEFAULT_TASK
from telecine.core.errors import PlanError, TelecineError
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.sources import registry

_CLOCKS = {
    DEFAULT_INDEX: "capture_time",
    "timestamp": "header_stamp", "ros2_timestamp": "header_stamp", "ros1_timestamp": "header_stamp",
    "message_log_time": "log_time", "message_publish_time": "publish_time",
}  # fmt: skip
"""Timelines that Rerun's server gives MCAP recordings -> the clocks that telecine gives them."""
_USUAL = {"vector": "Scalars:scalars", "text": "TextDocument:text"}
_KINDS = {"raw": ("Image:buffer", "image"), "compressed": ("EncodedImage:blob", "image"),
          "video": ("VideoStream:sample", "video")}  # fmt: skip
"""Kind on the command line -> (column of that kind in an .rrd, kind of the stream)."""
_FORMATS = {"h264": "h264", "avc1": "h264", "h265": "hevc", "hevc": "hevc", "hev1": "hevc", "av1": "av1", "av01": "av1"}


_VCODECS = {"h264": "h264", "libx264": "h264", "hevc": "hevc", "libx265": "hevc", "av1": "av1", "libsvtav1": "av1"}
"""LeRobot's names for what it encodes with -> the codec."""


def main(argv: Sequence[str] | None = None) -> int:
    """The console command; its exit code: 0 all well, 1 something was rejected, 2 the command line is wrong."""
    parser = _parser()
    return converted(parser, parser.parse_args(argv), _plan)


def _parser() -> argparse.ArgumentParser:
    epilog = "The flags of Rerun's example of that name; no server is started. `telecine convert` has more."
    parser = export_parser("oss_server_lerobot", ".rrd, .mcap, .db3 or .bag recordings", epilog)
    add = parser.add_argument
    for name, what, required in (("action", "action", True), ("state", "state", True), ("task", "task text", False)):
        add(f"--{name}-path", required=required, metavar="PATH", help=f"entity or topic of the {what}")
        add(f"--{name}-column", metavar="COLUMN", help=f"column of the {what} there, e.g. Archetype:field")
    add("--image", action="append", default=[], metavar="KEY:PATH:KIND", help="a camera: raw, compressed or video")
    add(
        "--task-default",
        default=DEFAULT_TASK,
        metavar="TEXT",
        help=f"task without --task-path (default: {DEFAULT_TASK})",
    )
    add("--use-images", action="store_true", help="store cameras as PNG in Parquet instead of video")
    add(
        "--vcodec", choices=sorted(_VCODECS), help="codec of cameras that are encoded (default: as recorded, else h264)"
    )
    add("--video-format", choices=sorted(_FORMATS), help="codec of the video streams (default: as recorded)")
    return parser


@dataclass(frozen=True, slots=True)
class _Known:
    """What a recording has: stream -> kind, video stream -> codec, and the clocks of all that move."""

    kinds: Mapping[str, str]
    codecs: Mapping[str, str]
    clocks: frozenset[str]


def _known(folder: Path, *, codecs: bool) -> _Known:
    """Of the first recording that can be opened. Raises: SourceError without any recording."""
    for ref in registry.find([folder]).refs:
        try:
            with registry.open(ref) as recording:
                streams = recording.streams
                videos = {n: str(s.schema.encoding) for n, s in streams.items() if codecs and s.kind == "video"}
                clocks = frozenset(clock for s in streams.values() for clock in s.clocks)
                return _Known({name: s.kind for name, s in streams.items()}, videos, clocks)
        except TelecineError:
            continue  # the conversion reports it
    return _Known({}, {}, frozenset())


def _plan(flags: argparse.Namespace) -> Plan:
    """The plan that the flags mean. Raises: PlanError naming every mistake; SourceError without any recording."""
    known = _known(flags.rrd_dir, codecs=flags.video_format is not None)
    problems: list[str] = []
    features: dict[str, Any] = {}
    for key, path, column, element_names in (
        ("action", flags.action_path, flags.action_column, flags.action_names),
        ("observation.state", flags.state_path, flags.state_column, flags.state_names),
    ):
        stream = _column(known.kinds, path, column, "vector")
        features[key] = {"from": stream, "dtype": "float32", "names": element_names}
    for text in flags.image:
        key, stream = _image(known, text, flags.video_format, problems)
        if IMAGES + key in features:
            problems.append(f"--image {key!r} is given twice")
        features[IMAGES + key] = {"from": stream}
    if problems:
        raise PlanError("; ".join(problems))
    task: Any = flags.task_default
    if flags.task_path:
        task = {"from": _column(known.kinds, flags.task_path, flags.task_column, "text")}
    index = _CLOCKS.get(flags.index, flags.index) if flags.index not in known.clocks else flags.index
    video = {"preset": "images"} if flags.use_images else {"preset": "train", "codec": _VCODECS.get(flags.vcodec)}
    clock = clock_of(index, flags.rate)
    return make_plan({"fps": flags.fps, "clock": clock, "features": features, "task": task, "video": video})


def _column(kinds: Mapping[str, str], path: str, column: str | None, kind: str) -> str:
    """The stream that a path and perhaps a column mean; the path itself where the recordings do not tell.

    A column is `Archetype:field`, or `field` where only one archetype has it, or the full name. Messages have no
    archetypes: their streams are called `topic:field`, which `topic:schemas.proto.JointState:field` means as well.
    """
    wanted = path
    if column is not None:
        wanted = column if column.startswith(f"{path}:") else f"{path}:{column}"
    if wanted in kinds:
        return wanted
    topic, _, rest = wanted.partition(":")
    if rest:
        name = rest.rpartition(":")[2]
        fields = [s for s in sorted(kinds) if s.startswith(f"{topic}:") and re.split("[:.]", s)[-1] == name]
        return fields[0] if len(fields) == 1 else f"{topic}:{name}" if f"{topic}:{name}" in kinds else wanted
    usual = f"{path}:{_USUAL[kind]}"
    if usual in kinds:
        return usual
    inside = sorted(name for name in kinds if name.startswith(f"{path}:") and kinds[name] == kind)
    positions = [name for name in inside if name.endswith((":position", ".positions"))]
    return inside[0] if len(inside) == 1 else positions[0] if len(positions) == 1 else path


def _image(known: _Known, text: str, video_format: str | None, problems: list[str]) -> tuple[str, str]:
    """(key, stream) of a camera; what is wrong with it goes to `problems`."""
    key, _, rest = text.partition(":")
    path, _, kind = rest.rpartition(":")
    if not (key and path and kind in _KINDS):
        problems.append(f"--image {text!r} is not of the form key:path:kind, kind one of {', '.join(_KINDS)}")
        return key, path or rest
    column, expected = _KINDS[kind]
    stream = f"{path}:{column}" if f"{path}:{column}" in known.kinds else path
    found = known.kinds.get(stream)
    if found is not None and found != expected:
        problems.append(f"--image {text!r}: {stream} holds {found}, not what {kind!r} means")
    codec = known.codecs.get(stream)
    if video_format is not None and kind == "video" and codec is not None and codec != _FORMATS[video_format]:
        problems.append(
            f"--video-format {video_format}: {stream} is {codec}; leave the flag out, the recording states it"
        )
    return key, stream
