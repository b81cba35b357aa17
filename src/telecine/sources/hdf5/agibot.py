"""AgiBot World of 2024 and 2025 (Alpha, Beta): `proprio_stats` in HDF5, cameras and depth beside, JSON for each task.

Sources: the data cards of AgiBotWorld-Alpha and -Beta. The data set of 2026 is LeRobot's format v2.1.
"""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.naming import camera_name
from telecine.core.plan.model import IMAGES
from telecine.sources.hdf5.layouts import (
    Hdf5Layout,
    LayoutEpisode,
    assumed_rate,
    json_beside,
    role,
    stated_facts,
    whole_file,
)  # fmt: skip
from telecine.sources.shared.confinement import beside
from telecine.sources.shared.segments import segment_labels

_PARTS = ("joint/position", "effector/position", "head/position", "waist/position")
_DEPTH = re.compile(r"(?P<camera>.+)_(?P<step>\d{1,9})\.png")
_SEGMENT = ("start_frame", "end_frame", "action_text")


def _is_agibot(file: Any) -> bool:
    return {"state", "action", "timestamp"} <= set(file) and "state/joint" in file


def _agibot(file: Any, place: str, path: str) -> LayoutEpisode:
    del place
    steps = int(file["timestamp"].shape[0])
    about = _about(path)
    video_files = _video_files(path)
    task = str(about.get("task_name", ""))
    there = [p for p in _PARTS if all(getattr(file.get(f"{k}/{p}"), "size", 0) for k in ("state", "action"))]
    segments, notes = segment_labels(_steps_of(about), steps, _SEGMENT)
    return LayoutEpisode(
        "agibot",
        fps=Fraction(30),
        anchor="timestamp",
        attrs={**stated_facts(file.attrs), **_causes(about)},
        features={
            **role("observation.state", file, *(f"state/{p}" for p in there)),
            **role("action", file, *(f"action/{p}" for p in there)),
            **{IMAGES + camera_name(name.rpartition("/")[2]): (name,) for name in video_files},
        },
        notes=(assumed_rate(30, "what AgiBot World's data card says"), *notes),
        is_rate_assumed=True,
        values={"/task": task} if task else {},
        quaternion="xyzw",
        video_files=video_files,
        depth_files=_depth_files(path, steps),
        labels=segments,
        at=dict(_scattered(file["action"], steps)),
    )


def _scattered(action: Any, steps: int) -> Iterator[tuple[str, Any]]:
    """Stream name -> the step of each row, for actions that were not sent at every step."""
    for part in sorted(action):
        index = action[part].get("index")
        if index is None or not index.size:
            index = action.get("joint/index")  # the data card: `end` shares the index of the joints
        for leaf in sorted(action[part]):
            rows = action[part][leaf].shape[0] if action[part][leaf].ndim else 0
            if leaf != "index" and index is not None and rows and rows != steps and index.shape[0] == rows:
                yield f"/action/{part}/{leaf}", np.asarray(index[()], np.int64)


def _labels(about: Mapping[str, Any]) -> Mapping[str, Any]:
    found = about.get("label_info")
    return found if isinstance(found, dict) else {}


def _steps_of(about: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The segments of an entry in task_info."""
    steps = _labels(about).get("action_config")
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def _causes(about: Mapping[str, Any]) -> dict[str, str]:
    """`error_cause` of an entry in task_info: of the episode, of its labels, and of the steps in them, each once."""
    found = [place.get("error_cause") for place in (about, _labels(about), *_steps_of(about))]
    texts = [text.strip() for cause in found for text in (cause if isinstance(cause, list) else [cause])
             if isinstance(text, str) and text.strip()]  # fmt: skip
    return {"error_cause": "; ".join(dict.fromkeys(texts))} if texts else {}


def _root(path: str) -> tuple[Path, str, str]:
    """(folder of the data set, task, episode) of proprio_stats/TASK/EPISODE/proprio_stats.h5."""
    episode = Path(path).parent
    return episode.parent.parent.parent, episode.parent.name, episode.name


def _about(path: str) -> dict[str, Any]:
    """The episode's entry in task_info."""
    root, task, episode = _root(path)
    entries = json_beside(root / "task_info" / f"task_{task}.json", root)
    try:
        return dict(next(e for e in entries if str(e["episode_id"]) == episode))
    except (ValueError, KeyError, TypeError, StopIteration):
        return {}


def _video_files(path: str) -> dict[str, str]:
    """Stream name -> video file of each camera."""
    root, task, episode = _root(path)
    videos = root / "observations" / task / episode / "videos"
    return {f"/videos/{f.stem}": str(beside(f, root)) for f in sorted(videos.glob("*_color.mp4"))}


def _depth_files(path: str, steps: int) -> dict[str, tuple[str, dict[int, str]]]:
    """Stream name -> (folder, step -> file) of 16-bit depth: `depth/head_depth_000012.png`."""
    root, task, episode = _root(path)
    folder = root / "observations" / task / episode / "depth"
    found: dict[str, tuple[str, dict[int, str]]] = {}
    for file in sorted(folder.glob("*.png")):
        if (match := _DEPTH.fullmatch(file.name)) and int(match["step"]) < steps:
            _, files = found.setdefault(f"/depth/{match['camera']}", (str(folder), {}))
            files[int(match["step"])] = file.name
    return found


LAYOUTS = (Hdf5Layout("agibot", _is_agibot, whole_file, _agibot),)
