"""H.264 headers (ITU-T H.264): formats, keyframes, display order and lost pictures, without decoding.

Reads parameter sets, recovery points and the start of the first slice header of each packet. Refuses, with a
problem, what would need more: fields, data partitioning and picture order count type 1. Assumes that no picture
resets the order in mid-sequence (memory_management_control_operation 5; no camera's encoder does).
"""

from typing import ClassVar, NamedTuple

from telecine.core.bitstream.access_unit import ENDLESS, LARGEST_PX, MATRICES, AccessUnit, Entry, pixel_format
from telecine.core.bitstream.bits import LONGEST, Bits, HeaderError, at_most
from telecine.core.bitstream.h264_marking import Coding, Known, coding, obstacle, repeats_previous
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

_SLICE, _PARTITIONS, _IDR, _SEI, _SPS, _PPS = 1, (2, 3, 4), 5, 6, 7, 8
RANKS = {_SPS: 0, _PPS: 1}
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_I_SLICE = 2
_SLICE_HEADER_BYTES = 32
"""Enough up to the picture order count: at most 150 bits, 225 when escaped."""

IS_SLICE = bytes(1 if 1 <= (first & 31) <= 5 else 0 for first in range(256))
IS_KEYFRAME = bytes(1 if (first & 31) == _IDR else 0 for first in range(256))
IS_DELIMITER = bytes(1 if (first & 31) == 9 else 0 for first in range(256))


@dataclass(frozen=True, slots=True)
class H264Sps(ParameterSet):
    """A sequence parameter set, as far as it matters here; named as in 7.3.2.1.1."""

    format: FrameFormat
    frame_num_bits: int
    poc_type: int
    poc_lsb_bits: int
    frame_mbs_only: bool
    gaps_allowed: bool
    separate_planes: bool
    references: int
    """max_num_ref_frames."""
    macroblocks: int
    """In a frame."""
    chroma: int
    """chroma_format_idc."""


@dataclass(frozen=True, slots=True)
class H264Pps(DependentSet):
    """A picture parameter set: only which sequence parameter set it builds on."""

    RANK: ClassVar[int] = 1


def rank(first: int) -> int:
    """0 for a NAL unit that starts with byte `first` and is an SPS, 1 for a PPS, -1 for all others."""
    return RANKS.get(first & 31, -1)


def parameter_set(raw: bytes) -> H264Sps | H264Pps:
    """The SPS or PPS in the NAL unit `raw`. HeaderError when it cannot be read."""
    bits = Bits(payload(raw[:LONGEST])[1:])
    if raw[0] & 31 == _SPS:
        return _sps(bits)
    return H264Pps(at_most(bits.ue(), 255, "pic_parameter_set_id"), at_most(bits.ue(), 31, "seq_parameter_set_id"))


def _sps(bits: Bits) -> H264Sps:
    profile = bits.u(8)
    bits.u(16)
    number = at_most(bits.ue(), 31, "seq_parameter_set_id")
    chroma, depth, separate = _sampling(bits) if profile in _HIGH_PROFILES else (1, 8, False)
    frame_num_bits = 4 + at_most(bits.ue(), 12, "log2_max_frame_num_minus4")
    poc_type = at_most(bits.ue(), 2, "pic_order_cnt_type")
    poc_lsb_bits = 0
    if poc_type == 0:
        poc_lsb_bits = 4 + at_most(bits.ue(), 12, "log2_max_pic_order_cnt_lsb_minus4")
    elif poc_type == 1:
        bits.flag()
        for _ in range(2):
            bits.se()
        for _ in range(at_most(bits.ue(), 255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.se()
    references = bits.ue()
    gaps_allowed = bits.flag()
    mbs_wide, map_units_high = bits.ue() + 1, bits.ue() + 1
    frame_mbs_only = bits.flag()
    if not frame_mbs_only:
        bits.flag()
    bits.flag()
    width, height = _cropped(bits, mbs_wide, map_units_high, chroma, fields=not frame_mbs_only)
    full_range, matrix = vui_colour(bits) if bits.flag() else (False, 2)
    # FFmpeg shows pictures without colour as 4:2:0 with neutral colour.
    name = pixel_format(chroma or 1, depth, full_range=full_range, rgb=matrix == 0)
    fmt = FrameFormat("h264", width, height, name, MATRICES.get(matrix, "other"))
    macroblocks = mbs_wide * map_units_high * (1 if frame_mbs_only else 2)
    return H264Sps(
        number, fmt, frame_num_bits, poc_type, poc_lsb_bits, frame_mbs_only, gaps_allowed, separate, references,
        macroblocks, chroma,
    )  # fmt: skip


def _sampling(bits: Bits) -> tuple[int, int, bool]:
    """(chroma_format_idc, bits per sample, separate planes); leaves the scaling lists behind."""
    chroma = at_most(bits.ue(), 3, "chroma_format_idc")
    separate = chroma == 3 and bits.flag()
    depth = 8 + at_most(bits.ue(), 6, "bit_depth_luma_minus8")
    at_most(bits.ue(), 6, "bit_depth_chroma_minus8")
    bits.flag()
    if bits.flag():
        for i in range(12 if chroma == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if i < 6 else 64)
    return chroma, depth, separate


def _skip_scaling_list(bits: Bits, size: int) -> None:
    scale = 8
    for _ in range(size):
        scale = (scale + bits.se()) % 256
        if scale == 0:  # the rest repeats the last value and is not sent (7.3.2.1.1.1)
            return


def _cropped(bits: Bits, mbs_wide: int, map_units_high: int, chroma: int, *, fields: bool) -> tuple[int, int]:
    """(width, height) in px after cropping (7.4.2.1.1)."""
    width, height = 16 * mbs_wide, 16 * map_units_high * (2 if fields else 1)
    if bits.flag():
        unit_x, unit_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (2 if fields else 1)
        width -= unit_x * (bits.ue() + bits.ue())
        height -= unit_y * (bits.ue() + bits.ue())
    if width <= 0 or height <= 0:
        raise HeaderError("cropping leaves no frame")
    return at_most(width, LARGEST_PX, "the width"), at_most(height, LARGEST_PX, "the height")


class Slice(NamedTuple):
    """The start of a slice header: its sequence parameter set, frame_num, and pic_order_cnt_lsb (0 when not sent)."""

    sps: H264Sps
    frame_num: int
    order_lsb: int


class H264:
    """Reads packet after packet of one stream, in decode order.

    last: the first slice of the last packet that had a readable one.
    """

    def __init__(self) -> None:
        self.last: Slice | None = None
        self._sets: ParameterSets[H264Sps | H264Pps] = ParameterSets(parameter_set)
        self._in_use: dict[int, tuple[H264Sps, Coding, Known]] = {}
        self._frame_num: int | None = None
        self._order = self._rounds = self._last_frame_num = 0
        self._poc_msb = self._poc_lsb = 0

    @property
    def picture_sets(self) -> frozenset[int]:
        """Numbers of the picture parameter sets in force."""
        return frozenset(number for rank, number in self._sets.active if rank == 1)

    @property
    def sequence_sets(self) -> frozenset[int]:
        """Numbers of the sequence parameter sets in force."""
        return frozenset(number for rank, number in self._sets.active if rank == 0)

    def read(self, packet: Buffer) -> AccessUnit:
        """What the packet's headers hold; never raises."""
        found = leading(packet, IS_SLICE)
        data, units, start = found
        recovery: int | None = None
        try:
            for begin, end in units:
                kind = data[begin] & 31
                if kind in RANKS:
                    self._sets.add(data[begin:end])
                    self._in_use.clear()
                elif kind == _SEI and recovery is None:
                    recovery = _recovery_frames(payload(data[begin + 1 : end]))
            if start < 0:
                return self._damaged(nothing_shown(packet, found))
            return self._slice(data[start], payload(data[start + 1 : start + _SLICE_HEADER_BYTES]), recovery)
        except HeaderError as error:
            return self._damaged(f"its headers cannot be read: {error}")

    def _damaged(self, why: str) -> AccessUnit:
        return AccessUnit(self._order, problem=why)

    def _slice(self, first: int, header: bytes, recovery: int | None) -> AccessUnit:
        kind, reference = first & 31, first & 0x60 != 0
        if kind in _PARTITIONS:
            return self._damaged("data partitioning is not supported")
        bits = Bits(header)
        first_mb, slice_type, pps_id = bits.ue(), bits.ue() % 5, bits.ue()
        sps, used, known = self._in_use.get(pps_id) or self._used_by(pps_id)
        if sps.separate_planes:
            bits.u(2)
        frame_num = bits.u(sps.frame_num_bits)
        if not sps.frame_mbs_only and bits.flag():
            return self._damaged("interlaced fields are not supported")
        idr = kind == _IDR
        problem = "" if first_mb == 0 else "it begins in the middle of a frame"
        problem = problem or self._gap(frame_num, sps, idr=idr)
        if reference:
            self._frame_num = frame_num
        if idr:
            bits.ue()
            self._order = self._poc_msb = self._poc_lsb = 0
        lsb = bits.u(sps.poc_lsb_bits)
        self.last = Slice(sps, frame_num, lsb)
        if sps.poc_type == 0:
            self._order = self._poc(lsb, sps, reference=reference)
        elif sps.poc_type == 2:
            self._order = self._counted(frame_num, sps, reference=reference, idr=idr)
        else:
            self._order += not idr
            problem = problem or "picture order count type 1 is not supported"
        entry: Entry = "key" if idr else "none" if recovery is None else _recovery(recovery, slice_type)
        fixed = _obstacle(sps, reference=reference) or obstacle(bits, slice_type, used, known, idr=idr)
        repeats = 0 if fixed else ENDLESS if sps.poc_type == 2 else (1 << sps.poc_lsb_bits - 1) - 1
        repeated = not reference and repeats_previous(bits, slice_type, used, sps.macroblocks)
        return AccessUnit(self._order, idr, entry, reference, 0, False, sps.format, problem, repeats, fixed, repeated)

    def _used_by(self, pps_id: int) -> tuple[H264Sps, Coding, Known]:
        pps = self._sets.parsed((H264Pps.RANK, pps_id), "picture parameter set")
        assert isinstance(pps, H264Pps)
        sps = self._sets.parsed(pps.parent, "sequence parameter set")
        assert isinstance(sps, H264Sps)
        self._in_use[pps_id] = sps, coding(self._sets.active[pps.key].raw), {}
        return self._in_use[pps_id]

    def _gap(self, frame_num: int, sps: H264Sps, *, idr: bool) -> str:
        """A reference picture was lost when frame_num rises by more than one (7.4.3)."""
        before = self._frame_num
        if idr or before is None or sps.gaps_allowed:
            return ""
        expected = (before + 1) % (1 << sps.frame_num_bits)
        return "" if frame_num in (before, expected) else _lost(expected, frame_num)

    def _counted(self, frame_num: int, sps: H264Sps, *, reference: bool, idr: bool) -> int:
        """PicOrderCnt when display order is decode order (8.2.1.3)."""
        if idr:
            self._rounds = 0
        elif frame_num < self._last_frame_num:
            self._rounds += 1
        self._last_frame_num = frame_num
        return 2 * ((self._rounds << sps.frame_num_bits) + frame_num) - (not reference)

    def _poc(self, lsb: int, sps: H264Sps, *, reference: bool) -> int:
        """PicOrderCnt from its sent low bits (8.2.1.1)."""
        msb = poc_msb(lsb, self._poc_lsb, self._poc_msb, sps.poc_lsb_bits)
        if reference:
            self._poc_msb, self._poc_lsb = msb, lsb
        return msb + lsb


def _obstacle(sps: H264Sps, *, reference: bool) -> str:
    """What in the sequence parameter set, or in the first byte, keeps a picture from being repeated."""
    if not reference:
        return "no other frame may refer to it"
    if not sps.references:
        return "the stream keeps no frame to refer to"
    if not sps.frame_mbs_only:
        return "it is coded for interlacing"
    if sps.chroma != 1:
        return "its sampling is not 4:2:0"
    return "picture order count type 1 is not supported" if sps.poc_type == 1 else ""


def _lost(expected: int, frame_num: int) -> str:
    return f"a frame before it is missing (frame_num is {frame_num}, expected {expected})"


def _recovery_frames(sei: bytes) -> int | None:
    at = has_recovery_point(sei)
    return None if at is None else Bits(sei[at:]).ue()


def _recovery(frames: int, slice_type: int) -> Entry:
    return "open" if frames == 0 and slice_type == _I_SLICE else "refresh"
