"""python examples/keyboard_teleop.py OUT: a line is a step: w s a d r f drive the robot, x grips, y and n end it."""

import sys

import numpy as np

from telecine import Recorder
from telecine.recorder.sim.expert import TASKS
from telecine.recorder.sim.play import Play

KEYS = {"w": (1, 0, 0), "s": (-1, 0, 0), "a": (0, 1, 0), "d": (0, -1, 0), "r": (0, 0, 1), "f": (0, 0, -1)}
TASK, FPS, LOW, HIGH = TASKS["pick"](0, 60.0), 20, [0.2, -0.2, 0.02], [0.4, 0.2, 0.3]


class Driven:  # the scene of a scripted task, with commands from keys instead of its script
    arms, thing, position, yaw_rad = TASK.arms, TASK.thing, TASK.position, TASK.yaw_rad
    last, at, width = "", np.array([0.30, 0.0, 0.15]), 0.08

    def commands(self, at_s):
        self.width = 0.08 - self.width if self.last == "x" else self.width
        self.at = np.clip(self.at + np.multiply(0.01, KEYS.get(self.last, (0, 0, 0))), LOW, HIGH)
        return np.array([*TASK.arms[0].reach(self.at, 0.0), self.width])


def main(out, key=lambda: sys.stdin.readline()[:1]):
    driven = Driven()
    with Recorder(out, fps=FPS, mode="append_or_create") as recorder:
        recorder.start_episode(TASK.task)
        for step in Play(driven, fps=FPS, size=(320, 240)).steps(60 * FPS):
            frames = {f"observation.images.{name}": rgb for name, rgb in step.frames.items()}
            recorder.add(step.time_ns, {"observation.state": step.state, "action": step.action, **frames})
            driven.last = key()
            if driven.last in ("y", "n"):
                break
        recorder.end_episode(success=driven.last == "y")


if __name__ == "__main__":
    main(sys.argv[1])
