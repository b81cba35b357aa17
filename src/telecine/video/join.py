"""Two clips of one camera into one: rows encoded again before the first keyframe, then copied packets."""

from dataclasses import replace
from pathlib import Path

from telecine.core.errors import VideoError
from telecine.core.video import Clip
from telecine.video.clip import ClipWriter, read_clip


def join(head: Clip, tail: Clip, path: str) -> Clip:
    """The pictures of `head`, then those of `tail`, in a clip at `path`; their own files are removed.

    Every keyframe carries its parameter sets, so the two may come from different encoders.

    Raises: VideoError when they differ in codec, size or pixel format, or `tail` begins with unused pictures.
    """
    same = (head.format.codec, head.format.width, head.format.height, head.format.pix_fmt)
    other = (tail.format.codec, tail.format.width, tail.format.height, tail.format.pix_fmt)
    if same != other or tail.preroll:
        raise VideoError(f"{tail.key}: cannot put {other} with {tail.preroll} unused pictures behind {same}")
    with ClipWriter(path) as writer:
        for data, display, keyframe in read_clip(head.path):
            writer.add(data, display, keyframe)
        for data, display, keyframe in read_clip(tail.path):
            writer.add(data, display + head.frames, keyframe)
    for part in (head, tail):
        Path(part.path).unlink()
    return replace(
        tail,
        path=path,
        frames=head.frames + tail.frames,
        preroll=head.preroll,
        reorder_delay=max(head.reorder_delay, tail.reorder_delay),
        size_bytes=head.size_bytes + tail.size_bytes,
        gop=max(head.gop, tail.gop),
        histogram=head.histogram + tail.histogram,
        sampled=head.sampled + tail.sampled,
    )
