"""What a simulated episode is written to: a dataset, a run folder, an .rrd or an .mcap file.

All take the same packets of the same encoder, so that what each of them gives can be compared frame by frame.
"""

import base64
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from telecine.core.errors import DatasetError, SourceError, VideoError
from telecine.core.findings import Finding
from telecine.core.grid import SECOND, Times
from telecine.core.recording import Array
from telecine.dataset.claimed_folder import claimed, is_claimable, is_unfinished
from telecine.dataset.staging import Asker, require_writable
from telecine.recorder.recorder import Mode, Recorder
from telecine.recorder.sim.play import Play, SimStep
from telecine.recorder.sim.stamps import StampErrors
from telecine.video.live import LiveClip, clip_packets, write_mp4
from telecine.video.presets import video_settings

SimFormat = Literal["dataset", "run", "rrd", "mcap"]
ROBOT_TYPE = "telecine_sim"
START_NS = 1_768_471_200 * SECOND
"""2026-01-15 10:00:00 UTC: where recordings on a clock of the day begin; the same seed gives the same file."""
STATE, ACTION, IMAGES = "observation.state", "action", "observation.images."


@dataclass(frozen=True, slots=True)
class About:
    """What is said of an episode beside its samples."""

    number: int
    task: str
    seed: int
    fps: int
    stamps: StampErrors = field(default_factory=StampErrors)
    """What is wrong with the stamps of frames, in recordings in which each stream has its own times."""


class Target(Protocol):
    """Where episodes go; one call an episode."""

    def write(self, play: Play, steps: Iterator[SimStep], about: About) -> Path:
        """Play all steps and write them; the path of the recording."""
        ...


class DatasetTarget:
    """Straight into a LeRobot dataset, as a robot's own program would with the recorder."""

    def __init__(self, root: Path, fps: int, names: Sequence[str], mode: Mode) -> None:
        names_of = {STATE: names, ACTION: names}
        self._problem = ""
        # An episode that does not come to its end can be played again.
        self._recorder = Recorder(
            root,
            fps=fps,
            robot_type=ROBOT_TYPE,
            names=names_of,
            mode=mode,
            on_exit="discard",
            on_finding=self._note,
        )

    def write(self, play: Play, steps: Iterator[SimStep], about: About) -> Path:
        """One more episode of the dataset. Raises: DatasetError at once when the disk refuses; nothing waits for it."""
        self._recorder.start_episode(about.task)
        for step in steps:
            cameras = {f"{IMAGES}{name}": rgb for name, rgb in step.frames.items()}
            self._recorder.add(step.time_ns, {STATE: step.state, ACTION: step.action, **cameras})
            if self._problem:
                raise DatasetError(self._problem)
        self._recorder.end_episode(success=play.success)
        return self._recorder.root

    def _note(self, finding: Finding) -> None:
        if finding.code == "record-disk" and finding.severity == "error":
            self._problem = f"{self._recorder.root}: {finding.message.partition(';')[0]}"
        else:
            warnings.warn(str(finding), stacklevel=2)

    def close(self) -> None:
        """Let go of the recorder."""
        self._recorder.close()


@dataclass(frozen=True, eq=False, slots=True)
class Taken:
    """A whole episode: numbers in memory, frames coded on disk."""

    times: Times
    state: Array
    action: Array
    tips: Array
    """(n, arms, 7)."""
    thing: Array
    clips: dict[str, LiveClip]
    names: tuple[str, ...]
    success: bool
    reason: str
    about: About

    @property
    def outcome(self) -> str:
        """As the recorder has it."""
        return "success" if self.success else "failed"


Write = Callable[[Path, Taken], None]


class FileTarget:
    """A folder of recordings, one file or folder an episode, written by `write` when it is over.

    name: of a recording, by its number. A recording appears under it when it is whole.
    """

    def __init__(self, folder: Path, write: Write, name: str) -> None:
        self._folder, self._write, self._name = folder, write, name

    def write(self, play: Play, steps: Iterator[SimStep], about: About) -> Path:
        """One more recording in the folder."""
        clips: dict[str, LiveClip] = {}
        steps_without_frames: list[SimStep] = []
        path = self._folder / self._name.format(about.number)
        unfinished = path.with_name(f".{path.name}")
        try:
            for step in steps:
                for name, rgb in step.frames.items():
                    if name not in clips:
                        clip_path = str(self._folder / f".{about.number:03d}-{name}.clip")
                        clips[name] = LiveClip(name, video_settings("train"), about.fps, clip_path)
                    clips[name].add(rgb)
                steps_without_frames.append(SimStep(step.time_ns, step.state, step.action, step.tips, step.thing, {}))
            for clip in clips.values():
                clip.close()
            _remove(unfinished)
            self._write(unfinished, _taken(play, steps_without_frames, clips, about))
            _remove(path)  # of a run that did not come to its end
            return unfinished.rename(path)
        finally:
            for clip in clips.values():
                with suppress(VideoError):  # that of another camera is on its way
                    clip.close()
                _remove(Path(clip.path))
            _remove(unfinished)


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _taken(play: Play, steps: Sequence[SimStep], clips: dict[str, LiveClip], about: About) -> Taken:
    times = np.array([step.time_ns for step in steps], np.int64)
    state, action = np.array([s.state for s in steps]), np.array([s.action for s in steps])
    tips, thing = np.array([s.tips for s in steps]), np.array([s.thing for s in steps])
    return Taken(times, state, action, tips, thing, clips, play.names, play.success, play.reason, about)


def write_run(run: Path, taken: Taken) -> None:
    """A run folder as RoboSandbox's recorder leaves it; result.json, which marks it as whole, comes last.

    Beyond its layout: names of joints, grippers and camera, further cameras as video.NAME.mp4, several grippers as a
    list.
    """
    about = taken.about
    run.mkdir()
    ident = f"{about.seed:04x}{about.number:04x}"
    grippers = [i for i, name in enumerate(taken.names) if name.endswith("gripper")]
    joints = [i for i in range(len(taken.names)) if i not in grippers]
    header = {
        "episode_id": ident,
        "task": about.task,
        "robot_type": ROBOT_TYPE,
        "joint_names": [taken.names[i] for i in joints],
        "gripper_names": [taken.names[i] for i in grippers],
        "camera": next(iter(taken.clips)),
        "seed": about.seed,
        "source": "telecine record sim",
    }
    (run / "episode.json").write_text(json.dumps(header, indent=2), encoding="utf-8")
    with (run / "events.jsonl").open("w", encoding="utf-8") as file:
        for number in range(len(taken.times)):
            file.write(json.dumps(_line(taken, number, joints, grippers)) + "\n")
    for camera, (name, clip) in enumerate(taken.clips.items()):
        write_mp4(run / ("video.mp4" if not camera else f"video.{name}.mp4"), clip)
    result = {"episode_id": ident, "success": taken.success, "frames": len(taken.times), "reason": taken.reason}
    (run / "result.json").write_text(json.dumps(result, indent=2), encoding="utf-8")


def _line(taken: Taken, number: int, joints: list[int], grippers: list[int]) -> dict[str, Any]:
    state, action, tip = taken.state[number], taken.action[number], taken.tips[number][-1]
    widths = state[grippers].tolist()
    command = action[grippers].tolist()
    return {
        "t": int(taken.times[number]) / SECOND,
        "frame_idx": number,
        "robot_joints": state[joints].tolist(),
        "ee_pose": _pose(tip),
        "gripper_width": widths if len(widths) > 1 else widths[0],
        "objects": {"thing": _pose(taken.thing[number])},
        "action": {"joints": action[joints].tolist(), "gripper": command if len(command) > 1 else command[0]},
    }


def _pose(pose: Array) -> dict[str, list[float]]:
    return {"xyz": pose[:3].tolist(), "quat_xyzw": pose[3:].tolist()}


def write_rrd(path: Path, taken: Taken) -> None:
    """A Rerun recording. Raises: SourceError when rerun-sdk, which writes it, is not installed."""
    try:
        import rerun as rr
    except ImportError as error:
        raise SourceError("writing .rrd needs: pip install 'telecine[rrd]'") from error
    ident = f"sim-{taken.about.seed}-{taken.about.number}"
    stream = rr.RecordingStream("telecine_sim", recording_id=ident, send_properties=False)
    memory = stream.memory_recording()  # where the disk is full, closing a file of rerun-sdk's may wait for ever
    time = rr.TimeColumn("sim_time", duration=taken.times.astype("timedelta64[ns]"))
    for text, entity in ((taken.about.task, "/task"), (taken.outcome, "/outcome"), (taken.reason, "/reason")):
        stream.log(entity, rr.TextDocument(text), static=True)
    for values, entity in ((taken.state, "/joint_states"), (taken.action, "/action")):
        stream.log(entity, rr.SeriesLines(names=list(taken.names)), static=True)
        columns = rr.Scalars.columns(scalars=values.ravel()).partition([values.shape[1]] * len(values))
        stream.send_columns(entity, [time], columns)
    for name, clip in taken.clips.items():
        stamped = taken.about.stamps.stamped(taken.times, name, taken.about.seed)
        shown = rr.TimeColumn("sim_time", duration=stamped.astype("timedelta64[ns]"))
        stream.log(f"/camera/{name}", rr.VideoStream.from_fields(codec=rr.VideoCodec.H264), static=True)
        packets = list(clip_packets(clip.path))
        stream.send_columns(f"/camera/{name}", [shown], rr.VideoStream.columns(sample=packets))
    path.write_bytes(memory.drain_as_bytes())


_VIDEO = {
    "title": "foxglove.CompressedVideo",
    "type": "object",
    "properties": {
        "timestamp": {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}},
        "frame_id": {"type": "string"},
        "data": {"type": "string", "contentEncoding": "base64"},
        "format": {"type": "string"},
    },
}
_NUMBERS = {
    "title": "telecine.Joints",
    "type": "object",
    "properties": {
        "names": {"type": "array", "items": {"type": "string"}},
        "values": {"type": "array", "items": {"type": "number"}},
    },
}
_TEXT = {"title": "telecine.Text", "type": "object", "properties": {"text": {"type": "string"}}}


def write_mcap(path: Path, taken: Taken) -> None:
    """An MCAP file of JSON messages. Raises: SourceError when the mcap library, which writes it, is not installed."""
    try:
        from mcap.writer import Writer
    except ImportError as error:
        raise SourceError("writing .mcap needs: pip install 'telecine[sim]'") from error
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        channels = {}
        for topic, schema in _topics(taken):
            ident = writer.register_schema(schema["title"], "jsonschema", json.dumps(schema).encode())
            channels[topic] = writer.register_channel(topic, "json", ident)
        for topic, time_ns, message in sorted(_messages(taken), key=lambda m: m[1]):
            data = json.dumps(message).encode()
            writer.add_message(channels[topic], log_time=time_ns, publish_time=time_ns, data=data)
        writer.finish()


def _topics(taken: Taken) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (("/task", _TEXT), ("/outcome", _TEXT), ("/joint_states", _NUMBERS), ("/action", _NUMBERS))
    yield from ((f"/camera/{name}", _VIDEO) for name in taken.clips)


def _messages(taken: Taken) -> Iterator[tuple[str, int, dict[str, Any]]]:
    times = (taken.times + START_NS).tolist()
    first = times[0]
    yield "/task", first, {"text": taken.about.task}
    yield "/outcome", first, {"text": taken.outcome}
    names = list(taken.names)
    for number, time_ns in enumerate(times):
        yield "/joint_states", time_ns, {"names": names, "values": taken.state[number].tolist()}
        yield "/action", time_ns, {"names": names, "values": taken.action[number].tolist()}
    for name, clip in taken.clips.items():
        stamped = taken.about.stamps.stamped(taken.times, name, taken.about.seed) + START_NS
        for time_ns, packet in zip(stamped.tolist(), clip_packets(clip.path), strict=True):
            stamp = {"sec": time_ns // SECOND, "nsec": time_ns % SECOND}
            data = base64.b64encode(packet).decode()
            yield f"/camera/{name}", time_ns, {"timestamp": stamp, "frame_id": name, "data": data, "format": "h264"}


WRITERS: dict[SimFormat, tuple[Write, str]] = {
    "run": (write_run, "run_{:03d}"),
    "rrd": (write_rrd, "episode_{:03d}.rrd"),
    "mcap": (write_mcap, "episode_{:03d}.mcap"),
}


@contextmanager
def target(
    kind: SimFormat, out: Path, command: Mapping[str, Any], *, fps: int, names: Sequence[str]
) -> Iterator[Target]:
    """Where episodes of this kind go. What the same `command` left unfinished is replaced, one by one.

    Raises: DatasetError or SourceError when `out` is in use. DatasetError when its disk refuses.
    """
    beside = kind == "dataset"
    if not beside and not is_claimable(out, command):
        raise SourceError(f"{out}: exists and is not empty; name another folder")
    mode: Mode = "overwrite" if beside and is_unfinished(out, command, beside=True) else "new"
    if kind == "dataset":
        require_writable(out, overwrite=mode == "overwrite", asker=Asker())
        with claimed(out, command, beside=True), closing(DatasetTarget(out, fps, names, mode)) as dataset:
            yield dataset
    else:
        with claimed(out, command):
            yield FileTarget(out, *WRITERS[kind])
