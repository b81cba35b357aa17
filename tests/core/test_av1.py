"""AV1 headers written by hand, for what the encoders at hand do not write."""

import pytest

from telecine.core.bitstream.av1 import Av1, obus, sequence
from telecine.core.bitstream.bits import HeaderError
from telecine.core.bitstream.packets import with_parameter_sets

WIDTH, HEIGHT = 640, 480


def packed(*fields):
    """Bytes of (value, bits) fields."""
    text = "".join(f"{value:0{bits}b}" for value, bits in fields if bits)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


PLAIN = [(0, 1), (0, 1), (0, 5), (0, 12), (4, 5)]
"""No timing, no display delay, one operating point at level 4."""
NO_TOOLS = [(0, 1), (0, 3), (0, 4), (0, 1), (1, 1), (1, 1), (0, 3)]
"""No frame ids, no order hint, choose screen content tools and integer motion vectors."""
LIMITED_420 = [(0, 1), (0, 1), (0, 1), (0, 1)]
"""8 bit, colour, no description, limited range."""


def header(profile=0, points=PLAIN, tools=NO_TOOLS, colour=LIMITED_420, size=(WIDTH, HEIGHT)):
    sides = [(15, 4), (15, 4), (size[0] - 1, 16), (size[1] - 1, 16)]
    return packed((profile, 3), (0, 1), (0, 1), *points, *sides, *tools, *colour, (0, 3))


REDUCED = packed((0, 3), (1, 1), (1, 1), (4, 5), (15, 4), (15, 4), (639, 16), (479, 16), (0, 3), (0, 3), *LIMITED_420)


@pytest.mark.parametrize(
    ("profile", "colour", "pix_fmt", "matrix"),
    [
        (0, LIMITED_420, "yuv420p", "unspecified"),
        (0, [(0, 1), (0, 1), (0, 1), (1, 1)], "yuvj420p", "unspecified"),
        (0, [(1, 1), (0, 1), (0, 1), (0, 1)], "yuv420p10le", "unspecified"),
        (0, [(0, 1), (1, 1), (0, 1), (1, 1)], "gray", "unspecified"),
        (0, [(1, 1), (1, 1), (1, 1), (1, 8), (1, 8), (1, 8), (0, 1)], "gray10le", "bt709"),
        (1, [(0, 1), (0, 1), (0, 1)], "yuv444p", "unspecified"),
        (1, [(0, 1), (1, 1), (1, 8), (13, 8), (0, 8)], "gbrp", "other"),
        (1, [(0, 1), (1, 1), (1, 8), (1, 8), (0, 8), (1, 1)], "gbrp", "other"),
        (1, [(1, 1), (1, 1), (9, 8), (16, 8), (9, 8), (0, 1)], "yuv444p10le", "bt2020"),
        (2, [(0, 1), (0, 1), (0, 1), (0, 1)], "yuv422p", "unspecified"),
        (2, [(1, 1), (0, 1), (0, 1), (0, 1), (0, 1)], "yuv422p10le", "unspecified"),
        (2, [(1, 1), (1, 1), (0, 1), (0, 1), (0, 1), (0, 1)], "yuv444p12le", "unspecified"),
        (2, [(1, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1)], "yuv422p12le", "unspecified"),
        (2, [(1, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (1, 1)], "yuv420p12le", "unspecified"),
    ],
)
def test_colour_is_read(profile, colour, pix_fmt, matrix):
    fmt = sequence(header(profile, colour=colour)).format
    assert (fmt.pix_fmt, fmt.matrix, fmt.width, fmt.height) == (pix_fmt, matrix, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "points",
    [
        [(1, 1), (1, 32), (30, 32), (0, 1), (0, 1), *PLAIN[1:]],
        [(1, 1), (1, 32), (30, 32), (1, 1), (0b010, 3), (0, 1), *PLAIN[1:]],
        [
            *((1, 1), (1, 32), (30, 32), (0, 1), (1, 1), (9, 5), (1, 32), (9, 5), (9, 5)),
            *((1, 1), (1, 5), (0, 12), (9, 5), (1, 1), (1, 1), (7, 10), (7, 10), (0, 1), (1, 1), (3, 4)),
            *((0, 12), (4, 5), (0, 1), (0, 1)),
        ],
    ],
)
def test_timing_and_operating_points_are_passed_over(points):
    assert sequence(header(points=points)).format.width == WIDTH


@pytest.mark.parametrize(
    "tools",
    [
        [(1, 1), (13, 4), (2, 3), (0, 3), (0, 4), (0, 1), (1, 1), (1, 1), (0, 3)],
        [(0, 1), (0, 3), (0, 4), (1, 1), (3, 2), (1, 1), (1, 1), (6, 3), (0, 3)],
        [(0, 1), (0, 3), (0, 4), (0, 1), (0, 1), (0, 1), (0, 3)],
        [(0, 1), (0, 3), (0, 4), (0, 1), (0, 1), (1, 1), (0, 1), (1, 1), (0, 3)],
    ],
)
def test_coding_tools_are_passed_over(tools):
    fmt = sequence(header(tools=tools)).format
    assert (fmt.width, fmt.height, fmt.pix_fmt) == (WIDTH, HEIGHT, "yuv420p")


def test_sizes_that_cannot_be_and_unknown_profiles_are_refused():
    with pytest.raises(HeaderError, match="the frame size is 20000"):
        sequence(header(size=(20_000, 16)))
    with pytest.raises(HeaderError, match="seq_profile is 3"):
        sequence(header(3))


def unit(kind, body, *, sized=True):
    return bytes([kind << 3 | 2 * sized]) + (bytes([len(body)]) if sized else b"") + body


KEY, INTER, HIDDEN, HIDDEN_KEY, AGAIN = b"\x10", b"\x30", b"\x20", b"\x00", b"\x80"


def test_a_still_picture_with_short_headers_is_a_keyframe():
    read = Av1().read(unit(1, REDUCED) + unit(6, b""))
    assert read.entry == "key"
    assert read.problem == ""


@pytest.mark.parametrize(
    ("frames", "entry", "problem"),
    [
        ([KEY], "key", ""),
        ([INTER], "none", ""),
        ([HIDDEN, AGAIN], "none", ""),
        ([HIDDEN_KEY, INTER], "open", ""),
        ([HIDDEN_KEY, KEY], "open", ""),
        ([HIDDEN], "none", "it shows 0 frames instead of one"),
        ([KEY, INTER], "key", "it shows 2 frames instead of one"),
        ([b""], "none", "its headers cannot be read: it ends too early"),
    ],
)
def test_a_packet_shows_one_picture(frames, entry, problem):
    packet = unit(2, b"") + unit(1, header()) + b"".join(unit(6, f) for f in frames)
    read = Av1().read(packet)
    assert (read.entry, read.problem) == (entry, problem)


def test_pictures_before_a_sequence_header_cannot_be_read():
    reader = Av1()
    assert "needs a sequence header" in reader.read(unit(6, KEY)).problem
    assert reader.read(unit(1, header()) + unit(6, KEY)).problem == ""
    assert reader.read(unit(6, INTER)).problem == ""


def test_the_last_unit_needs_no_size():
    packet = unit(1, header()) + unit(6, KEY, sized=False)
    assert [(o.kind, o.end) for o in obus(packet)] == [(1, len(packet) - 2), (6, len(packet))]


def test_extension_bytes_are_passed_over():
    packet = bytes([6 << 3 | 4 | 2, 0x08, 1]) + KEY
    assert [(o.kind, o.body) for o in obus(packet)] == [(6, 3)]


@pytest.mark.parametrize(
    ("packet", "what"),
    [
        (b"\xff", "obu_forbidden_bit"),
        (b"\x0a\x05ab", "longer than the packet"),
        (b"\x0c", "longer than the packet"),
        (b"\x0a", "no size"),
        (b"\x0a" + b"\x80" * 9, "no size"),
    ],
)
def test_units_that_do_not_fit_are_refused(packet, what):
    with pytest.raises(HeaderError, match=what):
        obus(packet)


@pytest.mark.parametrize("padding", [0, 300])
def test_a_sequence_header_without_size_gets_one_when_it_is_repeated(padding):
    body = header() + bytes(padding)
    alone, key = unit(1, body, sized=False), unit(6, KEY)
    _, filled = with_parameter_sets([alone, unit(2, b"") + key], "av1")
    found = obus(filled)
    assert [o.kind for o in found] == [2, 1, 6]
    assert filled[found[1].body : found[1].end] == body
    assert Av1().read(filled).problem == ""
