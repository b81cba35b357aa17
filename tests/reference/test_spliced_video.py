"""Copied, repeated and encoded frames in one file through LeRobot's own two decoders, asked for in any order."""

import importlib
import random

import numpy as np
import pytest

from support import video
from telecine.core.bitstream.packets import index_packets
from telecine.core.copying.decide import decide
from telecine.core.copying.splice import Encoded, Repeated, Splice
from telecine.core.video import VideoSettings
from telecine.video.append import VideoFile
from telecine.video.mp4_reader import probe_file

BACKENDS = ["torchcodec", "pyav"]
ORDERS = {"forward": lambda rows: rows, "backward": lambda rows: rows[::-1], "random": lambda rows: shuffled(rows)}
TOLERANCE_S = 1e-4
COUNT, FPS = 34, 30
PATTERNS = [
    [*range(6), 5, *range(6, 13), *range(14, 18), *range(20, 30), 29, *range(30, COUNT)],
    [4, 4, *range(5, 17), *range(19, 30), 32, 32, 33],
]
"""Rows of two episodes; keyframes are 0, 10, 20, 30."""
CASES = {
    "h264 cavlc": video.STREAMS["h264"],
    "h264 cabac": video.STREAMS["h264 main cabac"],
    "h264 weights and references": lambda n, **o: video.x264(n, preset="veryfast", params="ref=3:weightp=2", **o),
    "h264 zerolatency": video.STREAMS["h264 zerolatency"],
    "h264 order counts": video.x264_counted,
    "h264 slices": video.STREAMS["h264 slices"],
    "h264 openh264": video.openh264,
    "h264 openh264 slices": lambda n, **o: video.openh264(n, slices=2, **o),
    "h264 headers once": lambda n, **o: video.headers_once(video.x264(n, **o), "h264"),
    "h264 full range": lambda n, **o: video.x264(n, pix_fmt="yuvj420p", **o),
    "h264 b-frames": video.STREAMS["h264 b-frames"],
    "hevc": video.STREAMS["hevc idr"],
    "hevc headers once": lambda n, **o: video.headers_once(video.STREAMS["hevc idr"](n, **o), "hevc"),
    "av1": video.STREAMS["av1"],
    "av1 low delay": video.STREAMS["av1 low delay"],
}
SELDOM = [
    "h264 weights and references",
    "h264 zerolatency",
    "h264 openh264 slices",
    "h264 headers once",
    "h264 full range",
    "hevc headers once",
    "av1 low delay",
]
"""Left to the long form: tests/video/test_splice.py decodes them all with FFmpeg, from the start."""
RUNS_OF_REPEATS = [0, 1, 1, 1, 2, 3, 3, 3, 3, *range(4, 10), 9, 9, *range(10, 15), *[15] * 9, 16, 17]


def shuffled(rows):
    rows = list(rows)
    random.Random(1).shuffle(rows)
    return rows


def write(maker, codec, patterns, folder):
    """(path, [(first frame of the episode in the file, its rows)], kinds of runs)."""
    file, episodes, kinds = VideoFile(folder / "video.mp4", FPS), [], set()
    for number, rows in enumerate(patterns):
        packets = maker(COUNT, episode=number)
        index = index_packets(packets, codec)
        decision = decide(np.array(rows), index, VideoSettings(codec, "always", 20, 5, "train"))
        assert isinstance(decision, Splice)
        kinds |= {type(run) for run in decision.runs}
        clip = video.make_splice(packets, codec, folder / f"{number}.clip", decision, rows, index)
        episodes.append((file.append(clip), rows))
    file.close()
    return str(folder / "video.mp4"), episodes, kinds


def marked(name):
    marks = [pytest.mark.long] if name in SELDOM else []
    return pytest.param(name, marks=[*marks, video.OPENH264] if "openh264" in name else marks)


@pytest.fixture(scope="module", params=[marked(name) for name in CASES])
def written(request, tmp_path_factory):
    codec = request.param.split()[0]
    path, episodes, kinds = write(CASES[request.param], codec, PATTERNS, tmp_path_factory.mktemp("spliced"))
    assert Encoded in kinds
    assert (Repeated in kinds) == (codec == "h264" and request.param != "h264 b-frames")
    return path, episodes


def wrong_rows(written, backend, order, at_most=None):
    """[(expected, shown)] of (the first so many of) the rows that LeRobot shows wrong, each asked for by itself."""
    decode = importlib.import_module("lerobot.datasets.video_utils").decode_video_frames
    asked = [
        (start / FPS + float(np.float32(row / FPS)), (picture, episode))
        for episode, (start, rows) in enumerate(written[1])
        for row, picture in enumerate(rows)
    ]
    wrong = []
    for time, expected in ORDERS[order](asked)[:at_most]:
        (picture,) = decode(written[0], [time], TOLERANCE_S, backend, return_uint8=True)
        seen = video.picture_id(picture.permute(1, 2, 0).numpy())
        if seen != expected:
            wrong.append((expected, seen))
    return wrong


@pytest.mark.parametrize("order", ORDERS)
def test_every_row_shows_its_picture(written, order):
    assert wrong_rows(written, "torchcodec", order) == []


def test_rows_show_their_pictures_in_pyav(written):
    assert wrong_rows(written, "pyav", "random", 10) == []


@pytest.mark.long
@pytest.mark.parametrize("order", ORDERS)
def test_every_row_shows_its_picture_in_pyav(written, order):
    assert wrong_rows(written, "pyav", order) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_windows_across_the_seams_show_their_pictures(written, backend):
    decode = importlib.import_module("lerobot.datasets.video_utils").decode_video_frames
    for episode, (start, rows) in enumerate(written[1]):
        for first in (4,) if backend == "pyav" else (0, 9, len(rows) - 16):
            times = [(start + first + i) / FPS for i in range(16)]
            pictures = decode(written[0], times, TOLERANCE_S, backend, return_uint8=True)
            seen = [video.picture_id(p.permute(1, 2, 0).numpy()) for p in pictures]
            assert seen == [(picture, episode) for picture in rows[first : first + 16]]


def test_the_file_is_on_the_grid(written):
    decoders = importlib.import_module("torchcodec.decoders")
    facts = probe_file(written[0])
    metadata = decoders.VideoDecoder(written[0], seek_mode="approximate").metadata
    assert facts.off_grid is None
    assert (metadata.average_fps, metadata.num_frames) == (FPS, facts.frames)


@pytest.mark.parametrize("name", [marked("h264 cabac"), marked("h264 openh264")])
@pytest.mark.parametrize("backend", BACKENDS)
def test_several_repeats_in_a_row_show_their_picture(tmp_path, name, backend):
    path, episodes, kinds = write(CASES[name], "h264", [RUNS_OF_REPEATS] * 2, tmp_path)
    assert Repeated in kinds
    for order in ORDERS:
        assert wrong_rows((path, episodes), backend, order, None if backend == "torchcodec" else 9) == []
