"""Depth cameras of messages: LeRobot reads back what its own formula makes of the source, row for row."""

import io
import json
import struct
from functools import partial

import numpy as np
import pytest

from support.mcap import START_NS, Said, coded_picture, header, joints, make, write_mcap
from support.memory import every
from support.pictures import draw_frame_id, to_jpeg, to_png16
from support.robot import jittered
from telecine import compare, convert, make_plan, verify
from telecine.core.errors import PlanError

pytestmark = pytest.mark.usefixtures("mcap")
SIZE = (96, 64)
COUNT = 30


def depth_mm(number):
    """(height, width) uint16 mm: a ramp that moves away, with a hole that was not measured."""
    ramp = np.linspace(200, 6000, SIZE[0])[None] + np.arange(SIZE[1])[:, None] + 20 * number
    out = ramp.astype(np.uint16)
    out[10:20, 10:20] = 0
    return out


def message(kind, stamp, number):
    """(type, message) of a depth frame."""
    mm = depth_mm(number)
    if kind == "compressed":
        return "sensor_msgs/msg/CompressedImage", coded_picture(
            stamp, struct.pack("<iff", 0, 0, 0) + to_png16(mm), "16UC1; compressedDepth png"
        )
    encoding, values, big = {
        "16UC1": ("16UC1", mm.astype("<u2"), 0),
        "big endian": ("16UC1", mm.astype(">u2"), 1),
        "32FC1": ("32FC1", (mm / 1000).astype("<f4"), 0),
    }[kind]
    data = np.pad(values.view(np.uint8).reshape(SIZE[1], -1), ((0, 0), (0, 4)))
    fields = (header(stamp), SIZE[1], SIZE[0], encoding, big, data.shape[1], data.reshape(-1))
    return "sensor_msgs/msg/Image", make("sensor_msgs/msg/Image", *fields)


QUANTIZATION, FARTHEST_M = 100.0, 10.0
"""Parameters of compressed_depth_image_transport (png codec) as it has them when nobody changes them."""
QUANT_A = np.float32(QUANTIZATION * (QUANTIZATION + 1))
QUANT_B = np.float32(1 - QUANT_A / FARTHEST_M)


def depth_m(number):
    """(height, width) float32 m: a ramp that moves away, with a hole and what is too far to be coded."""
    metres = (depth_mm(number) / 1000).astype(np.float32)
    metres[metres == 0] = np.nan
    metres[30:34, 50:60] = FARTHEST_M + 2
    return metres


def inverse_coded(number):
    """A 32FC1 compressedDepth: ConfigHeader (INV_DEPTH, a, b) and a PNG of uint16(a / depth + b), 0 for unknown.

    Source: https://github.com/ros-perception/image_transport_plugins, compressed_depth_image_transport/src/codec.cpp.
    The PNG is Pillow's.
    """
    from PIL import Image

    metres = depth_m(number)
    known = np.isfinite(metres) & (metres < FARTHEST_M)
    codes = np.zeros(metres.shape, np.uint16)
    codes[known] = (QUANT_A / metres[known] + QUANT_B).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(codes).save(file, "png")
    return struct.pack("<iff", 1, QUANT_A, QUANT_B) + file.getvalue(), codes


def inverse_message(stamp, number):
    """(type, message) of float depth, coded."""
    data, _ = inverse_coded(number)
    return "sensor_msgs/msg/CompressedImage", coded_picture(stamp, data, "32FC1; compressedDepth png")


def write(path, kind):
    frames, said = jittered(COUNT), []
    told = inverse_message if kind == "inverse" else partial(message, kind)
    for number, time in enumerate(frames.tolist()):
        stamp = START_NS + time
        said.append(Said("/camera/depth", *told(stamp, number), stamp, stamp))
        shot = coded_picture(stamp, to_jpeg(draw_frame_id(number, 0, 0, *SIZE)))
        said.append(Said("/camera/color", "sensor_msgs/msg/CompressedImage", shot, stamp, stamp))
    for i, time in enumerate(every(50, 2, 0.4).tolist()):
        stamp = START_NS + time
        said.append(Said("/joints", "sensor_msgs/msg/JointState", joints(i, stamp), stamp, stamp))
    return write_mcap(path, sorted(said, key=lambda one: one.log_ns))


def plan(**depth):
    features = {
        "observation.state": "/joints:position",
        "action": "/joints:velocity",
        "observation.images.color": "/camera/color",
        "observation.images.depth": {"from": "/camera/depth", **depth},
    }
    return make_plan({"fps": 30, "clock": {"timeline": "capture_time"}, "features": features, "task": "go"})


@pytest.mark.parametrize("kind", ["16UC1", "big endian", "32FC1", "compressed"])
def test_lerobot_reads_the_depth_that_its_own_formula_gives(tmp_path, kind, lerobot_dataset):
    import torch
    from lerobot.datasets.depth_utils import dequantize_depth, quantize_depth

    write(tmp_path / "in" / "a.mcap", kind)
    report = convert([tmp_path / "in"], tmp_path / "out", plan())
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    dataset = lerobot_dataset(tmp_path / "out")
    assert dataset.meta.depth_keys == ["observation.images.depth"]
    assert len(dataset) == COUNT
    for row in range(COUNT):
        source = depth_mm(row) if kind != "32FC1" else (depth_mm(row) / 1000).astype(np.float32)
        codes = torch.from_numpy(quantize_depth(source, video_backend=None).astype(np.int32))
        expected = dequantize_depth(codes[None]).numpy()
        got = dataset[row]["observation.images.depth"].numpy()
        assert got.shape == (1, SIZE[1], SIZE[0])
        np.testing.assert_array_equal(got, expected)
    stats = json.loads((tmp_path / "out" / "meta" / "stats.json").read_text())["observation.images.depth"]
    assert stats["max"][0][0][0] == pytest.approx(depth_mm(COUNT - 1).max(), abs=3)
    assert [f.code for f in compare(tmp_path / "out", [tmp_path / "in"]) if f.severity != "info"] == []
    assert [f for f in verify(tmp_path / "out", decode="all") if f.severity == "error"] == []


def test_coded_float_depth_is_what_was_measured_within_its_quantization(tmp_path):
    from telecine.sources import registry

    write(tmp_path / "a.mcap", "inverse")
    (ref,) = registry.find([tmp_path / "a.mcap"]).refs
    with registry.open(ref) as recording:
        stream = recording.streams["/camera/depth"]
        assert (stream.schema.dtype, stream.schema.unit) == ("float32", "m")
        pictures = list(stream.take(np.arange(COUNT), "capture_time"))
    assert len(pictures) == COUNT
    for number, picture in enumerate(pictures):
        assert (picture.encoding, picture.width, picture.height) == ("grayf32le", *SIZE)
        got, metres = np.frombuffer(picture.data, "<f4").reshape(SIZE[::-1]), depth_m(number)
        known = np.isfinite(metres) & (metres < FARTHEST_M)
        assert not got[~known].any()
        assert known.sum() > 5000
        off = got[known] - metres[known]  # codes are cut, not rounded: depth never becomes less
        step = metres[known].astype(np.float64) ** 2 / QUANT_A  # one code, d/dv of a / (v - b)
        assert off.min() > -1e-5
        assert (off <= 1.02 * step + 1e-5).all()


def test_coded_float_depth_goes_through_lerobots_reader(tmp_path, lerobot_dataset):
    import torch
    from lerobot.datasets.depth_utils import dequantize_depth, quantize_depth

    write(tmp_path / "in" / "a.mcap", "inverse")
    report = convert([tmp_path / "in"], tmp_path / "out", plan())
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    dataset = lerobot_dataset(tmp_path / "out")
    assert len(dataset) == COUNT
    for row in range(COUNT):
        codes = inverse_coded(row)[1].astype(np.float64)
        metres = np.where(codes > 0, QUANT_A / np.where(codes > 0, codes - float(QUANT_B), 1), 0).astype(np.float32)
        stored = torch.from_numpy(quantize_depth(metres, video_backend=None).astype(np.int32))
        np.testing.assert_array_equal(
            dataset[row]["observation.images.depth"].numpy(), dequantize_depth(stored[None]).numpy()
        )


def test_the_entry_of_depth_is_the_one_lerobot_writes(tmp_path):
    write(tmp_path / "in" / "a.mcap", "16UC1")
    convert([tmp_path / "in"], tmp_path / "out", plan())
    entry = json.loads((tmp_path / "out" / "meta" / "info.json").read_text())["features"]["observation.images.depth"]
    assert (entry["dtype"], entry["shape"], entry["names"]) == ("video", [64, 96, 1], ["height", "width", "channels"])
    extra = entry["info"].pop("video.extra_options")
    assert extra["x265-params"].startswith("lossless=1")
    assert entry["info"] == {
        "is_depth_map": True, "depth_unit": "mm", "video.height": 64, "video.width": 96, "video.codec": "hevc",
        "video.pix_fmt": "gray12le", "video.fps": 30, "video.channels": 1, "has_audio": False, "video.g": 2,
        "video.crf": 30, "video.preset": None, "video.fast_decode": 0, "video.video_backend": "pyav",
        "video.depth_min": 0.01, "video.depth_max": 10.0, "video.shift": 3.5, "video.use_log": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ({"preset": "images"}, "preset: images"),
        ({"codec": "h264"}, "codec: h264"),
        ({"size": [48, 32]}, "is 96x64, the plan says `size: [48, 32]`, and depth is never scaled"),
        ({"copy": "always", "crf": 10}, "crf: 10, copy: always"),
    ],
)
def test_what_depth_cannot_be_is_refused_with_the_reason(tmp_path, video, message):
    write(tmp_path / "in" / "a.mcap", "16UC1")
    report = convert([tmp_path / "in"], tmp_path / "out", plan(video=video))
    (rejected,) = report.rejected
    assert rejected.reason.code == "plan-mismatch"
    assert message.replace("\\", "") in rejected.reason.message
    assert issubclass(PlanError, ValueError)


def test_the_conformance_check_passes_with_depth(tmp_path, conformance):
    write(tmp_path / "in" / "a.mcap", "16UC1")
    convert([tmp_path / "in"], tmp_path / "out", plan())
    conformance(tmp_path / "out", "--no-tools")
