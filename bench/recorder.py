"""What a control step costs its caller: two 640x480 cameras, 30 steps a second, paced like a robot.

    python bench/recorder.py [--seconds 10] [--busy] [--unpaced] [--only NAME ...]

telecine's recorder beside LeRobot's two ways and a bare copy of the same frames into a ring of memory, in one run,
each in a process of its own. Prints the time that adding takes the caller (wall and its thread's CPU), what an
episode's end takes, and how many of the frames given are not in the videos, with the load of the machine.
--busy keeps every core busy with other processes meanwhile.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import av
import numpy as np

FPS = 30
WARM_UP_S = 1.0
CAMERAS = ("observation.images.front", "observation.images.wrist")


def main() -> None:
    """Each way in turn; the ratio to the bare copy beside it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--unpaced", action="store_true", help="steps as fast as they can be taken")
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.seconds, paced=not given.unpaced)))
        return
    others = [multiprocessing.Process(target=spin, daemon=True) for _ in range(os.cpu_count() or 1) if given.busy]
    for other in others:
        other.start()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores{', all kept busy' if given.busy else ''}")
    print(
        "way                      wall median    99 %   CPU median    99 %   end wall   caller's CPU (ms)   frames lost"
    )
    for way in given.only:
        command = [sys.executable, __file__, "--one", way, "--seconds", str(given.seconds)]
        command += ["--unpaced"] if given.unpaced else []
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(ran.stdout.strip().splitlines()[-1])
        print(f"{way:24} " + "   ".join(f"{value * 1e3:8.2f}" for value in row[:-1]) + f"   {row[-1]:4.0f}")
    for other in others:
        other.terminate()


def spin() -> None:
    """Keep a core busy."""
    while True:
        pass


def measured(way: str, seconds: float, *, paced: bool) -> list[float]:
    """[wall median, 99 %, CPU median, 99 %, end wall, end CPU] in s of an episode after a short one; lost frames."""
    warnings.simplefilter("ignore")
    frames = _frames()
    with tempfile.TemporaryDirectory() as folder:
        add, end = WAYS[way](Path(folder) / "set")
        for length in (WARM_UP_S, seconds):
            spent = np.array([_step(add, number, frames) for number in _steps(length, paced=paced)])
            began, own = time.perf_counter(), time.thread_time()
            end()
            ended = [time.perf_counter() - began, time.thread_time() - own]
        lost = len(CAMERAS) * sum(int(length * FPS) for length in (WARM_UP_S, seconds)) - _in_videos(Path(folder))
    wall, cpu = (np.percentile(spent[:, column], [50, 99]).tolist() for column in (0, 1))
    return [*wall, *cpu, *ended, lost if way != "bare copy" else 0]


def _in_videos(folder: Path) -> int:
    """Frames of all videos below the folder."""
    count = 0
    for path in folder.rglob("*.mp4"):
        with av.open(str(path)) as video:
            count += sum(packet.size > 0 for packet in video.demux(video=0))
    return count


def telecine(root: Path):
    from telecine import Recorder

    recorder = Recorder(root, fps=FPS)
    recorder.start_episode("bench")

    def end():
        recorder.end_episode()
        recorder.start_episode("bench")

    return lambda number, sample: recorder.add(number * 10**9 // FPS, sample), end


def lerobot(root: Path, *, streaming: bool):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    numbers = {"dtype": "float32", "shape": (14,), "names": None}
    video = {"dtype": "video", "shape": (480, 640, 3), "names": ["height", "width", "channels"]}
    features = {"observation.state": numbers, "action": numbers, **dict.fromkeys(CAMERAS, video)}
    options = {"streaming_encoding": True} if streaming else {"image_writer_threads": 8}
    dataset = LeRobotDataset.create("local/bench", FPS, features, root=root, **options)
    return lambda _, sample: dataset.add_frame({**sample, "task": "bench"}), dataset.save_episode


def bare_copy(_: Path):
    ring = np.empty((len(CAMERAS), 64, 480, 640, 3), np.uint8)

    def add(number, sample):
        for camera, key in enumerate(CAMERAS):
            np.copyto(ring[camera, number % 64], sample[key])

    return add, lambda: None


WAYS = {
    "bare copy": bare_copy,
    "telecine": telecine,
    "LeRobot, streaming": lambda root: lerobot(root, streaming=True),
    "LeRobot, image files": lambda root: lerobot(root, streaming=False),
}


def _steps(seconds: float, *, paced: bool):
    began = time.perf_counter()
    for number in range(int(seconds * FPS)):
        time.sleep(max(began + number / FPS - time.perf_counter(), 0) if paced else 0)
        yield number


def _step(add, number, frames):
    numbers = np.full(14, number / FPS, np.float32)
    sample = {"observation.state": numbers, "action": numbers}
    for camera, key in enumerate(CAMERAS):
        sample[key] = frames[(number + 15 * camera) % len(frames)]
    wall, own = time.perf_counter(), time.thread_time()
    add(number, sample)
    return time.perf_counter() - wall, time.thread_time() - own


def _frames():
    """A second of frames with moving edges and sensor noise."""
    rng = np.random.default_rng(0)
    base = np.add.outer(np.arange(480), np.arange(640))[..., None] // 5 % 200 + np.array([10, 30, 50])
    return [
        np.clip(np.roll(base, 7 * i, axis=1) + rng.normal(0, 4, (480, 640, 3)), 0, 255).astype(np.uint8)
        for i in range(FPS)
    ]


if __name__ == "__main__":
    main()
