"""Datasets to edit: `python bench/edit_sets.py OUT EPISODES [COPIES]`: 300 rows, cameras of 320x240 and 640x480.

All episodes show the same ten seconds, which are encoded once; their numbers differ. With COPIES the dataset is that
of so many copies of it, whose videos are links, so that ten thousand episodes take no hour and no disk.
"""

import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
from pictures import FPS, scene

from telecine.core.data import arrow
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.grid import Grid
from telecine.core.recording import Ref
from telecine.core.video import Clip
from telecine.dataset.values import to_arrow
from telecine.dataset.writer import DatasetWriter
from telecine.editing.merge import merge
from telecine.video.encode import encode
from telecine.video.presets import video_settings

ROWS = 300
JOINTS = tuple(f"joint_{k}" for k in range(14))
COLUMNS = (
    FeatureColumn("action", "float32", (14,), JOINTS),
    FeatureColumn("observation.state", "float32", (14,), JOINTS),
)


def main(out: Path, episodes: int, copies: int = 1) -> None:
    """One dataset at `out`."""
    if copies > 1:
        with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
            main(Path(scratch) / "one", episodes)
            merge([Path(scratch) / "one"] * copies, out)
        return
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        clips = (clip(Path(scratch), 0, "front", half=True), clip(Path(scratch), 1, "wrist", half=False))
        with DatasetWriter.create(out, fps=FPS, robot_type="arm") as writer:
            for number in range(episodes):
                writer.add(episode(number, clips))
            writer.commit()


def clip(folder: Path, camera: int, name: str, *, half: bool) -> Clip:
    """Ten seconds of a camera by the preset `train`."""
    shown = (picture[::2, ::2] if half else picture for picture in scene(camera, ROWS))
    frames = (av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24") for picture in shown)
    key, path = f"observation.images.{name}", str(folder / f"{name}.clip")
    return encode(frames, video_settings("train"), FPS, count=ROWS, key=key, path=path, why="made for a measurement")


def episode(number: int, clips: tuple[Clip, ...]) -> Episode:
    """Joints that wave, each episode in its own way."""
    time = np.arange(ROWS)[:, None] / FPS
    waves = np.sin(time * (1 + number % 7 / 10) + np.arange(14) + number).astype(np.float32)
    arrays = {column.key: to_arrow(waves + shift, column) for column, shift in zip(COLUMNS, (0.01, 0), strict=True)}
    arrays["timestamp"] = arrow.numbers((np.arange(ROWS) / FPS).astype(np.float32))
    arrays["task"] = pa.array([f"task {number % 3}"] * ROWS)
    grid = Grid(number * 60 * 10**9, ROWS, Fraction(FPS))
    return Episode(Ref("memory", f"recording-{number}", str(number)), grid, pa.table(arrays), COLUMNS, clips)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
