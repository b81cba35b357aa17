"""The demo's recordings, written with rerun-sdk as a robot would log them: every sensor at its own rate and phase.

No two streams share a stamp, cameras jitter by milliseconds, one camera runs at 29.97 instead of 30 frames a second.
The same seed gives the same stamps, values and packets.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, closed_on_failure
from telecine.core.grid import SECOND, Times
from telecine.core.stats import Floats
from telecine.samples.arm import JOINTS, PickTask, commanded, random_task, reached
from telecine.samples.scene import COLOURS, front_frame, wrist_frame
from telecine.video.demo_camera import h264_packets

TIMELINE = "real_time"
START_NS = 1_768_471_200 * SECOND
"""2026-01-15 10:00:00 UTC."""
GOP = 10
CAMERA_FPS = 30


@dataclass(frozen=True, slots=True)
class Sensor:
    """When a stream is logged. Times in seconds."""

    number: int
    """Last digit of its stamps in ns, by which no two streams share one."""
    hz: float
    phase_s: float
    jitter_s: float
    """Standard deviation, cut off at three of them."""

    def times(self, seconds: float, rng: np.random.Generator) -> Floats:
        """(n,) increasing seconds from the start of the episode, whole ns."""
        count = int((seconds - self.phase_s - 3 * self.jitter_s) * self.hz) + 1
        noise = np.clip(rng.normal(0, self.jitter_s, count), -3 * self.jitter_s, 3 * self.jitter_s)
        tens = np.round((self.phase_s + np.arange(count) / self.hz + noise) * 1e8).astype(np.int64)
        return (tens * 10 + self.number) / SECOND


TEXT = Sensor(0, 1e-3, 0.0015, 0)
JOINT_STATE = Sensor(1, 200.0, 0.0013, 0.0001)
ACTION = Sensor(2, 50.0, 0.0041, 0.0004)
GRIPPER = Sensor(3, 60.0, 0.0027, 0.0003)
FRONT = Sensor(4, 30.0, 0.0070, 0.0013)
WRIST = Sensor(5, 29.97, 0.0190, 0.0013)


@dataclass(frozen=True, eq=False, slots=True)
class Log:
    """The samples of one entity, in time; `columns` makes rerun's columns of a part of them."""

    stamps: Times
    columns: Callable[[slice], Any]
    statics: Any = None


def write_demo_recordings(folder: str | Path, *, episodes: int = 3, seconds: float = 8.0, seed: int = 0) -> list[Path]:
    """One .rrd file per episode below `folder`, which is made; existing files of the same names are replaced.

    seconds: length of an episode, at least 1.

    Raises: SourceError when rerun-sdk, which writes them, is not installed; ValueError for no or too short episodes;
        OSError when the disk refuses, which leaves the recordings before.
    """
    if episodes < 1 or seconds < 1:
        raise ValueError(f"the demo needs at least 1 episode of at least 1 s, got {episodes} of {seconds:g} s")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_episode(folder, episode, seconds, seed) for episode in range(episodes)]


def _write_episode(folder: Path, episode: int, seconds: float, seed: int) -> Path:
    rng = np.random.default_rng([seed, episode])
    task = random_task(seconds, rng)
    colour = list(COLOURS)[(seed + episode) % len(COLOURS)]
    start_ns = START_NS + episode * round((seconds + 5) * SECOND)
    path = folder / f"episode_{episode:03d}.rrd"
    ident = f"demo-{seed}-{episode}"
    data = _recorded(ident, _logs(task, colour, episode, start_ns, rng))
    with closed_on_failure(lambda: path.unlink(missing_ok=True)):
        path.write_bytes(data)
    return path


def _logs(task: PickTask, colour: str, episode: int, start_ns: int, rng: np.random.Generator) -> dict[str, Log]:
    """Entity path -> what is logged there."""
    rr = _rerun()

    def vectors(sensor: Sensor, values: Callable[[Floats], Floats], noise: float, names: tuple[str, ...]) -> Log:
        times = sensor.times(task.seconds, rng)
        made = values(times)
        made = made + rng.normal(0, noise, made.shape)
        return Log(_stamps(times, start_ns), partial(_scalars, rr, made), rr.SeriesLines(names=list(names)))

    said = f"Pick up the {colour} cube and put it on the tray."
    texts = Log(
        _stamps(TEXT.times(task.seconds, rng), start_ns), lambda rows: rr.TextDocument.columns(text=[said][rows])
    )
    numbers = {
        "/action": vectors(ACTION, lambda t: commanded(task, t), 0.0, (*JOINTS, "gripper")),
        "/observation/joint_positions": vectors(JOINT_STATE, lambda t: reached(task, t)[:, :7], 2e-4, JOINTS),
        "/observation/gripper": vectors(GRIPPER, lambda t: reached(task, t)[:, 7:], 1e-3, ("gripper",)),
    }
    cameras = [("front", FRONT, front_frame), ("wrist", WRIST, wrist_frame)]
    times = [sensor.times(task.seconds, rng) for _, sensor, _ in cameras]

    def camera_log(number: int) -> Log:
        name, _, draw = cameras[number]
        label = f"{name.upper()} EPISODE {episode}"
        drawn = (draw(task, t, colour, f"{label}  {t:05.2f} S") for t in times[number].tolist())
        packets = h264_packets(drawn, CAMERA_FPS, gop=GOP)
        codec = rr.VideoStream.from_fields(codec=rr.VideoCodec.H264)
        stamps = _stamps(times[number], start_ns)
        return Log(stamps, lambda rows: rr.VideoStream.columns(sample=packets[rows]), codec)

    with ThreadPoolExecutor(len(cameras)) as pool:
        logs = list(pool.map(camera_log, range(len(cameras))))
    frames = {f"/camera/{name}": log for (name, _, _), log in zip(cameras, logs, strict=True)}
    return {"/language_instruction": texts, **numbers, **frames}


def _stamps(times: Floats, start_ns: int) -> Times:
    return start_ns + np.round(times * SECOND).astype(np.int64)


def _scalars(rr: Any, values: Floats, rows: slice) -> Any:
    part = values[rows]
    return rr.Scalars.columns(scalars=part.ravel()).partition([part.shape[1]] * len(part))


def _rerun() -> Any:
    try:
        import rerun
    except ModuleNotFoundError as error:
        raise SourceError("the demo writes .rrd recordings, which needs: pip install 'telecine[rrd]'") from error
    return rerun


def _recorded(ident: str, logs: Mapping[str, Log]) -> bytes:
    """Chunks of a second each, the entities in turn, as a live recording has them.

    In memory: where the disk is full, the thread in which rerun-sdk writes files stops, and closing may wait for ever.
    """
    rr = _rerun()
    # Without properties the writer adds no start time of its own: the wall clock would differ in each run.
    stream = rr.RecordingStream("telecine_demo", recording_id=ident, send_properties=False)
    memory = stream.memory_recording()
    for entity, log in logs.items():
        if log.statics is not None:
            stream.log(entity, log.statics, static=True)
    first = min(int(log.stamps[0]) for log in logs.values())
    last = max(int(log.stamps[-1]) for log in logs.values())
    for begin in range(first, last + 1, SECOND):
        for entity, log in logs.items():
            rows = slice(*np.searchsorted(log.stamps, [begin, begin + SECOND]).tolist())
            if rows.start < rows.stop:
                time = rr.TimeColumn(TIMELINE, timestamp=log.stamps[rows].astype("datetime64[ns]"))
                stream.send_columns(entity, [time], log.columns(rows))
    return bytes(memory.drain_as_bytes())
