"""Recordings of a robot whose every value says when it was measured, and whose pictures carry their number.

Stamps are real: joints at 200 Hz, action at 50 Hz, cameras with jitter, no two streams on one stamp. Element 0 of
every vector is its own time in seconds since `ORIGIN_NS`, so a shift of one tick shows.
"""

from dataclasses import dataclass

import numpy as np

from support.memory import every
from support.pictures import draw_frame_id, raw_picture, to_jpeg, to_png
from support.rrd import Custom, Encoded, Raw, Texts, Vectors, Video, write_rrd
from support.video import svtav1, x264, x265

ORIGIN_NS = 1_760_000_000_000_000_000
SIZE = (128, 96)
LEAD_S = 0.3
"""Joints and action run from this long before the first picture to this long after the last."""


@dataclass(frozen=True)
class Camera:
    """One camera: when each picture was taken, and how it is stored.

    times: (n,) ns from ORIGIN_NS; numbers: what each picture shows, n of them (default 0, 1, ...).
    """

    times: object
    store: str = "x264"
    numbers: object = None
    ordinal: int = 0
    gop: int = 10
    stamps: object = None
    """As logged, when it differs from `times` (arrival order, duplicates)."""


def jittered(count, *, fps=30.0, start_s=0.5, jitter_ms=4.0, seed=0):
    """(n,) ns: a camera at `fps` whose stamps are off by up to `jitter_ms`."""
    reach = int(jitter_ms * 1e6)
    noise = np.random.default_rng(seed).integers(-reach, reach + 1, count) if reach else 0
    return round(start_s * 1e9) + np.round(np.arange(count) * 1e9 / fps).astype(np.int64) + noise


def logged_camera(camera, episode):
    """What `write_rrd` logs of a camera."""
    count = len(camera.times)
    numbers = range(count) if camera.numbers is None else camera.numbers
    shots = [draw_frame_id(int(n) % 65536, episode, camera.ordinal, *SIZE) for n in numbers]
    stamps = ORIGIN_NS + np.asarray(camera.times if camera.stamps is None else camera.stamps, np.int64)
    match camera.store:
        case "jpeg":
            return Encoded(stamps, [to_jpeg(s) for s in shots])
        case "png":
            return Encoded(stamps, [to_png(s) for s in shots], media_type="image/png")
        case "rgb24" | "bgr24" | "nv12" | "yuyv422" as encoding:
            return Raw(stamps, [raw_picture(s, encoding).data for s in shots], *SIZE, encoding=encoding)
        case _:
            packets, codec = coded(camera, episode, count)
            return Video(stamps, packets, codec=codec)


def coded(camera, episode, count):
    """Packets in decode order and their codec."""
    # Small files: processes that LeRobot's DataLoader forks share an open decoder, and read nonsense past its buffer.
    common = {"episode": episode, "numbers": camera.numbers, "gop": camera.gop, "crf": 38}
    match camera.store:
        case "x264":
            return x264(count, **common), "h264"
        case "x264-b":
            return x264(count, bframes=2, **common), "h264"
        case "x265":
            return x265(count, params="open-gop=0", **common), "hevc"
        case "av1":
            return svtav1(count, params="pred-struct=1", **common), "av1"
    raise ValueError(camera.store)


def joints(stop_s, *, hz=200.0, start_s=0.5 - LEAD_S, width=3):
    """(times, values): element 0 is the time in s, the others functions of it."""
    times = every(hz, stop_s, start_s)
    t = times / 1e9
    return times, np.stack([t, *(np.sin(t * (j + 1)) for j in range(width - 1))], axis=1)


def write_robot(path, cameras, *, episode=0, stop_s=None, start_s=0.5 - LEAD_S, tasks=None, extra=None, **options):
    """One recording; `cameras` maps names to `Camera`. Joints are 1.3 ms off the action, neither on a frame.

    Files of one id are one recording, so give each file of a folder an `episode` of its own, or a `recording_id`.
    """
    if stop_s is None:
        stop_s = max(float(np.max(c.times)) for c in cameras.values()) / 1e9 + LEAD_S
    state_times, state = joints(stop_s, start_s=start_s)
    action_times, action = joints(stop_s, hz=50.0, start_s=start_s + 0.0013, width=2)
    tasks = tasks if tasks is not None else {start_s: f"task {episode}"}
    said = np.array([round(s * 1e9) for s in tasks], np.int64)
    logged = {
        "/joints": Vectors(ORIGIN_NS + state_times, state, names=("time", "sin1", "sin2")),
        "/action": Vectors(ORIGIN_NS + action_times, action),
        "/task": Texts(ORIGIN_NS + said, list(tasks.values())),
        **{f"/camera/{name}": logged_camera(camera, episode) for name, camera in cameras.items()},
        **(extra or {}),
    }
    return write_rrd(path, logged, **{"recording_id": f"episode-{episode}", **options})


def robot_plan(*cameras, fps=30, **rest):
    """The plan for `write_robot`, as plain values."""
    features = {
        "action": "/action",
        "observation.state": "/joints",
        **{f"observation.images.{name}": f"/camera/{name}" for name in cameras},
        **rest.pop("features", {}),
    }
    clock = {"timeline": "real_time", **rest.pop("clock", {})}
    return {"fps": fps, "clock": clock, "features": features, "task": {"from": "/task"}, **rest}


def mode_signal(stop_s, start_s=0.5 - LEAD_S):
    """A bool and a text stream: extra features of other types."""
    times = every(10.0, stop_s, start_s)
    return {
        "/gripper_closed": Custom(ORIGIN_NS + times, "robot.Gripper", {"closed": np.arange(len(times)) % 2}),
        "/phase": Texts(ORIGIN_NS + times, [f"phase {i // 5}" for i in range(len(times))]),
    }
