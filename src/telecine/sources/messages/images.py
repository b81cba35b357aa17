"""What messages say about images, as plain values: pixel layouts, codings, codecs, depth. Pure.

Encodings are those of `sensor_msgs/image_encodings.hpp` and Foxglove's RawImage; format strings those that
image_transport, its compressed and compressed-depth plugins, and others' recorders write.
"""

import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from telecine.core.depth import DepthUnit
from telecine.core.errors import SourceError
from telecine.core.recording import Buffer, Codec, Image, PixelFormat
from telecine.core.text.numbers import counted
from telecine.sources.shared.image_headers import MAGIC


@dataclass(frozen=True, slots=True)
class RawLayout:
    """How an image's bytes lie in a message: rows of `step` bytes with `width` pixels in front.

    encoding: as `Image` calls it. item: bytes per number, 2 and 4 have an order of their own. pixel: bytes per pixel
    in the first plane. channels: 3 for anything coloured. unit: of depth images.
    """

    encoding: PixelFormat
    pixel: int
    channels: int = 3
    item: int = 1
    unit: DepthUnit | None = None
    half_rows: bool = False
    """A second plane of half as many rows follows (NV12, NV21)."""
    full_rows: bool = False
    """A second plane of as many rows, twice as long, follows (NV24)."""


_LAYOUTS: dict[str, RawLayout] = {
    "rgb8": RawLayout("rgb24", 3), "bgr8": RawLayout("bgr24", 3),
    "rgba8": RawLayout("rgba", 4, 4), "bgra8": RawLayout("bgra", 4, 4),
    "8uc3": RawLayout("bgr24", 3), "8uc4": RawLayout("bgra", 4, 4),  # OpenCV's order, as cv_bridge takes it
    "mono8": RawLayout("gray8", 1, 1), "8uc1": RawLayout("gray8", 1, 1),
    "mono16": RawLayout("gray16le", 2, 1, 2, "mm"), "16uc1": RawLayout("gray16le", 2, 1, 2, "mm"),
    "32fc1": RawLayout("grayf32le", 4, 1, 4, "m"),
    "rgb16": RawLayout("rgb48le", 6, 3, 2), "bgr16": RawLayout("bgr48le", 6, 3, 2),
    "yuv422": RawLayout("uyvy422", 2), "uyvy": RawLayout("uyvy422", 2),
    "yuv422_yuy2": RawLayout("yuyv422", 2), "yuyv": RawLayout("yuyv422", 2),
    "nv12": RawLayout("nv12", 1, half_rows=True), "nv21": RawLayout("nv21", 1, half_rows=True),
    "nv24": RawLayout("nv24", 1, full_rows=True),
    "bayer_rggb8": RawLayout("bayer_rggb8", 1), "bayer_bggr8": RawLayout("bayer_bggr8", 1),
    "bayer_gbrg8": RawLayout("bayer_gbrg8", 1), "bayer_grbg8": RawLayout("bayer_grbg8", 1),
    "bayer_rggb16": RawLayout("bayer_rggb16le", 2, 3, 2), "bayer_bggr16": RawLayout("bayer_bggr16le", 2, 3, 2),
    "bayer_gbrg16": RawLayout("bayer_gbrg16le", 2, 3, 2), "bayer_grbg16": RawLayout("bayer_grbg16le", 2, 3, 2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RawHeader:
    """The fields of a raw image's message beside the bytes."""

    encoding: str
    width: int
    height: int
    step: int
    big_endian: bool = False


def raw_layout(encoding: str, where: str) -> RawLayout:
    """The layout that an encoding means. Raises: SourceError naming those that are known."""
    found = _LAYOUTS.get(encoding.strip().lower())
    if found is None:
        raise SourceError(f"{where}: image encoding {encoding!r} is not supported; known are {', '.join(_LAYOUTS)}")
    return found


def raw_image(header: RawHeader, data: Buffer, where: str) -> Image:
    """The image, its rows packed and its numbers little-endian.

    Raises: SourceError when the bytes are fewer than the header needs, or rows shorter than their pixels.
    """
    layout = raw_layout(header.encoding, where)
    width, height = header.width, header.height
    row_bytes = width * layout.pixel
    step = header.step or row_bytes
    rows = height + (-(-height // 2) if layout.half_rows else 0) + (2 * height if layout.full_rows else 0)
    raw = np.frombuffer(data, np.uint8)
    if width <= 0 or height <= 0 or step < row_bytes or raw.size < rows * step - (step - row_bytes):
        raise SourceError(
            f"{where}: {width}x{height} {header.encoding} with rows of {counted(step, 'byte')} needs "
            f"{counted(rows * step, 'byte')}, "
            f"found {raw.size}; the message states a wrong size"
        )
    if step == row_bytes:
        packed = raw[: rows * step]
    else:
        padded = np.zeros(rows * step, np.uint8)
        padded[: min(raw.size, padded.size)] = raw[: rows * step]
        packed = padded.reshape(rows, step)[:, :row_bytes].reshape(-1)
    if header.big_endian and layout.item > 1:
        packed = np.ascontiguousarray(packed).view(f">u{layout.item}").astype(f"<u{layout.item}").view(np.uint8)
    return Image(_view(packed), layout.encoding, width, height)


@dataclass(frozen=True, slots=True)
class CompressedFormat:
    """What a compressed message holds.

    kind: an image by itself, a packet of video, or depth behind a header of compressed_depth_image_transport.
    coding: "jpeg", "png", ... for images; the codec's name for video.
    swapped: red and blue were exchanged when it was coded.
    unit: of depth images.
    """

    kind: Literal["image", "video", "depth"]
    coding: str
    swapped: bool = False
    unit: DepthUnit | None = None


def coded(form: str, head: bytes, where: str) -> CompressedFormat:
    """What the first bytes say, with the format string as a hint where they say nothing.

    form: such as "jpeg", "rgb8; jpeg compressed bgr8", "16UC1; compressedDepth png", "h264".
    head: at least the first 64 bytes. Raises: SourceError when neither tells.
    """
    format_text = form.lower()
    if "compresseddepth" in format_text:
        unit: DepthUnit = "m" if format_text.startswith("32fc1") else "mm"
        return CompressedFormat("depth", "rvl" if "rvl" in format_text else "png", unit=unit)
    coding = next((name for magic, name in MAGIC if head.startswith(magic)), None)
    if coding == "png" and head[24:26] == b"\x10\x00":  # IHDR: 16 bit, gray
        return CompressedFormat("image", "png", unit="mm")
    if coding is not None:
        # The plugin hands the encoder what it takes for BGR; "compressed rgb8" means that it was not.
        return CompressedFormat("image", coding, swapped=format_text.endswith("compressed rgb8"))
    codec = _codec(format_text, head)
    if codec is not None:
        return CompressedFormat("video", codec)
    raise SourceError(
        f"{where}: an image of format {form!r} that begins with {head[:8]!r}; known are JPEG, PNG, WebP, BMP, "
        "compressedDepth, H.264, H.265 and AV1"
    )


_CODECS: tuple[tuple[str, Codec], ...] = (
    ("264", "h264"), ("avc", "h264"), ("265", "hevc"), ("hevc", "hevc"), ("av1", "av1"),
)  # fmt: skip


def _codec(format_text: str, head: bytes) -> str | None:
    """The codec that a format string names ("h264", "libx265", "hevc;yuv420p;..."), else what the bytes look like."""
    named = format_text.partition(";")[0]
    found = next((codec for part, codec in _CODECS if part in named), None)
    if found is not None or named in ("vp9", "vp8", "mjpeg"):
        return found or named
    start = 4 if head.startswith(b"\0\0\0\1") else 3 if head.startswith(b"\0\0\1") else 0
    if not start or len(head) <= start:
        return None
    # H.264: type in the low five bits, 7 to 9 open an access unit. H.265: bits 1 to 6, 32 to 35 do.
    if head[start] >> 1 & 0x3F in (32, 33, 34, 35) and not head[start] & 0x81:
        return "hevc"
    return "h264" if head[start] & 0x1F in (1, 5, 6, 7, 8, 9) and not head[start] & 0x80 else None


_DEPTH_HEADER = struct.Struct("<iff")
"""compressed_depth_image_transport: ConfigHeader, an enum and the two parameters of inverse depth."""


def depth_image(what: CompressedFormat, data: Buffer, where: str) -> Image:
    """The depth image behind compressedDepth's header: PNG bytes as they are, RVL and float depth as raw planes.

    Float depth is coded as inverse depth v: a / (v - b) m, with v = 0 for unknown, which becomes 0 here.
    Raises: SourceError for what is too short or not PNG where PNG is announced.
    """
    raw = bytes(data)
    if len(raw) < _DEPTH_HEADER.size + 8:
        raise SourceError(f"{where}: {counted(len(raw), 'byte is', 'bytes are')} too few for a compressed depth image")
    _, a, b = _DEPTH_HEADER.unpack_from(raw)
    body = raw[_DEPTH_HEADER.size :]
    is_png = body.startswith(b"\x89PNG")
    if what.unit == "mm" and is_png:
        return Image(body, "png")
    if what.coding == "png" and not is_png:
        raise SourceError(f"{where}: a compressed depth image without PNG behind its header: {body[:8]!r}")
    if is_png:
        raise SourceError(f"{where}: float depth in PNG has to be decoded first")  # `inverse_depth` does
    values = _rvl(body, where)
    if what.unit == "mm":
        height, width = values.shape
        return Image(_view(values.astype("<u2")), "gray16le", width, height)
    return inverse_depth(values, a, b)


def depth_parameters(data: Buffer) -> tuple[float, float]:
    """(a, b) of inverse depth, from compressedDepth's header."""
    _, a, b = _DEPTH_HEADER.unpack_from(bytes(data[: _DEPTH_HEADER.size]))
    return a, b


def inverse_depth(values: npt.NDArray[np.uint16], a: float, b: float) -> Image:
    """Depth in m from (height, width) coded inverse depth; unknown becomes 0."""
    known = (values > 0) & (values != b)
    depth = np.zeros(values.shape, "<f4")
    depth[known] = a / (values[known].astype(np.float64) - b)
    return Image(_view(depth), "grayf32le", values.shape[1], values.shape[0])


def _view(array: npt.NDArray[Any]) -> memoryview:
    """The bytes of an array, without copying where they lie side by side."""
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _rvl(body: bytes, where: str) -> npt.NDArray[np.uint16]:
    """(height, width) uint16 of RVL: A. D. Wilson, Fast lossless depth image compression, ISS 2017.

    Numbers are runs of 4-bit groups, three bits each, the highest saying that more follow, lowest first; groups lie in
    32-bit words, the first in the highest bits. A run of zeros, a run of others, then those as zig-zag differences.
    """
    width, height = struct.unpack_from("<ii", body)
    if not 0 < width * height <= 1 << 26 or width < 0:
        raise SourceError(f"{where}: a depth image of {width}x{height}")
    words = np.frombuffer(body[8 : 8 + (len(body) - 8) // 4 * 4], "<u4")
    nibbles = ((words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32)) & 15).reshape(-1).astype(np.int64)
    ends = np.flatnonzero(nibbles < 8)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])[: ends.size]
    shifts = 3 * (np.arange(ends[-1] + 1 if ends.size else 0) - np.repeat(starts, ends - starts + 1))
    groups = (nibbles[: shifts.size] & 7) << np.minimum(shifts, 27)
    numbers = np.add.reduceat(groups, starts) if ends.size else ends
    out = np.zeros(width * height, np.int64)
    at, done, before = 0, 0, 0
    while done < out.size:
        if at + 1 >= numbers.size:
            raise SourceError(f"{where}: an RVL depth image ends after {done} of {counted(out.size, 'pixel')}")
        zeros, others = int(numbers[at]), int(numbers[at + 1])
        coded_steps = numbers[at + 2 : at + 2 + others]
        done += zeros
        if done + others > out.size or coded_steps.size < others or not zeros + others:
            raise SourceError(f"{where}: an RVL depth image that does not fit {width}x{height}")
        steps = (coded_steps >> 1) ^ -(coded_steps & 1)
        out[done : done + others] = before + np.cumsum(steps)
        before = int(out[done + others - 1]) if others else before
        done, at = done + others, at + 2 + others
    return out.astype(np.uint16).reshape(height, width)
