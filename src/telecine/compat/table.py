"""Rows as Rerun's catalog reader gives them, as streams: one per column, with only the rows in which it has a value.

The reader's table has a row for every stamp of any column, with nulls where a column has none; taking it row by row
is what makes streams need common stamps. Refuses tables whose video was filled forward, which repeats packets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telecine.compat.config import LeRobotConversionConfig, VideoSpec, columns_of, sample_column
from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import PlanError, SourceError
from telecine.core.grid import Times
from telecine.core.recording import Buffer, ClockKind, Codec, MemoryStream, Recording, Ref, Schema
from telecine.core.text.documents import suggest
from telecine.core.text.numbers import counted
from telecine.sources.rrd.columns import ArrowLeaf, blobs, leaves, numbers, texts

SEGMENT = "rerun_segment_id"
_FOURCC: dict[int, Codec] = {0x61766331: "h264", 0x68657631: "hevc", 0x61763031: "av1"}
_FORMATS: dict[str, Codec] = {"h264": "h264", "hevc": "hevc", "h265": "hevc", "av1": "av1"}


class DataFrame(Protocol):
    """What is asked of a DataFusion frame."""

    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    def select(self, *columns: str) -> "DataFrame":
        """The frame with only these columns."""
        ...

    def to_arrow_table(self) -> pa.Table:
        """All rows."""
        ...


def read(df: DataFrame, config: LeRobotConversionConfig, segment_id: str) -> pa.Table:
    """The rows of one segment, with only the columns that the configuration names.

    Raises:
        PlanError: the frame holds several segments, and `segment_id` is none of them.
    """
    names = list(df.schema().names)
    wanted = [name for name in (SEGMENT, *_columns(config)) if name in names]
    table = df.select(*wanted).to_arrow_table()
    if SEGMENT not in wanted:
        return table
    held = pc.unique(table.column(SEGMENT)).to_pylist()
    if len(held) > 1:
        if segment_id not in held:
            raise PlanError(
                f"the frame holds {counted(len(held), 'segment')}, but not {segment_id!r}{suggest(segment_id, held)}"
            )
        table = table.filter(pc.equal(table.column(SEGMENT), segment_id))
    return table.drop_columns([SEGMENT])


def _columns(config: LeRobotConversionConfig) -> Iterator[str]:
    """Every column that a configuration can make use of."""
    yield config.index_column
    yield from dict.fromkeys([*columns_of(config.action), *columns_of(config.state)])
    if config.task:
        yield config.task
    for spec in config.videos:
        yield sample_column(spec)
        yield _codec_column(spec)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One segment's streams, by column; the task is among them when the segment holds one."""

    segment_id: str
    streams: Mapping[str, MemoryStream]

    def recording(self) -> Recording:
        """The segment as `resample` takes it."""
        return Recording(Ref("dataframe", "dataframe", self.segment_id), dict(self.streams))


def recording_of(table: pa.Table, config: LeRobotConversionConfig, segment_id: str) -> Recorded:
    """The streams that the configuration names.

    Raises:
        PlanError: columns are missing or of a kind that cannot be used, all named; or the video was filled forward.
        SourceError: values of a column are not alike.
    """
    _check_columns(table, config)
    _check_timelines(config)
    kind, times = stamps(table, config.index_column)
    vectors = dict.fromkeys([*columns_of(config.action), *columns_of(config.state)])
    streams = [vector(table, name, config.index_column, kind, times) for name in vectors]
    streams += [video(table, spec, config.index_column, kind, times) for spec in config.videos]
    task = _task(table, config, kind, times)
    streams += [task] if task is not None else []
    return Recorded(segment_id, {s.name: s for s in streams})


def _check_columns(table: pa.Table, config: LeRobotConversionConfig) -> None:
    needed = [config.index_column, *columns_of(config.action), *columns_of(config.state)]
    needed += [sample_column(spec) for spec in config.videos]
    missing = [name for name in dict.fromkeys(needed) if name not in table.column_names]
    if missing:
        known = [name for name in table.column_names if name != SEGMENT]
        lines = [f"{name!r}{suggest(name, known)}" for name in missing]
        raise PlanError(
            f"the table has no column {', '.join(lines)} (filter_contents may have left it out); "
            f"it has {', '.join(known) or 'none'}"
        )


def _check_timelines(config: LeRobotConversionConfig) -> None:
    for spec in config.videos:
        if (index := config.camera_index_column(spec)) != config.index_column:
            raise PlanError(
                f"videos: {spec['key']!r} is on {index!r}, but the table is on {config.index_column!r}; "
                "convert_rrd_dataset_to_lerobot and telecine-rerun-lerobot read the recordings, and take both"
            )


def stamps(table: pa.Table, index: str) -> tuple[ClockKind, Times]:
    """(kind of the clock, (rows,) int64 ns). Raises: PlanError for a clock that counts steps, or that has no stamps."""
    column = table.column(index)
    unit: ClockKind = "timestamp" if pa.types.is_timestamp(column.type) else "duration"
    if column.null_count:
        raise PlanError(
            f"{index}: {counted(column.null_count, 'row has', 'rows have')} no timestamp; read the frame with "
            f"index={index!r}"
        )
    if not (pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type)):
        raise PlanError(
            f"{index} counts steps, not time ({column.type}); `telecine convert --rate` says how many a second"
        )
    exact = column.cast(pa.timestamp("ns") if unit == "timestamp" else pa.duration("ns"))
    parts = [np.frombuffer(c.buffers()[1], np.int64, len(c), 8 * c.offset) for c in exact.chunks if len(c)]
    return unit, np.concatenate(parts) if parts else np.empty(0, np.int64)


def vector(table: pa.Table, name: str, index: str, kind: ClockKind, times: Times) -> MemoryStream:
    """The numbers of a column, each row flattened to a vector.

    Raises:
        PlanError: the column holds no numbers. SourceError: the rows differ in width.
    """
    column = table.column(name)
    leaf = _leaf(column.type, name, "number", "numbers")
    rows, parts, widths = [], [], []
    for start, chunk in _chunks(column):
        there, bounds, flat = numbers(chunk, leaf)
        rows.append(start + np.flatnonzero(there))
        widths.append(np.diff(bounds))
        parts.append(flat)
    counts = np.unique(np.concatenate(widths)) if widths else np.empty(0, np.int64)
    if not counts.size:
        raise PlanError(f"{name}: no row holds a value; leave it out, or check the recording")
    if counts.size > 1:
        raise SourceError(f"{name}: rows hold {counts[0]} to {counted(counts[-1], 'number')}; a feature has one width")
    values = np.concatenate(parts).reshape(-1, int(counts[0]))
    schema = Schema(leaf.dtype, values.shape[1:])
    return MemoryStream(name, "vector", schema, {index: times[np.concatenate(rows)]}, values, kind)


def video(table: pa.Table, spec: VideoSpec, index: str, kind: ClockKind, times: Times) -> MemoryStream:
    """The packets of a camera, views of the table's memory.

    Raises:
        PlanError: the column holds no packets, the codec is unknown, or packets were filled forward.
    """
    name = sample_column(spec)
    column = table.column(name)
    _leaf(column.type, name, "blob", "video packets")
    rows, packets = [], []
    for start, chunk in _chunks(column):
        there, held = blobs(chunk)
        rows.append(start + np.flatnonzero(there))
        packets += [held[i] for i in range(len(held))]
    if not packets:
        raise PlanError(f"{name}: no row holds a video packet; leave the camera out, or check the recording")
    codec = _codec(table, spec)
    _refuse_repeats(packets, codec, name)
    schema = Schema("uint8", (0, 0, 3), encoding=codec)
    return MemoryStream(name, "video", schema, {index: times[np.concatenate(rows)]}, packets, kind)


def _refuse_repeats(packets: Sequence[Buffer], codec: Codec, name: str) -> None:
    """A packet that only follows from others cannot occur twice in a row, unless a reader filled rows with it."""
    repeats = [i for i in range(1, len(packets)) if packets[i] == packets[i - 1]]
    if repeats and not index_packets(packets, codec).keyframe[repeats].all():
        raise PlanError(
            f"{name}: {counted(len(repeats), 'packet repeats', 'packets repeat')} the one before; the frame "
            "was read with fill_latest_at, which "
            "breaks video; read it without `using_index_values` and `fill_latest_at`: telecine resamples by itself"
        )


def _codec_column(spec: VideoSpec) -> str:
    return f"{sample_column(spec).rpartition(':')[0]}:codec"


def _codec(table: pa.Table, spec: VideoSpec) -> Codec:
    """The recording's own, else the configuration's, else H.264, as in rerun_export."""
    given = spec.get("video_format")
    wanted = None if given is None else _FORMATS.get(given.lower())
    if given is not None and wanted is None:
        known = [*get_args(Codec), "h265"]
        raise PlanError(f"videos: video_format {given!r} of {spec['key']!r} is not one of {', '.join(known)}")
    column = _codec_column(spec)
    stated = {int(c) for c in _firsts(table.column(column))} if column in table.column_names else set()
    if not stated:
        return wanted or "h264"
    found = {_FOURCC.get(c) for c in stated}
    codec = found.pop() if len(found) == 1 else None
    if codec is None:
        raise PlanError(f"{column}: {', '.join(f'{c:#x}' for c in stated)} is not one of {', '.join(get_args(Codec))}")
    if wanted not in (None, codec):
        raise PlanError(f"videos: video_format of {spec['key']!r} is {given}, but the recording holds {codec}")
    return codec


def _firsts(column: pa.ChunkedArray) -> list[int]:
    """The different first values of the rows."""
    return [int(v) for v in pc.unique(pc.list_flatten(column)).to_pylist() if v is not None]


def _task(table: pa.Table, config: LeRobotConversionConfig, kind: ClockKind, times: Times) -> MemoryStream | None:
    """The task text, None where there is none; a text that stands in every row was logged without time."""
    if not config.task or config.task not in table.column_names:
        return None
    column = table.column(config.task)
    leaf = _leaf(column.type, config.task, "text", "text")
    rows, values = [], []
    for start, chunk in _chunks(column):
        there, found = texts(chunk, leaf)
        rows.append(start + np.flatnonzero(there))
        values += found
    if not values:
        return None
    if len(values) == table.num_rows and len(set(values)) == 1:
        return MemoryStream(config.task, "text", Schema("string"), {}, values[:1], kind)
    where = np.concatenate(rows)
    new = np.array([True, *(a != b for a, b in pairwise(values))])
    distinct = [text for text, changed in zip(values, new, strict=True) if changed]
    return MemoryStream(config.task, "text", Schema("string"), {config.index_column: times[where[new]]}, distinct, kind)


def _chunks(column: pa.ChunkedArray) -> Iterator[tuple[int, pa.Array]]:
    """(first row, rows) of each piece that holds any."""
    start = 0
    for chunk in column.chunks:
        if len(chunk):
            yield start, chunk
        start += len(chunk)


def _leaf(kind: pa.DataType, name: str, wanted: str, what: str) -> ArrowLeaf:
    """What the rows of a column hold at the bottom. Raises: PlanError when that is something else."""
    found = leaves(kind)
    if len(found) != 1 or found[0].kind != wanted:
        raise PlanError(f"{name} holds {kind}, not {what}; choose another column")
    return found[0]
