"""Packets of one camera of one episode into a clip, as they are; some pictures are decoded for statistics.

Copying costs next to nothing, so decoding would be nearly all of it: keyframes are taken where they lie densely
enough, since each costs one picture, and what follows them where there are too few.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from telecine.core.errors import VideoError
from telecine.core.packets import is_self_contained, with_parameter_sets
from telecine.core.recording import Buffer, Codec, VideoStream
from telecine.core.time import Rows
from telecine.core.video import Clip, Copy, Flags, PacketIndex
from telecine.video.clip import ClipWriter
from telecine.video.sample import Sampler, sampled_pictures


def copy(stream: VideoStream, clock: str, index: PacketIndex, decision: Copy, *, key: str, path: str, why: str) -> Clip:
    """The clip at `path` with packets [first, stop), each keyframe with its parameter sets.

    Its histogram holds pictures spread over the rows of the episode.

    Raises:
        VideoError: packets are missing or damaged, or do not make a gapless run of pictures.
        SourceError: the stream cannot be read.
    """
    part = slice(decision.first, decision.stop)
    display, keyframe = index.display[part], index.keyframe[part]
    _check(display, keyframe, decision, f"{key}: {stream.name}")
    display = display - display.min()
    if len(index.formats) != 1:
        raise VideoError(f"{key}: {stream.name} has {len(index.formats)} picture formats, one can be copied")
    codec: Codec = stream.schema.encoding  # type: ignore[assignment]
    wanted = sampled_pictures(display, keyframe, decision.preroll, decision.count)
    sampler = Sampler(codec, display, keyframe, wanted, where=f"{key}: {stream.name}")
    with ClipWriter(path) as clip:
        packets = _packets(stream, clock, decision, codec)
        for data, position, is_key in zip(packets, display.tolist(), keyframe.tolist(), strict=False):
            clip.add(data, position, is_key)
            sampler.see(data)
        if clip.frames != display.size:
            raise VideoError(f"{key}: {stream.name} ends after {clip.frames} of {display.size} packets")
    starts = np.flatnonzero(keyframe)
    return Clip(
        key=key,
        path=path,
        format=index.formats[0],
        frames=clip.frames,
        preroll=decision.preroll,
        reorder_delay=int(np.max(np.arange(display.size) - display)),
        copied=True,
        why=why,
        size_bytes=clip.size_bytes,
        gop=int(np.max(np.diff(np.append(starts, display.size)))),
        histogram=sampler.histogram.counts,
        sampled=sampler.histogram.sampled,
    )


def _check(display: Rows, keyframe: Flags, decision: Copy, where: str) -> None:
    """VideoError unless the packets can stand alone in a file."""
    if not 0 < decision.preroll + decision.count <= display.size:
        raise VideoError(
            f"{where}: {decision.count} rows after {decision.preroll} pictures do not fit {display.size} packets"
        )
    if not keyframe[0]:
        raise VideoError(f"{where}: packet {decision.first} is not a keyframe, so copying cannot start there")
    if display.max() - display.min() != display.size - 1:
        raise VideoError(
            f"{where}: packets {decision.first} to {decision.stop - 1} do not hold a gapless run of pictures"
        )


def _packets(stream: VideoStream, clock: str, decision: Copy, codec: Codec) -> Iterator[Buffer]:
    """Packets [first, stop) with parameter sets, which may have been sent long before the first."""
    first = next(iter(stream.packets(clock, decision.first, decision.first + 1)), b"")
    start = decision.first if is_self_contained(first, codec) else 0
    packets = with_parameter_sets(stream.packets(clock, start, decision.stop), codec)
    return islice(packets, decision.first - start, None)
