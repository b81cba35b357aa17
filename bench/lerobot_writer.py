"""LeRobot's own streaming writer on raw pictures: `python bench/lerobot_writer.py OUT h264|av1 FRONT.npy WRIST.npy`.

h264 is its encoder option libx264 superfast at crf 20 with g=2; av1 is its default. Its queue is made long enough
that it drops no frame: at the default length a writer that is fed faster than real time loses some.
"""

import sys
from pathlib import Path

import numpy as np
from lerobot.configs.video import RGBEncoderConfig
from lerobot.datasets.lerobot_dataset import LeRobotDataset

FPS = 30


def main(out: Path, codec: str, arrays: list[Path]) -> None:
    """One episode, statistics included."""
    cameras = {f"observation.images.{path.stem}": np.load(path, mmap_mode="r") for path in arrays}
    numbers = {"dtype": "float32", "shape": (14,), "names": [f"joint_{k}" for k in range(14)]}
    features = {"action": numbers, "observation.state": numbers}
    for key, pictures in cameras.items():
        features[key] = {"dtype": "video", "shape": pictures.shape[1:], "names": ["height", "width", "channels"]}
    encoder = RGBEncoderConfig(vcodec="h264", preset="superfast", crf=20, g=2) if codec == "h264" else None
    count = min(map(len, cameras.values()))
    dataset = LeRobotDataset.create(
        "local/bench",
        FPS,
        features,
        root=out,
        streaming_encoding=True,
        encoder_queue_maxsize=count + 1,
        rgb_encoder=encoder,
    )
    for k in range(count):
        joints = np.sin(k / FPS + np.arange(14)).astype(np.float32)
        pictures = {key: array[k] for key, array in cameras.items()}
        dataset.add_frame({"action": joints, "observation.state": joints, "task": "bench", **pictures})
    dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [Path(name) for name in sys.argv[3:]])
