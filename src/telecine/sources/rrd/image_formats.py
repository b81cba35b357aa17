"""Rerun's codecs, media types and pixel formats as the core names them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.recording import Codec, PixelFormat
from telecine.sources.shared.image_headers import MAGIC

_CODECS: dict[int, Codec] = {0x61766331: "h264", 0x68657631: "hevc", 0x61763031: "av1"}
"""Rerun's VideoCodec: the four characters avc1, hev1, av01."""

Matrix = Literal["bt601", "bt709"]


@dataclass(frozen=True, slots=True)
class RawFormat:
    """How the bytes of a raw image are laid out, rows packed."""

    encoding: PixelFormat
    width: int
    height: int
    channels: int
    dtype: str
    matrix: Matrix
    size_bytes: int


_PLANAR: dict[int, tuple[PixelFormat, Matrix]] = {
    20: ("yuv420p", "bt709"), 44: ("yuvj420p", "bt709"),  # Y_U_V12_LimitedRange, _FullRange
    49: ("yuv422p", "bt709"), 50: ("yuvj422p", "bt709"),  # Y_U_V16
    39: ("yuv444p", "bt709"), 40: ("yuvj444p", "bt709"),  # Y_U_V24
    26: ("nv12", "bt601"), 27: ("yuyv422", "bt601"),  # NV12, YUY2
    30: ("gray8", "bt601"),  # Y8_FullRange
    128: ("bayer_rggb8", "bt601"), 129: ("bayer_bggr8", "bt601"),  # BayerRGGB8, BayerBGGR8
    130: ("bayer_gbrg8", "bt601"), 131: ("bayer_grbg8", "bt601"),  # BayerGBRG8, BayerGRBG8
}  # fmt: skip
"""Rerun's PixelFormat. The matrices are the viewer's own (`PixelFormat::yuv_matrix_coefficients`)."""

_PACKED: dict[tuple[int, int], PixelFormat] = {
    (1, 6): "gray8", (1, 8): "gray16le", (2, 6): "rgb24", (3, 6): "rgba", (4, 6): "bgr24", (5, 6): "bgra",
    (2, 8): "rgb48le", (4, 8): "bgr48le",
}  # fmt: skip
"""(ColorModel, ChannelDatatype): L, RGB, RGBA, BGR, BGRA = 1 .. 5; U8 = 6, U16 = 8."""

_DEPTH_TYPES = {
    6: "|u1", 7: "|i1", 8: "<u2", 9: "<i2", 10: "<u4", 11: "<i4", 12: "<u8", 13: "<i8", 33: "<f2", 34: "<f4", 35: "<f8",
}  # fmt: skip
"""Rerun's ChannelDatatype as numpy has it."""

_CHANNELS: dict[str, int] = {"gray8": 1, "gray16le": 1, "rgba": 4, "bgra": 4}


def codec_of(logged: Sequence[int | None], name: str) -> Codec:
    """The one codec of a video stream.

    Raises:
        SourceError: none was logged, it is none of ours, or it changes.
    """
    codecs = sorted({code for code in logged if code is not None})
    if not codecs:
        raise SourceError(f"{name}: no VideoStream:codec was logged, so the packets cannot be read; log it static")
    known = [_CODECS.get(code) for code in codecs]
    if len(codecs) > 1 or known[0] is None:
        called = " and ".join(code.to_bytes(4, "big").decode("ascii", "replace") for code in codecs)
        raise SourceError(f"{name}: codec {called}; expected one of h264 (avc1), hevc (hev1), av1 (av01)")
    return known[0]


def encoding_of(head: bytes, media_type: str | None, name: str) -> str:
    """The coding, such as "jpeg" or "png": by the first bytes, else by the media type.

    Raises:
        SourceError: neither tells.
    """
    for magic, encoding in MAGIC:
        if head.startswith(magic):
            return encoding
    if not head and not media_type:
        return "jpeg"  # a stream without samples: nobody will ask
    if media_type and media_type.startswith("image/"):
        return media_type.removeprefix("image/").lower()
    raise SourceError(f"{name}: an image that starts with {head[:8]!r} and has no media type; log it as image/jpeg")


@dataclass(frozen=True, slots=True)
class DepthFormat:
    """How the numbers of a raw depth image are laid out, rows packed."""

    width: int
    height: int
    dtype: str
    """As numpy names it, with its byte order."""

    @property
    def integer(self) -> bool:
        """Whether its numbers are whole."""
        return self.dtype[1] in "iu"

    @property
    def size_bytes(self) -> int:
        """Of one image."""
        return self.width * self.height * int(self.dtype[2:])


def depth_format(logged: Mapping[str, Any] | None, name: str) -> DepthFormat:
    """The layout that an ImageFormat of a depth image means.

    Raises:
        SourceError: none was logged, or it has no numbers of one channel.
    """
    if logged is None:
        raise SourceError(f"{name}: no image format was logged beside the pixels")
    datatype = logged.get("channel_datatype")
    dtype = _DEPTH_TYPES.get(6 if datatype is None else int(datatype))
    if dtype is None or logged.get("pixel_format") is not None:
        raise SourceError(f"{name}: depth as {dict(logged)} is not supported; expected one number a pixel")
    return DepthFormat(int(logged["width"]), int(logged["height"]), dtype)


def raw_format(logged: Mapping[str, Any] | None, name: str) -> RawFormat:
    """The layout that an ImageFormat means.

    Raises:
        SourceError: none was logged, or telecine cannot read it.
    """
    if logged is None:
        raise SourceError(f"{name}: no image format was logged beside the pixels")
    if not {"width", "height"} <= set(logged):
        raise SourceError(f"{name}: an image format without width and height: {', '.join(map(str, logged))}")
    width, height = int(logged["width"]), int(logged["height"])
    pixel, model, datatype = logged.get("pixel_format"), logged.get("color_model"), logged.get("channel_datatype")
    matrix: Matrix = "bt601"
    if pixel is not None:
        encoding, matrix = _PLANAR.get(pixel, (None, matrix))
    else:
        encoding = _PACKED.get((1 if model is None else model, 6 if datatype is None else datatype))
    if encoding is None:
        what = f"pixel format {pixel}" if pixel is not None else f"color model {model} with datatype {datatype}"
        raise SourceError(
            f"{name}: Rerun's {what} is not supported; expected 8-bit L, RGB, RGBA, BGR, BGRA, 16-bit L, RGB, BGR, "
            "NV12, YUY2, Bayer, or planar YUV (Y_U_V12, Y_U_V16, Y_U_V24)"
        )
    return RawFormat(
        encoding, width, height,
        channels=_CHANNELS.get(encoding, 3),
        dtype="uint16" if encoding in ("gray16le", "rgb48le", "bgr48le") else "uint8",
        matrix=matrix,
        size_bytes=_size_bytes(encoding, width, height),
    )  # fmt: skip


def _size_bytes(encoding: PixelFormat, width: int, height: int) -> int:
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    match encoding:
        case "nv12" | "yuv420p" | "yuvj420p":
            return width * height + 2 * half_width * half_height
        case "yuv422p" | "yuvj422p":
            return width * height + 2 * half_width * height
        case "yuv444p" | "yuvj444p" | "rgb24" | "bgr24":
            return 3 * width * height
        case "yuyv422":
            return 4 * half_width * height
        case "rgba" | "bgra":
            return 4 * width * height
        case "gray16le":
            return 2 * width * height
        case "rgb48le" | "bgr48le":
            return 6 * width * height
        case _:
            return width * height
