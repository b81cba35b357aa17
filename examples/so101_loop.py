"""python examples/so101_loop.py OUT: a leader arm moves a follower, two cameras watch; here all are imitations."""

import sys
import time

import numpy as np

from telecine import Recorder

JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]


def read_arm() -> np.ndarray:
    """What the driver of a real arm gives: positions in degrees."""
    return 30 * np.sin(time.monotonic() + np.arange(len(JOINTS)))


def read_camera(step: int) -> np.ndarray:
    """What the driver of a real camera gives: (height, width, 3) uint8, red first."""
    return np.full((48, 64, 3), step % 256, np.uint8)


def main(out: str, seconds: float = 2.0, fps: int = 30) -> None:
    names = {"observation.state": JOINTS, "action": JOINTS}
    with Recorder(out, fps=fps, robot_type="so101", names=names, mode="append_or_create", progress=True) as recorder:
        recorder.start_episode("put the pen in the cup")
        for step in range(round(seconds * fps)):
            sample = {"action": read_arm(), "observation.state": read_arm()}
            cameras = {"observation.images.front": read_camera(step), "observation.images.wrist": read_camera(step)}
            recorder.add(time.monotonic_ns(), {**sample, **cameras})
            time.sleep(1 / fps)
        recorder.end_episode(success=True)


if __name__ == "__main__":
    main(sys.argv[1])
