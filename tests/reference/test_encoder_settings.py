"""LeRobot's own classes build the encoder again from what we write about it."""

import importlib

import pytest

from telecine.video.presets import encoder_info, encoder_options, video_settings

CASES = [(preset, codec) for preset in ("train", "lerobot", "archive") for codec in ("h264", "hevc", "av1")]


@pytest.fixture
def configs():
    return importlib.import_module("lerobot.configs.video")


@pytest.mark.parametrize(("preset", "codec"), CASES)
def test_lerobot_accepts_our_encoder_settings(configs, preset, codec):
    want = video_settings(preset, codec)
    info = {"video.codec": codec, "video.pix_fmt": "yuv420p", **encoder_info(want)}
    theirs = configs.RGBEncoderConfig.from_video_info(info).get_codec_options(as_strings=True)
    ours = encoder_options(want)[2]
    for name, value in theirs.items():
        assert set(value.split(":")) <= set(ours[name].split(":")), name


def test_the_keys_are_lerobots(configs):
    assert set(encoder_info(video_settings("train"))) == configs.VIDEO_ENCODER_INFO_KEYS


def test_preset_lerobot_is_lerobots_default(configs):
    default = configs.rgb_encoder_defaults()
    want = video_settings("lerobot")
    name, pix_fmt, options = encoder_options(want)
    assert (name, pix_fmt) == (default.vcodec, default.pix_fmt)
    theirs = default.get_codec_options(encoder_threads=1, as_strings=True)
    assert options == theirs
