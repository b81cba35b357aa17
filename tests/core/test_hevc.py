"""H.265 headers written by hand, for what the encoders at hand do not write."""

import pytest

from support.headers import annex_b, packed, se, u, ue
from telecine.core.bitstream.bits import Bits, HeaderError
from telecine.core.bitstream.hevc import Hevc, HevcPps, HevcSps, HevcVps, parameter_set
from telecine.core.bitstream.hevc_rps import short_term_set

VPS_UNIT = b"\x40\x01" + packed(u(0, 4), u(0, 20))
PROFILE = u(0, 96)
LAST_TWO = ue(2) + (ue(2) + ue(0) + ue(0) + "1" + ue(0) + "1") + ("0" + ue(1) + ue(0) + ue(0) + "1")
"""Two sets: the two pictures before, or the one before."""


PLAIN = {
    "head": u(0, 4) + u(0, 3) + "1" + PROFILE + ue(0),
    "chroma": ue(1),
    "size": ue(640) + ue(480) + "0",
    "depth": ue(0) + ue(0),
    "poc": ue(0),
    "ordering": "1" + ue(4) + ue(2) + ue(0),
    "blocks": ue(0) * 6,
    "scaling": "0",
    "tools": u(0, 2),
    "pcm": "0",
    "sets": LAST_TWO,
    "long_term": "0",
    "motion": u(0, 2),
    "vui": "0",
}


def sps(**changed):
    return b"\x42\x01" + packed(*{**PLAIN, **changed}.values())


def pps(output_flag="0", extra=0):
    return b"\x44\x01" + packed(ue(0), ue(0), "0", output_flag, u(extra, 3), "0" * 8)


def slice_(kind, *fields, first="1", layer=0):
    flag = "0" if 16 <= kind <= 23 else ""
    return bytes([kind << 1, layer + 1]) + packed(first, flag, ue(0), *fields) + b"\xaa" * 8


def trail(lsb, which=0, kind=1, **options):
    """A picture that uses one of the two sets of `LAST_TWO`."""
    return slice_(kind, ue(1), u(lsb, 4), "1", u(which, 1), **options)


IDR = slice_(19, ue(2))
SETS = (VPS_UNIT, sps(), pps())


def units(*packets):
    reader = Hevc()
    return [reader.read(annex_b(*packet)) for packet in packets]


def test_sizes_are_cropped_by_the_units_of_the_sampling():
    window = "1" + ue(1) + ue(2) + ue(0) + ue(3)
    for chroma, name, width, height in (
        (ue(0), "gray", 3, 3),
        (ue(1), "yuv420p", 6, 6),
        (ue(2), "yuv422p", 6, 3),
        (ue(3) + "0", "yuv444p", 3, 3),
    ):
        fmt = parameter_set(sps(chroma=chroma, size=ue(640) + ue(480) + window)).format
        assert (fmt.pix_fmt, fmt.width, fmt.height) == (name, 640 - width, 480 - height)


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ({"size": ue(64) + ue(64) + "1" + ue(40) + ue(0) + ue(0) + ue(0)}, "cropping leaves no frame"),
        ({"size": ue(20_000) + ue(64) + "0"}, "the width is 20000"),
        ({"head": u(0, 4) + u(7, 3) + "1"}, "sps_max_sub_layers_minus1 is 7"),
        ({"chroma": ue(4)}, "chroma_format_idc is 4"),
        ({"depth": ue(9)}, "bit_depth_luma_minus8 is 9"),
        ({"poc": ue(13)}, "log2_max_pic_order_cnt_lsb_minus4 is 13"),
        ({"sets": ue(65)}, "num_short_term_ref_pic_sets is 65"),
        ({"sets": ue(1) + ue(17)}, "the number of reference pictures is 17"),
        ({"long_term": "1" + ue(33)}, "num_long_term_ref_pics_sps is 33"),
    ],
)
def test_what_the_standard_forbids_is_a_header_error(broken, what):
    with pytest.raises(HeaderError, match=what):
        parameter_set(sps(**broken))


def test_sub_layers_lists_and_pcm_are_passed_over():
    levels = "10" + "01" + "0" * 12 + "1" * 88 + "1" * 8
    lists = "11" + ("0" + ue(0)) * 3 + ("1" + se(1) * 16) * 3 + ("1" + se(0) * 64) * 6
    lists += ("1" + se(3) + se(0) * 64) * 6 + ("0" + ue(0)) * 2
    found = parameter_set(
        sps(
            head=u(0, 4) + u(2, 3) + "1" + PROFILE + levels + ue(5),
            ordering="1" + ue(1) * 9,
            scaling=lists,
            pcm="1" + u(7, 4) * 2 + ue(0) * 2 + "0",
            long_term="1" + ue(2) + u(3, 5) * 2,
            vui="1" + "1" + u(255, 8) + u(4, 16) + u(3, 16) + "1" + "0" + "1" + u(5, 3) + "1" + "1" + u(9, 24),
        )
    )
    assert isinstance(found, HevcSps)
    assert (found.id, found.long_term, len(found.reference_sets)) == (5, True, 2)
    assert (found.format.pix_fmt, found.format.matrix) == ("yuvj420p", "bt2020")
    assert parameter_set(sps(vui="1" + "0" + "0" + "0")).format.pix_fmt == "yuv420p"


def test_parameter_sets_know_what_they_build_on():
    assert (HevcVps(1).key, HevcVps(1).parent) == ((0, 1), None)
    assert (HevcPps(2, 3, False, 0).key, HevcPps(2, 3, False, 0).parent) == ((2, 2), (1, 3))
    found = parameter_set(sps(head=u(4, 4) + u(0, 3) + "1" + PROFILE + ue(3)))
    assert (found.key, found.parent) == ((1, 3), (0, 4))


def test_reference_sets_are_read_in_full_or_from_another_one():
    full = Bits(packed(ue(2) + ue(1) + ue(0) + "1" + ue(2) + "0" + ue(1) + "1"))
    base = short_term_set(full, [], in_slice=False)
    assert base == ((-1, True), (-4, False), (2, True))
    # Shifted by +1, all taken: 0 is the picture itself and falls out, the base's own picture comes in at 1.
    shifted = Bits(packed("1" + "0" + ue(0) + "1" + "1" + "01" + "1"))
    assert short_term_set(shifted, [base], in_slice=False) == ((-3, True), (1, True), (3, False))
    back = Bits(packed("1" + ue(0) + "1" + ue(1) + "1" + "00" + "1" + "1"))
    assert short_term_set(back, [base], in_slice=True) == ((-2, True), (-3, True))
    with pytest.raises(HeaderError, match="delta_idx_minus1 is 1 of 1"):
        short_term_set(Bits(packed("1" + ue(1))), [base], in_slice=True)


def test_pictures_that_were_lost_are_told_by_the_reference_set():
    packets = [(*SETS, IDR), (trail(1, 1),), (trail(2),), (trail(3),), (trail(4),)]
    assert [unit.problem for unit in units(*packets)] == [""] * 5
    assert [unit.order for unit in units(*packets)] == [0, 1, 2, 3, 4]
    without = units(*packets[:2], *packets[3:])
    assert without[2].problem == "a frame that it refers to is missing (order 2 for order 3)"


def test_a_set_sent_in_the_slice_counts_too():
    own = slice_(1, ue(1), u(1, 4), "0", "0" + ue(1) + ue(0) + ue(0) + "1")
    lost = slice_(1, ue(1), u(3, 4), "0", "0" + ue(1) + ue(0) + ue(0) + "1")
    assert [unit.problem[:7] for unit in units((*SETS, IDR), (own,), (lost,))] == ["", "", "a frame"]


def test_the_number_of_a_set_must_exist():
    three = ue(3) + LAST_TWO[len(ue(2)) :] + "0" + ue(1) + ue(0) + ue(1) + "1"
    wrong = slice_(1, ue(1), u(1, 4), "1", u(3, 2))
    assert "short_term_ref_pic_set_idx is 3 of 3" in units((VPS_UNIT, sps(sets=three), pps(), IDR), (wrong,))[1].problem
    single = ue(1) + LAST_TWO[len(ue(2)) : -len("0" + ue(1) + ue(0) + ue(0) + "1")]
    only = slice_(1, ue(1), u(1, 4), "1")
    assert "is missing" in units((VPS_UNIT, sps(sets=single), pps(), IDR), (only,))[1].problem


def test_streams_with_long_term_pictures_are_not_searched_for_lost_ones():
    sets = (VPS_UNIT, sps(long_term="1" + ue(0)), pps())
    assert [unit.problem for unit in units((*sets, IDR), (trail(5),), (trail(9),))] == ["", "", ""]


def test_order_goes_on_when_its_low_bits_start_over():
    packets = [(*SETS, IDR), (trail(1, 1),), *((trail(i % 16),) for i in range(2, 40))]
    assert [unit.order for unit in units(*packets)] == list(range(40))


def test_order_goes_below_its_anchor_across_a_wrap():
    # An entry point at 17 (low bits 1) is stored before the pictures 15 and 16 that it is shown after.
    packets = [(*SETS, IDR), *((trail(i, i == 1),) for i in range(1, 15)), (slice_(21, ue(2), u(1, 4), "1", u(1, 1)),)]
    found = units(*packets, (trail(15, kind=9),), (trail(0, kind=8),))
    assert [unit.order for unit in found[-3:]] == [17, 15, 16]
    assert [unit.leading for unit in found[-3:]] == [False, True, True]
    assert found[-3].entry == "cra"


def test_kinds_of_entry_points():
    kinds = {16: "cra", 17: "key", 18: "key", 19: "key", 20: "key", 21: "cra"}
    for kind, entry in kinds.items():
        order = "" if kind in (19, 20) else u(5, 4) + "1" + u(1, 1)
        (unit,) = units((*SETS, slice_(kind, ue(2), order)))
        assert (unit.entry, unit.restart, unit.order) == (entry, kind != 21, 5 if order else 0)


def test_refreshed_pictures_are_no_keyframes():
    sei = b"\x4e\x01\x06\x01" + packed(se(0), "1", "0")
    assert units((*SETS, IDR), (sei, trail(1, 1)))[1].entry == "refresh"


def test_hidden_pictures_are_a_problem():
    sets = (VPS_UNIT, sps(), pps(output_flag="1"))
    shown, hidden = slice_(19, ue(2), "1"), slice_(19, ue(2), "0")
    assert [unit.problem for unit in units((*sets, shown), (hidden,))] == ["", "its frame is never shown"]


def test_extra_bits_and_planes_are_passed_over():
    sets = (VPS_UNIT, sps(chroma=ue(3) + "1"), pps(extra=3))
    picture = slice_(1, "111", ue(1), u(2, 2), u(1, 4), "1", u(1, 1))
    assert units((*sets, slice_(19, "000", ue(2), u(0, 2))), (picture,))[1].order == 1


def test_temporal_layers_and_disposable_kinds_are_told():
    found = units((*SETS, IDR), (trail(1, 1, kind=0, layer=2),), (trail(2, kind=1, layer=1),))
    assert [(unit.layer, unit.reference) for unit in found] == [(0, True), (2, False), (1, True)]


def test_sets_of_other_layers_are_passed_over():
    other = b"\x42\x09" + sps(size=ue(64) + ue(64) + "0")[2:]
    (unit,) = units((*SETS, other, b"\x42", IDR))
    assert unit.problem.startswith("its headers cannot be read")
    (unit,) = units((*SETS, other, IDR))
    assert unit.format is not None
    assert unit.format.width == 640


def test_a_slice_of_one_byte_is_no_picture():
    (first, second) = units((*SETS, IDR), (b"\x02",))
    assert (first.problem, second.problem) == ("", "it holds no frame")
