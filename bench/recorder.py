"""What a control step costs with telecine's recorder: two 640x480 cameras, 30 steps a second, paced like a robot.

    python bench/recorder.py [--seconds 20]

Prints the time that `add` takes the caller (wall and its thread's CPU), and what an episode's end takes.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from telecine import Recorder

FPS = 30


def main() -> None:
    """Record one warm-up second and one measured episode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    pictures = _pictures()
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder) / "set", fps=FPS) as recorder:
        for seconds in (1.0, given.seconds):
            recorder.start_episode("bench")
            spent = np.array([_step(recorder, number, pictures) for number in _paced(seconds)])
            began = time.perf_counter()
            recorder.end_episode()
            ended = time.perf_counter() - began
    for name, column in (("wall", spent[:, 0]), ("CPU of the caller's thread", spent[:, 1])):
        median, p95, p99 = np.percentile(column * 1e3, [50, 95, 99])
        print(f"add, {name}: median {median:.2f} ms, 95 % {p95:.2f} ms, 99 % {p99:.2f} ms")
    print(f"end_episode: {ended:.2f} s for {given.seconds:.0f} s of two cameras")


def _paced(seconds: float):
    began = time.perf_counter()
    for number in range(int(seconds * FPS)):
        time.sleep(max(began + number / FPS - time.perf_counter(), 0))
        yield number


def _step(recorder, number, pictures):
    sample = {"observation.state": np.full(14, number / FPS), "action": np.full(14, number / FPS)}
    for camera, name in enumerate(("front", "wrist")):
        sample[f"observation.images.{name}"] = pictures[(number + 15 * camera) % len(pictures)]
    wall, own = time.perf_counter(), time.thread_time()
    recorder.add(number * 10**9 // FPS, sample)
    return time.perf_counter() - wall, time.thread_time() - own


def _pictures():
    """A second of pictures with moving edges and sensor noise."""
    rng = np.random.default_rng(0)
    base = np.add.outer(np.arange(480), np.arange(640))[..., None] // 5 % 200 + np.array([10, 30, 50])
    return [
        np.clip(np.roll(base, 7 * i, axis=1) + rng.normal(0, 4, (480, 640, 3)), 0, 255).astype(np.uint8)
        for i in range(FPS)
    ]


if __name__ == "__main__":
    main()
