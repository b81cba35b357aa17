"""Copied video through LeRobot's own two decoders: every row gets its own frame, asked for in any order."""

import importlib
import random
from fractions import Fraction

import numpy as np
import pytest

from support import video
from telecine.video.append import VideoFile
from telecine.video.mp4_reader import decode_at, probe_file

CABAC = "h264 main cabac"
BACKENDS = ["torchcodec", "pyav"]
TOLERANCE_S = 1e-4


class Episode:
    """A clip of frames 0 .. n - 1 of one episode, of which rows show those from `preroll` on."""

    def __init__(self, maker, count, preroll=0, unused=0, **options):
        self.maker, self.count, self.preroll, self.unused, self.options = maker, count, preroll, unused, options

    def clip(self, codec, number, folder):
        packets = self.maker(self.count, episode=number, **self.options)
        rows = self.count - self.preroll - self.unused
        return video.make_clip(packets, codec, folder / f"{number}.clip", preroll=self.preroll, count=rows)


def both(name):
    return video.STREAMS[name]


def other_h264(n, **options):
    """The same size and format with all other headers different."""
    return video.x264(n, profile="baseline", params="ref=4:level=4.0:sps-id=3", **options)


def other_hevc(n, **options):
    """The same for H.265, with B-frames as deep."""
    params = "open-gop=0:b-adapt=0:b-pyramid=0:ref=3:level-idc=5.0:sao=0:amp=0"
    return video.x265(n, bframes=2, params=params, **options)


def headers_once(n, **options):
    return video.headers_once(video.STREAMS["h264"](n, **options), "h264")


CASES = {
    "h264": ("h264", [Episode(both("h264"), 31), Episode(both("h264 zerolatency"), 17), Episode(both("h264"), 1)]),
    "h264 preroll": (
        "h264",
        [Episode(both("h264"), 25, 7), Episode(both("h264"), 33, 9, 4), Episode(both("h264"), 12, 2)],
    ),
    "h264 b-frames": ("h264", [Episode(both("h264 b-frames"), n, p) for n, p in ((31, 0), (18, 5), (22, 0))]),
    "h264 b-frames and none": (
        "h264",
        [Episode(both("h264 b-frames"), 21), Episode(both("h264"), 21, 3), Episode(both("h264 b-frames"), 21, 4)],
    ),
    "h264 other headers per episode": (
        "h264",
        [
            Episode(both("h264"), 15),
            Episode(other_h264, 15),
            Episode(both("h264 main cabac"), 25),
            Episode(other_h264, 9),
        ],
    ),
    "h264 headers once": ("h264", [Episode(headers_once, 25, 3), Episode(other_h264, 15), Episode(headers_once, 25)]),
    "h264 slices": ("h264", [Episode(both("h264 slices"), 25), Episode(both("h264 slices"), 14, 2)]),
    "h264 one keyframe": ("h264", [Episode(both("h264"), 70, 30, gop=100), Episode(both("h264"), 40, gop=100)]),
    "h264 full range": (
        "h264",
        [Episode(video.x264, 25, pix_fmt="yuvj420p"), Episode(video.x264, 9, pix_fmt="yuvj420p")],
    ),
    "hevc without b-frames": ("hevc", [Episode(both("hevc bframes=0"), 25), Episode(both("hevc bframes=0"), 21, 4)]),
    "hevc b-frames": ("hevc", [Episode(both("hevc shallow"), 31), Episode(both("hevc shallow"), 21, 6)]),
    "hevc other headers per episode": (
        "hevc",
        [Episode(both("hevc shallow"), 21), Episode(other_hevc, 21, 4), Episode(both("hevc shallow"), 9)],
    ),
    "av1": ("av1", [Episode(both("av1"), 31), Episode(both("av1"), 21, 6)]),
    "av1 low delay": ("av1", [Episode(both("av1 low delay"), 31), Episode(both("av1"), 21, 6)]),
}


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory):
    """(path, [(number of the first row's frame, its episode)])."""
    codec, episodes = CASES[request.param]
    return append(codec, episodes, tmp_path_factory.mktemp("copied"))


def append(codec, episodes, folder):
    file = VideoFile(folder / "video.mp4", 30)
    rows = [(file.append(e.clip(codec, number, folder)), e) for number, e in enumerate(episodes)]
    file.close()
    return str(folder / "video.mp4"), rows


def rows_of(written):
    """[(from_timestamp, timestamp, (frame, episode) expected)] of every row, shuffled the same way each time."""
    asked = []
    for number, (start, episode) in enumerate(written[1]):
        for row in range(episode.count - episode.preroll - episode.unused):
            asked.append((start / 30, np.float32(row / 30), (episode.preroll + row, number)))
    random.Random(0).shuffle(asked)
    return asked


def rows_with_another_picture(written, backend):
    """[(expected, shown)] of the rows that LeRobot shows wrong."""
    decode = importlib.import_module("lerobot.datasets.video_utils").decode_video_frames
    wrong = []
    for start, timestamp, expected in rows_of(written):
        (picture,) = decode(written[0], [start + float(timestamp)], TOLERANCE_S, backend, return_uint8=True)
        shown = video.picture_id(picture.permute(1, 2, 0).numpy())
        if shown != expected:
            wrong.append((expected, shown))
    return wrong


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_row_shows_its_own_picture(written, backend):
    assert rows_with_another_picture(written, backend) == []


def test_deep_b_frames_of_hevc_are_right_in_pyav(tmp_path):
    # Not in torchcodec up to 0.11: after a seek backwards it may give a frame from before the seek
    # (meta-pytorch/torchcodec#1339), when the decoder gives two frames for one packet.
    episodes = [Episode(both("hevc closed"), 31), Episode(both("hevc closed"), 21, 6)]
    assert rows_with_another_picture(append("hevc", episodes, tmp_path), "pyav") == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_windows_of_rows_show_their_own_pictures(written, backend):
    decode = importlib.import_module("lerobot.datasets.video_utils").decode_video_frames
    for number, (start, episode) in enumerate(written[1]):
        rows = range(min(16, episode.count - episode.preroll - episode.unused))
        pictures = decode(written[0], [start / 30 + row / 30 for row in rows], TOLERANCE_S, backend, return_uint8=True)
        assert [video.picture_id(p.permute(1, 2, 0).numpy()) for p in pictures] == [
            (episode.preroll + row, number) for row in rows
        ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_our_own_reader_sees_the_same_colours(written, backend):
    decode = importlib.import_module("lerobot.datasets.video_utils").decode_video_frames
    frames = probe_file(written[0]).frames
    for number, rgb in decode_at(written[0], [0, frames // 3, frames - 1]):
        (picture,) = decode(written[0], [number / 30], TOLERANCE_S, backend, return_uint8=True)
        assert np.abs(picture.permute(1, 2, 0).numpy().astype(int) - rgb).max() <= 1


def test_the_rate_that_lerobot_computes_is_exact(written):
    decoders = importlib.import_module("torchcodec.decoders")
    metadata = decoders.VideoDecoder(written[0], seek_mode="approximate").metadata
    facts = probe_file(written[0])
    assert metadata.average_fps == 30
    assert metadata.num_frames == facts.frames
    assert facts.average_rate == Fraction(30)
    assert facts.off_grid is None
