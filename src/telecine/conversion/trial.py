"""Some frames of each camera coded for real, since what they take depends on what they show. Nothing stays on disk."""

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from telecine.conversion.cameras import CameraDecision, clip_of, prepare
from telecine.core.errors import TelecineError
from telecine.core.grid import Rows
from telecine.core.plan.model import Plan
from telecine.core.recording import Ref
from telecine.core.video import Encode
from telecine.run.executor import Executor, Tell, silent
from telecine.sources.part_cache import opened

FRAMES, FEW = 48, 8
"""Coded of each camera, from the middle of a recording; and once more so few, which take what starting takes."""
RECORDINGS = 2
"""Whose frames are coded; the others are taken to be like them."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What so many frames of a camera take: bytes, and CPU seconds with decoding them, without starting to."""

    frames: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    spent_s: float = 0.0
    """CPU seconds that finding out took."""

    def __add__(self, other: "Trial") -> "Trial":
        size, spent_s = self.size_bytes + other.size_bytes, self.spent_s + other.spent_s
        return Trial(self.frames + other.frames, size, self.seconds + other.seconds, spent_s)


class Forecast(Protocol):
    """A recording whose cameras are known."""

    @property
    def recording(self) -> str:
        """Its label."""
        ...

    @property
    def encodes(self) -> bool:
        """Whether any of its cameras is encoded."""
        ...


def trials(recordings: Iterable[Forecast], refs: Sequence[Ref], plan: Plan, executor: Executor) -> dict[str, Trial]:
    """Camera key -> what frames of the first recordings take that are to be encoded."""
    wanted = [r.recording for r in recordings if r.encodes][:RECORDINGS]
    found: dict[str, Trial] = {}
    for made in executor(partial(_tried, plan=plan), [ref for ref in refs if ref.label in wanted], silent):
        if isinstance(made, Mapping):  # else its process died: the conversion will say so
            for key, trial in made.items():
                found[key] = found.get(key, Trial()) + trial
    return found


def _tried(ref: Ref, tell: Tell, *, plan: Plan) -> dict[str, Trial]:
    del tell
    try:
        with opened(ref) as recording, tempfile.TemporaryDirectory(prefix="telecine-trial-") as scratch:
            cameras = prepare(recording, plan).cameras
            encoded = (camera for camera in cameras if isinstance(camera.decision, Encode))
            return {c.pick.feature.key: _trial(c, plan.fps, Path(scratch) / "trial.clip") for c in encoded}
    except TelecineError:
        return {}  # the conversion meets it again and reports it


def _trial(camera: CameraDecision, fps: int, path: Path) -> Trial:
    rows = camera.rows
    start = max((rows.size - FRAMES) // 2, 0)
    if camera.index is not None:  # decoding begins at a keyframe, as it does in a whole episode
        keyframes = np.flatnonzero(np.isin(rows[: start + 1], camera.index.display[camera.index.keyframe]))
        start = int(keyframes[-1]) if keyframes.size else 0
    few = _coded(camera, rows[start : start + FEW], fps, path)
    made = _coded(camera, rows[start : start + FRAMES], fps, path)
    spent_s, more = few.spent_s + made.spent_s, made.frames - few.frames
    if more < FEW:
        return replace(made, spent_s=spent_s)
    return replace(made, seconds=max(made.seconds - few.seconds, 0.0) / more * made.frames, spent_s=spent_s)


def _coded(camera: CameraDecision, rows: Rows, fps: int, path: Path) -> Trial:
    began = time.process_time()
    clip = clip_of(replace(camera, rows=rows), fps, str(path))
    seconds = time.process_time() - began
    path.unlink()
    return Trial(clip.frames, clip.size_bytes, seconds, seconds)
