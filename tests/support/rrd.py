"""Writers of test recordings, with rerun-sdk's own writer, so that what we read was written by somebody else.

    write_rrd(
        tmp_path / "episode_0.rrd",
        {
            "/joints": Vectors(stamps_ns, values, names=("a", "b")),
            "/action": Vectors({"real_time": stamps_ns, "step": np.arange(n)}, values),
            "/task": Texts(None, ["pick the cube"]),                       # stamps None: static
            "/camera/front": Video(stamps_ns, packets, codec="h264"),
            "/camera/wrist": Encoded(stamps_ns, jpegs, media_type="image/jpeg"),
            "/camera/top": Raw(stamps_ns, planes, width=64, height=48, encoding="rgb24"),
            "/arm": Custom(stamps_ns, "schemas.proto.JointState", {"joint_positions": values}),
        },
        recording_id="episode-0",
    )

Stamps are int64 in order of arrival; an array means the clock `real_time`, a mapping names the clocks. The
kind of a clock comes from `clocks` (default: "step" and "frame" are sequences, "elapsed" a duration, others
timestamps).
Every entity becomes chunks of `rows_per_chunk` rows, entities interleaved by stamp like a live recording.

`send_columns` sorts rows by stamp when there is only one clock. Late samples (stamps that go back) are therefore
written with a second clock `arrival`, a sequence that counts the rows, which makes it keep their order.
"""

import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Stamps = Any
"""(n,) int64 for the clock `real_time`, or a mapping of clocks to that, or None: static."""

KINDS = {"step": "sequence", "frame": "sequence", "arrival": "sequence", "elapsed": "duration"}


@dataclass(frozen=True)
class Vectors:
    """(n, width) float64 values as Scalars; `names` become a static SeriesLines:names."""

    stamps: Stamps
    values: Any
    names: Sequence[str] | None = None

    def columns(self, rows: slice) -> Any:
        import rerun as rr

        values = np.asarray(self.values, np.float64)[rows]
        values = values.reshape(len(values), -1)
        return rr.Scalars.columns(scalars=values.ravel()).partition([values.shape[1]] * len(values))

    def statics(self) -> Any:
        import rerun as rr

        return None if self.names is None else rr.SeriesLines(names=list(self.names))


@dataclass(frozen=True)
class Texts:
    """Strings as TextDocument, or as TextLog."""

    stamps: Stamps
    values: Sequence[str]
    archetype: str = "TextDocument"

    def columns(self, rows: slice) -> Any:
        import rerun as rr

        return getattr(rr, self.archetype).columns(text=list(self.values[rows]))

    def statics(self) -> Any:
        return None


@dataclass(frozen=True)
class Video:
    """Packets (bytes, decode order) as VideoStream; the codec is logged static, or with every packet."""

    stamps: Stamps
    packets: Sequence[bytes]
    codec: str | None = "h264"
    static_codec: bool = True

    def columns(self, rows: slice) -> Any:
        import rerun as rr

        packets = list(self.packets[rows])
        if self.static_codec or self.codec is None:
            return rr.VideoStream.columns(sample=packets)
        return rr.VideoStream.columns(sample=packets, codec=[_codec(self.codec)] * len(packets))

    def statics(self) -> Any:
        import rerun as rr

        if self.codec is None or not self.static_codec:
            return None
        return rr.VideoStream.from_fields(codec=_codec(self.codec))


@dataclass(frozen=True)
class Encoded:
    """Coded pictures (bytes) as EncodedImage; media_type None leaves the reader to look at the bytes."""

    stamps: Stamps
    blobs: Sequence[bytes]
    media_type: str | None = "image/jpeg"

    def columns(self, rows: slice) -> Any:
        import rerun as rr

        blobs = list(self.blobs[rows])
        media = {} if self.media_type is None else {"media_type": [self.media_type] * len(blobs)}
        return rr.EncodedImage.columns(blob=blobs, **media)

    def statics(self) -> Any:
        return None


@dataclass(frozen=True)
class Raw:
    """Raw pictures as Image (or DepthImage): planes are bytes or arrays, encoding a PixelFormat of the core.

    yuv420p and the like are limited range, yuvj* full range, as Rerun's names say.
    """

    stamps: Stamps
    planes: Sequence[Any]
    width: int
    height: int
    encoding: str = "rgb24"
    archetype: str = "Image"

    def columns(self, rows: slice) -> Any:
        import rerun as rr

        planes = [bytes(p) for p in self.planes[rows]]
        formats = [image_format(self.encoding, self.width, self.height)] * len(planes)
        return getattr(rr, self.archetype).columns(buffer=planes, format=formats)

    def statics(self) -> Any:
        return None


@dataclass(frozen=True)
class Custom:
    """Columns of an archetype that Rerun does not know.

    fields: (n,) or (n, width) arrays of any numeric dtype, or lists of strings. An empty archetype gives bare
    component names, as AnyValues does.
    """

    stamps: Stamps
    archetype: str
    fields: Mapping[str, Any]

    def columns(self, rows: slice) -> Any:
        import rerun as rr

        columns: list[Any] = []
        for name, values in self.fields.items():
            part = values[rows]
            width = 1 if np.ndim(part) < 2 else np.shape(part)[1]
            flat = list(part) if isinstance(part[0], str) else np.ascontiguousarray(part).ravel()
            made = (
                rr.DynamicArchetype.columns(archetype=self.archetype, components={name: flat})
                if self.archetype
                else rr.AnyValues.columns(**{name: flat})
            )
            columns.extend(made.partition([width] * len(part)))
        return columns

    def statics(self) -> Any:
        return None


@dataclass(frozen=True)
class Columns:
    """Any archetype of rerun by name, with the arguments of its `columns`: (t, "Transform3D", {...})."""

    stamps: Stamps
    archetype: str
    fields: Mapping[str, Any]
    width: int = 1
    """Instances per row."""

    def columns(self, rows: slice) -> Any:
        import rerun as rr

        step = slice(rows.start * self.width, rows.stop * self.width)
        parts = {name: values[step] for name, values in self.fields.items()}
        made = getattr(rr, self.archetype).columns(**parts)
        return made if self.width == 1 else made.partition([self.width] * (rows.stop - rows.start))

    def statics(self) -> Any:
        return None


Logged = Vectors | Texts | Video | Encoded | Raw | Custom | Columns


@dataclass(frozen=True)
class Options:
    """How the file is written."""

    recording_id: str = "recording"
    application_id: str = "telecine-tests"
    name: str | None = None
    """Recording name, a property."""
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further properties: name -> values, as `send_property` takes them."""
    write_footer: bool = True
    rows_per_chunk: int = 64
    clocks: Mapping[str, str] = field(default_factory=dict)
    start_time_ns: int | None = None


def write_rrd(path: Path | str, logged: Mapping[str, Logged | Sequence[Logged]], **options: Any) -> Path:
    """Write one recording and return its path; `options` are the fields of `Options`.

    An entity may hold several archetypes: give a list.
    """
    import rerun as rr

    how = Options(**options)
    # Without properties the writer adds no start time, so that two writes differ in nothing but row ids.
    stream = rr.RecordingStream(how.application_id, recording_id=how.recording_id, send_properties=False)
    _save(stream, path, how.write_footer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what the writer drops must not go unnoticed
        _write_properties(stream, how)
        for entity, item in _flat(logged):
            statics = item.statics()
            if statics is not None:
                stream.log(entity, statics, static=True)
        for entity, item, rows in _in_order(logged, how.rows_per_chunk):
            stream.send_columns(entity, _time_columns(item.stamps, rows, how), item.columns(rows))
    stream.flush()
    stream.disconnect()
    return Path(path)


def merge_rrd(target: Path | str, sources: Sequence[Path | str]) -> Path:
    """One file with the recordings of all `sources`, made by Rerun's own command line (takes about 2 s)."""
    command = [sys.executable, "-m", "rerun", "rrd", "merge", *map(str, sources), "-o", str(target)]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        env={"RERUN_ANALYTICS": "0", "HOME": str(Path(target).parent)},
    )
    return Path(target)


def one_of_each(shift_ns: int = 0) -> dict[str, Any]:
    """One stream of every kind, with late samples and several clocks."""
    n = 12
    t = np.arange(n, dtype=np.int64) * 33_000_000 + 1_700_000_000_000_000_000 + shift_ns
    late = t.copy()
    late[[3, 7]] = late[[7, 3]]
    rng = np.random.default_rng(1)
    blobs = [b"\xff\xd8\xff" + bytes([i]) * (i + 1) for i in range(n)]
    return {
        "/joints": Vectors(late, rng.random((n, 3)), names=("a", "b", "c")),
        "/action": Vectors({"real_time": t, "step": np.arange(n), "elapsed": t - t[0]}, rng.random((n, 2))),
        "/task": Texts(None, ["pick the cube"]),
        "/log": Texts(late, [f"line {i}" for i in range(n)], "TextLog"),
        "/camera/front": Video(late, [bytes([i]) * (i + 2) for i in range(n)]),
        "/camera/wrist": Encoded(late, blobs),
        "/camera/top": Raw(t, [rng.integers(0, 255, 24, np.uint8) for _ in range(n)], 4, 2),
        "/arm": Custom(t, "schemas.proto.JointState", {"joint_positions": rng.random((n, 7)), "ok": t > t[5]}),
        "/pose": Columns(t, "Transform3D", {"translation": rng.random((n, 3))}),
        "/origin": Vectors(None, [[1.0, 2.0]]),
    }


def image_format(encoding: str, width: int, height: int) -> Any:
    """Rerun's ImageFormat for a PixelFormat name (or "float32" for depth in metres)."""
    import rerun as rr
    from rerun.components import ImageFormat

    planar = {
        "nv12": "NV12", "yuyv422": "YUY2",
        "yuv420p": "Y_U_V12_LimitedRange", "yuvj420p": "Y_U_V12_FullRange",
        "yuv422p": "Y_U_V16_LimitedRange", "yuvj422p": "Y_U_V16_FullRange",
        "yuv444p": "Y_U_V24_LimitedRange", "yuvj444p": "Y_U_V24_FullRange",
    }  # fmt: skip
    packed = {
        "rgb24": ("RGB", "U8"), "bgr24": ("BGR", "U8"), "rgba": ("RGBA", "U8"), "bgra": ("BGRA", "U8"),
        "gray8": ("L", "U8"), "gray16le": ("L", "U16"), "float32": ("L", "F32"),
    }  # fmt: skip
    if encoding in planar:
        return ImageFormat(width=width, height=height, pixel_format=getattr(rr.PixelFormat, planar[encoding]))
    if encoding in packed:
        model, datatype = packed[encoding]
        return ImageFormat(
            width=width, height=height,
            color_model=getattr(rr.ColorModel, model),
            channel_datatype=getattr(rr.ChannelDatatype, datatype),
        )  # fmt: skip
    return ImageFormat(width=width, height=height, pixel_format=getattr(rr.PixelFormat, encoding))


def _codec(name: str) -> Any:
    import rerun as rr

    return getattr(rr.VideoCodec, {"h264": "H264", "hevc": "H265", "av1": "AV1", "vp9": "VP9"}[name])


def _save(stream: Any, path: Path | str, write_footer: bool) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    stream.save(str(path), write_footer=write_footer)


def _write_properties(stream: Any, how: Options) -> None:
    import rerun as rr

    if how.name is not None:
        stream.send_recording_name(how.name)
    if how.start_time_ns is not None:
        rr.send_recording_start_time_nanos(how.start_time_ns, recording=stream)
    for name, values in how.properties.items():
        stream.send_property(name, rr.AnyValues(**values))


def _flat(logged: Mapping[str, Logged | Sequence[Logged]]) -> Iterator[tuple[str, Logged]]:
    for entity, items in logged.items():
        for item in items if isinstance(items, Sequence) else [items]:
            yield entity, item


def _in_order(logged: Mapping[str, Logged | Sequence[Logged]], rows_per_chunk: int) -> list[tuple[str, Logged, slice]]:
    """Chunks of all entities, by the stamp of their first row, statics first."""
    chunks = []
    for entity, item in _flat(logged):
        count = _count(item.stamps)
        key = -(2**62)
        for start in range(0, max(count, 1), rows_per_chunk):
            rows = slice(start, min(start + rows_per_chunk, max(count, 1)))
            stamps = _clocks(item.stamps)
            # never below the chunk before: an entity's chunks are logged in their own order
            key = max(key, min((int(s[start]) for s in stamps.values() if len(s) > start), default=key))
            if count or item.stamps is None:
                chunks.append((key, entity, item, rows))
    chunks.sort(key=lambda chunk: chunk[0])
    return [(entity, item, rows) for _, entity, item, rows in chunks]


def _clocks(stamps: Stamps) -> dict[str, Any]:
    if stamps is None:
        return {}
    return dict(stamps) if isinstance(stamps, Mapping) else {"real_time": stamps}


def _count(stamps: Stamps) -> int:
    return max((len(s) for s in _clocks(stamps).values()), default=0)


def _time_columns(stamps: Stamps, rows: slice, how: Options) -> list[Any]:
    import rerun as rr

    columns = []
    clocks = _clocks(stamps)
    if len(clocks) == 1 and any(np.any(np.diff(values) < 0) for values in clocks.values()):
        clocks["arrival"] = np.arange(_count(stamps))
    for clock, values in clocks.items():
        part = np.ascontiguousarray(values, np.int64)[rows]
        match how.clocks.get(clock, KINDS.get(clock, "timestamp")):
            case "sequence":
                columns.append(rr.TimeColumn(clock, sequence=part))
            case "duration":
                columns.append(rr.TimeColumn(clock, duration=part.astype("timedelta64[ns]")))
            case _:
                columns.append(rr.TimeColumn(clock, timestamp=part.astype("datetime64[ns]")))
    return columns


def rrd_reader(path: Path | str) -> Any:
    """Rerun's own reader of a file, under either of its names."""
    try:
        from rerun.chunk import RrdReader  # since 0.38
    except ModuleNotFoundError:
        from rerun.experimental import RrdReader
    return RrdReader(str(path))
