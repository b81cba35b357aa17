"""Preset `images`: every frame without loss, alone."""

import av
import numpy as np
import pytest

from support.pictures import draw_frame_id, raw_picture, scene, to_video
from telecine.core.errors import VideoError
from telecine.core.recording import MemoryStream, Schema
from telecine.core.video import FrameFormat
from telecine.video.clip import read_clip
from telecine.video.decode import frames, raw_frame
from telecine.video.encode import encode
from telecine.video.presets import video_settings


def stored(clip):
    """The frames of the clip, each decoded alone."""
    found = []
    for number, (data, display, key) in enumerate(read_clip(clip.path)):
        assert (display, key) == (number, True)
        (frame,) = av.CodecContext.create("png", "r").decode(av.Packet(bytes(data)))
        found.append(frame.to_ndarray(format="rgb24"))
    return found


def images(source, path, count, **options):
    return encode(
        source, video_settings("images", **options), 30, count=count, key="front", path=str(path), why="asked for"
    )


@pytest.mark.parametrize("size", [(64, 48), (33, 21), (1, 1)])
def test_pictures_are_stored_without_loss(tmp_path, size):
    pictures = [scene(i, *size) for i in range(5)]
    clip = images((raw_frame(raw_picture(p, "rgb24")) for p in pictures), tmp_path / "clip", 5)
    assert np.array_equal(stored(clip), pictures)
    assert clip.format == FrameFormat("png", *size, "rgb24")
    assert (clip.frames, clip.gop, clip.reorder_delay, clip.copied, clip.encoder) == (5, 1, 0, False, {})
    assert clip.size_bytes == sum(len(data) for data, _, _ in read_clip(clip.path))


def test_each_is_a_whole_png_file(tmp_path):
    clip = images((raw_frame(raw_picture(scene(i, 32, 32), "bgr24")) for i in range(3)), tmp_path / "clip", 3)
    for data, _, _ in read_clip(clip.path):
        assert bytes(data[:8]) == b"\x89PNG\r\n\x1a\n"
        assert bytes(data[-8:-4]) == b"IEND"


def test_video_becomes_pictures(tmp_path):
    sources = [draw_frame_id(i, 0, 0, 160, 96) for i in range(6)]
    packets, index = to_video(sources)
    stream = MemoryStream("c", "video", Schema("uint8", encoding="h264"), {"t": np.arange(6)}, packets)
    clip = images(frames(stream, np.array([1, 1, 4]), "t", index=index), tmp_path / "clip", 3)
    for picture, row in zip(stored(clip), (1, 1, 4), strict=True):
        assert np.abs(picture.astype(int) - sources[row]).mean() < 3


def test_pictures_are_scaled(tmp_path):
    clip = images(
        (raw_frame(raw_picture(scene(i, 64, 48), "rgb24")) for i in range(2)), tmp_path / "clip", 2, size=(33, 21)
    )
    assert [p.shape for p in stored(clip)] == [(21, 33, 3)] * 2


def test_the_histogram_counts_what_is_stored(tmp_path):
    picture = scene(0, 40, 30)
    clip = images([raw_frame(raw_picture(picture, "rgb24"))], tmp_path / "clip", 1)
    assert np.array_equal(clip.histogram, [np.bincount(picture[..., c].ravel(), minlength=256) for c in range(3)])


def test_sizes_may_not_change(tmp_path):
    source = [raw_frame(raw_picture(scene(0, *size), "rgb24")) for size in ((32, 32), (32, 30))]
    with pytest.raises(VideoError, match="frame 1 is 32x30"):
        images(source, tmp_path / "clip", 2)
