"""Recordings like those that rerun_export's documents speak of: no two streams share a stamp.

Every number is a function of time, and every picture carries its number, so that a shift of one row shows.
"""

from pathlib import Path

import numpy as np

from support import rrd
from support.video import x264

START_NS = 1_700_000_000_000_000_000
CAMERA_HZ = 15
PICTURES = 48
"""3.2 s of camera; the other streams are a little longer."""
NAMES = ("joint_0", "joint_1", "joint_2", "gripper")
ENTITIES = {
    "action": ("/action", "/action/joint_positions", "/robot/action"),
    "state": ("/observation/joint_positions", "/robot/state"),
    "task": ("/language_instruction", "/task"),
}
"""Under these names the seeds' commands and script ask for the streams."""


def stamps(hz, seconds, offset_ns, seed):
    """(n,) int64: `hz` with 10 % jitter, all on a lattice of 1000 ns + `offset_ns`, so never on another stream's."""
    step = 1e9 / hz
    jitter = np.random.default_rng(seed).uniform(-0.1, 0.1, int(seconds * hz))
    times = np.round((np.arange(int(seconds * hz)) + jitter) * step / 1000).astype(np.int64) * 1000
    return START_NS + 2_000_000_000 + times + offset_ns


def value_at(times, element):
    """What element `element` of any vector is at `times`: seconds since START_NS, and 100 per element."""
    return (np.asarray(times) - START_NS) / 1e9 + 100 * element


def vectors(times, width=4):
    return np.stack([value_at(times, j) for j in range(width)], axis=1)


def write(path: Path, episode: int, *, recording_id: str, cameras=("front", "wrist"), packets=None) -> Path:
    """One recording; the two cameras show the same pictures, taken half a period apart."""
    logged: dict[str, object] = {}
    for name in ENTITIES["action"]:
        times = stamps(50, 3.5, 1, episode)
        logged[name] = rrd.Vectors(times, vectors(times))
    for name in ENTITIES["state"]:
        times = stamps(200, 3.5, 2, episode + 10)
        logged[name] = rrd.Vectors(times, vectors(times))
    for name in ENTITIES["task"]:
        logged[name] = rrd.Texts(np.array([START_NS + 2_000_000_003]), [f"pick the cube {episode}"])
    packets = x264(PICTURES, gop=15, episode=episode) if packets is None else packets
    for number, camera in enumerate(cameras):
        times = stamps(CAMERA_HZ, PICTURES / CAMERA_HZ, 4 + number, episode + 20 + number)
        logged[f"/camera/{camera}"] = rrd.Video(times, packets)
    return rrd.write_rrd(path, logged, recording_id=recording_id)


def write_folder(folder: Path, episodes: int = 2) -> Path:
    """`episodes` recordings in a folder."""
    for episode in range(episodes):
        write(folder / f"episode_{episode}.rrd", episode, recording_id=f"rec_{episode}")
    return folder
