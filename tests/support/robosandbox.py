"""Runs as RoboSandbox's recorder leaves them, written from its format's description without telecine.

Video like imageio's: H.264 with B-frames, one keyframe, labelled 30 fps whatever the rate was.
"""

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from support.pictures import draw_frame_id

SIM_DT = 0.002
STEP_S = 0.034
"""What the recorder makes of 30 Hz at steps of 2 ms."""


def line(number: int, *, dof: int = 6, step_s: float = STEP_S, action: Any = None) -> dict[str, Any]:
    """One line of events.jsonl; every value is a function of the time."""
    t = 0.122 + number * step_s
    pose = {"xyz": [0.4, 0.01 * number, 0.05], "quat_xyzw": [0.0, 0.0, 0.0, 1.0]}
    return {
        "t": t,
        "frame_idx": number,
        "robot_joints": [math.sin(t + joint) for joint in range(dof)],
        "ee_pose": pose,
        "gripper_width": 0.08 * abs(math.cos(t)),
        "objects": {"red_cube": pose},
        "action": action,
    }


def commanded(number: int, *, dof: int = 6) -> dict[str, Any]:
    """The documented form of an action."""
    return {"joints": [math.sin(0.2 + number + joint) for joint in range(dof)], "gripper": float(number % 2)}


def write_run(
    folder: Path,
    lines: int = 30,
    *,
    actions: bool = False,
    dof: int = 6,
    step_s: float = STEP_S,
    pictures: int | None = None,
    episode: Mapping[str, Any] | None = None,
    result: Mapping[str, Any] | None = None,
) -> Path:
    """A finished, successful run, changed by what is given; `pictures=0` leaves the video out."""
    folder.mkdir(parents=True)
    told = {"episode_id": "52ab7cda", "task": "pick up the red cube", "started_at": "2026-11-20T11:06:39.925256"}
    (folder / "episode.json").write_text(json.dumps({**told, "sim_dt": SIM_DT, **(episode or {})}))
    with (folder / "events.jsonl").open("w") as file:
        for number in range(lines):
            action = commanded(number, dof=dof) if actions else None
            file.write(json.dumps(line(number, dof=dof, step_s=step_s, action=action)) + "\n")
    ended = {"episode_id": "52ab7cda", "success": True, "frames": lines, "reason": "picked", **(result or {})}
    (folder / "result.json").write_text(json.dumps(ended))
    count = lines if pictures is None else pictures
    if count:
        write_video(folder / "video.mp4", count)
    return folder


def write_video(path: Path, count: int, episode: int = 0) -> None:
    """Numbered pictures, as imageio's FFmpeg writes them."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"g": "250", "bf": "3"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 160, 120, "yuv420p", Fraction(1, 30)
        for number in range(count):
            picture = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(draw_frame_id(number, episode, 0, 160, 120)), format="rgb24"
            )
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
