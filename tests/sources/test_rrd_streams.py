"""Values, times and names of Rerun's streams, written by rerun-sdk and read by us."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from support.rrd import (
    Columns,
    Custom,
    Encoded,
    Raw,
    Texts,
    Vectors,
    Video,
    merge_rrd,
    one_of_each,
    write_rrd,
)
from telecine.core.errors import SourceError
from telecine.core.recording import STATIC_NS, Schema
from telecine.sources import registry
from telecine.sources.rrd import payloads
from telecine.sources.rrd.chunks import ComponentColumn
from telecine.sources.rrd.streams import streams_of

N = 20
T = np.arange(N, dtype=np.int64) * 10_000_000 + 1_700_000_000_000_000_000
CLOCK = "real_time"

pytestmark = pytest.mark.usefixtures("rerun")


def all_rows(stream: Any, clock: str = CLOCK) -> Any:
    return stream.take(np.arange(len(stream.times(clock))), clock)


def test_scalars_keep_every_bit_and_their_names(record: Any) -> None:
    values = np.random.default_rng(0).normal(size=(N, 3))
    stream = record({"/joints": Vectors(T, values, names=("x", "y", "z"))}, rows_per_chunk=7).streams[
        "/joints:Scalars:scalars"
    ]
    assert stream.schema == Schema("float64", (3,), ("x", "y", "z"))
    np.testing.assert_array_equal(all_rows(stream), values)
    np.testing.assert_array_equal(stream.times(CLOCK), T)


def test_names_that_do_not_fit_the_width_are_not_used(record: Any) -> None:
    stream = record({"/j": Vectors(T, np.zeros((N, 3)), names=("x", "y"))}).streams["/j:Scalars:scalars"]
    assert stream.schema.names is None


def test_late_samples_are_sorted_and_counted(record: Any) -> None:
    stamps = T.copy()
    stamps[[4, 5]] = stamps[[5, 4]]
    stream = record({"/j": Vectors(stamps, np.arange(N)[:, None])}, rows_per_chunk=3).streams["/j:Scalars:scalars"]
    np.testing.assert_array_equal(stream.times(CLOCK), T)
    assert all_rows(stream)[:, 0].tolist() == [0, 1, 2, 3, 5, 4, *range(6, N)]
    assert stream.backwards(CLOCK) == 1


def test_each_clock_has_its_kind_and_its_order(record: Any) -> None:
    clocks = {"real_time": T, "elapsed": T - T[0], "step": np.arange(N)[::-1].copy()}
    stream = record({"/j": Vectors(clocks, np.arange(N)[:, None])}).streams["/j:Scalars:scalars"]
    assert dict(stream.clocks) == {"elapsed": "duration", "real_time": "timestamp", "step": "sequence"}
    assert stream.times("step").tolist() == list(range(N))
    assert all_rows(stream, "step")[:, 0].tolist() == list(range(N))[::-1]
    assert stream.backwards("step") == N - 1


def test_an_unknown_clock_is_refused_with_the_known_ones(record: Any) -> None:
    stream = record({"/j": Vectors(T, np.zeros((N, 1)))}).streams["/j:Scalars:scalars"]
    with pytest.raises(SourceError, match="no timestamps on the clock 'sim_time'; its clocks: real_time"):
        stream.times("sim_time")


def test_rows_without_the_clock_do_not_count(tmp_path: Path) -> None:
    import rerun as rr

    writer = rr.RecordingStream("test", recording_id="r")
    writer.save(str(tmp_path / "sticky.rrd"))
    writer.log("/j", rr.Scalars([0.0]))  # set_time is not called yet: this row has only Rerun's own clocks
    for i in range(1, 4):
        writer.set_time(CLOCK, timestamp=float(i))
        writer.log("/j", rr.Scalars([float(i)]))
    writer.flush()
    writer.disconnect()
    with registry.open(registry.find([tmp_path]).refs[0]) as recording:
        stream = recording.streams["/j:Scalars:scalars"]
        assert all_rows(stream)[:, 0].tolist() == [1.0, 2.0, 3.0]
        assert all_rows(stream, "log_time")[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_a_width_that_changes_is_an_error_only_where_it_does(record: Any) -> None:
    import rerun as rr

    class Odd(Vectors):
        def columns(self, rows: slice) -> Any:
            return rr.Scalars.columns(scalars=np.arange(2 * N + 1)).partition([2] * (N - 1) + [3])

    stream = record({"/j": Odd(T, None)}).streams["/j:Scalars:scalars"]
    assert stream.take(np.arange(N - 1), CLOCK).shape == (N - 1, 2)
    with pytest.raises(SourceError, match=r"1 of 20 samples does not have 2 values .* has 3"):
        all_rows(stream)


def test_custom_archetypes_of_any_number_type(record: Any) -> None:
    # Rerun remembers the type of each component, so these are of an archetype that no other test logs.
    fields = {
        "joint_positions": np.random.default_rng(0).random((N, 7)),
        "count": np.arange(N),
        "flags": np.arange(2 * N).reshape(N, 2) % 3 == 0,
        "mode": [f"m{i}" for i in range(N)],
    }
    streams = record({"/arm": Custom(T, "schemas.proto.AnyNumber", fields)}).streams
    for name, width, dtype in [("joint_positions", 7, "float64"), ("count", 1, "int64"), ("flags", 2, "bool")]:
        stream = streams[f"/arm:schemas.proto.AnyNumber:{name}"]
        assert stream.schema == Schema(dtype, (width,))
        np.testing.assert_array_equal(all_rows(stream), np.asarray(fields[name]).reshape(N, width))
    assert all_rows(streams["/arm:schemas.proto.AnyNumber:mode"]) == fields["mode"]


def test_translations_quaternions_and_several_points_are_flattened(record: Any) -> None:
    rng = np.random.default_rng(0)
    moves, turns = rng.random((N, 3), np.float32), rng.random((N, 4), np.float32)
    points = rng.random((2 * N, 3), np.float32)
    streams = record(
        {
            "/hand": Columns(T, "Transform3D", {"translation": moves, "quaternion": turns}),
            "/points": Columns(T, "Points3D", {"positions": points}, width=2),
        }
    ).streams
    np.testing.assert_array_equal(all_rows(streams["/hand:Transform3D:translation"]), moves)
    np.testing.assert_array_equal(all_rows(streams["/hand:Transform3D:quaternion"]), turns)
    np.testing.assert_array_equal(all_rows(streams["/points:Points3D:positions"]), points.reshape(N, 6))


def test_static_values_have_one_sample_before_all_time(record: Any) -> None:
    streams = record({"/task": Texts(None, ["stack"]), "/origin": Vectors(None, [[1.0, 2.0]])}).streams
    text, vector = streams["/task:TextDocument:text"], streams["/origin:Scalars:scalars"]
    assert text.static
    assert vector.static
    assert text.times("any").tolist() == [STATIC_NS]
    assert text.take(np.zeros(2, np.int64), "any") == ["stack", "stack"]
    assert vector.take(np.zeros(1, np.int64), "any").tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("archetype", ["TextDocument", "TextLog"])
def test_texts_in_order(record: Any, archetype: str) -> None:
    texts = [f"grüße {i} 手" for i in range(N)]
    stream = record({"/say": Texts(T, texts, archetype)}, rows_per_chunk=6).streams[f"/say:{archetype}:text"]
    assert stream.schema == Schema("string")
    assert list(all_rows(stream)) == texts


@pytest.mark.parametrize("static_codec", [True, False])
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_packets_come_in_order_of_arrival(record: Any, codec: str, static_codec: bool) -> None:
    packets = [bytes([i]) * (1 + i * 7 % 5) for i in range(N)]
    stamps = T.copy()
    stamps[1:4] = stamps[[3, 1, 2]]  # B-frames stamped with presentation time
    stream = record({"/cam": Video(stamps, packets, codec, static_codec)}, rows_per_chunk=3).streams[
        "/cam:VideoStream:sample"
    ]
    assert stream.schema.encoding == codec
    assert [bytes(packet) for packet in stream.packets(CLOCK)] == packets
    assert [bytes(packet) for packet in stream.packets(CLOCK, 5, 8)] == packets[5:8]
    np.testing.assert_array_equal(stream.times(CLOCK), T)
    assert stream.backwards(CLOCK) == 1


@pytest.mark.parametrize(("codec", "message"), [(None, "no VideoStream:codec"), ("vp9", "codec vp09")])
def test_an_unknown_codec_is_named(record: Any, codec: str | None, message: str) -> None:
    stream = record({"/cam": Video(T, [b"x"] * N, codec)}).streams["/cam:VideoStream:sample"]
    with pytest.raises(SourceError, match=message):
        _ = stream.schema


@pytest.mark.parametrize(
    ("head", "media_type", "encoding"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg", "jpeg"),
        (b"\x89PNG\r\n", None, "png"),
        (b"\x89PNG\r\n", "image/jpeg", "png"),
        (b"????", "image/webp", "webp"),
    ],
)
def test_coded_pictures_say_what_they_are(record: Any, head: bytes, media_type: Any, encoding: str) -> None:
    blobs = [head + bytes([i]) * i for i in range(N)]
    stream = record({"/cam": Encoded(T, blobs, media_type)}, rows_per_chunk=6).streams["/cam:EncodedImage:blob"]
    assert stream.schema.encoding == encoding
    images = list(stream.take(np.array([0, 3, 3, 19]), CLOCK))
    assert [bytes(p.data) for p in images] == [blobs[0], blobs[3], blobs[3], blobs[19]]
    assert {p.encoding for p in images} == {encoding}


def test_bytes_that_are_no_picture_are_named(record: Any) -> None:
    stream = record({"/cam": Encoded(T, [b"????"] * N, None)}).streams["/cam:EncodedImage:blob"]
    with pytest.raises(SourceError, match="no media type"):
        _ = stream.schema


RAW = [
    ("rgb24", 3, 4 * 6 * 3, "bt601"), ("bgr24", 3, 4 * 6 * 3, "bt601"),
    ("rgba", 4, 4 * 6 * 4, "bt601"), ("bgra", 4, 4 * 6 * 4, "bt601"),
    ("gray8", 1, 4 * 6, "bt601"), ("gray16le", 1, 4 * 6 * 2, "bt601"),
    ("nv12", 3, 36, "bt601"), ("yuyv422", 3, 48, "bt601"),
    ("yuv420p", 3, 36, "bt709"), ("yuvj420p", 3, 36, "bt709"),
    ("yuv422p", 3, 48, "bt709"), ("yuvj422p", 3, 48, "bt709"),
    ("yuv444p", 3, 72, "bt709"), ("yuvj444p", 3, 72, "bt709"),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "channels", "size", "matrix"), RAW)
def test_raw_pictures_of_every_format(record: Any, encoding: str, channels: int, size: int, matrix: str) -> None:
    planes = [np.random.default_rng(i).integers(0, 255, size, np.uint8).tobytes() for i in range(N)]
    stream = record({"/cam": Raw(T, planes, 6, 4, encoding)}, rows_per_chunk=8).streams["/cam:Image:buffer"]
    dtype = "uint16" if encoding == "gray16le" else "uint8"
    assert stream.schema == Schema(dtype, (4, 6, channels), encoding=encoding)
    images = list(all_rows(stream))
    assert [bytes(p.data) for p in images] == planes
    assert {(p.encoding, p.width, p.height, p.matrix) for p in images} == {(encoding, 6, 4, matrix)}


def test_what_rerun_itself_logs_as_an_image_is_understood(tmp_path: Path) -> None:
    import rerun as rr

    writer = rr.RecordingStream("test", recording_id="r")
    writer.save(str(tmp_path / "a.rrd"))
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    for i in range(3):
        writer.set_time(CLOCK, timestamp=float(i))
        writer.log("/rgb", rr.Image(pixels + i))
        writer.log("/bgr", rr.Image(pixels, color_model="BGR"))
        writer.log("/gray", rr.Image(pixels[..., 0]))
        writer.log("/depth", rr.DepthImage(pixels[..., 0].astype(np.uint16)))
        writer.log("/nv12", rr.Image(bytes=bytes(36), width=6, height=4, pixel_format=rr.PixelFormat.NV12))
    writer.flush()
    writer.disconnect()
    with registry.open(registry.find([tmp_path]).refs[0]) as recording:
        found = {name: stream.schema.encoding for name, stream in recording.streams.items() if stream.kind == "image"}
        assert found == {
            "/rgb:Image:buffer": "rgb24", "/bgr:Image:buffer": "bgr24", "/gray:Image:buffer": "gray8",
            "/depth:DepthImage:buffer": "gray16le", "/nv12:Image:buffer": "nv12",
        }  # fmt: skip
        second = list(all_rows(recording.streams["/rgb:Image:buffer"]))[1]
        assert bytes(second.data) == (pixels + 1).tobytes()


@pytest.mark.parametrize(
    ("encoding", "size", "message"),
    [
        ("float32", 96, "color model 1 with datatype 34 is not supported"),
        ("Y8_LimitedRange", 24, "pixel format 41 is not supported"),
    ],
)
def test_a_raw_format_we_cannot_read_is_named(record: Any, encoding: str, size: int, message: str) -> None:
    stream = record({"/cam": Raw(T, [bytes(size)] * N, 6, 4, encoding)}).streams["/cam:Image:buffer"]
    with pytest.raises(SourceError, match=message):
        _ = stream.schema


def test_a_raw_picture_of_the_wrong_size_is_named(record: Any) -> None:
    planes = [bytes(72)] * (N - 1) + [bytes(71)]
    stream = record({"/cam": Raw(T, planes, 6, 4)}).streams["/cam:Image:buffer"]
    with pytest.raises(SourceError, match="71 bytes, expected 72"):
        list(all_rows(stream))


def test_late_pictures_are_put_in_order(record: Any) -> None:
    stamps = T[::-1].copy()
    blobs = [b"\xff\xd8\xff" + bytes([i]) for i in range(N)]
    stream = record({"/cam": Encoded(stamps, blobs)}, rows_per_chunk=3).streams["/cam:EncodedImage:blob"]
    assert [bytes(p.data) for p in all_rows(stream)] == blobs[::-1]


def test_pictures_too_many_to_keep_are_read_again(record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "CACHE_BYTES", 100)
    blobs = [b"\xff\xd8\xff" + bytes([i]) * 50 for i in range(N)]
    stream = record({"/cam": Encoded(T, blobs)}, rows_per_chunk=3).streams["/cam:EncodedImage:blob"]
    for _ in range(2):
        assert [bytes(p.data) for p in all_rows(stream)] == blobs


def test_properties_become_attributes(record: Any) -> None:
    properties = {"episode": {"task": "stack", "success": True}, "robot": {"operator": "kim"}}
    recording = record(
        {"/j": Vectors(T, np.zeros((N, 1)))}, name="take one", properties=properties, start_time_ns=10**18
    )
    assert dict(recording.attrs) == {
        "name": "take one", "start_time": "2001-09-09T01:46:40.000000000Z", "application_id": "telecine-tests",
        "episode.task": "stack", "episode.success": "True", "robot.operator": "kim",
        "task": "stack", "success": "True", "operator": "kim",
    }  # fmt: skip
    assert len(recording.attrs) == 9
    assert list(recording.streams) == ["/j:Scalars:scalars"]


def test_entity_paths_with_spaces_signs_and_unicode(record: Any) -> None:
    logged = {f"/a\\ b/{k}\\:x/手\\$": Vectors(T, np.full((N, 1), k)) for k in range(2)}
    streams = record(logged).streams
    assert [all_rows(stream)[0, 0] for stream in streams.values()] == [0.0, 1.0]


def test_recordings_in_one_file_are_told_apart(tmp_path: Path) -> None:
    parts = [
        write_rrd(tmp_path / "in" / f"{k}.rrd", {"/j": Vectors(T, np.full((N, 1), k))}, recording_id=f"r{k}")
        for k in (2, 1)
    ]
    merged = merge_rrd(tmp_path / "all.rrd", parts)
    refs = registry.find([merged]).refs
    assert [ref.id for ref in refs] == ["r1", "r2"]
    for ref, value in zip(refs, (1.0, 2.0), strict=True):
        with registry.open(ref) as recording:
            assert all_rows(recording.streams["/j:Scalars:scalars"])[0, 0] == value


def test_reading_imports_no_pandas(tmp_path: Path) -> None:
    import subprocess
    import sys

    write_rrd(tmp_path / "a.rrd", one_of_each())
    code = (
        "import sys; from telecine.sources import registry; from telecine.testing import read_all; import rerun; "
        "before = 'pandas' in sys.modules; read_all(registry.open(registry.find([sys.argv[1]]).refs[0])); "
        "sys.exit('pandas' in sys.modules and not before)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], check=False)
    assert done.returncode == 0


class FakeChunks:
    """Chunks in memory that note who asked for what."""

    def __init__(self, chunks: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.given = 0
        self._chunks = {
            entity: [_batch(i, **chunk) for i, chunk in enumerate(found)] for entity, found in chunks.items()
        }
        self.columns = [
            ComponentColumn(entity, name, batch.schema.field(name).type)
            for entity, batches in self._chunks.items()
            for batch in batches[:1]
            for name in batch.schema.names
            if ":" in name
        ]

    def batches(self, entity: str, components: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self.asked.append((entity, tuple(components)))
        for batch in self._chunks[entity]:
            if set(components) & set(batch.schema.names):
                self.given += 1
                yield batch

    def close(self) -> None: ...


def _batch(number: int, time: list[int] | None = None, **columns: pa.Array) -> pa.RecordBatch:
    count = len(next(iter(columns.values())))
    ids = [(number * 1000 + i).to_bytes(16, "big") for i in range(count)]
    fields = [pa.field("rerun.controls.RowId", pa.binary(16))]
    arrays = [pa.array(ids, pa.binary(16))]
    if time is not None:
        fields.append(pa.field("t", pa.int64(), metadata={"rerun:kind": "index"}))
        arrays.append(pa.array(time, pa.int64()))
    fields += [pa.field(name, values.type, metadata={"rerun:kind": "data"}) for name, values in columns.items()]
    return pa.RecordBatch.from_arrays([*arrays, *columns.values()], schema=pa.schema(fields))


def test_asking_one_stream_reads_no_other_and_nothing_is_read_before() -> None:
    number = pa.array([[1.0], [2.0]])
    chunks = FakeChunks(
        {"/a": [{"time": [1, 2], "X:x": number, "X:y": number}], "/b": [{"time": [1, 2], "X:x": number}]}
    )
    streams = streams_of(chunks).streams
    assert chunks.asked == []
    streams["/a:X:x"].times("t")
    assert chunks.asked == [("/a", ("X:x",))]
    streams["/a:X:x"].take(np.array([1]), "t")  # type: ignore[union-attr]
    assert len(chunks.asked) == 1


def test_pictures_are_read_no_further_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "CACHE_BYTES", 1)
    jpeg = list(b"\xff\xd8\xff")
    chunks = FakeChunks(
        {
            "/a": [
                {"time": [i], "EncodedImage:blob": pa.array([[jpeg]], pa.list_(pa.list_(pa.uint8())))} for i in range(9)
            ]
        }
    )
    stream: Any = streams_of(chunks).streams["/a:EncodedImage:blob"]
    assert len(stream.times("t")) == 9
    chunks.given = 0
    next(stream.take(np.array([2, 8]), "t"))
    assert chunks.given == 3


def test_a_type_that_widens_is_converted_and_another_is_refused() -> None:
    wide = FakeChunks({"/a": [{"time": [1], "X:x": pa.array([[1.5]])}, {"time": [2], "X:x": pa.array([[2]])}]})
    stream: Any = streams_of(wide).streams["/a:X:x"]
    assert stream.take(np.arange(2), "t").tolist() == [[1.5], [2.0]]
    other = FakeChunks({"/a": [{"time": [1], "X:x": pa.array([[1]])}, {"time": [2], "X:x": pa.array([["a"]])}]})
    with pytest.raises(SourceError, match="its type changes from list<item: int64> to list<item: string>"):
        streams_of(other).streams["/a:X:x"].times("t")


def test_an_image_format_logged_later_or_static_serves_all_pictures() -> None:
    form = {"width": 1, "height": 1, "pixel_format": None, "color_model": 2, "channel_datatype": 6}
    blob = pa.array([[[1, 2, 3]]], pa.list_(pa.list_(pa.uint8())))
    for time in ([5], None):
        chunks = FakeChunks(
            {"/a": [{"time": [1], "Image:buffer": blob}, {"time": time, "Image:format": pa.array([[form]])}]}
        )
        stream: Any = streams_of(chunks).streams["/a:Image:buffer"]
        assert [p.encoding for p in stream.take(np.array([0]), "t")] == ["rgb24"]


def test_a_message_of_structs_gives_one_stream_per_field() -> None:
    rows = [[{"header": {"sec": i}, "position": [float(i), 1.0], "name": ["a", "b"]}] for i in range(3)]
    chunks = FakeChunks({"/arm": [{"time": [1, 2, 3], "schemas.proto.JointState:message": pa.array(rows)}]})
    streams: Any = streams_of(chunks).streams
    name = "/arm:schemas.proto.JointState:message"
    assert sorted(streams) == [f"{name}.header.sec", f"{name}.name", f"{name}.position"]
    assert streams[f"{name}.position"].take(np.arange(3), "t").tolist() == [[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    assert streams[f"{name}.name"].take(np.array([0]), "t") == ["a\nb"]
