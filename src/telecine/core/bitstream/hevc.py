"""H.265 headers (ITU-T H.265): formats, keyframes, display order and lost pictures, without decoding.

Reads parameter sets, recovery points and the first slice segment header of each packet up to its short-term
reference picture set. That set names every picture that may still be used, so a missing one is noticed at once.
Layers above the base layer (scalable, multiview) are passed over.
"""

from typing import ClassVar

from telecine.core.bitstream.access_unit import LARGEST_PX, MATRICES, AccessUnit, Entry, pixel_format
from telecine.core.bitstream.bits import LONGEST, Bits, HeaderError, at_most
from telecine.core.bitstream.hevc_rps import Deltas, short_term_set
from telecine.core.bitstream.nal import (
    DependentSet,
    ParameterSet,
    ParameterSets,
    has_recovery_point,
    leading,
    nothing_shown,
    payload,
    poc_msb,
    vui_colour,
)
from telecine.core.dataclass import dataclass
from telecine.core.recording import Buffer
from telecine.core.video import FrameFormat

_RADL, _RASL = (6, 7), (8, 9)
_BLA, _IDR, _CRA = (16, 17, 18), (19, 20), 21
_BLA_WITH_RASL = 16
_VPS, _SPS, _PPS, _SEI = 32, 33, 34, 39
RANKS = {_VPS: 0, _SPS: 1, _PPS: 2}
_SLICE_HEADER_BYTES = 96
"""Enough up to the reference picture set, even one that is sent in full."""

IS_SLICE = bytes(1 if (first >> 1 & 63) < 32 else 0 for first in range(256))
IS_KEYFRAME = bytes(1 if 16 <= (first >> 1 & 63) <= _CRA else 0 for first in range(256))
IS_DELIMITER = bytes(1 if (first >> 1 & 63) == 35 else 0 for first in range(256))


@dataclass(frozen=True, slots=True)
class HevcVps(ParameterSet):
    """A video parameter set: only its id."""


@dataclass(frozen=True, slots=True)
class HevcSps(DependentSet):
    """A sequence parameter set, as far as it matters here; named as in 7.3.2.2."""

    RANK: ClassVar[int] = 1
    format: FrameFormat
    separate_planes: bool
    poc_lsb_bits: int
    reference_sets: tuple[Deltas, ...]
    long_term: bool


@dataclass(frozen=True, slots=True)
class HevcPps(DependentSet):
    """A picture parameter set, as far as slice headers need it."""

    RANK: ClassVar[int] = 2
    output_flag_present: bool
    extra_bits: int


def rank(first: int) -> int:
    """0 for a NAL unit that starts with byte `first` and is a VPS, 1 for an SPS, 2 for a PPS, -1 for all others."""
    return RANKS.get(first >> 1 & 63, -1)


def parameter_set(raw: bytes) -> HevcVps | HevcSps | HevcPps:
    """The VPS, SPS or PPS in the NAL unit `raw`. HeaderError when it cannot be read."""
    bits = Bits(payload(raw[:LONGEST])[2:])
    kind = raw[0] >> 1 & 63
    if kind == _VPS:
        return HevcVps(bits.u(4))
    if kind == _SPS:
        return _sps(bits)
    number, sps = at_most(bits.ue(), 63, "pps_pic_parameter_set_id"), at_most(bits.ue(), 15, "pps_seq_parameter_set_id")
    bits.flag()
    return HevcPps(number, sps, bits.flag(), bits.u(3))


def _sps(bits: Bits) -> HevcSps:
    vps, sub_layers = bits.u(4), at_most(bits.u(3), 6, "sps_max_sub_layers_minus1")
    bits.flag()
    _skip_profile(bits, sub_layers)
    number = at_most(bits.ue(), 15, "sps_seq_parameter_set_id")
    chroma = at_most(bits.ue(), 3, "chroma_format_idc")
    separate = chroma == 3 and bits.flag()
    width, height = _cropped(bits, chroma)
    depth = 8 + at_most(bits.ue(), 8, "bit_depth_luma_minus8")
    at_most(bits.ue(), 8, "bit_depth_chroma_minus8")
    poc_lsb_bits = 4 + at_most(bits.ue(), 12, "log2_max_pic_order_cnt_lsb_minus4")
    for _ in range(sub_layers + 1 if bits.flag() else 1):
        _skip(bits, 3)
    _skip(bits, 6)
    if bits.flag() and bits.flag():
        _skip_scaling_lists(bits)
    bits.u(2)
    if bits.flag():
        bits.u(8)
        _skip(bits, 2)
        bits.flag()
    sets: list[Deltas] = []
    for _ in range(at_most(bits.ue(), 64, "num_short_term_ref_pic_sets")):
        sets.append(short_term_set(bits, sets, in_slice=False))
    long_term = bits.flag()
    if long_term:
        for _ in range(at_most(bits.ue(), 32, "num_long_term_ref_pics_sps")):
            bits.u(poc_lsb_bits + 1)
    bits.u(2)
    full_range, matrix = vui_colour(bits) if bits.flag() else (False, 2)
    name = pixel_format(chroma, depth, full_range=full_range, rgb=matrix == 0)
    fmt = FrameFormat("hevc", width, height, name, MATRICES.get(matrix, "other"))
    return HevcSps(number, vps, fmt, separate, poc_lsb_bits, tuple(sets), long_term)


def _skip(bits: Bits, numbers: int) -> None:
    for _ in range(numbers):
        bits.ue()


def _skip_profile(bits: Bits, sub_layers: int) -> None:
    """profile_tier_level (7.3.3)."""
    bits.u(96)
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.u(2 * (8 - sub_layers))
    for profile, level in present:
        bits.u(88 * profile + 8 * level)


def _skip_scaling_lists(bits: Bits) -> None:
    """scaling_list_data (7.3.4)."""
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():
                bits.ue()
                continue
            _skip(bits, min(64, 1 << (4 + 2 * size)) + (size > 1))


def _cropped(bits: Bits, chroma: int) -> tuple[int, int]:
    """(width, height) in px inside the conformance window (7.4.3.2.1)."""
    width, height = bits.ue(), bits.ue()
    if bits.flag():
        width -= (2 if chroma in (1, 2) else 1) * (bits.ue() + bits.ue())
        height -= (2 if chroma == 1 else 1) * (bits.ue() + bits.ue())
    if width <= 0 or height <= 0:
        raise HeaderError("cropping leaves no frame")
    return at_most(width, LARGEST_PX, "the width"), at_most(height, LARGEST_PX, "the height")


class Hevc:
    """Reads packet after packet of one stream, in decode order."""

    def __init__(self) -> None:
        self._sets: ParameterSets[HevcVps | HevcSps | HevcPps] = ParameterSets(parameter_set)
        self._in_use: dict[int, tuple[HevcPps, HevcSps]] = {}
        self._order = 0
        self._anchor = 0
        self._held: set[int] = set()

    def read(self, packet: Buffer) -> AccessUnit:
        """What the packet's headers hold; never raises."""
        found = leading(packet, IS_SLICE)
        data, units, start = found
        refreshed: int | None = None
        try:
            for begin, end in units:
                kind = data[begin] >> 1 & 63
                if kind in RANKS and _layer(data, begin) == 0:
                    self._sets.add(data[begin:end])
                    self._in_use.clear()
                elif kind == _SEI and refreshed is None:
                    refreshed = has_recovery_point(payload(data[begin + 2 : end]))
            if start < 0 or start + 2 > len(data):
                return self._damaged(nothing_shown(packet, found))
            header = payload(data[start + 2 : start + _SLICE_HEADER_BYTES])
            return self._slice(data[start] >> 1 & 63, (data[start + 1] & 7) - 1, header, refreshed is not None)
        except HeaderError as error:
            return self._damaged(f"its headers cannot be read: {error}")

    def _damaged(self, why: str) -> AccessUnit:
        return AccessUnit(self._order, problem=why)

    def _slice(self, kind: int, layer: int, header: bytes, refreshed: bool) -> AccessUnit:
        bits = Bits(header)
        whole = bits.flag()
        entry_point = 16 <= kind <= 23
        if entry_point:
            bits.flag()
        pps_id = bits.ue()
        pps, sps = self._in_use.get(pps_id) or self._pps_of(pps_id)
        if not whole:
            return self._damaged("it begins in the middle of a frame")
        bits.u(pps.extra_bits)
        bits.ue()
        shown = not pps.output_flag_present or bits.flag()
        if sps.separate_planes:
            bits.u(2)
        reference = kind >= 16 or kind % 2 == 1
        restart = kind in _IDR or kind in _BLA
        problem = "" if shown else "its frame is never shown"
        if restart:
            self._order, self._held = 0, set()
        if kind not in _IDR:
            self._order = self._poc(bits.u(sps.poc_lsb_bits), sps, from_zero=restart)
            problem = problem or self._references(bits, sps, entry_point=entry_point)
        self._held.add(self._order)
        if layer == 0 and reference and kind not in _RADL + _RASL:
            self._anchor = self._order
        entry = _entry(kind, refreshed=refreshed)
        return AccessUnit(self._order, restart, entry, reference, layer, kind in _RADL + _RASL, sps.format, problem)

    def _pps_of(self, pps_id: int) -> tuple[HevcPps, HevcSps]:
        pps = self._sets.parsed((HevcPps.RANK, pps_id), "picture parameter set")
        assert isinstance(pps, HevcPps)
        sps = self._sets.parsed(pps.parent, "sequence parameter set")
        assert isinstance(sps, HevcSps)
        self._in_use[pps_id] = pps, sps
        return pps, sps

    def _poc(self, lsb: int, sps: HevcSps, *, from_zero: bool) -> int:
        """PicOrderCntVal from its sent low bits (8.3.1)."""
        if from_zero:
            return lsb
        before = self._anchor % (1 << sps.poc_lsb_bits)
        return poc_msb(lsb, before, self._anchor - before, sps.poc_lsb_bits) + lsb

    def _references(self, bits: Bits, sps: HevcSps, *, entry_point: bool) -> str:
        """Keep the pictures that may still be used; what is used now and not there was lost (8.3.2)."""
        deltas = self._reference_set(bits, sps)
        if sps.long_term:  # other means then keep pictures too
            self._held.clear()
            return ""
        used = [self._order + delta for delta, now in deltas if now]
        lost = [order for order in used if order not in self._held]
        self._held &= {self._order + delta for delta, _ in deltas}
        if entry_point or not lost:
            return ""
        return f"a frame that it refers to is missing (order {lost[0]} for order {self._order})"

    def _reference_set(self, bits: Bits, sps: HevcSps) -> Deltas:
        if not bits.flag():
            return short_term_set(bits, sps.reference_sets, in_slice=True)
        count = len(sps.reference_sets)
        number = bits.u((count - 1).bit_length()) if count > 1 else 0
        if number >= count:
            raise HeaderError(f"short_term_ref_pic_set_idx is {number} of {count}")
        return sps.reference_sets[number]


def _layer(data: bytes, begin: int) -> int:
    """nuh_layer_id of the NAL unit at `begin`."""
    return (data[begin] & 1) << 5 | (data[begin + 1] >> 3 if begin + 1 < len(data) else 0)


def _entry(kind: int, *, refreshed: bool) -> Entry:
    if kind in _IDR or (kind in _BLA and kind != _BLA_WITH_RASL):
        return "key"
    if kind in (_CRA, _BLA_WITH_RASL):
        return "cra"
    return "refresh" if refreshed else "none"
