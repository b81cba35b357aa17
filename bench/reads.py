"""Random reads as in training: `python bench/reads.py DATASET FRONT.npy WRIST.npy` prints JSON.

Single pictures in shuffled order by LeRobot's own torchcodec reader, one after the other and with one thread: what the
threads of a whole row's cameras spend on each other varies more than what is measured. CPU milliseconds per picture,
and PSNR of every seventh row against the pictures that were put in (seventh, so that it meets keyframes and others).
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.video_utils import decode_video_frames

READS = 240


def main(root: Path, arrays: list[Path]) -> None:
    """Measure one dataset of one episode, whose row k shows picture k."""
    torch.set_num_threads(1)
    dataset = LeRobotDataset("local/bench", root=root, video_backend="torchcodec", return_uint8=True)
    keys = [f"observation.images.{path.stem}" for path in arrays]
    originals = [np.load(path, mmap_mode="r") for path in arrays]
    rows = np.random.default_rng(0).integers(0, len(dataset), READS).tolist()
    videos = [root / dataset.meta.get_video_file_path(0, key) for key in keys]

    def shown(some: list[int]) -> None:
        for row in some:
            for video in videos:
                decode_video_frames(video, [row / dataset.fps], 1e-4, "torchcodec", return_uint8=True)

    shown(rows[:10])
    cpu, wall = time.process_time(), time.perf_counter()
    shown(rows)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    pictures = READS * len(keys)
    print(
        json.dumps(
            {
                "cpu_ms": 1000 * cpu / pictures,
                "wall_ms": 1000 * wall / pictures,
                "psnr_db": psnr(dataset, keys, originals),
                "bytes": sum(path.stat().st_size for path in root.rglob("*.mp4")) / len(dataset) / len(keys),
            }
        )
    )


def psnr(dataset: LeRobotDataset, keys: list[str], originals: list[np.ndarray]) -> float:
    """Mean over the pictures, of RGB against RGB, in dB."""
    values = []
    for row in range(0, len(dataset), 7):
        item = dataset[row]
        for key, pictures in zip(keys, originals, strict=True):
            shown = item[key].permute(1, 2, 0).numpy().astype(np.float64)
            error = np.mean((shown - pictures[row]) ** 2)
            values.append(10 * np.log10(255**2 / error))
    return float(np.mean(values))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
