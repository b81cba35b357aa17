"""Colours stay what they were, within a stated error, from every kind of source."""

from typing import get_args

import av
import numpy as np
import pytest

from support.pictures import (
    PATCHES,
    colour_patches,
    flat_jpeg,
    patch_means,
    raw_picture,
    scene,
    to_coded,
    to_jpeg,
    to_png,
    to_yuv,
)
from telecine.core.errors import VideoError
from telecine.core.recording import Image, PixelFormat
from telecine.video.decode import raw_frame, upright
from telecine.video.frames.colour import FULL, LIMITED, to_rgb, to_yuv420p

FORMATS = tuple(name for name in get_args(PixelFormat) if name != "grayf32le")  # which is depth, not colour
YUV = [name for name in FORMATS if "yuv" in name or name == "nv12"]
GRAYS = [name for name in FORMATS if name.startswith("gray")]


def planes(frame):
    """Y, Cb and Cr of a frame without padding."""
    return [np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width] for p in frame.planes]


def yuv_means(frame):
    """(3, 4, 3): mean of Y, Cb and Cr in the inner half of each patch, chroma repeated to full size."""
    y, cb, cr = planes(frame)
    wide = [np.repeat(np.repeat(c, 2, axis=0), 2, axis=1)[: y.shape[0], : y.shape[1]] for c in (cb, cr)]
    return patch_means(np.stack([y, *wide], axis=2))


def decoded(data, encoding):
    """The frame of one coded frame, by FFmpeg alone."""
    decoder = av.CodecContext.create({"jpeg": "mjpeg"}.get(encoding, encoding), "r")
    decoder.thread_count = 1
    return decoder.decode(av.Packet(data))[0]


def flat(name, *levels, size=(64, 48)):
    """A frame of one colour; levels are 8 bit, or 10 bit where the name says so."""
    frame = av.VideoFrame(*size, name)
    for plane, level in zip(frame.planes, levels, strict=True):
        dtype = np.uint16 if "10" in name else np.uint8
        plane.update(np.full(plane.buffer_size // dtype().itemsize, level, dtype).tobytes())
    return frame


def expected(source, matrix="bt601"):
    """What patches become: gray sources keep the luma only."""
    if source in GRAYS:
        return np.repeat(to_yuv(PATCHES, "bt601", full=True)[..., :1], 3, axis=2)
    return PATCHES.astype(float)


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("name", FORMATS)
def test_raw_pictures_become_limited_bt601(name, matrix):
    frame = raw_frame(raw_picture(colour_patches(160, 120), name, matrix))
    out = to_yuv420p(frame)
    assert out.format.name == "yuv420p"
    error = np.abs(yuv_means(out) - to_yuv(expected(name), "bt601", full=False))
    assert error.mean() < 0.6
    assert error.max() <= 2.5


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("name", FORMATS)
def test_raw_pictures_show_their_colours_as_rgb(name, matrix):
    frame = raw_frame(raw_picture(colour_patches(160, 120), name, matrix))
    error = np.abs(patch_means(to_rgb(frame)) - expected(name))
    assert error.mean() < 1.2
    assert error.max() <= 4


@pytest.mark.parametrize("sampling", ["420", "422", "444"])
def test_jpeg_becomes_limited_bt601(sampling):
    frame = decoded(to_jpeg(colour_patches(160, 120), sampling=sampling), "jpeg")
    error = np.abs(yuv_means(to_yuv420p(frame)) - to_yuv(PATCHES, "bt601", full=False))
    assert error.mean() < 0.8
    assert error.max() <= 3


@pytest.mark.parametrize("progressive", [False, True])
def test_gray_jpeg_keeps_its_levels(progressive):
    levels = np.linspace(0, 255, 24).round().astype(np.uint8).reshape(4, 6, 1)
    frame = decoded(flat_jpeg(levels, progressive=progressive), "jpeg")
    shown = to_rgb(frame)[4::8, 4::8]
    assert np.abs(shown.astype(int) - levels).max() <= 1
    assert np.abs(planes(to_yuv420p(frame))[0][4::8, 4::8] - (16 + levels[..., 0].astype(float) * 219 / 255)).max() <= 1


def test_cmyk_jpeg_shows_its_colours():
    ink = np.array([[[255, 255, 255, 255], [0, 255, 255, 255], [255, 128, 0, 200]]], np.uint8)
    shown = to_rgb(decoded(flat_jpeg(ink), "jpeg"))[4, 4::8].astype(int)
    # Adobe stores inks inverted: the level of a colour is its ink times black.
    assert np.abs(shown - ink[0, :, :3] * (ink[0, :, 3:] / 255)).max() <= 2


@pytest.mark.parametrize("pix_fmt", ["rgb24", "rgba", "rgb48be", "rgba64be"])
def test_colour_png_keeps_its_colours(pix_fmt):
    error = np.abs(patch_means(to_rgb(decoded(to_png(colour_patches(160, 120), pix_fmt), "png"))) - PATCHES)
    assert error.max() <= 1


@pytest.mark.parametrize("pix_fmt", ["gray", "gray16be", "ya8"])
def test_gray_png_keeps_its_levels(pix_fmt):
    ramp = np.repeat(np.linspace(0, 255, 64).round().astype(np.uint8)[None, :, None], 48, axis=0).repeat(3, axis=2)
    frame = decoded(to_png(ramp, pix_fmt), "png")
    assert np.abs(to_rgb(frame).astype(int) - ramp).max() <= 2
    assert np.abs(planes(to_yuv420p(frame))[0] - (16 + ramp[..., 0].astype(float) * 219 / 255)).max() <= 2


@pytest.mark.parametrize("encoding", ["bmp", "webp"])
def test_rare_encodings_keep_their_colours(encoding):
    frame = decoded(to_coded(colour_patches(64, 48), encoding), encoding)
    assert np.abs(patch_means(to_rgb(frame)) - PATCHES).max() <= 1


def test_white_of_a_jpeg_becomes_235():
    frame = decoded(to_jpeg(np.full((48, 64, 3), 255, np.uint8)), "jpeg")
    y, cb, cr = planes(to_yuv420p(frame))
    assert {*np.unique(y), *np.unique(cb), *np.unique(cr)} == {235, 128}


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("yuv420p", (255, 128, 128)),
        ("yuv444p", (255, 128, 128)),
        ("yuv420p10le", (1023, 512, 512)),
        ("yuv422p10le", (1023, 512, 512)),
    ],
)
def test_full_range_by_tag_only_is_honoured(name, levels):
    frame = flat(name, *levels)
    frame.color_range = FULL
    assert [int(p[5, 5]) for p in planes(to_yuv420p(frame))] == [235, 128, 128]
    assert to_rgb(frame)[5, 5].tolist() == [255, 255, 255]


def test_limited_range_ten_bit_becomes_eight_bit():
    frame = flat("yuv420p10le", 940, 512, 512)
    assert [int(p[5, 5]) for p in planes(to_yuv420p(frame))] == [235, 128, 128]
    assert to_rgb(frame)[5, 5].min() >= 252


@pytest.mark.parametrize(("name", "level"), [("gray", 235), ("gray10le", 940)])
def test_limited_gray_is_not_taken_for_full_range(name, level):
    frame = flat(name, level)
    frame.color_range = LIMITED
    assert [int(p[5, 5]) for p in planes(to_yuv420p(frame))] == [235, 128, 128]
    assert to_rgb(frame)[5, 5].tolist() == [255, 255, 255]


def test_planar_rgb_needs_no_matrix():
    frame = flat("gbrp", 60, 50, 200)
    assert np.abs(to_rgb(frame)[5, 5].astype(int) - (200, 60, 50)).max() <= 1


def test_bt2020_is_converted_and_unknown_matrices_are_refused():
    frame = flat("yuv420p", 100, 140, 90)
    frame.colorspace = 9
    assert to_yuv420p(frame).format.name == "yuv420p"
    frame.colorspace = 8
    with pytest.raises(VideoError, match="matrix 8"):
        to_yuv420p(frame)


def test_pictures_in_the_final_form_are_not_copied():
    frame = flat("yuv420p", 100, 128, 128)
    assert to_yuv420p(frame) is frame


def test_shrinking_averages_and_keeps_the_mean():
    checkers = (np.indices((120, 160)).sum(axis=0) % 2 * 255).astype(np.uint8)
    frame = raw_frame(Image(np.repeat(checkers[..., None], 3, axis=2).tobytes(), "rgb24", 160, 120))
    small = to_rgb(frame, (40, 30))
    assert small.shape == (30, 40, 3)
    assert np.abs(small.astype(int) - 127).max() <= 3
    assert planes(to_yuv420p(frame, (40, 30)))[0].shape == (30, 40)


def test_growing_keeps_flat_colours():
    frame = raw_frame(raw_picture(colour_patches(160, 120), "rgb24"))
    assert np.abs(patch_means(to_rgb(frame, (320, 240))) - PATCHES).max() <= 2


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.startswith("bayer_")])
@pytest.mark.parametrize(("width", "height"), [(33, 21), (16, 9), (2, 2), (1, 1)])
def test_odd_sizes_keep_every_pixel(name, width, height):
    frame = raw_frame(raw_picture(np.full((height, width, 3), 128, np.uint8), name))
    rgb = to_rgb(frame)
    assert rgb.shape == (height, width, 3)
    assert np.abs(rgb.astype(int) - 128).max() <= 3


def test_a_mosaic_has_whole_tiles():
    with pytest.raises(VideoError, match="bayer_rggb8 of 3x2; mosaics have even sizes"):
        raw_frame(Image(bytes(6), "bayer_rggb8", 3, 2))


def test_wrong_byte_counts_are_refused_with_both_numbers():
    with pytest.raises(VideoError, match=r"4x4 rgb24 needs 48 bytes, found 47"):
        raw_frame(Image(bytes(47), "rgb24", 4, 4))
    with pytest.raises(VideoError, match="0x0"):
        raw_frame(Image(b"", "rgb24", 0, 0))


def test_rows_of_a_scene_survive_the_way_through_rgb():
    picture = scene(3, 64, 48)
    assert np.array_equal(to_rgb(raw_frame(raw_picture(picture, "rgb24"))), picture)
    assert np.array_equal(to_rgb(raw_frame(raw_picture(picture, "bgra"))), picture)


MARK = np.array([[10, 80, 160], [40, 200, 250]], np.uint8)
TURNED = {
    1: MARK,
    2: MARK[:, ::-1],
    3: MARK[::-1, ::-1],
    4: MARK[::-1],
    5: MARK.T,
    6: np.rot90(MARK, -1),
    7: np.rot90(MARK, 2).T,
    8: np.rot90(MARK),
}
"""EXIF 2.3, 4.6.4, Orientation: where row 0 and column 0 are seen."""


@pytest.mark.parametrize("orientation", TURNED)
def test_pictures_are_turned_as_their_exif_says(orientation):
    frame = upright(decoded(flat_jpeg(MARK[..., None], orientation=orientation), "jpeg"))
    assert np.abs(to_rgb(frame)[4::8, 4::8, 0].astype(int) - TURNED[orientation]).max() <= 1


def test_ranges_do_not_leak_from_picture_to_picture():
    full, limited = flat("yuvj420p", 200, 128, 128), flat("yuv420p", 200, 128, 128)
    wide = flat("yuv420p", 200, 150, 90)
    wide.colorspace = 1
    before = [to_rgb(frame)[5, 5].tolist() for frame in (full, limited, wide)]
    assert len({tuple(colour) for colour in before}) == 3
    assert [to_rgb(frame)[5, 5].tolist() for frame in (wide, full, limited)] == [before[2], *before[:2]]
    small = [planes(to_yuv420p(frame, (32, 24)))[0][5, 5] for frame in (full, limited, full, limited)]
    assert small == [188, 200, 188, 200]
