"""Whether the frames of a finished clip are those that statistics were stored of in the source.

Costs no decoding, unless the few frames that were sampled for the statistics of the copy leave a doubt.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from telecine.conversion.cameras import CameraDecision
from telecine.core.errors import ContradictionError
from telecine.core.frame_witness import frame_moments, frames_problem, looks_of, looks_of_moments
from telecine.core.recording import Recording
from telecine.core.stats import Floats
from telecine.core.video import Clip
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb

_MOST = 0.9
"""Of an episode's frames: statistics of fewer are other statistics."""
_LOOKED_AT = 100
"""Frames, where those sampled leave a doubt: as many as LeRobot makes its statistics of, or all of a short episode."""


def check_frames(recording: Recording, cameras: Sequence[CameraDecision], clips: Iterable[Clip]) -> None:
    """Nothing, when no clip of an episode has frames that are another's by the statistics stored in its source.

    Raises: ContradictionError naming the camera.
    """
    by_key = {clip.key: clip for clip in clips}
    for camera in cameras:
        clip = by_key[camera.pick.feature.key]
        if recording.frame_witness is None or clip.depth is not None or not _shows_all(recording, camera):
            continue
        stream = camera.pick.source.stream.name
        witness = recording.frame_witness(stream)
        problem = witness and frames_problem(looks_of(clip.histogram, clip.sampled), witness)
        if witness and problem and clip.sampled < camera.rows.size:
            moments = _moments(camera)
            problem = frames_problem(looks_of_moments(moments), witness, moments)
        if problem:
            raise ContradictionError(
                f"{recording.ref.label} {stream}: {problem}; see what `telecine repair {recording.ref.path}` can save"
            )


def _moments(camera: CameraDecision) -> Floats:
    """(n, 6) of many of the frames that the rows show."""
    rows = camera.rows[np.unique(np.linspace(0, camera.rows.size - 1, _LOOKED_AT).round().astype(np.int64))]
    source = camera.pick.source
    assert source.stream.kind in {"image", "video"}
    shown = frames(source.stream, rows, source.clock, index=camera.index)
    return np.array([frame_moments(to_rgb(frame)) for frame in shown])


def _shows_all(recording: Recording, camera: CameraDecision) -> bool:
    """Whether rows show nearly all that the statistics were made of, first to last."""
    whole, rows = recording.rows, camera.rows
    return whole is not None and recording.ref.part is None and int(rows[-1] - rows[0]) + 1 >= _MOST * whole.count
