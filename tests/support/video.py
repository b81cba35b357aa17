"""Coded test streams made by real encoders, in all the ways that matter, of pictures that carry their own number."""

from fractions import Fraction

import av
import numpy as np
import pytest

from support.pictures import draw_frame_id, read_frame_id
from telecine.core.bitstream.packets import index_packets
from telecine.core.copying.splice import Copied, Splice
from telecine.core.recording import MemoryStream, Schema
from telecine.video.splice import splice

SIZE = (128, 96)


def picture(frame, episode=0, size=SIZE):
    """(height, width, 3) uint8."""
    return draw_frame_id(frame, episode, 0, *size)


def picture_id(rgb):
    """(frame, episode) that a picture shows."""
    return read_frame_id(np.asarray(rgb))[:2]


def encode(
    encoder, count, *, episode=0, size=SIZE, pix_fmt="yuv420p", numbers=None, pictures=None, keys=(), ps=(), tags=None,
    **options,
):  # fmt: skip
    """Access units in decode order, as bytes; `keys` are frames forced to be keyframes, `ps` to be P pictures.

    numbers: what the pictures show, 0, 1, ... unless given. pictures: (count, height, width, 3) uint8 in their place.
    """
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height = size
    context.pix_fmt = pix_fmt
    context.time_base = Fraction(1, 30)
    context.framerate = Fraction(30)
    for name, value in (tags or {}).items():
        setattr(context, name, value)
    context.thread_count = 1
    context.options = {k: str(v) for k, v in options.items()}
    packets = []
    for i in range(count):
        shown = picture(i if numbers is None else int(numbers[i]), episode, size) if pictures is None else pictures[i]
        frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
        frame = frame.reformat(format=pix_fmt, dst_color_range=2 if pix_fmt.startswith("yuvj") else 1)
        frame.pts = i
        frame.time_base = Fraction(1, 30)
        if i in keys or i in ps:
            frame.pict_type = av.video.frame.PictureType.I if i in keys else av.video.frame.PictureType.P
        packets += context.encode(frame)
    packets += context.encode(None)
    return [bytes(p) for p in packets]


def x264(count, *, gop=10, bframes=0, params="", preset="ultrafast", crf=15, **others):
    """H.264; `params` are x264's own (cabac=0, slices=4, open-gop=1, intra-refresh=1 ...)."""
    own = ":".join(p for p in (f"keyint={gop}:min-keyint=1:scenecut=0:bframes={bframes}", params) if p)
    return encode("libx264", count, preset=preset, crf=crf, **{"x264-params": own}, **others)


def x264_counted(count, **others):
    """H.264 whose headers hold picture order counts (type 0) though nothing is reordered."""
    return x264(count, bframes=1, ps=range(count), preset="veryfast", **others)


OPENH264 = pytest.mark.skipif(
    "libopenh264" not in av.codecs_available, reason="needs libopenh264, which PyAV has up to version 15"
)


def openh264(count, *, gop=10, **others):
    """H.264 by another encoder: baseline, two references, no VUI."""
    return encode("libopenh264", count, g=gop, **others)


def x265(count, *, gop=10, bframes=0, params="", crf=15, **others):
    """H.265; open groups unless `params` say open-gop=0."""
    own = f"log-level=none:pools=none:frame-threads=1:keyint={gop}:min-keyint=1:scenecut=0:bframes={bframes}"
    own = ":".join(p for p in (own, params) if p)
    return encode("libx265", count, preset="ultrafast", crf=crf, **{"x265-params": own}, **others)


def svtav1(count, *, gop=10, params="", crf=10, **others):
    """AV1; hierarchical unless `params` say pred-struct=1 (low delay)."""
    own = ":".join(p for p in (f"keyint={gop}:lp=1", params) if p)
    return encode("libsvtav1", count, preset=12, crf=crf, **{"svtav1-params": own}, **others)


DECODERS = {"h264": "h264", "hevc": "hevc", "av1": "libdav1d"}


def decode(packets, codec):
    """The decoder's frames in display order; frame.pts is the packet that each came from, by its position."""
    context = av.CodecContext.create(DECODERS[codec], "r")
    context.thread_count = 1
    frames = []
    for i, data in enumerate(packets):
        packet = av.Packet(data)
        packet.pts = i
        packet.time_base = Fraction(1, 30)
        frames += context.decode(packet)
    return frames + context.decode(None)


def shown_ids(packets, codec):
    """(frame, episode) of each picture in display order."""
    return [picture_id(f.to_ndarray(format="rgb24")) for f in decode(packets, codec)]


STREAMS = {
    "h264": lambda n, **o: x264(n, **o),
    "h264 zerolatency": lambda n, **o: x264(n, tune="zerolatency", **o),
    "h264 main cabac": lambda n, **o: x264(n, preset="veryfast", **o),
    "h264 baseline": lambda n, **o: x264(n, profile="baseline", **o),
    "h264 slices": lambda n, **o: x264(n, params="slices=4", **o),
    "h264 b-frames": lambda n, **o: x264(n, bframes=3, preset="veryfast", params="b-adapt=0:b-pyramid=normal", **o),
    "hevc bframes=0": lambda n, **o: x265(n, **o),
    "hevc idr": lambda n, **o: x265(n, params="open-gop=0", **o),
    "hevc shallow": lambda n, **o: x265(n, bframes=3, params="open-gop=0:b-adapt=0:b-pyramid=0", **o),
    "hevc closed": lambda n, **o: x265(n, bframes=3, params="open-gop=0:b-adapt=0", **o),
    "av1": lambda n, **o: svtav1(n, **o),
    "av1 low delay": lambda n, **o: svtav1(n, params="pred-struct=1", **o),
}
"""Streams that can be copied: name -> maker(count, gop=, episode= ...); the codec is the first word of the name."""


def headers_once(packets, codec):
    """The packets with their parameter sets in the first one only."""
    out = [packets[0]]
    for packet in packets[1:]:
        if codec == "av1":
            at = packet.find(b"\x0a")
            has = at == 2
            out.append(packet[:2] + packet[4 + packet[3] :] if has else packet)
            continue
        units = [u for u in packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if u]
        is_set = (lambda u: u[0] & 31 in (7, 8)) if codec == "h264" else (lambda u: u[0] >> 1 in (32, 33, 34))
        out.append(b"".join(b"\0\0\0\1" + u for u in units if not is_set(u)))
    return out


CLOCK = "t"


def stream(packets, codec, name="/cam"):
    """A video stream of packets in decode order."""
    schema = Schema("uint8", (SIZE[1], SIZE[0], 3), encoding=codec)
    return MemoryStream(name, "video", schema, {CLOCK: np.arange(len(packets), dtype=np.int64)}, list(packets))


def make_clip(packets, codec, path, *, first=0, stop=None, preroll=0, count=None):
    """The packets as a clip, by default all of them and every picture a row."""
    stop = len(packets) if stop is None else stop
    count = stop - first - preroll if count is None else count
    index = index_packets(packets, codec)
    pictures = np.sort(index.display[first:stop])
    decision = Splice((Copied(first, stop),), preroll, pictures.size - preroll - count)
    return make_splice(packets, codec, path, decision, pictures[preroll : preroll + count], index)


def make_splice(packets, codec, path, decision, rows, index=None):
    """The clip of these runs."""
    index = index_packets(packets, codec) if index is None else index
    rows = np.asarray(rows, np.int64)
    source = stream(packets, codec)
    return splice(source, CLOCK, index, decision, rows, 30, key="observation.images.cam", path=str(path), why="exact")
