"""Random reads as in training: `python bench/reads.py DATASET FRONT.npy WRIST.npy` prints JSON.

Single rows in shuffled order through LeRobot's own dataset and its torchcodec decoder; CPU milliseconds per picture,
and PSNR of every seventh row against the pictures that were put in (seventh, so that it meets keyframes and others).
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

READS = 240


def main(root: Path, arrays: list[Path]) -> None:
    """Measure one dataset of one episode, whose row k shows picture k."""
    dataset = LeRobotDataset("local/bench", root=root, video_backend="torchcodec", return_uint8=True)
    keys = [f"observation.images.{path.stem}" for path in arrays]
    originals = [np.load(path, mmap_mode="r") for path in arrays]
    rows = np.random.default_rng(0).integers(0, len(dataset), READS).tolist()
    for row in rows[:10]:
        dataset[row]
    cpu, wall = time.process_time(), time.perf_counter()
    for row in rows:
        dataset[row]
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
