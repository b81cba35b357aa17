"""telecine's encoder and writer on raw pictures: `python bench/telecine_writer.py OUT FRONT.npy WRIST.npy`.

The counterpart of lerobot_writer.py: the same arrays, one episode, statistics included, no file format in between.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from telecine.conversion.cameras import code, prepare
from telecine.core.plan.model import make_plan
from telecine.core.recording import Image, MemoryStream, Recording, Ref, Schema
from telecine.dataset.writer import DatasetWriter

FPS = 30


class Pictures(Sequence[Image]):
    """An array on disk as raw pictures, each read when its turn comes."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, number: int) -> Image:  # type: ignore[override]
        _, height, width, _ = self.array.shape
        return Image(np.ascontiguousarray(self.array[number]).data.cast("B"), "rgb24", width, height)


def main(out: Path, arrays: list[Path]) -> None:
    """One episode, statistics included."""
    cameras = {path.stem: np.load(path, mmap_mode="r") for path in arrays}
    count = min(map(len, cameras.values()))
    stamps = {"time": np.round(np.arange(count) * 1e9 / FPS).astype(np.int64)}
    joints = np.sin(np.arange(count)[:, None] / FPS + np.arange(14)).astype(np.float32)
    streams = {name: MemoryStream(name, "vector", Schema("float32", (14,)), stamps, joints) for name in ("a", "s")}
    for name, array in cameras.items():
        streams[name] = MemoryStream(name, "image", Schema("uint8", array.shape[1:]), stamps, Pictures(array))
    features = {"action": "a", "observation.state": "s", **{f"observation.images.{name}": name for name in cameras}}
    plan = make_plan({"fps": FPS, "clock": {"timeline": "time"}, "features": features, "task": "bench"})
    with (
        tempfile.TemporaryDirectory(dir=out.parent) as scratch,
        DatasetWriter.create(out, fps=FPS, robot_type=None) as writer,
    ):
        prepared = prepare(Recording(Ref("memory", "arrays"), streams), plan)
        writer.add(code(prepared, plan, Path(scratch), lambda _: None))
        writer.commit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
