"""Repeats of H.264 pictures, written bit by bit: a P picture all of whose macroblocks are skipped (ITU-T H.264).

It repeats the first picture of the reference list, unmoved and without a residual, hence unfiltered: the
picture before it, if that one is an ordinary reference (7.4.5, 8.4.1.1, 8.7). Nothing refers to it (nal_ref_idc 0),
so it takes the frame_num that the next picture has anyway, and nothing behind it changes. A picture parameter set of
its own frees it of what else the stream uses: CABAC, weighted prediction.

Each repeat needs a picture order count between its neighbours'. Type 0 has some, mostly one. Type 2 derives one:
strictly, a second non-reference picture in a row may not follow it (7.4.2.1.1), but all of them show the same, so the
order of those that tie cannot matter, and FFmpeg's decoder, which is LeRobot's, gives each.
"""

from collections.abc import Sequence

import numpy as np

from telecine.core.bitstream.access_unit import ENDLESS
from telecine.core.bitstream.bits import BitWriter
from telecine.core.bitstream.h264 import H264, H264Sps
from telecine.core.bitstream.nal import START, escaped
from telecine.core.grid import Rows
from telecine.core.recording import Buffer
from telecine.core.video import Flags

_ALL_P = 5
_PPS, _NON_REFERENCE_SLICE = b"\x68", b"\x01"
_MOST_REASONS = 3
_SEQUENCE_SETS = 32


def repeatable(orders: Rows, restarts: Flags, display: Rows, repeats: Rows, fixed: Sequence[str]) -> tuple[Rows, str]:
    """How often each of n pictures can be repeated before the next one, and why some or all cannot be.

    All are of n packets in decode order. orders: (n,) int64 picture order counts, which begin anew at `restarts`,
    (n,) bool. display: (n,) int64 positions. repeats: (n,) int64, as often as each one's own headers allow, ENDLESS
    without counts in the headers. fixed: why it is 0, or "".

    Returns:
        (n,) int64, and "" when every picture can be repeated.
    """
    if np.any(display != np.arange(display.size)) and np.any(repeats):
        return np.zeros_like(repeats), "there are B-frames"
    last = np.append(restarts[1:], np.True_)
    steps = np.append(np.diff(orders), 0)
    between = np.where(repeats == ENDLESS, np.where(steps >= 2, ENDLESS, 0), np.maximum(steps - 1, 0))
    often: Rows = np.where(last, repeats, np.minimum(repeats, between)).astype(np.int64)
    reasons = dict.fromkeys(reason for reason in fixed if reason)
    if np.any((often == 0) & (repeats > 0)):
        reasons["there is no picture order count between it and the next"] = None
    return often, "; ".join(list(reasons)[:_MOST_REASONS])


def picture_set(number: int, sps: int) -> bytes:
    """The NAL unit of picture parameter set `number`: CAVLC, one reference, nothing optional (7.3.2.2)."""
    bits = BitWriter()
    bits.ue(number)
    bits.ue(sps)
    bits.u(0, 2)  # entropy_coding_mode, bottom_field_pic_order_in_frame_present
    for _ in range(3):  # num_slice_groups_minus1, num_ref_idx_l0 and _l1_default_active_minus1
        bits.ue(0)
    bits.u(0, 3)  # weighted_pred, weighted_bipred_idc
    for _ in range(3):  # pic_init_qp, pic_init_qs, chroma_qp_index_offset
        bits.se(0)
    bits.u(0, 3)  # deblocking_filter_control_present, constrained_intra_pred, redundant_pic_cnt_present
    return _PPS + escaped(bits.closed())


def skipped_picture(sps: H264Sps, picture_set: int, frame_num: int, order_lsb: int) -> bytes:
    """The packet of a non-reference picture of skipped macroblocks, in one slice (7.3.3, 7.3.4).

    frame_num, order_lsb: modulo what `sps` has bits for.
    """
    bits = BitWriter()
    bits.ue(0)  # first_mb_in_slice
    bits.ue(_ALL_P)
    bits.ue(picture_set)
    bits.u(frame_num % (1 << sps.frame_num_bits), sps.frame_num_bits)
    bits.u(order_lsb % (1 << sps.poc_lsb_bits), sps.poc_lsb_bits)  # no bits with type 2
    bits.u(0, 2)  # num_ref_idx_active_override, ref_pic_list_modification_l0
    bits.se(0)  # slice_qp_delta
    bits.ue(sps.macroblocks)  # mb_skip_run
    return b"\0" + START + _NON_REFERENCE_SLICE + escaped(bits.closed())


def unused_number(keyframe: Buffer) -> int:
    """The greatest number that neither sequence nor picture parameter sets of the keyframe have, both below 32."""
    reader = H264()
    reader.read(keyframe)
    return max(set(range(_SEQUENCE_SETS)) - reader.picture_sets - reader.sequence_sets, default=0)


class Repeater:
    """Follows a stream from a keyframe on, and makes repeats of its last picture.

    Whether a picture can be repeated, and how often, is in `PacketIndex.repeats`.
    """

    def __init__(self) -> None:
        self._reader = H264()
        self._set = self._times = 0

    def read(self, packet: Buffer) -> None:
        """Take the next packet in decode order; keyframes bring all parameter sets in force."""
        self._reader.read(packet)
        self._times = 0

    def own_set(self) -> bytes:
        """The parameter set of the repeats, to be put behind those of the keyframe that was read last.

        Its number is one that the stream does not use.
        """
        last, used = self._reader.last, self._reader.picture_sets
        assert last is not None
        self._set = next(number for number in range(255, -1, -1) if number not in used)
        return picture_set(self._set, last.sps.id)

    def repeat(self) -> bytes:
        """A packet that shows the last picture once more."""
        last = self._reader.last
        assert last is not None
        self._times += 1
        return skipped_picture(last.sps, self._set, last.frame_num + 1, last.order_lsb + self._times)
