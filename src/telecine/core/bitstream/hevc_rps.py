"""Short-term reference picture sets of H.265 (7.3.7, 7.4.8): which pictures a picture keeps and uses."""

from collections.abc import Sequence
from typing import TypeAlias

from telecine.core.bitstream.bits import Bits, HeaderError, at_most

Deltas: TypeAlias = tuple[tuple[int, bool], ...]
"""(order of the kept picture minus that of the current one, used by the current one) each."""

_MOST = 16


def short_term_set(bits: Bits, known: Sequence[Deltas], *, in_slice: bool) -> Deltas:
    """The set that comes next in the bits; `known` are those of the sequence parameter set (so far)."""
    if known and bits.flag():
        return _predicted(bits, known, back=1 + bits.ue() if in_slice else 1)
    counts = [at_most(bits.ue(), _MOST, "the number of reference pictures") for _ in range(2)]
    deltas: list[tuple[int, bool]] = []
    for sign, count in zip((-1, 1), counts, strict=True):
        delta = 0
        for _ in range(count):
            delta += sign * (1 + at_most(bits.ue(), 1 << 15, "delta_poc_minus1"))
            deltas.append((delta, bits.flag()))
    return tuple(deltas)


def _predicted(bits: Bits, known: Sequence[Deltas], *, back: int) -> Deltas:
    """Equations 7-61 and 7-62: another set shifted, the current picture of that set included."""
    if back > len(known):
        raise HeaderError(f"delta_idx_minus1 is {back - 1} of {len(known)}")
    base = known[len(known) - back]
    sign = -1 if bits.flag() else 1
    shift = sign * (1 + at_most(bits.ue(), 1 << 15, "abs_delta_rps_minus1"))
    chosen: list[tuple[int, bool]] = []
    for delta, _ in (*base, (0, True)):
        used = bits.flag()
        if used or bits.flag():
            chosen.append((delta + shift, used))
    negative = sorted((c for c in chosen if c[0] < 0), reverse=True)
    positive = sorted(c for c in chosen if c[0] > 0)
    return tuple(negative + positive)[:_MOST]
