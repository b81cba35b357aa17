"""Depth, labels, video files and drawn geometry of Rerun recordings, written by rerun-sdk."""

import io
import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from support.cli import telecine
from support.pictures import draw_frame_id, read_frame_id, to_jpeg
from support.rrd import Columns, Custom, Vectors, Video, image_format, one_of_each, rrd_reader, write_rrd
from support.video import svtav1, x264, x265
from telecine.conversion.cameras import code, prepare
from telecine.conversion.video_index import index_videos
from telecine.core.depth import DepthScale
from telecine.core.errors import PlanError, VideoError
from telecine.core.plan.model import Plan, make_plan
from telecine.core.proposal.propose import propose
from telecine.core.recording import LABELS, Recording, remarks_of
from telecine.inspection.recordings import inspect_recording
from telecine.video.clip import read_clip
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb

N = 12
T = np.arange(N, dtype=np.int64) * 33_000_000 + 1_700_000_000_000_000_000
CLOCK = "real_time"
HEIGHT, WIDTH = 6, 8
METRES = np.linspace(0.2, 9.5, N * HEIGHT * WIDTH).reshape(N, HEIGHT, WIDTH)

pytestmark = pytest.mark.usefixtures("rerun")


def depth_columns(values: np.ndarray, meter: float | None) -> Columns:
    import rerun as rr
    from rerun.components import ImageFormat

    kind = {"u1": "U8", "u2": "U16", "u4": "U32", "i4": "I32", "f2": "F16", "f4": "F32", "f8": "F64"}[
        values.dtype.str[1:]
    ]
    height, width = values.shape[1:]
    form = ImageFormat(
        width=width, height=height, color_model=rr.ColorModel.L, channel_datatype=getattr(rr.ChannelDatatype, kind)
    )
    fields: dict[str, Any] = {"buffer": [v.tobytes() for v in values], "format": [form] * len(values)}
    return Columns(T, "DepthImage", fields if meter is None else fields | {"meter": [meter] * len(values)})


def png(pixels: np.ndarray) -> bytes:
    form = "gray16be" if pixels.dtype == np.uint16 else "gray"
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = pixels.shape[1], pixels.shape[0], form
    context.time_base = Fraction(1, 30)
    frame = av.VideoFrame.from_ndarray(pixels, format=form)
    return b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)])


def rvl(values: np.ndarray, a: float = 0.0) -> bytes:
    """RVL by its paper, each pixel a run of its own, behind ROS's header."""
    nibbles: list[int] = []

    def number(value: int) -> None:
        while True:
            nibbles.append(value & 7 | (8 if value > 7 else 0))
            value >>= 3
            if not value:
                return

    before, flat = 0, values.ravel().astype(int).tolist()
    number(0)
    number(len(flat))
    for value in flat:
        step = value - before
        number(step << 1 if step >= 0 else (-step << 1) - 1)
        before = value
    nibbles += [0] * (-len(nibbles) % 8)
    words = [sum(n << 28 - 4 * i for i, n in enumerate(nibbles[at : at + 8])) for at in range(0, len(nibbles), 8)]
    height, width = values.shape
    return struct.pack("<iffii", 0, a, 0.0, width, height) + struct.pack(f"<{len(words)}I", *words)


def metres_of(recording: Recording, name: str) -> np.ndarray:
    """(n, height, width) m, by the decoder of depth."""
    stream: Any = recording.streams[name]
    found = []
    for frame in frames(stream, np.arange(N), CLOCK):
        dtype, scale = (
            ("<f4", 1.0)
            if frame.format.name == "grayf32le"
            else (f"{(frame.format.name[-2] == 'b' and '>') or '<'}u2", 0.001)
        )
        rows = np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, -1)
        size = int(dtype[-1])
        found.append(np.ascontiguousarray(rows[:, : frame.width * size]).view(dtype) * scale)
    return np.array(found)


@pytest.mark.parametrize(
    ("dtype", "meter", "unit"),
    [
        ("u2", 1000.0, "mm"), ("u2", None, "mm"), ("u2", 5000.0, "m"), ("u2", 0.001, "mm"), ("u1", 25.0, "m"),
        ("u4", 1000.0, "m"), ("i4", 100.0, "m"), ("f4", None, "m"), ("f4", 1.0, "m"), ("f4", 1000.0, "m"),
        ("f8", None, "m"), ("f2", 1.0, "m"),
    ],
)  # fmt: skip
def test_depth_is_the_distance_that_was_logged(record: Any, dtype: str, meter: float | None, unit: str) -> None:
    per_metre = {None: 1000.0 if dtype[0] in "iu" else 1.0, 0.001: 1000.0}.get(meter, meter)
    values = (METRES * per_metre).astype(dtype)
    recording = record({"/depth": depth_columns(values, meter)}, rows_per_chunk=5)
    stream = recording.streams["/depth:DepthImage:buffer"]
    assert stream.schema.unit == unit
    assert stream.schema.shape == (HEIGHT, WIDTH, 1)
    assert np.abs(metres_of(recording, stream.name) - values.astype(np.float64) / per_metre).max() < 1e-6
    doubtful = meter == 0.001 or (meter is None and values.dtype.kind in "iu")
    assert [c for c, _ in remarks_of(stream)] == (["depth-unit"] if doubtful else [])


@pytest.mark.parametrize("coding", ["png", "png8", "rvl", "rvl in m"])
@pytest.mark.parametrize("meter", [1000.0, None, 0.001, 4000.0])
def test_coded_depth_is_the_distance_that_was_logged(record: Any, coding: str, meter: float | None) -> None:
    per_metre = {None: 1000.0, 0.001: 1000.0}.get(meter, meter)
    values = (METRES * 1000).astype(np.uint16)
    if coding == "png8":
        values = (values >> 6).astype(np.uint8)
    blobs = [png(v) if coding.startswith("png") else rvl(v, 500.0 if coding == "rvl in m" else 0.0) for v in values]
    media_type = "application/rvl" if coding.startswith("rvl") else "image/png"
    fields: dict[str, Any] = {"blob": blobs, "media_type": [media_type] * N}
    if coding == "rvl in m":  # inverse depth: a / value, in m whatever the integers are
        meter, expected = None, 500.0 / values
    else:
        expected = values / per_metre
    fields |= {} if meter is None else {"meter": [meter] * N}
    recording = record({"/depth": Columns(T, "EncodedDepthImage", fields)})
    stream = recording.streams["/depth:EncodedDepthImage:blob"]
    assert stream.schema.unit == ("mm" if coding in ("png", "rvl") and per_metre == 1000 else "m")
    assert np.abs(metres_of(recording, stream.name) - expected).max() < 1e-5


def test_depth_becomes_the_depth_of_lerobot_in_millimetres(record: Any, tmp_path: Path) -> None:
    values = np.repeat(np.repeat((METRES * 1000).astype(np.uint16), 16, axis=1), 16, axis=2)
    form = image_format("gray16le", 128, 96)
    depth = Columns(
        T, "DepthImage", {"buffer": [v.tobytes() for v in values], "format": [form] * N, "meter": [1000.0] * N}
    )
    recording = record({"/depth": depth, "/action": Vectors(T, np.zeros((N, 1)))})
    plan = make_plan(
        {"fps": 30, "clock": {"timeline": CLOCK}, "task": "t",
         "features": {"observation.images.depth": {"from": "/depth"}, "action": {"from": "/action"}}}
    )  # fmt: skip
    (clip,) = code(prepare(recording, plan), plan, tmp_path, lambda _: None).clips
    assert (clip.format.codec, clip.format.pix_fmt) == ("hevc", "gray12le")
    decoder = av.CodecContext.create("hevc", "r")
    shown = [f for data, _, _ in read_clip(clip.path) for f in decoder.decode(av.Packet(bytes(data)))] + decoder.decode(
        None
    )
    for frame, expected in zip(shown, values, strict=False):
        codes = frame.to_ndarray(format="gray12le")
        assert np.array_equal(codes, DepthScale().codes(expected, "mm"))
        assert np.abs(DepthScale().levels()[codes] - expected).max() <= 4.4 / 2 + 1


@pytest.mark.parametrize("archetype", ["Image", "EncodedImage"])
def test_grey_of_16_bits_loses_nothing_in_silence(record: Any, archetype: str) -> None:
    pixels = np.full((48, 64), 300, np.uint16)
    form = {"buffer": [pixels.tobytes()] * N, "format": [image_format("gray16le", 64, 48)] * N}
    fields = form if archetype == "Image" else {"blob": [png(pixels)] * N}
    recording = record({"/thermal": Columns(T, archetype, fields), "/action": Vectors(T, np.zeros((N, 1)))})
    plan = make_plan(
        {"fps": 30, "clock": {"timeline": CLOCK}, "task": "t",
         "features": {"observation.images.thermal": {"from": "/thermal"}, "action": {"from": "/action"}}}
    )  # fmt: skip
    with pytest.raises(VideoError, match=r"thermal: frame 0 is grey of 16 bits.*DepthImage with meter"):
        prepare(recording, plan)  # before anything is encoded, so that a dry run says it too


def camera_plan(key: str) -> Plan:
    features = {f"observation.images.{key}": {"from": f"/{key}"}, "action": {"from": "/action"}}
    return make_plan({"fps": 30, "clock": {"timeline": CLOCK}, "task": "t", "features": features})


def test_colour_of_16_bits_is_cut_to_8_with_a_word(record: Any) -> None:
    import rerun as rr
    from rerun.components import ImageFormat

    form = ImageFormat(width=64, height=48, color_model=rr.ColorModel.RGB, channel_datatype=rr.ChannelDatatype.U16)
    pixels = np.full((48, 64, 3), 40_000, np.uint16)
    deep = Columns(T, "Image", {"buffer": [pixels.tobytes()] * N, "format": [form] * N})
    plain = Columns(T, "EncodedImage", {"blob": [to_jpeg(draw_frame_id(1, 0, 0, 64, 48))] * N})
    recording = record({"/deep": deep, "/plain": plain, "/action": Vectors(T, np.zeros((N, 1)))})
    lost = [f.message for f in prepare(recording, camera_plan("deep")).findings if f.code == "video-bits"]
    assert lost == ["its 16 bits a channel become 8, which is what LeRobot's video and PNG hold"]
    assert "video-bits" not in {f.code for f in prepare(recording, camera_plan("plain")).findings}


def test_depth_too_small_for_its_encoder_is_refused_before_and_not_proposed(record: Any) -> None:
    small = {"/depth": depth_columns(METRES.astype(np.float32), 1.0), "/action": Vectors(T, np.zeros((N, 1)))}
    recording = record(small)
    with pytest.raises(VideoError, match=r"depth of 8x6 px cannot be stored: its H\.265 encoder needs 16 px each way"):
        prepare(recording, camera_plan("depth"))
    proposal = propose([inspect_recording(recording)], task_text="x")
    assert list(proposal.body["features"]) == ["action"]
    assert "depth of 8x6 px cannot be stored" in proposal.reasons["/depth:DepthImage:buffer"]


def test_depth_of_an_odd_size_in_front_does_not_set_that_of_the_others(tmp_path: Path) -> None:
    for number, size in enumerate([(24, 32), (48, 64), (48, 64)]):
        depth = depth_columns(np.full((N, *size), 1.5, np.float32), 1.0)
        logged = {"/depth": depth, "/action": Vectors(T, np.zeros((N, 1)))}
        write_rrd(tmp_path / f"in/{number}.rrd", logged, recording_id=str(number))
    code, out, _ = telecine(
        "convert", tmp_path / "in", tmp_path / "out", "--task-text", "x", "--json", "--workers", "0"
    )
    report = json.loads(out)
    assert code == 1
    assert [e["recording"].rpartition("/")[2] for e in report["episodes"]] == ["1.rrd#1", "2.rrd#2"]
    (rejected,) = report["rejected"]
    assert "is 32x24, the plan says `size: [64, 48]`, and depth is never scaled" in rejected["reason"]["message"]


def test_depth_without_a_unit_is_read_and_warned_of(record: Any) -> None:
    recording = record({"/depth": depth_columns((METRES * 1000).astype(np.uint16), None)})
    stream = recording.streams["/depth:DepthImage:buffer"]
    assert stream.schema.unit == "mm"
    assert ["no meter was logged" in text for _, text in remarks_of(stream)] == [True]


def test_a_static_image_that_a_plan_names_is_in_every_row(record: Any, tmp_path: Path) -> None:
    frame = draw_frame_id(7, 0, 0, 64, 64)
    still = Columns(None, "Image", {"buffer": [frame.tobytes()], "format": [image_format("rgb24", 64, 64)]})
    coded_still = Columns(None, "EncodedImage", {"blob": [to_jpeg(frame)]})
    recording = record({"/map": still, "/sketch": coded_still, "/action": Vectors(T, np.zeros((N, 1)))})
    features = {f"observation.images.{n}": {"from": f"/{n}"} for n in ("map", "sketch")}
    plan = make_plan({"fps": 30, "clock": {"timeline": CLOCK}, "task": "t",
                      "features": {**features, "action": {"from": "/action"}}})  # fmt: skip
    for clip in code(prepare(recording, plan), plan, tmp_path, lambda _: None).clips:
        decoder = av.CodecContext.create("h264", "r")
        packets = [av.Packet(bytes(data)) for data, _, _ in read_clip(clip.path)]
        shown = [f for packet in [*packets, None] for f in decoder.decode(packet)]
        assert [read_frame_id(f.to_ndarray(format="rgb24"))[0] for f in shown] == [7] * N


def test_labels_are_offered_and_stored_only_without_loss(record: Any, tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 40, (N, 48, 64), np.uint8)
    form = image_format("gray8", 64, 48)
    seg = Columns(T, "SegmentationImage", {"buffer": [v.tobytes() for v in labels], "format": [form] * N})
    recording = record({"/seg": seg, "/action": Vectors(T, np.zeros((N, 1)))})
    (item,) = recording.left_out
    assert (item.stream, item.what) == ("/seg:SegmentationImage:buffer", "offered")
    assert recording.streams[item.stream].schema.unit == LABELS

    def plan(**video: Any) -> Any:
        feature = {"from": "/seg", "video": video}
        return make_plan({"fps": 30, "clock": {"timeline": CLOCK}, "task": "t",
                          "features": {"observation.images.seg": feature, "action": {"from": "/action"}}})  # fmt: skip

    with pytest.raises(PlanError, match=r"numbers of classes.*preset: images"):
        prepare(recording, plan(preset="train"))
    images = plan(preset="images")
    (clip,) = code(prepare(recording, images), images, tmp_path, lambda _: None).clips
    for (data, _, _), expected in zip(read_clip(clip.path), labels, strict=False):
        with av.open(io.BytesIO(bytes(data))) as file:
            rgb = next(file.decode(video=0)).to_ndarray(format="rgb24")
        assert np.array_equal(rgb, np.repeat(expected[..., None], 3, axis=2))


def test_drawn_geometry_is_offered_with_its_reason(record: Any) -> None:
    points = np.zeros((N * 3, 3), np.float32)
    recording = record({
        "/points": Columns(T, "Points3D", {"positions": points}, width=3),
        "/boxes": Columns(T, "Boxes3D", {"half_sizes": points[:N]}),
        "/pose": Columns(T, "Transform3D", {"translation": points[:N]}),
        "/joints": Vectors(T, np.zeros((N, 2)), names=("a", "b")),
    })  # fmt: skip
    offered = {item.stream: item for item in recording.left_out}
    assert set(offered) == {"/points:Points3D:positions", "/boxes:Boxes3D:half_sizes"}
    assert offered.keys() < recording.streams.keys()
    assert all(item.what == "offered" and "not a measurement" in item.why for item in offered.values())
    assert {"/pose:Transform3D:translation", "/joints:Scalars:scalars"} < recording.streams.keys()


def test_what_cannot_be_read_is_named_and_hides_nothing(record: Any) -> None:
    recording = record({
        "/tensor": Columns(None, "Tensor", {"data": np.zeros((2, 2), np.float32)}),
        "/film": Columns(T, "VideoFrameReference", {"timestamp": np.arange(N)}),
        "/joints": Vectors(T, np.zeros((N, 2))),
    })  # fmt: skip
    unread = {item.stream: item.why for item in recording.left_out if item.what == "unreadable"}
    assert unread == {
        "/tensor:Tensor:data": "tensors are not read",
        "/film:VideoFrameReference:timestamp": "/film holds no videos, expected one AssetVideo",
    }
    assert list(recording.streams) == ["/joints:Scalars:scalars"]


def mp4(path: Path, count: int, bframes: int = 0, codec: str = "libx264") -> bytes:
    """Frames with their numbers, 30 a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(
            codec, rate=30, options={"x264-params": f"bframes={bframes}:b-adapt=0:keyint=10:crf=10"}
        )
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for i in range(count):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(draw_frame_id(i, 0, 0, 128, 96), format="rgb24")))
        file.mux(stream.encode(None))
    return path.read_bytes()


def film(blob: bytes, shown: Any, stamps: Any = T, reference: str | None = None) -> dict[str, Any]:
    """A video file at /film, and references there or elsewhere that show the frames `shown`, as Rerun times them."""
    import rerun as rr

    asset = rr.AssetVideo(contents=blob, media_type="video/mp4")
    begins = asset.read_frame_timestamps_nanos()
    fields: dict[str, Any] = {"timestamp": begins[np.asarray(shown)]}
    if reference:
        fields["video_reference"] = [reference] * len(fields["timestamp"])
    asset_columns = Columns(None, "AssetVideo", {"blob": [blob]})
    references = Columns(stamps, "VideoFrameReference", fields)
    return {"/camera": references, "/film": asset_columns} if reference else {"/film": [asset_columns, references]}


@pytest.mark.parametrize(
    ("codec", "coder", "options"),
    [("h264", x264, {}), ("hevc", x265, {"params": "open-gop=0"}), ("hevc", x265, {"bframes": 2}), ("av1", svtav1, {})],
    ids=["h264", "hevc", "hevc of open groups", "av1"],
)
def test_video_that_starts_between_keyframes_stays(record: Any, codec: str, coder: Any, options: Any) -> None:
    packets, skipped = coder(N + 10, gop=5, **options)[3:-7], 2
    recording = record({"/live": Video(T, packets, codec)})
    plan = make_plan({"fps": 30, "clock": {"timeline": CLOCK}, "task": "t",
                      "features": {"observation.images.live": {"from": "/live"}}})  # fmt: skip
    indexed, indexes, (finding,) = index_videos(recording, plan)
    (index,) = indexes.values()
    assert (finding.severity, f"{skipped} packets before the first keyframe" in finding.message) == ("warning", True)
    (stream,) = indexed.streams.values()
    (first, *_) = frames(stream, np.zeros(1, np.int64), CLOCK, index=index)
    assert read_frame_id(to_rgb(first))[0] == 5


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_video_file_shown_once_and_in_order_is_a_video(record: Any, tmp_path: Path, bframes: int) -> None:
    recording = record(film(mp4(tmp_path / "a.mp4", N, bframes), range(N)))
    (stream,) = recording.streams.values()
    assert (stream.name, stream.kind, stream.schema.encoding) == (
        "/film:VideoFrameReference:timestamp",
        "video",
        "h264",
    )
    assert stream.times(CLOCK).tolist() == T.tolist()
    plan = make_plan({"fps": 30, "clock": {"timeline": CLOCK}, "task": "t",
                      "features": {"observation.images.film": {"from": "/film"}}})  # fmt: skip
    _, indexes, findings = index_videos(recording, plan)
    (index,) = indexes.values()
    assert (index.count, findings) == (N, [])
    shown = frames(stream, np.arange(N), CLOCK, index=index)
    assert [read_frame_id(f.to_ndarray(format="rgb24"))[0] for f in shown] == list(range(N))


@pytest.mark.parametrize(
    "shown", [[0, 2, 4, 6, 8, 10], [3, 3, 3, 7, 7, 7], [5, 9, 2, 2, 11, 0]], ids=["skips", "holds", "jumps"]
)
def test_a_video_file_shown_otherwise_is_images_of_the_right_frames(
    record: Any, tmp_path: Path, shown: list[int]
) -> None:
    blob = mp4(tmp_path / "a.mp4", N, 2)
    recording = record(film(blob, shown, T[: len(shown)], reference="/film"))
    stream: Any = recording.streams["/camera:VideoFrameReference:timestamp"]
    assert stream.kind == "image"
    images = list(stream.take(np.arange(len(shown)), CLOCK))
    found = [read_frame_id(np.frombuffer(i.data, np.uint8).reshape(i.height, i.width, 3))[0] for i in images]
    assert found == shown
    assert [read_frame_id(f.to_ndarray(format="rgb24"))[0] for f in frames(stream, np.array([1, 3]), CLOCK)] == [
        shown[1],
        shown[3],
    ]


def test_a_video_file_that_cannot_be_read_is_named(record: Any, tmp_path: Path) -> None:
    blob = mp4(tmp_path / "a.mp4", N)
    whole = film(blob, range(N))
    cut = {"/film": [Columns(None, "AssetVideo", {"blob": [blob[: len(blob) // 3]]}), whole["/film"][1]]}
    recording = record({**cut, "/joints": Vectors(T, np.zeros((N, 1)))})
    assert [s.partition(":")[0] for s in recording.streams] == ["/joints"]
    (item,) = recording.left_out
    assert item.what == "unreadable"
    assert "the video" in item.why
    assert str(tmp_path) not in item.why
    alone = record({"/film": whole["/film"][0], "/joints": Vectors(T, np.zeros((N, 1)))})
    assert ["no VideoFrameReference" in item.why for item in alone.left_out] == [True]


def test_every_column_that_rerun_lists_is_accounted_for(record: Any, tmp_path: Path) -> None:
    logged = one_of_each() | film(mp4(tmp_path / "a.mp4", N), range(N)) | {
        "/depth": depth_columns(METRES.astype(np.float32), 1.0),
        "/points": Columns(T, "Points3D", {"positions": np.zeros((N, 3)), "labels": ["a"] * N, "radii": np.ones(N)}),
        "/text": Columns(T, "Points3D", {"labels": ["a"] * N}),
        "/pinhole": Columns(None, "Pinhole", {"image_from_camera": np.eye(3)[None]}),
        "/tensor": Columns(None, "Tensor", {"data": np.zeros((2, 2))}),
        "/any": Custom(T, "", {"force": np.zeros((N, 3)), "name": ["a"] * N}),
        "/mesh": Columns(None, "Asset3D", {"blob": [b"mesh"]}),
    }  # fmt: skip
    recording = record(logged)
    names = {*recording.streams, *(item.stream for item in recording.left_out)}
    listed = rrd_reader(recording.ref.path).store().schema().component_columns()
    assert len(listed) > 25
    for column in listed:
        if column.entity_path.startswith("/__properties"):
            continue
        archetype = (column.archetype or "").rpartition(".")[2]
        own = [n for n in names if n.startswith(f"{column.entity_path}:{column.component}")]
        same = [
            n for n in names if n.startswith((f"{column.entity_path}:{archetype}", f"{column.entity_path}:VideoFrame"))
        ]
        styled = archetype == "SeriesLines" and f"{column.entity_path}:Scalars:scalars" in names
        assert own or (archetype and same) or styled, f"{column} is nowhere"
