"""Presets resolve to one set of encoder options, and nonsense is refused with all its reasons."""

import pickle

import av
import numpy as np
import pytest

from telecine.core.errors import PlanError
from telecine.video.live import coded_frames
from telecine.video.presets import encoder_info, encoder_options, size_problem, video_settings

PRESETS = ["train", "lerobot", "archive", "images"]
CODECS = ["h264", "hevc", "av1"]
ALL = [(p, c) for p in PRESETS[:3] for c in CODECS]


def test_train_is_fast_to_read_and_append():
    assert encoder_options(video_settings("train")) == (
        "libx264",
        "yuv420p",
        {"g": "5", "crf": "20", "preset": "superfast", "bf": "0", "x264-params": "cabac=0:scenecut=0:no-deblock=1"},
    )


def test_lerobot_is_what_lerobot_writes():
    assert encoder_options(video_settings("lerobot")) == (
        "libsvtav1",
        "yuv420p",
        {"g": "2", "crf": "30", "preset": "12", "svtav1-params": "fast-decode=0:lp=1"},
    )
    assert encoder_info(video_settings("lerobot")) == {
        "video.g": 2,
        "video.crf": 30,
        "video.preset": 12,
        "video.fast_decode": 0,
        "video.video_backend": "pyav",
        "video.extra_options": {},
    }


def test_images_are_png():
    want = video_settings("images")
    assert (want.codec, want.gop) == ("png", 1)
    assert encoder_options(want)[:2] == ("png", "rgb24")
    assert encoder_info(want) == {}


@pytest.mark.parametrize(("preset", "codec"), ALL)
def test_what_is_given_takes_precedence(preset, codec):
    want = video_settings(preset, codec, crf=33, gop=7, size=(64, 48), copy="never")
    assert (want.codec, want.crf, want.gop, want.size, want.copy) == (codec, 33, 7, (64, 48), "never")
    name, pix_fmt, options = encoder_options(want)
    assert (options["g"], options["crf"], pix_fmt) == ("7", "33", "yuv420p")
    assert encoder_info(want)["video.g"] == 7
    assert encoder_info(want)["video.crf"] == 33
    assert av.codec.Codec(name, "w").canonical_name == codec


@pytest.mark.parametrize(("preset", "codec"), ALL)
def test_no_preset_has_reordered_pictures_or_open_groups(preset, codec):
    options = encoder_options(video_settings(preset, codec))[2]
    if codec == "h264":
        assert options["bf"] == "0"
        assert "scenecut=0" in options["x264-params"]
    if codec == "hevc":
        assert {"open-gop=0", "bframes=0", "scenecut=0"} <= set(options["x265-params"].split(":"))


@pytest.mark.parametrize(("preset", "codec"), ALL)
def test_info_holds_all_that_changes_the_picture(preset, codec):
    info, options = encoder_info(video_settings(preset, codec)), encoder_options(video_settings(preset, codec))[2]
    assert str(info["video.preset"]) == options["preset"]
    for name, value in info["video.extra_options"].items():
        assert options[name].startswith(value)


def test_threads_are_passed_on():
    assert encoder_options(video_settings("lerobot"), threads=3)[2]["svtav1-params"].endswith("lp=3")
    assert "pools=3" in encoder_options(video_settings("train", "hevc"), threads=3)[2]["x265-params"]


@pytest.mark.parametrize("preset", PRESETS)
def test_wishes_are_values(preset):
    want = video_settings(preset)
    assert want == video_settings(preset)
    assert hash(want) == hash(video_settings(preset))
    assert pickle.loads(pickle.dumps(want)) == want


def test_all_mistakes_are_named_at_once():
    with pytest.raises(PlanError) as caught:
        video_settings("train", crf=60, gop=0, size=(641, 480))
    message = str(caught.value)
    assert "video.crf: 60 is not in 0..51, what h264 takes" in message
    assert "video.gop: 0 frames" in message
    assert "video.size: h264 needs even width and height, not 641x480" in message


def test_impossible_sizes_are_refused():
    with pytest.raises(PlanError, match="0x480 is no size"):
        video_settings("train", size=(0, 480))


def test_images_take_no_video_codec():
    with pytest.raises(PlanError, match="images stores PNG, not av1"):
        video_settings("images", "av1")


@pytest.mark.parametrize(
    ("codec", "size", "refused"),
    [
        ("h264", (640, 480), False),
        ("h264", (641, 480), True),
        ("hevc", (640, 481), True),
        ("av1", (641, 481), False),
        ("png", (1, 1), False),
        ("h264", (1, 1), True),
    ],
)
def test_only_the_420_encoders_of_h264_and_hevc_need_even_sizes(codec, size, refused):
    problem = size_problem(codec, *size)
    assert bool(problem) == refused
    if refused:
        assert "video.size: [" in problem
        assert "video.codec: av1" in problem


def test_the_size_advised_is_possible():
    assert "[640, 480]" in size_problem("h264", 641, 481)
    assert "[2, 2]" in size_problem("h264", 1, 1)


@pytest.mark.parametrize(
    ("preset", "codec"), [("archive", "av1"), ("lerobot", "av1"), ("archive", "h264"), ("lerobot", "hevc")]
)
def test_a_live_encoder_holds_at_most_24_frames(preset, codec):
    """Given as fast as it takes them: SVT-AV1 takes one or two more while its threads wait for a core."""
    given = []

    def frames():
        for number in range(60):
            given.append(number)
            yield np.full((48, 64, 3), 4 * number, np.uint8)

    held = [
        len(given) - packet.pts for packet in coded_frames(frames(), video_settings(preset, codec), 30, key="front")
    ]
    assert len(held) == 60
    assert max(held) - 1 <= 24  # besides the one that the packet is of
