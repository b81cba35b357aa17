"""Runs of RoboSandbox: a folder with episode.json, events.jsonl, result.json and video.mp4.

Time is `t` of events.jsonl, seconds of simulated time. The video's own clock is not used: its recorder keeps frames
at 28 or 29 Hz and labels them 30, so frame i belongs to line i and to nothing else.
Format: `LocalRecorder` of github.com/amarrmb/robosandbox, commit 0a4d084; `telecine record sim` writes it too, with
further cameras as video.NAME.mp4 and the names of joints and grippers in episode.json.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from telecine.core.errors import SourceError, VideoError
from telecine.core.findings import Finding
from telecine.core.grid import SECOND, Times
from telecine.core.naming import MOST_NAMED
from telecine.core.quality_checks import is_small, small_text
from telecine.core.recording import Buffer, ClockKind, MemoryStream, Recording, Ref, Schema, Stream
from telecine.core.text.numbers import counted, counted_of
from telecine.sources.format import Found
from telecine.sources.robosandbox.events import Events, Series, read_events
from telecine.sources.shared.confinement import confined
from telecine.video import demux

NAME = "robosandbox"
SUFFIXES = ("events.jsonl",)
CLOCK = "sim"
CAMERA = "scene"
"""The camera of video.mp4, as RoboSandbox's own exporter names it, unless episode.json has another `camera`."""
_FILES = ("events.jsonl", "episode.json", "result.json")
"""What a run folder is recognised by; the first that exists stands for all."""
_HEAD_BYTES = 4096
_RECORDER_HZ = 30
_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
_JOINTS = {
    "franka_panda": tuple(f"panda_joint{i}" for i in range(1, 8)),
    "so100": ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll"),
}
"""Names by robot_type, for the arms that RoboSandbox comes with."""


def claims(path: str) -> bool:
    """True for the file that stands for a run folder; the others in it are read with it."""
    file = Path(path)
    if file.name not in _FILES or any((file.parent / n).is_file() for n in _FILES[: _FILES.index(file.name)]):
        return False
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    if file.name == "events.jsonl":
        return b'"robot_joints"' in head or (not head and _is_ours(file.parent / "episode.json"))
    return b'"episode_id"' in head


def _is_ours(path: Path) -> bool:
    return path.is_file() and confined(path.parent).holds(path) and b'"episode_id"' in path.read_bytes()[:_HEAD_BYTES]


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """The run that the file at `path` belongs to, named by its folder; see `Format.index`."""
    del token
    folder = Path(path).parent
    inside, videos = confined(folder), _videos(folder)
    for part in (*(folder / name for name in _FILES), *videos.values()):
        inside.check(part)
    events = folder / "events.jsonl"
    if not events.is_file():
        missing = [n for n in (*_FILES, "video.mp4") if not (folder / n).is_file()]
        raise SourceError(
            f"a run of RoboSandbox's recorder has episode.json, events.jsonl, result.json and video.mp4; "
            f"{', '.join(missing)} missing in {folder}"
        )
    if not events.stat().st_size:
        result, _ = _json(folder / "result.json")
        reason = f" ({_reason(result)})" if result and _reason(result) else ""
        text = f"the run ended before its first step: events.jsonl is empty, outcome {_outcome(result)}{reason}"
        return Found(findings=(Finding("source-empty", "error", str(folder), text, "remove it, or record again"),))
    size = sum(p.stat().st_size for p in [events, *videos.values()])
    return Found((Ref(NAME, str(folder), size_bytes=size, recover=recover),))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The run `ref` names. events.jsonl, a small file, is read whole; videos are not touched; see `Format.open`."""
    folder = Path(ref.path)
    events = read_events(folder / "events.jsonl")
    if not events.times.size:
        raise SourceError(f"{ref.label}: events.jsonl holds no whole line")
    stored, bad_episode = _json(folder / "episode.json")
    result, bad_result = _json(folder / "result.json")
    episode = stored or {}
    streams = {
        s.name: s for s in (*_vectors(events, episode), *_texts(episode, result), *_cameras(folder, events, episode))
    }
    notes = [*bad_episode, *bad_result, *_notes(folder, events, episode, result), *_small(streams)]
    attrs = _attrs(episode, result, events)
    return Recording(ref, streams, attrs, tuple(notes), features=_features(streams))


def _small(streams: Mapping[str, Stream]) -> Iterator[tuple[str, str]]:
    for stream in streams.values():
        if isinstance(stream, RunVideo) and is_small(stream.track.width, stream.track.height):
            yield "look-small", f"{stream.path.name}: {small_text(stream.track.width, stream.track.height)}"


def _json(path: Path) -> tuple[dict[str, Any] | None, list[tuple[str, str]]]:
    """A JSON object, or None and a note when there is none that can be read."""
    try:
        content = json.loads(path.read_bytes())
    except OSError:
        return None, []
    except (ValueError, RecursionError) as error:
        return None, [("source-truncated", f"{path.name} cannot be read as JSON: {error}")]
    if not isinstance(content, dict):
        return None, [("source-truncated", f"{path.name} holds {type(content).__name__}, expected an object")]
    return content, []


def _videos(folder: Path) -> dict[str, Path]:
    """Camera -> file: video.mp4, then video.NAME.mp4."""
    found = {CAMERA: folder / "video.mp4"} if (folder / "video.mp4").is_file() else {}
    more = sorted(p for p in folder.glob("video.*.mp4") if p.is_file())
    return found | {p.name.removeprefix("video.").removesuffix(".mp4"): p for p in more}


def _outcome(result: Mapping[str, Any] | None) -> Literal["success", "failed", "interrupted", "unknown"]:
    """What became of the run. The viewer stores false whatever happened, so that is no verdict."""
    if result is None or result.get("reason") == "aborted":
        return "interrupted"
    if result.get("reason") in ("stopped_by_user", "task switched"):
        return "unknown"
    success = result.get("success")
    return "success" if success is True else "failed" if success is False else "unknown"


def _reason(result: Mapping[str, Any]) -> str:
    parts = [result.get(key) for key in ("reason", "final_reason", "reason_detail", "detail", "final_detail")]
    return ": ".join(p.strip() for p in parts if isinstance(p, str) and p.strip())


def _vectors(events: Events, episode: Mapping[str, Any]) -> Iterator[Stream]:
    joints = _names(episode, "joint_names", events.joints, _JOINTS.get(str(episode.get("robot_type"))), "joint")
    grippers: tuple[str, ...] | None = ()
    yield _vector("/robot_joints", events.joints, joints, "rad")
    if events.gripper is not None:
        grippers = _names(episode, "gripper_names", events.gripper, None, "gripper")
        yield _vector("/gripper_width", events.gripper, grippers)
    names = None if joints is None or grippers is None else (*joints, *grippers)
    if events.action is not None:
        width = events.action.values.shape[1]
        yield _vector("/action", events.action, names if names and len(names) == width else None)
    state = events.state
    yield _vector("/same_state", state, names)
    if state.times.size > 1:
        yield _vector("/next_state", Series(state.times[:-1], state.values[1:]), names)
    if events.end_effector is not None:
        yield _vector("/ee_pose", events.end_effector, _POSE)
    for name, series in events.objects.items():
        yield _vector(f"/objects/{name}", series, _POSE)


def _names(
    episode: Mapping[str, Any], key: str, series: Series, known: tuple[str, ...] | None, stem: str
) -> tuple[str, ...] | None:
    """One name an element: from episode.json, else from the robot's type, else numbered; None for too many."""
    width, given = series.values.shape[1], episode.get(key)
    if width > MOST_NAMED:
        return None
    if isinstance(given, list) and len(given) == width and len({str(n) for n in given}) == width:
        return tuple(str(n) for n in given)
    if known is not None and len(known) == width:
        return known
    return (stem,) if stem == "gripper" and width == 1 else tuple(f"{stem}_{i}" for i in range(width))


def _vector(name: str, series: Series, names: tuple[str, ...] | None, unit: str | None = None) -> Stream:
    schema = Schema("float64", series.values.shape[1:], names, unit)
    return _Stamped(name, "vector", schema, {CLOCK: series.times}, series.values, "duration")


def _texts(episode: Mapping[str, Any], result: Mapping[str, Any] | None) -> Iterator[Stream]:
    yield _text("/outcome", _outcome(result))
    if isinstance(task := episode.get("task"), str) and task.strip():
        yield _text("/task", task.strip())
    if result is not None and _reason(result):
        yield _text("/reason", _reason(result))


def _text(name: str, text: str) -> Stream:
    return _Stamped(name, "text", Schema("string"), {}, [text])


class _Stamped(MemoryStream):
    """A stream in memory that knows its clocks by name."""

    def times(self, clock: str) -> Times:
        """(n,) int64 ns. Raises: SourceError for any clock but `CLOCK`."""
        if not self.static and clock not in self.stamps:
            raise SourceError(f"{self.name} has no timestamps on {clock!r}; runs of RoboSandbox have {CLOCK!r}")
        return super().times(clock)


def _cameras(folder: Path, events: Events, episode: Mapping[str, Any]) -> Iterator[Stream]:
    first = episode.get("camera")
    for name, path in _videos(folder).items():
        if name == CAMERA and isinstance(first, str) and first.isidentifier():
            name = first
        try:
            yield RunVideo(f"/{name}", path, demux.track(str(path)), events.times)
        except VideoError as error:
            raise SourceError(f"{error}; remove {path.name} to convert the run without this camera") from error


@dataclass(frozen=True, eq=False, slots=True)
class RunVideo:
    """A video of a run: frame i was taken with line i of events.jsonl."""

    name: str
    path: Path
    track: demux.Track
    stamps: Times
    kind: Literal["video"] = "video"
    static: bool = False

    @property
    def schema(self) -> Schema:
        """As the file's header says."""
        return Schema("uint8", (self.track.height, self.track.width, 3), encoding=self.track.codec)

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """Simulated time only."""
        return {CLOCK: "duration"}

    def times(self, clock: str) -> Times:
        """(n,) int64 ns. Raises: SourceError for any clock but `CLOCK`."""
        if clock != CLOCK:
            raise SourceError(f"{self.name} has no timestamps on {clock!r}; runs of RoboSandbox have {CLOCK!r}")
        return self.stamps

    def backwards(self, clock: str) -> int:
        """0: events.jsonl was checked."""
        del clock
        return 0

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Access units [start, stop).

        Raises: SourceError when there are not as many frames as lines: then nobody knows which belongs to which.
        """
        self.times(clock)
        number = 0
        last = self.stamps.size if stop is None else stop
        try:
            for number, packet in enumerate(demux.packets(str(self.path)), 1):
                if start < number <= min(last, self.stamps.size):
                    yield packet
                elif number > last and last < self.stamps.size:
                    return
        except VideoError as error:
            raise SourceError(str(error)) from error
        if number != self.stamps.size and last >= self.stamps.size:
            raise SourceError(
                f"{self.path}: {counted(number, 'frame')} for {counted(self.stamps.size, 'line')} of "
                "events.jsonl, so which belongs to "
                "which is unknown; remove the file to convert the run without this camera"
            )


def _features(streams: Mapping[str, Stream]) -> dict[str, tuple[str, ...]]:
    """What RoboSandbox's own exporter makes of a run."""
    state = tuple(n for n in ("/robot_joints", "/gripper_width") if n in streams)
    action = next((n for n in ("/action", "/next_state") if n in streams), None)
    features = {"observation.state": state} | ({"action": (action,)} if action else {})
    features |= {f"observation.images.{s.name[1:]}": (s.name,) for s in streams.values() if s.kind == "video"}
    return features


def _attrs(episode: Mapping[str, Any], result: Mapping[str, Any] | None, events: Events) -> dict[str, str]:
    keys = ("task", "robot_type", "started_at", "source", "example", "seed", "task_name", "episode_id")
    attrs = {key: str(episode[key]) for key in keys if isinstance(episode.get(key), str | int)}
    attrs["outcome"] = _outcome(result)
    if result is not None and _reason(result):
        attrs["reason"] = _reason(result)
    if _asked_for_30(episode.get("sim_dt"), events.times):
        attrs["fps"] = str(_RECORDER_HZ)
    return attrs


def _asked_for_30(sim_dt: Any, times: Times) -> bool:
    """True when the distance of lines is what the recorder's rule makes of 30 Hz.

    It keeps a step as soon as 1/30 s has passed since the last one kept, so that the distance is a whole number of
    simulation steps: 0.034 s for steps of 2 ms, 0.035 s for 5 ms.
    """
    if not isinstance(sim_dt, float) or not 1e-5 < sim_dt < 1 / _RECORDER_HZ or times.size < 3:
        return False
    kept = math.ceil(1 / _RECORDER_HZ / sim_dt - 1e-9) * sim_dt
    return abs(int(np.median(np.diff(times))) - kept * SECOND) < 1000


def _notes(
    folder: Path, events: Events, episode: Mapping[str, Any], result: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    count = events.times.size
    if events.torn:
        yield "source-truncated", f"events.jsonl ends within a line; {counted(count, 'whole line')} before it"
    if not (folder / "result.json").is_file():
        yield "source-truncated", f"no result.json: the run was interrupted after {counted(count, 'step')}"
    elif result is not None and isinstance(result.get("frames"), int) and result["frames"] != count:
        yield (
            "source-metadata",
            f"result.json tells of {counted(result['frames'], 'frame')}, events.jsonl holds {count}",
        )
    if not (folder / "video.mp4").is_file():
        yield "source-truncated", "no video.mp4: the run has no camera"
    if not (folder / "episode.json").is_file():
        yield "source-truncated", "no episode.json: task, robot and start are unknown"
    if result is not None and episode and result.get("episode_id") != episode.get("episode_id"):
        yield "source-metadata", "episode.json and result.json carry different episode ids: files of two runs?"
    if episode.get("source") == "viewer":
        yield (
            "source-metadata",
            f"recorded in the viewer, which stores the task's name for its text: {episode.get('task')!r}",
        )
    if events.action is None:
        yield (
            "action-missing",
            "no action was recorded; a plan can take /next_state (the state one sample later) or /same_state instead",
        )
    elif events.action.times.size < count:
        yield (
            "action-missing",
            f"{counted_of(count - events.action.times.size, count, 'line', 'holds', 'hold')} no action",
        )
