"""H.264 headers written by hand, for what the encoders at hand do not write."""

import pytest

from support.headers import annex_b, packed, se, u, ue
from telecine.core.bitstream.bits import HeaderError
from telecine.core.bitstream.h264 import H264, H264Pps, H264Sps, parameter_set

BASELINE, HIGH = u(66, 8) + u(0, 16), u(100, 8) + u(0, 16)
FRAMES, NO_CROP, NO_VUI = "1" + "1", "0", "0"


PLAIN = {
    "head": BASELINE + ue(0),
    "bits": ue(0),
    "order": ue(2),
    "references": ue(1),
    "gaps": "0",
    "size": ue(7) + ue(5),
    "fields": FRAMES,
    "crop": NO_CROP,
    "vui": NO_VUI,
}


def sps(**changed):
    return b"\x67" + packed(*{**PLAIN, **changed}.values())


PPS = b"\x68" + packed(ue(0), ue(0))


def slice_(*fields, kind=1, reference=1):
    return bytes([reference << 5 | kind]) + packed(*fields) + b"\xaa" * 8


def p(frame_num, *more, bits=4, **options):
    return slice_(ue(0), ue(5), ue(0), u(frame_num, bits), *more, **options)


IDR = slice_(ue(0), ue(7), ue(0), u(0, 4), ue(0), kind=5)


def units(*packets):
    reader = H264()
    return [reader.read(annex_b(*packet)) for packet in packets]


def orders(*slices, **options):
    return [unit.order for unit in units((sps(**options), PPS, slices[0]), *((s,) for s in slices[1:]))]


def test_sizes_are_cropped_by_the_units_of_the_sampling():
    crop = "1" + ue(1) + ue(2) + ue(0) + ue(3)
    fmt = parameter_set(sps(crop=crop)).format
    assert (fmt.width, fmt.height, fmt.pix_fmt) == (128 - 6, 96 - 6, "yuv420p")
    fmt = parameter_set(sps(crop=crop, fields="0" + "0" + "1", size=ue(7) + ue(2))).format
    assert (fmt.width, fmt.height) == (128 - 6, 96 - 12)
    high444 = u(244, 8) + u(0, 16) + ue(0) + ue(3) + "0" + ue(0) + ue(0) + "0" + "0"
    fmt = parameter_set(sps(head=high444, crop=crop)).format
    assert (fmt.width, fmt.height, fmt.pix_fmt) == (128 - 3, 96 - 3, "yuv444p")


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ({"crop": "1" + ue(40) + ue(40) + ue(0) + ue(0)}, "cropping leaves no frame"),
        ({"size": ue(1100) + ue(5)}, "the width is 17616"),
        ({"size": ue(5) + ue(1100)}, "the height is 17616"),
        ({"head": BASELINE + ue(32)}, "seq_parameter_set_id is 32"),
        ({"order": ue(3)}, "pic_order_cnt_type is 3"),
        ({"order": ue(0) + ue(13)}, "log2_max_pic_order_cnt_lsb_minus4 is 13"),
        ({"bits": ue(13)}, "log2_max_frame_num_minus4 is 13"),
        ({"head": HIGH + ue(0) + ue(4)}, "chroma_format_idc is 4"),
        ({"head": HIGH + ue(0) + ue(1) + ue(7)}, "bit_depth_luma_minus8 is 7"),
        ({"order": ue(1) + "0" + se(0) + se(0) + ue(256)}, "num_ref_frames_in_pic_order_cnt_cycle is 256"),
    ],
)
def test_what_the_standard_forbids_is_a_header_error(broken, what):
    with pytest.raises(HeaderError, match=what):
        parameter_set(sps(**broken))


def test_ids_of_picture_parameter_sets_have_limits():
    assert parameter_set(b"\x68" + packed(ue(255), ue(31))) == H264Pps(255, 31)
    with pytest.raises(HeaderError, match="pic_parameter_set_id is 256"):
        parameter_set(b"\x68" + packed(ue(256), ue(0)))


def test_scaling_lists_are_passed_over():
    falls_to_zero, full = "1" + se(-8), "1" + se(1) * 16
    lists = "1" + falls_to_zero + full + "0" * 4 + "1" + se(0) * 64 + "0"
    found = parameter_set(sps(head=HIGH + ue(0) + ue(1) + ue(0) + ue(0) + "0" + lists))
    assert (found.format.width, found.format.height) == (128, 96)


def test_an_extended_aspect_ratio_and_overscan_are_passed_over():
    vui = "1" + "1" + u(255, 8) + u(4, 16) + u(3, 16) + "1" + "0" + "1" + u(5, 3) + "1" + "1" + u(1, 8) * 3
    fmt = parameter_set(sps(vui=vui)).format
    assert (fmt.pix_fmt, fmt.matrix) == ("yuvj420p", "bt709")
    untagged = parameter_set(sps(vui="1" + "0" + "0" + "0")).format
    assert (untagged.pix_fmt, untagged.matrix) == ("yuv420p", "unspecified")


def test_parameter_sets_know_what_they_build_on():
    found = parameter_set(sps(head=BASELINE + ue(3)))
    assert isinstance(found, H264Sps)
    assert (found.key, found.parent) == ((0, 3), None)
    assert (H264Pps(2, 3).key, H264Pps(2, 3).parent) == ((1, 2), (0, 3))


def test_order_counts_frames_where_nothing_is_reordered():
    assert orders(IDR, p(1), p(2, reference=0), p(2), p(3)) == [0, 2, 3, 4, 6]


def test_order_goes_on_when_the_frame_number_starts_over():
    slices = [p(i % 16) for i in range(1, 40)]
    assert orders(IDR, *slices) == [2 * i for i in range(40)]


def test_order_goes_on_when_its_low_bits_start_over():
    idr = slice_(ue(0), ue(7), ue(0), u(0, 4), ue(0), u(0, 4), kind=5)
    slices = [p(i % 16, u(2 * i % 16, 4)) for i in range(1, 40)]
    assert orders(idr, *slices, order=ue(0) + ue(0)) == [2 * i for i in range(40)]


def test_pictures_shown_before_a_wrap_of_the_low_bits_are_ordered_before_it():
    idr = slice_(ue(0), ue(7), ue(0), u(0, 4), ue(0), u(0, 4), kind=5)
    slices = [p(1, u(6, 4)), p(2, u(12, 4)), p(3, u(2, 4)), p(4, u(14, 4), reference=0), p(4, u(8, 4))]
    assert orders(idr, *slices, order=ue(0) + ue(0)) == [0, 6, 12, 18, 14, 24]


def test_order_type_1_is_refused_with_a_problem():
    order = ue(1) + "0" + se(0) + se(-2) + ue(2) + se(1) + se(3)
    first, second = units((sps(order=order), PPS, IDR), (p(1),))
    assert first.problem == second.problem == "picture order count type 1 is not supported"
    assert (first.order, second.order) == (0, 1)


def test_data_partitions_are_refused_with_a_problem():
    assert units((sps(), PPS, slice_(ue(0), kind=2)))[0].problem == "data partitioning is not supported"


def test_lost_pictures_are_no_problem_where_the_stream_allows_gaps():
    lost = units((sps(), PPS, IDR), (p(1),), (p(4),), (p(5),))
    assert [unit.problem for unit in lost] == [
        "",
        "",
        "a frame before it is missing (frame_num is 4, expected 2)",
        "",
    ]
    assert not any(unit.problem for unit in units((sps(gaps="1"), PPS, IDR), (p(1),), (p(4),)))


def test_separate_colour_planes_have_an_id_in_each_slice():
    high444 = u(244, 8) + u(0, 16) + ue(0) + ue(3) + "1" + ue(0) + ue(0) + "0" + "0"
    idr = slice_(ue(0), ue(7), ue(0), u(0, 2), u(0, 4), ue(0), kind=5)
    after = slice_(ue(0), ue(5), ue(0), u(0, 2), u(1, 4))
    assert [u.problem for u in units((sps(head=high444), PPS, idr), (after,))] == ["", ""]


def test_a_recovery_point_behind_other_messages_is_found():
    other = bytes([255, 10, 255, 2]) + bytes(257)  # type 265, 257 bytes
    sei = b"\x06" + other + bytes([6, 1]) + packed(ue(0), "0", "0", "00")
    intra = slice_(ue(0), ue(7), ue(0), u(1, 4))
    first, opened, refreshed, plain = units((sps(), PPS, IDR), (sei, intra), (sei, p(2)), (b"\x06" + other, p(3)))
    assert [x.entry for x in (first, opened, refreshed, plain)] == ["key", "open", "refresh", "none"]


@pytest.mark.parametrize("sei", [b"\x06", b"\x06\xff\xff\xff", b"\x06\x05\xff", b"\x06\x05\x7f\0"])
def test_messages_that_end_too_early_are_passed_over(sei):
    assert units((sps(), PPS, IDR), (sei, p(1)))[1].problem == ""


def test_a_parameter_set_that_cannot_be_read_is_a_problem_of_its_packet():
    first, second = units((sps(), PPS, IDR), (b"\x67\x42", p(1)))
    assert first.problem == ""
    assert second.problem == "its headers cannot be read: it ends too early"


def test_more_different_parameter_sets_than_are_remembered_are_still_read():
    many = [sps(head=BASELINE + ue(i % 32), size=ue(7 + i) + ue(5)) for i in range(100)]
    last = units(*((one, PPS, IDR) for one in many))[-1]
    assert last.problem == ""
    assert last.format is not None
    assert last.format.width == 16 * (8 + 96)


def test_headers_far_behind_the_start_of_a_packet_are_read():
    sei = b"\x06\x05" + bytes([255] * 6 + [20]) + b"\xaa" * (6 * 255 + 20) + b"\x80"
    assert units((sei, sps(), PPS, sei, IDR))[0].entry == "key"
    (unit,) = units((sps(), PPS, b"\x06\x05" + bytes([255, 255, 255, 195]) + b"\xaa" * 960 + b"\x80", IDR))
    assert unit.problem == ""
