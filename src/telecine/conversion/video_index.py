"""The planned video streams of one recording: their packets indexed, and what cannot be decoded taken out."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import get_args

import numpy as np

from telecine.core.bitstream.packets import index_packets
from telecine.core.copying.damage import WholeFrames, damaged_frames, usable_frames
from telecine.core.errors import VideoError
from telecine.core.findings import Finding
from telecine.core.plan.bind import Source, find_stream
from telecine.core.plan.model import Feature, Plan
from telecine.core.recording import Codec, Part, Recording, Stream, VideoStream
from telecine.core.streams.from_keyframe import FromKeyframe, from_first_keyframe
from telecine.core.streams.orientation import Oriented
from telecine.core.text.numbers import counted, counted_of
from telecine.core.video import PacketIndex
from telecine.video.decode_check import damaged_packets

Indexes = dict[tuple[str, str], PacketIndex]
"""(stream name, clock) -> its packets, from the first keyframe on."""
CODECS: tuple[Codec, ...] = get_args(Codec)


def index_videos(recording: Recording, plan: Plan) -> tuple[Recording, Indexes, list[Finding]]:
    """The recording with undecodable beginnings of its planned videos left out.

    Damaged frames are left out as well where the plan says `damage: cut` or `encode`; with `reject` it depends on
    what rows show, see `cameras.prepare`.
    """
    streams = dict(planned_streams(recording, plan))
    indexes: Indexes = {}
    findings: list[Finding] = []
    for feature in plan.features:
        stream = find_stream(feature.sources[0].stream, streams)
        clock = feature.sources[0].timeline or plan.clock.timeline
        if isinstance(stream, str) or stream.kind != "video" or clock not in stream.clocks:
            continue  # `resample` names it, together with all other problems
        if (stream.name, clock) in indexes:
            continue
        where = f"{recording.ref.label} {stream.name}"
        undecodable, index = from_first_keyframe(index_packets(stream.packets(clock), codec_of(stream, where)))
        _check_packets(stream, clock, index, where)
        if undecodable.size:
            stream = streams[stream.name] = FromKeyframe(stream, undecodable)
            text = (
                f"{counted(undecodable.size, 'packet')} before the first keyframe cannot be decoded; rows "
                "start after them"
            )
            fix = "start recording with a keyframe"
            findings.append(Finding("video-damaged", "warning", where, text, fix, stream=stream.name))
        if plan.video_of(feature).check == "pictures":
            problems = index.problems + damaged_packets(stream, clock, index)
            index = replace(index, problems=tuple(sorted(problems)))
        indexes[stream.name, clock] = index
        if index.problems and plan.video_of(feature).damage != "reject":
            sound, finding = _sound(stream, index, feature, plan, recording)
            streams[stream.name] = sound
            findings.append(finding)
    return replace(recording, streams=streams), indexes, findings


def planned_streams(recording: Recording, plan: Plan) -> Iterator[tuple[str, Stream]]:
    """Every stream by name, frames with the colour order and the turn that the plan states instead of the format."""
    adjusted = {}
    for feature in plan.features:
        stream, video = find_stream(feature.sources[0].stream, recording.streams), plan.video_of(feature)
        if not isinstance(stream, str) and stream.kind == "image" and (video.jpeg_color or video.turn):
            adjusted[stream.name] = Oriented(stream, video.jpeg_color, video.turn)
    yield from {**recording.streams, **adjusted}.items()


def codec_of(stream: VideoStream, where: str) -> Codec:
    """The stream's codec, which has to be one of ours. Raises: VideoError."""
    codec = next((c for c in CODECS if c == stream.schema.encoding), None)
    if codec is None:
        raise VideoError(f"{where}: {stream.schema.encoding} video is not supported; supported: {', '.join(CODECS)}")
    return codec


def _check_packets(stream: VideoStream, clock: str, index: PacketIndex, where: str) -> None:
    """Refuse streams of which nothing can be shown at the right time."""
    if index.count and not index.keyframe.any():
        raise VideoError(f"{where}: {counted(index.count, 'packet')} and no keyframe; nothing can be decoded")
    back = stream.backwards(clock)
    if back and not index.reorder_delay:
        raise VideoError(
            f"{where}: {counted(back, 'timestamp goes', 'timestamps go')} back in time on {clock!r} although "
            "frames do not; "
            "their times cannot be trusted, check the recorder's clock"
        )


def _sound(
    stream: VideoStream, index: PacketIndex, feature: Feature, plan: Plan, recording: Recording
) -> tuple[WholeFrames, Finding]:
    """The stream without what the plan's policy gives up, and the findings about that."""
    policy, bad = plan.video_of(feature).damage, damaged_frames(index)
    assert policy != "reject"
    where = f"{recording.ref.label} {stream.name}"
    whole = usable_frames(bad, policy, _span(stream, feature, plan, recording.ref.part))
    at, what = index.problems[0]
    clock = feature.sources[0].timeline or plan.clock.timeline
    text = (
        f"{damage_text(stream, clock, index, (at, what))}; "
        f"{counted_of(int(bad.sum()), bad.size, 'frame', 'is', 'are')} not whole"
    )
    if not whole.size:
        raise VideoError(f"{where}: {text}, which leaves none")
    text += ", the episode ends before them" if policy == "cut" else ", rows show the last whole one before them"
    fix = "check how it was recorded"
    return WholeFrames(stream, whole), Finding("video-damaged", "warning", where, text, fix, stream=stream.name)


def _span(stream: VideoStream, feature: Feature, plan: Plan, part: Part | None) -> slice:
    """Positions of the frames within the part of the recording that is the episode."""
    if part is None:
        return slice(None)
    take = feature.sources[0]
    clock = take.timeline or plan.clock.timeline
    is_count = stream.clocks[clock] == "sequence" and plan.clock.rate is not None
    times = Source(stream, clock, take.offset, Fraction(str(plan.clock.rate)) if is_count else None).times()
    first, stop = np.searchsorted(times, part.start_ns), np.searchsorted(times, part.stop_ns, side="right")
    return slice(int(first), int(stop))


def damage_text(stream: VideoStream, clock: str, index: PacketIndex, problem: tuple[int, str]) -> str:
    """Where a problem lies, counted as the recording has it, and what it is; how many more there are."""
    whole = stream.stream if isinstance(stream, WholeFrames) else stream
    skipped = whole.skip if isinstance(whole, FromKeyframe) else 0
    times = whole.times(clock)
    seconds = (int(times[index.display[problem[0]]]) - int(times[0])) / 1e9
    more = f" and {len(index.problems) - 1} more" if len(index.problems) > 1 else ""
    return f"packet {problem[0] + skipped} ({seconds:.3f} s after its first frame): {problem[1]}{more}"
