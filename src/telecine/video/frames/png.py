"""Single frames as PNG files, and many frames on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from telecine.core.errors import VideoError, raised_as
from telecine.video.frames.colour import Rgb
from telecine.video.frames.lettering import caption

_BORDER_PX = 2
_PLAIN, _MARKED = (255, 255, 255), (220, 30, 30)


def write_png(path: Path, rgb: Rgb) -> None:
    """(height, width, 3) uint8 as a PNG file. Raises: VideoError when the disk refuses."""
    with raised_as(VideoError, f"{path}: cannot be written", OSError):
        path.write_bytes(to_png(rgb))


def to_png(rgb: Rgb) -> bytes:
    """(height, width, 3) uint8 as the bytes of a PNG file."""
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width, encoder.pix_fmt = rgb.shape[0], rgb.shape[1], "rgb24"
    encoder.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return b"".join(bytes(p) for part in (frame, None) for p in encoder.encode(part))


def read_png(data: bytes) -> Rgb:
    """(height, width, 3) uint8 of a PNG or JPEG file's bytes. Raises: VideoError."""
    name = "png" if data.startswith(b"\x89PNG") else "mjpeg"
    try:
        (frame,) = av.CodecContext.create(name, "r").decode(av.Packet(data))
        rgb: Rgb = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"a stored frame cannot be decoded: {error}") from error
    return rgb


@dataclass(frozen=True, eq=False, slots=True)
class Cell:
    """One frame on a sheet. marked: a red border around it."""

    rgb: Rgb
    caption: str = ""
    marked: bool = False


def sheet(rows: Sequence[Sequence[Cell]], *, title: str = "", width_px: int = 160) -> Rgb:
    """Frames side by side, one line for each of `rows`, all `width_px` wide; white where a line is shorter."""
    lines = [np.concatenate([_cell(cell, width_px) for cell in row], axis=1) for row in rows if row]
    widest = max((line.shape[1] for line in lines), default=0)
    filled = [np.pad(a, ((0, 0), (0, widest - a.shape[1]), (0, 0)), constant_values=255) for a in lines]
    head = [caption(title, widest)] if title and filled else []
    made: Rgb = np.concatenate(head + filled, axis=0) if filled else np.full((1, 1, 3), 255, np.uint8)
    return made


def _cell(cell: Cell, width_px: int) -> Rgb:
    framed = _framed(scaled(cell.rgb, width_px), _MARKED if cell.marked else _PLAIN)
    return np.concatenate([framed, caption(cell.caption, framed.shape[1])], axis=0) if cell.caption else framed


def scaled(rgb: Rgb, width_px: int) -> Rgb:
    """The frame `width_px` wide, in the same proportion."""
    height_px = max(round(rgb.shape[0] * width_px / rgb.shape[1]), 1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    small: Rgb = frame.reformat(width_px, height_px).to_ndarray(format="rgb24")
    return small


def _framed(rgb: Rgb, colour: tuple[int, int, int]) -> Rgb:
    height, width, _ = rgb.shape
    made = np.empty((height + 2 * _BORDER_PX, width + 2 * _BORDER_PX, 3), np.uint8)
    made[:] = colour
    made[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = rgb
    return made
