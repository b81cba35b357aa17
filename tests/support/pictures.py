"""Pictures for tests: test patterns that carry their frame number, colour patches, scenes, and their coding.

Raw planes are computed here by the formulas of BT.601 and BT.709, not by swscale, so that tests of colours check
one against the other.
"""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from telecine.core.recording import Image
from telecine.core.video import FrameFormat, PacketIndex

Rgb = npt.NDArray[np.uint8]

COLUMNS, ROWS = 16, 4
FRAME_ROW, EPISODE_ROW = 1, 2


def draw_frame_id(frame: int, episode: int, camera: int, width: int, height: int) -> Rgb:
    """(height, width, 3) uint8: 16 x 4 cells, white is 1, lowest bit left.

    The second row is `frame`, the third `episode` in bits 0-11 and `camera` in bits 12-15. The first and the last
    row are grays that move with the frame.
    """
    cells = np.empty((ROWS, COLUMNS), np.uint8)
    bits = np.arange(COLUMNS)
    cells[FRAME_ROW] = (frame >> bits & 1) * 255
    cells[EPISODE_ROW] = ((episode & 0xFFF | camera << 12) >> bits & 1) * 255
    cells[0] = 40 + (bits * 11 + frame * 3) % 160
    cells[3] = 200 - (bits * 11 + frame * 5) % 160
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    return np.repeat(cells[rows][:, columns, None], 3, axis=2)


def read_frame_id(rgb: Rgb) -> tuple[int, int, int]:
    """(frame, episode, camera) as `draw_frame_id` drew them, also after lossy coding."""
    gray = rgb.astype(np.float32).mean(axis=2)
    height, width = gray.shape

    def middle(cell: int, cells: int, px: int) -> slice:
        begin = int(px * (cell + 0.3) / cells)
        return slice(begin, max(int(px * (cell + 0.7) / cells), begin + 1))

    def number(row: int) -> int:
        band = gray[middle(row, ROWS, height)]
        return sum(int(band[:, middle(b, COLUMNS, width)].mean() > 127.5) << b for b in range(COLUMNS))

    value = number(EPISODE_ROW)
    return number(FRAME_ROW), value & 0xFFF, value >> 12


PATCHES: npt.NDArray[np.uint8] = np.array(
    [
        [(255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 60, 50)],
        [(60, 170, 70), (50, 70, 190), (220, 200, 60), (70, 180, 190)],
        [(180, 80, 170), (235, 150, 110), (90, 60, 40), (190, 190, 220)],
    ],
    np.uint8,
)
"""(3, 4, 3) uint8: the colours of `colour_patches`, none at the corners of the cube but white and black."""


def colour_patches(width: int, height: int) -> Rgb:
    """(height, width, 3) uint8: `PATCHES` as flat areas."""
    rows = np.arange(height) * PATCHES.shape[0] // height
    columns = np.arange(width) * PATCHES.shape[1] // width
    return np.ascontiguousarray(PATCHES[rows][:, columns])


def patch_means(rgb: Rgb) -> npt.NDArray[np.float64]:
    """(3, 4, 3): mean colour of the inner half of each patch."""
    height, width = rgb.shape[:2]
    down, across = PATCHES.shape[:2]
    out = np.empty(PATCHES.shape)
    for row in range(down):
        for column in range(across):
            y, x = (4 * row + 1) * height // (4 * down), (4 * column + 1) * width // (4 * across)
            out[row, column] = rgb[y : y + height // (2 * down), x : x + width // (2 * across)].mean(axis=(0, 1))
    return out


def scene(number: int, width: int, height: int, *, seed: int = 0) -> Rgb:
    """(height, width, 3) uint8: a shaded background, two moving objects and sensor noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(width, height)
    out = np.stack([90 + 90 * x, 80 + 70 * y + 30 * x, 130 - 60 * y], axis=2)
    out += (18 * np.sin(23 * x + 9 * y) * np.cos(17 * y))[..., None]
    phase = number / 15
    for k, colour in enumerate(((200, 60, 40), (40, 90, 190))):
        centre_x = 0.5 + 0.3 * np.cos(phase + 2 * k)
        centre_y = 0.35 + 0.2 * np.sin(1.3 * phase + k)
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < 0.02
        out[inside] = np.array(colour) + 25 * np.sin(60 * (x[inside] - centre_x))[:, None]
    noise = np.random.default_rng([seed, number]).normal(0, 3, (-(-height // 2), -(-width // 2), 3))
    out += noise.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.clip(out, 0, 255).astype(np.uint8)


def to_jpeg(rgb: Rgb, *, sampling: str = "420", quality: int = 2) -> bytes:
    """JPEG by FFmpeg; `quality` 1 (best) to 31."""
    options = {"qmin": str(quality), "qmax": str(quality)}
    return _one_packet("mjpeg", rgb, f"yuvj{sampling}p", options)


def to_png16(depth: npt.NDArray[np.uint16]) -> bytes:
    """One PNG file of 16-bit gray, such as depth in mm."""
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = depth.shape[1], depth.shape[0], "gray16be"
    encoder.time_base = Fraction(1, 30)
    frame = av.VideoFrame.from_ndarray(depth, format="gray16le").reformat(format="gray16be")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def to_png(rgb: Rgb, pix_fmt: str = "rgb24") -> bytes:
    """PNG by FFmpeg, e.g. in rgb24, rgba, gray, rgb48be or pal8."""
    return _one_packet("png", rgb, pix_fmt, {})


def to_coded(rgb: Rgb, encoding: str) -> bytes:
    """Any encoding that is decoded: jpeg nearly without loss, all others without."""
    encoder, pix_fmt, options = {
        "bmp": ("bmp", "bgr24", {}),
        "webp": ("libwebp", "bgra", {"lossless": "1"}),
        "jpeg": ("mjpeg", "yuvj444p", {"qmin": "1", "qmax": "1"}),
        "png": ("png", "rgb24", {}),
    }[encoding]
    return _one_packet(encoder, rgb, pix_fmt, options)


def _one_packet(encoder: str, rgb: Rgb, pix_fmt: str, options: dict[str, str]) -> bytes:
    context = av.CodecContext.create(encoder, "w")
    context.height, context.width = rgb.shape[:2]
    context.pix_fmt, context.time_base, context.options = pix_fmt, Fraction(1, 30), options
    context.thread_count = 1
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame = frame.reformat(format=pix_fmt, dst_color_range=2 if pix_fmt.startswith("yuvj") else 1)
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def flat_jpeg(blocks: npt.NDArray[np.uint8], *, progressive: bool = False, orientation: int = 0) -> bytes:
    """A JPEG of flat 8 x 8 blocks, exact to the level, in the kinds that FFmpeg's encoder cannot write.

    blocks: (rows, columns, components) uint8; 1 component is gray, 3 are full-range YCbCr 4:4:4, 4 are inverted
        CMYK as Adobe writes it. Only DC coefficients are coded (ITU-T T.81, F.1.2.1).
    """
    rows, columns, components = blocks.shape
    out = [b"\xff\xd8"]

    def segment(marker: int, body: bytes) -> None:
        out.append(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)

    if components == 4:
        segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0))
    if orientation:
        tiff = b"MM\0*" + struct.pack(">IHHHIHH4x", 8, 1, 0x0112, 3, 1, orientation, 0)
        segment(0xE1, b"Exif\0\0" + tiff)
    segment(0xDB, b"\0" + bytes([8] * 64))
    ids = range(1, components + 1)
    frame = b"".join(struct.pack(">BBB", i, 0x11, 0) for i in ids)
    head = struct.pack(">BHHB", 8, rows * 8, columns * 8, components)
    segment(0xC2 if progressive else 0xC0, head + frame)
    # Twelve DC categories with codes of four bits, and the one AC symbol "end of block" with one bit.
    segment(0xC4, b"\x00" + bytes([0, 0, 0, 12, *[0] * 12]) + bytes(range(12)))
    segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0")
    spectral = b"\0\0\0" if progressive else b"\0\x3f\0"
    segment(0xDA, bytes([components]) + b"".join(bytes([i, 0]) for i in ids) + spectral)
    out.append(_dc_scan(blocks.reshape(-1, components), end_of_block=not progressive))
    return b"".join([*out, b"\xff\xd9"])


def _dc_scan(blocks: npt.NDArray[np.uint8], *, end_of_block: bool) -> bytes:
    bits: list[str] = []
    last = [0] * blocks.shape[1]
    for block in blocks.tolist():
        for component, level in enumerate(block):
            difference, last[component] = level - 128 - last[component], level - 128
            size = abs(difference).bit_length()
            bits.append(f"{size:04b}")
            if size:
                bits.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
            bits.append("0" if end_of_block else "")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    data = int(text, 2).to_bytes(len(text) // 8, "big")
    return data.replace(b"\xff", b"\xff\0")


LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""Kr and Kb of BT.601-7 and BT.709-6."""


def to_yuv(rgb: npt.NDArray[np.generic], matrix: str, *, full: bool) -> npt.NDArray[np.float64]:
    """(..., 3) float: Y, Cb, Cr on the 8-bit scale, not rounded."""
    red, green, blue = np.moveaxis(np.asarray(rgb, np.float64) / 255, -1, 0)
    kr, kb = LUMA[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    if full:
        return np.stack([255 * luma, 128 + 255 * cb, 128 + 255 * cr], axis=-1)
    return np.stack([16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr], axis=-1)


def raw_picture(rgb: Rgb, encoding: str, matrix: str = "bt601") -> Image:
    """The picture as packed planes in the `PixelFormat` `encoding`; odd sizes repeat the last column and row."""
    height, width = rgb.shape[:2]
    data = b"".join(plane.tobytes() for plane in _raw_planes(rgb, encoding, matrix))
    return Image(data, encoding, width, height, "bt709" if matrix == "bt709" else "bt601")


def _raw_planes(rgb: Rgb, encoding: str, matrix: str) -> Sequence[npt.NDArray[np.generic]]:
    alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    packed = {
        "rgb24": rgb,
        "bgr24": rgb[:, :, ::-1],
        "rgba": np.concatenate([rgb, alpha], axis=2),
        "bgra": np.concatenate([rgb[:, :, ::-1], alpha], axis=2),
    }
    if encoding in packed:
        return [np.ascontiguousarray(packed[encoding])]
    if encoding in ("rgb48le", "bgr48le"):
        return [packed[f"{encoding[:3]}24"].astype("<u2") * 257]
    if encoding.startswith("bayer_"):
        seen = mosaic(rgb, encoding[6:10])
        return [seen if encoding.endswith("8") else seen.astype("<u2") * 257]
    luma = to_yuv(rgb, "bt601", full=True)[..., 0]
    if encoding == "gray8":
        return [_rounded(luma)]
    if encoding == "gray16le":
        return [np.rint(luma * 257).astype("<u2")]
    across, down = {"0": (2, 2), "2": (2, 1), "4": (1, 1)}[_sampling(encoding)[2]]
    odd = [(0, -rgb.shape[0] % down), (0, -rgb.shape[1] % across), (0, 0)]
    yuv = to_yuv(np.pad(rgb, odd, mode="edge"), matrix, full="yuvj" in encoding)
    rows, columns = yuv.shape[0] // down, yuv.shape[1] // across
    chroma = _rounded(yuv[..., 1:].reshape(rows, down, columns, across, 2).mean(axis=(1, 3)))
    y = _rounded(yuv[: rgb.shape[0], : rgb.shape[1], 0])
    if encoding in ("nv12", "nv24"):
        return [y, chroma]
    if encoding == "nv21":
        return [y, chroma[..., ::-1]]
    if encoding == "yuyv422":
        wide = _rounded(yuv[..., 0])
        return [np.stack([wide[:, ::2], chroma[..., 0], wide[:, 1::2], chroma[..., 1]], axis=-1)]
    if encoding == "uyvy422":
        wide = _rounded(yuv[..., 0])
        return [np.stack([chroma[..., 0], wide[:, ::2], chroma[..., 1], wide[:, 1::2]], axis=-1)]
    return [y, np.ascontiguousarray(chroma[..., 0]), np.ascontiguousarray(chroma[..., 1])]


def _sampling(encoding: str) -> str:
    known = {"nv12": "420", "nv21": "420", "nv24": "444", "yuyv422": "422", "uyvy422": "422"}
    return known.get(encoding, encoding[-4:-1])


_MOSAICS = {"rggb": ((0, 1), (1, 2)), "bggr": ((2, 1), (1, 0)), "gbrg": ((1, 2), (0, 1)), "grbg": ((1, 0), (2, 1))}


def mosaic(rgb: Rgb, tiles: str) -> npt.NDArray[np.uint8]:
    """(height, width) uint8: what a sensor behind this pattern of filters sees."""
    out = np.empty(rgb.shape[:2], np.uint8)
    for y in range(2):
        for x in range(2):
            out[y::2, x::2] = rgb[y::2, x::2, _MOSAICS[tiles][y][x]]
    return out


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def to_video(
    pictures: Iterable[Rgb],
    codec: str = "h264",
    *,
    gop: int = 10,
    b_frames: int = 0,
    pix_fmt: str = "yuv420p",
    matrix: str = "",
    full: bool = False,
    extra: str = "",
) -> tuple[list[bytes], PacketIndex]:
    """Access units in decode order as a camera sends them, and the index that their encoder knows.

    matrix: "bt601" or "bt709" to convert by and to tag, "" for BT.601 without tag. full: full range, tagged.
    extra: further codec parameters, as x264-params has them.
    """
    frames = [_tagged(picture, pix_fmt, matrix, full) for picture in pictures]
    context = av.CodecContext.create({"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}[codec], "w")
    context.width, context.height, context.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
    context.time_base, context.framerate, context.thread_count = Fraction(1, 30), Fraction(30), 1
    context.options = _video_options(codec, gop, b_frames, extra)
    if matrix:
        context.colorspace = {"bt601": 6, "bt709": 1}[matrix]
    if full:
        context.color_range = 2
    packets = []
    for number, frame in enumerate(frames):
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    data = [bytes(packet) for packet in packets]
    index = PacketIndex(
        keyframe=np.array([packet.is_keyframe for packet in packets]),
        display=np.array([packet.pts for packet in packets], np.int64),
        disposable=np.zeros(len(packets), np.bool_),
        sizes=np.array([len(d) for d in data], np.int64),
        formats=(FrameFormat(codec, context.width, context.height, context.pix_fmt),),  # type: ignore[arg-type]
    )
    return data, index


def _video_options(codec: str, gop: int, b_frames: int, extra: str) -> dict[str, str]:
    options = {"g": str(gop), "crf": "12", "bf": str(b_frames)}
    if codec == "h264":
        return {**options, "preset": "ultrafast", "x264-params": f"scenecut=0:b-adapt=0:{extra}".rstrip(":")}
    if codec == "hevc":
        params = f"open-gop=0:bframes={b_frames}:keyint={gop}:min-keyint={gop}:b-adapt=0:scenecut=0:log-level=none"
        return {**options, "preset": "ultrafast", "x265-params": f"{params}:pools=1:{extra}".rstrip(":")}
    return {"g": str(gop), "crf": "12", "preset": "8", "svtav1-params": f"lp=1:{extra}".rstrip(":")}


def _tagged(rgb: Rgb, pix_fmt: str, matrix: str, full: bool) -> av.VideoFrame:
    """The picture as a frame made by the formulas above, 4:2:0 in 8 or 10 bit."""
    wide = "10" in pix_fmt
    planes = _raw_planes(rgb, "yuvj420p" if full else "yuv420p", matrix or "bt601")
    name = "yuvj420p" if full and not wide and pix_fmt == "yuvj420p" else pix_fmt
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], name)
    for plane, values in zip(frame.planes, planes, strict=True):
        into = np.frombuffer(plane, np.uint16 if wide else np.uint8).reshape(plane.height, -1)
        into[:, : values.shape[1]] = values.astype(np.uint16) << 2 if wide else values
    return frame
