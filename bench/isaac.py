"""What a step of Isaac Lab costs with each recorder: one environment, two 320x240 cameras, joints and actions.

    python bench/isaac.py [--steps 150]      # needs the extras `all`, `reference`, and isaaclab: docs/isaaclab.md

Isaac Lab's own recorder manager records the same pictures with its HDF5 handler, with ours, and with ours streaming;
LeRobot's writer takes them in its own loop. Counted is what the recorders do, the export of the episode included, not
the environment: CPU of the simulation's thread, CPU of the whole process with its children, and wall time of the
thread. The least of the episodes counts, each on its own; the first is a warm-up. The manager without an export is a
row of its own, since its copies of everything are in every row of Isaac Lab's. Exit code 1 when a streamed step costs
the simulation's thread more CPU than a fifth of what Isaac Lab's handler and LeRobot's writer take by default.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import isaac_lab
from support.isaac import Env

FPS, HEIGHT, WIDTH, EPISODES = 20, 240, 320, 4
CAMERAS = ("table_cam", "wrist_cam")
Cost = np.ndarray
"""(3,) seconds: CPU of the thread, CPU of the process, wall."""


def main() -> int:
    """Measure all, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150, help="of an episode")
    steps = parser.parse_args().steps
    manager, configs, datasets, terms = isaac_lab.load()
    _one_thread()
    from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler

    def recorded(handler: type, streaming: bool = False, mode: str = "EXPORT_ALL") -> Callable[[Path], list[Cost]]:
        def record(folder: Path) -> list[Cost]:
            cfg = configs.ActionStateRecorderManagerCfg()
            cfg.dataset_export_dir_path, cfg.dataset_filename = str(folder), "set"
            cfg.dataset_file_handler_class_type = handler
            cfg.dataset_export_mode = manager.DatasetExportMode[mode]
            if streaming:
                cfg.lerobot = terms.LeRobotTermCfg(stream_cameras=True, task="bench")
            return _isaac(manager.RecorderManager, cfg, steps)

        return record

    ways = {
        "telecine, streamed": recorded(LeRobotDatasetFileHandler, streaming=True),
        "telecine, at the episode's end": recorded(LeRobotDatasetFileHandler),
        "Isaac Lab's HDF5 handler": recorded(datasets.HDF5DatasetFileHandler),
        "Isaac Lab's manager, exporting nothing": recorded(datasets.HDF5DatasetFileHandler, mode="EXPORT_NONE"),
        "LeRobot, default (AV1)": lambda folder: _lerobot(folder, steps, streaming=False),
        "LeRobot, streaming AV1": lambda folder: _lerobot(folder, steps, streaming=True),
    }
    found = {}
    for name, record in ways.items():
        folder = Path(tempfile.mkdtemp(prefix="telecine-bench-"))
        try:
            found[name] = np.min(record(folder)[1:], axis=0) / steps * 1e3
        finally:
            shutil.rmtree(folder)
        print(f"{name}: {' '.join(f'{ms:.2f}' for ms in found[name])}", file=sys.stderr)
    print(_table(found))
    ours = found["telecine, streamed"]
    others = [found["Isaac Lab's HDF5 handler"], found["LeRobot, default (AV1)"]]
    return 0 if all(5 * ours[0] <= cost[0] for cost in others) else 1


def _one_thread() -> None:
    """Copies of pictures in PyTorch's thread pool would be most of what is measured, and its threads spin."""
    import torch

    torch.set_num_threads(1)


def _table(found: dict[str, Cost]) -> str:
    ours, *_ = found.values()
    lines = [
        "| ms per step | simulation's thread, CPU | whole process, CPU | simulation's thread, wall |",
        "|---|---|---|---|",
    ]
    for name, cost in found.items():
        cells = [
            f"{ms:.2f}" + ("" if cost is ours else f" ({ms / own:.1f}x)") for ms, own in zip(cost, ours, strict=True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _now() -> Cost:
    children = os.times()
    everything = time.process_time() + children.children_user + children.children_system
    return np.array([time.thread_time(), everything, time.perf_counter()])


class _Bench(Env):
    """The tests' environment with pictures, which adds up what its recorder manager takes."""

    def __init__(self, torch, managers, steps: int) -> None:
        self.pictures, self.spent = [torch.as_tensor(p) for p in pictures()], np.zeros(3)
        super().__init__(torch, managers, envs=1, length=steps)

    def observe(self):
        policy = {"joint_pos": self.joints.clone(), "gripper_pos": self.joints[:, -2:].clone()}
        for camera, name in enumerate(CAMERAS):
            policy[name] = self.pictures[(int(self.step_count[0]) + 15 * camera) % len(self.pictures)][None].clone()
        return {"policy": policy}

    def each(self, call):
        began = _now()
        super().each(call)
        self.spent = self.spent + (_now() - began)


def _isaac(manager: type, cfg: object, steps: int) -> list[Cost]:
    """Cost of each episode, export included."""
    import torch

    env, costs = _Bench(torch, [(manager, cfg)], steps), []
    with torch.inference_mode():
        env.reset(torch.arange(1))
        for _ in range(EPISODES):
            env.spent = np.zeros(3)
            for _ in range(steps):
                env.step(torch.tensor([steps]))
            costs.append(env.spent)
    env.each(lambda m: m.close())
    return costs


def _lerobot(folder: Path, steps: int, *, streaming: bool) -> list[Cost]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

    numbers = {"action": 7, "observation.state": 11}
    features = {
        key: {"dtype": "float32", "shape": (n,), "names": [f"{i}" for i in range(n)]} for key, n in numbers.items()
    }
    names = ["height", "width", "channels"]
    for camera in CAMERAS:
        features[f"observation.images.{camera}"] = {"dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": names}
    dataset = LeRobotDataset.create(
        "local/bench", FPS, features, root=folder / "set", streaming_encoding=streaming, encoder_queue_maxsize=steps + 1
    )
    shown, costs = pictures(), []
    for _ in range(EPISODES):
        began = _now()
        for step in range(steps):
            frame = {key: np.full(n, step / FPS, np.float32) for key, n in numbers.items()}
            for camera, name in enumerate(CAMERAS):
                frame[f"observation.images.{name}"] = shown[(step + 15 * camera) % len(shown)]
            dataset.add_frame({**frame, "task": "bench"})
        dataset.save_episode()
        costs.append(_now() - began)
    dataset.finalize()
    return costs


def pictures() -> list[np.ndarray]:
    """Three seconds of pictures with moving edges and sensor noise."""
    rng = np.random.default_rng(0)
    base = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))[..., None] // 5 % 200 + np.array([10, 30, 50])
    noisy = (np.roll(base, 3 * i, axis=1) + rng.normal(0, 3, (HEIGHT, WIDTH, 3)) for i in range(3 * FPS))
    return [np.clip(one, 0, 255).astype(np.uint8) for one in noisy]


if __name__ == "__main__":
    sys.exit(main())
