"""The episodes of one video file as clips of their own: packets as they are, where an episode's are a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import av
import numpy as np

from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import VideoError
from telecine.core.video import Clip, VideoSettings
from telecine.video.clip import copied_clip
from telecine.video.demux import packets, track
from telecine.video.encode import encode
from telecine.video.mp4_reader import decode_at


@dataclass(frozen=True, slots=True)
class ClipRange:
    """Frames [first, first + count) of a file, in display order, and where their clip goes."""

    first: int
    count: int
    path: str


def cut(path: str, cuts: Sequence[ClipRange], *, key: str, fps: int, settings: VideoSettings) -> Iterator[Clip]:
    """A clip for each of `cuts`, in order, each when written: copied, or encoded by `settings` where it must be.

    cuts: in the order of `first`, without overlaps.

    Raises: VideoError when the file cannot be read or holds fewer frames.
    """
    index = index_packets(packets(path), track(path).codec)
    stream = enumerate(packets(path))
    for one in cuts:
        numbers = np.flatnonzero((index.display >= one.first) & (index.display < one.first + one.count))
        if numbers.size != one.count:
            raise VideoError(f"{path}: holds {numbers.size} of the frames {one.first} to {one.first + one.count - 1}")
        start, stop = int(numbers[0]), int(numbers[-1]) + 1
        if stop - start != one.count or not index.keyframe[start] or len(index.formats) != 1:
            yield _encoded(path, one, key=key, fps=fps, settings=settings)
            continue
        run = islice((data for number, data in stream if number >= start), one.count)
        yield copied_clip(one.path, run, index, slice(start, stop), key=key)


def _encoded(path: str, one: ClipRange, *, key: str, fps: int, settings: VideoSettings) -> Clip:
    shown = decode_at(path, range(one.first, one.first + one.count))
    frames = (av.VideoFrame.from_ndarray(rgb, format="rgb24") for _, rgb in shown)
    why = "the episode's packets are not a run of their own"
    return encode(frames, settings, fps, count=one.count, key=key, path=one.path, why=why)
