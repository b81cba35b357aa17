"""Arrays with one row per step (of HDF5, zarr ...) as streams: numbers, images and texts, read in whole blocks.

Knows no file format: an array is anything with `shape`, `dtype`, `chunks` and slices. Rows are read in blocks of whole
chunks, since a compressed chunk is decoded whole whoever asks for one row of it.
"""

# ruff: noqa: D102 - the methods of streams are described by their protocols
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, Protocol

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.grid import Rows, Times
from telecine.core.recording import (
    Array,
    ClockKind,
    ColourOrder,
    Image,
    MemoryStream,
    PixelFormat,
    Rotation,
    Schema,
    Stream,
)  # fmt: skip
from telecine.core.text.numbers import counted
from telecine.sources.shared.timing import SHORT, STEP, TIME, Timing, counted_times

BLOCK_BYTES = 8 << 20
"""Read at a time, at least one chunk."""
CACHE_BYTES = 64 << 20
"""Numbers up to this size are read once and cached."""
MOST_ROW_BYTES = 1 << 28  # of one row, such as a frame; more is taken for damage
_READ_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, SystemError, MemoryError)
MAGIC = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}


class StoredArray(Protocol):
    """An array on disk; zarr's and h5py's have all of it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""
        ...

    @property
    def dtype(self) -> Any:
        """NumPy's type of one element."""
        ...

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of what is compressed together; None when rows lie one after the other."""
        ...

    def __getitem__(self, rows: Any) -> Any:
        """The rows of a slice."""
        ...


@dataclass(frozen=True, slots=True)
class ArrayPart:
    """Rows [first, stop) of an array, under a name, at their steps."""

    name: str
    array: StoredArray
    first: int
    stop: int
    timing: Timing
    steps: Rows | None = field(default=None, compare=False)
    """(stop - first,) the step of each row, non-decreasing, where that is not its number."""

    def __len__(self) -> int:
        return self.stop - self.first

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of one row."""
        return tuple(map(int, self.array.shape[1:]))

    @property
    def row_bytes(self) -> int:
        """Of one row as NumPy has it; that of the reference for texts and byte strings of varying length."""
        return math.prod(self.row_shape) * int(self.array.dtype.itemsize)

    def read(self, start: int, stop: int) -> Any:
        """Rows [start, stop), counted from `first`. Raises: SourceError."""
        if self.row_bytes > MOST_ROW_BYTES:
            raise SourceError(f"{self.name}: a row of {counted(self.row_bytes, 'byte')} is more than {MOST_ROW_BYTES}")
        try:
            return self.array[self.first + start : self.first + stop]
        except _READ_ERRORS as error:
            raise SourceError(f"{self.name}: rows {start} to {stop} cannot be read: {error}") from error

    def rows(self, rows: Rows) -> Iterator[Any]:
        """The rows asked for, non-decreasing, each chunk read once: no further than to that of the last one."""
        chunk = self.array.chunks[0] if self.array.chunks and self.row_bytes else 1
        size = chunk * max(1, BLOCK_BYTES // (self.row_bytes * chunk)) if self.row_bytes else 1
        wanted = rows.tolist()
        start = stop = 0
        block: Any = None
        for at, row in enumerate(wanted):
            if not start <= row < stop:
                edge = (self.first + row) // chunk * chunk - self.first
                last = wanted[bisect_left(wanted, edge + size, lo=at) - 1]
                end = -(-(self.first + last + 1) // chunk) * chunk - self.first
                start, stop = max(edge, 0), min(end, len(self))
                block = self.read(start, stop)
            yield block[row - start]


@dataclass(frozen=True, eq=False)
class _OfPart:
    """What all streams over a part share."""

    part: ArrayPart

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def static(self) -> bool:
        return False

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        return self.part.timing.clocks() if len(self.part) else {}

    def times(self, clock: str) -> Times:
        count, steps = len(self.part), self.part.steps
        if steps is None and count <= SHORT and clock in (STEP, TIME):
            times = counted_times(count, self.part.timing.fps if clock == TIME else None, clock)
        else:
            times = self.part.timing.times(clock, np.arange(count, dtype=np.int64) if steps is None else steps)
        if times is None:
            raise SourceError(f"{self.name}: no clock {clock!r}; it has {', '.join(self.clocks)}")
        return times

    def backwards(self, clock: str) -> int:
        times = self.times(clock)
        if self.part.steps is None and clock in (STEP, TIME):
            return 0  # they count
        return int(np.count_nonzero(times[1:] < times[:-1]))


@dataclass(frozen=True, eq=False)
class NumberArray(_OfPart):
    """Numbers, as they are stored; half floats become float32."""

    names: tuple[str, ...] | None = None
    kind: Literal["vector"] = "vector"

    @cached_property
    def schema(self) -> Schema:
        return Schema(_dtype(self.part.array.dtype), self.part.row_shape or (1,), self.names)

    @cached_property
    def _all(self) -> Array:
        return np.asarray(self.part.read(0, len(self.part)))

    def take(self, rows: Rows, clock: str) -> Array:
        self.times(clock)
        if len(self.part) * self.part.row_bytes <= CACHE_BYTES:
            taken = self._all[rows]
        else:
            taken = np.array(list(self.part.rows(rows)), self.part.array.dtype)
        return taken.reshape(len(rows), *self.schema.shape).astype(self.schema.dtype, copy=False)


@lru_cache(maxsize=256)
def _dtype(dtype: Any) -> str:
    name = np.dtype(dtype).newbyteorder("=").name
    return "float32" if name == "float16" else name


@dataclass(frozen=True, eq=False)
class PixelArray(_OfPart):
    """Frames as arrays: (height, width), (height, width, channels) or (channels, height, width)."""

    encoding: PixelFormat = "rgb24"
    channels_first: bool = False
    turn: Rotation = "none"
    unit: str | None = None
    kind: Literal["image"] = "image"

    @cached_property
    def schema(self) -> Schema:
        dtype, unit = {"gray16le": ("uint16", "mm"), "grayf32le": ("float32", "m")}.get(self.encoding, ("uint8", None))
        given = unit if self.unit else None
        return Schema(dtype, self._size, unit=given, encoding=self.encoding, turn=self.turn)

    @cached_property
    def _size(self) -> tuple[int, int, int]:
        shape = self.part.row_shape
        if len(shape) == 2:
            return (*shape, 1)
        return (shape[1], shape[2], shape[0]) if self.channels_first else (shape[0], shape[1], shape[2])

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        self.times(clock)
        height, width, _ = self._size
        for row in self.part.rows(rows):
            pixels = np.moveaxis(row, 0, -1) if self.channels_first else row
            if self.unit is not None:
                pixels = self._depth(pixels)
            elif pixels.dtype.kind == "f":
                pixels = self._whole(pixels)
            data: Any = np.ascontiguousarray(pixels).astype(f"<{pixels.dtype.str[1:]}", copy=False)
            yield Image(memoryview(data).cast("B"), self.encoding, width, height, turn=self.turn)

    def _depth(self, pixels: Array) -> Array:
        """Floats as metres, integers as millimetres; what is no distance is unknown, which 0 says."""
        if self.encoding == "grayf32le":
            return pixels.astype(np.float32) / np.float32(1000 if self.unit == "mm" else 1)
        return (pixels.astype(np.int64) * (1000 if self.unit == "m" else 1)).clip(0, 65535).astype(np.uint16)

    def _whole(self, pixels: Array) -> Array:
        made = pixels.astype(np.uint8)
        if not np.array_equal(made, pixels):
            raise SourceError(f"{self.name}: images are floats that are no whole numbers of 0 to 255")
        return made


@dataclass(frozen=True, eq=False)
class CompressedArray(_OfPart):
    """Compressed frames: byte strings of fixed or varying length, or rows of bytes padded with zeros."""

    order: ColourOrder = "rgb"
    turn: Rotation = "none"
    raw_sizes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Bytes -> (width, height) of images that a recorder left uncompressed among the others."""
    unit: str | None = None
    """"mm" of 16-bit depth."""
    kind: Literal["image"] = "image"

    @cached_property
    def schema(self) -> Schema:
        found = coding(self._bytes(self.part.read(0, 1)[0]))
        if self.unit is not None:
            return Schema("uint16", (0, 0, 1), unit=self.unit, encoding=found)
        return Schema("uint8", (0, 0, 0), encoding=found, order=self.order, turn=self.turn)

    def _bytes(self, row: Any) -> bytes:
        return bytes(row) if isinstance(row, bytes) else np.asarray(row).tobytes()

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        self.times(clock)
        for number, row in zip(rows.tolist(), self.part.rows(rows), strict=True):
            data = self._bytes(row)
            found = coding(data)
            if found is not None:
                yield Image(data, found, order=self.order, turn=self.turn)
            elif len(data) in self.raw_sizes:
                width, height = self.raw_sizes[len(data)]
                yield Image(data, "bgr24" if self.order == "bgr" else "rgb24", width, height, turn=self.turn)
            else:
                raise SourceError(f"{self.name}: row {number} ({counted(len(data), 'byte')}) is neither JPEG nor PNG")


@dataclass(frozen=True, eq=False)
class TextArray(_OfPart):
    """Strings."""

    kind: Literal["text"] = "text"

    @property
    def schema(self) -> Schema:
        return Schema("string")

    def take(self, rows: Rows, clock: str) -> list[str]:
        self.times(clock)
        return [text_of(row) for row in self.part.rows(rows)]


def coding(data: bytes) -> str | None:
    """What the first bytes say: "jpeg", "png" or None."""
    return next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)


def text_of(value: Any) -> str:
    """A string from what h5py or zarr gives for one."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def static(name: str, value: Any) -> Stream:
    """A stream of one value without time: a text for a string, else numbers."""
    if isinstance(value, str | bytes):
        return MemoryStream(name, "text", Schema("string"), {}, [text_of(value)])
    numbers = np.asarray(value)
    numbers = numbers.astype(_dtype(numbers.dtype))
    return MemoryStream(name, "vector", Schema(numbers.dtype.name, numbers.shape or (1,)), {},
                        numbers.reshape(1, *(numbers.shape or (1,))))  # fmt: skip


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the images of a layout are stored."""

    order: ColourOrder = "rgb"
    turn: Rotation = "none"
    raw_sizes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    unit: str | None = None
    """Of frames that are depth: "mm" or "m"."""


def stream_of(
    part: ArrayPart, layout: PixelLayout, names: Callable[[str, tuple[int, ...]], tuple[str, ...] | None]
) -> Stream | None:
    """The stream that an array's type and shape say it is; None for what is no data. `names` by name and row shape."""
    dtype, shape = part.array.dtype, part.row_shape
    if 0 in shape or not len(part):
        return None
    if dtype.kind in "OSUT" or _is_padded(part):
        if dtype.kind != "U" and coding(_first_bytes(part)) is not None:
            return CompressedArray(part, layout.order, layout.turn, layout.raw_sizes)
        return None if shape else TextArray(part)
    encoding = _pixel_format(part) if layout.unit is None else _depth_format(part)
    if encoding is not None:
        return PixelArray(part, encoding, _channels_first(shape), layout.turn, layout.unit)
    return NumberArray(part, names(part.name, shape)) if dtype.kind in "fiub" and dtype.itemsize <= 8 else None


def _is_padded(part: ArrayPart) -> bool:
    """Rows of bytes that begin like a frame."""
    if part.array.dtype != np.uint8 or len(part.row_shape) != 1 or part.row_shape[0] < 64:
        return False
    return coding(np.asarray(part.read(0, 1)[0][:16]).tobytes()) is not None


def _first_bytes(part: ArrayPart) -> bytes:
    row = part.read(0, 1)[0]
    return row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else np.asarray(row).tobytes()


_CHANNELS: dict[int, PixelFormat] = {1: "gray8", 3: "rgb24", 4: "rgba"}
SMALLEST_PX = 8


def _channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] in _CHANNELS and min(shape[1:]) >= SMALLEST_PX and shape[2] not in _CHANNELS


def _pixel_format(part: ArrayPart) -> PixelFormat | None:
    """What the rows are as frames; None for numbers."""
    shape, dtype = part.row_shape, part.array.dtype
    plain = len(shape) == 2 and dtype.kind == "u" and min(shape) >= SMALLEST_PX
    if plain or (len(shape) == 3 and dtype == np.uint16 and shape[2] == 1):
        return {1: "gray8", 2: "gray16le"}.get(dtype.itemsize)  # type: ignore[return-value]
    if len(shape) != 3:
        return None
    channels = shape[0] if _channels_first(shape) else shape[2]
    size = shape[1:] if _channels_first(shape) else shape[:2]
    if min(size) < SMALLEST_PX or channels not in _CHANNELS:
        return None
    return _CHANNELS[channels] if dtype == np.uint8 or _is_float_of_bytes(part, channels) else None


def _depth_format(part: ArrayPart) -> PixelFormat | None:
    """What rows of depth in a known unit are as frames; None for numbers."""
    shape, dtype = part.row_shape, part.array.dtype
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 1) or min(shape[:2]) < SMALLEST_PX:
        return None
    return "grayf32le" if dtype.kind == "f" else "gray16le" if dtype.kind in "iu" and dtype.itemsize == 2 else None


def _is_float_of_bytes(part: ArrayPart, channels: int) -> bool:
    """Colours of 0 to 255 that were stored as floats, by the first frame."""
    if part.array.dtype.kind != "f" or channels == 1:
        return False
    first = np.asarray(part.read(0, 1)[0])
    whole = bool(np.all((first >= 0) & (first <= 255) & (first == np.round(first))))
    return whole and bool(first.max() > 1)
