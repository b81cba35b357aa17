"""Depth in TIFF files, laid out here by hand after TIFF 6.0."""

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.dataset import tiff
from telecine.core.tiff import is_tiff, tiff_pixels

DEPTH = np.arange(0, 60_000, 1000, dtype=np.uint16).reshape(6, 10)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("strips", [1, 2, 3])
@pytest.mark.parametrize("pixels", [DEPTH, DEPTH.astype(np.float32) / 7])
def test_the_pixels_come_back_as_they_were(pixels, strips, order):
    data = tiff(pixels, strips=strips, order=order)
    assert is_tiff(data)
    assert tiff_pixels(data).dtype == pixels.dtype
    assert np.array_equal(tiff_pixels(data), pixels)


@pytest.mark.parametrize("pixels", [DEPTH, DEPTH.astype(np.float32) / 7])
def test_files_that_pillow_writes_are_read(pixels):
    image, sink = pytest.importorskip("PIL.Image"), io.BytesIO()
    image.fromarray(pixels).save(sink, "TIFF", compression="raw")
    assert np.array_equal(tiff_pixels(sink.getvalue()), pixels)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG", "no TIFF"),
        (tiff(DEPTH)[:40], "damaged"),
        (tiff(DEPTH)[:-1], "bytes of pixels"),
        (tiff(DEPTH, compression=5), "compressed"),
        (tiff(DEPTH.astype(np.uint8)), "other numbers"),
        (tiff(DEPTH[:0]), "0 pixels|x 0"),
    ],
)
def test_what_is_none_or_not_whole_is_named(data, words):
    with pytest.raises(ValueError, match=words):
        tiff_pixels(data)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_any_bytes_are_pixels_or_an_error(at, noise):
    data = bytearray(tiff(DEPTH))
    data[4 + at : 4 + at + len(noise)] = noise
    with suppress(ValueError):
        assert tiff_pixels(bytes(data)).ndim == 2


def test_counts_that_no_file_can_hold_are_not_believed():
    data = bytearray(tiff(DEPTH))
    struct.pack_into("<I", data, 8 + 2 + 4 * 12 + 4, 2**32 - 1)  # of the fifth tag, the offsets
    with pytest.raises(ValueError, match="damaged"):
        tiff_pixels(bytes(data))
