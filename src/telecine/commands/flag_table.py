"""The flags of `convert`, each once: its name, type, default, help and group. Imports nothing heavy.

`cli/main.py` makes the command line of it, `commands/convert.py` the keyword arguments, docs/api.md is checked
against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from telecine.core.dataclass import dataclass

TAKE = "What to take"
TIME = "Time"
VIDEO = "Video"
EPISODES = "Episodes"
OUTPUT = "Output"
RUNNING = "Running"
GROUPS = (TAKE, TIME, VIDEO, EPISODES, OUTPUT, RUNNING)


def whole_rows(text: str) -> int:
    """Rows per second. Raises: ValueError for what is no whole number, with the next one to ask for."""
    try:
        return int(text)
    except ValueError:
        try:
            near = round(float(text))
        except (ValueError, OverflowError):
            raise ValueError(f"{text!r} is no number of rows per second; give a whole number, such as 30") from None
        advice = f"use --fps {near}, which takes such cameras: a row has the frame of its time, whatever their rate"
        raise ValueError(f"rows per second are a whole number, got {text}; {advice}") from None


def _flag(group: str, help: str | None = None, *, default: Any = None, **more: Any) -> Any:  # noqa: A002
    """A flag in `group`; more: what typer.Option takes besides help, such as metavar and min."""
    return field(default=default, metadata={"group": group, "help": help, **more})


@dataclass(frozen=True, slots=True)
class PlanFlags:
    """Flags that override keys of the plan, or make one; None or empty where they are not given."""

    fps: int | None = _flag(TIME, "Rows per second.", parser=whole_rows, metavar="N")
    index: str | None = _flag(TIME, "Timeline that all timestamps are read from.")
    rate: str | None = _flag(TIME, "Counts per second of a sequence timeline.")
    follow: str | None = _flag(TIME, "Take this stream's timestamps as ticks.", metavar="STREAM")
    action: Sequence[str] = _flag(TAKE, "Repeat to concatenate several streams.", default=(), metavar="STREAM")
    state: Sequence[str] = _flag(TAKE, "Repeat to concatenate several streams.", default=(), metavar="STREAM")
    video: Sequence[str] = _flag(TAKE, "A camera; repeatable.", default=(), metavar="KEY:STREAM")
    feature: Sequence[str] = _flag(TAKE, "Any other feature; repeatable.", default=(), metavar="KEY=STREAM")
    add: Sequence[str] = _flag(TAKE, "A computed column; repeatable.", default=(), metavar="KEY=EXPR")
    action_names: str | None = _flag(TAKE, "Names of the action's elements.", metavar="A,B,...")
    state_names: str | None = _flag(TAKE, "Names of the state's elements.", metavar="A,B,...")
    task: str | Mapping[str, str] | None = _flag(TAKE, "Text stream with the task.", metavar="STREAM")
    task_text: str | None = _flag(TAKE, "The task itself, for all recordings.", metavar="TEXT")
    preset: Literal["train", "lerobot", "archive", "images"] | None = _flag(VIDEO, "How cameras are stored.")
    copy: Literal["auto", "always", "never"] | None = _flag(VIDEO, "When to copy video packets.")
    damage: Literal["reject", "cut", "encode"] | None = _flag(VIDEO, "What damage in a video costs.")
    codec: Literal["h264", "hevc", "av1"] | None = _flag(VIDEO, "Codec of the cameras.")
    crf: int | None = _flag(VIDEO, "Quality of the encoder; lower is better.")
    gop: int | None = _flag(VIDEO, "Frames from keyframe to keyframe.")
    size: str | None = _flag(VIDEO, "Resize frames, e.g. 320x240.", metavar="WxH")
    jpeg_color: Literal["rgb", "bgr"] | None = _flag(VIDEO, "bgr: exchange red and blue.")
    turn: Literal["none", "rotate180", "flip"] | None = _flag(VIDEO, "Turn frames upright.")
    split_gaps: str | None = _flag(
        EPISODES, "A pause of more than this starts a new episode, e.g. 2s.", metavar="DURATION"
    )
    split_marker: str | None = _flag(
        EPISODES, "An episode while this stream is not zero; more in the plan.", metavar="STREAM"
    )
    spans: Path | None = _flag(EPISODES, "Episodes as a table: recording, start, stop, task, success.", metavar="CSV")
    labels: Path | None = _flag(EPISODES, "Labels: recording, start, stop, style, text (CSV, JSON).", metavar="FILE")
    trim: float | None = _flag(EPISODES, "Leave out idle ends, where nothing moves more than this.", metavar="STILL")
    robot_type: str | None = _flag(OUTPUT, "Name of the robot.")
    layout: Literal["v3.0", "v2.1", "gr00t"] | None = _flag(OUTPUT, "For trainers that want LeRobot's last layout.")


@dataclass(frozen=True, slots=True)
class RunFlags:
    """Flags about how to convert, as far as they are no key of the plan."""

    recover: bool = _flag(TAKE, "Read damaged files up to their last whole message.", default=False)
    missing_action: Literal["next_state", "same_state", "error"] = _flag(
        TAKE, "What stands in for the action when none was recorded and the plan has none.", default="next_state"
    )
    catalog_token: str | None = field(
        default=None,
        repr=False,
        metadata={
            "group": TAKE,
            "help": "Access token of the catalog server; `ps` shows the flag.",
            "envvar": "TELECINE_CATALOG_TOKEN",
        },
    )
    catalog_token_file: Path | None = _flag(TAKE, "File with the access token of the catalog server.")
    follow_links: bool = _flag(TAKE, "Read files that links and names in recordings lead to outside.", default=False)
    overwrite: bool = _flag(OUTPUT, "Replace an existing dataset.", default=False)
    where: str | None = _flag(
        EPISODES, "Take episodes for which this holds, e.g. 'success == true and rows >= 30'.", metavar="EXPR"
    )
    functions: Path | None = _flag(TAKE, "Python file of functions for derived columns; it is run.", metavar="FILE")
    urdf: Path | None = _flag(TAKE, "Robot for forward kinematics in derived columns.", metavar="FILE")
    append: bool = _flag(OUTPUT, "Add the recordings to the dataset that is there.", default=False)
    verify: bool = _flag(OUTPUT, "Read the finished dataset back.", default=True, negative=True)
    strict: bool = _flag(RUNNING, "Stop at the first rejected recording, and write nothing.", default=False)
    workers: int | None = _flag(RUNNING, "Processes that read recordings; 0: only this one. [default: by cores]", min=0)
    timeout: float | None = _flag(
        RUNNING, "Give up on a recording after so long without progress.", metavar="SECONDS", min=1
    )
    max_memory: str | int | None = _flag(RUNNING, "For all processes, e.g. 8GB.", metavar="SIZE")
    resume: bool = _flag(
        RUNNING, "Keep finished episodes until the end, to take up an interrupted run.", default=True, negative=True
    )
    shard: str | tuple[int, int] | None = _flag(
        RUNNING, "Make one part of N, anywhere; `telecine finalize OUT` joins all.", metavar="I/N"
    )
    engine: Literal["ray"] | None = _flag(RUNNING, "Make all parts on a cluster, or on this machine, then join them.")
    shards: int | None = _flag(RUNNING, "Of --engine: how many parts. [default: by size and nodes]", min=1, max=1000)
    ray_address: str | None = _flag(
        RUNNING, "Of --engine ray: a cluster, such as auto or HEAD:6379. [default: this machine]", metavar="ADDRESS"
    )
