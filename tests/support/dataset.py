"""Episodes to write, and a small dataset that has a bit of everything, with values that are functions of time."""

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa

from support.pictures import draw_frame_id
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.grid import Grid
from telecine.core.recording import Ref
from telecine.dataset.values import to_arrow
from telecine.dataset.writer import DatasetWriter
from telecine.video.encode import encode
from telecine.video.presets import video_settings

FPS = 30
TOP, WRIST = "observation.images.top", "observation.images.wrist"
COLUMNS = (
    FeatureColumn("action", "float32", (3,), ("shoulder", "elbow", "gripper")),
    FeatureColumn("observation.state", "float32", (3,), ("shoulder", "elbow", "gripper")),
    FeatureColumn("note", "string", (1,)),
    FeatureColumn("next.done", "bool", (1,)),
    FeatureColumn("contacts", "int64", (1,)),
    FeatureColumn("wrench", "float64", (6,)),
    FeatureColumn("pose", "float32", (2, 3)),
)
PLAIN = COLUMNS[:2]


def clip(folder, key, count, *, episode=0, size=(64, 48), preset="train", camera=0, fps=FPS, **options):
    """A coded clip whose pictures carry frame number, episode and camera."""
    pictures = (draw_frame_id(i, episode, camera, *size) for i in range(count))
    frames = (av.VideoFrame.from_ndarray(p, format="rgb24") for p in pictures)
    path = str(Path(folder) / f"{key}-{episode}-{count}-{preset}.clip")
    return encode(
        frames, video_settings(preset, **options), fps, count=count, key=key, path=path, why="made for a test"
    )


def values(column, count, episode):
    """A column's values at each row: (count, *shape), or an Arrow array of strings."""
    time = np.arange(count) / FPS
    if column.dtype == "string":
        return pa.array([f"row {i} of {episode} é" for i in range(count)])
    if column.dtype == "bool":
        return to_arrow(np.arange(count) == count - 1, column)
    if column.dtype == "int64":
        return to_arrow(np.arange(count) % 3 + episode, column)
    phase = np.arange(np.prod(column.shape)).reshape(column.shape) + episode
    wave = np.sin(time.reshape(-1, *(1 for _ in column.shape)) * 2 + phase)
    return to_arrow(wave.astype(column.dtype), column)


def episode(count=20, index=0, *, columns=PLAIN, clips=(), task="pick up the cube", fps=FPS, tasks=None):
    """An episode of `count` rows."""
    arrays = {column.key: values(column, count, index) for column in columns}
    arrays["timestamp"] = pa.array((np.arange(count) / fps).astype(np.float32))
    arrays["task"] = pa.array(tasks or [task] * count)
    ref = Ref("rrd", f"/somewhere/private/recording-{index}.rrd", f"id-{index}")
    grid = Grid(1_700_000_000_000_000_000 + index, count, Fraction(fps))
    return Episode(ref, grid, pa.table(arrays), columns, tuple(clips))


def with_column(episode, key, array):
    """The episode with another array in one column."""
    position = episode.rows.column_names.index(key)
    return replace(episode, rows=episode.rows.set_column(position, key, array))


def write(root, episodes, *, fps=FPS, **options):
    """A dataset of these episodes."""
    with DatasetWriter.create(root, fps=fps, robot_type="arm", **options) as writer:
        for one in episodes:
            writer.add(one)
        return writer.commit()


def two_cameras(folder, count, index, **options):
    """One clip for each of the two cameras."""
    return [
        clip(folder, TOP, count, episode=index, camera=0, **options),
        clip(folder, WRIST, count, episode=index, camera=1, size=(96, 64), **options),
    ]


def everything(folder, lengths=(20, 1, 33)):
    """Episodes with two cameras and all kinds of columns, of two tasks, one of one row."""
    return [
        episode(
            count,
            i,
            columns=COLUMNS,
            clips=two_cameras(folder, count, i),
            task=("pick up the cube", "put it down")[i % 2],
        )
        for i, count in enumerate(lengths)
    ]


def tiff(pixels, *, strips=1, order="<", compression=1):
    """A TIFF file of (height, width) pixels in strips, its tags first, as TIFF 6.0 lays them out."""
    height, width = pixels.shape
    parts = [part.astype(pixels.dtype.newbyteorder(order)).tobytes() for part in np.array_split(pixels, strips)]
    lists, start = 8 + 2 + 8 * 12 + 4, 8 + 2 + 8 * 12 + 4 + (8 * strips if strips > 1 else 0)
    offsets = [start + sum(map(len, parts[:i])) for i in range(strips)]
    sizes = [len(part) for part in parts]
    one = strips == 1
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8 * pixels.dtype.itemsize), (259, 3, 1, compression),
        (273, 4, strips, offsets[0] if one else lists), (277, 3, 1, 1),
        (279, 4, strips, sizes[0] if one else lists + 4 * strips), (339, 3, 1, 3 if pixels.dtype.kind == "f" else 1),
    ]  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    for tag, kind, count, value in tags:
        head += struct.pack(order + "HHI", tag, kind, count)
        head += struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
    more = b"" if one else struct.pack(f"{order}{2 * strips}I", *offsets, *sizes)
    return head + struct.pack(order + "I", 0) + more + b"".join(parts)
