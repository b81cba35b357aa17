"""The cameras of one recording: the decision per camera, and the clips made of it.

`prepare` reads and decides, `code` writes; a dry run does only the first.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from telecine.conversion.video_index import Indexes, damage_text, index_videos
from telecine.core.copying.damage import damage_shown, frames_of
from telecine.core.copying.decide import decide
from telecine.core.copying.match import reach_of, windows
from telecine.core.copying.splice import Copied, Splice
from telecine.core.copying.steady_rows import steady_rows
from telecine.core.dataclass import dataclass
from telecine.core.depth import DepthScale
from telecine.core.episode import Episode
from telecine.core.errors import PlanError, VideoError
from telecine.core.findings import Finding, Severity, placed
from telecine.core.grid import SECOND, Rows, Times
from telecine.core.plan.bind import BoundFeature
from telecine.core.plan.model import IMAGES, Feature, Plan
from telecine.core.recording import LABELS, Recording, Stream
from telecine.core.resample.resample import CameraRows, Resampled, resample
from telecine.core.streams.orientation import orientation_text
from telecine.core.text.numbers import counted
from telecine.core.video import LONG_GOP, TAGGED, Clip, Encode, PacketIndex, VideoSettings
from telecine.video.decode import frames
from telecine.video.encode import bits_of, check_first, encode
from telecine.video.presets import depth_settings, video_settings
from telecine.video.splice import splice

T = TypeVar("T")
Coded: TypeAlias = Callable[[float], None]
"""Gets a share of a camera that is done, 0 to 1."""


def untold(share: float) -> None:
    """A `Coded` that nobody looks at."""
    del share


@dataclass(frozen=True, eq=False, slots=True)
class CameraDecision:
    """What will be done for one camera of an episode."""

    pick: CameraRows
    rows: Rows
    """(count,) int64: the frame of each row, by its position in display order."""
    settings: VideoSettings
    index: PacketIndex | None
    decision: Splice | Encode

    @property
    def copied_bytes(self) -> int:
        """Bytes that are copied; 0 when encoding."""
        if self.index is None or isinstance(self.decision, Encode):
            return 0
        taken = [r for r in self.decision.runs if isinstance(r, Copied)]
        return sum(int(self.index.sizes[r.first : r.stop].sum()) for r in taken)

    @property
    def encoded(self) -> int:
        """Frames that are encoded, for the first time or again."""
        return self.decision.encoded if isinstance(self.decision, Splice) else int(self.rows.size)

    @property
    def why(self) -> str:
        """The reason for the decision, or what was not copied plainly."""
        if isinstance(self.decision, Encode):
            return self.decision.why
        made = self.decision
        left_out = int(np.sum(np.maximum(np.diff(self.rows) - 1, 0)))
        parts = [
            f"{count} {what}"
            for count, what in (
                (left_out, "left out"),
                (made.repeated, "shown again by skipped frames"),
                (made.encoded, "re-encoded between keyframes"),
                (made.preroll, "before the first row kept unused"),
                (made.unused, "after the last row kept unused"),
            )
            if count
        ]
        return "; ".join(parts) or "exact"


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """An episode with every decision made and nothing written."""

    resampled: Resampled
    cameras: tuple[CameraDecision, ...]
    findings: tuple[Finding, ...]


def prepare(recording: Recording, plan: Plan) -> Prepared:
    """Index the planned video streams, resample the recording, decide copy or encode for each camera.

    Raises: TelecineError of any kind that makes this recording unusable.
    """
    indexed, indexes, findings = index_videos(recording, plan)
    resampled = resample(indexed, plan, partial(_steady, plan, indexes))
    cameras = []
    for pick in resampled.cameras:
        stream = pick.source.stream
        index = indexes.get((stream.name, pick.source.clock))
        settings = settings_of(plan, pick.feature, stream)
        rows = pick.rows
        decision: Splice | Encode
        if index is None:
            decision = Encode(_single(pick))
            assert stream.kind in ("image", "video")
            first = next(frames(stream, rows[:1], pick.source.clock))
            check_first(first, settings, f"{pick.feature.key}: frame 0")
            pix_fmt = first.format.name
        else:
            assert stream.kind == "video"
            rows = frames_of(stream, pick.rows)
            _check_damage(pick, rows, index, recording.ref.label)
            decision = decide(rows, index, settings)
            pix_fmt = index.formats[0].pix_fmt
        cameras.append(CameraDecision(pick, rows, settings, index, decision))
        label = recording.ref.label
        found = [_decision_finding(cameras[-1], label), *_format_findings(cameras[-1], label)]
        found += _bits_findings(cameras[-1], pix_fmt, label)
        findings += placed(found, key=pick.feature.key, stream=pick.source.stream.name)
    return Prepared(resampled, tuple(cameras), tuple(findings))


def _single(pick: CameraRows) -> str:
    """Why a camera without packets is encoded, and what is done to its frames."""
    done = orientation_text(pick.source.stream.schema)
    return "the source is single frames" + (f", {done}" if done else "")


def _steady(plan: Plan, indexes: Indexes, bound: BoundFeature, ticks: Times, rows: Rows, limit_ns: int | None) -> Rows:
    """The rows with fewer frames repeated or left out, where that lets the camera be copied."""
    source, feature = bound.sources[0], bound.feature
    index = indexes.get((source.stream.name, source.clock))
    if index is None:
        return rows
    assert source.stream.kind == "video"
    times, causal = source.times(), feature.how == "hold"
    reach = reach_of(plan.video_of(feature).slack, times, SECOND // plan.fps, causal=causal)
    last = np.flatnonzero(np.append(np.diff(times) > 0, True))  # of several frames with one stamp
    allowed = windows(times[last], ticks, reach if limit_ns is None else min(reach, limit_ns), causal=causal)
    settings = settings_of(plan, feature, source.stream)
    chosen: Rows = last[steady_rows(allowed, frames_of(source.stream, last), index, settings)]
    return chosen


def _check_damage(pick: CameraRows, rows: Rows, index: PacketIndex, where: str) -> None:
    """VideoError when damage spoils a frame of the episode. Policies other than `reject` left those out before."""
    found = damage_shown(index, rows)
    stream = pick.source.stream
    assert stream.kind == "video"
    if found is not None:
        text = damage_text(stream, pick.source.clock, index, found)
        raise VideoError(
            f"{where} {stream.name}: {text}; the frames from there to the next keyframe would be wrong; set video "
            "damage: cut or damage: encode to use the others"
        )


def code(prepared: Prepared, plan: Plan, scratch: Path, coded: Coded = untold, *, threads: int = 1) -> Episode:
    """The episode with its clips written below `scratch`.

    coded: gets each share of a camera that is done; they add up to one for each. threads: cameras at a time.

    Raises: VideoError for frames that cannot be decoded or stored.
    """

    def clip(number: int, camera: CameraDecision) -> Clip:
        return clip_of(camera, plan.fps, str(scratch / f"camera-{number:03d}.clip"), coded)

    numbers = range(len(prepared.cameras))
    if threads == 1 or len(numbers) < 2:
        clips = tuple(map(clip, numbers, prepared.cameras))
    else:
        with ThreadPoolExecutor(threads) as pool:
            clips = tuple(pool.map(clip, numbers, prepared.cameras))
    return prepared.resampled.with_clips(clips, prepared.findings)


def settings_of(plan: Plan, feature: Feature, stream: Stream) -> VideoSettings:
    """The plan's video settings for a camera, with the preset's choices filled in. Raises: PlanError."""
    video = plan.video_of(feature)
    unit = stream.schema.unit if stream.kind in ("image", "video") else None
    if unit in ("mm", "m"):
        return depth_settings(video, stream.schema.depth or DepthScale())
    if unit == LABELS and (video.preset != "images" or stream.schema.dtype != "uint8"):
        wide = "" if stream.schema.dtype == "uint8" else f", which takes 8-bit numbers; these are {stream.schema.dtype}"
        raise PlanError(
            f"{feature.key}: {stream.name} holds numbers of classes, which video mixes up at edges; store it without "
            f"loss with `video: {{preset: images}}`{wide}"
        )
    return video_settings(video.preset, video.codec, video.crf, video.gop, size=video.size, copy=video.copy_policy)


def _decision_finding(camera: CameraDecision, where: str) -> Finding:
    place_ = f"{where} {camera.pick.feature.key.removeprefix(IMAGES)}"
    if isinstance(camera.decision, Encode):
        return Finding("video-encoded", "info", place_, camera.why)
    text = f"{counted(camera.decision.copied, 'frame')} copied" + ("" if camera.why == "exact" else f"; {camera.why}")
    if camera.decision.preroll:
        text += ", which LeRobot's streaming reader shows"
    return Finding("video-copied", "info", place_, text)


def _format_findings(camera: CameraDecision, where: str) -> list[Finding]:
    """What a reader pays for a copied stream."""
    if camera.index is None or isinstance(camera.decision, Encode):
        return []
    place_ = f"{where} {camera.pick.feature.key.removeprefix(IMAGES)}"
    found = []
    gop = camera.index.longest_gop
    if gop > LONG_GOP:
        severity: Severity = "warning" if gop > 2 * LONG_GOP else "info"
        text = f"a keyframe every {counted(gop, 'frame')}: one random read decodes about {gop // 2 + 1} of them"
        found.append(
            Finding("video-long-gop", severity, place_, text, "set video copy: never to encode for fast reads")
        )
    if camera.index.formats[0].matrix in TAGGED:
        text = f"tagged {camera.index.formats[0].matrix}, which LeRobot's pyav decoder ignores (torchcodec does not)"
        found.append(Finding("video-colour", "warning", place_, text, "set video copy: never to store BT.601"))
    return found


def _bits_findings(camera: CameraDecision, pix_fmt: str, where: str) -> list[Finding]:
    """What encoding cuts off colours of more than 8 bits, in frames of `pix_fmt`."""
    bits = bits_of(pix_fmt)
    if bits <= 8 or camera.settings.depth or not isinstance(camera.decision, Encode):
        return []
    text = f"its {bits} bits a channel become 8, which is what LeRobot's video and PNG hold"
    fix = "if what the lower bits show matters, scale it into 8 bits before recording"
    return [Finding("video-bits", "warning", f"{where} {camera.pick.feature.key.removeprefix(IMAGES)}", text, fix)]


def _told(decoded: Iterator[T], count: int, coded: Coded) -> Iterator[T]:
    """The frames, of which there are `count`, while `coded` gets what is done of them, now and then."""
    for number, frame in enumerate(decoded, 1):
        yield frame
        if number % _TOLD_EVERY == 0:
            coded(_TOLD_EVERY / count)
    coded(count % _TOLD_EVERY / count)


_TOLD_EVERY = 16
"""Frames; fewer than are encoded in a second."""


def clip_of(camera: CameraDecision, fps: int, path: str, coded: Coded = untold) -> Clip:
    """The clip of one camera at `path`, as was decided; coded: see `code`.

    Raises: VideoError for frames that cannot be decoded or stored.
    """
    decision, stream = camera.decision, camera.pick.source.stream
    clock, key = camera.pick.source.clock, camera.pick.feature.key
    assert stream.kind in ("image", "video")
    if isinstance(decision, Encode):
        decoded = _told(frames(stream, camera.rows, clock, index=camera.index), int(camera.rows.size), coded)
        return encode(decoded, camera.settings, fps, count=int(camera.rows.size), key=key, path=path, why=camera.why)
    assert stream.kind == "video"
    assert camera.index is not None
    depth = camera.settings.depth
    clip = splice(
        stream, clock, camera.index, decision, camera.rows, fps, key=key, path=path, why=camera.why, depth=depth
    )
    coded(1.0)
    return replace(clip, encoded=decision.encoded, repeats=decision.repeated)
