"""The cameras of one recording: their packets indexed, the decision per camera, and the clips made of it.

`prepare` reads and decides, `code` writes; a dry run does only the first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from telecine.core.bind import find_stream
from telecine.core.episode import Episode
from telecine.core.errors import VideoError
from telecine.core.findings import Finding, Severity
from telecine.core.keyframes import FromKeyframe, from_first_keyframe
from telecine.core.packets import index_packets
from telecine.core.pictures import Adjusted, told
from telecine.core.place import Pick, Placed, place
from telecine.core.plan import IMAGES, Feature, Plan
from telecine.core.recording import Codec, Recording, Stream, VideoStream
from telecine.core.time import Rows
from telecine.core.video import LONG_GOP, TAGGED, Clip, Copy, Encode, PacketIndex, Wish, decide
from telecine.video.copy import copy
from telecine.video.decode import frames
from telecine.video.encode import encode
from telecine.video.join import join
from telecine.video.presets import wish as preset_wish

Indexes = dict[tuple[str, str], PacketIndex]
"""(stream name, clock) -> its packets, from the first keyframe on."""
HEAD_CRF = 16
"""Quality of rows encoded again at the start of a copied camera: hard to tell from the copied ones."""
CODECS: tuple[Codec, ...] = get_args(Codec)


@dataclass(frozen=True, eq=False, slots=True)
class Camera:
    """What will be done for one camera of an episode."""

    pick: Pick
    wish: Wish
    index: PacketIndex | None
    decision: Copy | Encode

    @property
    def copied_bytes(self) -> int:
        """Bytes a copy takes over; 0 when encoding."""
        if self.index is None or isinstance(self.decision, Encode):
            return 0
        return int(self.index.sizes[self.decision.first : self.decision.stop].sum())


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """An episode with every decision made and nothing written."""

    placed: Placed
    cameras: tuple[Camera, ...]
    findings: tuple[Finding, ...]


def prepare(recording: Recording, plan: Plan) -> Prepared:
    """Index the planned video streams, place the recording, decide copy or encode for each camera.

    Raises: TelecineError of any kind that makes this recording unusable.
    """
    indexed, indexes, findings = index_videos(recording, plan)
    placed = place(indexed, plan)
    cameras = []
    for pick in placed.picks:
        index = indexes.get((pick.source.stream.name, pick.source.clock))
        wish = wish_of(plan, pick.feature)
        decision = Encode(_single(pick)) if index is None else decide(pick.rows, index, wish)
        cameras.append(Camera(pick, wish, index, decision))
        findings.append(_decision_finding(cameras[-1], recording.ref.label))
        findings += _format_findings(cameras[-1], recording.ref.label)
    return Prepared(placed, tuple(cameras), tuple(findings))


def _single(pick: Pick) -> str:
    """Why a camera without packets is encoded, and what is done to its pictures."""
    done = told(pick.source.stream.schema)
    return "the source is single pictures" + (f", {done}" if done else "")


def code(prepared: Prepared, plan: Plan, scratch: Path, coded: Callable[[], None]) -> Episode:
    """The episode with its clips written below `scratch`; calls `coded` after each camera.

    Raises: VideoError for pictures that cannot be decoded or stored.
    """
    clips = []
    for number, camera in enumerate(prepared.cameras):
        clips.append(_clip(camera, plan.fps, str(scratch / f"camera-{number:03d}.clip")))
        coded()
    return prepared.placed.with_clips(tuple(clips), prepared.findings)


def wish_of(plan: Plan, feature: Feature) -> Wish:
    """The plan's video wish for a camera, with the preset's choices filled in. Raises: PlanError."""
    video = plan.video_of(feature)
    return preset_wish(video.preset, video.codec, video.crf, video.gop, size=video.size, copy=video.copy_policy)


def index_videos(recording: Recording, plan: Plan) -> tuple[Recording, Indexes, list[Finding]]:
    """The recording with undecodable beginnings of its planned videos left out."""
    streams = dict(with_wishes(recording, plan))
    indexes: Indexes = {}
    findings: list[Finding] = []
    for feature in plan.features:
        stream = find_stream(feature.sources[0].stream, streams)
        clock = feature.sources[0].timeline or plan.clock.timeline
        if isinstance(stream, str) or stream.kind != "video" or clock not in stream.clocks:
            continue  # place says what is wrong, together with all other problems
        if (stream.name, clock) in indexes:
            continue
        where = f"{recording.ref.label} {stream.name}"
        skip, rest = from_first_keyframe(index_packets(stream.packets(clock), _codec(stream, where)))
        _check_packets(stream, clock, rest, where)
        indexes[stream.name, clock] = rest
        if skip:
            streams[stream.name] = FromKeyframe(stream, skip)
            text = f"{skip} packets before the first keyframe cannot be decoded; rows start after them"
            findings.append(Finding("video-damaged", "warning", where, text, "start recording with a keyframe"))
    return replace(recording, streams=streams), indexes, findings


def with_wishes(recording: Recording, plan: Plan) -> Iterator[tuple[str, Stream]]:
    """Every stream by name, pictures with the colour order and the turn that the plan states instead of the format."""
    wishes = {}
    for feature in plan.features:
        stream, video = find_stream(feature.sources[0].stream, recording.streams), plan.video_of(feature)
        if not isinstance(stream, str) and stream.kind == "image" and (video.jpeg_color or video.turn):
            wishes[stream.name] = Adjusted(stream, video.jpeg_color, video.turn)
    yield from {**recording.streams, **wishes}.items()


def _codec(stream: VideoStream, where: str) -> Codec:
    codec = next((c for c in CODECS if c == stream.schema.encoding), None)
    if codec is None:
        raise VideoError(f"{where}: {stream.schema.encoding} video is not supported; supported: {', '.join(CODECS)}")
    return codec


def _check_packets(stream: VideoStream, clock: str, index: PacketIndex, where: str) -> None:
    """Refuse streams whose pictures cannot all be shown at the right time."""
    if index.problems:
        at, what = index.problems[0]
        more = f" and {len(index.problems) - 1} more" if len(index.problems) > 1 else ""
        raise VideoError(f"{where}: packet {at}: {what}{more}; the pictures after it would be wrong")
    if index.count and not index.keyframe.any():
        raise VideoError(f"{where}: {index.count} packets and no keyframe; nothing can be decoded")
    back = stream.backwards(clock)
    if back and not index.reorder_delay:
        raise VideoError(
            f"{where}: {back} stamps go back in time on {clock!r} although pictures do not; "
            "their times cannot be trusted, check the recorder's clock"
        )


def _decision_finding(camera: Camera, where: str) -> Finding:
    place_ = f"{where} {camera.pick.feature.key.removeprefix(IMAGES)}"
    if isinstance(camera.decision, Encode):
        return Finding("video-encoded", "info", place_, camera.decision.why)
    text = f"{camera.decision.count} pictures copied"
    if camera.decision.head:
        text += f"; {camera.decision.head} before the first keyframe encoded again"
    if camera.decision.preroll:
        text += f"; {camera.decision.preroll} before the first row kept unused, which LeRobot's streaming reader shows"
    return Finding("video-copied", "info", place_, text)


def _format_findings(camera: Camera, where: str) -> list[Finding]:
    """What a reader pays for a copied stream."""
    if camera.index is None or isinstance(camera.decision, Encode):
        return []
    place_ = f"{where} {camera.pick.feature.key.removeprefix(IMAGES)}"
    found = []
    gop = camera.index.longest_gop
    if gop > LONG_GOP:
        severity: Severity = "warning" if gop > 2 * LONG_GOP else "info"
        text = f"a keyframe every {gop} pictures: one random read decodes about {gop // 2 + 1} of them"
        found.append(
            Finding("video-long-gop", severity, place_, text, "set video copy: never to encode for fast reads")
        )
    if camera.index.formats[0].matrix in TAGGED:
        text = f"tagged {camera.index.formats[0].matrix}, which LeRobot's pyav decoder ignores (torchcodec does not)"
        found.append(Finding("video-colour", "warning", place_, text, "set video copy: never to store BT.601"))
    return found


def _clip(camera: Camera, fps: int, path: str) -> Clip:
    decision = camera.decision
    if isinstance(decision, Encode):
        return _encoded(camera, camera.pick.rows, camera.wish, fps, path, decision.why)
    stream = camera.pick.source.stream
    assert stream.kind == "video"
    assert camera.index is not None
    clock, key = camera.pick.source.clock, camera.pick.feature.key
    if not decision.head:
        return copy(stream, clock, camera.index, decision, key=key, path=path, why="exact")
    why = f"{decision.head} rows before the first keyframe encoded again"
    fine = replace(camera.wish, crf=min(camera.wish.crf, HEAD_CRF))
    head = _encoded(camera, camera.pick.rows[: decision.head], fine, fps, f"{path}.head", why)
    tail = copy(stream, clock, camera.index, decision, key=key, path=f"{path}.tail", why=why)
    return join(head, tail, path)


def _encoded(camera: Camera, rows: Rows, wish: Wish, fps: int, path: str, why: str) -> Clip:
    stream = camera.pick.source.stream
    assert stream.kind in ("image", "video")
    pictures = frames(stream, rows, camera.pick.source.clock, index=camera.index)
    return encode(pictures, wish, fps, count=int(rows.size), key=camera.pick.feature.key, path=path, why=why)
