"""Positions in many serialised messages at once.

A cursor stands in the same field of k messages. As long as all of them have it at the same offset, that is one integer;
when strings or arrays of different length come in between it becomes (k,) integers. Either way reading a field
costs a few array operations, not k steps. A message whose bytes cannot be right (a length beyond its end) is marked
in `bad` with the reason, is read as zeros from there on, and never reads beyond the buffer.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from telecine.core.grid import Rows
from telecine.core.recording import Array

SMALL_BYTES = 4096
"""Messages up to this size are copied into a table before their fields are read."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a serialisation lays out fields.

    aligned: numbers stand at multiples of their width (CDR); order: "<" or ">"; ended: strings count a final
        NUL (CDR); empty_aligned: an empty array of numbers is followed by the padding its items would have needed,
        which some CDR writers do; empty_bytes: what a message without fields takes (one in CDR, none in ROS 1).
    """

    aligned: bool
    order: str = "<"
    ended: bool = True
    empty_aligned: bool = False
    empty_bytes: int = 1


class BeyondPrefix(Exception):
    """A field is asked for that is not among the bytes at hand."""


class Cursor:
    """Where the next field is. base, stop: (k,) first byte and end of each message in `data`, headers left out.

    held: how many bytes of each are in `data`, when it may be less than up to its end.
    """

    def __init__(self, data: Array, base: Rows, stop: Rows, rules: Rules, held: int | None = None) -> None:
        self.data, self.base, self.stop, self.rules, self.held = data, base, stop, rules, held
        self.at: int | Rows = 0
        self.bad: Array = np.zeros(len(base), bool)
        self.spoilt = False
        """True when any is bad."""
        self.reason = ""
        space = stop - base
        self._space, self._most = (int(space.min()), int(space.max())) if len(base) else (0, 0)
        self._at_hand = self._space if held is None else min(self._space, held)
        self._block: Array | None = None

    def part(self, which: Rows) -> "Cursor":
        """The same position in some of the messages."""
        part = Cursor(self.data, self.base[which], self.stop[which], self.rules, self.held)
        part.at = self._positions()[which]
        part.bad = self.bad[which]
        part.spoilt = self.spoilt and bool(part.bad.any())
        return part

    def join(self, part: "Cursor", which: Rows) -> None:
        """Go on where `part` has come to."""
        positions = self._positions().copy()
        positions[which] = part.at
        self.at = positions
        self.bad[which] |= part.bad
        self.spoilt = self.spoilt or part.spoilt
        self.reason = self.reason or part.reason

    def skip(self, size: int, width: int) -> int | Rows:
        """Step over `size` bytes behind the padding of `width`; returns where they start."""
        if isinstance(self.at, int):
            start = (self.at + width - 1) & -width if self.rules.aligned else self.at
            if start + size <= self._space:
                self.at = start + size
                return start
        return self.skip_each(np.full(len(self.base), size, np.int64), width, np.ones(len(self.base), bool))

    def skip_each(self, sizes: Rows, width: int, padded: Array) -> Rows:
        """The same with (k,) sizes; padding only where `padded`. Messages that end before are bad."""
        starts: Rows = self._positions()
        if self.rules.aligned and width > 1:
            starts = np.where(padded, (starts + width - 1) & -width, starts)
        self.mark((sizes < 0) | (starts + sizes > self.stop - self.base), "it ends within a field")
        self.at = np.where(self.bad, 0, starts + sizes)
        return np.where(self.bad, 0, starts)

    def skipped_beyond(self, end: int) -> bool:
        """True when the offset `end` is behind the end of any message."""
        return end > self._space

    def left_over(self, most: int) -> Array | None:
        """(k,) flags of messages that are bad, or have more than `most` bytes behind the cursor; None: no message."""
        if not self.spoilt and isinstance(self.at, int) and self._most - self.at <= most:
            return None
        flags: Array = self.bad | (self.stop - self.base - self.at > most)
        return flags if flags.any() else None

    def mark(self, wrong: Array, reason: str) -> None:
        """These (k,) flags are messages that cannot be read."""
        if wrong.any():
            self.spoilt = True
            self.reason = self.reason or reason
            self.bad = self.bad | wrong

    def _positions(self) -> Rows:
        return np.full(len(self.base), self.at, np.int64) if isinstance(self.at, int) else self.at

    def fetch(self, start: int | Rows, dtype: str, count: int = 1) -> Array:
        """(k,) native numbers that stand at `start` in each message; (k, count) for other counts than 1.

        Perhaps a view, of which the numbers do not lie side by side.
        """
        self.reach(start, np.dtype("uint8" if dtype == "bool" else dtype).itemsize * count)
        if isinstance(start, int) and self._at_hand <= SMALL_BYTES and len(self.base) > 1:
            return self._from_block(start, dtype, count)
        return at_each(self.data, self.base + start, self.rules.order, dtype, count)

    def reach(self, start: int | Rows, size: int | Rows) -> None:
        """Raises: BeyondPrefix when `size` bytes from `start` are not at hand in every message."""
        if self.held is not None and np.max(start + size, initial=0) > self.held:
            raise BeyondPrefix

    def _from_block(self, start: int, dtype: str, count: int) -> Array:
        """Small messages are copied once, one below the other: their fields are then columns of a table."""
        if self._block is None:
            self._block = _table(self.data, self.base, self._at_hand)
        kind: Any = _kind(dtype, self.rules.order)
        found: Array = self._block[:, start : start + kind.itemsize * count].view(kind)
        found = found[:, 0] if count == 1 else found
        return found != 0 if dtype == "bool" else found.astype(kind.newbyteorder("="), copy=False)

    def counts(self) -> int | Rows:
        """The u32 in front of a string or an array: one integer when all messages have the same."""
        counts = self.fetch(self.skip(4, 4), "uint32").astype(np.int64)
        if self.spoilt:
            counts = np.where(self.bad, 0, counts)
        if len(counts) and isinstance(self.at, int) and (counts == counts[0]).all():
            return int(counts[0])
        return counts

    def limit(self, counts: int | Rows, least: int) -> int | Rows:
        """Counts of items of at least `least` bytes; those that cannot fit mark their message and become 0."""
        if isinstance(counts, int) and isinstance(self.at, int) and self.at + counts * least <= self._space:
            return counts
        each = np.broadcast_to(np.asarray(counts, np.int64), self.base.shape)
        self.mark(each * least > self.stop - self.base - self._positions(), "it has more items than bytes")
        return np.where(self.bad, 0, each)


def _table(data: Array, base: Rows, width: int) -> Array:
    """(k, width) uint8 from the k positions `base`; a view where they stand at equal distances."""
    step = int(base[1] - base[0])
    if step >= 0 and int(base[-1]) == int(base[0]) + step * (len(base) - 1) and (np.diff(base) == step).all():
        return np.ndarray((len(base), width), np.uint8, data, int(base[0]), (step, 1))
    rows: Array = np.ndarray((len(data) - width + 1,), f"V{width}", data, 0, (1,))[base]
    return rows.view(np.uint8).reshape(len(base), width)


def at_each(data: Array, positions: Rows, order: str, dtype: str, count: int = 1) -> Array:
    """Native numbers at any byte positions: (k,) for count 1, else (k, count). Positions are moved into `data`."""
    kind: Any = _kind(dtype, order)
    last = len(data) - kind.itemsize * count
    if len(positions) and (int(positions.max()) > last or int(positions.min()) < 0):
        positions = np.clip(positions, 0, max(last, 0))
    if last < 0:
        return np.zeros(len(positions) if count == 1 else (len(positions), count), dtype)
    found: Array
    if count == 1:
        found = np.ndarray((last + 1,), kind, data, 0, (1,))[positions]
    else:
        found = np.ndarray((last + 1, count), kind, data, 0, (1, kind.itemsize))[positions]
    return found != 0 if dtype == "bool" else found.astype(kind.newbyteorder("="), copy=False)


@cache
def _kind(dtype: str, order: str) -> Any:
    return np.dtype("uint8" if dtype == "bool" else dtype).newbyteorder(order)  # type: ignore[arg-type]


def spread(starts: Rows, counts: Rows, step: int) -> Rows:
    """Positions starts[i] + j * step for j < counts[i], message after message."""
    ends = np.cumsum(counts)
    first: Rows = np.repeat(starts - (ends - counts) * step, counts)
    return first + np.arange(int(ends[-1]) if len(ends) else 0) * step
