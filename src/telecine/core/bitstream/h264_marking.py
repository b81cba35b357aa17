"""Whether an H.264 picture can be repeated by a skipped picture (`core/bitstream/pskip.py`), from its slice header.

Such a repeat copies the first picture of the reference list, which is the picture before it only if that one stays
in the list as an ordinary (short-term) reference. So the rest of the slice header up to the reference picture
marking is read (7.3.3); whatever is not understood counts as an obstacle.
"""

from typing import TypeAlias

from telecine.core.bitstream.bits import LONGEST, Bits, HeaderError, at_most
from telecine.core.bitstream.nal import payload
from telecine.core.dataclass import dataclass

_P, _B, _I = 0, 1, 2
_MOST_REFERENCES = 32
_NUMBERS_OF = {1: 1, 2: 1, 3: 2, 4: 1}
"""memory_management_control_operation -> numbers that follow it (7.3.3.3)."""
_RESET, _CURRENT_LONG = 5, 6


@dataclass(frozen=True, slots=True)
class Coding:
    """What a picture parameter set states about slice headers; named as in 7.3.2.2."""

    obstacle: str
    """Why its pictures cannot be repeated, or ""."""
    bottom_field_order: bool = False
    references: tuple[int, int] = (1, 1)
    """num_ref_idx_default_active of list 0 and list 1."""
    weighted_p: bool = False
    redundant: bool = False
    plain: bool = False
    """CAVLC and none of the options: what `core/bitstream/pskip.py` writes."""


def coding(raw: bytes) -> Coding:
    """The picture parameter set in the NAL unit `raw`; one that cannot be read has an obstacle."""
    bits = Bits(payload(raw[:LONGEST])[1:])
    try:
        bits.ue()
        bits.ue()
        cabac, bottom_field_order = bits.flag(), bits.flag()
        if bits.ue():
            return Coding("macroblocks are in slice groups (FMO)")
        references = (1 + at_most(bits.ue(), 31, "references"), 1 + at_most(bits.ue(), 31, "references"))
        weighted_p, _ = bits.flag(), bits.u(2)
        for _ in range(3):
            bits.se()
        optional, redundant = bits.u(2), bits.flag()
        plain = not (cabac or bottom_field_order or weighted_p or optional or redundant) and references == (1, 1)
        return Coding("", bottom_field_order, references, weighted_p, redundant, plain)
    except HeaderError as error:
        return Coding(f"its picture parameter set cannot be read: {error}")


Known: TypeAlias = dict[tuple[int, bool], tuple[int, int, str]]
"""(slice type, whether it is an IDR picture) -> (number of bits that were read, these bits, what `obstacle` said)."""
_NOTHING_KNOWN = 0, -1, ""


def obstacle(bits: Bits, slice_type: int, used: Coding, known: Known, *, idr: bool) -> str:
    """Why the reference picture whose slice header goes on with `bits` cannot be repeated, or "".

    bits: what follows pic_order_cnt_lsb of a frame in 4:2:0. slice_type: 0 to 4. known: of the last picture of each
    kind that used the same parameter sets; nearly all go on with the same bits, which are then not read one by one.
    """
    if used.obstacle:
        return used.obstacle
    value, left = bits.rest()
    size, same, said = known.get((slice_type, idr), _NOTHING_KNOWN)
    if left >= size and value >> (left - size) == same:
        return said
    try:
        said = _obstacle(bits, slice_type, used, idr=idr)
        size = left - bits.rest()[1]
        known[slice_type, idr] = size, value >> (left - size), said
        return said
    except HeaderError as error:
        return f"its slice header cannot be read to the end: {error}"


def repeats_previous(bits: Bits, slice_type: int, used: Coding, macroblocks: int) -> bool:
    """Whether the picture that nothing refers to, whose slice header goes on with `bits`, skips all `macroblocks`."""
    if slice_type != _P or not used.plain:
        return False
    try:
        default = bits.u(2) == 0 and bits.se() == 0  # the list of references; slice_qp_delta
        return default and bits.ue() == macroblocks and bits.at_end()
    except HeaderError:
        return False


def _obstacle(bits: Bits, slice_type: int, used: Coding, *, idr: bool) -> str:
    if slice_type not in (_P, _I):
        return "there are B-frames (or switching slices)"
    if used.bottom_field_order and bits.se():
        return "its two fields are shown at different times"
    if used.redundant and bits.ue():
        return "it is a redundant picture"
    if slice_type == _P:
        count = used.references[0]
        if bits.flag():
            count = 1 + at_most(bits.ue(), _MOST_REFERENCES - 1, "num_ref_idx_l0_active_minus1")
        _skip_list_modification(bits)
        if used.weighted_p:
            _skip_weights(bits, count)
    return _marking(bits, idr=idr)


def _skip_list_modification(bits: Bits) -> None:
    if bits.flag():
        while bits.ue() != 3:
            bits.ue()


def _skip_weights(bits: Bits, count: int) -> None:
    """pred_weight_table of list 0, with chroma (7.3.3.2)."""
    bits.ue()
    bits.ue()
    for _ in range(count):
        for numbers in (2, 4):
            if bits.flag():
                for _ in range(numbers):
                    bits.se()


def _marking(bits: Bits, *, idr: bool) -> str:
    """dec_ref_pic_marking (7.3.3.3)."""
    if idr:
        bits.flag()
        return "it is a long-term reference" if bits.flag() else ""
    if not bits.flag():
        return ""
    while operation := bits.ue():
        if operation == _CURRENT_LONG:
            return "it is a long-term reference"
        if operation == _RESET:
            return "it resets the order of frames"
        if operation not in _NUMBERS_OF:
            raise HeaderError(f"memory_management_control_operation is {operation}")
        for _ in range(_NUMBERS_OF[operation]):
            bits.ue()
    return ""
