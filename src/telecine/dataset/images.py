"""Frames that are stored in the rows: PNG bytes from a clip, a few at a time."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from telecine.core.data.arrow import array
from telecine.core.errors import VideoError
from telecine.core.text.numbers import counted
from telecine.core.video import Clip
from telecine.lerobot_format.schema import IMAGE
from telecine.video.clip import read_clip

ROW_GROUP_BYTES = 32 << 20


def with_images(arrays: Mapping[str, Any], clips: Mapping[str, Clip], schema: pa.Schema) -> Iterator[pa.Table]:
    """The columns of an episode with the frames of its clips, in tables of about 32 MiB.

    arrays: the other columns of `schema`, all of one length; clips: by column, with at least as many frames.
    """
    rows = len(next(iter(arrays.values())))
    streams = {key: _frames(clip) for key, clip in clips.items()}
    start = 0
    while start < rows:
        held: dict[str, list[dict[str, Any]]] = {key: [] for key in clips}
        size, stop = 0, start
        while stop < rows and size < ROW_GROUP_BYTES:
            for key, stream in streams.items():
                data = next(stream, None)
                if data is None:
                    raise VideoError(f"{key}: the clip ends after {stop} of {counted(rows, 'frame')}")
                held[key].append({"bytes": data, "path": f"frame-{stop:06d}.png"})
                size += len(data)
            stop += 1
        frames = {key: array(values, IMAGE) for key, values in held.items()}
        part = {key: array[start:stop] for key, array in arrays.items()} | frames
        yield pa.table([part[name] for name in schema.names], schema=schema)
        start = stop


def _frames(clip: Clip) -> Iterator[bytes]:
    """The coded frames from the episode's first row on."""
    for packet in islice(read_clip(clip.path), clip.preroll, None):
        yield bytes(packet[0])
