"""Depth images of a Rerun recording, raw or coded, as streams in mm or m.

Rerun's `meter` is how many units of the pixels make a metre; where it is not logged, integers are mm and floats m
(docs of `DepthImage` and `EncodedDepthImage`). The documentation of `EncodedDepthImage` also gives 0.001 for mm, the
reciprocal: for integers, whose unit is never longer than a metre, a `meter` below 1 is taken for that, with a remark.
"""

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from telecine.core.errors import SourceError, VideoError
from telecine.core.grid import Rows
from telecine.core.recording import Image, Schema
from telecine.core.text.numbers import counted
from telecine.sources.messages.images import CompressedFormat, depth_image
from telecine.sources.rrd.chunks import Chunks, ComponentColumn
from telecine.sources.rrd.image_formats import DepthFormat, depth_format, encoding_of
from telecine.sources.rrd.payloads import Payloads

_MM_PER_M = 1000.0
_RVL = "application/rvl"
_PNG_DEPTH_AT = 24
"""Of the bit depth in a PNG's first chunk (PNG specification, 11.2.2 IHDR)."""


class _DepthImages(Payloads):
    """What both kinds share: the companion `meter`."""

    kind: Literal["image"] = "image"

    def __init__(self, chunks: Chunks, column: ComponentColumn, companion: str, meter: str) -> None:
        super().__init__(chunks, column, companion, meter)

    def _beside(self, position: int) -> tuple[Any, float | None]:
        """(format or media type, meter) of a sample."""
        companions, meters = self._read.beside.values()
        return companions[position], meters[position]

    def _per_metre(self, meter: float | None, *, integer: bool) -> float:
        """Units of the pixels in a metre."""
        if meter is None:
            return _MM_PER_M if integer else 1.0
        if not meter > 0 or not np.isfinite(meter):
            raise SourceError(f"{self.name}: meter {meter:g} is no number of units in a metre; 1000 means mm")
        # Six digits, as float32 holds no more: 0.001 is then 1000 exactly.
        return float(f"{1 / meter if integer and meter < 1 else meter:.6g}")

    def remarks(self) -> tuple[tuple[str, str], ...]:
        """That whole numbers have no `meter`, or one that was taken for its reciprocal."""
        meters = self._read.beside[self._companions[1]]
        if not meters or not self._integer:
            return ()
        if None in meters:
            text = "no meter was logged: whole numbers are taken for mm, as Rerun's viewer takes them"
            return (("depth-unit", text),)
        odd = next((m for m in meters if 0 < m < 1), None)
        if odd is None:
            return ()
        return (("depth-unit", f"meter {odd:g} is taken for {odd:g} m in a unit: {self._per_metre(odd, integer=True):g}"
                 " units in a metre"),)  # fmt: skip

    @property
    @abstractmethod
    def _integer(self) -> bool:
        """Whether the first sample holds whole numbers."""


class RawDepth(_DepthImages):
    """Depth as pixels: 16-bit mm as they are, all others as float m."""

    @property
    def _formats(self) -> list[Any]:
        return self._read.beside[self._companions[0]]

    @property
    def _integer(self) -> bool:
        return bool(self._formats) and depth_format(self._formats[0], self.name).integer

    @cached_property
    def schema(self) -> Schema:
        """In mm when every image is, else in m."""
        formats, meters = self._read.beside.values()
        if not formats:
            return Schema("uint16", (0, 0, 1), unit="mm", encoding="gray16le")
        kinds = {(str(f), m): (f, m) for f, m in zip(formats, meters, strict=True)}
        first = depth_format(formats[0], self.name)
        shape = (first.height, first.width, 1)
        if all(self._is_mm(depth_format(f, self.name), m) for f, m in kinds.values()):
            return Schema("uint16", shape, unit="mm", encoding="gray16le")
        return Schema("float32", shape, unit="m", encoding="grayf32le")

    def _is_mm(self, form: DepthFormat, meter: float | None) -> bool:
        return form.dtype == "<u2" and self._per_metre(meter, integer=True) == _MM_PER_M

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """Images at `rows`."""
        is_mm = self.schema.unit == "mm"
        for position, data in self._picked(self._on(clock).by_stamp(clock)[rows]):
            logged, meter = self._beside(position)
            form = depth_format(logged, self.name)
            if len(data) != form.size_bytes:
                raise SourceError(
                    f"{self.name}: a depth image of {form.width} x {form.height} in {form.dtype} has "
                    f"{counted(len(data), 'byte')}, expected {form.size_bytes}"
                )
            if is_mm:
                yield Image(data, "gray16le", form.width, form.height)
            else:
                values = np.frombuffer(data, form.dtype).reshape(form.height, form.width)
                yield _in_metres(values, self._per_metre(meter, integer=form.integer))


class CodedDepth(_DepthImages):
    """Depth as PNG, or as RVL behind the header of ROS's compressed_depth_image_transport."""

    @cached_property
    def _first(self) -> tuple[str, float | None]:
        """(coding of the first sample, its meter): "png16", "png8", "rvl", or "rvlf" for coded inverse depth in m."""
        companions, meters = self._read.beside.values()
        coding = self._coding(self._read.head, companions[0] if companions else None)
        return coding, meters[0] if meters else None

    def _coding(self, head: bytes, media_type: str | None) -> str:
        if media_type == _RVL or (media_type is None and not head.startswith(b"\x89PNG")):
            return "rvlf" if np.frombuffer(head[4:8].ljust(4, b"\0"), "<f4")[0] else "rvl"
        if encoding_of(head, media_type, self.name) != "png":
            raise SourceError(f"{self.name}: a depth image of type {media_type}; expected image/png or {_RVL}")
        return "png16" if head[_PNG_DEPTH_AT : _PNG_DEPTH_AT + 1] == b"\x10" else "png8"

    @property
    def _integer(self) -> bool:
        return self._first[0] != "rvlf"

    def _is_mm(self, coding: str, meter: float | None) -> bool:
        return coding in ("png16", "rvl") and self._per_metre(meter, integer=True) == _MM_PER_M

    @cached_property
    def schema(self) -> Schema:
        """In mm when the first image is, else in m. Its size is known only by decoding."""
        coding, meter = self._first
        if not self._is_mm(coding, meter):
            return Schema("float32", (0, 0, 1), unit="m", encoding="grayf32le")
        return Schema("uint16", (0, 0, 1), unit="mm", encoding="png" if coding == "png16" else "gray16le")

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """Images at `rows`."""
        for position, data in self._picked(self._on(clock).by_stamp(clock)[rows]):
            media_type, meter = self._beside(position)
            coding = self._coding(bytes(data[:64]), media_type)
            if self.schema.unit == "mm" and not self._is_mm(coding, meter):
                raise SourceError(f"{self.name}: depth in mm, and then in another unit (meter {meter}); split it")
            yield self._image(data, coding, meter)

    def _image(self, data: memoryview, coding: str, meter: float | None) -> Image:
        unit: Literal["m", "mm"] = "m" if coding == "rvlf" else "mm"
        if coding.startswith("rvl"):
            image = depth_image(CompressedFormat("depth", "rvl", unit=unit), data, self.name)
        else:
            image = Image(data, "png")
        if self.schema.unit == "mm":
            return image
        per_metre = self._per_metre(meter, integer=coding != "rvlf")
        return _in_metres(self._pixels(image), per_metre)

    def _pixels(self, image: Image) -> npt.NDArray[Any]:
        """(height, width) numbers of an image."""
        if image.encoding != "png":
            dtype = "<f4" if image.encoding == "grayf32le" else "<u2"
            return np.frombuffer(image.data, dtype).reshape(image.height, image.width)
        from telecine.video.decode import coded_frame  # FFmpeg is loaded only for this

        try:
            frame = coded_frame(image, self.name)
        except VideoError as error:
            raise SourceError(f"{self.name}: {error}") from error
        if not frame.format.name.startswith("gray"):
            raise SourceError(f"{self.name}: a depth image of {frame.format.name}; expected one channel")
        pixels: npt.NDArray[Any] = frame.to_ndarray(format="gray" if frame.format.name == "gray" else "gray16le")
        return pixels


def _in_metres(values: npt.NDArray[Any], per_metre: float) -> Image:
    metres = np.ascontiguousarray(values.astype(np.float64) / per_metre, "<f4")
    return Image(memoryview(metres.reshape(-1).view(np.uint8).data), "grayf32le", values.shape[1], values.shape[0])
