"""What is encoded is every frame, in order, in its colours, with a keyframe where a clip begins."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest

from support.pictures import (
    colour_patches,
    draw_frame_id,
    patch_means,
    raw_picture,
    read_frame_id,
    scene,
    to_jpeg,
    to_video,
)
from telecine.core.bitstream.packets import index_packets, is_self_contained
from telecine.core.errors import VideoError
from telecine.core.recording import Image, MemoryStream, Schema
from telecine.video import encode as encode_module
from telecine.video.clip import ClipWriter, read_clip
from telecine.video.decode import VIDEO_DECODERS, frames, raw_frame
from telecine.video.encode import encode
from telecine.video.frames.colour import to_rgb
from telecine.video.frames.histogram import Histogram, sample_indices
from telecine.video.presets import video_settings

FPS = 30
PRESETS = [("train", "h264"), ("train", "hevc"), ("train", "av1"), ("lerobot", "av1"), ("archive", "av1")]
SIZE = (160, 96)


def rgb_frames(pictures):
    return [raw_frame(raw_picture(p, "rgb24")) for p in pictures]


def numbered(count, size=SIZE):
    return rgb_frames(draw_frame_id(i, 7, 1, *size) for i in range(count))


def encoded(source, want, path, **options):
    source = list(source)
    options = {"count": len(source), "key": "front", "why": "a test"} | options
    return encode(source, want, FPS, path=str(path), **options)


def decoded(clip):
    """The frames of a clip by a plain sequential decoder, as RGB in display order."""
    decoder = av.CodecContext.create(VIDEO_DECODERS[clip.format.codec], "r")
    decoder.thread_count = 1
    found = []
    for data, display, _ in read_clip(clip.path):
        packet = av.Packet(bytes(data))
        packet.pts = display
        found += decoder.decode(packet)
    found += decoder.decode(None)
    return [to_rgb(frame) for frame in sorted(found, key=lambda frame: frame.pts)]


@pytest.mark.parametrize(("preset", "codec"), PRESETS)
def test_every_picture_comes_back_in_order(tmp_path, preset, codec):
    clip = encoded(numbered(17), video_settings(preset, codec), tmp_path / "clip")
    assert [read_frame_id(rgb) for rgb in decoded(clip)] == [(i, 7, 1) for i in range(17)]


@pytest.mark.parametrize(("preset", "codec"), PRESETS)
def test_changes_of_flat_areas_are_not_left_out(tmp_path, preset, codec):
    """SVT-AV1 with less effort shows 1 of these 64 frames as the one before."""
    source = rgb_frames(draw_frame_id(i, 0, 1, 320, 240) for i in range(64))
    clip = encoded(source, video_settings(preset, codec), tmp_path / "clip")
    assert [read_frame_id(rgb)[0] for rgb in decoded(clip)] == list(range(64))


@pytest.mark.parametrize(("preset", "codec"), PRESETS)
def test_the_clip_says_what_is_in_it(tmp_path, preset, codec):
    want = video_settings(preset, codec, gop=4)
    clip = encoded(numbered(11), want, tmp_path / "clip")
    packets = [(bytes(data), display, key) for data, display, key in read_clip(clip.path)]
    assert [display for _, display, _ in packets] == list(range(11))
    assert (clip.frames, clip.preroll, clip.reorder_delay, clip.copied) == (11, 0, 0, False)
    assert (clip.key, clip.why, clip.size_bytes) == ("front", "a test", sum(len(d) for d, _, _ in packets))
    assert (clip.format.codec, clip.format.width, clip.format.height) == (codec, *SIZE)
    assert (clip.format.pix_fmt, clip.format.matrix) == ("yuv420p", "unspecified")
    assert (clip.gop, clip.encoder["video.g"]) == (4, 4)
    assert clip.sampled == 11


@pytest.mark.parametrize(("preset", "codec"), PRESETS)
def test_keyframes_stand_on_the_grid_and_stand_alone(tmp_path, preset, codec):
    # A scene cut at 6 must not move them.
    source = [*numbered(6), *rgb_frames(scene(i, *SIZE) for i in range(8))]
    clip = encoded(source, video_settings(preset, codec, gop=4), tmp_path / "clip")
    packets = [(bytes(data), display, key) for data, display, key in read_clip(clip.path)]
    assert [key for _, _, key in packets] == [i % 4 == 0 for i in range(14)]
    assert all(is_self_contained(data, codec) for data, _, key in packets if key)
    index = index_packets((data for data, _, _ in packets), codec)
    assert index.keyframe.tolist() == [key for _, _, key in packets]
    assert not index.open_gop
    assert not index.problems


@pytest.mark.parametrize(("preset", "codec"), PRESETS)
def test_what_is_written_is_untagged_limited_range(tmp_path, preset, codec):
    clip = encoded(numbered(2), video_settings(preset, codec), tmp_path / "clip")
    index = index_packets((bytes(data) for data, _, _ in read_clip(clip.path)), codec)
    assert index.formats == (clip.format,)


@pytest.mark.parametrize(("preset", "codec"), PRESETS)
def test_the_same_pictures_give_the_same_bytes(tmp_path, preset, codec):
    for name in ("a", "b"):
        encoded(rgb_frames(scene(i, *SIZE) for i in range(6)), video_settings(preset, codec), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


POLICIES = """
import os
from telecine.video.encoder import Setup, open_encoder

os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
encoder = open_encoder(Setup("libsvtav1", "yuv420p", {}), (64, 64), 30, key="front")
tasks = [int(name) for name in os.listdir("/proc/self/task")]
print(len(tasks) > 2, {os.sched_getscheduler(task) for task in tasks} == {os.SCHED_OTHER})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_no_thread_of_an_encoder_is_a_real_time_one():
    """Of root, which SVT-AV1 would give them to; others have nothing to give."""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", POLICIES], check=True, capture_output=True, text=True)
    assert ran.stdout == "True True\n"


@pytest.mark.parametrize("source", ["rgb24", "bgra", "nv12", "yuyv422", "yuvj420p", "yuv444p", "jpeg 420", "jpeg 444"])
@pytest.mark.parametrize(("preset", "codec"), [("train", "h264"), ("lerobot", "av1")])
def test_colours_survive_encoding(tmp_path, source, preset, codec):
    picture = colour_patches(*SIZE)
    if source.startswith("jpeg"):
        pictures = [Image(to_jpeg(picture, sampling=source[5:]), "jpeg")] * 3
    else:
        pictures = [raw_picture(picture, source)] * 3
    stream = MemoryStream("c", "image", Schema("uint8"), {"t": np.arange(3, dtype=np.int64)}, pictures)
    clip = encoded(frames(stream, np.arange(3), "t"), video_settings(preset, codec), tmp_path / "clip")
    for rgb in decoded(clip):
        error = np.abs(patch_means(rgb) - patch_means(picture))
        assert error.mean() < 2
        assert error.max() <= 6


@pytest.mark.parametrize(
    ("matrix", "full", "pix_fmt"),
    [("", False, "yuv420p"), ("bt709", False, "yuv420p"), ("bt709", True, "yuvj420p"), ("", False, "yuv420p10le")],
)
def test_colours_of_tagged_video_survive(tmp_path, matrix, full, pix_fmt):
    picture = colour_patches(*SIZE)
    packets, index = to_video([picture] * 4, matrix=matrix, full=full, pix_fmt=pix_fmt)
    times = np.arange(4, dtype=np.int64)
    stream = MemoryStream("c", "video", Schema("uint8", encoding="h264"), {"t": times}, packets)
    clip = encoded(frames(stream, times, "t", index=index), video_settings("train"), tmp_path / "clip")
    for rgb in decoded(clip):
        assert np.abs(patch_means(rgb) - patch_means(picture)).mean() < 2.5
    assert clip.format.matrix == "unspecified"


@pytest.mark.parametrize("keyframe", ["I", "P"])
def test_picture_types_of_the_source_are_not_kept(tmp_path, keyframe):
    packets, index = to_video([scene(i, *SIZE) for i in range(9)], gop=1 if keyframe == "I" else 9)
    stream = MemoryStream("c", "video", Schema("uint8", encoding="h264"), {"t": np.arange(9)}, packets)
    clip = encoded(frames(stream, np.arange(9), "t", index=index), video_settings("train"), tmp_path / "clip")
    assert [key for _, _, key in read_clip(clip.path)] == [i % 5 == 0 for i in range(9)]


def test_repeated_frames_are_converted_once(tmp_path, monkeypatch):
    seen = []

    def noting(frame, size=None):
        seen.append(frame)
        return convert(frame, size)

    convert = encode_module.to_yuv420p
    monkeypatch.setattr(encode_module, "to_yuv420p", noting)
    a, b = numbered(2)
    clip = encoded([a, a, a, b, b], video_settings("train"), tmp_path / "clip")
    assert [id(frame) for frame in seen] == [id(a), id(b)]
    assert [read_frame_id(rgb)[0] for rgb in decoded(clip)] == [0, 0, 0, 1, 1]


def test_repeated_video_frames_come_back(tmp_path):
    packets, index = to_video([draw_frame_id(i, 0, 0, *SIZE) for i in range(4)])
    stream = MemoryStream("c", "video", Schema("uint8", encoding="h264"), {"t": np.arange(4)}, packets)
    rows = np.array([0, 0, 1, 3, 3, 3])
    clip = encoded(frames(stream, rows, "t", index=index), video_settings("train"), tmp_path / "clip")
    assert [read_frame_id(rgb)[0] for rgb in decoded(clip)] == rows.tolist()


def test_the_histogram_counts_the_source_not_the_code(tmp_path):
    pictures = [scene(i, *SIZE) for i in range(7)]
    clip = encoded(rgb_frames(pictures), video_settings("train", crf=40), tmp_path / "clip")
    expected = Histogram()
    for picture in pictures:
        expected.add(picture)
    assert np.array_equal(clip.histogram, expected.counts)
    assert clip.sampled == 7


def test_long_episodes_are_sampled_as_lerobot_does(tmp_path):
    count = 130
    pictures = [np.full((32, 32, 3), i, np.uint8) for i in range(count)]
    clip = encoded(rgb_frames(pictures), video_settings("train"), tmp_path / "clip")
    counts = np.zeros(256, np.int64)
    counts[sample_indices(count)] = 32 * 32
    assert np.array_equal(clip.histogram, np.stack([counts] * 3))
    assert clip.sampled == len(sample_indices(count))


def test_pictures_are_scaled_to_the_wished_size(tmp_path):
    source = [*numbered(3, (320, 192)), *numbered(3, (160, 96))]
    clip = encoded(source, video_settings("train", size=(128, 64)), tmp_path / "clip")
    assert (clip.format.width, clip.format.height) == (128, 64)
    assert [read_frame_id(rgb)[0] for rgb in decoded(clip)] == [0, 1, 2, 0, 1, 2]
    assert clip.histogram.sum() == 6 * 3 * 128 * 64


@pytest.mark.parametrize("name", ["gray16le", "gray12le", "grayf32le"])
@pytest.mark.parametrize("preset", ["train", "images"])
def test_grey_of_more_than_8_bits_is_refused_not_cut(tmp_path, name, preset):
    with pytest.raises(VideoError, match=r"frame 0 is grey of (16|12|32) bits, of which LeRobot's .* keep 8"):
        encoded([av.VideoFrame(64, 48, name)], video_settings(preset), tmp_path / "clip")


def test_sizes_that_change_are_refused_with_the_way_out(tmp_path):
    source = [*numbered(3), *numbered(1, (128, 64))]
    with pytest.raises(VideoError, match=r"frame 3 is 128x64, those before 160x96; set `video.size: \[160, 96"):
        encoded(source, video_settings("train"), tmp_path / "clip")


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("size", [(161, 96), (160, 95)])
def test_odd_sizes_are_refused_with_the_way_out(tmp_path, codec, size):
    with pytest.raises(VideoError, match=rf"{codec} needs even width and height, not {size[0]}x{size[1]}; set"):
        encoded(numbered(2, size), video_settings("train", codec), tmp_path / "clip")


def test_av1_keeps_odd_sizes(tmp_path):
    clip = encoded(numbered(4, (161, 95)), video_settings("lerobot"), tmp_path / "clip")
    assert (clip.format.width, clip.format.height) == (161, 95)
    assert [rgb.shape for rgb in decoded(clip)] == [(95, 161, 3)] * 4


@pytest.mark.parametrize("given", [2, 4])
def test_the_wrong_number_of_pictures_is_refused(tmp_path, given):
    with pytest.raises(VideoError, match=r"front: (2 frames for the 3 rows|more frames than the 3 rows)"):
        encoded(numbered(given), video_settings("train"), tmp_path / "clip", count=3)


@pytest.mark.parametrize("count", [0, 3])
def test_no_pictures_are_refused(tmp_path, count):
    with pytest.raises(VideoError, match="front: "):
        encoded([], video_settings("train"), tmp_path / "clip", count=count)


def test_one_picture_is_a_clip(tmp_path):
    clip = encoded(numbered(1), video_settings("train"), tmp_path / "clip")
    assert (clip.frames, clip.gop, clip.sampled) == (1, 1, 1)
    assert read_frame_id(decoded(clip)[0])[0] == 0


def test_an_encoder_that_cannot_is_a_video_error(tmp_path):
    with pytest.raises(VideoError, match="front: libsvtav1 does not encode 16400x16"):
        encoded(numbered(1, (16400, 16)), video_settings("lerobot"), tmp_path / "clip")


@pytest.mark.parametrize("preset", ["train", "images"])
def test_packets_are_written_as_pictures_come(tmp_path, monkeypatch, preset):
    given, ahead = [], []

    def source():
        for frame in numbered(30):
            given.append(frame)
            yield frame

    class Noting(ClipWriter):
        def add(self, data, display, keyframe):
            ahead.append(len(given) - display)
            super().add(data, display, keyframe)

    monkeypatch.setattr(encode_module, "ClipWriter", Noting)
    encode(source(), video_settings(preset), FPS, count=30, key="front", path=str(tmp_path / "clip"), why="a test")
    assert max(ahead) <= 2


def test_errors_of_the_source_pass_through(tmp_path):
    def source():
        yield from numbered(2)
        raise VideoError("camera: frame 2 is damaged")

    with pytest.raises(VideoError, match="frame 2 is damaged"):
        encode(source(), video_settings("train"), FPS, count=5, key="front", path=str(tmp_path / "clip"), why="a test")


def test_encoders_print_nothing(tmp_path):
    # In a process of its own: SVT-AV1 looks at its variable once, and another test may have used it before.
    code = f"""
import sys
from telecine.video.decode import raw_frame
from telecine.core.recording import Image
from telecine.video.encode import encode
from telecine.video.presets import video_settings
black = Image(bytes({SIZE[0] * SIZE[1] * 3}), "rgb24", *{SIZE})
for name, want in (("av1", video_settings("lerobot")), ("hevc", video_settings("train", "hevc"))):
    clip = encode([raw_frame(black)] * 3, want, 30, path=sys.argv[1] + name, count=3, key="k", why="")
    assert clip.frames == 3
"""
    quiet = {name: value for name, value in os.environ.items() if name != "SVT_LOG"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "clip")], capture_output=True, text=True, env=quiet
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
