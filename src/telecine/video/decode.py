"""The frames of a stream, decoded, for the rows that an episode needs, one at a time.

A row that repeats gives the same frame object again, so that whoever converts it can do so once. Nothing is
concealed: a packet or frame that cannot be decoded whole is a `VideoError` that names it. Refuses to start
between keyframes. Not noticed: damage inside a slice of H.265, which FFmpeg's decoder fills in and never reports.
"""

from collections.abc import Iterable, Iterator
from typing import get_args

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from telecine.core.bitstream.packets import is_self_contained
from telecine.core.dataclass import dataclass
from telecine.core.errors import VideoError
from telecine.core.grid import Rows
from telecine.core.recording import Buffer, Codec, Image, ImageStream, PixelFormat, VideoStream
from telecine.core.text.numbers import counted
from telecine.core.video import PacketIndex
from telecine.video.frames.colour import LIMITED, UNTAGGED, copy_plane, to_rgb, to_rgb24

IMAGE_DECODERS = {
    "jpeg": "mjpeg",
    "png": "png",
    "webp": "webp",
    "bmp": "bmp",
}
"""Encodings of `Image` and FFmpeg's decoder for each: those in which it notices truncation."""
VIDEO_DECODERS = {"h264": "h264", "hevc": "hevc", "av1": "libdav1d"}

_RAW: frozenset[str] = frozenset(get_args(PixelFormat))
_BYTES_PER_PIXEL = {
    "rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4, "gray8": 1, "gray16le": 2, "grayf32le": 4, "rgb48le": 6, "bgr48le": 6,
    **dict.fromkeys((f"bayer_{tiles}8" for tiles in ("rggb", "bggr", "gbrg", "grbg")), 1),
    **dict.fromkeys((f"bayer_{tiles}16le" for tiles in ("rggb", "bggr", "gbrg", "grbg")), 2),
}  # fmt: skip
_CHROMA_SHIFT = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
_BT709_TAG = 1

_WAY_OUT = "repair the recording, cut it before this point, or leave the camera out"

# Without `explode` a truncated JPEG comes back half gray and a broken packet is concealed, both without a word. A
# frame of 30,000 x 30,000 takes 100 bytes to announce and 3 GB to decode.
STRICT = {"err_detect": "crccheck+explode", "max_pixels": str(1 << 26)}
"""Options of every decoder: damage is an error, and so are frames above 64 million pixels."""


def frames(
    stream: ImageStream | VideoStream, rows: Rows, clock: str, *, index: PacketIndex | None = None
) -> Iterator[av.VideoFrame]:
    """Exactly len(rows) frames, upright; frame i is the frame at position rows[i] of `stream.times(clock)`.

    rows: non-decreasing, none missing. For video they are positions in display order, and `index` is needed.

    Raises:
        VideoError: a frame is damaged, of an unknown encoding, or comes before the first keyframe.
        SourceError: the stream cannot be read.
    """
    if rows.size and (rows[0] < 0 or np.any(np.diff(rows) < 0)):
        raise ValueError("rows must be non-negative and non-decreasing")
    needed, times = np.unique(rows, return_counts=True)
    if stream.kind == "image":
        images = _images(stream, needed, clock)
    else:
        if index is None:
            raise ValueError(f"{stream.name}: decoding video needs its packet index")
        images = _video(stream, needed, clock, index)
    for image, count in zip(images, times, strict=True):
        for _ in range(count):
            yield image


def _images(stream: ImageStream, needed: Rows, clock: str) -> Iterator[av.VideoFrame]:
    decoders: dict[str, av.VideoCodecContext] = {}
    for row, image in zip(needed, stream.take(needed, clock), strict=True):
        where = f"{stream.name}: frame {row}"
        frame = raw_frame(image, where) if image.encoding in _RAW else _coded(image, decoders, where)
        yield frame if (image.order, image.turn) == ("rgb", "none") else _adjusted(frame, image)


def _adjusted(frame: av.VideoFrame, image: Image) -> av.VideoFrame:
    """The frame as RGB, with the colours and the way up that the source says its frames have to get."""
    rgb = to_rgb(frame)
    if image.order == "bgr":
        rgb = rgb[..., ::-1]
    if image.turn != "none":
        rgb = rgb[::-1, ::-1] if image.turn == "rotate180" else rgb[::-1]
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")


def _coded(image: Image, decoders: dict[str, av.VideoCodecContext], where: str) -> av.VideoFrame:
    """The frame of an image that was compressed by itself."""
    name = IMAGE_DECODERS.get(image.encoding)
    if name is None:
        raise VideoError(
            f"{where}: encoding {image.encoding!r} is not supported; "
            f"known are {', '.join((*IMAGE_DECODERS, *sorted(_RAW)))}"
        )
    if name not in decoders:
        decoders[name] = _decoder(name, {})
    data = bytes(image.data) if isinstance(image.data, memoryview) else image.data
    packet = av.Packet(data)
    packet.is_keyframe = True  # FFmpeg adds the frame before to a PNG whose packet does not say so
    try:
        out = decoders[name].decode(packet) if data else []
    except av.FFmpegError as error:
        raise VideoError(_damaged(where, image.encoding, len(data), error)) from error
    if len(out) != 1:
        raise VideoError(
            f"{where} ({image.encoding}, {counted(len(data), 'byte')}) holds {counted(len(out), 'frame')}, not one"
        )
    return upright(out[0])


def stated_rate(keyframe: Buffer, codec: Codec) -> float | None:
    """Frames a second as the headers in a keyframe state them; None where they do not."""
    decoder = _decoder(VIDEO_DECODERS[codec], {})
    try:
        decoder.decode(av.Packet(bytes(keyframe)))
        decoder.decode(None)
    except av.FFmpegError:
        return None  # what is wrong with the packet is found where it is decoded in earnest
    rate = decoder.framerate
    return float(rate) if rate else None


def coded_frame(image: Image, where: str) -> av.VideoFrame:
    """The frame of one image that was compressed by itself. Raises: VideoError."""
    return _coded(image, {}, where)


def _damaged(where: str, encoding: str, size: int, error: av.FFmpegError) -> str:
    return f"{where} ({encoding}, {counted(size, 'byte')}) is damaged: {error.strerror}; {_WAY_OUT}"


def _decoder(name: str, options: dict[str, str]) -> av.VideoCodecContext:
    """One thread: a frame comes out for each that goes in; cameras and recordings are what runs in parallel."""
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {**STRICT, **options}
    return decoder


def raw_frame(image: Image, where: str = "image") -> av.VideoFrame:
    """The frame of uncompressed planes, which are packed without padding; odd sizes round chroma up.

    Raises:
        VideoError: the number of bytes is not what format and size need.
    """
    layout = _layout(image.encoding, image.width, image.height)
    data = np.frombuffer(image.data, np.uint8)
    needed = sum(row_bytes * height for row_bytes, height in layout)
    if image.width <= 0 or image.height <= 0 or data.size != needed:
        raise VideoError(
            f"{where}: {image.width}x{image.height} {image.encoding} needs {counted(needed, 'byte')}, "
            f"found {data.size}; the recording states a wrong size, or its rows are padded"
        )
    frame = av.VideoFrame(image.width, image.height, image.encoding)
    if image.matrix == "bt709":
        frame.colorspace = _BT709_TAG
    at = 0
    for plane, (row_bytes, height) in zip(frame.planes, layout, strict=True):
        copy_plane(data[at : at + row_bytes * height], row_bytes, plane, row_bytes=row_bytes)
        at += row_bytes * height
    return _demosaiced(frame, where) if image.encoding.startswith("bayer_") else frame


def _demosaiced(frame: av.VideoFrame, where: str) -> av.VideoFrame:
    """RGB of a mosaic: swscale fills in colours only on the way there, at the same size, and in whole 2x2 tiles."""
    if frame.width % 2 or frame.height % 2:
        raise VideoError(f"{where}: {frame.format.name} of {frame.width}x{frame.height}; mosaics have even sizes")
    return to_rgb24(frame)


def _layout(name: str, width: int, height: int) -> list[tuple[int, int]]:
    """(bytes per row, rows) of each packed plane."""
    if name in _BYTES_PER_PIXEL:
        return [(width * _BYTES_PER_PIXEL[name], height)]
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    if name in ("yuyv422", "uyvy422"):
        return [(half_width * 4, height)]
    if name in ("nv12", "nv21"):
        return [(width, height), (half_width * 2, half_height)]
    if name == "nv24":
        return [(width, height), (width * 2, height)]
    across, down = next(shift for s, shift in _CHROMA_SHIFT.items() if s in name)
    chroma = ((width + across) >> across, (height + down) >> down)
    return [(width, height), chroma, chroma]


def upright(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame turned and mirrored as its EXIF tag or display matrix says; most have none and stay as they are.

    Frames that are turned become RGB.
    """
    tag = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    if tag is None:
        return frame
    a, b, _, c, d = np.sign(np.frombuffer(tag, np.int32)[:5]).tolist()
    if (a, b, c, d) == (1, 0, 0, 1):
        return frame
    rgb = to_rgb(frame)
    # (x, y) goes to (a x + c y, b x + d y): libavutil/display.h.
    across, down = (c, b) if a == 0 else (a, d)
    if a == 0:
        rgb = rgb.swapaxes(0, 1)
    turned = rgb[:: 1 if down > 0 else -1, :: 1 if across > 0 else -1]
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(turned), format="rgb24")


@dataclass(frozen=True, slots=True)
class DecodeSpan:
    """Packets [start, stop) in decode order, the first a keyframe, and the frames they are decoded for."""

    start: int
    stop: int
    needed: Rows


def spans(needed: Rows, index: PacketIndex, name: str) -> Iterator[DecodeSpan]:
    """As few packets as give the needed frames: groups between that nothing needs are left out.

    needed: (n,) int64 positions in display order, increasing.

    Raises: VideoError when a frame comes before any keyframe.
    """
    if needed.size and needed[-1] >= index.count:
        raise ValueError(f"{name}: frame {needed[-1]} asked for, the stream has {index.count}")
    holder = np.argsort(index.display, kind="stable")[needed]
    keys = np.flatnonzero(index.keyframe)
    group = np.searchsorted(keys, holder, side="right") - 1
    if index.open_gop or index.intra_refresh:
        # Some entry points are no keyframes: from the first packet on, what the decoder gives will show.
        keys, group = np.concatenate([[0], keys]), group + 1
    if needed.size and group.min() < 0:
        first = f"the first is packet {keys[0]}" if keys.size else "there is none"
        raise VideoError(
            f"{name}: frame {needed[int(group.argmin())]} comes before any keyframe ({first}); "
            "start the episode at a keyframe: trim its start"
        )
    stop = np.maximum.accumulate(holder) + 1
    starts = keys[group]
    breaks = np.flatnonzero(starts[1:] > stop[:-1]) + 1
    for part in np.split(np.arange(needed.size), breaks) if needed.size else ():
        yield DecodeSpan(int(starts[part[0]]), int(stop[part[-1]]), needed[part])


def _video(stream: VideoStream, needed: Rows, clock: str, index: PacketIndex) -> Iterator[av.VideoFrame]:
    codec = stream.schema.encoding
    if codec not in VIDEO_DECODERS:
        raise VideoError(f"{stream.name}: codec {codec!r} is not supported; known are {', '.join(VIDEO_DECODERS)}")
    decoder = video_decoder(codec, index)
    for span in spans(needed, index, stream.name):
        _restart(decoder, stream, clock, span)
        packets = stream.packets(clock, span.start, span.stop)
        yield from map(upright, decoded(packets, decoder, index, span, stream.name))


def video_decoder(codec: str, index: PacketIndex) -> av.VideoCodecContext:
    """A decoder for streams like that of `index`, which conceals nothing."""
    # Without `strict` a stream that does not state its reorder depth loses the first frames that arrive late.
    return _decoder(VIDEO_DECODERS[codec], {"strict": "strict"} if index.reorder_delay else {})


def decoded(
    packets: Iterable[Buffer], decoder: av.VideoCodecContext, index: PacketIndex, span: DecodeSpan, name: str
) -> Iterator[av.VideoFrame]:
    """The needed frames of a span, from its packets; as they are stored, not turned.

    Raises: VideoError when a packet or frame is damaged or missing. The decoder can be used for another span after
    `flush_buffers`.
    """
    _check_headers(span, index, name)
    shown = _decoded(packets, decoder, index, span, name)
    for row in span.needed:
        yield next(frame for position, frame in shown if position == row)


def _check_headers(span: DecodeSpan, index: PacketIndex, name: str) -> None:
    for packet, what in index.problems:
        hidden = index.display[packet] < index.display[span.start]  # leading frames, shown by no row
        if span.start <= packet < span.stop and not hidden:
            raise VideoError(f"{name}: packet {packet} is damaged: {what}; {_WAY_OUT}")


def _restart(decoder: av.VideoCodecContext, stream: VideoStream, clock: str, span: DecodeSpan) -> None:
    """Make the decoder ready for the span's keyframe, also where only the first one brings the parameter sets."""
    if not span.start:
        return
    codec: Codec = stream.schema.encoding  # type: ignore[assignment]
    (key,) = stream.packets(clock, span.start, span.start + 1)
    if not is_self_contained(key, codec):
        for data in stream.packets(clock, 0, 1):
            _fed(decoder, data, 0, f"{stream.name}: packet 0")
    decoder.flush_buffers()


def _decoded(
    packets: Iterable[Buffer], decoder: av.VideoCodecContext, index: PacketIndex, span: DecodeSpan, name: str
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(position in display order, frame) of every frame of the span from the first needed on, none left out."""
    expected = [p for p in np.sort(index.display[span.start : span.stop]).tolist() if p >= span.needed[0]]
    left = iter(expected)
    for frame in _output(packets, decoder, index, span, name):
        if frame.pts < span.needed[0]:
            continue  # also those that are not whole because they refer to what came before the keyframe
        position = next(left)
        if position != frame.pts or frame.is_corrupt:
            packet = int(np.flatnonzero(index.display == position)[0])
            raise VideoError(
                f"{name}: packet {packet} does not give its frame ({position} in display order) whole: "
                f"it, or something before it, is damaged or lost; {_WAY_OUT}"
            )
        if frame.color_range == UNTAGGED and frame.format.name.startswith("gray"):
            frame.color_range = LIMITED
        yield position, frame
    for position in left:
        raise VideoError(
            f"{name}: frame {position} was not decoded from packets {span.start} to {span.stop - 1}; "
            "each packet must hold exactly one frame"
        )


def _output(
    packets: Iterable[Buffer], decoder: av.VideoCodecContext, index: PacketIndex, span: DecodeSpan, name: str
) -> Iterator[av.VideoFrame]:
    """What the decoder gives for the packets of a span; pts is the position in display order."""
    number = span.start
    for data in packets:
        yield from _fed(decoder, data, int(index.display[number]), f"{name}: packet {number}")
        number += 1
    if number != span.stop:
        raise VideoError(f"{name}: {counted(number, 'packet')} found, {span.stop} needed; the recording ends early")
    yield from decoder.decode(None)


def _fed(decoder: av.VideoCodecContext, data: Buffer, pts: int, where: str) -> list[av.VideoFrame]:
    packet = av.Packet(bytes(data) if isinstance(data, memoryview) else data)
    packet.pts = pts
    try:
        out: list[av.VideoFrame] = decoder.decode(packet)
    except av.FFmpegError as error:
        raise VideoError(_damaged(where, decoder.name, packet.size, error)) from error
    return out
