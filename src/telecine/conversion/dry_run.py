"""What a conversion would do: rows, copy or encode per camera with the reason, bytes and time. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from telecine.conversion.cameras import CameraDecision, Prepared, prepare
from telecine.conversion.codec_choice import settle_codecs
from telecine.conversion.discovery import crashed, discover
from telecine.conversion.pipeline import Options
from telecine.conversion.report import Rejected, accounts, fits_none, rejection
from telecine.conversion.trial import Trial, trials
from telecine.conversion.worker import NotWanted, not_wanted, not_wanted_before
from telecine.core.accounting import (
    NO_CHOICES,
    Choices,
    LeftOutEverywhere,
    Tally,
    account,
    add,
    merge,
    training_findings,
    unreadable_findings,
)
from telecine.core.errors import TelecineError
from telecine.core.findings import Finding
from telecine.core.plan.model import Plan
from telecine.core.recording import LeftOut, Ref
from telecine.core.video import Encode
from telecine.run.executor import Executor, Lost, Tell, serial, silent
from telecine.sources.part_cache import none_left_open, opened

COPY_BYTES_PER_S = 250e6
"""Reading, re-stamping and writing packets on one core of a small server, without the cost of each packet."""
FRAME_S = 0.00003
"""For each frame, however it is made: its packet written, counted, and checked at the end."""
START_S, START_VIDEO_S = 0.05, 0.11
"""Once: loading what writes and checks datasets, and what writes and checks videos, which a dry run does not load."""
EPISODE_S, CLIP_S = 0.012, 0.006
"""For each episode, and each camera of it, beyond what a dry run does too: statistics, files, and checking them."""
ENCODE = {
    # preset, codec: bytes and seconds per pixel, measured at 640x480 (docs/benchmarks.md); content changes both
    ("train", "h264"): (0.053, 1 / 75e6),
    ("train", "hevc"): (0.040, 1 / 25e6),
    ("train", "av1"): (0.045, 1 / 25e6),
    ("lerobot", "av1"): (0.082, 1 / 18e6),
    ("archive", "av1"): (0.025, 1 / 10e6),
    ("images", "png"): (1.6, 1 / 20e6),
}


@dataclass(frozen=True, slots=True)
class CameraDryRun:
    """One camera of one recording."""

    key: str
    action: str
    """"copy" or "encode"."""
    why: str
    frames: int
    encoded: int
    """Frames that are encoded, for the first time or again."""
    size_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RecordingDryRun:
    """One recording that would become an episode."""

    recording: str
    rows: int
    cameras: tuple[CameraDryRun, ...]
    findings: tuple[Finding, ...]
    size_bytes: int
    seconds: float
    left_out: tuple[LeftOut, ...] = ()

    @property
    def encodes(self) -> bool:
        """Whether any of its cameras is encoded."""
        return any(camera.action == "encode" for camera in self.cameras)


@dataclass(frozen=True, slots=True)
class DryRun:
    """The whole dry run; sizes (bytes) and times (s) are estimates.

    >>> import telecine as tc
    >>> tc.dry_run("recordings").ok
    True
    """

    plan: Plan
    recordings: tuple[RecordingDryRun, ...]
    rejected: tuple[Rejected, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[LeftOutEverywhere, ...] = ()
    guesses: tuple[str, ...] = ()
    looked_s: float = 0.0
    """What the dry run took itself, in CPU seconds: finding, inspecting and aligning are the conversion's work, too."""
    tried_s: float = 0.0
    """The part of it in which frames were coded on trial, which are coded once more in the conversion."""

    @property
    def ok(self) -> bool:
        """True when nothing would be rejected."""
        return bool(self.recordings) and not self.rejected

    @property
    def plan_is_wrong(self) -> bool:
        """True when the plan fits none of the recordings, for one and the same reason."""
        return fits_none(self.rejected, len(self.recordings))

    @property
    def size_bytes(self) -> int:
        """What the dataset would take."""
        return sum(r.size_bytes for r in self.recordings)

    @property
    def seconds(self) -> float:
        """What the conversion would take, in CPU seconds."""
        videos = START_VIDEO_S * any(r.cameras for r in self.recordings)
        starting_s = START_S + videos if self.recordings else 0.0
        return max(self.looked_s - self.tried_s, 0) + starting_s + sum(r.seconds for r in self.recordings)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of recordings and the reasons of rejections too."""
        of_recordings = tuple(f for r in self.recordings for f in r.findings)
        return (*of_recordings, *(r.reason for r in self.rejected), *self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "ok": self.ok,
            **accounts(self.left_out, self.guesses),
            "plan": self.plan.to_dict(),
            "recordings": [asdict(replace(r, left_out=())) for r in self.recordings],
            "rejected": [asdict(r) for r in self.rejected],
            "findings": [asdict(f) for f in self.findings],
            "size_bytes": self.size_bytes,
            "seconds": self.seconds,
        }


@none_left_open()
def dry_run(
    paths: Sequence[str | Path],
    plan: Plan,
    options: Options = Options(),
    *,
    executor: Executor = serial,
    choices: Choices = NO_CHOICES,
) -> DryRun:
    """Everything `convert` would decide. Raises: SourceError when there is nothing to read."""
    episodes = discover(paths, plan, **options.access, select=options.select, executor=executor)
    plan = settle_codecs(plan, episodes.refs, executor)
    rejected = list(episodes.rejected)
    recordings, skipped = [], list[Finding]()
    tally: Tally = {}
    answers = executor(partial(_forecast, plan=plan, where=options.where), episodes.refs, silent)
    for ref, answer in zip(episodes.refs, answers, strict=True):
        match answer:
            case Lost():
                rejected.append(crashed(answer))
            case Rejected():
                rejected.append(answer)
            case NotWanted():
                text = f"--where {options.where!r} leaves it out: {answer.why}"
                skipped.append(Finding("convert-where", "info", ref.label, text, recording=ref.label))
            case RecordingDryRun():
                recordings.append(answer)
                add(tally, ref.recording_label, answer.left_out, choices)
    left_out = merge(tally)
    known = trials(recordings, episodes.refs, plan, executor)
    recordings = [_by_trials(recording, known) for recording in recordings]
    findings = (*episodes.findings, *skipped, *unreadable_findings(left_out), *training_findings(left_out, "the plan"))
    tried_s = sum(trial.spent_s for trial in known.values())
    return DryRun(plan, tuple(recordings), tuple(rejected), findings, left_out, choices.guesses, tried_s=tried_s)


def _forecast(ref: Ref, tell: Tell, *, plan: Plan, where: str | None) -> RecordingDryRun | NotWanted | Rejected:
    del tell
    try:
        with opened(ref) as recording:
            if why := not_wanted_before(where, recording):
                return NotWanted(ref, why)
            prepared = prepare(recording, plan)
            if why := not_wanted(where, prepared.resampled.with_clips((), ()), ref):
                return NotWanted(ref, why)
            made = _recording(ref, prepared)
            return replace(made, left_out=account(recording, plan).left_out)
    except TelecineError as error:
        return rejection(error, ref)


def _recording(ref: Ref, prepared: Prepared) -> RecordingDryRun:
    cameras = tuple(_camera(c) for c in prepared.cameras)
    resampled = prepared.resampled
    size = resampled.rows.nbytes + sum(c.size_bytes for c in cameras)
    seconds = EPISODE_S + ref.size_bytes / (4 * COPY_BYTES_PER_S) + sum(c.seconds for c in cameras)
    findings = resampled.findings + prepared.findings
    return RecordingDryRun(ref.label, resampled.grid.count, cameras, findings, size, seconds)


def _camera(camera: CameraDecision) -> CameraDryRun:
    key, rows = camera.pick.feature.key, int(camera.pick.rows.size)
    settings = camera.settings
    per_byte, per_second = ENCODE.get((settings.preset, settings.codec), (0.06, 1 / 15e6))
    pixels = _pixels(camera) * camera.encoded
    encoded_bytes = int(pixels * per_byte * (5 / max(settings.gop, 2)) ** 0.25)
    copied = camera.copied_bytes
    seconds = CLIP_S + copied / COPY_BYTES_PER_S + rows * FRAME_S + pixels * per_second
    action = "encode" if isinstance(camera.decision, Encode) else "copy"
    return CameraDryRun(key, action, camera.why, rows, camera.encoded, copied + encoded_bytes, seconds)


def _by_trials(recording: RecordingDryRun, known: Mapping[str, Trial]) -> RecordingDryRun:
    """The forecast with what encoding is known to take, instead of what it takes on average."""
    cameras = tuple(
        replace(
            camera,
            size_bytes=round(trial.size_bytes / trial.frames * camera.encoded),
            seconds=CLIP_S + camera.frames * FRAME_S + trial.seconds / trial.frames * camera.encoded,
        )
        if camera.action == "encode" and (trial := known.get(camera.key))
        else camera
        for camera in recording.cameras
    )
    sizes, times = (
        sum(getattr(new, part) - getattr(old, part) for new, old in zip(cameras, recording.cameras, strict=True))
        for part in ("size_bytes", "seconds")
    )
    return replace(
        recording, cameras=cameras, size_bytes=recording.size_bytes + sizes, seconds=recording.seconds + times
    )


def _pixels(camera: CameraDecision) -> int:
    if camera.settings.size is not None:
        return camera.settings.size[0] * camera.settings.size[1]
    if camera.index is not None and camera.index.formats:
        return camera.index.formats[0].width * camera.index.formats[0].height
    return int(np.prod(camera.pick.source.stream.schema.shape[:2])) or 640 * 480
