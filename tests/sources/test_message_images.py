"""Pictures in messages: every listed encoding gives the colours that went in, whatever padding and byte order."""

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from support.pictures import PATCHES, colour_patches, mosaic, patch_means, to_png16
from support.pictures import raw_picture as drawn
from telecine.core.errors import SourceError
from telecine.sources.messages.images import (
    CompressedFormat,
    RawHeader,
    coded,
    depth_image,
    inverse_depth,
    raw_image,
)
from telecine.video.decode import raw_frame
from telecine.video.frames.colour import to_rgb

SIZE = (64, 48)
PATTERNS = ("rggb", "bggr", "gbrg", "grbg")


def planes(encoding, rgb):
    """(rows, bytes) uint8 as a camera would send them, packed."""
    height, width = rgb.shape[:2]
    alpha = np.full((height, width, 1), 255, np.uint8)
    bgr = rgb[..., ::-1]
    match encoding:
        case "rgb8":
            return rgb.reshape(height, -1)
        case "bgr8" | "8UC3":
            return bgr.reshape(height, -1)
        case "rgba8":
            return np.concatenate([rgb, alpha], 2).reshape(height, -1)
        case "bgra8" | "8UC4":
            return np.concatenate([bgr, alpha], 2).reshape(height, -1)
        case "rgb16":
            return (rgb.astype("<u2") * 257).view(np.uint8).reshape(height, -1)
        case "bgr16":
            return (np.ascontiguousarray(bgr).astype("<u2") * 257).view(np.uint8).reshape(height, -1)
        case "yuv422_yuy2" | "yuyv":
            return np.frombuffer(drawn(rgb, "yuyv422").data, np.uint8).reshape(height, -1)
        case "yuv422" | "uyvy":
            yuyv = np.frombuffer(drawn(rgb, "yuyv422").data, np.uint8).reshape(height, -1, 2)
            return np.ascontiguousarray(yuyv[..., ::-1]).reshape(height, -1)
        case "nv12":
            return np.frombuffer(drawn(rgb, "nv12").data, np.uint8).reshape(-1, width)
        case "nv21":
            nv12 = np.frombuffer(drawn(rgb, "nv12").data, np.uint8).reshape(-1, width).copy()
            nv12[height:] = nv12[height:].reshape(-1, width // 2, 2)[..., ::-1].reshape(-1, width)
            return nv12
        case "nv24":
            yuv = np.frombuffer(drawn(rgb, "yuv444p").data, np.uint8).reshape(3, height, width)
            chroma = np.stack([yuv[1], yuv[2]], -1).reshape(-1, width)
            return np.concatenate([yuv[0], chroma])
    tiles = encoding.removeprefix("bayer_").rstrip("816")
    seen = mosaic(rgb, tiles)
    return seen if encoding.endswith("8") else (seen.astype("<u2") * 257).view(np.uint8).reshape(height, -1)


COLOURED = [
    "rgb8", "bgr8", "8UC3", "rgba8", "bgra8", "8UC4", "rgb16", "bgr16", "yuv422", "uyvy", "yuv422_yuy2", "yuyv", "nv12",
    "nv21", "nv24", *(f"bayer_{tiles}{bits}" for tiles in PATTERNS for bits in (8, 16)),
]  # fmt: skip


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", COLOURED)
def test_every_encoding_gives_the_colours_that_went_in(encoding, padding):
    rows = planes(encoding, colour_patches(*SIZE))
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    header = RawHeader(encoding, *SIZE, rows.shape[1] + padding)
    rgb = to_rgb(raw_frame(raw_image(header, padded.tobytes(), "cam")))
    # Between flat patches demosaicing and shared chroma blur; their middles stay.
    assert np.abs(patch_means(rgb) - PATCHES).max() < 4


def test_the_last_row_may_lack_its_padding():
    rows = np.pad(colour_patches(*SIZE).reshape(SIZE[1], -1), ((0, 0), (0, 5)))
    header = RawHeader("rgb8", *SIZE, rows.shape[1])
    whole = raw_image(header, rows.tobytes(), "cam")
    assert bytes(raw_image(header, rows.tobytes()[:-5], "cam").data) == bytes(whole.data)
    assert bytes(raw_image(RawHeader("rgb8", *SIZE, 0), bytes(whole.data), "cam").data) == bytes(whole.data)


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)), st.integers(0, 7), st.booleans())
def test_sixteen_bits_keep_every_value_in_either_byte_order(depth, padding, big):
    raw = depth.astype(">u2" if big else "<u2").view(np.uint8).reshape(depth.shape[0], -1)
    rows = np.pad(raw, ((0, 0), (0, padding)))
    header = RawHeader("16UC1", depth.shape[1], depth.shape[0], rows.shape[1], big)
    picture = raw_image(header, rows.tobytes(), "depth")
    assert (picture.encoding, picture.width, picture.height) == ("gray16le", depth.shape[1], depth.shape[0])
    np.testing.assert_array_equal(np.frombuffer(picture.data, "<u2").reshape(depth.shape), depth)


@pytest.mark.parametrize(
    ("header", "size", "message"),
    [
        (RawHeader("rgb8", 640, 480, 1920), 30, "needs 921600 bytes, found 30; the message states a wrong size"),
        (RawHeader("rgb8", 4, 4, 11), 44, "rows of 11 bytes"),
        (RawHeader("rgb8", 0, 4, 0), 0, "wrong size"),
        (RawHeader("32FC3", 4, 4, 48), 192, "'32FC3' is not supported; known are rgb8"),
    ],
)
def test_pictures_that_do_not_fit_their_header_are_named(header, size, message):
    with pytest.raises(SourceError, match=message):
        raw_image(header, bytes(size), "/cam: message 3")


PNG16 = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x04\0\0\0\x04\x10\x00"


@pytest.mark.parametrize(
    ("form", "head", "expected"),
    [
        ("jpeg", b"\xff\xd8\xff\xe0", CompressedFormat("image", "jpeg")),
        ("jpg", b"\xff\xd8\xff\xe0", CompressedFormat("image", "jpeg")),
        ("png", b"\xff\xd8\xff\xe0", CompressedFormat("image", "jpeg")),
        ("", b"\x89PNG\r\n\x1a\n", CompressedFormat("image", "png")),
        ("rgb8; jpeg compressed bgr8", b"\xff\xd8\xff\xe0", CompressedFormat("image", "jpeg")),
        ("rgb8; jpeg compressed rgb8", b"\xff\xd8\xff\xe0", CompressedFormat("image", "jpeg", swapped=True)),
        ("16UC1; png compressed ", PNG16, CompressedFormat("image", "png", unit="mm")),
        ("16UC1; compressedDepth png", b"\0" * 16, CompressedFormat("depth", "png", unit="mm")),
        ("16UC1; compressedDepth", b"\0" * 16, CompressedFormat("depth", "png", unit="mm")),
        ("32FC1; compressedDepth rvl", b"\0" * 16, CompressedFormat("depth", "rvl", unit="m")),
        ("h264", b"\0\0\0\1\x67", CompressedFormat("video", "h264")),
        ("hevc;yuv420p;bgr8;bgr8", b"\0\0\1\x40", CompressedFormat("video", "hevc")),
        ("libx265", b"\0\0\1\x40", CompressedFormat("video", "hevc")),
        ("av1", b"\x12\0", CompressedFormat("video", "av1")),
        ("vp9", b"\x82\x49", CompressedFormat("video", "vp9")),
        ("", b"\0\0\0\1\x67\x42", CompressedFormat("video", "h264")),
        ("video", b"\0\0\1\x40\x01", CompressedFormat("video", "hevc")),
    ],
)
def test_the_bytes_say_what_is_in_a_message_and_its_format_only_where_they_do_not(form, head, expected):
    assert coded(form, head, "cam") == expected


@pytest.mark.parametrize("head", [b"", b"\0\0\0\1", b"\0\0\0\1\xff", b"hello"])
def test_bytes_that_nobody_knows_are_named(head):
    with pytest.raises(SourceError, match="known are JPEG, PNG"):
        coded("mystery", head, "cam")


def rvl(depth):
    """As Wilson's paper codes it, one nibble after the other."""
    nibbles = []

    def number(value):
        while True:
            rest = value >> 3
            nibbles.append(value & 7 | (8 if rest else 0))
            value = rest
            if not rest:
                return

    flat, at, before = depth.reshape(-1).astype(int).tolist(), 0, 0
    while at < len(flat):
        zeros = at
        while at < len(flat) and flat[at] == 0:
            at += 1
        number(at - zeros)
        start = at
        while at < len(flat) and flat[at]:
            at += 1
        number(at - start)
        for value in flat[start:at]:
            step, before = value - before, value
            number(step * 2 if step >= 0 else -step * 2 - 1)
    nibbles += [0] * (-len(nibbles) % 8)
    words = [sum(n << (28 - 4 * i) for i, n in enumerate(nibbles[k : k + 8])) for k in range(0, len(nibbles), 8)]
    return struct.pack("<ii", depth.shape[1], depth.shape[0]) + struct.pack(f"<{len(words)}I", *words)


depths = hnp.arrays(
    np.uint16,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.sampled_from([0, 0, 0, 1, 700, 701, 65535]),
)


@given(depths)
def test_rvl_depth_comes_back_exactly(depth):
    data = struct.pack("<iff", 0, 0, 0) + rvl(depth)
    picture = depth_image(CompressedFormat("depth", "rvl", unit="mm"), data, "depth")
    assert (picture.width, picture.height) == depth.shape[::-1]
    np.testing.assert_array_equal(np.frombuffer(picture.data, "<u2").reshape(depth.shape), depth)


@settings(max_examples=200)
@given(depths, st.data())
def test_damaged_rvl_is_an_error_or_a_picture_never_anything_else(depth, data):
    coded_bytes = bytearray(rvl(depth))
    for _ in range(3):
        coded_bytes[data.draw(st.integers(8, max(len(coded_bytes) - 1, 8))) % len(coded_bytes)] = data.draw(
            st.integers(0, 255)
        )
    cut = data.draw(st.integers(0, len(coded_bytes)))
    with suppress(SourceError):
        depth_image(CompressedFormat("depth", "rvl", unit="mm"), bytes(12) + bytes(coded_bytes[:cut]), "depth")


def test_inverse_depth_is_metres_and_unknown_is_zero():
    values = np.array([[0, 300, 600]], np.uint16)
    picture = inverse_depth(values, 600.0, 0.0)
    assert picture.encoding == "grayf32le"
    np.testing.assert_allclose(np.frombuffer(picture.data, "<f4"), [0, 2, 1])


def test_png_depth_stands_behind_twelve_bytes_and_nothing_else_is_taken_for_it():
    data = to_png16(np.arange(16, dtype=np.uint16).reshape(4, 4))
    picture = depth_image(CompressedFormat("depth", "png", unit="mm"), bytes(12) + data, "depth")
    assert (picture.encoding, bytes(picture.data)) == ("png", data)
    with pytest.raises(SourceError, match="without PNG behind its header"):
        depth_image(CompressedFormat("depth", "png", unit="mm"), bytes(40), "depth")
    with pytest.raises(SourceError, match="too few"):
        depth_image(CompressedFormat("depth", "png", unit="mm"), bytes(9), "depth")
