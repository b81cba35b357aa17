"""What a source hands over: named streams of timed samples, read only when asked.

A stream may carry several clocks (timelines). Everything is asked for on one clock: `times(clock)` is sorted,
and the rows given to `take` are positions in exactly that array. A static stream has one sample, valid always.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.depth import DepthScale
from telecine.core.frame_witness import FrameWitness
from telecine.core.grid import Grid, Rows, Times
from telecine.core.label import TimedLabels

StreamKind = Literal["vector", "text", "image", "video"]
ClockKind = Literal["timestamp", "duration", "sequence"]
"""timestamp: ns since the Unix epoch; duration: ns since some start; sequence: plain counts, not time."""
Codec = Literal["h264", "hevc", "av1"]
ColourOrder = Literal["rgb", "bgr"]
Rotation = Literal["none", "rotate180", "flip"]
"""flip: the first row becomes the last."""
Buffer: TypeAlias = bytes | memoryview
Array: TypeAlias = npt.NDArray[Any]

STATIC_NS = int(np.iinfo(np.int64).min // 4)
"""The stamp of a static sample: before every tick, far from overflow when subtracted."""

LABELS = "labels"
"""Unit of images whose pixels are numbers of classes."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What one sample of a stream is.

    dtype: numpy name ("float64", "uint8", "bool"), or "string".
    shape: of one sample: (n,) or more dims for vectors, () for text, (height, width, channels) for frames
        (zeros where only decoding would show it).
    unit: of the values; "mm" or "m" make frames depth, `LABELS` classes that no lossy coding may touch.
    names: one per element of a vector, when the source knows them.
    encoding: "h264", "hevc", "av1" for video; "jpeg", "png", ... or a `PixelFormat` for images; else None.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    names: tuple[str, ...] | None = None
    unit: str | None = None
    encoding: str | None = None
    order: ColourOrder = "rgb"
    turn: Rotation = "none"
    """As in `Image`, as far as it is known beforehand."""
    depth: DepthScale | None = None
    """Of video whose frames hold codes of distances."""


PixelFormat = Literal[
    "rgb24", "bgr24", "rgba", "bgra", "gray8", "gray16le", "nv12", "yuyv422", "yuv420p", "yuv422p", "yuv444p",
    "yuvj420p", "yuvj422p", "yuvj444p", "uyvy422", "nv21", "nv24", "rgb48le", "bgr48le", "grayf32le",
    "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8",
    "bayer_rggb16le", "bayer_bggr16le", "bayer_gbrg16le", "bayer_grbg16le",
]  # fmt: skip
"""Names as FFmpeg has them; yuvj* is full range, grayf32le depth in m."""


@dataclass(frozen=True, slots=True)
class Image:
    """One frame as the source holds it: coded bytes (JPEG, PNG) or raw planes, rows packed without padding."""

    data: Buffer
    encoding: str
    """"jpeg", "png" or a `PixelFormat`."""
    width: int = 0
    height: int = 0
    matrix: Literal["bt601", "bt709"] = "bt601"
    """How raw YUV was made from RGB; other encodings ignore it."""
    order: ColourOrder = "rgb"
    """"bgr": its decoder gives red and blue exchanged, because they were when it was compressed."""
    turn: Rotation = "none"
    """What makes it upright."""


class StreamFacts(Protocol):
    """What all streams have. Asking one stream reads no other; every method raises only `SourceError`."""

    @property
    def name(self) -> str:
        """Unique in the recording, e.g. `/joints:Scalars:scalars`."""
        ...

    @property
    def schema(self) -> Schema:
        """What one sample is."""
        ...

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """Every clock on which at least one sample has a stamp; empty for a static stream."""
        ...

    @property
    def static(self) -> bool:
        """True when the stream is one value without time: `times` is then [STATIC_NS] on any clock."""
        ...

    def times(self, clock: str) -> Times:
        """(n,) int64, non-decreasing; ns, or plain counts for a sequence clock. KeyError never: SourceError."""
        ...

    def backwards(self, clock: str) -> int:
        """How many samples arrived with a stamp below that of the sample before (0: in order)."""
        ...


class VectorStream(StreamFacts, Protocol):
    """Numbers."""

    @property
    def kind(self) -> Literal["vector"]:
        """Distinguishes the four protocols."""
        ...

    def take(self, rows: Rows, clock: str) -> Array:
        """(len(rows), *schema.shape) of schema.dtype. SourceError when the width changes on the way."""
        ...


class TextStream(StreamFacts, Protocol):
    """Strings."""

    @property
    def kind(self) -> Literal["text"]:
        """Distinguishes the four protocols."""
        ...

    def take(self, rows: Rows, clock: str) -> Sequence[str]:
        """len(rows) strings in order."""
        ...


class ImageStream(StreamFacts, Protocol):
    """Frames that stand alone."""

    @property
    def kind(self) -> Literal["image"]:
        """Distinguishes the four protocols."""
        ...

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """len(rows) frames in order, lazily; rows must be non-decreasing, so that the file is read once."""
        ...


class VideoStream(StreamFacts, Protocol):
    """Coded frames that refer to each other; `schema.encoding` is the codec.

    `times` is sorted, so times[k] is when the k-th frame *in display order* was taken, whether packets were
    stamped with presentation or arrival time.
    """

    @property
    def kind(self) -> Literal["video"]:
        """Distinguishes the four protocols."""
        ...

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Access units [start, stop) in the order they arrived, which is decode order.

        Annex B for H.264 and H.265, low-overhead OBUs for AV1. Only packets with a stamp on `clock`, so there
        are exactly len(times(clock)).
        """
        ...


class Remarking(Protocol):
    """A stream that found something odd in its samples and handled it."""

    def remarks(self) -> tuple[tuple[str, str], ...]:
        """(finding code, message), such as messages that cannot be read or stamps that cannot be used."""
        ...


class LogOrdered(Protocol):
    """A stream that knows when its first sample was logged, compared with those of other streams."""

    def first_logged(self) -> int | None:
        """A number that grows in order of logging within one recording; None without samples."""
        ...


Stream: TypeAlias = VectorStream | TextStream | ImageStream | VideoStream


def remarks_of(stream: Stream) -> tuple[tuple[str, str], ...]:
    """The stream's remarks about its samples; () for streams that make none."""
    return cast("Remarking", stream).remarks() if hasattr(stream, "remarks") else ()


def first_logged(stream: Stream) -> int | None:
    """When the first sample was logged, compared with other streams; None where the stream does not know."""
    return cast("LogOrdered", stream).first_logged() if hasattr(stream, "first_logged") else None


@dataclass(frozen=True, slots=True)
class Part:
    """One episode of a recording that holds several: [start_ns, stop_ns] on the plan's clock."""

    number: int
    """From 0, in order of time."""
    start_ns: int
    stop_ns: int
    task: str | None = None
    """Overrides the plan's."""
    success: bool | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """Where a recording is: the unit of work. Small, picklable, sorted by (path, id).

    >>> Ref("rrd", "monday.rrd", "take_1").format
    'rrd'
    """

    format: str
    path: str
    id: str = ""
    """Distinguishes recordings of one path; the recording id where the format has one, which no two files should share.
    One that starts with "/" is a path inside the file, such as /data/demo_3, and may occur in other files."""
    size_bytes: int = 0
    recover: bool = False
    """Read a damaged file up to its last whole message."""
    token: str | None = field(default=None, repr=False, compare=False)
    """Access token of a remote catalog; never printed, never stored."""
    follow_links: bool = False
    """Links, and names of files in the recording, may lead outside of it."""
    part: Part | None = None
    """The episode meant, where the plan splits a recording into several."""
    layers: tuple[str, ...] = ()
    """Further files of the same recording, where a format has such, in the order of their names."""
    shared_id: str = ""
    """Another recording of the same file, of properties only, which are this one's as well."""

    @property
    def label(self) -> str:
        """What reports call it: the path, the id where it is needed, and the number of the part."""
        name = self.recording_label
        return name if self.part is None else f"{name}@{self.part.number}"

    @property
    def recording_label(self) -> str:
        """The label without the number of the part: equal for all episodes of one recording."""
        return f"{self.path}#{self.id}" if self.id else self.path

    @property
    def names(self) -> tuple[str, ...]:
        """What a plan may call the recording: its id, its file name, and that without the suffix."""
        files = [path.rstrip("/").rpartition("/")[2] for path in (self.path, *self.layers)]
        names = [self.id, *(name for file in files for name in (file, file.rpartition(".")[0]))]
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stream that a recording holds and that becomes no feature, with the reason and the next step.

    Sources state it for two kinds: "unreadable" streams, which are not in `Recording.streams` (damaged, or of a type
    that is not decoded); and "offered" ones that are never proposed, such as drawn geometry, which are there where
    telecine can read them, so that a plan may name them.
    """

    stream: str
    """Its name in `Recording.streams`; where it is not there, its entity, topic or path in the file."""
    what: Literal["offered", "unreadable"]
    why: str
    fix: str = ""
    """What to do about it, "" where there is nothing to do."""
    training: bool = False
    """A camera, or a measured or commanded position: without it training data may be wrong, so it is a warning."""


@dataclass(frozen=True, slots=True)
class CameraCalibration:
    """How a camera projects the world into its frames of `width` x `height` pixels; what is unknown is None or empty.

    intrinsics: 9 numbers, the matrix K row by row, in pixels: fx 0 cx, 0 fy cy, 0 0 1.
    distortion: coefficients of `distortion_model`, as ROS's CameraInfo has them (plumb_bob: k1 k2 t1 t2 k3).
    extrinsics: 16 numbers, row by row: the camera's pose in `frame`, in metres; z points forward, x right, y down.
    """

    width: int
    height: int
    intrinsics: tuple[float, ...] | None = None
    distortion_model: str | None = None
    distortion: tuple[float, ...] = ()
    extrinsics: tuple[float, ...] | None = None
    frame: str | None = None


@dataclass(slots=True)
class Recording:
    """The raw material of exactly one episode. A context manager: closing it lets go of files.

    >>> with Recording(Ref("mem", "take_1"), {}) as recording:
    ...     sorted(recording.streams)
    []
    """

    ref: Ref
    streams: Mapping[str, Stream]
    attrs: Mapping[str, str] = field(default_factory=dict)
    """What the source knows beyond streams: task, success, operator, robot, start time ..."""
    notes: tuple[tuple[str, str], ...] = ()
    """(finding code, message) met while opening, e.g. a recovered file."""
    close: Any = None
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Feature key -> streams, where the format itself declares what its streams are; else names decide."""
    rows: Grid | None = None
    """Of an episode of rows, each of which stands for its whole period: no sample from outside `rows` is shown. On
    clocks of kind `duration`; a sequence clock counts them."""
    stored_times: Callable[[], Array] | None = None
    """Reads the (n,) seconds that each row has as its time, where that is stored; they may be off the grid `rows`."""
    frame_witness: Callable[[str], FrameWitness | None] | None = None
    """What is stored beside the frames of a stream, and tells whether they are its own."""
    left_out: tuple[LeftOut, ...] = ()
    """Streams that cannot be read, and those that are never proposed. What the format's own library lists and is not
    in `streams` has to be here: one unreadable stream never hides another."""
    calibrations: Mapping[str, CameraCalibration] = field(default_factory=dict)
    """Stream of a camera -> its calibration, where the recording has one."""
    labels: tuple[TimedLabels, ...] = ()
    """What the recording itself says of its spans, as annotated datasets do. On each clock that a plan may choose."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.close is not None:
            self.close()


@dataclass(frozen=True, slots=True)
class MemoryStream:
    """A stream held in memory, of any kind: what a recorder collects and what tests are made of.

    stamps: clock -> (n,) int64 in order of arrival (sorted on demand); values: n items (array, list or tuple).
    """

    name: str
    kind: Any
    schema: Schema
    stamps: Mapping[str, Times]
    values: Any
    clock_kind: ClockKind = "timestamp"

    @property
    def static(self) -> bool:
        """True without stamps."""
        return not self.stamps

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """One of `clock_kind` for each stamped clock."""
        return dict.fromkeys(self.stamps, self.clock_kind)

    def _order(self, clock: str) -> Rows:
        if self.static:
            return np.zeros(1, np.int64)
        return np.argsort(self.stamps[clock], kind="stable").astype(np.int64)

    def times(self, clock: str) -> Times:
        """(n,) int64, sorted."""
        if self.static:
            return np.array([STATIC_NS], np.int64)
        return self.stamps[clock][self._order(clock)]

    def backwards(self, clock: str) -> int:
        """How many stamps lie below that of the sample before."""
        return 0 if self.static else int(np.sum(np.diff(self.stamps[clock]) < 0))

    def take(self, rows: Rows, clock: str) -> Any:
        """The values at `rows` of the sorted samples: an array, an iterator of frames, or a list of texts."""
        where = self._order(clock)[rows]
        if self.kind == "vector":
            return np.asarray(self.values)[where]
        picked = (self.values[int(i)] for i in where)
        return picked if self.kind == "image" else list(picked)

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Packets [start, stop) as they arrived."""
        del clock  # a memory stream holds the same packets on all its clocks
        yield from self.values[start:stop]
