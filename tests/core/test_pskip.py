"""Repeats of H.264 pictures: the bits that are written, and the pictures that can be repeated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.headers import annex_b, packed, se, u, ue
from telecine.core.bitstream.access_unit import ENDLESS, NOT_H264
from telecine.core.bitstream.h264 import H264, parameter_set
from telecine.core.bitstream.nal import payload
from telecine.core.bitstream.packets import index_packets, with_unit
from telecine.core.bitstream.pskip import Repeater, picture_set, repeatable, skipped_picture, unused_number

PLAIN_SPS = {
    "head": u(66, 8) + u(0, 16) + ue(0),
    "bits": ue(0),
    "order": ue(2),
    "references": ue(1),
    "gaps": "0",
    "size": ue(7) + ue(5),
    "fields": "1" + "1",
    "rest": "0" + "0",
}
PLAIN_PPS = {
    "ids": ue(0) + ue(0),
    "coding": "0",
    "bottom": "0",
    "groups": ue(0),
    "references": ue(0) + ue(0),
    "weights": "0" + "00",
    "quality": se(0) * 3,
    "filter": "00",
    "redundant": "0",
}
COUNTED = {"order": ue(0) + ue(4)}
"""Picture order counts are sent, in 8 bits."""


def sps(**changed):
    return b"\x67" + packed(*{**PLAIN_SPS, **changed}.values())


def pps(**changed):
    return b"\x68" + packed(*{**PLAIN_PPS, **changed}.values())


def slice_(frame_num, *rest, lsb=None, kind=5, reference=1, idr=False):
    """The start of a slice and, behind the picture order count, `rest`."""
    order = "" if lsb is None else u(lsb, 8)
    head = ue(0) + ue(kind) + ue(0) + u(frame_num, 4) + (ue(0) if idr else "") + order
    return bytes([reference << 5 | (5 if idr else 1)]) + packed(head, *rest) + b"\xaa" * 8


def idr(*, lsb=None, marking="00"):
    return slice_(0, marking, lsb=lsb, kind=7, idr=True)


LIST, SLIDING = "0" + "0", "0"
"""The default list of references; no marking commands."""
PLAIN_P = LIST + SLIDING


def packets(*slices, sets=None):
    first, *others = slices
    return [annex_b(*(sets or (sps(), pps())), first), *(annex_b(s) for s in others)]


def why_not(slice_to_repeat, *, sets=None, lsb=None):
    """Why the second picture cannot be repeated, "" when it can."""
    reader = H264()
    for packet in packets(idr(lsb=lsb), slice_to_repeat, sets=sets):
        unit = reader.read(packet)
    assert (unit.repeats == 0) == bool(unit.fixed)
    assert unit.problem == "" or unit.fixed
    return unit.fixed


def test_the_parameter_set_of_repeats_is_read_as_one_for_the_streams_own_sequence():
    found = parameter_set(picture_set(255, 3))
    assert (found.id, found.parent_id) == (255, 3)


@pytest.mark.parametrize("changes", [{}, COUNTED, {"bits": ue(12)}, {"size": ue(200) + ue(100)}])
@pytest.mark.parametrize("frame_num", [1, 15, 16, 70_000])
def test_a_repeat_is_read_as_a_picture_that_nothing_refers_to(changes, frame_num):
    parsed = parameter_set(sps(**changes))
    packet = skipped_picture(parsed, 255, frame_num, 300)
    reader = H264()
    reader.read(annex_b(sps(**changes), pps(), idr(lsb=0 if changes == COUNTED else None)))
    reader.read(annex_b(picture_set(255, 0)))
    unit = reader.read(packet)
    assert reader.last.frame_num == frame_num % (1 << parsed.frame_num_bits)
    assert reader.last.order_lsb == (300 % 256 if changes == COUNTED else 0)
    assert (unit.reference, unit.restart, unit.entry, unit.fixed) == (
        False,
        False,
        "none",
        "no other frame may refer to it",
    )


def test_a_repeat_skips_every_macroblock():
    parsed = parameter_set(sps(size=ue(7) + ue(5)))
    assert parsed.macroblocks == 8 * 6
    body = payload(skipped_picture(parsed, 255, 1, 0)[5:])
    assert body == packed(ue(0), ue(5), ue(255), u(1, 4), "00", se(0), ue(48))


def test_macroblocks_of_fields_are_counted_for_the_frame():
    assert parameter_set(sps(fields="0" + "0" + "1")).macroblocks == 8 * 12


def test_repeats_count_on_from_the_picture_before():
    repeater = Repeater()
    parsed = parameter_set(sps(**COUNTED))
    for packet in packets(idr(lsb=0), slice_(1, PLAIN_P, lsb=254), sets=(sps(**COUNTED), pps())):
        repeater.read(packet)
    assert repeater.own_set() == picture_set(255, 0)
    assert repeater.repeat() == skipped_picture(parsed, 255, 2, 255)
    assert repeater.repeat() == skipped_picture(parsed, 255, 2, 0)
    repeater.read(annex_b(slice_(2, PLAIN_P, lsb=4)))
    assert repeater.repeat() == skipped_picture(parsed, 255, 3, 5)


def test_the_parameter_set_of_repeats_has_a_number_that_the_stream_does_not_use():
    repeater = Repeater()
    taken = [pps(ids=ue(number) + ue(0)) for number in (255, 254, 252)]
    repeater.read(annex_b(sps(), pps(), *taken, idr()))
    assert repeater.own_set() == picture_set(253, 0)


def test_a_number_is_found_that_no_parameter_set_has():
    assert unused_number(annex_b(sps(), pps(), idr())) == 31
    taken = [pps(ids=ue(number) + ue(0)) for number in (31, 30, 40)]
    assert unused_number(annex_b(sps(), sps(head=u(66, 8) + u(0, 16) + ue(29)), pps(), *taken, idr())) == 28
    assert unused_number(annex_b(sps(), *(pps(ids=ue(number) + ue(0)) for number in range(32)), idr())) == 0


def test_the_parameter_set_of_repeats_stands_behind_the_keyframes_own():
    before, after = annex_b(b"\x09\x10", sps(), pps()), annex_b(b"\x06\x05\x01\xaa\x80", idr())
    assert with_unit(before + after, b"\x68\xff") == before + annex_b(b"\x68\xff") + after


@pytest.mark.parametrize(
    "header",
    [
        PLAIN_P,
        "1" + ue(0) + "0" + SLIDING,
        "0" + "1" + ue(0) + ue(4) + ue(2) + ue(1) + ue(3) + SLIDING,
        LIST + "1" + ue(1) + ue(0) + ue(3) + ue(0) + ue(1) + ue(2) + ue(0) + ue(4) + ue(0) + ue(0),
    ],
)
def test_pictures_that_stay_ordinary_references_can_be_repeated(header):
    assert why_not(slice_(1, header)) == ""


def test_intra_pictures_can_be_repeated():
    assert why_not(slice_(1, SLIDING, kind=7)) == ""


def test_weights_of_a_picture_are_passed_over():
    two = "1" + ue(1) + "0" + ue(3) + ue(2) + ("1" + se(4) + se(-1) + "1" + se(1) * 4) + ("0" + "0")
    weighted = (sps(), pps(weights="1" + "00"))
    assert why_not(slice_(1, two + SLIDING), sets=weighted) == ""
    assert "long-term" in why_not(slice_(1, two + "1" + ue(6) + ue(0) + ue(0)), sets=weighted)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (LIST + "1" + ue(6) + ue(0) + ue(0), "it is a long-term reference"),
        (LIST + "1" + ue(5) + ue(0), "it resets the order of frames"),
        (LIST + "1" + ue(7) + ue(0), "cannot be read to the end: memory_management_control_operation is 7"),
        ("1" + ue(32), "cannot be read to the end: num_ref_idx_l0_active_minus1 is 32, at most 31 can be"),
        ("0" + "1" + ue(0) * 400, "cannot be read to the end: it ends too early"),
    ],
)
def test_pictures_that_leave_the_list_of_references_are_not_repeated(header, why):
    assert why in why_not(slice_(1, header))


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        ((sps(), pps(groups=ue(1))), "macroblocks are in slice groups (FMO)"),
        ((sps(), b"\x68" + packed(ue(0), ue(0), "0")), "its picture parameter set cannot be read: it ends too early"),
        ((sps(references=ue(0)), pps()), "the stream keeps no frame to refer to"),
        ((sps(fields="0" + "0" + "1"), pps()), "it is coded for interlacing"),
        ((sps(order=ue(1) + "0" + se(0) * 2 + ue(0)), pps()), "picture order count type 1 is not supported"),
        ((sps(head=u(100, 8) + u(0, 16) + ue(0) + ue(0) + ue(0) + ue(0) + "0" + "0"), pps()), "its sampling is not"),
    ],
)
def test_streams_of_other_kinds_are_not_repeated(sets, why):
    assert why in why_not(slice_(1, "0" if "interlac" in why else "", PLAIN_P), sets=sets)


def test_pictures_are_not_repeated_when_their_fields_are_shown_apart():
    apart = {"sets": (sps(**COUNTED), pps(bottom="1")), "lsb": 0}
    assert why_not(slice_(1, se(-1), PLAIN_P, lsb=2), **apart) == "its two fields are shown at different times"
    assert why_not(slice_(1, se(0), PLAIN_P, lsb=2), **apart) == ""


def test_redundant_pictures_are_not_repeated():
    sets = (sps(), pps(redundant="1"))
    assert why_not(slice_(1, ue(1), PLAIN_P), sets=sets) == "it is a redundant picture"
    assert why_not(slice_(1, ue(0), PLAIN_P), sets=sets) == ""


def test_pictures_that_nothing_refers_to_and_b_pictures_are_not_repeated():
    assert why_not(slice_(1, LIST, reference=0)) == "no other frame may refer to it"
    assert "B-frames" in why_not(slice_(1, "1", LIST, SLIDING, kind=6))


def test_a_keyframe_kept_for_long_is_not_repeated():
    assert H264().read(packets(idr(marking="01"))[0]).fixed == "it is a long-term reference"
    assert H264().read(packets(idr())[0]).fixed == ""


def sent(*lsbs):
    """The index of a stream with these picture order counts; 0 is a keyframe."""
    slices, number = [], 0
    for lsb in lsbs:
        number = number + 1 if lsb else 0
        slices.append(slice_(number % 16, PLAIN_P, lsb=lsb) if lsb else idr(lsb=0))
    return index_packets(packets(*slices, sets=(sps(**COUNTED), pps())), "h264")


def test_there_is_room_for_as_many_repeats_as_counts_between_neighbours():
    index = sent(0, 2, 8, 9, 11, 0, 2)
    assert index.repeats.tolist() == [1, 5, 0, 1, 127, 1, 127]
    assert index.no_repeats == "there is no picture order count between it and the next"


def test_without_counts_there_is_room_unless_another_picture_ties():
    slices = [idr(), slice_(1, PLAIN_P), slice_(2, LIST, reference=0), slice_(2, PLAIN_P)]
    index = index_packets(packets(*slices), "h264")
    assert index.repeats.tolist() == [ENDLESS, 0, 0, ENDLESS]
    assert index.no_repeats == (
        "no other frame may refer to it; there is no picture order count between it and the next"
    )


def test_no_picture_of_a_stream_with_b_frames_is_repeated():
    index = sent(0, 8, 4, 16, 12)
    assert (index.repeats, index.no_repeats) == (None, "there are B-frames")


def repeating(times, **changes):
    """The index of a keyframe, a picture that is repeated, and another."""
    sets = (sps(**changes), pps())
    lsb = 2 if changes else None
    packets_before = packets(idr(lsb=0 if changes else None), slice_(1, PLAIN_P, lsb=lsb), sets=sets)
    repeater = Repeater()
    for packet in packets_before:
        repeater.read(packet)
    first = with_unit(packets_before[0], repeater.own_set())
    repeats = [repeater.repeat() for _ in range(times)]
    after = annex_b(slice_(2, PLAIN_P, lsb=None if lsb is None else 20))
    return index_packets([first, packets_before[1], *repeats, after], "h264")


@pytest.mark.parametrize("changes", [{}, COUNTED])
def test_repeats_that_share_a_place_are_no_damage(changes):
    index = repeating(4, **changes)
    assert index.problems == ()
    assert index.display.tolist() == list(range(7))


@pytest.mark.parametrize(
    "body",
    [
        LIST + se(1) + ue(48),
        LIST + se(0) + ue(47),
        LIST + se(0) + ue(48) + "1",
        "1" + ue(0) + "0" + se(0) + ue(48),
        LIST,
    ],
)
def test_other_pictures_that_share_a_place_are_damage(body):
    kind = bytes([1]) + packed(ue(0) + ue(5) + ue(0) + u(2, 4), body)
    same = [annex_b(kind), annex_b(kind)]
    index = index_packets([*packets(idr(), slice_(1, PLAIN_P)), *same], "h264")
    assert index.problems == ((3, "it is shown at the same time as packet 2"),)


def test_pictures_of_another_coding_that_share_a_place_are_damage():
    kind = bytes([1]) + packed(ue(0) + ue(5) + ue(0) + u(2, 4), LIST, se(0), ue(48))
    for sets in ((sps(), pps(coding="1")), (sps(), pps(filter="10"))):
        index = index_packets([*packets(idr(), slice_(1, PLAIN_P), sets=sets), annex_b(kind), annex_b(kind)], "h264")
        assert index.problems == ((3, "it is shown at the same time as packet 2"),)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.sampled_from([0, 1, 3, ENDLESS])), min_size=1))
def test_room_never_reaches_the_next_picture(pictures):
    restarts = np.array([i == 0 or key for i, (key, _, _) in enumerate(pictures)])
    orders = np.cumsum([step for _, step, _ in pictures])
    repeats = np.array([own for _, _, own in pictures])
    often, why = repeatable(
        orders, restarts, np.arange(restarts.size), repeats, ["" if own else "why" for own in repeats]
    )
    assert np.all(often <= repeats)
    assert bool(why) == bool(np.any(often == 0))
    for i in range(restarts.size - 1):
        assert restarts[i + 1] or often[i] == ENDLESS or orders[i] + often[i] < orders[i + 1]


def test_other_codecs_say_that_they_cannot():
    often, why = repeatable(np.arange(2), np.array([True, False]), np.arange(2), np.zeros(2, np.int64), [NOT_H264] * 2)
    assert (often.tolist(), why) == ([0, 0], NOT_H264)
