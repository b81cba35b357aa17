"""Whether the frames of a finished clip are those that statistics were stored of in the source; costs no decoding."""

from collections.abc import Iterable, Sequence

from telecine.conversion.cameras import CameraDecision
from telecine.core.errors import ContradictionError
from telecine.core.frame_witness import frames_problem, looks_of
from telecine.core.recording import Recording
from telecine.core.video import Clip

_MOST = 0.9
"""Of an episode's frames: statistics of fewer are other statistics."""


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
        if problem:
            raise ContradictionError(
                f"{recording.ref.label} {stream}: {problem}; see what `telecine repair {recording.ref.path}` can save"
            )


def _shows_all(recording: Recording, camera: CameraDecision) -> bool:
    """Whether rows show nearly all that the statistics were made of, first to last."""
    whole, rows = recording.rows, camera.rows
    return whole is not None and recording.ref.part is None and int(rows[-1] - rows[0]) + 1 >= _MOST * whole.count
